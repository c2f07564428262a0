"""Drawing posed horses into a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import Image
from engine.simulation.anatomy import Body, Part
from engine.simulation.cameras import FOCAL_PX, SimulatedCamera
from engine.simulation.looks import HOOF, WHITE, Colour, Look

Outline = NDArray[np.int32]
_CORNERS = 12
_ANGLES = np.linspace(0.0, 2 * math.pi, _CORNERS, endpoint=False)
_COSINES, _SINES = np.cos(_ANGLES), np.sin(_ANGLES)
_SHIFT = 4
"""Outlines carry 4 fractional bits, so that horses glide instead of jumping by whole pixels."""


class Silhouette:
    """One horse as seen by one camera: filled outlines in drawing order.

    ``box_xyxy_px`` float64 (4,) bounds everything drawn, unclipped.
    """

    def __init__(
        self, body: Body, look: Look, camera: SimulatedCamera, x_m: float, z_m: float, yaw: float
    ) -> None:
        self.x_m, self.z_m, self.yaw = x_m, z_m, yaw
        self._camera = camera
        parts = [*body.far_parts, *body.trunk, *body.near_parts]
        if look.patches:
            parts += body.patches
        corners, colours = self._rings(parts, look)
        links = _links(corners)
        self.shapes: list[tuple[Outline, Colour]] = [
            (_hull(links[index]), colour)
            for index, colour in enumerate(colours)
            if colour is not None
        ]
        self.shapes += self._face(body, look)
        self.box_xyxy_px = np.concatenate([corners.min(axis=(0, 1)), corners.max(axis=(0, 1))])

    def to_camera(self, points_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """Body-frame points (..., 3) in the camera's frame."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        x, y, z = points_m[..., 0], points_m[..., 1], points_m[..., 2]
        return np.stack(
            [self.x_m + cosine * x - sine * z, y, self.z_m + sine * x + cosine * z], axis=-1
        ).astype(np.float64)

    def foot_px(self) -> tuple[float, float]:
        """Where the ground is under the middle of the trunk."""
        x, y = self._camera.project(self.to_camera(np.zeros(3)))
        return float(x), float(y)

    def covers(self, x_px: float, y_px: float) -> bool:
        """True if the horse hides this pixel."""
        x1, y1, x2, y2 = self.box_xyxy_px
        if not (x1 <= x_px <= x2 and y1 <= y_px <= y2):
            return False
        point = (float(x_px) * (1 << _SHIFT), float(y_px) * (1 << _SHIFT))
        return any(cv2.pointPolygonTest(outline, point, False) >= 0 for outline, _ in self.shapes)

    def _rings(
        self, parts: Sequence[Part], look: Look
    ) -> tuple[NDArray[np.float64], list[Colour | None]]:
        """Corner pixels of every ring, ``(R, corners, 2)``, and for each ring the colour that
        fills the hull with the next one, None at the end of a part."""
        rings = [ring for part in parts for ring in part.rings]
        colours: list[Colour | None] = []
        for part in parts:
            colours += [_colour(part, look)] * (len(part.rings) - 1)
            colours.append(None)
        table = np.array([(r.x, r.y, r.z, r.high, r.wide) for r in rings])
        centres = self.to_camera(table[:, :3])
        pixels = self._camera.project(centres).astype(np.float64)
        scale = np.abs(pixels[:, 1] - self._camera.horizon_px) / np.maximum(
            np.abs(self._camera.height_m - centres[:, 1]), 1e-6
        )
        high = table[:, 3] * scale
        # Seen from the side a ring is as thick along the body as it is high; from the front, wide.
        across = high * abs(math.cos(self.yaw)) + table[:, 4] * scale * abs(math.sin(self.yaw))
        corners = np.stack(
            [
                pixels[:, 0, None] + across[:, None] * _COSINES,
                pixels[:, 1, None] + high[:, None] * _SINES,
            ],
            axis=-1,
        )
        return corners, colours

    def _face(self, body: Body, look: Look) -> list[tuple[Outline, Colour]]:
        """Near eye and nostril, and a blaze."""
        near = 1 if math.cos(self.yaw) < 0 else 2
        marks: list[tuple[Outline, Colour]] = []
        nose, poll = body.landmarks[0].astype(float), body.landmarks[5].astype(float)
        eye = body.landmarks[near].astype(float)
        if look.blaze:
            brow = np.array([[0.03, 0.02, 0.0]])
            strip = np.stack([poll * 0.62 + nose * 0.38, poll * 0.15 + nose * 0.85]) + brow
            marks.append((self._stroke(strip, 0.024), WHITE))
        nostril = nose * 0.93 + poll * 0.07
        nostril[2] = eye[2] * 0.6
        marks.append(
            (
                self._stroke(np.stack([eye, eye + np.array([0.012, -0.004, 0.0])]), 0.021),
                (10, 10, 12),
            )
        )
        marks.append(
            (
                self._stroke(np.stack([nostril, nostril + np.array([0.01, 0.0, 0.0])]), 0.014),
                (16, 16, 20),
            )
        )
        return marks

    def _stroke(self, points_m: NDArray[np.float64], radius_m: float) -> Outline:
        pixels = self._camera.project(self.to_camera(points_m)).astype(np.float64)
        radius = radius_m * FOCAL_PX / self.z_m
        corners = np.stack(
            [pixels[:, 0, None] + radius * _COSINES, pixels[:, 1, None] + radius * _SINES], axis=-1
        )
        return _hull(_links(corners)[0])


def _links(corners: NDArray[np.float64]) -> Outline:
    """Corners of every two neighbouring rings together, fixed-point pixels ``(R - 1, 2c, 2)``."""
    fixed = np.round(corners * (1 << _SHIFT)).astype(np.int32)
    return np.concatenate([fixed[:-1], fixed[1:]], axis=1)


def _hull(link: Outline) -> Outline:
    return np.asarray(cv2.convexHull(link), np.int32)


def _colour(part: Part, look: Look) -> Colour:
    if part.tint.startswith("sock"):
        colour = WHITE if int(part.tint[-1]) < look.socks else look.points
    else:
        colour = {
            "body": look.body,
            "mane": look.mane,
            "points": look.points,
            "hoof": HOOF,
            "white": WHITE,
        }[part.tint]
    if not part.far:
        return colour
    return int(colour[0] * 0.55), int(colour[1] * 0.55), int(colour[2] * 0.55)


def draw(picture: Image, silhouette: Silhouette, dapple: Image) -> None:
    """Draw one horse with its shadow into a writable picture."""
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = silhouette.box_xyxy_px
    left, top = max(int(x1) - 12, 0), max(int(y1) - 3, 0)
    right, bottom = min(int(x2) + 13, width), min(int(y2) + 14, height)
    if right - left < 2 or bottom - top < 2:
        return
    part = picture[top:bottom, left:right]
    _shade_ground(part, silhouette, left, top)
    mask = np.zeros((height, width), np.uint8)
    for outline, colour in silhouette.shapes:
        cv2.fillConvexPoly(picture, outline, colour, cv2.LINE_AA, _SHIFT)
        cv2.fillConvexPoly(mask, outline, 255, cv2.LINE_8, _SHIFT)
    mask = mask[top:bottom, left:right]
    light = _light(mask.shape[0], mask.shape[1], int(y1) - top, int(y2) - top)
    grain = dapple[: mask.shape[0], : mask.shape[1]]
    shaded = cv2.multiply(cv2.multiply(part, light, scale=1 / 128), grain, scale=1 / 128)
    cv2.copyTo(shaded, mask, part)


def _shade_ground(part: Image, silhouette: Silhouette, left: int, top: int) -> None:
    """A soft shadow on the ground under the trunk."""
    scale = FOCAL_PX / silhouette.z_m
    foot_x, foot_y = silhouette.foot_px()
    length = scale * (0.95 * abs(math.cos(silhouette.yaw)) + 0.35 * abs(math.sin(silhouette.yaw)))
    centre = (int(foot_x) - left, int(foot_y) - top)
    low = max(centre[1] - int(0.16 * scale), 0)
    band = part[low:]
    if not band.size:
        return
    darker = band.copy()
    axes = (max(int(length), 1), max(int(0.11 * scale), 1))
    cv2.ellipse(
        darker, (centre[0], centre[1] - low), axes, 0, 0, 360, (24, 28, 30), -1, cv2.LINE_AA
    )
    cv2.addWeighted(darker, 0.42, band, 0.58, 0.0, dst=band)


@lru_cache(maxsize=4096)
def _light(rows: int, columns: int, top: int, bottom: int) -> Image:
    """Light from above: brighter back, dark belly, middling legs; 128 leaves a colour as it is."""
    share = (np.arange(rows, dtype=np.float32) - top) / max(bottom - top, 1)
    tone = np.interp(share, [0.0, 0.22, 0.42, 0.60, 0.66, 1.0], [150, 150, 128, 92, 112, 116])
    return np.ascontiguousarray(
        np.broadcast_to(tone.astype(np.uint8)[:, None, None], (rows, columns, 3))
    )
