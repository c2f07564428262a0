"""Tracks of the lane and stored tracks: who is who, through gaps, swaps and people's edits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from engine.domain.frames import FrameStamp
from engine.domain.ids import new_stream_id
from engine.reanalysis.columns import Columns, columns_of, with_edits, without_gaps
from engine.reanalysis.matching import Reference, stored_tracks
from engine.reanalysis.sightings import Sighting
from engine.reanalysis.stored import CORRECTED, DELETED

START = datetime(2025, 6, 1, tzinfo=UTC)
STREAM = new_stream_id()
FPS = 25.0


def box(x: float) -> list[float]:
    return [x, 100.0, x + 80.0, 200.0]


def sighting(index: int, seen: dict[int, float], class_id: int = 0) -> Sighting:
    """Horses by the lane's numbers, with where their boxes begin."""
    t_s, count = index / FPS, len(seen)
    stamp = FrameStamp(STREAM, index, START + timedelta(seconds=t_s), t_s, t_s)
    return Sighting(
        stamp, 640, 360, np.array(list(seen), np.int64), np.full(count, class_id, np.int16),
        np.array([box(x) for x in seen.values()], np.float32).reshape(count, 4),
        np.full(count, 0.9, np.float32), np.full(count, 0.8, np.float32), np.ones(count, np.bool_),
        None,
    )  # fmt: skip


def rows(stored: Sequence[tuple[float, int, float]], class_id: int = 0) -> Reference:
    """Stored rows: instant, stored track, where the box begins."""
    return Reference(
        np.array([t for t, _, _ in stored], np.float64),
        np.array([track for _, track, _ in stored], np.int64),
        np.full(len(stored), class_id, np.int16),
        np.array([box(x) for _, _, x in stored], np.float32).reshape(len(stored), 4),
    )


def names(sightings: Sequence[Sighting], reference: Reference) -> list[list[int]]:
    return [found.tolist() for found in stored_tracks(sightings, reference)]


def test_tracks_are_paired_by_where_they_are() -> None:
    seen = [sighting(i, {7: 10.0 + i, 3: 300.0 - i}) for i in range(20)]
    stored = [
        (i / FPS, track, x) for i in range(0, 20, 5) for track, x in ((0, 300 - i), (1, 10 + i))
    ]
    assert names(seen, rows(stored)) == [[1, 0]] * 20


def test_a_track_that_the_live_lane_lost_is_another_one_later() -> None:
    seen = [sighting(i, {1: 10.0 + i}) for i in range(60)]
    stored = [(i / FPS, 0 if i < 30 else 4, 10.0 + i) for i in range(0, 60, 3)]
    found = [row[0] for row in names(seen, rows(stored))]
    assert found[:25] == [0] * 25 and found[35:] == [4] * 25
    assert sorted(found) == found


def test_one_wrong_vote_changes_nothing() -> None:
    seen = [sighting(i, {1: 10.0}) for i in range(40)]
    stored = [(i / FPS, 9 if i == 20 else 2, 10.0) for i in range(0, 40, 4)]
    assert names(seen, rows(stored)) == [[2]] * 40


def test_what_the_live_lane_never_saw_is_nobody() -> None:
    seen = [sighting(i, {1: 10.0, 2: 400.0}) for i in range(10)]
    found = names(seen, rows([(0.0, 0, 10.0), (0.2, 0, 10.0)]))
    assert found == [[0, -1]] * 10
    far = [sighting(i, {1: 10.0}) for i in range(100)]
    assert names(far, rows([(0.0, 0, 10.0)]))[-1] == [-1]
    assert names(seen, rows([])) == [[-1, -1]] * 10
    assert names([], rows([(0.0, 0, 10.0)])) == []


def test_a_person_is_never_a_horse() -> None:
    seen = [sighting(i, {1: 10.0}, class_id=1) for i in range(5)]
    assert names(seen, rows([(0.0, 0, 10.0)])) == [[-1]] * 5


def test_one_stored_track_is_one_track_of_a_picture() -> None:
    seen = [sighting(0, {1: 10.0, 2: 12.0})]
    assert sorted(names(seen, rows([(0.0, 0, 10.0)]))[0]) == [-1, 0]


# --- edits and gaps ------------------------------------------------------------------------------


def columns(seen: Sequence[Sighting], track: int = 0) -> Columns:
    named = [np.zeros(len(one.numbers), np.int64) + track for one in seen]
    return columns_of(seen, named)


def edited(
    seen: Sequence[Sighting], stored: Sequence[tuple[float, int, float]], flags: Sequence[int]
) -> dict[int, float]:
    """Where the boxes of stored track 0 begin, by picture."""
    times = np.array([one.stamp.captured_mono_s for one in seen])
    found = with_edits(columns(seen), times, rows(stored), np.array(flags, np.int16))
    return {index: float(one.box_xyxy_px[0]) for index, one in found.get(0, {}).items()}


def test_a_deleted_row_takes_the_pictures_around_it() -> None:
    seen = [sighting(i, {1: 10.0}) for i in range(25)]
    stored = [(0.0, 0, 10.0), (0.39, 0, 10.0), (0.8, 0, 10.0)]
    left = edited(seen, stored, [0, CORRECTED | DELETED, 0])
    assert sorted(left) == [*range(5), *range(15, 25)]


def test_a_moved_box_is_where_the_person_put_it() -> None:
    seen = [sighting(i, {1: 10.0}) for i in range(10)]
    left = edited(seen, [(0.0, 0, 10.0), (0.2, 0, 60.0)], [0, CORRECTED])
    assert left[5] == 60.0 and left[4] == left[6] == 10.0


def test_an_added_box_stands_where_the_lane_saw_nothing() -> None:
    seen = [sighting(i, {}) for i in range(10)]
    assert edited(seen, [(0.2, 0, 60.0)], [CORRECTED]) == {5: 60.0}


@pytest.mark.parametrize(("missing", "filled"), [(range(5, 10), True), (range(5, 20), False)])
def test_short_gaps_are_filled_on_a_line(missing: range, filled: bool) -> None:
    seen = [sighting(i, {} if i in missing else {1: 10.0 + i}) for i in range(25)]
    times = np.array([one.stamp.captured_mono_s for one in seen])
    found, put_in = without_gaps(columns(seen)[0], times)
    assert put_in == (frozenset(missing) if filled else frozenset())
    for index, one in found.items():
        assert float(one.box_xyxy_px[0]) == pytest.approx(10.0 + index)


def test_what_a_person_emptied_stays_empty() -> None:
    seen = [sighting(i, {} if i in (5, 6) else {1: 10.0}) for i in range(10)]
    times = np.array([one.stamp.captured_mono_s for one in seen])
    found, _ = without_gaps(columns(seen)[0], times, blocked=frozenset({5}))
    assert 5 not in found and 6 in found
