"""Constant-velocity Kalman filter of many boxes at once, with real elapsed time.

Each of centre x, centre y, width and height is filtered on its own (position and velocity), which
makes the covariance three numbers per coordinate and the whole filter column arithmetic: one call
moves all boxes. Noise grows with the box's height, as in SORT (Bewley et al. 2016): a near horse
moves more pixels. Acceleration is white noise in continuous time, so that the filter behaves the
same at 5 and at 30 pictures a second (Bar-Shalom, Li and Kirubarajan 2001, section 6.2.2).

A box that is seen again after a gap is filtered anew from its last observation along the straight
line between the two (observation-centric re-update, OC-SORT, Cao et al. 2023): what was guessed
while it was hidden is forgotten.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

Columns = NDArray[np.float64]

ACCELERATION_HEIGHTS = 0.4
"""Acceleration noise in box heights per s^1.5: the speed of a box wanders by this many heights per
second in one second."""
WOBBLE_HEIGHTS = 0.05
"""Position noise in box heights per s^0.5: limbs, head and neck move the box, not the horse."""
SIZE_SHARE = 0.5
"""Width and height change this much less than the centre moves."""
MEASUREMENT_HEIGHTS = 0.1
"""Measurement noise: standard deviation of a detected edge in box heights, twice SORT's 1/20: a
detector's errors last several pictures, and a box that follows them runs away when hidden."""
DOUBT = 2.0
"""A detection of score 0 is this many times noisier still (NSA Kalman, Du et al. 2021)."""
INITIAL_SPEED_HEIGHTS_S = 1.5
"""Standard deviation of a new track's unknown speed, box heights per second (a walking horse)."""
COASTING_DECAY_S = 0.3
"""Time constant with which an unseen track's velocity fades: horses stop, occluders do not."""
REPLAY_STEPS = 4
"""Observations put on the line between the two ends of a gap."""
_STATE = ("position", "velocity", "_pp", "_pv", "_vv")


def to_centre(boxes_xyxy_px: FloatArray) -> Columns:
    """Corner boxes to float64 (N, 4) centre x, centre y, width, height."""
    centres: Columns = np.empty((len(boxes_xyxy_px), 4))
    np.add(boxes_xyxy_px[:, :2], boxes_xyxy_px[:, 2:], out=centres[:, :2])
    centres[:, :2] *= 0.5
    np.subtract(boxes_xyxy_px[:, 2:], boxes_xyxy_px[:, :2], out=centres[:, 2:])
    return centres


def to_corners(centres: Columns) -> FloatArray:
    """Centre boxes back to float32 (N, 4) corners; also valid for rates of change."""
    corners: FloatArray = np.empty((len(centres), 4), np.float32)
    half = centres[:, 2:] * 0.5
    corners[:, :2] = centres[:, :2] - half
    corners[:, 2:] = centres[:, :2] + half
    return corners


class BoxMotion:
    """Filter state of N boxes as columns; rows are added, kept and removed together.

    ``last_xyxy_px`` float32 (N, 4): the box as it was last observed.
    """

    def __init__(self) -> None:
        self.position: Columns = np.zeros((0, 4))
        self.velocity: Columns = np.zeros((0, 4))
        self.last_xyxy_px: FloatArray = np.zeros((0, 4), np.float32)
        self._pp: Columns = np.zeros((0, 4))
        self._pv: Columns = np.zeros((0, 4))
        self._vv: Columns = np.zeros((0, 4))
        self._unseen_s: Columns = np.zeros(0)
        self._kept = {name: np.zeros((0, 4)) for name in _STATE}

    def __len__(self) -> int:
        return len(self.position)

    @property
    def unseen_s(self) -> Columns:
        """Seconds since each box was last observed, (N,)."""
        return self._unseen_s

    def add(self, boxes_xyxy_px: FloatArray) -> None:
        """Append rows for newly seen boxes, velocity 0."""
        position = to_centre(boxes_xyxy_px)
        height = np.maximum(position[:, 3:4], 1.0)
        share = np.array([[1.0, 1.0, SIZE_SHARE, SIZE_SHARE]])
        start = {
            "position": position,
            "velocity": np.zeros_like(position),
            "_pp": (MEASUREMENT_HEIGHTS * height) ** 2 * np.ones((1, 4)),
            "_pv": np.zeros_like(position),
            "_vv": (INITIAL_SPEED_HEIGHTS_S * height * share) ** 2,
        }
        for name, values in start.items():
            setattr(self, name, np.concatenate([getattr(self, name), values]))
            self._kept[name] = np.concatenate([self._kept[name], values])
        self.last_xyxy_px = np.concatenate([self.last_xyxy_px, boxes_xyxy_px])
        self._unseen_s = np.concatenate([self._unseen_s, np.zeros(len(position))])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all rows not in the mask."""
        for name in _STATE:
            setattr(self, name, getattr(self, name)[rows])
            self._kept[name] = self._kept[name][rows]
        self.last_xyxy_px, self._unseen_s = self.last_xyxy_px[rows], self._unseen_s[rows]

    def predict(self, elapsed_s: float, coasting: NDArray[np.bool_]) -> FloatArray:
        """Move every box by ``elapsed_s``; returns predicted corners float32 (N, 4) in px.

        Rows of ``coasting`` were not seen last time: their velocity fades and their size stays, as
        the last boxes of a horse that goes behind something shrink.
        """
        dt = max(elapsed_s, 0.0)
        if coasting.any():
            self.velocity[coasting] *= np.exp(-dt / COASTING_DECAY_S)
            self.velocity[coasting, 2:] = 0.0
        self.position += self.velocity * dt
        np.maximum(self.position[:, 2:], 1.0, out=self.position[:, 2:])
        self._pp, self._pv, self._vv = _spread(
            self._pp, self._pv, self._vv, self.position[:, 3:4], dt
        )
        self._unseen_s += dt
        return to_corners(self.position)

    def straight_on(self) -> FloatArray:
        """Where each box would be had it kept its last observed speed, corners (N, 4) in px."""
        moved = self._kept["position"].copy()
        moved[:, :2] += self._kept["velocity"][:, :2] * self._unseen_s[:, None]
        return to_corners(moved)

    def correct(
        self, rows: NDArray[np.intp], boxes_xyxy_px: FloatArray, scores: FloatArray | None = None
    ) -> None:
        """Update the given rows with their measured boxes (the Kalman gain per coordinate).

        ``scores`` (rows,) in 0..1: the less sure a detection, the less it moves its track.
        """
        if not len(rows):
            return
        measured = to_centre(boxes_xyxy_px)
        noise: Columns = MEASUREMENT_HEIGHTS * np.maximum(measured[:, 3:4], 1.0)
        if scores is not None:
            noise *= 1.0 + DOUBT * (1.0 - scores[:, None])
        np.square(noise, out=noise)
        self._measure(rows, measured, noise)
        self._unseen_s[rows] = 0.0
        self.last_xyxy_px[rows] = boxes_xyxy_px
        for name, kept in self._kept.items():
            kept[rows] = getattr(self, name)[rows]

    def replay(self, rows: NDArray[np.intp], boxes_xyxy_px: FloatArray) -> None:
        """Take the given rows back to their last observation and lead them along the straight line
        to just before the new boxes, which ``correct`` then takes."""
        if not len(rows):
            return
        begin, end = to_centre(self.last_xyxy_px[rows]), to_centre(boxes_xyxy_px)
        gap_s = self._unseen_s[rows][:, None]
        for name, kept in self._kept.items():
            getattr(self, name)[rows] = kept[rows]
        noise = (MEASUREMENT_HEIGHTS * np.maximum(end[:, 3:4], 1.0)) ** 2
        step_s = gap_s / REPLAY_STEPS
        for step in range(1, REPLAY_STEPS + 1):
            self.position[rows] += self.velocity[rows] * step_s
            spread = _spread(
                self._pp[rows], self._pv[rows], self._vv[rows], self.position[rows, 3:4], step_s
            )
            self._pp[rows], self._pv[rows], self._vv[rows] = spread
            if step < REPLAY_STEPS:
                self._measure(rows, begin + (end - begin) * (step / REPLAY_STEPS), noise)

    def _measure(self, rows: NDArray[np.intp], measured: Columns, noise: Columns) -> None:
        pp, pv = self._pp[rows], self._pv[rows]
        innovation = measured - self.position[rows]
        total = pp + noise
        gain_p, gain_v = pp / total, pv / total
        self.position[rows] += gain_p * innovation
        self.velocity[rows] += gain_v * innovation
        self._vv[rows] -= gain_v * pv
        self._pp[rows] = pp - gain_p * pp
        self._pv[rows] = pv - gain_p * pv


def _spread(
    pp: Columns, pv: Columns, vv: Columns, heights: Columns, dt: float | Columns
) -> tuple[Columns, Columns, Columns]:
    """Covariances ``dt`` later: position, position with velocity, velocity."""
    height = np.maximum(heights, 1.0)
    share = np.array([[1.0, 1.0, SIZE_SHARE, SIZE_SHARE]])
    push = (ACCELERATION_HEIGHTS * height * share) ** 2 * dt
    wobble = (WOBBLE_HEIGHTS * height * share) ** 2 * dt
    moved = vv * dt
    return (
        pp + dt * (2 * pv + moved) + push * dt**2 / 3 + wobble,
        pv + moved + push * dt / 2,
        vv + push,
    )
