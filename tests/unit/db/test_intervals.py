"""Overlaps, unions and steps against a picture of every microsecond."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from db.intervals import Intervals, in_steps, joined, resolved, union

LENGTH = 60
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 2), st.integers(0, 50),
              st.integers(1, 9)),
    max_size=12,
)  # fmt: skip


def intervals(rows: list[tuple[int, int, int, int, int]]) -> Intervals:
    columns = np.array(rows, np.int64).reshape(-1, 5)
    lane, kind, value, start, length = columns.T
    return Intervals(lane, kind, value, start, start + length, np.arange(len(rows), dtype="f4"))


def painted(rows: Intervals, lane: int, kind: int) -> list[int]:
    """The value of the highest rank at every instant, -1 where there is none."""
    canvas = np.full(LENGTH, -1)
    for place in np.argsort(rows.rank, kind="stable"):
        if rows.lane[place] == lane and rows.kind[place] == kind:
            canvas[rows.start_us[place] : rows.end_us[place]] = rows.value[place]
    return canvas.tolist()


@settings(max_examples=150)
@given(ROWS)
def test_the_highest_rank_holds_and_nothing_overlaps(
    rows: list[tuple[int, int, int, int, int]],
) -> None:
    given_rows, found = intervals(rows), resolved(intervals(rows))
    one = union(given_rows)
    for lane in (0, 1):
        for kind in (0, 1):
            want = painted(given_rows, lane, kind)
            assert painted(found, lane, kind) == want
            mine = (found.lane == lane) & (found.kind == kind)
            covered = int((found.end_us - found.start_us)[mine].sum())
            assert covered == sum(value >= 0 for value in want)
            whole = one.take((one.lane == lane) & (one.kind == kind))
            seen = [value >= 0 for value in painted(whole, lane, kind)]
            assert seen == [value >= 0 for value in want]
            assert bool((whole.start_us[1:] > whole.end_us[:-1]).all())


@settings(max_examples=100)
@given(ROWS, st.lists(st.integers(0, LENGTH), min_size=2, max_size=6, unique=True))
def test_steps_hold_what_of_each_row_lies_in_them(
    rows: list[tuple[int, int, int, int, int]], edges: list[int]
) -> None:
    given_rows, bounds = intervals(rows), np.array(sorted(edges), np.int64)
    row, step, length_us = in_steps(given_rows, bounds)
    assert bool((length_us > 0).all())
    found = dict(zip(zip(row.tolist(), step.tolist(), strict=True), length_us.tolist(),
                     strict=True))  # fmt: skip
    for place in range(len(given_rows)):
        for number in range(len(bounds) - 1):
            start = max(int(given_rows.start_us[place]), int(bounds[number]))
            end = min(int(given_rows.end_us[place]), int(bounds[number + 1]))
            assert found.get((place, number), 0) == max(end - start, 0)


def test_cutting_and_joining() -> None:
    rows = intervals([(0, 0, 1, 0, 9), (1, 0, 2, 20, 5)])
    assert len(rows.cut(4, 20)) == 1 and int(rows.cut(4, 20).start_us[0]) == 4
    assert len(joined(rows, rows)) == 4
    nothing = intervals([])
    assert len(resolved(nothing)) == len(union(nothing)) == len(joined(nothing)) == 0
