"""The Registry page: gallery or table on the left, one panel on the right, and every act."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QEvent, QItemSelectionModel, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import HorseId, StreamId
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.console_choices import ConsoleChoices
from ui.registry.context import RegistryContext
from ui.registry.directory import HorseDirectory
from ui.registry.empty_state import EmptyState
from ui.registry.gallery import HorseGallery, HorseTable
from ui.registry.header import RegistryHeader
from ui.registry.horse_delegate import CardDelegate, NameDelegate
from ui.registry.horse_model import HorseFilter, HorseModel, Show
from ui.registry.pictures import PictureShelf
from ui.registry.presence import Day, day_of, local_day
from ui.registry.registry_actions import (
    HORSE_ACTIONS,
    add_registry_actions,
    dress_registry_actions,
)
from ui.registry.registry_drag import RegistryDrag
from ui.registry.review_view import ReviewView
from ui.registry.side_area import LEAST_PX, SideArea, better_kept
from ui.registry.words import local_user
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme

DAY_STRIPS_READ = 5000
AGES_MS = 30_000
DAY_RESTS_MS = 8_000
"""Between two readings of the whole day, however often the engine announces something."""
SIDE_PX = 500
TO_HORSES = (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class RegistryPage(QWidget):
    """``failed`` carries errors that belong to no panel, ``wanted`` asks the window to open this
    page (an action of the palette was chosen on another one)."""

    failed = Signal(object)
    wanted = Signal()

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
        self._log = log
        self._book = book
        self.directory = directory
        self.model = HorseModel(self)
        self.horses = HorseFilter(self.model, self)
        shelf = PictureShelf(services.horses, requests, self)
        self.context = RegistryContext(
            services, requests, log, directory, shelf, self.model, theme, local_user()
        )
        self._day_asked = self._day_again = False
        self._fresh = False
        self._tabular = False
        self._build(theme)
        add_registry_actions(book, self, theme)
        self.header.add_tools(book)
        for view in (self.gallery, self.table):
            view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
            view.addActions([book[action_id] for action_id in HORSE_ACTIONS])
        self._connect()
        self._day_rests = QTimer(self, interval=DAY_RESTS_MS, singleShot=True)
        self._day_rests.timeout.connect(self._on_day_rested)
        self._ages = QTimer(self, interval=AGES_MS)
        self._ages.timeout.connect(self._on_age)
        self._show_state()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self, theme: Theme) -> None:
        self.header = RegistryHeader()
        self.delegate = CardDelegate(self.model, self.context.shelf, theme, self)
        self.gallery = HorseGallery(self.horses, self.delegate)
        self.names = NameDelegate(self.context.shelf, theme, self)
        self.table = HorseTable(self.horses, self.names)
        self.table.setSelectionModel(self.gallery.selectionModel())
        self.empty = EmptyState(theme)
        self.views = QStackedWidget()
        for view in (self.gallery, self.table, self.empty):
            self.views.addWidget(view)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.views, 1)
        self.side = SideArea(self.context)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(1)
        self.split.addWidget(left)
        self.split.addWidget(self.side)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 0)
        self.split.setSizes([10_000, SIDE_PX])
        self.review = ReviewView(self.context)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.split)
        self.stack.addWidget(self.review)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.stack)
        self.drag = RegistryDrag(self, self.context, self.views, self.delegate, self.side)
        self.layer = self.drag.layer

    def _connect(self) -> None:
        self.directory.changed.connect(self._on_horses)
        self.directory.refreshed.connect(self._on_refreshed)
        self.directory.failed.connect(lambda _error: self._show_state())
        self.header.searched.connect(self._on_search)
        self.header.filtered.connect(self._on_filter)
        self.header.search.installEventFilter(self)
        for view in (self.gallery, self.table):
            self.context.shelf.arrived.connect(view.viewport().update)
            view.opened.connect(self.open_profile)
        chosen = self.gallery.selectionModel()
        chosen.selectionChanged.connect(lambda *_: self._on_selection())
        chosen.currentChanged.connect(lambda *_: self._on_selection())
        self.empty.acted.connect(self._on_empty_act)
        side, profile = self.side, self.side.profile
        side.opened.connect(self._on_side_opened)
        side.emptied.connect(self.take_focus)
        side.created.connect(self._wait_for)
        side.failed.connect(self.failed)
        profile.opened.connect(self.open_profile)
        self.review.closed.connect(self.close_review)
        self.review.decided.connect(self.directory.refresh)
        self._log.changed.connect(self._on_corrected)

    # --- what is known --------------------------------------------------------------------------

    def follow(self, cameras: dict[StreamId, str]) -> None:
        """Take the cameras' names."""
        self.model.set_cameras(cameras)

    def apply(self, choices: ConsoleChoices) -> None:
        """Take over what the settings say."""
        self.context.similarity_threshold = choices.similarity_threshold
        self._take_threshold()

    def _take_threshold(self) -> None:
        """The farm's or the model's own threshold goes before that of the settings."""
        asked = self.context.services.engine.report().identity_threshold
        if asked is not None:
            self.context.similarity_threshold = asked

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self.context.theme = theme
        for painter in (self.delegate, self.names, self.layer, self.side.history.list.rows):
            painter.theme = theme
        self.side.profile.strips.theme = theme
        self.side.profile.motion.set_theme(theme)
        dress_registry_actions(self._book, theme)
        self.update()

    def _on_horses(self) -> None:
        self.model.set_horses(self.directory.horses)
        self.side.profile.follow()
        self._show_state()

    def _on_refreshed(self) -> None:
        """The store may hold other strips, corrections and questions than before."""
        self._fresh = False
        if self.isVisible():
            self._reread()

    def _on_corrected(self) -> None:
        self._day_rests.stop()
        self.directory.refresh()

    def _reread(self) -> None:
        self._fresh = True
        self._take_threshold()
        self._read_day()
        self.side.reread()
        if self.stack.currentWidget() is self.review:
            self.review.reread()

    def _read_day(self) -> None:
        if self._day_asked or self._day_rests.isActive():
            self._day_again = True
            return
        self._day_asked, self._day_again = True, False
        self._day_rests.start()
        start, end = local_day(datetime.now(UTC))
        horses = self._services.horses
        self._requests.submit(
            "who was seen today",
            lambda: day_of(horses.strips(start=start, limit=DAY_STRIPS_READ), start, end),
            self._on_day,
            self._on_no_day,
        )

    def _on_day_rested(self) -> None:
        if self._day_again and self.isVisible():
            self._read_day()

    def _on_day(self, day: Day) -> None:
        self._day_asked = False
        self.model.set_day(day)
        self.side.profile.follow()
        self._show_state()

    def _on_no_day(self, error: BarnhandError) -> None:
        self._day_asked = False
        self.header.show_problem(str(error))

    def _on_age(self) -> None:
        self.gallery.viewport().update()
        self.table.viewport().update()
        if local_day(datetime.now(UTC))[0] != self.model.day.start:
            self._read_day()

    def _show_state(self) -> None:
        """Counts in the head; the horses, or why there are none and what to do."""
        counts = self.horses.counts()
        problem = self.directory.problem
        self.header.show_counts(counts, self.directory.reviews)
        self.header.show_problem(str(problem) if problem and self.model.rowCount() else "")
        if self.horses.rowCount():
            waited = self.views.currentWidget() is self.empty and not self.header.search.text()
            self.views.setCurrentWidget(self.view)
            held = QApplication.focusWidget()
            if waited and held is not None and self.isAncestorOf(held):
                self.take_focus()
            return
        known = counts[Show.ALL] + counts[Show.MERGED]
        self.empty.show_for(
            self.horses.show, self.horses.wanted, known, problem, self.directory.loaded
        )
        self.views.setCurrentWidget(self.empty)

    def _on_search(self, text: str) -> None:
        self.horses.search(text)
        self._show_state()

    def _on_filter(self, show: Show) -> None:
        self.horses.set_show(show)
        self._show_state()

    def _on_empty_act(self, act: str) -> None:
        if act == "clear":
            self.header.clear()
        elif act == "retry":
            self.directory.refresh()
        else:
            self._book["go.live"].trigger()

    # --- selection ------------------------------------------------------------------------------

    @property
    def view(self) -> HorseGallery | HorseTable:
        """Gallery or table, as chosen."""
        return self.table if self._tabular else self.gallery

    @property
    def selection(self) -> list[Horse]:
        """Selected horses in their order on show."""
        rows = sorted({index.row() for index in self.gallery.selectionModel().selectedIndexes()})
        found = (self.horses.horse(row) for row in rows)
        return [horse for horse in found if horse is not None]

    @property
    def current(self) -> Horse | None:
        """The horse that keys act on: the one in the open profile, else the selected one."""
        if self.side.on_profile:
            return self.side.profile.horse
        chosen = self.selection
        return chosen[0] if chosen else None

    def select(self, horse_id: HorseId) -> None:
        """Select a horse and bring it into view."""
        index = self.horses.index_of(horse_id)
        if index.isValid():
            flags = QItemSelectionModel.SelectionFlag
            chosen = self.gallery.selectionModel()
            chosen.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.view.scrollTo(index)

    def _on_selection(self) -> None:
        chosen = self.selection
        for action_id in HORSE_ACTIONS:
            self._book[action_id].setEnabled(bool(chosen) or self.current is not None)
        if self.side.on_profile and len(chosen) == 1 and chosen[0] != self.side.profile.horse:
            self.side.profile.open_for(chosen[0])

    # --- acts -----------------------------------------------------------------------------------

    def open_profile(self, horse: Horse | None = None) -> None:
        """A horse's profile: the given one, else the selected one."""
        horse = horse or self.current
        if horse is not None:
            fresh = self.directory.get(horse.id) or horse
            self.select(fresh.id)
            self.side.show_profile(fresh)

    def open_history(self) -> None:
        """Corrections of all horses."""
        self.side.show_history()

    def open_review(self) -> None:
        """The queue of questions."""
        self.wanted.emit()
        self.stack.setCurrentWidget(self.review)
        self.review.begin()
        self.review.setFocus()

    def close_review(self) -> None:
        """Back to the horses."""
        self.stack.setCurrentWidget(self.split)
        self.take_focus()

    def merge_selected(self) -> None:
        """Merge two selected horses, or the one with another to choose."""
        chosen = [horse for horse in self.selection if horse.status is not HorseStatus.MERGED]
        if len(chosen) == 2:
            self.side.ask_merge(*better_kept(*chosen))
        elif self.current is not None and self.current.status is not HorseStatus.MERGED:
            self.side.ask_merge(self.current)

    def rename(self) -> None:
        """Open the profile with the cursor in the name."""
        if self.current is not None:
            self.open_profile(self.current)
            self.side.profile.edit_name()

    def accept(self) -> None:
        """Make the selected guest a resident, or the resident a guest."""
        if self.current is not None:
            self.side.profile.accept_or_not(self.current)

    def find_horse(self) -> None:
        """Put the cursor into the search field."""
        self.wanted.emit()
        self.stack.setCurrentWidget(self.split)
        self.header.search.setFocus()
        self.header.search.selectAll()

    def show_table(self, on: bool) -> None:
        """Table or gallery."""
        self._tabular = on
        self._show_state()
        self.take_focus()

    def take_focus(self) -> None:
        """Give the keyboard to the horses, or to the review."""
        if self.stack.currentWidget() is self.review:
            self.review.setFocus()
        else:
            self.view.setFocus()

    def _on_side_opened(self) -> None:
        self.wanted.emit()
        self.stack.setCurrentWidget(self.split)
        if self.split.sizes()[1] < LEAST_PX:
            self.split.setSizes([self.split.width() - SIDE_PX, SIDE_PX])

    def _wait_for(self, created: Sequence[HorseId]) -> None:
        """Select a horse that a correction made, once the directory knows it."""

        def look() -> None:
            if self.directory.get(created[0]) is not None:
                self.directory.changed.disconnect(look)
                self.select(created[0])

        self.directory.changed.connect(look)
        self.directory.refresh()

    # --- window ---------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Down and Enter leave the search field for the horses; Escape clears it."""
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        if event.key() in TO_HORSES:
            self.take_focus()
            if self.horses.rowCount() and not self.selection:
                horse = self.horses.horse(0)
                if horse is not None:
                    self.select(horse.id)
            return True
        if event.key() == Qt.Key.Key_Escape:
            self.header.clear()
            self.take_focus()
            return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.side.isVisible():
            self.side.close_panel()
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ages.start()
        if not self._fresh:
            self._reread()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._ages.stop()
        self.layer.cancel()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.layer.setGeometry(self.rect())
