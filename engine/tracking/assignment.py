"""Which detection belongs to which track: gated cost and the Hungarian method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engine.domain.geometry import FloatArray, iou_matrix

FORBIDDEN = 1e6
"""Cost of a pair outside the gate."""
GATE_HEIGHTS = 0.6
"""A centre may lie this many box sizes from its prediction, plus what the speed limit allows."""
SPEED_HEIGHTS_S = 7.5
"""12 m/s (the specification's re-identification limit) over a height at withers of 1.6 m."""
SIZE_RATIO = 2.5
"""A box may grow or shrink by this factor between two looks."""


def gate(
    predicted_xyxy_px: FloatArray, detected_xyxy_px: FloatArray, unseen_s: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Pairs that position and size allow, bool (tracks, detections)."""
    centre_t = (predicted_xyxy_px[:, :2] + predicted_xyxy_px[:, 2:]) / 2
    centre_d = (detected_xyxy_px[:, :2] + detected_xyxy_px[:, 2:]) / 2
    size_t = np.maximum(predicted_xyxy_px[:, 2:] - predicted_xyxy_px[:, :2], 1.0)
    size_d = np.maximum(detected_xyxy_px[:, 2:] - detected_xyxy_px[:, :2], 1.0)
    distance = np.linalg.norm(centre_t[:, None] - centre_d[None], axis=2)
    mean_t = np.sqrt(size_t.prod(axis=1))
    reach = mean_t * GATE_HEIGHTS + size_t[:, 1] * SPEED_HEIGHTS_S * np.minimum(unseen_s, 1.0) / 2
    ratio = np.sqrt(size_t.prod(axis=1)[:, None] / size_d.prod(axis=1)[None])
    allowed: NDArray[np.bool_] = (
        (distance <= reach[:, None]) & (ratio <= SIZE_RATIO) & (ratio >= 1 / SIZE_RATIO)
    )
    return allowed


def covered_shares(boxes_xyxy_px: FloatArray) -> FloatArray:
    """How much of each box its most covering neighbour lies over, float32 (N,) in 0..1."""
    count = len(boxes_xyxy_px)
    if count < 2:
        return np.zeros(count, np.float32)
    x1, y1, x2, y2 = boxes_xyxy_px.T
    width = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    height = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    both = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    own = both.diagonal().copy()
    np.fill_diagonal(both, 0.0)
    shares: FloatArray = (both.max(axis=1) / np.maximum(own, 1e-6)).astype(np.float32)
    return shares


def pair_costs(
    predicted_xyxy_px: FloatArray,
    detected_xyxy_px: FloatArray,
    similarity: FloatArray | None,
    iou_weight: float,
    appearance_weight: float,
) -> FloatArray:
    """0.3 (1 - IoU) + 0.7 (1 - cosine) in 0..1 (weights by setting); IoU alone without
    appearance. ``similarity`` is cosine clipped to 0..1, (tracks, detections), NaN where a track
    has no vector."""
    by_overlap = 1.0 - iou_matrix(predicted_xyxy_px, detected_xyxy_px)
    if similarity is None:
        return by_overlap
    total = max(iou_weight + appearance_weight, 1e-9)
    mixed = (iou_weight * by_overlap + appearance_weight * (1.0 - similarity)) / total
    costs: FloatArray = np.where(np.isnan(similarity), by_overlap, mixed).astype(np.float32)
    return costs


def assign(
    costs: FloatArray, allowed: NDArray[np.bool_], highest_cost: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of least total cost among the allowed ones not dearer than ``highest_cost``.

    Returns row and column indices, each (pairs,).
    """
    usable = allowed & (costs <= highest_cost)
    if not usable.any():
        none = np.zeros(0, np.intp)
        return none, none
    rows, columns = linear_sum_assignment(np.where(usable, costs, FORBIDDEN))
    good = usable[rows, columns]
    return rows[good], columns[good]
