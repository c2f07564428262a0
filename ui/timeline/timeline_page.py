"""The Timeline page: overview, lanes, plots and what can be done with a stretch of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from uuid import UUID

from PySide6.QtCore import QPoint, Qt, QTimer, QTimeZone, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from engine.domain.errors import BarnhandError
from engine.domain.horses import HorseStatus
from engine.domain.ids import FarmId, HorseId, StreamId
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.registry.directory import HorseDirectory
from ui.registry.words import local_user
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme
from ui.timeline.axis import DAY_US, SECOND_US, local
from ui.timeline.cursor import TimeCursor, instant, micros
from ui.timeline.empty_state import TimelineEmpty
from ui.timeline.header import TimelineHeader
from ui.timeline.lane_tile import LaneTile, prepare
from ui.timeline.lane_tips import LaneTips
from ui.timeline.lane_view import LaneView
from ui.timeline.lanes import Grouping, Order, Subject, laid_out, ordered
from ui.timeline.legend import Legend
from ui.timeline.overview import Overview
from ui.timeline.plots import PlotStack
from ui.timeline.range_actions import RangeActions
from ui.timeline.range_bar import RangeBar
from ui.timeline.range_scope import RangeScope
from ui.timeline.tile_grid import BUCKETS_US, TILE_BUCKETS, TileKey, beside, covering, level_for
from ui.timeline.tile_loader import TileLoader
from ui.timeline.time_view import TimeView
from ui.timeline.timeline_actions import (
    RANGE_ACTIONS,
    add_timeline_actions,
    dress_timeline_actions,
)
from ui.timeline.words import length_words

PLOT_SHARE, PLOT_PX = 0.42, 104
"""Part of the page that plots get at most, and the height each wants."""
WANT_MS = 40
"""Wishes of this time are asked for together."""
FOLLOW_MS = 1000
NEWEST_S, RECENT_S = 5.0, 60.0
"""How old what is on show of the newest and of the last two days may get."""
CORRECTED_RESTS_MS = 4000
"""Between two readings because the store changed; one's own corrections are read at once."""


class TimelinePage(QWidget):
    """``failed`` carries errors, ``said`` a sentence (and whether it is a warning), ``submitted``
    a job that was queued, ``wanted`` asks the window to open another page by name."""

    failed = Signal(object)
    said = Signal(str, bool)
    submitted = Signal(object)
    wanted = Signal(str)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        log: CommandLog,
        directory: HorseDirectory,
        book: ActionBook,
        head: TimeCursor,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._services, self._requests, self._log = services, requests, log
        self._book = book
        self.directory, self.head = directory, head
        self.view = TimeView(self)
        self.grouping, self.order = Grouping.BOTH, Order.NAME
        self.opened: set[UUID] = set()
        self._own: list[UUID] = []
        self._cameras: dict[StreamId, str] = {}
        self._subjects: tuple[Subject, ...] = ()
        self._asked_for: tuple[tuple[UUID, ...], tuple[UUID, ...]] = ((), ())
        self.tiles: TileLoader[LaneTile] = TileLoader(
            requests, "timeline", self._read, lambda tile: tile.exact, self
        )
        self.acts = RangeActions(services, requests, log, self.scope, local_user(), self)
        self.acts.farm_of = self._farm
        self._build(theme)
        add_timeline_actions(book, self, theme)
        self.header.add_tools(book)
        self.bar = RangeBar(book, self.lanes)
        self._connect()
        self._timers()
        self._on_range()
        self._show_subjects()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self, theme: Theme) -> None:
        self.header = TimelineHeader()
        self.overview = Overview(self.view, self.tiles, theme)
        self.lanes = LaneView(self.view, self.head, self.tiles, theme)
        self.lanes.zone_name = bytes(QTimeZone.systemTimeZoneId().data()).decode(errors="replace")
        self.tips = LaneTips(self._services, self._requests, self.lanes, self._cameras)
        self.lanes.tell = self.tips.tell
        self.legend = Legend(theme)
        self.plots = PlotStack(self._services, self._requests, self.view, self.head, theme)
        upper = QFrame()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.lanes, 1)
        column.addWidget(self.legend)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(1)
        self.split.addWidget(upper)
        self.split.addWidget(self.plots)
        self.split.setStretchFactor(0, 3)
        self.split.setStretchFactor(1, 2)
        self.empty = TimelineEmpty(theme)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.split)
        self.stack.addWidget(self.empty)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self.header)
        outer.addWidget(self.overview)
        outer.addWidget(self.stack, 1)

    def _connect(self) -> None:
        self.directory.changed.connect(self._on_horses)
        self.directory.refreshed.connect(self._on_store_changed)
        self._log.changed.connect(self._on_own_correction)
        self.header.searched.connect(lambda _text: self._lay_out())
        self.view.changed.connect(self._want_soon)
        self.view.followed.connect(self._book["timeline.follow"].setChecked)
        self.head.range_changed.connect(lambda _range: self._on_range())
        self.head.moved.connect(self._on_head)
        self.lanes.toggled.connect(self._toggle)
        self.lanes.chosen.connect(lambda _id: self._on_chosen())
        self.lanes.moved_lane.connect(self._move_lane)
        self.lanes.menu_asked.connect(self.open_menu)
        self.tiles.arrived.connect(self._on_tiles)
        self.tiles.failed.connect(self._on_tiles_failed)
        self.tiles.recovered.connect(lambda: self.header.show_problem(""))
        self.empty.acted.connect(self._on_empty_act)
        self.acts.said.connect(self.said)
        self.acts.failed.connect(self.failed)
        self.acts.submitted.connect(self.submitted)
        self.acts.kept.connect(self._on_own_correction)

    def _timers(self) -> None:
        self._want = QTimer(self, interval=WANT_MS, singleShot=True)
        self._want.timeout.connect(self._ask)
        self._follow = QTimer(self, interval=FOLLOW_MS)
        self._follow.timeout.connect(self._on_second)
        self._corrected = QTimer(self, interval=CORRECTED_RESTS_MS, singleShot=True)
        self._corrected.timeout.connect(self._reread)
        self._stale = False
        self._shared = False

    # --- who has a lane -------------------------------------------------------------------------

    def follow(self, cameras: Mapping[StreamId, str]) -> None:
        """Take the cameras' names."""
        if dict(cameras) != self._cameras:
            self._cameras.clear()
            self._cameras.update(cameras)
            self._show_subjects()

    def _on_horses(self) -> None:
        self._show_subjects()

    def _show_subjects(self) -> None:
        horses = (
            Subject(
                h.id,
                h.title,
                False,
                h.colour_hex,
                h.status is HorseStatus.GUEST,
                micros(h.last_seen_at) if h.last_seen_at is not None else 0,
            )
            for h in self.directory.horses
            if h.status not in (HorseStatus.MERGED, HorseStatus.ARCHIVED)
        )
        cameras = (Subject(i, name, True) for i, name in self._cameras.items())
        self._subjects = (*horses, *cameras)
        asked = (
            tuple(sorted(s.id for s in self._subjects if not s.camera)),
            tuple(sorted(s.id for s in self._subjects if s.camera)),
        )
        if asked != self._asked_for:
            self._asked_for = asked
            self.tiles.reset()
            self._want_soon()
        self._lay_out()

    def _lay_out(self) -> None:
        shown = ordered(
            self._subjects, self.grouping, self.order, self.header.search.text(), (), self._own
        )
        heads = (self.tr("Horses"), self.tr("Cameras"))
        self.lanes.set_rows(laid_out(shown, self.opened, heads))
        if self.lanes.selected not in {s.id for s in shown}:
            first = next((s.id for s in shown if not s.camera), None)
            self.lanes.select(first)
        self._show_state(bool(shown))

    def _show_state(self, any_lane: bool) -> None:
        """The lanes, or why there are none and what to do."""
        missing = self._services.timeline is None
        if any_lane and not missing:
            self.stack.setCurrentWidget(self.split)
            return
        searched = bool(self._subjects) and bool(self.header.search.text())
        self.empty.show_for(missing, searched, self.grouping, bool(self._subjects))
        self.stack.setCurrentWidget(self.empty)

    def _on_empty_act(self, act: str) -> None:
        if act == "clear":
            self.header.search.clear()
            self._book["timeline.both"].trigger()
        else:
            self.wanted.emit("live")

    def _farm(self) -> FarmId | None:
        horse = next(iter(self.directory.horses), None)
        return horse.farm_id if horse is not None else self._services.farm_id

    # --- reading --------------------------------------------------------------------------------

    def _read(self, key: TileKey) -> Callable[[], LaneTile] | None:
        timeline = self._services.timeline
        if timeline is None:
            return None
        horses, cameras = self._asked_for
        start, end = instant(key.start_us), instant(key.end_us)

        def read() -> LaneTile:
            runs = timeline.lanes(
                start,
                end,
                TILE_BUCKETS,
                [HorseId(i) for i in horses],
                [StreamId(i) for i in cameras],
            )
            return prepare(runs, horses, cameras)

        return read

    def _want_soon(self) -> None:
        if not self._want.isActive():
            self._want.start()

    @property
    def wanting(self) -> bool:
        """Whether something is still to be asked for."""
        return self._want.isActive()

    def _ask(self) -> None:
        """Ask for what is on show, then for what lies around it."""
        if not self.isVisible() or not any(self._asked_for) or self._services.timeline is None:
            return
        place = self.lanes.place()
        keys = covering(level_for(place.us_per_px), self.view.start_us, self.view.end_us)
        around = [k for k in beside(keys) if k.start_us < self.view.now_us]
        coarse = self.overview.keys()
        self._say_steps()
        self.tiles.want(list(dict.fromkeys([*keys, *coarse, *around])))
        self.plots.want(place.us_per_px)

    def _on_second(self) -> None:
        """The newest follows now; what may have changed is read again."""
        self.view.keep_up()
        now_us = self.view.now_us
        bucket_s = BUCKETS_US[level_for(self.lanes.place().us_per_px)] / SECOND_US
        newest_s = min(max(NEWEST_S, bucket_s / 4), RECENT_S)
        if self.view.shows_now:
            self.tiles.refresh(now_us - SECOND_US, now_us + SECOND_US, newest_s)
            self.plots.refresh(now_us - SECOND_US, now_us + SECOND_US, newest_s)
        self.tiles.refresh(now_us - 2 * DAY_US, now_us, RECENT_S)
        self.lanes.repaint_soon()

    def _on_store_changed(self) -> None:
        """Somebody corrected something, or the engine met somebody."""
        self._stale = True
        if self.isVisible() and not self._corrected.isActive():
            self._corrected.start()

    def _on_own_correction(self) -> None:
        self._stale = True
        self._corrected.stop()
        if self.isVisible():
            self._reread()

    def _reread(self) -> None:
        if self._stale:
            self._stale = False
            self.tiles.reset()
            self.plots.reset()
            self._ask()

    def _on_tiles(self) -> None:
        self.header.show_problem("")
        self._say_steps()

    def _say_steps(self) -> None:
        """Tell when bars are sums."""
        level = level_for(self.lanes.place().us_per_px)
        pieces = self.tiles.pieces(level, self.view.start_us, self.view.end_us)
        step_us = max((piece.value.step_us for piece in pieces), default=0)
        words = self.tr("Stacked: how much of every {0}. Zoom in for single bouts.")
        self.legend.say(words.format(length_words(step_us)) if step_us else "")

    def _on_tiles_failed(self, error: BarnhandError) -> None:
        self.header.show_problem(str(error))

    # --- the window of time ---------------------------------------------------------------------

    def show_last(self, length_us: int) -> None:
        """The newest stretch of that length."""
        self.view.show_last(length_us)

    def show_today(self) -> None:
        """From midnight to midnight, local time."""
        midnight = local(self.view.now_us, self.zone).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        start_us = micros(midnight)
        self.view.show(start_us, start_us + DAY_US)

    def show_oldest(self) -> None:
        """To the beginning of the ninety days."""
        start_us = self.view.now_us - 90 * DAY_US
        self.view.show(start_us, start_us + self.view.span_us)

    def show_cursor(self) -> None:
        """Bring the cursor to the middle."""
        half = self.view.span_us // 2
        self.view.show(self.head.at_us - half, self.head.at_us + half)

    def follow_now(self, on: bool) -> None:
        """Keep the newest in view, or stay."""
        if on != self.view.following:
            self.view.follow(on)

    def pan(self, share: float) -> None:
        """Move by a share of the window."""
        self.view.pan(round(self.view.span_us * share))

    def zoom(self, factor: float) -> None:
        """Show so many times as much: about the cursor where it is on show, else the middle."""
        at_us = self.head.at_us
        if not self.view.start_us <= at_us <= self.view.end_us:
            at_us = self.view.start_us + self.view.span_us // 2
        self.view.zoom(factor, at_us)

    @property
    def zone(self) -> tzinfo | None:
        """The zone that times are told in; None is the workstation's own."""
        return self.lanes.zone

    def set_zone(self, zone: tzinfo | None, name: str) -> None:
        """Tell times in another zone."""
        self.lanes.zone = self.overview.zone = self.tips.zone = self.acts.zone = zone
        self.lanes.zone_name = name
        self.lanes.repaint_soon()
        self.overview.update()

    # --- lanes ----------------------------------------------------------------------------------

    def show_grouping(self, grouping: Grouping) -> None:
        """Lanes of horses, of cameras, or both."""
        self.grouping = grouping
        self._book[f"timeline.{grouping.value}"].setChecked(True)
        self._lay_out()

    def show_order(self, order: Order) -> None:
        """Lanes in another order."""
        self.order = order
        self._book[f"timeline.order.{order.value}"].setChecked(True)
        self._lay_out()

    def find_lane(self) -> None:
        """Put the cursor into the filter of lanes."""
        self.header.search.setFocus()
        self.header.search.selectAll()

    def toggle_all(self) -> None:
        """Open all lanes, or close them when one is open."""
        shown = {row.subject.id for row in self.lanes.rows if row.subject is not None}
        self.opened = set() if self.opened & shown else shown
        self._lay_out()

    def toggle_lane(self) -> None:
        """Open or close the selected lane."""
        if self.lanes.selected is not None:
            self._toggle(self.lanes.selected)

    def _toggle(self, subject: UUID) -> None:
        self.opened ^= {subject}
        self._lay_out()

    def step_lane(self, by: int) -> None:
        """Select the lane above or below."""
        ids = [r.subject.id for r in self.lanes.rows if r.subject is not None and not r.sub]
        if not ids:
            return
        here = ids.index(self.lanes.selected) if self.lanes.selected in ids else -by
        self.lanes.select(ids[min(max(here + by, 0), len(ids) - 1)])

    def _move_lane(self, subject: UUID, before: UUID | None) -> None:
        """Put a lane ahead of another; the order is then the person's own."""
        if subject == before:
            return
        ids = [r.subject.id for r in self.lanes.rows if r.subject is not None and not r.sub]
        ids.remove(subject)
        ids.insert(ids.index(before) if before in ids else len(ids), subject)
        self._own = ids
        self.show_order(Order.OWN)

    def _on_chosen(self) -> None:
        chosen = next((s for s in self._subjects if s.id == self.lanes.selected), None)
        horse = chosen if chosen is not None and not chosen.camera else None
        self.plots.set_horse(HorseId(horse.id) if horse else None, horse.title if horse else "")
        self._on_range()
        self._want_soon()

    def show_plot(self, plot_id: str, on: bool) -> None:
        """Show or hide a plot."""
        self.plots.show_plot(plot_id, on)
        self.plots.setVisible(not self.plots.empty)
        self._want_soon()

    # --- cursor and range -----------------------------------------------------------------------

    def step_frame(self, by: int) -> None:
        """Move the cursor by pictures."""
        self.head.step(by)
        self.view.bring(self.head.at_us)

    def _on_head(self, _at: object) -> None:
        if self.head.playing and self.isVisible():
            self.view.bring(self.head.at_us)

    def mark_with_mouse(self, on: bool) -> None:
        """Whether dragging on the lanes marks."""
        self.lanes.hand.marks = on

    def mark_in(self) -> None:
        """The range begins at the cursor."""
        marked = self.head.range
        end = marked.end_at if marked is not None else instant(self.view.end_us)
        self.head.mark(self.head.at, max(end, self.head.at))

    def mark_out(self) -> None:
        """The range ends at the cursor."""
        marked = self.head.range
        start = marked.start_at if marked is not None else instant(self.view.start_us)
        self.head.mark(min(start, self.head.at), self.head.at)

    def scope(self) -> RangeScope | None:
        """What is marked, and whose; None for nothing."""
        marked = self.head.range
        if marked is None:
            return None
        chosen = next((s for s in self._subjects if s.id == self.lanes.selected), None)
        horses = {HorseId(s.id): s.title for s in self._subjects if not s.camera}
        return RangeScope(
            marked,
            dict(self._cameras),
            horses,
            HorseId(chosen.id) if chosen is not None and not chosen.camera else None,
            StreamId(chosen.id) if chosen is not None and chosen.camera else None,
        )

    def _on_range(self) -> None:
        self.bar.show_scope(self.scope())

    def open_menu(self, where: QPoint, at: object, row: object) -> QMenu:
        """What can be done here."""
        del at, row
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions([self._book[action_id] for action_id in RANGE_ACTIONS])
        menu.addSeparator()
        for action_id in ("timeline.mark_in", "timeline.mark_out", "timeline.clear"):
            menu.addAction(self._book[action_id])
        menu.popup(where)
        return menu

    # --- window ---------------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        for part in (self.lanes, self.overview, self.legend, self.plots):
            part.set_theme(theme)
        dress_timeline_actions(self._book, theme)

    def take_focus(self) -> None:
        """Give the keyboard to the lanes."""
        self.lanes.setFocus()

    def stop(self) -> None:
        """The window is closing."""
        self.head.pause()
        for timer in (self._want, self._follow, self._corrected):
            timer.stop()

    def _share_room(self) -> None:
        """Give the lanes what they need and the plots about two fifths, once."""
        if self._shared or not self.stack.height():
            return
        self._shared = True
        room = self.split.height()
        plots = min(round(room * PLOT_SHARE), self.plots.shown * PLOT_PX)
        self.split.setSizes([room - plots, plots])

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._share_room()
        self._follow.start()
        self.view.keep_up()
        self._reread()
        self._want_soon()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._follow.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.bar.place()
        self._want_soon()
