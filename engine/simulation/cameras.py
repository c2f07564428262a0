"""Simulated cameras: pinholes at fixed places of the site."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.simulation.gaits import Floats

WIDTH_PX = 960
HEIGHT_PX = 540
FPS = 25.0
NEAR_M = 0.3
"""Nothing nearer than this is seen."""


@dataclass(frozen=True, slots=True)
class SimulatedCamera:
    """A fixed pinhole camera without distortion.

    Site frame: x east, y north, z up, metres. heading_deg: counter-clockwise from east;
    down_deg: tilt below the horizon. focal_px at ``width_px`` pixels of width. places: what parts
    of the site it can see into. indoors: under a roof. infrared: sees in the dark.
    """

    name: str
    title: str
    x_m: float
    y_m: float
    z_m: float
    heading_deg: float
    down_deg: float
    focal_px: float
    places: tuple[str, ...]
    indoors: bool
    infrared: bool = False
    width_px: int = WIDTH_PX
    height_px: int = HEIGHT_PX

    def sized(self, width_px: int, height_px: int) -> SimulatedCamera:
        """The same camera with another picture size; the horizontal field of view stays."""
        return SimulatedCamera(
            self.name, self.title, self.x_m, self.y_m, self.z_m, self.heading_deg, self.down_deg,
            self.focal_px * width_px / self.width_px, self.places, self.indoors, self.infrared,
            width_px, height_px,
        )  # fmt: skip

    @property
    def position_m(self) -> Floats:
        """float64 (3,)."""
        return np.array([self.x_m, self.y_m, self.z_m])

    @property
    def axes(self) -> Floats:
        """Rows are the camera's right, down and forward in the site frame, float64 (3, 3)."""
        return _axes(self.heading_deg, self.down_deg)

    def to_camera(self, points_m: NDArray[np.floating]) -> NDArray[np.floating]:
        """Site points (..., 3) as right, down, forward metres from the camera."""
        moved = points_m - self.position_m.astype(points_m.dtype)
        return np.asarray(moved @ self.axes.T.astype(points_m.dtype))

    def to_pixels(self, seen_m: NDArray[np.floating]) -> NDArray[np.floating]:
        """Pixels (..., 2) of camera-frame points (..., 3); behind the camera they are meaningless.

        The division stops at ``NEAR_M``, so that the result is always finite.
        """
        scale = self.focal_px / np.maximum(seen_m[..., 2], NEAR_M)
        return np.stack(
            [
                self.width_px / 2 + scale * seen_m[..., 0],
                self.height_px / 2 + scale * seen_m[..., 1],
            ],
            axis=-1,
        )

    def project(self, points_m: NDArray[np.floating]) -> NDArray[np.floating]:
        """Pixels (..., 2) of site points (..., 3)."""
        return self.to_pixels(self.to_camera(points_m))


@lru_cache(maxsize=64)
def _axes(heading_deg: float, down_deg: float) -> Floats:
    heading, down = math.radians(heading_deg), math.radians(down_deg)
    forward = np.array([
        math.cos(heading) * math.cos(down), math.sin(heading) * math.cos(down), -math.sin(down)
    ])  # fmt: skip
    right = np.array([math.sin(heading), -math.cos(heading), 0.0])
    axes = np.stack([right, np.cross(forward, right), forward])
    axes.setflags(write=False)
    return axes
