"""Drawn horses for training: exact labels at a low weight, the same for the same seed."""

from __future__ import annotations

import numpy as np

from engine.training.pose_data import CROP_PX
from engine.training.pose_training import measured_sources
from engine.training.simulated_poses import LEAST_LANDMARKS, SEEN_WEIGHT, simulated_pose_set


def test_drawn_horses_are_labelled_and_the_same_again() -> None:
    first, again = simulated_pose_set(6, seed=3), simulated_pose_set(6, seed=3)
    assert len(first) >= 6 and first.groups == again.groups
    assert np.array_equal(first.crops, again.crops)
    assert np.array_equal(first.landmarks, again.landmarks)
    weights = first.landmarks[:, :, 2]
    assert weights.max() == SEEN_WEIGHT
    assert ((weights == SEEN_WEIGHT).sum(axis=1) >= LEAST_LANDMARKS).all()
    for marks, box in zip(first.landmarks, first.boxes_xyxy_px, strict=True):
        seen = marks[marks[:, 2] == SEEN_WEIGHT, :2]
        assert (seen >= box[:2] - 12).all() and (seen <= box[2:] + 12).all()
        assert (seen > 0).all() and (seen < CROP_PX).all()


def test_they_are_never_measured_against() -> None:
    assert measured_sources(simulated_pose_set(3, seed=5)) == ()
