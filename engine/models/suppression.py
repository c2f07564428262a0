"""Non-maximum suppression of overlapping boxes of the same class."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

CANDIDATES_MAX = 1000
"""More candidates than this cannot be horses: the lowest scores are left out before comparing."""


def suppress(
    boxes_xyxy_px: FloatArray,
    scores: FloatArray,
    class_ids: NDArray[np.int16],
    iou: float,
    keep_at_most: int,
) -> NDArray[np.intp]:
    """Rows to keep by falling score: no two of one class overlap by more than ``iou``."""
    order = np.argsort(-scores, kind="stable")[:CANDIDATES_MAX]
    if len(order) < 2:
        return order
    corners = boxes_xyxy_px[order].astype(np.float64)
    xywh = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        xywh.tolist(), scores[order].tolist(), class_ids[order].tolist(), -1.0, iou
    )
    rows = np.sort(np.asarray(kept, np.intp).reshape(-1))[:keep_at_most]
    selected: NDArray[np.intp] = order[rows]
    return selected
