"""The tracker's parts: motion, costs, colours, confidence and appearance."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from engine.tracking.appearance import TrackAppearance
from engine.tracking.assignment import (
    FORBIDDEN,
    assign,
    distances_px,
    pair_costs,
    reach_px,
    size_gate,
)
from engine.tracking.colours import colour_index
from engine.tracking.confidence import track_confidence
from engine.tracking.motion import BoxMotion

BOX = np.array([[100, 100, 220, 190]], np.float32)
ROW = np.array([0])


def test_motion_learns_a_constant_velocity_from_uneven_steps() -> None:
    motion = BoxMotion()
    motion.add(BOX)
    now_s = 0.0
    for dt in [0.1, 0.04, 0.3, 0.12] * 10:
        now_s += dt
        motion.predict(dt, np.zeros(1, np.bool_))
        motion.correct(ROW, BOX + np.float32([80, -20, 80, -20]) * np.float32(now_s))
    assert motion.velocity[0, :2] == pytest.approx([80, -20], abs=1.0)
    predicted = motion.predict(0.7, np.zeros(1, np.bool_))
    moved = np.array([80, -20, 80, -20]) * (now_s + 0.7)
    assert predicted[0] == pytest.approx(BOX[0] + moved, abs=2.0)


def test_an_unseen_box_comes_to_rest() -> None:
    motion = BoxMotion()
    motion.add(BOX)
    motion.velocity[0, 0] = 100.0
    motion.predict(7.0, np.ones(1, np.bool_))
    assert abs(motion.velocity[0, 0]) < 0.01


def test_the_cheapest_whole_is_taken_and_dear_pairs_are_left() -> None:
    costs = np.array([[0.1, 0.2], [0.2, 0.9]], np.float32)
    rows, columns = assign(np.where(costs <= 0.8, costs, FORBIDDEN))
    assert list(zip(rows, columns, strict=True)) == [(0, 1), (1, 0)]
    rows, columns = assign(np.where([[True, False], [False, False]], costs, FORBIDDEN))
    assert list(zip(rows, columns, strict=True)) == [(0, 0)]
    rows, _ = assign(np.full((2, 2), FORBIDDEN))
    assert len(rows) == 0


def test_the_gate_refuses_leaps_and_sudden_sizes() -> None:
    others = np.array([[110, 100, 230, 190], [900, 100, 1020, 190], [0, 0, 600, 450]], np.float32)
    apart = distances_px(BOX, others)
    assert (apart[0] <= reach_px(BOX, np.float32([0.1]), 1.0)).tolist() == [True, False, False]
    assert (apart[0] <= reach_px(BOX, np.float32([0.6]), 2.0)).tolist() == [True, False, True]
    assert size_gate(BOX, others).tolist() == [[True, True, False]]


def test_costs_weigh_overlap_and_appearance() -> None:
    costs = pair_costs(np.zeros((1, 1), np.float32), np.array([[0.5]], np.float32), 0.3, 0.7)
    assert costs[0, 0] == pytest.approx(0.35)
    unknown = pair_costs(np.zeros((1, 1), np.float32), np.array([[np.nan]], np.float32), 0.3, 0.7)
    assert unknown[0, 0] == pytest.approx(0.0)


def test_a_colour_is_stable_and_avoids_taken_ones() -> None:
    identity = UUID(int=12345)
    own = colour_index(identity)
    assert colour_index(identity) == own
    assert colour_index(identity, [own]) == (own + 1) % 10
    assert colour_index(identity, range(10)) == own


def test_confidence_grows_with_length_and_falls_with_impossible_speed() -> None:
    score, speeds = np.full(3, 0.9, np.float32), np.array([0, 0, 20], np.float32)
    hits = np.array([1, 20, 20], np.float32)
    young, old, fast = track_confidence(score, hits, None, speeds)
    assert young < old
    assert fast < old
    assert old == pytest.approx((0.9 + 1 + 1) / 3)


def test_appearance_is_a_running_unit_mean() -> None:
    looks = TrackAppearance()
    looks.add(1, np.array([[1, 0]], np.float32))
    looks.blend(ROW, np.array([[0, 1]], np.float32))
    assert np.linalg.norm(looks.vectors[0]) == pytest.approx(1.0)
    assert looks.vectors[0, 0] / looks.vectors[0, 1] == pytest.approx(4.0)
    assert looks.agreement[0] == pytest.approx(0.8)
    assert looks.similarity(np.ones((1, 3), np.float32)) is None
