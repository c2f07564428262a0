"""Constant-velocity Kalman filter of many boxes at once, with real elapsed time.

Each of centre x, centre y, width and height is filtered on its own (position and velocity), which
makes the covariance three numbers per coordinate and the whole filter column arithmetic. Noise
grows with the box's height, as in SORT (Bewley et al. 2016): a near horse moves more pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

Columns = NDArray[np.float64]

ACCELERATION_HEIGHTS_S2 = 3.0
"""Process noise: standard deviation of acceleration in box heights per second squared. A horse of
1.6 m height accelerates at up to about 5 m/s2."""
MEASUREMENT_HEIGHTS = 0.05
"""Measurement noise: standard deviation of a detected edge in box heights (SORT's 1/20)."""
INITIAL_SPEED_HEIGHTS_S = 4.0
"""Standard deviation of a new track's unknown speed, box heights per second (about 6 m/s)."""
COASTING_DECAY_S = 0.7
"""Time constant with which an unseen track's velocity fades: horses stop, occluders do not."""


def to_centre(boxes_xyxy_px: FloatArray) -> Columns:
    """Corner boxes to float64 (N, 4) centre x, centre y, width, height."""
    boxes = boxes_xyxy_px.astype(np.float64)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def to_corners(centres: Columns) -> FloatArray:
    """Centre boxes back to float32 (N, 4) corners; also valid for rates of change."""
    half = centres[:, 2:] / 2
    corners: FloatArray = np.concatenate([centres[:, :2] - half, centres[:, :2] + half], axis=1)
    return corners.astype(np.float32)


class BoxMotion:
    """Filter state of N boxes as columns; rows are added, kept and removed together."""

    def __init__(self) -> None:
        self.position: Columns = np.zeros((0, 4))
        self.velocity: Columns = np.zeros((0, 4))
        self._pp: Columns = np.zeros((0, 4))
        self._pv: Columns = np.zeros((0, 4))
        self._vv: Columns = np.zeros((0, 4))

    def __len__(self) -> int:
        return len(self.position)

    def add(self, boxes_xyxy_px: FloatArray) -> None:
        """Append rows for newly seen boxes, velocity 0."""
        position = to_centre(boxes_xyxy_px)
        height = np.maximum(position[:, 3:4], 1.0)
        ones = np.ones((1, 4))
        self.position = np.concatenate([self.position, position])
        self.velocity = np.concatenate([self.velocity, np.zeros_like(position)])
        self._pp = np.concatenate([self._pp, (MEASUREMENT_HEIGHTS * height) ** 2 * ones])
        self._pv = np.concatenate([self._pv, np.zeros_like(position)])
        self._vv = np.concatenate([self._vv, (INITIAL_SPEED_HEIGHTS_S * height) ** 2 * ones])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all rows not in the mask."""
        self.position, self.velocity = self.position[rows], self.velocity[rows]
        self._pp, self._pv, self._vv = self._pp[rows], self._pv[rows], self._vv[rows]

    def predict(self, elapsed_s: float, coasting: NDArray[np.bool_]) -> FloatArray:
        """Move every box by ``elapsed_s``; returns predicted corners float32 (N, 4) in px.

        Rows of ``coasting`` were not seen last time: their velocity fades.
        """
        dt = max(elapsed_s, 0.0)
        self.velocity[coasting] *= np.exp(-dt / COASTING_DECAY_S)
        self.position += self.velocity * dt
        np.maximum(self.position[:, 2:], 1.0, out=self.position[:, 2:])
        noise = (ACCELERATION_HEIGHTS_S2 * np.maximum(self.position[:, 3:4], 1.0)) ** 2
        self._pp += dt * (2 * self._pv + dt * self._vv) + noise * dt**4 / 4
        self._pv += dt * self._vv + noise * dt**3 / 2
        self._vv += noise * dt**2
        return to_corners(self.position)

    def correct(self, rows: NDArray[np.intp], boxes_xyxy_px: FloatArray) -> None:
        """Update the given rows with their measured boxes (the Kalman gain per coordinate)."""
        measured = to_centre(boxes_xyxy_px)
        noise = (MEASUREMENT_HEIGHTS * np.maximum(measured[:, 3:4], 1.0)) ** 2
        pp, pv = self._pp[rows], self._pv[rows]
        innovation = measured - self.position[rows]
        total = pp + noise
        gain_p, gain_v = pp / total, pv / total
        self.position[rows] += gain_p * innovation
        self.velocity[rows] += gain_v * innovation
        self._vv[rows] -= gain_v * pv
        self._pp[rows] = (1 - gain_p) * pp
        self._pv[rows] = (1 - gain_p) * pv
