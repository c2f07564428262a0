"""Intervals of lanes as columns: overlaps resolved, cut into steps and summed up."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Intervals:
    """N stretches of lanes' time. ``lane``, ``kind``, ``value``: int64 (N,) numbers of the caller's
    choice. ``start_us``, ``end_us``: int64 (N,). ``rank``: float32 (N,); where two of one lane and
    kind overlap the higher one holds."""

    lane: IntArray
    kind: IntArray
    value: IntArray
    start_us: IntArray
    end_us: IntArray
    rank: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.lane)

    def take(self, chosen: NDArray[np.bool_] | IntArray) -> Intervals:
        """Some of the rows, by mask or position."""
        return Intervals(
            self.lane[chosen], self.kind[chosen], self.value[chosen], self.start_us[chosen],
            self.end_us[chosen], self.rank[chosen],
        )  # fmt: skip

    def cut(self, from_us: int, to_us: int) -> Intervals:
        """What lies between two instants; empty rows are left out."""
        start, end = np.maximum(self.start_us, from_us), np.minimum(self.end_us, to_us)
        cut = Intervals(self.lane, self.kind, self.value, start, end, self.rank)
        return cut.take(start < end)


def joined(*parts: Intervals) -> Intervals:
    """All rows of several."""
    return Intervals(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Intervals.__slots__)
    )


def _clusters(rows: Intervals) -> tuple[Intervals, IntArray]:
    """The rows by lane, kind and start, and the number of each one's cluster: rows of one lane and
    kind that hang together."""
    rows = rows.take(np.lexsort((rows.start_us, rows.kind, rows.lane)))
    if not len(rows):
        return rows, np.zeros(0, np.int64)
    fresh = np.r_[True, (np.diff(rows.lane) != 0) | (np.diff(rows.kind) != 0)]
    group = np.cumsum(fresh) - 1
    base = int(rows.start_us.min())
    span = int(rows.end_us.max()) - base + 1
    # Groups laid end to end, so that one running maximum serves all of them.
    reach = np.maximum.accumulate(rows.end_us - base + group * span)
    begins = np.r_[True, (rows.start_us - base + group * span)[1:] >= reach[:-1]]
    return rows, np.cumsum(begins) - 1


def union(rows: Intervals) -> Intervals:
    """Rows of one lane and kind that overlap or touch as one; the value of the first is kept."""
    rows, cluster = _clusters(rows)
    if not len(rows):
        return rows
    first = np.flatnonzero(np.r_[True, np.diff(cluster) != 0])
    ends = np.maximum.reduceat(rows.end_us, first)
    starts = rows.start_us[first]
    head = rows.take(first)
    touching = np.r_[
        False,
        (starts[1:] == ends[:-1])
        & (head.lane[1:] == head.lane[:-1])
        & (head.kind[1:] == head.kind[:-1]),
    ]
    keep = np.flatnonzero(~touching)
    return Intervals(
        head.lane[keep], head.kind[keep], head.value[keep], starts[keep],
        np.maximum.reduceat(ends, keep), head.rank[keep],
    )  # fmt: skip


def resolved(rows: Intervals) -> Intervals:
    """Rows of one lane and kind made free of overlaps: at every instant the highest rank holds."""
    rows, cluster = _clusters(rows)
    if not len(rows):
        return rows
    sizes = np.bincount(cluster)
    alone = sizes[cluster] == 1
    if alone.all():
        return rows
    rest = np.flatnonzero(~alone)
    edges = np.flatnonzero(np.diff(cluster[rest])) + 1
    where: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    start_us, end_us, rank = rows.start_us.tolist(), rows.end_us.tolist(), rows.rank.tolist()
    for part in np.split(rest, edges):
        _sweep(part.tolist(), start_us, end_us, rank, where, starts, ends)
    chosen = rows.take(np.array(where, np.int64))
    swept = Intervals(
        chosen.lane, chosen.kind, chosen.value, np.array(starts, np.int64),
        np.array(ends, np.int64), chosen.rank,
    )  # fmt: skip
    both = joined(rows.take(alone), swept)
    return both.take(np.lexsort((both.start_us, both.kind, both.lane)))


def _sweep(
    places: list[int],
    start_us: list[int],
    end_us: list[int],
    rank: list[float],
    where: list[int],
    starts: list[int],
    ends: list[int],
) -> None:
    """Pieces of one cluster (places by start) appended to the three lists."""
    waiting: list[tuple[float, int]] = []
    at, index = start_us[places[0]], 0
    while index < len(places) or waiting:
        if not waiting:
            at = max(at, start_us[places[index]])
        while index < len(places) and start_us[places[index]] <= at:
            heapq.heappush(waiting, (-rank[places[index]], places[index]))
            index += 1
        best = waiting[0][1]
        if end_us[best] <= at:
            heapq.heappop(waiting)
            continue
        until = end_us[best]
        if index < len(places):
            until = min(until, start_us[places[index]])
        if where and where[-1] == best and ends[-1] == at:
            ends[-1] = until
        else:
            where.append(best)
            starts.append(at)
            ends.append(until)
        at = until


def in_steps(rows: Intervals, edges_us: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Rows cut at rising edges: row number, step number and microseconds of every piece. What lies
    outside the edges is left out."""
    inside = (rows.end_us > edges_us[0]) & (rows.start_us < edges_us[-1])
    place = np.flatnonzero(inside)
    start = np.maximum(rows.start_us[place], edges_us[0])
    end = np.minimum(rows.end_us[place], edges_us[-1])
    first = np.searchsorted(edges_us, start, "right") - 1
    last = np.searchsorted(edges_us, end, "left") - 1
    counts = np.maximum(last - first + 1, 0)
    row = np.repeat(place, counts)
    begins = np.cumsum(counts) - counts
    step = np.repeat(first - begins, counts) + np.arange(int(counts.sum()))
    from_us = np.maximum(rows.start_us[row], edges_us[step])
    to_us = np.minimum(rows.end_us[row], edges_us[step + 1])
    return row, step, to_us - from_us
