"""Where the hooves go against the trunk: the paths every gait measurement starts from.

Distances are metres of the horse, forward is where it looks, up is away from the ground. Limbs come
in the order of ``skeletons.LIMBS``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.motion import DEFAULT_HEIGHT_M
from engine.domain.skeletons import LIMBS, Skeleton

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_SCORE = 0.3
"""A landmark below this is not used (specification: engine, Pose, validation)."""

FETLOCK_TRUST = 0.5
"""Weight of a hoof that was put together from its fetlock: the pastern turns by some 40 degrees a
stride, which moves the hoof by about 5 cm against the fetlock."""

_TRUNK_FRONT = ("withers", "neck")
_TRUNK_BACK = ("croup", "tail_root")
_WITHERS_SHARE = 0.93
"""Height of the middle of the back over the ground as a share of the height at the withers: the
back sags and the root of the tail lies a little below the croup."""


@dataclass(frozen=True, slots=True)
class LimbPaths:
    """Hooves of one horse over T instants.

    t_s: float64 (T,). ahead_m, up_m: float64 (T, 4), hoof before the middle of the trunk, and over
    the height it has in the middle of the window; NaN where it was not seen. trust: float64
    (T, 4), 0..1, the landmark's score, 0 where not seen. trunk_px: float64 (T, 2), middle of the
    trunk in the picture, free of camera motion where that is known. facing: float64 (T,), 1 looks
    right, -1 left. side: float64 (T,), 0..1, how much the horse shows its side. scale_px_m:
    float64 (T,). fixed: bool (T,), the ground's place in the picture is known.
    """

    t_s: Floats
    ahead_m: Floats
    up_m: Floats
    trust: Floats
    trunk_px: Floats
    facing: Floats
    side: Floats
    scale_px_m: Floats
    fixed: Bools

    def __len__(self) -> int:
        return len(self.t_s)

    def part(self, first: int, last: int) -> LimbPaths:
        """Instants ``first`` to ``last`` (excluded)."""
        s = slice(first, last)
        return LimbPaths(
            self.t_s[s], self.ahead_m[s], self.up_m[s], self.trust[s], self.trunk_px[s],
            self.facing[s], self.side[s], self.scale_px_m[s], self.fixed[s],
        )  # fmt: skip


def missing_roles(skeleton: Skeleton) -> tuple[str, ...]:
    """Roles without which this skeleton gives no hoof paths; empty when it does."""
    lacking = [role for limb in LIMBS for role in skeleton.missing(f"hoof_{limb}")]
    choices = (_TRUNK_FRONT, _TRUNK_BACK)
    none = [" or ".join(c) for c in choices if len(skeleton.missing(*c)) == len(c)]
    return (*lacking, *none)


def limb_paths(
    t_s: Floats,
    keypoints_px: Floats,
    scores: Floats,
    skeleton: Skeleton,
    scales_px_m: Floats,
    camera_px: Floats,
) -> LimbPaths:
    """Hoof paths from keypoints.

    t_s (T,), keypoints_px (T, K, 2), scores (T, K), scales_px_m (T,) or NaN, camera_px (T, 2) as in
    ``PoseSeries``. Camera motion drops out of what is measured against the trunk; the trunk's own
    path has it taken off where it is known. Where no scale is given it comes from the height of
    the back over the hooves of a horse 1.60 m high.
    """
    fixed: Bools = np.isfinite(camera_px[:, 0] + camera_px[:, 1])
    seen = scores >= LEAST_SCORE
    marks = np.where(seen[..., None] & np.isfinite(keypoints_px), keypoints_px, np.nan)
    front = _filled(t_s, _first_of(marks, skeleton, _TRUNK_FRONT))
    back = _filled(t_s, _first_of(marks, skeleton, _TRUNK_BACK))
    trunk = (front + back) / 2
    hooves, trust = _hooves(marks, scores, skeleton)
    facing = _facing(t_s, front[:, 0] - back[:, 0])
    scale = _scales(t_s, scales_px_m, trunk, hooves)
    off = hooves - trunk[:, None, :]
    ahead = off[..., 0] * facing[:, None] / scale[:, None]
    up = -off[..., 1] / scale[:, None]
    length_m = np.abs(front[:, 0] - back[:, 0]) / scale
    return LimbPaths(
        t_s=t_s,
        ahead_m=ahead,
        up_m=up - _nanmedian(up),
        trust=trust,
        trunk_px=np.where(fixed[:, None], trunk - camera_px, trunk),
        facing=facing,
        side=np.clip(length_m / (0.6 * DEFAULT_HEIGHT_M), 0.0, 1.0),
        scale_px_m=scale,
        fixed=fixed,
    )


def _nanmedian(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def _first_of(marks: Floats, skeleton: Skeleton, roles: tuple[str, ...]) -> Floats:
    """The first of the roles that the skeleton has, (T, 2); gaps are filled from the next role,
    moved by their usual distance."""
    found: Floats | None = None
    for role in roles:
        index = skeleton.index_by_role.get(role)
        if index is None:
            continue
        point = marks[:, index]
        if found is None:
            found = point.copy()
            continue
        both = np.isfinite(found[:, 0]) & np.isfinite(point[:, 0])
        lacking = ~np.isfinite(found[:, 0]) & np.isfinite(point[:, 0])
        if lacking.any() and both.any():
            found[lacking] = point[lacking] + np.median(found[both] - point[both], axis=0)
    return np.full((len(marks), 2), np.nan) if found is None else found


def _filled(t_s: Floats, points: Floats) -> Floats:
    """Gaps bridged linearly; all NaN where there is nothing."""
    known = np.isfinite(points[:, 0])
    if known.all() or not known.any():
        return points
    return np.stack([np.interp(t_s, t_s[known], points[known, axis]) for axis in (0, 1)], axis=1)


def _hooves(marks: Floats, scores: Floats, skeleton: Skeleton) -> tuple[Floats, Floats]:
    """Hooves (T, 4, 2) and how far each is trusted (T, 4); fetlocks stand in for missing hooves."""
    hooves = np.full((len(marks), len(LIMBS), 2), np.nan)
    trust = np.zeros((len(marks), len(LIMBS)))
    for column, limb in enumerate(LIMBS):
        index = skeleton.index_by_role.get(f"hoof_{limb}")
        if index is None:
            continue
        point, score = marks[:, index].copy(), scores[:, index].copy()
        fetlock = skeleton.index_by_role.get(f"fetlock_{limb}")
        if fetlock is not None:
            above = marks[:, fetlock]
            lacking = ~np.isfinite(point[:, 0]) & np.isfinite(above[:, 0])
            both = np.isfinite(point[:, 0]) & np.isfinite(above[:, 0])
            if lacking.any() and both.any():
                point[lacking] = above[lacking] + np.median(point[both] - above[both], axis=0)
                score[lacking] = FETLOCK_TRUST * scores[lacking, fetlock]
        hooves[:, column] = point
        trust[:, column] = np.where(np.isfinite(point[:, 0]), np.clip(score, 0.0, 1.0), 0.0)
    return hooves, trust


def _facing(t_s: Floats, ahead_px: Floats) -> Floats:
    """1 or -1 per instant, steady over half a second each way."""
    if not np.isfinite(ahead_px).all():
        return np.ones(len(t_s))
    first = np.searchsorted(t_s, t_s - 0.5)
    last = np.searchsorted(t_s, t_s + 0.5, side="right")
    total = np.concatenate([[0.0], np.cumsum(ahead_px)])
    return np.where(total[last] - total[first] >= 0, 1.0, -1.0)


def _scales(t_s: Floats, given: Floats, trunk: Floats, hooves: Floats) -> Floats:
    """Pixels per metre at every instant: as given, bridged, or from the height of the back."""
    known = np.isfinite(given) & (given > 0)
    if known.any():
        return given if known.all() else np.interp(t_s, t_s[known], given[known])
    lowest = np.where(np.isfinite(hooves[..., 1]), hooves[..., 1], -np.inf).max(axis=1)
    height = lowest - trunk[:, 1]
    usable = np.isfinite(height) & (height > 1)
    if not usable.any():
        return np.full(len(t_s), np.nan)
    # The horse may come nearer: a straight line through its height over time, never below half.
    middle = float(np.median(height[usable]))
    line = np.full(len(t_s), middle)
    if usable.sum() >= 8:
        slope, at = np.polyfit(t_s[usable], height[usable], 1)
        line = np.clip(at + slope * t_s, 0.5 * middle, 2.0 * middle)
    return np.asarray(line / (_WITHERS_SHARE * DEFAULT_HEIGHT_M), np.float64)
