"""Where a horse's trunk is in the picture, whatever its legs and head do and whatever is hidden.

The trunk's landmarks keep their usual places against its middle; the middle is where those that
are seen now fit best. A landmark that comes or goes does not move it, as a plain mean would.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

SIZE_S = 1.0
"""Time constant of the body unit, seconds: slower than a stride, faster than a walk to the camera.
"""
SHAPE_S = 0.3
"""Time constant of the trunk's usual shape: a horse turns within a second."""
_DOUBT = 0.08
"""Misfit in body units at which a trunk landmark counts half."""
_FEWEST_WEIGHT = 1.0
"""Trunk landmarks must add up to this weight, else the box tells the movement."""

Bools = NDArray[np.bool_]


def body_units(
    known_px: FloatArray, boxes_xyxy_px: FloatArray, elapsed_s: FloatArray
) -> FloatArray:
    """The new body unit (N,): mean side of the box, followed slowly; at once where NaN before."""
    extent = boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]
    sides = (extent[:, 0] + extent[:, 1]) / 2
    follow = 1.0 - np.exp(-np.maximum(elapsed_s, 0.0) / SIZE_S)
    followed = known_px + (sides - known_px) * follow
    units: FloatArray = np.maximum(np.where(np.isfinite(followed), followed, sides), 1.0)
    return units.astype(np.float32)


def locate(
    points_px: FloatArray,
    believed: Bools,
    shape: FloatArray,
    units_px: FloatArray,
    weights: FloatArray,
    by_box_px: FloatArray,
) -> tuple[FloatArray, Bools]:
    """The trunk's middle float32 (N, 2) px, and whether landmarks told it, bool (N,).

    shape: float32 (N, K, 2), usual body positions, NaN where not known yet: then the row's middle
    is the weighted mean of what is seen. by_box_px: (N, 2), the middle as the box would have it,
    taken where too little of the trunk is seen.
    """
    seen = np.where(believed, weights, 0.0)
    known = np.isfinite(shape[..., 0])
    fresh = (seen * known).sum(axis=1) < _FEWEST_WEIGHT
    offsets = np.where(known & ~fresh[:, None], 1.0, 0.0)[..., None] * np.where(
        known[..., None], shape, 0.0
    )
    usable = seen * (known | fresh[:, None])
    votes = points_px - offsets * units_px[:, None, None]
    middle = _mean(votes, usable)
    for _ in range(2):
        apart = votes - middle[:, None]
        misfit = (apart * apart).sum(axis=2) / (_DOUBT * units_px[:, None]) ** 2
        doubted = np.where(fresh[:, None], usable, usable / (1.0 + misfit))
        middle = _mean(votes, doubted)
    told = usable.sum(axis=1) >= _FEWEST_WEIGHT
    return np.where(told[:, None], middle, by_box_px).astype(np.float32), told


def follow_shape(
    shape: FloatArray, body: FloatArray, believed: Bools, elapsed_s: FloatArray
) -> None:
    """Bring the usual body positions up to date, in place; new landmarks enter at once."""
    follow = (1.0 - np.exp(-np.maximum(elapsed_s, 0.0) / SHAPE_S))[:, None, None]
    followed = np.where(np.isfinite(shape), shape + (body - shape) * follow, body)
    np.copyto(shape, followed, where=believed[..., None])


def _mean(votes: NDArray[np.floating], weights: NDArray[np.floating]) -> FloatArray:
    total = np.maximum(weights.sum(axis=1), 1e-9)
    means = np.einsum("nk,nkd->nd", weights, votes) / total[:, None]
    return np.asarray(means, np.float32)
