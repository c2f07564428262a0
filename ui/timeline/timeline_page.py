"""The Timeline page: overview, lanes, plots and what can be done with a stretch of time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from uuid import UUID

from PySide6.QtCore import QPoint, Qt, QTimeZone, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.recording import Bookmark
from ui.actions import ActionBook
from ui.commands import CommandLog
from ui.registry.directory import HorseDirectory
from ui.registry.words import local_user
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme
from ui.timeline.axis import DAY_US, local
from ui.timeline.cursor import TimeCursor, instant, micros
from ui.timeline.empty_state import TimelineEmpty
from ui.timeline.header import TimelineHeader
from ui.timeline.lane_book import LaneBook
from ui.timeline.lane_tips import LaneTips
from ui.timeline.lane_view import LaneView
from ui.timeline.lanes import Grouping, Order
from ui.timeline.legend import Legend
from ui.timeline.overview import Overview
from ui.timeline.plots import PlotStack
from ui.timeline.range_actions import RangeActions
from ui.timeline.range_bar import RangeBar
from ui.timeline.range_scope import RangeScope
from ui.timeline.time_view import TimeView
from ui.timeline.timeline_actions import (
    RANGE_ACTIONS,
    add_timeline_actions,
    dress_timeline_actions,
)
from ui.timeline.timeline_reader import TimelineReader
from ui.timeline.words import length_words

PLOT_SHARE, PLOT_PX = 0.42, 104
"""Part of the page that plots get at most, and the height each wants."""


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
        self.who = LaneBook(directory, self)
        self.reader = TimelineReader(services, requests, self.who, self.view, self)
        self.acts = RangeActions(services, requests, log, self.scope, local_user(), self)
        self.acts.farm_of = self._farm
        self._shared = False
        self._build(theme)
        add_timeline_actions(book, self, theme)
        self.header.add_tools(book)
        self.bar = RangeBar(book, self.lanes)
        self._connect()
        self._on_range()
        self.who.refresh()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self, theme: Theme) -> None:
        self.header = TimelineHeader()
        self.overview = Overview(self.view, self.reader.tiles, theme)
        self.lanes = LaneView(self.view, self.head, self.reader.tiles, theme)
        self.lanes.zone_name = bytes(QTimeZone.systemTimeZoneId().data()).decode(errors="replace")
        self.tips = LaneTips(self._services, self._requests, self.lanes, self.who.cameras)
        self.lanes.tell = self.tips.tell
        self.legend = Legend(theme)
        self.plots = PlotStack(self._services, self._requests, self.view, self.head, theme)
        self.reader.attach(self.lanes, self.overview, self.plots)
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
        reader, who, head, lanes = self.reader, self.who, self.head, self.lanes
        self.directory.refreshed.connect(reader.on_store_changed)
        self._log.changed.connect(reader.on_own_act)
        reader.problem.connect(self.header.show_problem)
        reader.asked.connect(self._say_steps)
        reader.tiles.arrived.connect(self._say_steps)
        who.changed.connect(self._on_lanes)
        self.header.searched.connect(who.search)
        self.view.followed.connect(self._book["timeline.follow"].setChecked)
        head.range_changed.connect(lambda _range: self._on_range())
        head.moved.connect(self._on_head)
        lanes.toggled.connect(who.toggle)
        lanes.chosen.connect(lambda _id: self._on_chosen())
        lanes.moved_lane.connect(self._move_lane)
        lanes.menu_asked.connect(self.open_menu)
        self.empty.acted.connect(self._on_empty_act)
        self.acts.said.connect(self.said)
        self.acts.failed.connect(self.failed)
        self.acts.submitted.connect(self.submitted)

    def follow(self, cameras: Mapping[StreamId, str]) -> None:
        """Take the cameras' names."""
        self.who.follow(cameras)

    def _on_lanes(self) -> None:
        self.lanes.set_rows(self.who.rows())
        shown = self.who.shown()
        self.plots.know(any(not s.camera for s in shown))
        if self.lanes.selected not in {s.id for s in shown}:
            self.lanes.select(next((s.id for s in shown if not s.camera), None))
        self._show_state(bool(shown))

    def _show_state(self, any_lane: bool) -> None:
        """The lanes, or why there are none and what to do."""
        missing, known = self._services.timeline is None, bool(self.who.subjects)
        if any_lane and not missing:
            self.stack.setCurrentWidget(self.split)
            return
        self.empty.show_for(missing, known and bool(self.who.searched), self.who.grouping, known)
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

    def _say_steps(self) -> None:
        """Tell when bars are sums."""
        step_us = self.reader.step_us
        words = self.tr("Stacked: how much of every {0}. Zoom in for single bouts.")
        self.legend.say(words.format(length_words(step_us)) if step_us else "")

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

    # --- lanes ----------------------------------------------------------------------------------

    def show_grouping(self, grouping: Grouping) -> None:
        """Lanes of horses, of cameras, or both."""
        self.who.group(grouping)

    def show_order(self, order: Order) -> None:
        """Lanes in another order."""
        self.who.sort(order)

    def find_lane(self) -> None:
        """Put the cursor into the filter of lanes."""
        self.header.search.setFocus()
        self.header.search.selectAll()

    def toggle_all(self) -> None:
        """Open all lanes, or close them when one is open."""
        self.who.toggle_all()

    def toggle_lane(self) -> None:
        """Open or close the selected lane."""
        if self.lanes.selected is not None:
            self.who.toggle(self.lanes.selected)

    def step_lane(self, by: int) -> None:
        """Select the lane above or below."""
        found = self.who.beside(self.lanes.selected, by)
        if found is not None:
            self.lanes.select(found)

    def _move_lane(self, subject: UUID, before: UUID | None) -> None:
        self.who.move(subject, before)
        self._book[f"timeline.order.{self.who.order.value}"].setChecked(True)

    def _on_chosen(self) -> None:
        chosen = self.who.get(self.lanes.selected)
        horse = chosen if chosen is not None and not chosen.camera else None
        self.plots.set_horse(HorseId(horse.id) if horse else None, horse.title if horse else "")
        self._on_range()
        self.reader.want_soon()

    def show_plot(self, plot_id: str, on: bool) -> None:
        """Show or hide a plot."""
        self.plots.show_plot(plot_id, on)
        self.plots.setVisible(not self.plots.empty)
        self.reader.want_soon()

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
        chosen = self.who.get(self.lanes.selected)
        return RangeScope(
            marked,
            dict(self.who.cameras),
            self.who.horses,
            HorseId(chosen.id) if chosen is not None and not chosen.camera else None,
            StreamId(chosen.id) if chosen is not None and chosen.camera else None,
        )

    def _on_range(self) -> None:
        self.bar.show_scope(self.scope())

    def open_menu(self, where: QPoint, bookmark: Bookmark | None) -> QMenu:
        """What can be done here, and with the bookmark under the pointer."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if bookmark is not None:
            remove = menu.addAction(self.tr("Remove bookmark “{0}”").format(bookmark.title))
            remove.triggered.connect(lambda: self.acts.forget(bookmark))
            menu.addSeparator()
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
        self.reader.stop()

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
        self.reader.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.reader.pause()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.bar.place()
        self.reader.want_soon()
