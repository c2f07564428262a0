"""Packed keypoints keep what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from db.keypoints import BYTES_PER_LANDMARK, STEPS, pack, unpack
from engine.domain.errors import Bug

boxes = hnp.arrays(
    np.int16,
    st.tuples(st.integers(1, 5), st.just(4)),
    elements=st.integers(-2000, 8000),
)
places = st.floats(-0.5, 1.5, width=32)
shares = st.floats(0, 1, width=32)


@given(boxes=boxes, landmarks=st.integers(1, 30), data=st.data())
def test_points_within_half_a_box_are_exact_to_half_a_step(
    boxes: np.ndarray, landmarks: int, data: st.DataObject
) -> None:
    count = len(boxes)
    place = data.draw(hnp.arrays(np.float32, (count, landmarks, 2), elements=places))
    scores = data.draw(hnp.arrays(np.float32, (count, landmarks), elements=shares))
    corner = boxes[:, None, :2].astype(np.float32)
    size = np.maximum(boxes[:, 2:].astype(np.float32) - boxes[:, :2], 1)[:, None, :]
    points = (corner + place * size).astype(np.float32)

    packed = pack(points, scores, boxes)
    assert packed.shape == (count, landmarks * BYTES_PER_LANDMARK)
    back, back_scores = unpack(packed, boxes)

    present = scores > 0
    # Half a step, and what float32 loses at picture coordinates.
    limit_px = size / STEPS + 0.01
    assert (np.abs(back - points) <= limit_px)[present].all()
    coarse = np.where(scores < 1 / 510, 1 / 255, 1 / 510) + 1e-6
    assert (np.abs(back_scores - scores) <= coarse)[present].all()
    assert np.array_equal(back_scores > 0, present)


@given(boxes=boxes, data=st.data())
def test_any_input_packs_without_a_word(boxes: np.ndarray, data: st.DataObject) -> None:
    count = len(boxes)
    anything = st.floats(width=32)
    points = data.draw(hnp.arrays(np.float32, (count, 4, 2), elements=anything))
    scores = data.draw(hnp.arrays(np.float32, (count, 4), elements=anything))
    with np.errstate(all="raise", under="ignore", over="ignore", invalid="ignore"):
        back, back_scores = unpack(pack(points, scores, boxes), boxes)
    assert np.isfinite(back).all()
    assert ((back_scores >= 0) & (back_scores <= 1)).all()
    unusable = ~np.isfinite(points).all(axis=2) | ~(scores > 0)
    assert (back_scores[unusable] == 0).all()


def test_points_far_outside_move_to_the_edge() -> None:
    box = np.array([[100, 100, 200, 300]], np.int16)
    points = np.array([[[-5000, 200], [9000, 9000]]], np.float32)
    back, _ = unpack(pack(points, np.ones((1, 2), np.float32), box), box)
    assert np.allclose(back[0], [[50, 200], [250, 400]], atol=0.05)


def test_the_layout_is_twelve_twelve_eight() -> None:
    box = np.array([[0, 0, 2, 2]], np.int16)
    point = np.array([[[3.0, -1.0]]], np.float32)
    assert pack(point, np.array([[1.0]], np.float32), box).tobytes() == b"\xff\xf0\x00\xff"


def test_no_rows_and_no_landmarks_are_fine() -> None:
    none = np.zeros((0, 4), np.int16)
    packed = pack(np.zeros((0, 26, 2), np.float32), np.zeros((0, 26), np.float32), none)
    assert packed.shape == (0, 104)
    assert unpack(packed, none)[0].shape == (0, 26, 2)


def test_half_a_landmark_is_a_bug() -> None:
    with pytest.raises(Bug):
        unpack(np.zeros((1, 6), np.uint8), np.zeros((1, 4), np.int16))
