"""A tile of the timeline made ready for painting, on the worker that read it. No Qt.

Runs are put in order by lane and kind, overlapping ones (a horse on two cameras) are cut so that
one is on top at every instant, sums are stacked, and what each horse does is worked out from its
gait, action and posture, so that painting is a look-up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from engine.domain.behaviour import LaneKind, TimelineRuns
from ui.timeline.marks import ACTIONS, GAITS, POSTURES, Mark, activity, mark_of
from ui.timeline.stacks import Stack, activity_stack, stacked

KINDS = tuple(LaneKind)
ACTIVITY = "activity"
"""The lane that says what a horse does, made of the others."""
Row = LaneKind | str
FULL = 0.999
"""Runs of a smaller share are sums."""


@dataclass(frozen=True, slots=True)
class Runs:
    """One row of a tile: N runs that do not overlap, rising. start_us, end_us: int64 (N,). mark:
    uint8 (N,) of Mark. share: float32 (N,), part of the run's time that it really took. value:
    int16 (N,), index into ``words``, -1 where the mark was worked out."""

    start_us: NDArray[np.int64]
    end_us: NDArray[np.int64]
    mark: NDArray[np.uint8]
    share: NDArray[np.float32]
    value: NDArray[np.int16]
    words: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.start_us)

    def at(self, at_us: int) -> int | None:
        """Index of the run at an instant, None where there is none."""
        index = int(np.searchsorted(self.start_us, at_us, "right")) - 1
        return index if index >= 0 and at_us < self.end_us[index] else None


@dataclass(frozen=True, slots=True)
class LaneTile:
    """Rows by whose lane they are and what they tell. ``dark``: when no camera gave a picture.
    ``cameras``: which lanes are of cameras. ``exact``: nothing was summed up."""

    rows: Mapping[tuple[UUID, Row], Runs | Stack]
    dark: Runs
    cameras: frozenset[UUID]
    exact: bool

    @property
    def step_us(self) -> int:
        """Length of the steps it is summed up in, 0 where nothing is."""
        stacks = (row for row in self.rows.values() if isinstance(row, Stack) and len(row))
        stack = next(stacks, None)
        return int(np.median(stack.end_us - stack.start_us)) if stack is not None else 0


def prepare(runs: TimelineRuns, horses: Collection[UUID], cameras: Collection[UUID]) -> LaneTile:
    """Put what the store answered in order; ``horses`` get a row of what they do."""
    rows = _rows(runs)
    dark = _dark([_plain(rows.get((camera, LaneKind.NO_DATA))) for camera in cameras])
    for horse in horses:
        known = {kind: rows[horse, kind] for kind in KINDS if (horse, kind) in rows}
        done = _doing(known, dark)
        if done is not None and len(done):
            rows[horse, ACTIVITY] = done
    return LaneTile(rows, dark, frozenset(cameras), runs.exact)


def _plain(row: Runs | Stack | None) -> Runs | None:
    return row if isinstance(row, Runs) else None


def _doing(known: Mapping[LaneKind, Runs | Stack], dark: Runs) -> Runs | Stack | None:
    """What a horse does: run by run, or a stack where anything of it was summed up."""
    if not any(isinstance(row, Stack) for row in known.values()):
        return _activity({kind: _plain(known.get(kind)) for kind in KINDS}, dark)
    every = {LaneKind.NO_DATA: _stack(dark)} if len(dark) else {}
    for kind, row in known.items():
        every[kind] = row if isinstance(row, Stack) else _stack(row)
    return activity_stack(every)


def _stack(runs: Runs) -> Stack:
    return stacked(runs.start_us, runs.end_us, runs.mark, runs.share)


def _rows(runs: TimelineRuns) -> dict[tuple[UUID, Row], Runs | Stack]:
    if not len(runs):
        return {}
    order = np.lexsort((runs.start_us, runs.kind, runs.lane))
    group = runs.lane[order].astype(np.int64) * len(KINDS) + runs.kind[order]
    firsts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    marks = np.array(
        [[mark_of(kind, word) for word in runs.values] for kind in KINDS], np.uint8
    ).reshape(len(KINDS), max(len(runs.values), 1))
    found: dict[tuple[UUID, Row], Runs | Stack] = {}
    for first, last in zip(firsts, [*firsts[1:], len(order)], strict=True):
        part = order[first:last]
        kind = int(runs.kind[part[0]])
        value = runs.value[part]
        row = Runs(
            runs.start_us[part],
            runs.end_us[part],
            marks[kind][value],
            runs.share[part],
            value,
            runs.values,
        )
        keep = (row.mark != Mark.NOTHING) & (row.end_us > row.start_us)
        row = _picked(row, keep)
        summed = bool((row.share < FULL).any())
        found[runs.lanes[int(runs.lane[part[0]])], KINDS[kind]] = (
            _stack(row) if summed else on_top(row)
        )
    return found


def _picked(runs: Runs, which: NDArray[np.bool_] | NDArray[np.intp]) -> Runs:
    return Runs(
        runs.start_us[which],
        runs.end_us[which],
        runs.mark[which],
        runs.share[which],
        runs.value[which],
        runs.words,
    )


def on_top(runs: Runs) -> Runs:
    """Runs without overlap: at every instant the one that began last (the longer one goes on when
    the shorter one is over)."""
    if len(runs) < 2 or not (np.maximum.accumulate(runs.end_us)[:-1] > runs.start_us[1:]).any():
        return runs
    pieces: list[tuple[int, int, int]] = []
    under: list[int] = []
    starts, ends = runs.start_us.tolist(), runs.end_us.tolist()
    at = starts[0]

    def until(limit: int | None) -> None:
        """Hand out what is on the pile up to an instant."""
        nonlocal at
        while under and (limit is None or at < limit):
            top = under[-1]
            if ends[top] <= at:
                under.pop()
                continue
            last = ends[top] if limit is None else min(ends[top], limit)
            pieces.append((top, at, last))
            at = last

    for index, start in enumerate(starts):
        until(start)
        at = start
        under.append(index)
    until(None)
    which = np.array([piece[0] for piece in pieces], np.intp)
    cut = _picked(runs, which)
    bounds = np.array([piece[1:] for piece in pieces], np.int64)
    return Runs(bounds[:, 0], bounds[:, 1], cut.mark, cut.share, cut.value, cut.words)


@cache
def _activities() -> NDArray[np.uint8]:
    """Mark by (seen, gait, action, posture)."""
    size = len(Mark)
    table = np.zeros((2, size, size, size), np.uint8)
    gaits, actions, postures = (
        (Mark.NOTHING, *known.values()) for known in (GAITS, ACTIONS, POSTURES)
    )
    for seen, gait, action, posture in product((0, 1), gaits, actions, postures):
        table[seen, gait, action, posture] = activity(Mark(seen), gait, action, posture)
    return table


def _activity(kinds: Mapping[LaneKind, Runs | None], dark: Runs) -> Runs:
    """What a horse does, from every row about it; no data where it was not seen because no camera
    saw anything."""
    known = {kind: runs for kind, runs in kinds.items() if runs is not None and len(runs)}
    told = [LaneKind.SEEN, LaneKind.GAIT, LaneKind.ACTION, LaneKind.POSTURE]
    layers = [known.get(kind) for kind in told]
    unseen = known.get(LaneKind.NO_DATA, dark)
    present = [runs for runs in (*layers, unseen) if runs is not None and len(runs)]
    if not present:
        return _empty()
    edges = np.unique(np.concatenate([e for r in present for e in (r.start_us, r.end_us)]))
    starts = edges[:-1]
    marks = [_at(runs, starts) for runs in layers]
    seen = (marks[0] != 0).astype(np.intp)
    mark = _activities()[seen, marks[1], marks[2], marks[3]]
    nothing = mark == Mark.NOTHING
    mark[nothing & (_at(unseen, starts) != 0)] = Mark.NO_DATA
    return _joined(starts, edges[1:], mark)


def _at(runs: Runs | None, at_us: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Marks of a row at instants, NOTHING between its runs."""
    if runs is None or not len(runs):
        return np.zeros(len(at_us), np.uint8)
    index = np.searchsorted(runs.start_us, at_us, "right") - 1
    inside = (index >= 0) & (at_us < runs.end_us[index])
    return np.where(inside, runs.mark[index], 0).astype(np.uint8)


def _joined(starts: NDArray[np.int64], ends: NDArray[np.int64], mark: NDArray[np.uint8]) -> Runs:
    """Neighbours of the same mark made one, empty ones left out."""
    firsts = np.flatnonzero(np.r_[True, mark[1:] != mark[:-1]])
    lasts = np.r_[firsts[1:] - 1, len(mark) - 1]
    keep = mark[firsts] != Mark.NOTHING
    firsts, lasts = firsts[keep], lasts[keep]
    value = np.full(len(firsts), -1, np.int16)
    share = np.ones(len(firsts), np.float32)
    return Runs(starts[firsts], ends[lasts], mark[firsts], share, value, ())


def _dark(cameras: list[Runs | None]) -> Runs:
    """When none of the cameras gave pictures; nothing when one of them is not told about."""
    layers = [runs for runs in cameras if runs is not None and len(runs)]
    if not cameras or len(layers) < len(cameras):
        return _empty()
    edges = np.unique(np.concatenate([e for r in layers for e in (r.start_us, r.end_us)]))
    starts = edges[:-1]
    every = np.all([_at(runs, starts) != 0 for runs in layers], axis=0)
    mark = np.where(every, Mark.NO_DATA, Mark.NOTHING).astype(np.uint8)
    return _joined(starts, edges[1:], mark)


def _empty() -> Runs:
    return Runs(
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        np.zeros(0, np.uint8),
        np.zeros(0, np.float32),
        np.zeros(0, np.int16),
        (),
    )
