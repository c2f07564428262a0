"""Reads what the timeline shows: tiles of the window, what lies around it, what has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from engine.domain.behaviour import TimelineRepository
from engine.domain.errors import BarnhandError
from engine.domain.ids import HorseId, StreamId
from engine.domain.recording import Bookmark
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.timeline.axis import DAY_US, SECOND_US
from ui.timeline.cursor import instant
from ui.timeline.lane_book import LaneBook
from ui.timeline.lane_tile import LaneTile, prepare
from ui.timeline.lane_view import LaneView
from ui.timeline.overview import Overview
from ui.timeline.plots import PlotStack
from ui.timeline.tile_grid import (
    BUCKETS_US,
    TILE_BUCKETS,
    TileKey,
    beside,
    covering,
    level_for,
)
from ui.timeline.tile_loader import TileLoader
from ui.timeline.time_view import MOST_US, TimeView

WANT_MS = 40
"""Wishes of this time are asked for together."""
FOLLOW_MS = 1000
NEWEST_S, RECENT_S = 5.0, 60.0
"""How old what is on show of the newest and of the last two days may get."""
CORRECTED_RESTS_MS = 4000
"""Between two readings because the store changed; one's own corrections are read at once."""
BOOKMARKS_READ = 1000


class TimelineReader(QObject):
    """Owns the tiles of the lanes. ``asked`` follows every round of wishes, ``problem`` carries why
    what is on show may be old (empty when it is not any more)."""

    asked = Signal()
    problem = Signal(str)

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        book: LaneBook,
        view: TimeView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._services, self._requests = services, requests
        self._book, self._view = book, view
        self.tiles: TileLoader[LaneTile] = TileLoader(
            requests, "timeline", self._read, lambda tile: tile.exact, self
        )
        self._running = self._stale = False
        self._want = QTimer(self, interval=WANT_MS, singleShot=True)
        self._want.timeout.connect(self.ask)
        self._follow = QTimer(self, interval=FOLLOW_MS)
        self._follow.timeout.connect(self.on_second)
        self._corrected = QTimer(self, interval=CORRECTED_RESTS_MS, singleShot=True)
        self._corrected.timeout.connect(self._reread)

    def attach(self, lanes: LaneView, overview: Overview, plots: PlotStack) -> None:
        """What is to be read for."""
        self._lanes, self._overview, self._plots = lanes, overview, plots
        self._view.changed.connect(self.want_soon)
        self._book.asked.connect(self._on_other_lanes)
        self.tiles.arrived.connect(lambda: self.problem.emit(""))
        self.tiles.failed.connect(self._on_failed)

    def start(self) -> None:
        """The page is on show."""
        self._running = True
        self._follow.start()
        self._view.keep_up()
        self._reread()
        self._read_bookmarks()
        self.want_soon()

    def pause(self) -> None:
        """The page is not on show."""
        self._running = False
        self._follow.stop()

    def stop(self) -> None:
        """The window is closing."""
        self.pause()
        for timer in (self._want, self._corrected):
            timer.stop()

    # --- wishes ---------------------------------------------------------------------------------

    @property
    def wanting(self) -> bool:
        """Whether something is still to be asked for."""
        return self._want.isActive()

    def want_soon(self) -> None:
        """Ask in a moment; many calls in a row lead to one round."""
        if not self._want.isActive():
            self._want.start()

    def ask(self) -> None:
        """Ask for what is on show, then for what lies around it."""
        if not self._running or self._services.timeline is None or not any(self._book.ids):
            return
        view, place = self._view, self._lanes.place()
        keys = covering(level_for(place.us_per_px), view.start_us, view.end_us)
        around = [key for key in beside(keys) if key.start_us < view.now_us]
        self.tiles.want(list(dict.fromkeys([*keys, *self._overview.keys(), *around])))
        self._plots.want(place.us_per_px)
        self.asked.emit()

    def _read(self, key: TileKey) -> Callable[[], LaneTile] | None:
        timeline = self._services.timeline
        if timeline is None:
            return None
        return partial(_tile, timeline, key, *self._book.ids)

    def _on_other_lanes(self) -> None:
        self.tiles.reset()
        self.want_soon()

    def _on_failed(self, error: BarnhandError) -> None:
        self.problem.emit(str(error))

    @property
    def step_us(self) -> int:
        """Length of the steps that the window is summed up in, 0 where it is not."""
        view, level = self._view, level_for(self._lanes.place().us_per_px)
        pieces = self.tiles.pieces(level, view.start_us, view.end_us)
        return max((piece.value.step_us for piece in pieces), default=0)

    # --- what changes ---------------------------------------------------------------------------

    def on_second(self) -> None:
        """The newest follows now; what may have changed is read again."""
        self._view.keep_up()
        now_us = self._view.now_us
        bucket_s = BUCKETS_US[level_for(self._lanes.place().us_per_px)] / SECOND_US
        newest_s = min(max(NEWEST_S, bucket_s / 4), RECENT_S)
        if self._view.shows_now:
            for part in (self.tiles, self._plots):
                part.refresh(now_us - SECOND_US, now_us + SECOND_US, newest_s)
        self.tiles.refresh(now_us - 2 * DAY_US, now_us, RECENT_S)
        self._lanes.repaint_soon()

    def on_store_changed(self) -> None:
        """Somebody corrected something, or the engine met somebody."""
        self._stale = True
        if self._running and not self._corrected.isActive():
            self._corrected.start()

    def on_own_act(self) -> None:
        """The person at this console changed something, or took it back."""
        self._stale = True
        self._corrected.stop()
        if self._running:
            self._reread()

    def _reread(self) -> None:
        if self._stale:
            self._stale = False
            self.tiles.reset()
            self._plots.reset()
            self.ask()
            self._read_bookmarks()

    def _read_bookmarks(self) -> None:
        bookmarks = self._services.bookmarks
        if bookmarks is None:
            return
        now_us = self._view.now_us
        start, end = instant(now_us - MOST_US), instant(now_us)

        def work() -> Sequence[Bookmark]:
            return bookmarks.list(start=start, end=end, limit=BOOKMARKS_READ)

        self._requests.submit(
            "bookmarks", work, self._lanes.set_bookmarks, self._on_failed, self._lanes
        )


def _tile(
    timeline: TimelineRepository,
    key: TileKey,
    horses: Sequence[HorseId],
    cameras: Sequence[StreamId],
) -> LaneTile:
    """Read one tile and make it ready; blocks."""
    start, end = instant(key.start_us), instant(key.end_us)
    runs = timeline.lanes(start, end, TILE_BUCKETS, horses, cameras)
    return prepare(runs, horses, cameras)
