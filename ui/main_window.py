"""The shell: rail, pages, notices, status line, palette, keys; it follows the engine by timer."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.behaviour import Alert
from engine.domain.errors import BarnhandError, Bug
from engine.domain.ids import HorseId, StreamId
from engine.domain.notices import Notice, Severity
from ui.actions import ActionBook
from ui.alerts.alerts_page import AlertsPage
from ui.commands import CommandLog
from ui.console_choices import THEME, ConsoleChoices
from ui.console_state import ConsoleState
from ui.diagnostics.backups_section import BackupsSection
from ui.diagnostics.diagnostics_page import DiagnosticsPage
from ui.diagnostics.figures_section import FiguresSection
from ui.errors import ErrorPresenter
from ui.jobs.desk import JobsDesk
from ui.key_sheet import KeySheet
from ui.live.live_actions import dress_live_actions
from ui.live.live_page import LivePage
from ui.loop_meter import LoopMeter
from ui.notices import NoticeBook, NoticeStrip
from ui.palette import Palette
from ui.rail import PAGES, Rail
from ui.registry.directory import HorseDirectory
from ui.registry.live_identity import LiveIdentity
from ui.registry.registry_page import RegistryPage
from ui.requests import RequestRunner
from ui.review.review_page import ReviewPage
from ui.services import ConsoleServices, Level, PartState, SystemStatus
from ui.sessions.sessions_page import SessionsPage
from ui.settings.own_sections import OwnSections
from ui.settings.settings_page import SettingsPage
from ui.status_bar import StatusBar
from ui.theme import Theme, ThemeName, apply_theme, load_theme
from ui.timeline.cursor import TimeCursor
from ui.timeline.timeline_page import TimelinePage
from ui.toast import Toast

FOLLOW_MS = 400
SYSTEM_MS = 1000


class MainWindow(QMainWindow):
    """The console's window. ``closed`` follows an orderly close."""

    closed = Signal()

    def __init__(self, services: ConsoleServices, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self.state = ConsoleState(services.settings.path.parent)
        self.choices = ConsoleChoices.of(services.settings.current)
        self._theme: Theme = load_theme(self.choices.theme)
        self.requests = RequestRunner(self)
        self.log = CommandLog(self.requests, self)
        self.notices = NoticeBook(self)
        self.actions_book = ActionBook(self, self.state.settings)
        self._system: SystemStatus | None = None
        self._system_asked = False
        self._shut = False
        self.loop_meter = LoopMeter(self)
        self.setWindowTitle("Barnhand")
        self.setMinimumSize(960, 600)
        self._build()
        self.toast = Toast(self._theme, self.central)
        self.errors = ErrorPresenter(self, self.toast, services.version)
        self._add_actions()
        self._connect()
        self._follow_timer = QTimer(self, interval=FOLLOW_MS)
        self._follow_timer.timeout.connect(self.follow_engine)
        self._system_timer = QTimer(self, interval=SYSTEM_MS)
        self._system_timer.timeout.connect(self.follow_system)
        self.follow_engine()
        self._recall()
        self.follow_system()
        self._follow_timer.start()
        self._system_timer.start()
        self.loop_meter.start()
        self.jobs.watch.start()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        services, theme = self._services, self._theme
        self.rail = Rail(self.actions_book, theme, self.show_page)
        self.strip = NoticeStrip(self.notices, theme)
        self.directory = HorseDirectory(services, self.requests, self)
        self.live = LivePage(
            services,
            self.requests,
            self.log,
            self.directory,
            self.actions_book,
            self.notices,
            self.state,
            theme,
        )
        self.registry = RegistryPage(
            services, self.requests, self.log, self.directory, self.actions_book, theme
        )
        self.live_identity = LiveIdentity(self.registry.context, self.live.card, self)
        self.time_cursor = TimeCursor(self)
        self.timeline = TimelinePage(
            services,
            self.requests,
            self.log,
            self.directory,
            self.actions_book,
            self.time_cursor,
            theme,
        )
        self.review = ReviewPage(
            services,
            self.requests,
            self.log,
            self.directory,
            self.registry.context,
            self.actions_book,
            self.time_cursor,
            self.state,
            theme,
        )
        self.timeline.acts.viewer = self.review
        self.alerts = AlertsPage(
            services, self.requests, self.log, self.directory, self.actions_book, theme
        )
        self.sessions = SessionsPage(
            services,
            self.requests,
            self.log,
            self.directory,
            self.actions_book,
            theme,
            self.review,
        )
        self.timeline.acts.maker = self.review.acts.maker = self.sessions.desk
        self.settings = SettingsPage(services.settings, self.requests)
        self.own_settings = OwnSections(self.settings, services, self.requests)
        self.diagnostics = DiagnosticsPage(services.version)
        self.backups = BackupsSection(services.backups, self.requests)
        self.diagnostics.add_section(self.tr("Backups"), self.backups)
        self.figures = FiguresSection()
        self.diagnostics.add_section(self.tr("Figures"), self.figures)
        self.pages: dict[str, QWidget] = {
            "live": self.live,
            "registry": self.registry,
            "timeline": self.timeline,
            "review": self.review,
            "alerts": self.alerts,
            "sessions": self.sessions,
            "settings": self.settings,
            "health": self.diagnostics,
        }
        self.stack = QStackedWidget()
        for name in PAGES:
            self.stack.addWidget(self.pages[name])
        self.status = StatusBar(self.notices, theme)
        self.central = QWidget()
        self.central.setObjectName("central")
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.strip)
        middle.addWidget(self.stack, 1)
        across = QHBoxLayout()
        across.setSpacing(0)
        across.addWidget(self.rail)
        across.addLayout(middle, 1)
        column = QVBoxLayout(self.central)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(across, 1)
        column.addWidget(self.status)
        self.setCentralWidget(self.central)
        self.jobs = JobsDesk(services, self.requests, self.actions_book, theme, self.central)
        self.status.add_tool(self.jobs.button)

    def _add_actions(self) -> None:
        book, group = self.actions_book, self.tr("Console")
        book.add("palette", group, self.tr("Commands…"), self.open_palette, "Ctrl+K")
        book.add("keys", group, self.tr("Keys…"), self.open_keys, "?", "F1")
        book.add("undo", group, self.tr("Undo"), self.log.stack.undo, "Ctrl+Z")
        book.add("redo", group, self.tr("Redo"), self.log.stack.redo, "Ctrl+Shift+Z")
        book.add(
            "look",
            group,
            self.tr("Light look"),
            toggled=lambda on: self.choose_theme("light" if on else "dark"),
            checked=self.choices.theme == "light",
        )
        book.add("full", group, self.tr("Full screen"), self.toggle_full_screen, "F11")
        book.add("quit", group, self.tr("Quit"), self.close, "Ctrl+Q")

    def _connect(self) -> None:
        book = self.actions_book
        self.log.done.connect(self._on_done)
        self.log.failed.connect(self.errors.show_error)
        self.log.changed.connect(self.follow_engine)
        self.log.stack.canUndoChanged.connect(book["undo"].setEnabled)
        self.log.stack.canRedoChanged.connect(book["redo"].setEnabled)
        book["undo"].setEnabled(False)
        book["redo"].setEnabled(False)
        self.requests.failed_unheard.connect(self.errors.show_error)
        self.live.said.connect(self.toast.say)
        self.live.failed.connect(self.errors.show_error)
        self.live.profile_asked.connect(self.show_profile)
        self.registry.failed.connect(self.errors.show_error)
        self.registry.wanted.connect(self._on_registry_wanted)
        self.live_identity.failed.connect(self.errors.show_error)
        self.timeline.failed.connect(self.errors.show_error)
        self.timeline.said.connect(lambda text, warns: self.toast.say(text, warning=warns))
        self.timeline.wanted.connect(self.show_page)
        self.timeline.submitted.connect(self.jobs.watch.expect)
        self.review.failed.connect(self.errors.show_error)
        self.review.said.connect(lambda text, warns: self.toast.say(text, warning=warns))
        self.review.wanted.connect(self.show_page)
        self.review.submitted.connect(self.jobs.watch.expect)
        self.jobs.watch.ended.connect(self.review.on_job_ended)
        self.jobs.failed.connect(self.errors.show_error)
        self.jobs.told.connect(
            lambda text, act, then, warns: self.toast.say(text, act, then, warning=warns)
        )
        self.alerts.failed.connect(self.errors.show_error)
        self.alerts.profile_asked.connect(self.show_profile)
        self.alerts.moment_asked.connect(self.show_moment)
        self.alerts.waiting_changed.connect(self.rail.show_waiting)
        self.alerts.alarm.told.connect(self._on_alarm)
        self.alerts.alarm.clicked.connect(self._on_alarm_clicked)
        self.sessions.failed.connect(self.errors.show_error)
        self.sessions.said.connect(lambda text, warns: self.toast.say(text, warning=warns))
        self.sessions.profile_asked.connect(self.show_profile)
        self.sessions.wanted.connect(lambda: self.show_page("sessions"))
        self.sessions.desk.made.connect(lambda _session: self.jobs.watch.refresh())
        self.directory.failed.connect(self._on_directory_failed)
        self.settings.failed.connect(self.errors.show_error)
        self.settings.applied.connect(self._on_settings)
        self.status.clicked.connect(lambda: self.show_page("health"))
        self.status.notices_clicked.connect(lambda: self.show_page("live"))

    def _recall(self) -> None:
        self._apply_choices()
        self.live.recall()
        geometry = self.state.geometry
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(1600, 940)
        self.show_page("live")
        self.directory.refresh()

    # --- pages ----------------------------------------------------------------------------------

    def show_page(self, name: str) -> None:
        """Open a page of the rail."""
        self.stack.setCurrentWidget(self.pages[name])
        self.rail.mark(name)
        if name == "live":
            self.live.wall.setFocus()
        if name == "registry":
            self.registry.take_focus()
        if name == "timeline":
            self.timeline.take_focus()
        if name == "review":
            self.review.take_focus()
        if name == "alerts":
            self.alerts.take_focus()
        if name == "sessions":
            self.sessions.take_focus()
        if name == "health":
            self._show_diagnostics()

    def show_moment(self, at: datetime, stream_id: StreamId | None) -> None:
        """Play what a camera saw at an instant; the timeline where recordings are not at hand."""
        if self._services.chunks is not None and self._services.media_folder is not None:
            self.review.open_moment(at, stream_id)
            return
        self.show_page("timeline")
        self.time_cursor.move_to(at)

    def _on_alarm(self, alerts: tuple[Alert, ...]) -> None:
        self.toast.say(alerts[0].message, self.tr("Show"), self._on_alarm_clicked, warning=True)

    def _on_alarm_clicked(self) -> None:
        self.show_page("alerts")
        self.activateWindow()

    def show_profile(self, horse_id: HorseId) -> None:
        """Open the registry at a horse."""
        horse = self.directory.resolve(horse_id)
        if horse is not None:
            self.live.card.dismiss()
            self.show_page("registry")
            self.registry.open_profile(horse)

    def _on_directory_failed(self, error: BarnhandError) -> None:
        """The registry page says that the store is away; a bug is reported like any other."""
        if isinstance(error, Bug):
            self.errors.show_error(error)

    def _on_registry_wanted(self) -> None:
        if self.page != "registry":
            self.show_page("registry")

    @property
    def page(self) -> str:
        """The name of the open page."""
        current = self.stack.currentWidget()
        return next(name for name, widget in self.pages.items() if widget is current)

    def open_palette(self) -> Palette:
        """Every command, a few letters away."""
        palette = Palette(self.actions_book, self)
        palette.place_over(self)
        palette.open()
        return palette

    def open_keys(self) -> KeySheet:
        """The keys."""
        sheet = KeySheet(self.actions_book, self)
        sheet.open()
        return sheet

    def toggle_full_screen(self) -> None:
        """Full screen or back."""
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def choose_theme(self, name: ThemeName) -> None:
        """Dark or light, at once, and stored in the settings."""
        if name == self._theme.name:
            return
        self._set_theme(name)
        self.requests.submit(
            "store the look",
            lambda: self._services.settings.save({THEME: name}),
            lambda _nothing: self._on_settings_changed(),
            self.errors.show_error,
        )

    def _set_theme(self, name: ThemeName) -> None:
        self._theme = load_theme(name)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, self._theme)
        for part in (
            self.rail,
            self.strip,
            self.status,
            self.live,
            self.registry,
            self.timeline,
            self.review,
            self.sessions,
            self.jobs,
        ):
            part.set_theme(self._theme)
        dress_live_actions(self.actions_book, self._theme)
        self.actions_book["look"].setChecked(name == "light")

    def show_admin_notice(self) -> QMessageBox | None:
        """The first administrator's password, shown once, with a button that copies it."""
        password = self._services.admin_notice
        if not password:
            return None
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Information)
        box.setWindowTitle(self.tr("Administrator password"))
        box.setText(
            self.tr(
                "Remote clients sign in as “admin” with this password. It is shown only this once:"
            )
        )
        box.setInformativeText(password)
        copy = box.addButton(self.tr("Copy"), QMessageBox.ButtonRole.ActionRole)
        box.addButton(self.tr("I have noted it"), QMessageBox.ButtonRole.AcceptRole)
        copy.clicked.disconnect()
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(password))
        box.open()
        return box

    # --- following ------------------------------------------------------------------------------

    def follow_engine(self) -> None:
        """Look at the engine; nothing here blocks."""
        if self._shut:
            return
        streams, report = self._services.engine.streams(), self._services.engine.report()
        self.live.follow(streams, report)
        cameras = {stream.id: stream.name for stream in streams}
        self.registry.follow(cameras)
        self.timeline.follow(cameras)
        self.review.follow(cameras)
        self.alerts.follow(cameras)
        self.sessions.follow(cameras)
        self.notices.update_from(report.notices)
        self.status.show_engine(report)
        if self.page == "health":
            self.diagnostics.show_engine(streams, report)

    def follow_system(self) -> None:
        """Ask a worker for the state of servers and machine, one question at a time."""
        if self._system_asked or self._shut:
            return
        self._system_asked = True
        self.requests.submit(
            "system status", self._services.system, self._on_system, self._on_system_failed
        )

    def show_api(self, part: PartState) -> None:
        """What the console's own health check of the API found."""
        if self._system is not None:
            self.status.show_api(part, self._system.api_url if part.level is Level.OK else "")
            self._notice_part("api", self.tr("Remote access"), part)

    @property
    def api_url(self) -> str:
        """Where the API listens, empty while unknown."""
        return self._system.api_url if self._system is not None else ""

    def _on_system(self, status: SystemStatus) -> None:
        self._system_asked = False
        self._system = status
        self.status.show_system(status)
        for key, name, part in (
            ("database", self.tr("Database"), status.database),
            ("live", self.tr("Live state"), status.live),
            ("disk", self.tr("Recordings"), status.disk),
        ):
            self._notice_part(key, name, part)
        if self.page == "health":
            self._show_diagnostics()

    def _on_system_failed(self, error: BarnhandError) -> None:
        self._system_asked = False
        self.notices.raise_local(
            Notice("console.system", Severity.WARNING, str(error), "", datetime.now(UTC))
        )

    def _notice_part(self, key: str, name: str, part: PartState) -> None:
        if part.level is not Level.AWAY:
            self.notices.clear_local(f"console.{key}")
            return
        self.notices.raise_local(
            Notice(
                f"console.{key}",
                Severity.WARNING,
                self.tr("{0} is away").format(name),
                part.text,
                datetime.now(UTC),
            )
        )

    def _show_diagnostics(self) -> None:
        engine = self._services.engine
        self.diagnostics.show_engine(engine.streams(), engine.report())
        self.diagnostics.show_log(self._services.log_lines())
        if self._system is not None:
            self.figures.show_figures(self._system.figures)
            self.diagnostics.show_system(
                self._system,
                self.live.wall.paint_ms.quantiles(),
                self.loop_meter.delay_ms.quantiles(),
            )

    def _on_done(self, text: str) -> None:
        said = text[:1].upper() + text[1:]
        self.toast.say(said, self.tr("Undo"), self.log.stack.undo)

    def _on_settings(self) -> None:
        self.toast.say(self.tr("Settings stored"))
        self._on_settings_changed()

    def _on_settings_changed(self) -> None:
        self.settings.reread()
        self._apply_choices()
        if self.choices.theme != self._theme.name:
            self._set_theme(self.choices.theme)

    def _apply_choices(self) -> None:
        self.choices = ConsoleChoices.of(self._services.settings.current)
        self.live.apply(self.choices)
        self.registry.apply(self.choices)

    # --- window ---------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.toast.place()
        self.jobs.place()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.shut_down()
        super().closeEvent(event)
        self.closed.emit()

    @property
    def is_closed(self) -> bool:
        """True once the window was closed; it does not open again."""
        return self._shut

    def shut_down(self) -> tuple[str, ...]:
        """Remember the window, stop its timers and workers; names of workers that did not end
        within two seconds (they are daemons and hold nothing)."""
        if self._shut:
            return ()
        self._shut = True
        self.state.geometry = self.saveGeometry()
        self.live.remember()
        self.state.settings.sync()
        for timer in (self._follow_timer, self._system_timer):
            timer.stop()
        self.loop_meter.stop()
        self.live.ptz.stop()
        self.live.wall.stop()
        self.timeline.stop()
        self.review.stop()
        self.alerts.stop()
        self.sessions.stop()
        self.jobs.watch.stop()
        self.backups.stop()
        self.own_settings.stop()
        self.directory.stop()
        return self.requests.close(2.0)
