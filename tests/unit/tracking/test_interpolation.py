"""Between two analysed pictures things move in straight lines, for half a second at most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import Bug
from engine.tracking.interpolation import Keyframe, between, fill_gaps

BEFORE = Keyframe(
    1.0,
    np.array([7, 3]),
    np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32),
    np.array([[[1, 1], [2, 2]], [[5, 5], [6, 6]]], np.float32),
    np.array([[0.9, 0.2], [0.8, 0.8]], np.float32),
)
AFTER = Keyframe(
    1.4,
    np.array([3, 9]),
    np.array([[90, 50, 100, 60], [0, 0, 4, 4]], np.float32),
    np.array([[[9, 5], [6, 6]], [[0, 0], [0, 0]]], np.float32),
    np.array([[0.4, 0.9], [0.5, 0.5]], np.float32),
)


def test_what_both_show_moves_in_a_straight_line() -> None:
    found = between(BEFORE, AFTER, 1.1)
    assert found.ids.tolist() == [3]
    assert found.boxes_xyxy_px[0] == pytest.approx([60, 50, 70, 60])
    assert found.keypoints_px is not None
    assert found.keypoint_scores is not None
    assert found.keypoints_px[0].ravel() == pytest.approx([6, 5, 6, 6])
    assert found.keypoint_scores[0] == pytest.approx([0.4, 0.8])


def test_keyframes_stay_as_they_are_and_nothing_is_extrapolated() -> None:
    assert between(BEFORE, AFTER, 1.0) is BEFORE
    assert between(BEFORE, AFTER, 1.4) is AFTER
    assert len(between(BEFORE, AFTER, 0.9).ids) == 0
    assert len(between(BEFORE, AFTER, 1.5).ids) == 0


def test_longer_gaps_are_left_open() -> None:
    late = Keyframe(1.51, AFTER.ids, AFTER.boxes_xyxy_px)
    assert len(between(BEFORE, late, 1.2).ids) == 0
    assert len(between(BEFORE, late, 1.2, longest_s=1.0).ids) == 1


def test_poses_may_be_missing_in_one_of_the_pictures() -> None:
    bare = Keyframe(1.4, AFTER.ids, AFTER.boxes_xyxy_px)
    assert between(BEFORE, bare, 1.2).keypoints_px is None


def test_columns_of_different_lengths_are_a_bug() -> None:
    with pytest.raises(Bug):
        Keyframe(0.0, np.array([1]), np.zeros((2, 4), np.float32))
    with pytest.raises(Bug):
        Keyframe(0.0, np.array([1]), np.zeros((1, 4), np.float32), np.zeros((1, 5, 2), np.float32))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), unique=True), st.integers(1, 10))
def test_filling_gaps_agrees_with_interpolating_each_picture(
    sightings: list[tuple[int, int]], longest: int
) -> None:
    times_s = np.cumsum(np.random.default_rng(1).uniform(0.05, 0.2, 31))
    pictures = np.array([p for p, _ in sightings], np.int64)
    ids = np.array([i for _, i in sightings], np.int64)
    boxes = np.random.default_rng(2).uniform(0, 100, (len(ids), 4)).astype(np.float32)
    longest_s = longest / 10
    filled = fill_gaps(times_s, pictures, ids, boxes, longest_s)
    got = {
        (int(p), int(i)): box
        for p, i, box in zip(filled.pictures, filled.ids, filled.boxes_xyxy_px, strict=True)
    }
    assert len(got) == len(filled.ids)
    expected = {}
    for one in set(ids.tolist()):
        rows = np.flatnonzero(ids == one)
        rows = rows[np.argsort(pictures[rows])]
        frames = [Keyframe(times_s[pictures[r]], ids[r : r + 1], boxes[r : r + 1]) for r in rows]
        for first, second, a, b in zip(frames, frames[1:], rows, rows[1:], strict=False):
            for picture in range(pictures[a] + 1, pictures[b]):
                middle = between(first, second, times_s[picture], longest_s)
                for box in middle.boxes_xyxy_px:
                    expected[picture, one] = box
    assert got.keys() == expected.keys()
    for key, box in expected.items():
        assert got[key] == pytest.approx(box, abs=1e-3)
