"""Lanes as pixels: runs looked up into columns, columns into colours. No Qt.

A window's worth of a lane costs a few look-ups in numpy, whatever the number of runs behind it,
so every picture is drawn sharp from the tiles at hand and none is stretched.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """Pixel columns of a window: ``width`` of them from ``start_us``, each ``us_per_px`` long."""

    start_us: int
    us_per_px: float
    width: int

    def place(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """The column each instant falls into, cut to 0..width."""
        columns = np.floor((at_us - self.start_us) / self.us_per_px).astype(np.int64)
        return np.clip(columns, 0, self.width)


def codes(parts: Sequence[Part], columns: Columns) -> Codes:
    """One row of pixels, uint8 (W,). A run is at least a pixel wide; where several fall into one
    pixel the last shows. Of sums only steps that are of one mark alone."""
    result = np.zeros(columns.width, np.uint8)
    for row, start_us, end_us in parts:
        shown, index = _shown(row, start_us, end_us, columns)
        if len(shown):
            marks = row.mark if isinstance(row, Runs) else row.whole()
            result[shown] = marks[index]
    return result


def bar_codes(parts: Sequence[Part], columns: Columns, height: int) -> Codes:
    """A bar of pixels, uint8 (height, W): runs fill it, sums are stacked in it."""
    result = np.zeros((height, columns.width), np.uint8)
    for row, start_us, end_us in parts:
        shown, index = _shown(row, start_us, end_us, columns)
        if not len(shown):
            continue
        if isinstance(row, Stack):
            result[:, shown] = row.drawn(height)[index].T
        else:
            result[:, shown] = row.mark[index]
    return result


def presence(parts: Sequence[Part], columns: Columns) -> NDArray[np.float64]:
    """How much of each column anything is shown, 0..1."""
    result = np.zeros(columns.width)
    for row, start_us, end_us in parts:
        shown, index = _shown(row, start_us, end_us, columns)
        if len(shown):
            result[shown] = row.shares[index].sum(axis=1) if isinstance(row, Stack) else 1.0
    return result


def _shown(
    row: Runs | Stack, start_us: int, end_us: int, columns: Columns
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns where anything is, and the index of the run or step there."""
    first = int(np.searchsorted(row.end_us, start_us, "right"))
    last = int(np.searchsorted(row.start_us, end_us, "left"))
    none = np.zeros(0, np.intp)
    if first >= last:
        return none, none
    edges = columns.place(np.array([start_us, end_us], np.int64))
    left = columns.place(np.maximum(row.start_us[first:last], start_us))
    right = columns.place(np.minimum(row.end_us[first:last], end_us))
    right = np.minimum(np.maximum(right, left + 1), max(int(edges[1]), int(edges[0]) + 1))
    begun = np.zeros(columns.width + 1, np.int64)
    begun[left] = np.arange(1, len(left) + 1)
    newest = np.maximum.accumulate(begun[:-1])
    index = np.maximum(newest - 1, 0)
    shown = np.flatnonzero((newest > 0) & (np.arange(columns.width) < right[index]))
    return shown, index[shown] + first


def segments(row: Codes, least_px: int) -> list[tuple[int, int, Mark]]:
    """Stretches of one mark at least so wide: first column, width, mark."""
    firsts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    widths = np.diff(np.r_[firsts, len(row)])
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
    widths = np.diff(np.r_[0, changes, len(row)])
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
