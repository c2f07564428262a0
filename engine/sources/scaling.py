"""Scaling and warping of single planes, shared by every kind of picture.

Shrinking goes by exact halves first (2x2 means, vectorised) and ends with one bilinear step of
less than two, so every source pixel counts and fine texture does not alias. All functions accept
uint8 ``(h, w)`` or ``(h, w, c)`` and are safe to call from several threads.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import Image

Affine = NDArray[np.float64]


def halved(plane: Image) -> Image:
    """The plane at half its size by 2x2 means; an odd last row or column is left out."""
    height, width = plane.shape[0] & ~1, plane.shape[1] & ~1
    half = cv2.resize(
        plane[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA
    )
    return np.asarray(half, np.uint8)


def resized(plane: Image, width_px: int, height_px: int) -> Image:
    """The whole plane at exactly this size."""
    height, width = plane.shape[:2]
    while (
        width >= 2 * width_px and height >= 2 * height_px and not (width | height) & 1
    ):  # an odd edge would shift the picture by half a pixel, so it is left to the last step
        plane = halved(plane)
        height, width = plane.shape[:2]
    if (width, height) == (width_px, height_px):
        return plane
    far = width > 2 * width_px or height > 2 * height_px
    how = cv2.INTER_AREA if far else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (width_px, height_px), interpolation=how), np.uint8)


def warped(plane: Image, matrix: Affine, width_px: int, height_px: int, fill: int) -> Image:
    """A crop of the plane by a 2x3 map from plane to crop pixel centres.

    Maps that shrink to less than half are taken from a halved copy of just the part they show.
    """
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if 0.0 < shrink <= 0.5:
        plane, matrix = _part_shown(plane, matrix, width_px, height_px)
        while shrink <= 0.5 and min(plane.shape[:2]) >= 4:
            # Pixel k of the half covers 2k and 2k + 1, so its centre lies at 2k + 0.5.
            plane = halved(plane)
            matrix = composed(matrix, 2.0, 0.5)
            shrink *= 2.0
    crop = cv2.warpAffine(
        plane,
        matrix,
        (width_px, height_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill, fill, fill, fill),
    )
    return np.asarray(crop, np.uint8)


def composed(matrix: Affine, step: float, offset: float) -> Affine:
    """``matrix`` after the map ``p -> step * p + offset`` on both axes."""
    linear = matrix[:, :2] * step
    shift = matrix[:, 2:] + matrix[:, :2] @ np.full((2, 1), offset)
    return np.concatenate([linear, shift], axis=1)


def _part_shown(
    plane: Image, matrix: Affine, width_px: int, height_px: int
) -> tuple[Image, Affine]:
    """The rectangle of the plane that the crop shows, and the map from it."""
    corners = np.array(
        [[-1, width_px, width_px, -1], [-1, -1, height_px, height_px]], dtype=np.float64
    )
    inside = np.linalg.solve(matrix[:, :2], corners - matrix[:, 2:])
    height, width = plane.shape[:2]
    # Even offsets keep the halves of luma and chroma on the same grid.
    left = int(np.clip(np.floor(inside[0].min()), 0, width)) & ~1
    top = int(np.clip(np.floor(inside[1].min()), 0, height)) & ~1
    right = int(np.clip(np.ceil(inside[0].max()) + 2, left, width))
    bottom = int(np.clip(np.ceil(inside[1].max()) + 2, top, height))
    if right - left < 4 or bottom - top < 4:
        return plane, matrix
    shift = matrix[:, :2] @ np.array([[left], [top]], dtype=np.float64)
    moved = np.concatenate([matrix[:, :2], matrix[:, 2:] + shift], axis=1)
    return plane[top:bottom, left:right], moved
