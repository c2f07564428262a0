"""The list of sessions with what narrows it, and the one that is chosen beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.ids import HorseId, StreamId
from engine.domain.sessions import Session, SessionId, SessionState
from ui.registry.directory import HorseDirectory
from ui.requests import RequestId, RequestRunner
from ui.sessions.desk import SessionDesk
from ui.sessions.dialogs import chosen_horse, refill_horses
from ui.sessions.feed import SessionFeed
from ui.sessions.reading import SessionReading, read_session
from ui.sessions.session_detail import SessionDetail
from ui.sessions.session_rows import SessionDelegate, SessionModel
from ui.sessions.words import kind_word, percent
from ui.theme import Theme
from ui.widgets import button, icon_button, label

LIST_PX, LEAST_PX, LIST_SHARE = 400, 280, 0.3
"""The list is as wide as its share of the page, within these."""
COPY_MS, LIVE_MS = 200, 5000
STATES: dict[str, tuple[SessionState, ...]] = {
    "all": (),
    "waiting": (SessionState.OPEN, SessionState.QUEUED, SessionState.RUNNING),
    "done": (SessionState.DONE,),
    "failed": (SessionState.FAILED, SessionState.CANCELLED),
    "archived": (),
}


class CopyStrip(QFrame):
    """How far the copy of a video is, and the way out of it."""

    def __init__(self, desk: SessionDesk, theme: Theme) -> None:
        super().__init__()
        self._desk = desk
        self.words = label("", "small")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.cancel = icon_button("close", theme, self.tr("Cancel copying"))
        self.cancel.clicked.connect(desk.cancel_copy)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self.words)
        column.addWidget(self.bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 8, 8)
        row.addLayout(column, 1)
        row.addWidget(self.cancel)
        self._timer = QTimer(self, interval=COPY_MS)
        self._timer.timeout.connect(self._show)
        desk.copying.connect(self._on_copying)
        self.hide()

    def _on_copying(self) -> None:
        busy = self._desk.intake is not None
        self.setVisible(busy)
        if busy:
            self._timer.start()
            self._show()
        else:
            self._timer.stop()

    def _show(self) -> None:
        intake = self._desk.intake
        if intake is not None:
            words = self.tr("Copying {0}: {1}").format(intake.source.name, percent(intake.share))
            self.words.setText(words)
            self.bar.setAccessibleName(words)
            self.bar.setValue(round(1000 * intake.share))


class SessionList(QWidget):
    """``failed`` carries an error; ``compare_asked`` a session, ``profile_asked`` a HorseId."""

    failed = Signal(object)
    compare_asked = Signal(object)
    profile_asked = Signal(object)

    def __init__(
        self, desk: SessionDesk, feed: SessionFeed, directory: HorseDirectory,
        requests: RequestRunner, files_here: bool, theme: Theme,
    ) -> None:  # fmt: skip
        super().__init__()
        self._desk, self._feed, self._directory = desk, feed, directory
        self._requests, self._files_here, self._theme = requests, files_here, theme
        self._shown: Session | None = None
        self._wanted: SessionId | None = None
        self._asked: RequestId | None = None
        self._build()
        self._connect()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.model = SessionModel(self._directory.title, self)
        self.delegate = SessionDelegate(self._theme, self._directory.title, self)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(self.delegate)
        self.view.setMouseTracking(True)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.view.setAccessibleName(self.tr("Sessions"))
        self.detail = SessionDetail(self._theme)
        self.empty = label("", "muted", wrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.new_video = button(self.tr("New session from a video…"), "primary")
        self.strip = CopyStrip(self._desk, self._theme)
        self.more = button(self.tr("Read older ones"), "link")
        self.right = QStackedWidget()
        self.right.addWidget(self._nothing())
        self.right.addWidget(self.detail)
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        left.addLayout(self._filters())
        left.addWidget(self.strip)
        left.addWidget(self.view, 1)
        left.addWidget(self.more, 0, Qt.AlignmentFlag.AlignHCenter)
        self._beside = QWidget()
        self._beside.setObjectName("panel")
        self._beside.setFixedWidth(LIST_PX)
        self._beside.setLayout(left)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addWidget(self._beside)
        across.addWidget(self.right, 1)

    def _nothing(self) -> QWidget:
        result = QWidget()
        column = QVBoxLayout(result)
        column.setContentsMargins(80, 0, 80, 0)
        column.setSpacing(16)
        column.addStretch(2)
        column.addWidget(self.empty)
        column.addWidget(self.new_video, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        return result

    def _filters(self) -> QVBoxLayout:
        self.search = QLineEdit(placeholderText=self.tr("Search sessions"))
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName(self.tr("Search sessions"))
        self.which = QComboBox()
        self.which.setAccessibleName(self.tr("Which sessions"))
        for text, name in (
            (self.tr("All"), "all"),
            (self.tr("Going on or waiting"), "waiting"),
            (self.tr("Analysed"), "done"),
            (self.tr("Failed or cancelled"), "failed"),
            (self.tr("Archived"), "archived"),
        ):
            self.which.addItem(text, name)
        self.horse = QComboBox()
        self.horse.setAccessibleName(self.tr("Horse"))
        self.horse.addItem(self.tr("all horses"), None)
        self.horse.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.horse.setMinimumContentsLength(10)
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addWidget(self.horse, 1)
        below.addWidget(self.which, 1)
        column = QVBoxLayout()
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addLayout(below)
        return column

    def _connect(self) -> None:
        self.search.textChanged.connect(lambda _text: self._show_list())
        self.which.currentIndexChanged.connect(lambda _index: self._on_narrowed())
        self.horse.currentIndexChanged.connect(lambda _index: self._on_narrowed())
        self.view.selectionModel().currentChanged.connect(self._on_chosen)
        self.more.clicked.connect(self._feed.read_more)
        self.new_video.clicked.connect(self._desk.ask_video)
        self._feed.changed.connect(self._show_list)
        self._directory.changed.connect(self._on_names)
        self._desk.made.connect(self._on_made)
        self._desk.gone.connect(self._feed.refresh)
        self.detail.wanted.connect(self._on_wanted)
        self._live = QTimer(self, interval=LIVE_MS)
        self._live.timeout.connect(self._on_live)
        self._live.start()

    # --- what is shown --------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        self.delegate.theme = theme
        self.detail.set_theme(theme)
        self.view.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wanted = round(self.width() * LIST_SHARE)
        self._beside.setFixedWidth(min(max(wanted, LEAST_PX), LIST_PX))

    def stop(self) -> None:
        """The window is closing."""
        self._live.stop()

    def open_session(self, session: Session) -> None:
        """Show one, whatever the list was narrowed to."""
        self._wanted = session.id
        for field in (self.which, self.horse):
            field.blockSignals(True)
            field.setCurrentIndex(0)
            field.blockSignals(False)
        self.search.blockSignals(True)
        self.search.clear()
        self.search.blockSignals(False)
        self._feed.horse_id, self._feed.states = None, ()
        self._feed.take(session)

    def _on_made(self, session: Session) -> None:
        if self._feed.get(session.id) is None:
            self.open_session(session)
        else:
            self._feed.take(session)

    def _on_names(self) -> None:
        refill_horses(self.horse, self._desk.horses)
        self._show_list()
        self.view.viewport().update()

    def _on_narrowed(self) -> None:
        horse: HorseId | None = chosen_horse(self.horse)
        self._feed.choose(horse, STATES[self.which.currentData()])
        self._show_list()

    def _show_list(self) -> None:
        words = self.search.text().strip().casefold()
        archived = self.which.currentData() == "archived"
        shown = [
            session
            for session in self._feed.sessions
            if words in self._searched(session)
            and (not archived or session.archived_at is not None)
        ]
        before = self._wanted or (self._shown.id if self._shown is not None else None)
        self.model.show_values(shown)
        self.more.setVisible(self._feed.has_more)
        row = self.model.row_of(before)
        if row >= 0:
            self._wanted = None
        if shown:
            row = max(row, 0)
            self.view.setCurrentIndex(self.model.index(row))
            self._show(shown[row])
            return
        self._shown = None
        self.empty.setText(self._why_empty())
        self.new_video.setVisible(self._feed.loaded and not self._feed.sessions)
        self.right.setCurrentIndex(0)

    def _searched(self, session: Session) -> str:
        parts = (
            session.title, session.note, session.video_name, kind_word(session.kind),
            self._directory.title(session.horse_id),
        )  # fmt: skip
        return " ".join(parts).casefold()

    def _why_empty(self) -> str:
        if not self._feed.offered or self._desk.acts is None:
            return self.tr("This console was started without a database that keeps sessions.")
        if self._feed.problem is not None:
            return str(self._feed.problem)
        if not self._feed.loaded:
            return self.tr("Reading…")
        narrowed = self.which.currentIndex() or self.horse.currentIndex()
        if self._feed.sessions or narrowed:
            return self.tr("No session matches. Clear the search, or choose all horses and All.")
        return self.tr(
            "A session is the work of one horse, analysed as a whole: gaits, strides, speed, "
            "symmetry and a report. Make one from a video, mark a stretch in the timeline and "
            "choose “Make a session”, or start a live one."
        )

    def _on_chosen(self, index: QModelIndex, _before: QModelIndex) -> None:
        session = self.model.value(index)
        if session is not None:
            self._show(session)

    def _show(self, session: Session) -> None:
        before, self._shown = self._shown, session
        title = self._directory.title(session.horse_id)
        self.detail.show_session(session, title, self._files_here)
        self.right.setCurrentIndex(1)
        if before is None or _found_anew(before, session):
            self._read(session)

    def _on_live(self) -> None:
        if self._shown is not None and self._shown.state is SessionState.OPEN and self.isVisible():
            self._read(self._shown)

    def _read(self, session: Session) -> None:
        acts = self._desk.acts
        if acts is None:
            return
        if self._asked is not None:
            self._requests.cancel(self._asked)
        now = datetime.now(UTC)
        self._asked = self._requests.submit(
            "what a session showed",
            lambda: read_session(acts, session, now),
            self._on_read,
            self._on_unread,
            owner=self,
        )

    def _on_read(self, reading: SessionReading) -> None:
        self._asked = None
        if self._shown is not None and reading.session.id == self._shown.id:
            self.detail.show_reading(reading, self.cameras)

    def _on_unread(self, error: BarnhandError) -> None:
        self._asked = None
        self.detail.remarks.setText(str(error))
        self.detail.remarks.show()

    @property
    def cameras(self) -> Mapping[StreamId, str]:
        """Names of the cameras now."""
        return self._desk.cameras

    # --- acts -----------------------------------------------------------------------------------

    def _on_wanted(self, what: str) -> None:
        session = self._shown
        if session is None:
            return
        if what == "lock":
            self._desk.toggle_lock(session)
        elif what == "compare":
            self.compare_asked.emit(session)
        elif what == "profile":
            self.profile_asked.emit(session.horse_id)
        else:
            acts = {
                "play": self._desk.play,
                "report": self._desk.open_report,
                "keep_report": self._desk.keep_report,
                "edit": self._desk.edit,
                "analyse": self._desk.analyse,
                "cancel": self._desk.cancel,
                "stop": self._desk.stop,
                "remove": self._desk.ask_remove,
            }
            acts[what](session)


def _found_anew(before: Session, now: Session) -> bool:
    """Whether what was found may be another one's, or new."""
    return before.id != now.id or any(
        getattr(before, name) != getattr(now, name)
        for name in ("state", "archived_at", "report", "horse_id", "end_at")
    )
