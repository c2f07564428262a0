"""What corrected landmarks tell of a body's posture: head, back and centre of mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.motion.body_plan import BodyPlan

EYE_TO_POLL = 0.13
NECK_TO_WITHERS = 0.164
"""How far the poll lies over the eyes, and the withers over the base of the neck, in heights at the
withers: medians over 947 and 967 poses of ridden horses seen from the side."""
LEAST_MASS = 0.5
"""Landmarks that carry this share of the mass must be seen."""

Bools = NDArray[np.bool_]


def centres_of_mass(
    points: FloatArray, believed: Bools, middle: FloatArray, plan: BodyPlan
) -> FloatArray:
    """Centres of mass (n, 2) px from the landmarks seen, each with the mass around it
    (``body_plan``); the trunk's middle where less than half of the mass is seen."""
    mass = believed * plan.mass
    total = mass.sum(axis=1)
    centres = np.einsum("nk,nkd->nd", mass, points) / np.maximum(total, 1e-6)[:, None]
    return np.where(total[:, None] >= LEAST_MASS, centres, middle).astype(np.float32)


def head_heights(
    points: FloatArray, believed: Bools, scales_px_m: FloatArray, heights_m: FloatArray,
    plan: BodyPlan,
) -> FloatArray:  # fmt: skip
    """Poll over withers in metres (n,), NaN where either is not seen.

    AP-10K has neither: its eyes and its base of the neck stand for them, moved by the usual
    distances.
    """
    if not len(plan.head) or plan.withers < 0:
        return np.full(len(points), np.nan, np.float32)
    seen = believed[:, plan.head]
    count = seen.sum(axis=1)
    rows = (points[:, plan.head, 1] * seen).sum(axis=1) / np.maximum(count, 1)
    over = (points[:, plan.withers, 1] - rows) / scales_px_m
    if not plan.true_withers:
        over = over + (EYE_TO_POLL - NECK_TO_WITHERS) * heights_m
    known = (count > 0) & believed[:, plan.withers]
    return np.where(known, over, np.nan).astype(np.float32)


def trunk_slopes(points: FloatArray, believed: Bools, plan: BodyPlan) -> FloatArray:
    """How far the back is from level in the picture, degrees (n,) in 0..90."""
    along = np.abs(points[:, plan.withers] - points[:, plan.tail])
    known = believed[:, plan.withers] & believed[:, plan.tail]
    return np.where(known, np.degrees(np.arctan2(along[:, 1], along[:, 0])), np.nan).astype(
        np.float32
    )
