"""Padding scaled pictures to a network's input, and boxes back to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.domain.errors import Bug
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray

GREY = 114
"""Padding level that both the YOLOX and the ultralytics training pipelines use."""
STRIDE_PX = 32
"""Coarsest stride of the networks: input sides are multiples of it."""

Anchor = Literal["top left", "centre"]


@dataclass(frozen=True, slots=True)
class Canvas:
    """Input size (height, width) and where the picture's top left corner (x, y) lies on it."""

    height_px: int
    width_px: int
    left_px: int
    top_px: int


class Letterbox:
    """Places pictures that were scaled to fit ``width_px`` x ``height_px`` on grey canvases.

    ``rectangular``: the canvas is the picture rounded up to multiples of 32 instead of the whole
    input, so a 16:9 picture of 640x360 becomes 640x384. ``anchor``: YOLOX pads right and below,
    ultralytics on both sides.
    """

    def __init__(self, width_px: int, height_px: int, rectangular: bool, anchor: Anchor) -> None:
        self.width_px = width_px
        self.height_px = height_px
        self._rectangular = rectangular
        self._anchor = anchor
        self._batch: Image = np.empty((0, 0, 0, 3), np.uint8)
        self._placed: tuple[tuple[int, int], ...] = ()

    def canvas(self, picture_height_px: int, picture_width_px: int) -> Canvas:
        """Where a picture of that size goes; Bug if it does not fit."""
        if picture_width_px > self.width_px or picture_height_px > self.height_px:
            raise Bug(
                f"a picture of {picture_width_px}x{picture_height_px} px was not scaled to fit "
                f"{self.width_px}x{self.height_px}"
            )
        height, width = self.height_px, self.width_px
        if self._rectangular:
            height, width = _rounded_up(picture_height_px), _rounded_up(picture_width_px)
        if self._anchor == "top left":
            return Canvas(height, width, 0, 0)
        # ultralytics rounds (padding / 2 - 0.1), which puts an odd pixel right and below.
        left = (width - picture_width_px) // 2
        top = (height - picture_height_px) // 2
        return Canvas(height, width, left, top)

    def fill(self, pictures_bgr: Sequence[Image], canvas: Canvas) -> Image:
        """The pictures on their canvas, uint8 (B, H, W, 3); reused by the next call."""
        shape = (len(pictures_bgr), canvas.height_px, canvas.width_px, 3)
        placed = tuple(picture.shape[:2] for picture in pictures_bgr)
        if self._batch.shape != shape:
            self._batch = np.full(shape, GREY, np.uint8)
        elif placed != self._placed:
            self._batch.fill(GREY)
        self._placed = placed
        for target, picture in zip(self._batch, pictures_bgr, strict=True):
            height, width = picture.shape[:2]
            top, left = canvas.top_px, canvas.left_px
            target[top : top + height, left : left + width] = picture
        return self._batch


def _rounded_up(side_px: int) -> int:
    return -(-side_px // STRIDE_PX) * STRIDE_PX


def shifted(boxes_xyxy_px: FloatArray, canvas: Canvas) -> FloatArray:
    """Boxes from canvas pixels to pixels of the scaled picture on it."""
    return boxes_xyxy_px - np.array([canvas.left_px, canvas.top_px] * 2, np.float32)


def within(boxes_xyxy_px: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """Boxes (N, 4) cut at the borders of a picture of (height, width)."""
    limits = np.array([size[1], size[0]] * 2, np.float32)
    cut: FloatArray = np.clip(boxes_xyxy_px, np.float32(0.0), limits).astype(np.float32)
    return cut
