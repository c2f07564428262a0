"""Where each camera stands on the wall. Pure values: every change makes a new arrangement."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from engine.domain.ids import StreamId

FREE_CELLS = 24
"""The free layout snaps to a grid of 24 by 24 cells: halves, thirds, quarters and eighths."""


class Layout(IntEnum):
    """Places on one page of the wall; FREE places are arranged by hand."""

    FREE = 0
    ONE = 1
    FOUR = 4
    NINE = 9
    SIXTEEN = 16

    @property
    def columns(self) -> int:
        """Columns (and rows) of a square layout; 1 for FREE."""
        return max(math.isqrt(int(self)), 1)


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in logical pixels of the wall, or in cells of the free layout."""

    x: int
    y: int
    width: int
    height: int

    def contains(self, x: float, y: float) -> bool:
        """True if the point lies inside (right and lower edges excluded)."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height


@dataclass(frozen=True, slots=True)
class Arrangement:
    """``places`` holds a stream or None by position and may be longer than a page; ``free`` the
    cell rectangle of each place in the free layout (missing ones get a default)."""

    layout: Layout = Layout.FOUR
    places: tuple[StreamId | None, ...] = ()
    page: int = 0
    free: tuple[Rect, ...] = ()

    @property
    def page_size(self) -> int:
        """Places shown at once."""
        if self.layout is Layout.FREE:
            return max(len(self.places), 1)
        return int(self.layout)

    @property
    def pages(self) -> int:
        """How many pages hold a camera, at least one."""
        used = max((i + 1 for i, s in enumerate(self.places) if s is not None), default=0)
        return max(math.ceil(used / self.page_size), 1)

    @property
    def first(self) -> int:
        """Position of the first place on the page shown."""
        return 0 if self.layout is Layout.FREE else self.page * self.page_size

    def positions(self) -> range:
        """The positions on the page shown."""
        return range(self.first, self.first + self.page_size)

    def stream_at(self, position: int) -> StreamId | None:
        """The camera of a place, None for an empty one."""
        return self.places[position] if 0 <= position < len(self.places) else None

    def position_of(self, stream_id: StreamId) -> int | None:
        """Where a camera stands."""
        return self.places.index(stream_id) if stream_id in self.places else None

    def with_layout(self, layout: Layout, keep: StreamId | None = None) -> Arrangement:
        """Another layout, on the page that shows ``keep``."""
        position = self.position_of(keep) if keep is not None else self.first
        page = (position or 0) // max(int(layout), 1) if layout is not Layout.FREE else 0
        free = self.free or default_free(len(self._trimmed()))
        return replace(self, layout=layout, page=page, free=free)

    def with_page(self, page: int) -> Arrangement:
        """Another page, within those that exist."""
        return replace(self, page=min(max(page, 0), self.pages - 1))

    def swapped(self, a: int, b: int) -> Arrangement:
        """The cameras of two places exchanged."""
        places = list(self.places) + [None] * (max(a, b) + 1 - len(self.places))
        places[a], places[b] = places[b], places[a]
        return replace(self, places=tuple(places))

    def with_streams(self, streams: Iterable[StreamId]) -> Arrangement:
        """Cameras that are gone leave empty places; new ones take the first empty place."""
        known = list(streams)
        places: list[StreamId | None] = [s if s in known else None for s in self.places]
        for stream_id in known:
            if stream_id in places:
                continue
            if None in places:
                places[places.index(None)] = stream_id
            else:
                places.append(stream_id)
        while places and places[-1] is None:
            places.pop()
        result = replace(self, places=tuple(places))
        if result.layout is Layout.FREE and len(result.free) < len(result.places):
            fresh = default_free(len(result.places))[len(result.free) :]
            result = replace(result, free=(*result.free, *fresh))
        return result.with_page(result.page) if result.layout is not Layout.FREE else result

    def with_free_rect(self, position: int, rect: Rect) -> Arrangement:
        """A place of the free layout moved or resized, kept inside the wall and 3 cells large."""
        width, height = (min(max(v, 3), FREE_CELLS) for v in (rect.width, rect.height))
        x = min(max(rect.x, 0), FREE_CELLS - width)
        y = min(max(rect.y, 0), FREE_CELLS - height)
        free = list(self.free) + list(default_free(len(self.places)))[len(self.free) :]
        if position < len(free):
            free[position] = Rect(x, y, width, height)
        return replace(self, free=tuple(free))

    def rects(
        self, width: int, height: int, gap: int, aspect: float | None = None
    ) -> dict[int, Rect]:
        """The rectangle of every place on this page, in pixels of a wall of that size.

        With ``aspect`` (width to height of the pictures) places of the square layouts take that
        shape and stand close together in the middle, so that no picture has bars beside it.
        """
        if self.layout is Layout.FREE:
            return self._free_rects(width, height, gap)
        count = self.layout.columns
        inner_w, inner_h = width, height
        if aspect is not None:
            cell_w, cell_h = (width - gap) / count - gap, (height - gap) / count - gap
            inner_w = min(width, round((cell_h * aspect + gap) * count) + gap)
            inner_h = min(height, round((cell_w / aspect + gap) * count) + gap)
        xs = _edges(inner_w, count, gap, (width - inner_w) // 2)
        ys = _edges(inner_h, count, gap, (height - inner_h) // 2)
        return {
            position: Rect(
                xs[index % count][0],
                ys[index // count][0],
                xs[index % count][1],
                ys[index // count][1],
            )
            for index, position in enumerate(self.positions())
        }

    def _trimmed(self) -> tuple[StreamId | None, ...]:
        return self.places or (None,)

    def _free_rects(self, width: int, height: int, gap: int) -> dict[int, Rect]:
        cells = list(self.free) + list(default_free(self.page_size))[len(self.free) :]
        half = gap // 2
        result: dict[int, Rect] = {}
        for position in self.positions():
            cell = cells[position]
            x1, x2 = (round(v * width / FREE_CELLS) for v in (cell.x, cell.x + cell.width))
            y1, y2 = (round(v * height / FREE_CELLS) for v in (cell.y, cell.y + cell.height))
            result[position] = Rect(
                x1 + half, y1 + half, max(x2 - x1 - gap, 1), max(y2 - y1 - gap, 1)
            )
        return result


def _edges(length: int, count: int, gap: int, start: int) -> list[tuple[int, int]]:
    """(start, size) of ``count`` parts with gaps between and around, covering ``length``."""
    bounds = [start + gap + round(i * (length - gap) / count) for i in range(count + 1)]
    return [(bounds[i], max(bounds[i + 1] - gap - bounds[i], 1)) for i in range(count)]


def default_free(count: int) -> tuple[Rect, ...]:
    """A start for the free layout: one large place and small ones around it, or an even grid
    when there are many."""
    if count <= 1:
        return (Rect(0, 0, FREE_CELLS, FREE_CELLS),)
    if count <= 6:
        small = [Rect(16, 0, 8, 8), Rect(16, 8, 8, 8), Rect(16, 16, 8, 8)]
        small += [Rect(8, 16, 8, 8), Rect(0, 16, 8, 8)]
        return (Rect(0, 0, 16, 16), *small[: count - 1])
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    xs = [round(i * FREE_CELLS / columns) for i in range(columns + 1)]
    ys = [round(i * FREE_CELLS / rows) for i in range(rows + 1)]
    return tuple(
        Rect(x, y, xs[i % columns + 1] - x, ys[i // columns + 1] - y)
        for i in range(count)
        for x, y in ((xs[i % columns], ys[i // columns]),)
    )
