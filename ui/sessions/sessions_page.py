"""The Sessions page: the list with the chosen one, two side by side, and the calendar."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from engine.domain.ids import StreamId
from engine.domain.sessions import Session
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.page_header import PageHeader
from ui.registry.directory import HorseDirectory
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.sessions.calendar_view import CalendarView
from ui.sessions.compare_view import CompareView
from ui.sessions.desk import SessionDesk
from ui.sessions.feed import SessionFeed
from ui.sessions.session_list import SessionList
from ui.theme import Theme, icon
from ui.timeline.range_actions import RangeViewer
from ui.widgets import button

LIST, COMPARE, CALENDAR = range(3)


class SessionsPage(QWidget):
    """``profile_asked`` carries a HorseId, ``failed`` an error, ``said`` a sentence and whether it
    is a warning; ``wanted`` asks for this page. ``viewer`` plays recordings: the Review page."""

    profile_asked = Signal(object)
    failed = Signal(object)
    said = Signal(str, bool)
    wanted = Signal()

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        log: CommandLog,
        directory: HorseDirectory,
        book: ActionBook,
        theme: Theme,
        viewer: RangeViewer | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._theme, self._log = theme, log
        self.feed = SessionFeed(services.sessions, services.farm_id, requests, self)
        self.desk = SessionDesk(services, requests, log, directory, self.feed, self)
        self.desk.viewer = viewer
        files_here = services.media_folder is not None
        self.list = SessionList(self.desk, self.feed, directory, requests, files_here, theme)
        self.compare = CompareView(services.sessions, self.feed, requests, directory.title, theme)
        self.calendar = CalendarView(
            services, requests, log, directory, self.desk, self.feed, theme
        )
        self._build()
        self._connect()
        self._add_actions(book)

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.parts = QStackedWidget()
        for part in (self.list, self.compare, self.calendar):
            self.parts.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._header())
        column.addWidget(self.parts, 1)

    def _header(self) -> QWidget:
        parts = (self.tr("List"), self.tr("Compare"), self.tr("Calendar"))
        self.head = PageHeader("sessions", self.tr("Sessions"), parts, self._theme)
        self.tabs = self.head.tabs
        self.live = button(self.tr("Start live session…"))
        self.video = button(self.tr("New from video…"), "primary")
        self.head.row.addWidget(self.live)
        self.head.row.addWidget(self.video)
        self._dress()
        return self.head

    def _dress(self) -> None:
        self.head.set_theme(self._theme)
        self.live.setIcon(icon("live", self._theme))
        self.video.setIcon(icon("film", self._theme, "accent_text", "accent_text"))

    def _connect(self) -> None:
        self.tabs.idClicked.connect(self.show_part)
        self.live.clicked.connect(self.desk.ask_live)
        self.video.clicked.connect(self.desk.ask_video)
        for part in (self.desk, self.list, self.calendar):
            part.failed.connect(self.failed)
        self.desk.said.connect(self.said)
        self.desk.made.connect(self._on_made)
        self.list.profile_asked.connect(self.profile_asked)
        self.list.compare_asked.connect(self.open_comparison)
        self.calendar.session_asked.connect(self.open_session)
        self._log.changed.connect(self.feed.refresh)

    def _add_actions(self, book: ActionBook) -> None:
        group = self.tr("Sessions")
        for name, text, run in (
            ("video", self.tr("New session from a video…"), self.desk.ask_video),
            ("live", self.tr("Start a live session…"), self.desk.ask_live),
            ("list", self.tr("List of sessions"), lambda: self.go_to(LIST)),
            ("compare", self.tr("Compare two sessions"), lambda: self.go_to(COMPARE)),
            ("calendar", self.tr("Training calendar"), lambda: self.go_to(CALENDAR)),
            ("plan", self.tr("Plan in the calendar…"), self.ask_plan),
        ):
            book.add(f"sessions.{name}", group, text, run)

    # --- what is shown --------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        self._dress()
        for part in (self.list, self.compare, self.calendar):
            part.set_theme(theme)

    def follow(self, cameras: Mapping[StreamId, str]) -> None:
        """Names of the cameras now."""
        if cameras != self.desk.cameras:
            self.desk.cameras = dict(cameras)

    def take_focus(self) -> None:
        """The page was opened."""
        self.feed.refresh()
        self.calendar.refresh()
        focus = (self.list.view, self.compare.a, self.calendar.grid)
        focus[self.parts.currentIndex()].setFocus()

    def go_to(self, number: int) -> None:
        """Open the page at one of its parts."""
        self.wanted.emit()
        self.show_part(number)

    def show_part(self, number: int) -> None:
        """The list, two side by side, or the calendar."""
        for other in range(3):
            self.tabs.button(other).setChecked(other == number)
        self.parts.setCurrentIndex(number)
        self.take_focus()

    def open_session(self, session: Session) -> None:
        """Show one."""
        self.go_to(LIST)
        self.list.open_session(session)

    def open_comparison(self, session: Session) -> None:
        """Set one beside the one before it."""
        self.compare.begin_with(session)
        self.show_part(COMPARE)

    def ask_plan(self) -> None:
        """Plan on the day that is chosen in the calendar."""
        self.go_to(CALENDAR)
        self.calendar.ask(self.calendar.grid.day)

    def stop(self) -> None:
        """The window is closing."""
        self.desk.cancel_copy()
        self.feed.stop()
        self.list.stop()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.feed.watch_closely(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.feed.watch_closely(False)

    def _on_made(self, session: Session) -> None:
        """Something new from elsewhere (the timeline) is shown once it is asked for."""
        if self.isVisible() and self.parts.currentIndex() != LIST:
            self.show_part(LIST)
