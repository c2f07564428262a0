"""The Alerts page: the list, one alert with its evidence, and the rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.behaviour import Alert, AlertId
from engine.domain.errors import BarnhandError
from engine.domain.horses import HorseStatus
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.notices import Severity
from ui.actions import ActionBook
from ui.alerts.alarm import Alarm
from ui.alerts.alert_detail import AlertDetail
from ui.alerts.alert_rows import AlertDelegate, AlertModel
from ui.alerts.feed import AlertFeed
from ui.alerts.rules_panel import RulesPanel
from ui.alerts.words import severity_word
from ui.commands import CommandLog
from ui.page_header import PageHeader
from ui.registry.directory import HorseDirectory
from ui.registry.words import local_user
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme
from ui.widgets import label

LIST_PX = 460


class AlertsPage(QWidget):
    """``profile_asked`` carries a HorseId, ``moment_asked`` an instant and a camera (or None);
    ``failed`` carries an error. ``waiting_changed`` the number of unacknowledged alerts."""

    profile_asked = Signal(object)
    moment_asked = Signal(object, object)
    failed = Signal(object)
    waiting_changed = Signal(int)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        log: CommandLog,
        directory: HorseDirectory,
        book: ActionBook,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._services = services
        self._requests = requests
        self._directory = directory
        self._theme = theme
        self._cameras: Mapping[StreamId, str] = {}
        self._shown: AlertId | None = None
        self.feed = AlertFeed(services.alerts, services.farm_id, requests, self)
        self.alarm = Alarm(self)
        self.rules: RulesPanel | None = None
        if services.alerts is not None and services.farm_id is not None:
            self.rules = RulesPanel(services.alerts, FarmId(services.farm_id), requests, log)
            self.rules.failed.connect(self.failed)
            self.rules.read.connect(self.alarm.follow)
        self._build()
        self._connect()
        book.add(
            "alerts.acknowledge", self.tr("Alerts"), self.tr("Acknowledge alert"),
            self.acknowledge, "A", page=self,
        )  # fmt: skip
        if self.rules is not None:
            self.rules.refresh()
        self.feed.refresh()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.model = AlertModel(self.subject, self)
        self.delegate = AlertDelegate(self._theme, self.subject, self)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(self.delegate)
        self.view.setMouseTracking(True)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.view.setAccessibleName(self.tr("Alerts"))
        self.detail = AlertDetail(self._theme)
        self.empty = label("", "muted", wrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.detail)
        self.right = QStackedWidget()
        self.right.addWidget(self.empty)
        self.right.addWidget(scroll)
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        left.addLayout(self._filters())
        left.addWidget(self.view, 1)
        beside = QWidget()
        beside.setObjectName("panel")
        beside.setFixedWidth(LIST_PX)
        beside.setLayout(left)
        listed = QWidget()
        across = QHBoxLayout(listed)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addWidget(beside)
        across.addWidget(self.right, 1)
        self.parts = QStackedWidget()
        self.parts.addWidget(listed)
        self.parts.addWidget(self.rules or QWidget())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._header())
        column.addWidget(self.parts, 1)

    def _header(self) -> QWidget:
        parts = (self.tr("List"), self.tr("Rules"))
        self.head = PageHeader("alerts", self.tr("Alerts"), parts, self._theme)
        self.tabs = self.head.tabs
        self.tabs.button(1).setEnabled(self.rules is not None)
        self.count = label("", "muted")
        self.head.row.addWidget(self.count)
        return self.head

    def _filters(self) -> QHBoxLayout:
        self.search = QLineEdit(placeholderText=self.tr("Search alerts"))
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName(self.tr("Search alerts"))
        self.which = QComboBox()
        self.which.setAccessibleName(self.tr("Which alerts"))
        self.which.addItem(self.tr("All"), "all")
        self.which.addItem(self.tr("Not acknowledged"), "waiting")
        self.which.addItem(self.tr("Lasting"), "lasting")
        for severity in reversed(Severity):
            self.which.addItem(severity_word(severity), severity)
        row = QHBoxLayout()
        row.setContentsMargins(12, 12, 12, 12)
        row.setSpacing(8)
        row.addWidget(self.search, 1)
        row.addWidget(self.which)
        return row

    def _connect(self) -> None:
        self.tabs.idClicked.connect(self.show_part)
        self.search.textChanged.connect(lambda _text: self._show_list())
        self.which.currentIndexChanged.connect(lambda _index: self._show_list())
        self.view.selectionModel().currentChanged.connect(self._on_chosen)
        self.feed.changed.connect(self._on_feed)
        self.feed.arrived.connect(self.alarm.tell)
        self.detail.acknowledged.connect(self._on_acknowledged)
        self.detail.wanted.connect(self._on_wanted)
        self._directory.changed.connect(self._on_names)

    # --- what is shown --------------------------------------------------------------------------

    def subject(self, alert: Alert) -> str:
        """Horse and camera of an alert in words."""
        camera = self._cameras.get(alert.stream_id, "") if alert.stream_id is not None else ""
        return " · ".join(p for p in (self._directory.title(alert.horse_id), camera) if p)

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        self.head.set_theme(theme)
        self.delegate.theme = theme
        self.detail.set_theme(theme)
        self.view.viewport().update()

    def follow(self, cameras: Mapping[StreamId, str]) -> None:
        """Names of the cameras now."""
        if cameras != self._cameras:
            self._cameras = dict(cameras)
            self._on_names()

    def take_focus(self) -> None:
        """The page was opened."""
        self.feed.refresh()
        self.view.setFocus()

    def show_part(self, number: int) -> None:
        """The list (0) or the rules (1)."""
        self.tabs.button(number).setChecked(True)
        for other in range(2):
            self.tabs.button(other).setChecked(other == number)
        self.parts.setCurrentIndex(number)
        if number == 1 and self.rules is not None:
            self.rules.refresh()

    def open_alert(self, alert_id: AlertId) -> None:
        """Show one alert."""
        self.show_part(0)
        self.search.clear()
        self.which.setCurrentIndex(0)
        row = self.model.row_of(alert_id)
        if row >= 0:
            self.view.setCurrentIndex(self.model.index(row))

    def stop(self) -> None:
        """The window is closing."""
        self.feed.stop()

    def _on_names(self) -> None:
        if self.rules is not None:
            alive = {
                horse.id: horse.title
                for horse in self._directory.horses
                if horse.status not in (HorseStatus.MERGED, HorseStatus.ARCHIVED)
            }
            self.rules.follow(alive, self._cameras)
        self.view.viewport().update()

    def _on_feed(self) -> None:
        self._show_list()
        waiting = self.feed.waiting
        text = self.tr("{0} not acknowledged").format(waiting)
        self.count.setText(text if waiting else self.tr("all acknowledged"))
        self.waiting_changed.emit(waiting)

    def _show_list(self) -> None:
        wanted, words = self.which.currentData(), self.search.text().strip().casefold()
        shown = [
            alert
            for alert in self.feed.alerts
            if _is_wanted(alert, wanted)
            and words in f"{alert.message} {self.subject(alert)} {alert.note}".casefold()
        ]
        before = self._shown
        self.model.show_values(shown)
        row = max(self.model.row_of(before), 0)
        if shown:
            self.view.setCurrentIndex(self.model.index(row))
            self._show(shown[row])
        else:
            self._shown = None
            self.empty.setText(self._why_empty())
            self.right.setCurrentIndex(0)

    def _why_empty(self) -> str:
        if not self.feed.offered:
            return self.tr("This console was started without a database that keeps alerts.")
        if self.feed.problem is not None:
            return str(self.feed.problem)
        if not self.feed.loaded:
            return self.tr("Reading…")
        if self.feed.alerts:
            return self.tr("No alert matches. Clear the search or choose All.")
        return self.tr(
            "Nothing needs a person. Rules watch all horses and cameras; see what they look for "
            "under Rules."
        )

    def _on_chosen(self, index: QModelIndex, _before: QModelIndex) -> None:
        alert = self.model.value(index)
        if alert is not None:
            self._show(alert)

    def _show(self, alert: Alert) -> None:
        fresh = alert.id != self._shown
        self._shown = alert.id
        self.detail.show_alert(alert, self.subject(alert))
        self.right.setCurrentIndex(1)
        repository = self._services.alerts
        if fresh and alert.picture and repository is not None:
            self._requests.submit(
                "picture of an alert",
                lambda: repository.picture(alert.id),
                lambda jpeg: self._on_picture(alert.id, jpeg),
                lambda error: self.detail.show_problem(str(error)),
                owner=self,
            )

    def _on_picture(self, alert_id: AlertId, jpeg: bytes | None) -> None:
        if alert_id == self._shown:
            self.detail.show_picture(jpeg)

    # --- acts -----------------------------------------------------------------------------------

    def acknowledge(self) -> None:
        """Acknowledge the alert on show with the note as written."""
        if self.right.currentIndex() == 1 and self.detail.acknowledge.isEnabled():
            self.detail.acknowledge.click()

    def _on_acknowledged(self, note: str) -> None:
        repository, alert = self._services.alerts, self.detail.alert
        if repository is None or alert is None:
            return
        self._requests.submit(
            "acknowledge an alert",
            lambda: repository.acknowledge(alert.id, local_user(), note, datetime.now(UTC)),
            self.feed.replace,
            self._on_refused,
            owner=self,
        )

    def _on_refused(self, error: BarnhandError) -> None:
        self.detail.acknowledge.setEnabled(True)
        self.failed.emit(error)

    def _on_wanted(self, where: str) -> None:
        alert = self.detail.alert
        if alert is None:
            return
        if where == "profile" and alert.horse_id is not None:
            self.profile_asked.emit(HorseId(alert.horse_id))
        elif where == "moment":
            self.moment_asked.emit(alert.raised_at, alert.stream_id)
        elif where == "rule" and self.rules is not None and alert.rule_id is not None:
            self.rules.choose(alert.rule_id)
            self.show_part(1)


def _is_wanted(alert: Alert, wanted: object) -> bool:
    if wanted == "waiting":
        return alert.acknowledged_at is None
    if wanted == "lasting":
        return alert.ended_at is None
    return wanted == "all" or alert.severity == wanted
