"""The outline of a horse from its landmarks: what is kept when the background is suppressed.

The convex hull of all landmarks holds more sand than horse, so the outline is a union of convex
pieces (trunk, neck, head, tail, parts of legs) whose thickness is a share of the horse's height.
The shares were set by eye on side views and drawn on contact sheets; they are not measurements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.poses import PoseBatch

LEAST_SCORE = 0.3
LEAST_LANDMARKS = 6
"""Fewer landmarks than this say too little of where the horse is: nothing is suppressed."""

_CIRCLE = np.stack(
    [np.cos(np.linspace(0, 2 * np.pi, 12, False)), np.sin(np.linspace(0, 2 * np.pi, 12, False))], 1
)
_Point = NDArray[np.float64]


def outlines_of(poses: PoseBatch, least_score: float = LEAST_SCORE) -> list[list[FloatArray]]:
    """The outline of every row, as convex polygons float32 (P, 2) in picture pixels.

    An empty list for a row means that too few landmarks are known.
    """
    roles = poses.skeleton.index_by_role
    found = []
    for points, scores in zip(poses.keypoints_px, poses.scores, strict=True):
        known = {
            role: points[index].astype(np.float64)
            for role, index in roles.items()
            if scores[index] >= least_score
        }
        found.append(body_outline(known))
    return found


def body_outline(known: Mapping[str, _Point]) -> list[FloatArray]:
    """Convex polygons float32 (P, 2) from landmarks by role; empty when too few are known."""
    if len(known) < LEAST_LANDMARKS:
        return []
    height = _height_px(known)
    withers = known.get("withers", known.get("neck", _over(known, "carpus", 0.68 * height)))
    croup = known.get("croup", known.get("tail_root", _over(known, "hock", 0.62 * height)))
    pieces = [_around(known, height)] if withers is None or croup is None else []
    if withers is not None and croup is not None:
        pieces += _trunk(known, withers, croup, height)
    pieces += _head_and_neck(known, withers, height)
    for side in ("left", "right"):
        pieces += _fore_leg(known, side, withers, height)
        pieces += _hind_leg(known, side, croup, height)
    return pieces


def _height_px(known: Mapping[str, _Point]) -> float:
    """Withers to ground, or what the spread of the landmarks suggests."""
    top = [known[r][1] for r in ("withers", "croup", "tail_root", "neck") if r in known]
    ground = [point[1] for role, point in known.items() if role.startswith("hoof")]
    points = np.array(list(known.values()))
    spread = float(np.hypot(*(points.max(axis=0) - points.min(axis=0))))
    if top and ground:
        return float(np.clip(max(ground) - min(top), 0.3 * spread, 0.9 * spread))
    return 0.6 * spread


def _trunk(
    known: Mapping[str, _Point], withers: _Point, croup: _Point, height: float
) -> list[FloatArray]:
    """Back line to belly, a little behind the croup, and the tail."""
    back = (croup - withers) / max(float(np.hypot(*(croup - withers))), 1.0)
    down = np.array([0.0, 1.0])
    rump = croup + 0.16 * height * back + 0.14 * height * down
    corners = [_disc(withers + 0.03 * height * down, 0.05 * height)]
    corners += [_disc(croup + 0.03 * height * down, 0.06 * height), _disc(rump, 0.04 * height)]
    for side in ("left", "right"):
        for role, top, share in (("carpus", withers, 0.66), ("hock", croup, 0.62)):
            joint = known.get(f"{role}_{side}")
            if joint is not None:
                reach = min(share, 0.46 * height / max(float(joint[1] - top[1]), 1.0))
                corners.append(_disc(top + reach * (joint - top), 0.04 * height))
    if len(corners) == 3:
        corners += [_disc(end + 0.42 * height * down, 0.04 * height) for end in (withers, croup)]
    tail = _capsule(rump, rump + 0.05 * height * back + 0.3 * height * down, 0.05, 0.06, height)
    return [_hull(np.concatenate(corners)), tail]


def _head_and_neck(
    known: Mapping[str, _Point], withers: _Point | None, height: float
) -> list[FloatArray]:
    poll, nose = known.get("poll"), known.get("nose")
    if poll is None:
        poll = known.get("eye_left", known.get("eye_right"))
    pieces = []
    if poll is not None and nose is not None:
        pieces.append(_capsule(poll, nose, 0.06, 0.06, height))
    if withers is not None and poll is not None:
        chest = withers + np.array([0.0, 0.2 * height])
        pieces.append(_capsule(poll, chest, 0.06, 0.18, height))
    return pieces


def _fore_leg(
    known: Mapping[str, _Point], side: str, withers: _Point | None, height: float
) -> list[FloatArray]:
    carpus = known.get(f"carpus_{side}")
    elbow = known.get(f"elbow_{side}")
    if elbow is None and withers is not None and carpus is not None:
        elbow = withers + 0.6 * (carpus - withers)
    return _chain(
        [elbow, carpus, known.get(f"fetlock_{side}_front"), known.get(f"hoof_{side}_front")],
        (0.08, 0.05, 0.045, 0.05), height,
    )  # fmt: skip


def _hind_leg(
    known: Mapping[str, _Point], side: str, croup: _Point | None, height: float
) -> list[FloatArray]:
    hock = known.get(f"hock_{side}")
    stifle = known.get(f"stifle_{side}")
    if stifle is None and croup is not None and hock is not None:
        stifle = croup + 0.55 * (hock - croup)
    return _chain(
        [stifle, hock, known.get(f"fetlock_{side}_hind"), known.get(f"hoof_{side}_hind")],
        (0.12, 0.06, 0.05, 0.05), height,
    )  # fmt: skip


def _chain(
    joints: Sequence[_Point | None], radii: Sequence[float], height: float
) -> list[FloatArray]:
    """Capsules between the joints that are known, one after the other."""
    known = [(joint, radius) for joint, radius in zip(joints, radii, strict=True)
             if joint is not None]  # fmt: skip
    return [_capsule(a, b, wide, narrow, height) for (a, wide), (b, narrow) in pairwise(known)]


def _over(known: Mapping[str, _Point], joint: str, rise_px: float) -> _Point | None:
    """Where the back is above the joints of that name, or None when neither is known."""
    joints = [known[role] for role in (f"{joint}_left", f"{joint}_right") if role in known]
    return np.mean(joints, axis=0) - np.array([0.0, rise_px]) if joints else None


def _around(known: Mapping[str, _Point], height: float) -> FloatArray:
    """The plain hull of everything known."""
    return _hull(np.concatenate([_disc(point, 0.05 * height) for point in known.values()]))


def _capsule(a: _Point, b: _Point, wide: float, narrow: float, height: float) -> FloatArray:
    return _hull(np.concatenate([_disc(a, wide * height), _disc(b, narrow * height)]))


def _disc(centre: _Point, radius_px: float) -> NDArray[np.float64]:
    return np.asarray(centre + radius_px * _CIRCLE, np.float64)


def _hull(points: NDArray[np.float64]) -> FloatArray:
    hull = cv2.convexHull(points.astype(np.float32)).reshape(-1, 2)
    return np.asarray(hull, np.float32)
