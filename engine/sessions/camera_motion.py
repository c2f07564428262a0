"""How a hand-held or panning camera moves, from what does not move in its pictures.

Corners of the background are followed from picture to picture (pyramidal Lucas-Kanade, Bouguet
2000) and one similarity is fitted to them all (RANSAC); animals and people are left out. A pan
moves the whole picture; what its middle does is what fixed points of the ground do there.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import Image, Picture
from engine.domain.geometry import FloatArray

WIDTH_PX = 320
"""Pictures are looked at this wide: a pan of one of its pixels is a few of the picture's."""
_CORNERS, _LEAST_CORNERS = 240, 24
_LEAST_SHARE = 0.4
"""Share of the corners that must agree, else nothing is known of the step."""
_MOST_ZOOM = 0.02
"""Zoom, or a step towards the horse, from picture to picture beyond which a shift says little."""
_STILL_PX = 0.12
"""Steps below, in looked-at pixels, are noise of a camera that stands."""
_GROWN = 0.15
STILL_SHARE = 0.02
"""A camera that never gets further than this share of the picture's width from where it was stands
still, and shakes at most."""


class CameraMotion:
    """Follows one video's background, picture by picture. Used by one thread."""

    def __init__(self) -> None:
        self._before: Image | None = None
        self._at = np.zeros(2)
        self.places: list[tuple[float, float]] = []
        """Where a fixed point of the ground lies in each picture, against the first, pixels; NaN
        where the step to it is not known."""
        self._width_px = 0

    def follow(self, picture: Picture, animals_xyxy_px: FloatArray) -> None:
        """The next picture, and where animals and people were a moment ago, float32 (N, 4)."""
        scale = WIDTH_PX / picture.width_px
        height = max(round(picture.height_px * scale), 16)
        grey = np.asarray(
            cv2.cvtColor(picture.scaled_bgr(WIDTH_PX, height), cv2.COLOR_BGR2GRAY), np.uint8
        )
        self._width_px = picture.width_px
        step = np.zeros(2)
        if self._before is not None and self._before.shape == grey.shape:
            step = _step(self._before, grey, animals_xyxy_px * scale)
        self._before = grey
        if not np.isfinite(step).all():
            self.places.append((math.nan, math.nan))
            return
        self._at = self._at + step / scale
        self.places.append((float(self._at[0]), float(self._at[1])))

    def camera_px(self) -> FloatArray | None:
        """For each picture where a fixed point lies, float32 (P, 2); None for a camera that stands
        still."""
        places = np.array(self.places, np.float32).reshape(-1, 2)
        known = np.isfinite(places).all(axis=1)
        if not len(places) or not self._width_px:
            return None
        reach = np.abs(places[known]).max() if known.any() else math.inf
        still = known.mean() >= 0.5 and reach <= STILL_SHARE * self._width_px
        return None if still else places


def _step(before: Image, now: Image, animals: NDArray[np.floating]) -> NDArray[np.float64]:
    """How the background moved, (2,) looked-at pixels; NaN where it cannot be told."""
    unknown = np.full(2, np.nan)
    found = cv2.goodFeaturesToTrack(before, _CORNERS, 0.01, 6, mask=_background(before, animals))
    if found is None or len(found) < _LEAST_CORNERS:
        return unknown
    moved, seen, _ = cv2.calcOpticalFlowPyrLK(
        before, now, found, np.zeros_like(found), winSize=(15, 15), maxLevel=3
    )
    kept = seen.reshape(-1) == 1
    if kept.sum() < _LEAST_CORNERS:
        return unknown
    matrix, agree = cv2.estimateAffinePartial2D(
        found[kept], moved[kept], method=cv2.RANSAC, ransacReprojThreshold=0.7
    )
    if matrix is None or agree.mean() < _LEAST_SHARE:
        return unknown
    zoom = math.hypot(matrix[0, 0], matrix[1, 0])
    if abs(zoom - 1.0) > _MOST_ZOOM:
        return unknown
    middle = np.array([now.shape[1] / 2, now.shape[0] / 2])
    step = np.asarray(matrix[:, :2] @ middle + matrix[:, 2] - middle, np.float64)
    return step if np.hypot(*step) > _STILL_PX else np.zeros(2)


def _background(picture: Image, animals: NDArray[np.floating]) -> Image:
    """255 where corners may be looked for."""
    mask = np.full(picture.shape, 255, np.uint8)
    for x1, y1, x2, y2 in animals.tolist():
        grow_x, grow_y = _GROWN * (x2 - x1), _GROWN * (y2 - y1)
        left, top = max(int(x1 - grow_x), 0), max(int(y1 - grow_y), 0)
        mask[top : max(int(y2 + grow_y), 0), left : max(int(x2 + grow_x), 0)] = 0
    return mask
