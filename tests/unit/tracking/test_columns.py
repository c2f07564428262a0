"""What the tracker computes in few steps agrees with the plain way to compute it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from engine.domain.geometry import FloatArray, iou_matrix
from engine.tracking.assignment import overlaps
from engine.tracking.association import LEAST_OVERLAP, Sightings, Standing, associate, sure_from
from engine.tracking.motion import BoxMotion
from engine.tracking.replay import STEPS

SEEDS = range(12)


def crowd(chance: np.random.Generator, count: int, wide_px: float = 400.0) -> FloatArray:
    """Boxes that partly lie over each other, (count, 4)."""
    corner, size = chance.uniform(0, wide_px, (count, 2)), chance.uniform(60, 160, (count, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


def shaken(chance: np.random.Generator, boxes: FloatArray) -> FloatArray:
    return boxes + chance.normal(0, 6, boxes.shape).astype(np.float32)


def moving(chance: np.random.Generator, count: int) -> tuple[BoxMotion, FloatArray]:
    """Motion that has seen all boxes five times, and where they were last."""
    motion, boxes = BoxMotion(), crowd(chance, count)
    motion.add(boxes)
    for _ in range(5):
        boxes = shaken(chance, boxes + np.float32(4.0))
        motion.predict(0.1, np.zeros(count, np.bool_))
        motion.correct(np.arange(count), boxes, np.full(count, 0.8, np.float32))
    return motion, boxes


@pytest.mark.parametrize("seed", SEEDS)
def test_overlaps_are_those_of_every_pair(seed: int) -> None:
    chance = np.random.default_rng(seed)
    some, others = crowd(chance, 9), crowd(chance, 14)
    others[3] = others[3, [0, 1, 0, 1]]
    assert overlaps(some, others) == pytest.approx(iou_matrix(some, others), abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_are_the_best_whole_of_the_allowed_ones(seed: int) -> None:
    """Tracks that stood still and kept their height: overlap alone is what a pair costs."""
    chance = np.random.default_rng(seed)
    boxes = crowd(chance, 16, 200.0)
    boxes[:, 3] = boxes[:, 1] + np.float32(120.0)
    shifts = chance.normal(0, 12, (13, 2))[:, [0, 1, 0, 1]]
    found = (boxes[chance.permutation(16)[:13]] + shifts).astype(np.float32)
    none = np.zeros(16, np.bool_)
    standing = Standing(
        predicted_xyxy_px=boxes,
        straight_xyxy_px=np.zeros((0, 4), np.float32),
        last_xyxy_px=boxes,
        unseen_s=np.full(16, 0.04, np.float32),
        lost=none,
        confirmed=~none,
        classes=np.zeros(16, np.int16),
        barred=none,
    )
    scores = np.full(13, 0.95, np.float32)
    seen = Sightings(found, scores, np.zeros(13, np.int16), scores >= sure_from(0.5), 0.5)
    rows, picks = associate(standing, seen, None)
    overlap = iou_matrix(boxes, found)
    allowed = overlap >= LEAST_OVERLAP
    best = linear_sum_assignment(np.where(allowed, -overlap, 99.0))
    expected = [
        pair for pair in zip(*(side.tolist() for side in best), strict=True) if allowed[pair]
    ]
    got = list(zip(rows.tolist(), picks.tolist(), strict=True))
    assert [pair for pair in got if allowed[pair]] == expected
    assert allowed.sum() > len(expected), "nobody had a choice"


def test_correcting_some_boxes_leaves_the_others_as_they_were() -> None:
    chance = np.random.default_rng(1)
    motion, boxes = moving(chance, 5)
    motion.predict(0.1, np.zeros(5, np.bool_))
    before = motion.kinematics(np.arange(5)).copy()
    rows = np.array([1, 3])
    motion.correct(rows, shaken(chance, boxes[rows]), np.full(2, 0.9, np.float32))
    after = motion.kinematics(np.arange(5))
    others = [0, 2, 4]
    assert np.array_equal(after[..., others], before[..., others])
    assert (after[0][:, rows] != before[0][:, rows]).all()
    assert motion.unseen_s.tolist() == pytest.approx([0.1, 0.0, 0.1, 0.0, 0.1])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replayed_gap_is_the_filter_led_along_the_line(seed: int) -> None:
    """The filter itself, shown boxes on the line between the ends of the gap, ends the same."""
    chance = np.random.default_rng(seed)
    motion, boxes = moving(chance, 3)
    again, _ = moving(np.random.default_rng(seed), 3)
    nobody, row, gap_s = np.zeros(3, np.bool_), np.array([1]), 0.6
    end = boxes + np.float32(60.0)
    for _ in range(6):
        motion.predict(gap_s / 6, ~nobody)
    motion.replay(row, end[row])
    for step in range(STEPS):
        if step:
            again.correct(np.arange(3), boxes + (end - boxes) * np.float32(step / STEPS))
        again.predict(gap_s / STEPS, nobody)
    assert motion.position[1] == pytest.approx(again.position[1], abs=1e-3)
    assert motion.velocity[1] == pytest.approx(again.velocity[1], abs=1e-3)
    for other in (motion, again):  # the covariances show in what a detection then does
        other.correct(np.arange(3), end + np.float32(9.0))
    assert motion.position[1] == pytest.approx(again.position[1], abs=1e-3)
    assert motion.velocity[1] == pytest.approx(again.velocity[1], abs=1e-3)
