"""Joint angles by role, with the landmarks that stand for each joint stated.

A skeleton with shoulder and hip (gait28) is measured there. AP-10K and equine26 label neither:
their uppermost landmarks of a leg are elbow and stifle, so every joint moves down by one, as
AP-10K's own names do (its "shoulder" lies at the elbow). Values of the two kinds of skeleton must
not be compared with each other; ``joints_of`` says which landmarks were used.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.motion import ANGLES
from engine.domain.skeletons import Skeleton

Roles = tuple[str, str, str]

_UPPER: dict[str, Roles] = {
    "shoulder": ("withers", "shoulder_{side}", "elbow_{side}"),
    "elbow": ("shoulder_{side}", "elbow_{side}", "hoof_{side}_front"),
    "hip": ("tail_root", "hip_{side}", "stifle_{side}"),
    "knee": ("hip_{side}", "stifle_{side}", "hoof_{side}_hind"),
}
_LOWER: dict[str, Roles] = {
    "shoulder": ("withers", "elbow_{side}", "carpus_{side}"),
    "elbow": ("elbow_{side}", "carpus_{side}", "hoof_{side}_front"),
    "hip": ("tail_root", "stifle_{side}", "hock_{side}"),
    "knee": ("stifle_{side}", "hock_{side}", "hoof_{side}_hind"),
}
_BACK: Roles = ("withers", "croup", "tail_root")
_STAND_INS = {"withers": "neck"}


@cache
def joints_of(skeleton: Skeleton) -> tuple[tuple[str, str, str] | None, ...]:
    """Names of the three landmarks of each of ``ANGLES``; None where the skeleton has no such
    angle (the back's without withers or croup)."""
    names = skeleton.landmarks
    return tuple(
        None if found is None else (names[found[0]], names[found[1]], names[found[2]])
        for found in _indices(skeleton)
    )


@cache
def angle_indices(skeleton: Skeleton) -> NDArray[np.intp]:
    """Landmark indices (len(ANGLES), 3) of each angle, -1 where there is none."""
    return np.array([found or (-1, -1, -1) for found in _indices(skeleton)], np.intp)


def angles_of(
    keypoints_px: FloatArray, believed: NDArray[np.bool_], skeleton: Skeleton
) -> FloatArray:
    """Angles float32 (N, len(ANGLES)) in degrees, 0..180, by the clipped dot product.

    keypoints_px: float32 (N, K, 2). believed: bool (N, K); an angle with a landmark that is not is
    NaN.
    """
    return np.degrees(np.abs(_turns(keypoints_px, believed, skeleton))).astype(np.float32)


def signed_angles_of(
    keypoints_px: FloatArray,
    believed: NDArray[np.bool_],
    facing: FloatArray,
    skeleton: Skeleton,
) -> FloatArray:
    """Angles float32 (N, len(ANGLES)) in degrees, 0..360, that tell flexion from its opposite.

    ``facing`` (N,): 1 for a horse that faces right in the picture, -1 left. Seen like that, a
    carpus bends above 180 and a hock below.
    """
    turns = np.degrees(_turns(keypoints_px, believed, skeleton)) * facing[:, None]
    return np.asarray(turns % 360.0, np.float32)


def _turns(keypoints_px: FloatArray, believed: NDArray[np.bool_], skeleton: Skeleton) -> FloatArray:
    """From the first to the third landmark round the second, radians in -pi..pi."""
    index = angle_indices(skeleton)
    points = keypoints_px[:, index]
    one, two = points[:, :, 0] - points[:, :, 1], points[:, :, 2] - points[:, :, 1]
    dot = one[..., 0] * two[..., 0] + one[..., 1] * two[..., 1]
    cross = one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]
    known = believed[:, index].all(axis=2) & (index[:, 0] >= 0) & ((dot != 0) | (cross != 0))
    return np.where(known, np.arctan2(cross, dot), np.nan).astype(np.float32)


def _indices(skeleton: Skeleton) -> list[tuple[int, int, int] | None]:
    at = dict(skeleton.index_by_role)
    for role, other in _STAND_INS.items():
        if role not in at and other in at:
            at[role] = at[other]
    upper = not skeleton.missing("shoulder_left", "shoulder_right", "hip_left", "hip_right")
    found: list[tuple[int, int, int] | None] = []
    for angle in ANGLES:
        joint, _, side = angle.partition("_")
        roles = _BACK if joint == "back" else (_UPPER if upper else _LOWER)[joint]
        indices = tuple(at.get(role.format(side=side), -1) for role in roles)
        if joint == "back" and skeleton.missing(*_BACK):
            indices = (-1,)
        found.append(None if -1 in indices else (indices[0], indices[1], indices[2]))
    return found
