"""Boxes and affine maps. Boxes are ``xyxy_px``: float32 ``(N, 4)``, origin top left, x right,
y down, pixels of the full camera picture unless a name says otherwise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def read_only(array: NDArray[np.generic]) -> None:
    """Forbid writing through ``array``; batches that cross threads are immutable."""
    array.setflags(write=False)


def box_areas_px2(boxes_xyxy_px: FloatArray) -> FloatArray:
    """Areas, float32 ``(N,)`` in square pixels; inverted boxes count as 0."""
    wh = np.clip(boxes_xyxy_px[:, 2:4] - boxes_xyxy_px[:, 0:2], 0.0, None)
    areas: FloatArray = wh[:, 0] * wh[:, 1]
    return areas


def iou_matrix(a_xyxy_px: FloatArray, b_xyxy_px: FloatArray) -> FloatArray:
    """Intersection over union of every pair, float32 ``(len(a), len(b))`` in 0..1."""
    top_left = np.maximum(a_xyxy_px[:, None, 0:2], b_xyxy_px[None, :, 0:2])
    bottom_right = np.minimum(a_xyxy_px[:, None, 2:4], b_xyxy_px[None, :, 2:4])
    wh = np.clip(bottom_right - top_left, 0.0, None)
    overlap = wh[..., 0] * wh[..., 1]
    union = box_areas_px2(a_xyxy_px)[:, None] + box_areas_px2(b_xyxy_px)[None, :] - overlap
    result: FloatArray = (overlap / np.maximum(union, 1e-9)).astype(np.float32)
    return result


def clip_boxes(boxes_xyxy_px: FloatArray, width_px: int, height_px: int) -> FloatArray:
    """The boxes cut to the picture, float32 ``(N, 4)``."""
    limits = np.array([width_px, height_px, width_px, height_px], dtype=np.float32)
    clipped: FloatArray = np.clip(boxes_xyxy_px, 0.0, limits).astype(np.float32)
    return clipped


def crop_affine(
    box_xyxy_px: FloatArray, output_width_px: int, output_height_px: int, padding: float
) -> NDArray[np.float64]:
    """The 2x3 map from picture pixels to a crop of the given size.

    The box is expanded by ``padding`` about its centre and widened to the crop's aspect ratio, so
    the horse is never squeezed (the MMPose top-down convention). Use the inverse to bring
    keypoints back to the picture.
    """
    x1, y1, x2, y2 = (float(v) for v in box_xyxy_px)
    width, height = max(x2 - x1, 1.0) * padding, max(y2 - y1, 1.0) * padding
    aspect = output_width_px / output_height_px
    width, height = max(width, height * aspect), max(height, width / aspect)
    scale = output_width_px / width
    centre_x, centre_y = (x1 + x2) / 2.0, (y1 + y2) / 2.0
    return np.array(
        [
            [scale, 0.0, output_width_px / 2.0 - scale * centre_x],
            [0.0, scale, output_height_px / 2.0 - scale * centre_y],
        ]
    )


def invert_affine(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of an invertible 2x3 affine map."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], axis=1)
