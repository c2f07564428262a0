"""Pixels per metre at a horse, from the size of its own body.

Proportions are shares of the height at the withers, medians over horses seen from the side:
3,667 rows of published gait sequences, 2,438 rows of ridden horses' labels and 193 hand-labelled
horses of Animal-Pose (withers to tail root .83, .84 in the pose model's own answers on 1,075 rows;
croup .96 to .98; tail root .90 to .99; box 1.43 to 1.57 wide, 1.10 to 1.14 tall). Heights hardly
depend on where the horse faces; lengths shrink by foreshortening and are only believed where the
heights are not: in lying horses, and where legs are hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.motion.body_plan import BodyPlan

CROUP_SHARE = 0.97
TAIL_SHARE = 0.93
TRUNK_SHARE = 0.84
NECK_SHARE = 0.84
NECK_TRUNK_SHARE = 0.95
BOX_WIDE_SHARE = 1.53
BOX_TALL_SHARE = 1.13
UPRIGHT = 0.72
"""Heights below this share of what the trunk's length tells are those of a lying horse."""
LOW = 0.75
"""Below this share of its height at the withers a horse does not stand."""
FOLLOW_S = 0.15
"""Time constant of the smoothed scale; it follows a line through the last moments."""
SLOW_S = 20.0
"""Time constant with which a resting horse's scale may fall: it cannot go away without moving, but
it can lie down or turn."""
STRANGE = 0.12
"""A resting horse's scale that falls by more than this share is a posture, not a distance."""
RESTING_UNITS_S = 0.06
"""Trunks slower than this, body units a second, rest."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one picture tells of each horse's size, float32 (N,); NaN where it does not.

    height_px: of the withers over the ground as if it stood, best estimate. by_landmarks: bool
    (N,), that is not told by the box alone. trunk_px: length of the trunk as seen. foot_px: picture
    row of the ground under the trunk. foot_seen: bool (N,), told by hooves, else by the box.
    standing_px: measured height of the withers over the ground, low in a lying horse. upright:
    bool (N,), hooves and trunk are seen and it stands.
    """

    height_px: FloatArray
    trunk_px: FloatArray
    foot_px: FloatArray
    foot_seen: Bools
    by_landmarks: Bools
    standing_px: FloatArray
    upright: Bools


def sizes_of(
    points_px: FloatArray, believed: Bools, boxes_xyxy_px: FloatArray, plan: BodyPlan
) -> Sizes:
    """Sizes of N horses from corrected landmarks float32 (N, K, 2) and their boxes."""
    rows = np.where(believed, points_px[..., 1], np.nan)
    front, hind = (_lowest(rows, plan.hooves[pair]) for pair in (slice(0, 2), slice(2, 4)))
    withers_share = 1.0 if plan.true_withers else NECK_SHARE
    trunk_share = TRUNK_SHARE if plan.true_withers else NECK_TRUNK_SHARE
    withers, croup, tail = (_column(rows, i) for i in (plan.withers, plan.croup, plan.tail))
    heights = np.stack(
        [(front - withers) / withers_share, (hind - croup) / CROUP_SHARE,
         (hind - tail) / TAIL_SHARE]
    )  # fmt: skip
    upright = _mean(np.where(heights > 0, heights, np.nan), np.array([2.0, 1.0, 1.0]))
    apart = points_px[:, plan.withers, 0] - points_px[:, plan.tail, 0]
    trunk = np.hypot(apart, withers - tail)
    by_trunk = trunk / trunk_share
    wide, tall = (boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]).T
    by_box = np.maximum(wide / BOX_WIDE_SHARE, tall / BOX_TALL_SHARE)
    lies = upright < UPRIGHT * by_trunk
    body = np.where(np.isfinite(upright) & ~lies, upright, by_trunk)
    bottom = boxes_xyxy_px[:, 3]
    foot = _mean(np.stack([front, hind]), np.ones(2))
    foot_seen = np.isfinite(foot)
    foot = np.where(foot_seen, foot, bottom)
    height = np.where(np.isfinite(body), body, by_box)
    standing = (np.fmax(front, foot) - withers) / withers_share
    # The hooves of a lying horse are no ground to measure from; its box reaches it.
    lying = (bottom - withers) / withers_share
    return Sizes(
        height_px=height.astype(np.float32),
        trunk_px=trunk.astype(np.float32),
        foot_px=foot.astype(np.float32),
        foot_seen=np.asarray(foot_seen),
        by_landmarks=np.asarray(np.isfinite(body)),
        standing_px=np.where(standing < LOW * height, lying, standing).astype(np.float32),
        upright=np.asarray(np.isfinite(upright) & ~lies & foot_seen),
    )


def follow_scale(
    known: FloatArray, told: FloatArray, elapsed_s: FloatArray, resting: Bools
) -> FloatArray:
    """The smoothed logarithm of the scale (N,) after ``told``; NaN in ``known`` starts anew."""
    wait = np.where(resting & (told < known - STRANGE), SLOW_S, FOLLOW_S)
    follow = 1.0 - np.exp(-np.maximum(elapsed_s, 0.0) / wait)
    followed = np.where(np.isfinite(told), known + (told - known) * follow, known)
    return np.where(np.isfinite(known), followed, told).astype(np.float32)


def _lowest(rows: FloatArray, indices: NDArray[np.intp]) -> FloatArray:
    """The lower of two hooves, the one on the ground; NaN where none is seen."""
    one, other = (_column(rows, int(i)) for i in indices)
    return np.asarray(np.fmax(one, other))


def _column(rows: FloatArray, index: int) -> FloatArray:
    column: FloatArray = rows[:, index] if index >= 0 else np.full(len(rows), np.nan, np.float32)
    return column


def _mean(values: FloatArray, weights: NDArray[np.float64]) -> FloatArray:
    """Weighted mean over the first axis of what is finite, NaN where nothing is."""
    known = np.isfinite(values)
    shares = known * weights[:, None]
    total = shares.sum(axis=0)
    summed = (np.where(known, values, 0.0) * shares).sum(axis=0)
    return np.where(total > 0, summed / np.maximum(total, 1e-9), np.nan).astype(np.float32)
