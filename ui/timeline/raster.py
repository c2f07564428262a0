"""Lanes as pixels: runs looked up into columns, columns into colours. No Qt.

A window's worth of a lane costs a few look-ups in numpy, whatever the number of runs behind it,
so every picture is drawn sharp from the tiles at hand and none is stretched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ui.theme import Theme
from ui.timeline.lane_tile import Runs
from ui.timeline.marks import PATTERNS, STYLES, Mark
from ui.timeline.stacks import Stack

CELL = 8
WIDE_PX = 6
"""Runs at least so wide are set apart by a dark line."""
SEPARATOR = len(Mark)
SHADED = 0.8

Codes = NDArray[np.uint8]
"""Marks of pixels: (W,) for every column, or (height, W)."""
Part = tuple[Runs | Stack, int, int]
"""A row of a tile and the instants between which it is shown."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Pixel columns of a window: ``width`` of them from ``start_us``, each ``us_per_px`` long;
    ``numbers`` counts them."""

    start_us: int
    us_per_px: float
    width: int
    numbers: NDArray[np.int64]

    def place(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """The column each instant falls into, cut to 0..width."""
        columns = (at_us - self.start_us) * (1.0 / self.us_per_px)
        np.maximum(columns, 0.0, out=columns)
        np.minimum(columns, float(self.width), out=columns)
        return columns.astype(np.int64)


def columns_of(start_us: int, us_per_px: float, width: int) -> Columns:
    """Pixel columns of a window."""
    return Columns(start_us, us_per_px, width, np.arange(width))


@dataclass(frozen=True, slots=True)
class Shown:
    """Which columns show which run or step of which part: int (N,) each, columns rising."""

    columns: NDArray[np.intp]
    index: NDArray[np.intp]
    part: NDArray[np.intp]


def shown(parts: Sequence[Part], columns: Columns) -> Shown:
    """Columns where anything is. A run is at least a pixel wide; where several fall into one pixel
    the last shows."""
    starts, ends, lefts, owners, firsts = [], [], [], [], []
    for number, (row, start_us, end_us) in enumerate(parts):
        first = int(row.end_us.searchsorted(start_us, "right"))
        last = int(row.start_us.searchsorted(end_us, "left"))
        if first < last:
            starts.append(np.maximum(row.start_us[first:last], start_us))
            ends.append(np.minimum(row.end_us[first:last], end_us))
            owners.append(number)
            firsts.append(first)
            lefts.append(last - first)
    if not starts:
        return _NOTHING
    left = columns.place(np.concatenate(starts))
    right = np.maximum(columns.place(np.concatenate(ends)), left + 1)
    begun = np.zeros(columns.width + 1, np.int64)
    begun[left] = np.arange(1, len(left) + 1)
    newest = np.maximum.accumulate(begun[:-1]) - 1
    seen = np.flatnonzero((newest >= 0) & (columns.numbers < right[newest]))
    index = newest[seen]
    if len(owners) == 1:
        return Shown(seen, index + firsts[0], np.full(len(seen), owners[0], np.intp))
    sizes = np.array(lefts)
    before = np.cumsum(sizes) - sizes
    which = np.searchsorted(before, index, "right") - 1
    own = index - before[which] + np.array(firsts)[which]
    return Shown(seen, own, np.array(owners, np.intp)[which])


_NOTHING = Shown(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.intp))


def codes(parts: Sequence[Part], columns: Columns, found: Shown | None = None) -> Codes:
    """One row of pixels, uint8 (W,); of sums only steps that are of one mark alone."""
    result = np.zeros(columns.width, np.uint8)
    for at, index, row in _by_part(parts, found or shown(parts, columns)):
        result[at] = (row.mark if isinstance(row, Runs) else row.whole())[index]
    return result


def bar_codes(
    parts: Sequence[Part], columns: Columns, height: int, found: Shown | None = None
) -> Codes:
    """A bar of pixels, uint8 (height, W): runs fill it, sums are stacked in it."""
    result = np.zeros((height, columns.width), np.uint8)
    for at, index, row in _by_part(parts, found or shown(parts, columns)):
        drawn = row.drawn(height)[index].T if isinstance(row, Stack) else row.mark[index]
        result[:, at] = drawn
    return result


def presence(parts: Sequence[Part], columns: Columns) -> NDArray[np.float64]:
    """How much of each column anything is shown, 0..1."""
    result = np.zeros(columns.width)
    for at, index, row in _by_part(parts, shown(parts, columns)):
        result[at] = row.shares[index].sum(axis=1) if isinstance(row, Stack) else 1.0
    return result


def _by_part(
    parts: Sequence[Part], found: Shown
) -> Iterator[tuple[NDArray[np.intp] | slice, NDArray[np.intp], Runs | Stack]]:
    if not len(found.columns):
        return
    if len(parts) == 1:
        yield found.columns, found.index, parts[0][0]
        return
    for number in range(int(found.part[0]), int(found.part[-1]) + 1):
        own = slice(*found.part.searchsorted([number, number + 1]).tolist())
        if own.stop > own.start:
            yield found.columns[own], found.index[own], parts[number][0]


_ZERO = np.zeros(1, np.intp)


def segments(row: Codes, least_px: int) -> list[tuple[int, int, Mark]]:
    """Stretches of one mark at least so wide: first column, width, mark."""
    changes = np.flatnonzero(row[1:] != row[:-1]) + 1
    firsts = np.concatenate([_ZERO, changes])
    widths = np.diff(np.concatenate([firsts, [len(row)]]))
    wide = (widths >= least_px) & (row[firsts] != Mark.NOTHING)
    return [
        (int(first), int(width), Mark(int(row[first])))
        for first, width in zip(firsts[wide], widths[wide], strict=True)
    ]


def set_apart(bar: Codes, row: Codes) -> None:
    """Draw a dark line into a bar where two wide runs meet."""
    changes = np.flatnonzero(row[1:] != row[:-1]) + 1
    if not len(changes):
        return
    widths = np.diff(np.concatenate([_ZERO, changes, [len(row)]]))
    wide = np.minimum(widths[:-1], widths[1:]) >= WIDE_PX
    known = (row[changes] != Mark.NOTHING) & (row[changes - 1] != Mark.NOTHING)
    bar[:, changes[wide & known]] = SEPARATOR


class Paints:
    """Colours of every mark and place of its pattern, for one look."""

    def __init__(self, theme: Theme) -> None:
        ground = _rgb(theme.timeline.ground)
        table = np.zeros((SEPARATOR + 1, CELL, CELL, 3), np.float64)
        table[:] = ground
        for mark, style in STYLES.items():
            colour = _rgb(getattr(theme.timeline, style.colour))
            table[mark] = _cell(PATTERNS[style.pattern], colour, ground)
        whole = np.rint(table).astype(np.uint32)
        opaque = np.uint32(0xFF000000)
        packed = opaque | whole[..., 0] << 16 | whole[..., 1] << 8 | whole[..., 2]
        packed[Mark.NOTHING] = 0
        self._table: NDArray[np.uint32] = packed.reshape(-1).astype(np.uint32)

    def bar(self, codes: Codes, shift_px: int) -> NDArray[np.uint32]:
        """A bar: uint32 (height, W), premultiplied ARGB. ``shift_px`` moves patterns with what
        they cover."""
        height, width = codes.shape
        across = (np.arange(width) + shift_px) % CELL
        down = (np.arange(height) % CELL) * CELL
        index = codes.astype(np.int32)
        index *= CELL * CELL
        index += (down[:, None] + across[None, :]).astype(np.int32)
        return self._table.take(index)

    def swatch(self, mark: Mark, width: int, height: int) -> NDArray[np.uint32]:
        """A patch for the legend."""
        return self.bar(np.full((height, width), mark, np.uint8), 0)


def _rgb(text: str) -> NDArray[np.float64]:
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.float64)


def _cell(
    pattern: Sequence[str], colour: NDArray[np.float64], ground: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Eight by eight colours of a pattern."""
    dark = float(ground.mean()) < 128.0
    shade = colour * SHADED if dark else 255.0 - (255.0 - colour) * SHADED
    known = {".": colour, "-": shade, "#": colour, " ": ground}
    return np.array([[known[sign] for sign in line] for line in pattern])
