"""Cutting boxes out of pictures for the networks that look at one animal at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import Image, Picture
from engine.domain.geometry import FloatArray, crop_affine

CROPS_AT_ONCE = 64
"""Crops prepared before the network runs: bounds the memory, whatever the herd."""

LEAST_OUTLINE = 0.08
"""An outline that covers less of its box is taken for a mistake and suppresses nothing."""

Outline = Sequence[FloatArray]
"""Convex polygons (P, 2) in picture pixels whose union is the animal; empty: not known."""

CropJobs = Sequence[tuple[Picture, FloatArray]]


def chunks_of_boxes(jobs: CropJobs) -> Iterator[list[tuple[Picture, FloatArray]]]:
    """Every (picture, box) of every job in order, in lists of at most CROPS_AT_ONCE."""
    chunk: list[tuple[Picture, FloatArray]] = []
    for picture, boxes in jobs:
        for box in boxes:
            chunk.append((picture, box))
            if len(chunk) == CROPS_AT_ONCE:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def top_down_crops(
    boxes: Sequence[tuple[Picture, FloatArray]], width_px: int, height_px: int, padding: float
) -> tuple[Image, NDArray[np.float64]]:
    """Crops (M, H, W, 3) BGR with the box enlarged by ``padding`` to the crop's proportions, black
    outside the picture, and the maps (M, 2, 3) from picture to crop pixels."""
    crops = np.empty((len(boxes), height_px, width_px, 3), np.uint8)
    maps = np.empty((len(boxes), 2, 3), np.float64)
    for index, (picture, box) in enumerate(boxes):
        maps[index] = crop_affine(box, width_px, height_px, padding)
        crops[index] = picture.warped_bgr(maps[index], width_px, height_px)
    return crops, maps


def letterboxed_crops(
    boxes: Sequence[tuple[Picture, FloatArray]],
    width_px: int,
    height_px: int,
    padding: float,
    fill: int,
    outlines: Sequence[Outline] | None = None,
) -> Image:
    """Crops (M, H, W, 3) BGR: the box enlarged by ``padding``, unsqueezed, centred, the rest of the
    input grey level ``fill`` so that a stall's background is not taken for the horse. With
    ``outlines`` (one a box) what lies outside an animal's outline is grey too."""
    crops = np.full((len(boxes), height_px, width_px, 3), fill, np.uint8)
    for row, (target, (picture, box)) in enumerate(zip(crops, boxes, strict=True)):
        matrix, left, top, inner_width, inner_height = _inner(box, width_px, height_px, padding)
        inner = target[top : top + inner_height, left : left + inner_width]
        inner[...] = picture.warped_bgr(matrix, inner_width, inner_height, fill)
        if outlines is not None:
            suppress_outside(inner, outlines[row], matrix, fill)
    return crops


def letterbox_matrix(
    box: FloatArray, width_px: int, height_px: int, padding: float
) -> NDArray[np.float64]:
    """The map (2, 3) from picture to crop pixels of ``letterboxed_crops``."""
    matrix, left, top, _, _ = _inner(box, width_px, height_px, padding)
    return np.asarray(matrix + np.array([[0.0, 0.0, left], [0.0, 0.0, top]]), np.float64)


def _inner(
    box: FloatArray, width_px: int, height_px: int, padding: float
) -> tuple[NDArray[np.float64], int, int, int, int]:
    """Map (2, 3) from picture to the part of the input that shows the box; its left, top, width and
    height. It has the box's own proportions, so the map adds no background."""
    x1, y1, x2, y2 = (float(v) for v in box)
    width, height = max(x2 - x1, 1.0) * padding, max(y2 - y1, 1.0) * padding
    scale = min(width_px / width, height_px / height)
    inner_width = min(max(round(width * scale), 1), width_px)
    inner_height = min(max(round(height * scale), 1), height_px)
    matrix = np.array(
        [
            [scale, 0.0, inner_width / 2.0 - scale * (x1 + x2) / 2.0],
            [0.0, scale, inner_height / 2.0 - scale * (y1 + y2) / 2.0],
        ]
    )
    left, top = (width_px - inner_width) // 2, (height_px - inner_height) // 2
    return matrix, left, top, inner_width, inner_height


def suppress_outside(crop: Image, outline: Outline, matrix: NDArray[np.float64], fill: int) -> bool:
    """Fill ``crop`` (H, W, 3) in place outside ``outline``; ``matrix`` maps picture to crop pixels.

    False, with the crop unchanged, when the outline is empty or covers almost nothing.
    """
    keep = np.zeros(crop.shape[:2], np.uint8)
    for polygon in outline:
        placed = polygon @ matrix[:, :2].T + matrix[:, 2]
        cv2.fillConvexPoly(keep, np.round(placed * 16).astype(np.int32), 1, cv2.LINE_8, 4)
    if keep.mean() < LEAST_OUTLINE:
        return False
    crop[keep == 0] = fill
    return True
