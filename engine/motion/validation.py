"""Which landmarks of a pose can be believed, and what to put in place of those that cannot.

Everything is asked in body positions (see ``track_memory``): trunk movement and size are removed,
so a walking horse is no outlier. A landmark is taken for an error when the model is unsure of it,
when it lies far both from where it has been and from where it could have gone, or when it breaks
the anatomy and the model is not quite sure of it. What breaks the anatomy with certainty is
reported and left alone: foreshortening does that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.motion.angles import angle_indices, signed_angles_of
from engine.motion.body_plan import BodyPlan
from engine.settings import SkeletonLimits

Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]

FEWEST_EARLIER = 3
"""Earlier positions needed before a landmark can be an outlier (specification: engine, Pose)."""
ACCEPT_AFTER = 2
"""So many errors in a row are believed: the horse has really gone there."""
NOISE_UNITS = 0.02
"""Standard deviation of a good landmark, body units: 3 cm on a horse 1.60 m tall."""
SURE = 0.2
"""Landmarks above the limit of confidence by this are not corrected for breaking the anatomy."""
SIDE_ON_UNITS = 0.42
"""Spine in body units along the picture's row from which a horse counts as seen from the side; it
is about 0.63 square to the camera."""
WEAK_SHARE = 0.34
"""Share of unsure landmarks from which a pose as a whole is called unsure."""
PREDICT_S = 0.1
"""Time constant with which a predicted landmark comes to rest."""
TRUST_S = 0.2
"""Time constant with which a predicted landmark's score fades."""

WORDS = ("confidence", "spine", "legs", "neck", "joint", "outlier", "sides")
"""Words for issues, most telling first: many unsure landmarks, a spine too short for the box,
bones of a leg out of proportion, neck and spine out of proportion, a joint bent as none bends, a
landmark that jumped, left and right exchanged."""
MOST_WORDS = 3


def side_on(body: FloatArray, believed: Bools, plan: BodyPlan) -> tuple[Bools, FloatArray]:
    """Which rows show the horse from the side, bool (N,), and where it faces, 1 right, -1 left."""
    along = body[:, plan.withers] - body[:, plan.tail]
    seen = believed[:, plan.withers] & believed[:, plan.tail]
    flat = np.abs(along[:, 0]) > 1.5 * np.abs(along[:, 1])
    side = seen & flat & (np.abs(along[:, 0]) >= SIDE_ON_UNITS)
    return side, np.where(along[:, 0] < 0, -1.0, 1.0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Rows (N,) that break a rule, and the landmarks concerned, bool (N, K)."""

    spine: Bools
    legs: Bools
    neck: Bools
    joint: Bools
    landmarks: Bools


def anatomy(
    body: FloatArray, believed: Bools, box_units: FloatArray, plan: BodyPlan, limits: SkeletonLimits
) -> Anatomy:
    """What breaks the limits of the skeleton. box_units: (N,), longer side of the box."""
    count, landmarks = believed.shape
    broken = np.zeros((count, landmarks + 1), np.bool_)
    side, facing = side_on(body, believed, plan)
    spine = _length(body, believed, plan.withers, plan.tail)
    short = spine < limits.spine_share * box_units
    if plan.leg_rows.size:
        upper = _lengths(body, believed, plan.legs[:, 0], plan.legs[:, 1])
        lower = _lengths(body, believed, plan.legs[:, 1], plan.legs[:, 2])
        ratio = lower / np.maximum(upper, 1e-3)
        low = np.array([limits.front_leg[0]] * 2 + [limits.hind_leg[0]] * 2)
        high = np.array([limits.front_leg[1]] * 2 + [limits.hind_leg[1]] * 2)
        wrong = side[:, None] & ((ratio < low) | (ratio > high))
        legs = wrong.any(axis=1)
        if legs.any():
            for limb in range(4):
                broken[:, plan.legs[limb]] |= wrong[:, limb, None]
    else:
        legs = np.zeros(count, np.bool_)
    neck = np.zeros(count, np.bool_)
    if len(plan.head) and plan.withers >= 0:
        ratio = _length(body, believed, int(plan.head[0]), plan.withers) / np.maximum(spine, 1e-3)
        neck = side & ((ratio < limits.neck_spine[0]) | (ratio > limits.neck_spine[1]))
        broken[neck, plan.head[0]] = True
    joint = _joints(body, believed, side, facing, plan, limits, broken)
    return Anatomy(
        np.asarray(short), np.asarray(legs), np.asarray(neck), joint, broken[:, :landmarks]
    )


def _joints(
    body: FloatArray, believed: Bools, side: Bools, facing: FloatArray,
    plan: BodyPlan, limits: SkeletonLimits, broken: Bools,
) -> Bools:  # fmt: skip
    """Rows with a joint out of its range; marks the joints' outer landmarks in ``broken``."""
    if not side.any():
        return np.zeros(len(body), np.bool_)
    turns = signed_angles_of(body, believed, facing, plan.skeleton)[:, :8]
    pairs = (limits.shoulder_deg, limits.elbow_deg, limits.hip_deg, limits.knee_deg)
    low, high = (np.repeat([pair[end] for pair in pairs], 2) for end in (0, 1))
    wrong = side[:, None] & ((turns < low) | (turns > high))
    rows = wrong.any(axis=1)
    if rows.any():
        index = angle_indices(plan.skeleton)
        for angle in range(8):
            broken[:, index[angle, 2]] |= wrong[:, angle]
    return np.asarray(rows)


def _length(body: FloatArray, believed: Bools, one: int, other: int) -> FloatArray:
    apart = body[:, one] - body[:, other]
    seen = believed[:, one] & believed[:, other] & (one >= 0 and other >= 0)
    return np.where(seen, np.hypot(apart[:, 0], apart[:, 1]), np.nan).astype(np.float32)


def _lengths(
    body: FloatArray, believed: Bools, ones: NDArray[np.intp], others: NDArray[np.intp]
) -> FloatArray:
    apart = body[:, ones] - body[:, others]
    seen = believed[:, ones] & believed[:, others] & (ones >= 0) & (others >= 0)
    return np.where(seen, np.hypot(apart[..., 0], apart[..., 1]), np.nan).astype(np.float32)


def outliers(
    body: FloatArray,
    apart: FloatArray,
    history: FloatArray,
    recent: Bools,
    reach_units: FloatArray,
    z_limit: float,
) -> Bools:
    """Landmarks (N, K) that are neither where they have been nor where they can have gone.

    history: float32 (N, H, K, 2), NaN where nothing was believed; recent: bool (N, H). The first
    rule is |z| > z_limit against the mean and spread of at least ``FEWEST_EARLIER`` earlier
    positions. The second: ``apart`` (N, K), how far it is from where it was predicted, is more than
    noise and ``reach_units`` (N, K), the way it can make in the time, allow; that keeps a leg that
    begins to swing.
    """
    jumped = apart > z_limit * NOISE_UNITS * math.sqrt(2.0) + reach_units
    if not jumped.any():
        return np.asarray(jumped)
    kept = np.isfinite(history[..., 0]) & recent[:, :, None]
    count = kept.sum(axis=1)
    share = kept[..., None] / np.maximum(count, 1)[:, None, :, None]
    filled = np.where(kept[..., None], history, 0.0)
    mean = (filled * share).sum(axis=1)
    spread = filled - mean[:, None]
    variance = (spread * spread * share).sum(axis=1) + NOISE_UNITS**2
    away = body - mean
    far = (away * away > z_limit**2 * variance).any(axis=2) & (count >= FEWEST_EARLIER)
    return np.asarray(far & jumped)


def exchanged_sides(
    body: FloatArray,
    predicted: FloatArray,
    apart: FloatArray,
    trusted: Bools,
    history: FloatArray,
    plan: BodyPlan,
) -> Bools:
    """Whether front and hind legs, bool (N, 2), fit what came before far better with left and
    right exchanged. apart: (N, K), distances of body from predicted; trusted: bool (N, K), seen now
    and predictable. Legs that were close together
    lately pass each other, and nobody knows then which is which: the model is believed."""
    found = np.zeros((len(body), 2), np.bool_)
    for end, (left, right) in enumerate(plan.ends):
        both = trusted[:, left] & trusted[:, right]
        stay = np.where(both, apart[:, left] + apart[:, right], 0.0).sum(axis=1)
        enough = (both.sum(axis=1) >= 2) & (stay > EXCHANGE_UNITS * both.sum(axis=1))
        if not enough.any():
            continue
        swap = _apart(body, predicted, left, right) + _apart(body, predicted, right, left)
        swap = np.where(both, swap, 0.0).sum(axis=1)
        lately = history[:, -APART_PICTURES:, left[-1]] - history[:, -APART_PICTURES:, right[-1]]
        enough &= (np.hypot(lately[..., 0], lately[..., 1]) > APART_UNITS).all(axis=1)
        found[:, end] = enough & (swap < EXCHANGE_SHARE * stay)
    return found


EXCHANGE_UNITS = 0.08
"""Two sides together must be off by this, body units a landmark, before they are exchanged."""
EXCHANGE_SHARE = 0.4
"""And exchanging them must leave at most this share of it."""
APART_PICTURES = 4
APART_UNITS = 0.15
"""The two hooves were this far apart in so many pictures just before."""
EXCHANGE_AT_MOST_S = 0.3
"""After this the model is believed: it may have been wrong before."""


def _apart(
    body: FloatArray, predicted: FloatArray, ones: NDArray[np.intp], others: NDArray[np.intp]
) -> FloatArray:
    apart = body[:, ones] - predicted[:, others]
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]), np.float32)


def by_other_side(body: FloatArray, believed: Bools, plan: BodyPlan) -> tuple[FloatArray, Bools]:
    """Where the rest of the skeleton puts each landmark of a leg: below its own upper neighbour as
    the other leg's is. float32 (N, K, 2) and bool (N, K), whether it can be told."""
    parent, partner = plan.parent, plan.partner
    across = plan.partner[parent]
    told = (parent >= 0) & believed[:, parent] & believed[:, partner] & believed[:, across]
    return body[:, parent] + body[:, partner] - body[:, across], np.asarray(told)


def issue_words(flags: Bools) -> tuple[tuple[str, ...], ...]:
    """At most three words a row; flags: bool (N, len(WORDS))."""
    if not flags.any():
        return ((),) * len(flags)
    return tuple(
        tuple(word for word, is_so in zip(WORDS, row, strict=True) if is_so)[:MOST_WORDS]
        for row in flags.tolist()
    )
