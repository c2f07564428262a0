"""Costs, gates and the Hungarian method: the arithmetic of pairing tracks with detections."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engine.domain.geometry import FloatArray
from engine.tracking.operands import operand

FORBIDDEN = 1e6
"""Cost of a pair outside the gate."""
GATE_HEIGHTS = 0.6
"""A centre may lie this many box sizes from its prediction, plus what the speed limit allows."""
SPEED_HEIGHTS_S = 7.5
"""12 m/s (the specification's re-identification limit) over a height at withers of 1.6 m."""
LYING_SHARE = 0.6
"""A box lower than this share of its width is of a lying horse: its width gives the body's size."""
SIZE_RATIO = 2.5
"""A box may grow or shrink by this factor between two looks."""

_NOTHING, _SMALLEST = operand(0.0), operand(1e-9)

Mask = NDArray[np.bool_]


def centres(boxes_xyxy_px: FloatArray) -> FloatArray:
    """Middles of boxes, float32 (N, 2)."""
    middle: FloatArray = (boxes_xyxy_px[:, :2] + boxes_xyxy_px[:, 2:]) * np.float32(0.5)
    return middle


def heights(boxes_xyxy_px: FloatArray) -> FloatArray:
    """Heights of boxes, at least 1 px, (N,)."""
    height: FloatArray = np.maximum(boxes_xyxy_px[:, 3] - boxes_xyxy_px[:, 1], 1.0)
    return height


def overlaps(a_xyxy_px: FloatArray, b_xyxy_px: FloatArray) -> FloatArray:
    """Intersection over union of every pair, float32 (len(a), len(b)); like ``iou_matrix``, for
    boxes known to be upright. Every pair is written out first: a few steps over long rows beat
    many over short ones."""
    many, across = len(a_xyxy_px), len(b_xyxy_px)
    each = np.empty((2, 2, 2, many, across), np.float32)  # low and high, of a and b, x and y
    each[:, 0] = a_xyxy_px.T.reshape(2, 2, many, 1)
    each[:, 1] = b_xyxy_px.T.reshape(2, 2, 1, across)
    low, high = each.reshape(2, 2, 2, -1)
    sides = np.minimum(high[0], high[1])
    sides -= np.maximum(low[0], low[1])
    np.maximum(sides, _NOTHING, out=sides)
    overlap: FloatArray = sides[0]
    overlap *= sides[1]
    high -= low
    union, other = high[:, 0] * high[:, 1]
    union += other
    union -= overlap
    np.maximum(union, _SMALLEST, out=union)
    overlap /= union
    return overlap.reshape(many, across)


def covered_shares(
    boxes_xyxy_px: FloatArray, by_xyxy_px: FloatArray | None = None, counted: Mask | None = None
) -> FloatArray:
    """How much of each box the most covering of ``by`` lies over, float32 (N,) in 0..1.

    Without ``by``: the most covering of the other boxes. ``counted`` bool (N, len(by)): which of
    ``by`` count for each.
    """
    others = boxes_xyxy_px if by_xyxy_px is None else by_xyxy_px
    if not len(boxes_xyxy_px) or not len(others):
        return np.zeros(len(boxes_xyxy_px), np.float32)
    a, b = boxes_xyxy_px.T[:, :, None], others.T[:, None, :]
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0.0)
    both = sides[0] * sides[1]
    if by_xyxy_px is None:
        np.fill_diagonal(both, 0.0)
    if counted is not None:
        both *= counted
    own = (a[2] - a[0]) * (a[3] - a[1])
    shares: FloatArray = (both / np.maximum(own, 1e-6)).max(axis=1).astype(np.float32)
    return shares


def size_gate(tracks_xyxy_px: FloatArray, detected_xyxy_px: FloatArray) -> Mask:
    """Pairs of like size, bool (tracks, detections)."""
    areas_t = np.prod(np.maximum(tracks_xyxy_px[:, 2:] - tracks_xyxy_px[:, :2], 1.0), axis=1)
    areas_d = np.prod(np.maximum(detected_xyxy_px[:, 2:] - detected_xyxy_px[:, :2], 1.0), axis=1)
    ratio = areas_t[:, None] / areas_d[None]
    allowed: Mask = (ratio <= SIZE_RATIO**2) & (ratio >= SIZE_RATIO**-2)
    return allowed


def distances_px(tracks_xyxy_px: FloatArray, detected_xyxy_px: FloatArray) -> FloatArray:
    """Distance of the centres of every pair, (tracks, detections)."""
    apart = centres(tracks_xyxy_px)[:, None] - centres(detected_xyxy_px)[None]
    distance: FloatArray = np.hypot(apart[..., 0], apart[..., 1])
    return distance


def reach_px(boxes_xyxy_px: FloatArray, unseen_s: FloatArray, longest_s: float) -> FloatArray:
    """How far each track's centre may have come, (tracks,): ``GATE_HEIGHTS`` of its size and 12 m/s
    scaled by the body's size for the time unseen, which counts up to ``longest_s``."""
    sides = np.maximum(boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2], 1.0)
    body = np.maximum(sides[:, 1], LYING_SHARE * sides[:, 0])
    reach: FloatArray = np.sqrt(sides.prod(axis=1)) * GATE_HEIGHTS
    reach += body * SPEED_HEIGHTS_S * np.minimum(unseen_s, longest_s)
    return reach


def pair_costs(
    by_place: NDArray[np.floating[Any]],
    similarity: FloatArray | None,
    iou_weight: float,
    appearance_weight: float,
) -> FloatArray:
    """0.3 (1 - IoU) + 0.7 (1 - cosine) (weights by setting); place alone without appearance.

    ``by_place``: 1 - IoU, (tracks, detections). ``similarity``: cosine clipped to 0..1, NaN where a
    track has no vector; None without an appearance model.
    """
    if similarity is None:
        return by_place.astype(np.float32)
    total = max(iou_weight + appearance_weight, 1e-9)
    mixed = (iou_weight * by_place + appearance_weight * (1.0 - similarity)) / total
    costs: FloatArray = np.where(np.isnan(similarity), by_place, mixed).astype(np.float32)
    return costs


def assign(costs: NDArray[np.floating[Any]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of the pairs that cost less than ``FORBIDDEN`` as many as can be had at once, at the least
    total cost. Returns row and column indices, each (pairs,), rows rising."""
    rows, columns = linear_sum_assignment(costs)
    good = costs[rows, columns] < FORBIDDEN
    return rows[good], columns[good]
