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
from ui.timeline.lane_tile import SHADES, Runs
from ui.timeline.marks import PATTERNS, STYLES, Mark

CELL = 8
WIDE_PX = 6
"""Runs at least so wide are set apart by a dark line."""
SHADE_OF = (0.45, 0.62, 0.8, 1.0)
"""How much of the colour shows for a share in each quarter."""
SEPARATOR = len(Mark)
SHADED = 0.8

Codes = NDArray[np.uint8]
"""(W,) mark times SHADES plus shade, for every pixel column."""


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


def codes(parts: Sequence[tuple[Runs, int, int]], columns: Columns) -> Codes:
    """One row of pixels of runs, each shown between two instants. A run is at least a pixel wide;
    where several fall into one pixel the last shows."""
    result = np.zeros(columns.width, np.uint8)
    for runs, start_us, end_us in parts:
        first = int(np.searchsorted(runs.end_us, start_us, "right"))
        last = int(np.searchsorted(runs.start_us, end_us, "left"))
        if first >= last:
            continue
        _fill(result, runs, slice(first, last), start_us, end_us, columns)
    return result


def _fill(
    result: Codes, runs: Runs, which: slice, start_us: int, end_us: int, columns: Columns
) -> None:
    edges = columns.place(np.array([start_us, end_us], np.int64))
    left = columns.place(np.maximum(runs.start_us[which], start_us))
    right = columns.place(np.minimum(runs.end_us[which], end_us))
    right = np.minimum(np.maximum(right, left + 1), max(int(edges[1]), int(edges[0]) + 1))
    begun = np.zeros(columns.width + 1, np.int64)
    begun[left] = np.arange(1, len(left) + 1)
    newest = np.maximum.accumulate(begun[:-1])
    index = np.maximum(newest - 1, 0)
    shown = (newest > 0) & (np.arange(columns.width) < right[index])
    shade = np.minimum(runs.share[which] * SHADES, SHADES - 1).astype(np.uint8)
    code = runs.mark[which] * np.uint8(SHADES) + shade
    result[shown] = code[index[shown]]


def segments(row: Codes, least_px: int) -> list[tuple[int, int, Mark]]:
    """Stretches of one mark at least so wide: first column, width, mark."""
    marks = row // SHADES
    firsts = np.flatnonzero(np.r_[True, marks[1:] != marks[:-1]])
    widths = np.diff(np.r_[firsts, len(row)])
    wide = (widths >= least_px) & (marks[firsts] != Mark.NOTHING)
    return [
        (int(first), int(width), Mark(int(marks[first])))
        for first, width in zip(firsts[wide], widths[wide], strict=True)
    ]


def set_apart(row: Codes) -> Codes:
    """The row with a dark line where two wide runs meet."""
    marks = row // SHADES
    changes = np.flatnonzero(marks[1:] != marks[:-1]) + 1
    if not len(changes):
        return row
    edges = np.r_[0, changes, len(row)]
    widths = np.diff(edges)
    wide = np.minimum(widths[:-1], widths[1:]) >= WIDE_PX
    result = row.copy()
    result[changes[wide]] = SEPARATOR * SHADES
    return result


class Paints:
    """Colours of every mark, shade and place of the pattern, for one look."""

    def __init__(self, theme: Theme) -> None:
        ground = _rgb(theme.timeline.ground)
        table = np.zeros(((SEPARATOR + 1) * SHADES, CELL, CELL, 3), np.float64)
        table[:] = ground
        for mark, style in STYLES.items():
            colour = _rgb(getattr(theme.timeline, style.colour))
            cell = _cell(PATTERNS[style.pattern], colour, ground)
            for shade, part in enumerate(SHADE_OF):
                table[mark * SHADES + shade] = ground + (cell - ground) * part
        whole = np.rint(table).astype(np.uint32)
        opaque = np.uint32(0xFF000000)
        packed = opaque | whole[..., 0] << 16 | whole[..., 1] << 8 | whole[..., 2]
        packed[: int(Mark.SEEN) * SHADES] = 0
        self._table = packed.reshape(-1, CELL * CELL)

    def bar(self, row: Codes, height: int, shift_px: int) -> NDArray[np.uint32]:
        """A bar of a row: uint32 (height, W), premultiplied ARGB. ``shift_px`` moves patterns with
        what they cover."""
        columns = (np.arange(len(row)) + shift_px) % CELL
        lines = [self._table[row, line * CELL + columns] for line in range(min(height, CELL))]
        return np.stack(lines)[np.arange(height) % CELL]

    def swatch(self, mark: Mark, width: int, height: int) -> NDArray[np.uint32]:
        """A patch for the legend."""
        row = np.full(width, mark * SHADES + SHADES - 1, np.uint8)
        return self.bar(row, height, 0)


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
