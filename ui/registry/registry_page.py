"""The Registry page: gallery or table on the left, one panel on the right, and every act."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QEvent, QItemSelectionModel, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import CommandRecord, TrackStrip
from engine.domain.ids import HorseId, StreamId
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.console_choices import ConsoleChoices
from ui.registry.context import RegistryContext
from ui.registry.correction_panel import CorrectionPanel
from ui.registry.corrections import RedoRecorded, UndoRecorded, record_of
from ui.registry.directory import HorseDirectory
from ui.registry.drag_layer import DragLayer, HorseLift, HorseLoad, Load, StripLoad, Target
from ui.registry.empty_state import EmptyState
from ui.registry.gallery import HorseGallery, HorseTable
from ui.registry.header import RegistryHeader
from ui.registry.history_panel import HistoryPanel
from ui.registry.horse_chooser import HorseChooser
from ui.registry.horse_delegate import CardDelegate, Handling, NameDelegate
from ui.registry.horse_model import HorseFilter, HorseModel, Show
from ui.registry.merge_panel import MergePanel
from ui.registry.pictures import PictureShelf
from ui.registry.presence import Day, day_of, local_day
from ui.registry.profile_panel import ProfilePanel
from ui.registry.registry_actions import add_registry_actions, dress_registry_actions
from ui.registry.review_view import ReviewView
from ui.registry.track_panels import MovePanel, RejectPanel, SplitPanel, SwapPanel
from ui.registry.words import local_user
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme

DAY_STRIPS_READ = 1000
AGES_MS = 30_000
SIDE_PX, SIDE_LEAST_PX = 500, 400


class RegistryPage(QWidget):
    """``said`` carries a short sentence for the person, ``wanted`` asks the window to open this
    page (an action of the palette was chosen on another one)."""

    said = Signal(str)
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
        self._day_asked = False
        self._fresh = False
        self._tabular = False
        self._build(theme)
        add_registry_actions(book, self, theme)
        self.header.add_tools(book)
        self._connect()
        self._ages = QTimer(self, interval=AGES_MS)
        self._ages.timeout.connect(self._on_age)
        self._show_state()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self, theme: Theme) -> None:
        self.header = RegistryHeader(theme)
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
        self.profile = ProfilePanel(self.context)
        self.history = HistoryPanel(self.context)
        self.correction: CorrectionPanel | None = None
        self.side = QStackedWidget()
        self.side.addWidget(self.profile)
        self.side.addWidget(self.history)
        self.side_frame = QFrame()
        self.side_frame.setObjectName("panel")
        inside = QVBoxLayout(self.side_frame)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.side)
        self.side_frame.setMinimumWidth(SIDE_LEAST_PX)
        self.side_frame.hide()
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(1)
        self.split.addWidget(left)
        self.split.addWidget(self.side_frame)
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
        self.layer = DragLayer(self, theme, self._target_at, self.gallery)
        HorseLift(self.gallery, self.layer, self.gallery.horse_at)
        HorseLift(self.table, self.layer, self.table.horse_at)

    def _connect(self) -> None:
        self.directory.changed.connect(self._on_horses)
        self.directory.refreshed.connect(self._on_refreshed)
        self.directory.failed.connect(lambda _error: self._show_state())
        for view in (self.gallery, self.table):
            self.context.shelf.arrived.connect(view.viewport().update)
        self.header.searched.connect(self._on_search)
        self.header.filtered.connect(self._on_filter)
        self.header.search.installEventFilter(self)
        for view in (self.gallery, self.table):
            view.opened.connect(self.open_profile)
        self.gallery.selectionModel().selectionChanged.connect(lambda *_: self._on_selection())
        self.gallery.selectionModel().currentChanged.connect(lambda *_: self._on_selection())
        self.empty.acted.connect(self._on_empty_act)
        self.layer.dropped.connect(self._on_drop)
        self.layer.moved.connect(self._on_drag_moved)
        self.layer.started.connect(self._on_drag_started)
        profile = self.profile
        profile.closed.connect(self.close_side)
        profile.merge_asked.connect(self.ask_merge)
        profile.split_asked.connect(self.ask_split)
        profile.swap_asked.connect(self.ask_swap)
        profile.move_asked.connect(self.ask_move)
        profile.reject_asked.connect(self.ask_reject)
        profile.opened.connect(self.open_profile)
        profile.history_asked.connect(self.open_history)
        profile.strip_lifted.connect(self._on_strip_lifted)
        profile.strip_carried.connect(self.layer.move_to)
        profile.strip_let_go.connect(self.layer.drop)
        self.history.closed.connect(self.close_side)
        self.history.turned.connect(self.turn)
        self.review.closed.connect(self.close_review)
        self.review.decided.connect(self.directory.refresh)
        self._log.changed.connect(self.directory.refresh)

    # --- what is known --------------------------------------------------------------------------

    def follow(self, cameras: dict[StreamId, str]) -> None:
        """Take the cameras' names."""
        self.model.set_cameras(cameras)

    def apply(self, choices: ConsoleChoices) -> None:
        """Take over what the settings say."""
        self.context.similarity_threshold = choices.similarity_threshold

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self.context.theme = theme
        self.delegate.theme = self.names.theme = self.layer.theme = theme
        self.profile.strips.theme = self.history.list.rows.theme = theme
        self.header.set_theme(theme)
        dress_registry_actions(self._book, theme)
        self.update()

    def _on_horses(self) -> None:
        self.model.set_horses(self.directory.horses)
        self.profile.follow()
        self._show_state()

    def _on_refreshed(self) -> None:
        """The store may hold other strips, corrections and questions than before."""
        if not self.isVisible():
            self._fresh = False
            return
        self._reread()

    def _reread(self) -> None:
        self._fresh = True
        self._read_day()
        if self.side_frame.isVisible():
            if self.side.currentWidget() is self.profile:
                self.profile.reread()
            elif self.side.currentWidget() is self.history:
                self.history.reread()
        if self.stack.currentWidget() is self.review:
            self.review.reread()

    def _read_day(self) -> None:
        if self._day_asked:
            return
        self._day_asked = True
        start, end = local_day(datetime.now(UTC))
        horses = self._services.horses
        self._requests.submit(
            "who was seen today",
            lambda: day_of(horses.strips(start=start, limit=DAY_STRIPS_READ), start, end),
            self._on_day,
            self._on_no_day,
        )

    def _on_day(self, day: Day) -> None:
        self._day_asked = False
        self.model.set_day(day)
        self.profile.follow()
        self._show_state()

    def _on_no_day(self, _error: BarnhandError) -> None:
        """The directory says that the store is away and reads again when it is back."""
        self._day_asked = False

    def _on_age(self) -> None:
        self.gallery.viewport().update()
        self.table.viewport().update()
        if local_day(datetime.now(UTC))[0] != self.model.day.start:
            self._read_day()

    def _show_state(self) -> None:
        """Counts in the head; the horses, or why there are none and what to do."""
        counts = self.horses.counts()
        self.header.show_counts(counts, self.directory.reviews)
        self.header.show_problem(
            str(self.directory.problem) if self.directory.problem and self.model.rowCount() else ""
        )
        if self.horses.rowCount():
            waited = self.views.currentWidget() is self.empty and not self.header.search.text()
            self.views.setCurrentWidget(self.table if self._tabular else self.gallery)
            held = QApplication.focusWidget()
            if waited and held is not None and self.isAncestorOf(held):
                self.take_focus()
            return
        self.empty.show_for(
            self.horses.show,
            self.horses.wanted,
            counts[Show.ALL] + counts[Show.MERGED],
            self.directory.problem,
            self.directory.loaded,
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
    def selection(self) -> list[Horse]:
        """Selected horses in their order on show."""
        rows = sorted({index.row() for index in self.gallery.selectionModel().selectedIndexes()})
        found = (self.horses.horse(row) for row in rows)
        return [horse for horse in found if horse is not None]

    @property
    def current(self) -> Horse | None:
        """The horse that keys act on: the one in the open profile, else the selected one."""
        if self.side_frame.isVisible() and self.side.currentWidget() is self.profile:
            return self.profile.horse
        chosen = self.selection
        return chosen[0] if chosen else None

    def select(self, horse_id: HorseId) -> None:
        """Select a horse and bring it into view."""
        index = self.horses.index_of(horse_id)
        if index.isValid():
            view = self.table if self.views.currentWidget() is self.table else self.gallery
            flags = QItemSelectionModel.SelectionFlag
            view.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            view.scrollTo(index)

    def _on_selection(self) -> None:
        one = len(self.selection) >= 1
        for action_id in ("registry.profile", "registry.rename", "registry.merge"):
            self._book[action_id].setEnabled(one or self.current is not None)
        self._book["registry.accept"].setEnabled(one or self.current is not None)
        if self.side_frame.isVisible() and self.side.currentWidget() is self.profile:
            chosen = self.selection
            if len(chosen) == 1 and chosen[0] != self.profile.horse:
                self.profile.open_for(chosen[0])

    # --- the side -------------------------------------------------------------------------------

    def _show_side(self, panel: QWidget) -> None:
        if self.correction is not None and panel is not self.correction:
            self._drop_correction()
        self.wanted.emit()
        self.stack.setCurrentWidget(self.split)
        self.side.setCurrentWidget(panel)
        first = not self.side_frame.isVisible()
        self.side_frame.show()
        if first and self.split.sizes()[1] < SIDE_LEAST_PX:
            whole = self.split.width()
            self.split.setSizes([whole - SIDE_PX, SIDE_PX])

    def close_side(self) -> None:
        """Put the panel away; from a correction back to the profile it was opened from."""
        back = self.correction is not None and self.profile.horse is not None
        self._drop_correction()
        if back and self._return_to_profile:
            self._show_side(self.profile)
            return
        self.side_frame.hide()
        (self.table if self.views.currentWidget() is self.table else self.gallery).setFocus()

    def _drop_correction(self) -> None:
        if self.correction is not None:
            self.side.removeWidget(self.correction)
            self.correction.deleteLater()
            self.correction = None
        self.delegate.handling = Handling()
        self.gallery.viewport().update()

    def open_profile(self, horse: Horse | None = None) -> None:
        """A horse's profile: the given one, else the selected one."""
        horse = horse or self.current
        if horse is None:
            return
        fresh = self.directory.get(horse.id) or horse
        self.select(fresh.id)
        self.profile.open_for(fresh)
        self._show_side(self.profile)
        self.profile.strips.setFocus()

    def open_history(self, horse: Horse | None = None) -> None:
        """Corrections of a horse, or of all."""
        self.history.open_for(horse)
        self._show_side(self.history)
        self.history.list.setFocus()

    def open_review(self) -> None:
        """The queue of questions."""
        self.wanted.emit()
        self.stack.setCurrentWidget(self.review)
        self.review.begin()
        self.review.setFocus()

    def close_review(self) -> None:
        """Back to the horses."""
        self.stack.setCurrentWidget(self.split)
        self.gallery.setFocus()

    # --- corrections ----------------------------------------------------------------------------

    def _ask(self, panel: CorrectionPanel) -> None:
        self._return_to_profile = self.side_frame.isVisible() and (
            self.side.currentWidget() is self.profile
            or (self.correction is not None and self._return_to_profile)
        )
        self._drop_correction()
        self.correction = panel
        self.side.addWidget(panel)
        panel.closed.connect(self.close_side)
        panel.applied.connect(self._on_applied)
        self._show_side(panel)
        panel.reason.setFocus()

    _return_to_profile = False

    def ask_merge(self, kept: Horse, absorbed: Horse | None = None) -> None:
        """Ask whether two horses are one; without a second one, ask for it first."""
        if absorbed is None:
            chooser = HorseChooser(
                self.context,
                kept,
                self.tr("Merge {0} with…").format(kept.title),
                self.window(),
            )
            chooser.chosen.connect(lambda other: self.ask_merge(*better_kept(kept, other)))
            chooser.open()
            return
        panel = MergePanel(self.context, kept, absorbed)
        panel.turned.connect(lambda: self.ask_merge(absorbed, kept))
        self._ask(panel)
        self.delegate.handling = Handling(frozenset((absorbed.id,)), kept.id)
        self.gallery.viewport().update()

    def merge_selected(self) -> None:
        """Merge two selected horses, or the one with another to choose."""
        chosen = self.selection
        if len(chosen) == 2:
            self.ask_merge(*better_kept(*chosen))
        elif self.current is not None and self.current.status is not HorseStatus.MERGED:
            self.ask_merge(self.current)

    def ask_split(self, horse: Horse, at: datetime, strip: TrackStrip | None) -> None:
        """Ask how to split a horse at an instant."""
        self._ask(SplitPanel(self.context, horse, at, strip))

    def ask_swap(self, horse: Horse, at: datetime, strip: TrackStrip | None) -> None:
        """Ask with whom a horse was mistaken from an instant on."""
        self._ask(SwapPanel(self.context, horse, at, strip))

    def ask_move(self, strip: TrackStrip) -> None:
        """Ask whose a track is."""
        self._ask(MovePanel(self.context, strip))

    def ask_reject(self, strip: TrackStrip) -> None:
        """Ask whether a track is not the horse it was given to."""
        horse = self.directory.resolve(strip.horse_id)
        if horse is not None:
            self._ask(RejectPanel(self.context, strip, horse))

    def rename(self) -> None:
        """Open the profile with the cursor in the name."""
        if self.current is not None:
            self.open_profile(self.current)
            self.profile.edit_name()

    def accept(self) -> None:
        """Make the selected guest a resident, or the resident a guest."""
        if self.current is not None:
            if self.profile.horse is None or self.profile.horse.id != self.current.id:
                self.profile.open_for(self.current)
            self.profile.accept_or_not()

    def turn(self, record: CommandRecord) -> None:
        """Undo a correction of the history, or do it again; what Ctrl+Z would take back next is
        taken back by the same stack, so that both stay in step."""
        identity, actor = self._services.identity, self.context.actor
        if record.undone_at is not None:
            self._log.run(RedoRecorded(record, identity, actor), None, self._on_turn_refused)
        elif record_of(self._log.next_undo) == record.id:
            self._log.stack.undo()
        else:
            self._log.run(UndoRecorded(record, identity, actor), None, self._on_turn_refused)

    def _on_turn_refused(self, error: BarnhandError) -> None:
        self.history.reread()
        self.failed.emit(error)

    def _on_applied(self, record: CommandRecord | None) -> None:
        created = record.created if record is not None else ()
        self.close_side()
        if created:
            self._wait_for(created)

    def _wait_for(self, created: Sequence[HorseId]) -> None:
        """Select a horse that a correction made, once the directory knows it."""

        def look() -> None:
            if self.directory.get(created[0]) is not None:
                self.directory.changed.disconnect(look)
                self.select(created[0])

        self.directory.changed.connect(look)
        self.directory.refresh()

    # --- dragging -------------------------------------------------------------------------------

    def _target_at(self, load: Load, at: QPoint) -> Target | None:
        """What a drop would do where the mouse is, global coordinates."""
        shown = self.views.currentWidget()
        for view in (self.gallery, self.table):
            point = view.viewport().mapFromGlobal(at)
            if view is not shown or not view.viewport().rect().contains(point):
                continue
            found = view.horse_at(point)
            if found is not None:
                return self._target_on(load, found[0])
            if isinstance(load, StripLoad):
                return Target(None, self.tr("A new horse"))
            return None
        return self._target_on_side(load, at)

    def _target_on_side(self, load: Load, at: QPoint) -> Target | None:
        horse, side = self.profile.horse, self.side_frame
        over = side.isVisible() and side.rect().contains(side.mapFromGlobal(at))
        on_profile = over and self.side.currentWidget() is self.profile
        if on_profile and horse is not None and isinstance(load, HorseLoad):
            return self._target_on(load, horse)
        return None

    def _target_on(self, load: Load, horse: Horse) -> Target | None:
        if horse.status in (HorseStatus.MERGED, HorseStatus.ARCHIVED):
            return None
        if isinstance(load, HorseLoad):
            if load.horse.id == horse.id or load.horse.status is HorseStatus.MERGED:
                return None
            words = self.tr("Merge {0} into {1}")
            return Target(horse.id, words.format(load.horse.title, horse.title))
        if load.strip.horse_id == horse.id:
            return None
        return Target(horse.id, self.tr("Give to {0}").format(horse.title))

    def _on_drag_started(self, load: Load) -> None:
        if isinstance(load, HorseLoad):
            self.delegate.handling.lifted = frozenset((load.horse.id,))
            self.gallery.viewport().update()

    def _on_drag_moved(self, target: Target | None) -> None:
        handling = self.delegate.handling
        handling.target = target.horse_id if target is not None else None
        if self.layer.load is None:
            handling.lifted = frozenset()
        self.gallery.viewport().update()

    def _on_drop(self, load: Load, target: Target) -> None:
        horse = self.directory.get(target.horse_id)
        if isinstance(load, HorseLoad):
            if horse is not None:
                self.ask_merge(horse, load.horse)
            return
        self._ask(MovePanel(self.context, load.strip, horse, new_horse=horse is None))

    def _on_strip_lifted(self, strip: TrackStrip, ghost: QPixmap, at: QPoint) -> None:
        self.layer.begin(StripLoad(strip), ghost, at)

    # --- window ---------------------------------------------------------------------------------

    def take_focus(self) -> None:
        """Give the keyboard to the horses."""
        if self.stack.currentWidget() is self.review:
            self.review.setFocus()
        else:
            (self.table if self._tabular else self.gallery).setFocus()

    def show_table(self, on: bool) -> None:
        """Table or gallery."""
        self._tabular = on
        self._show_state()
        (self.table if on else self.gallery).setFocus()

    def find_horse(self) -> None:
        """Put the cursor into the search field."""
        self.wanted.emit()
        self.header.search.setFocus()
        self.header.search.selectAll()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Down and Enter leave the search field for the horses; Escape clears it."""
        if watched is self.header.search and event.type() == QEvent.Type.KeyPress:
            if isinstance(event, QKeyEvent) and event.key() in (
                Qt.Key.Key_Down,
                Qt.Key.Key_Return,
                Qt.Key.Key_Enter,
            ):
                view = self.table if self.views.currentWidget() is self.table else self.gallery
                view.setFocus()
                if self.horses.rowCount() and not self.selection:
                    view.setCurrentIndex(self.horses.index(0, 0))
                return True
            if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
                self.header.clear()
                self.gallery.setFocus()
                return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.side_frame.isVisible():
            self.close_side()
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


def better_kept(first: Horse, second: Horse) -> tuple[Horse, Horse]:
    """The one to keep and the one to absorb: residents before guests, named before unnamed, the
    older record before the newer."""

    def rank(horse: Horse) -> tuple[bool, bool, str]:
        return (horse.status is not HorseStatus.ACTIVE, not horse.name, horse.label)

    return (first, second) if rank(first) <= rank(second) else (second, first)
