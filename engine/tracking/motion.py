"""Constant-velocity Kalman filter of many boxes at once, with real elapsed time.

Each of centre x, centre y, width and height is filtered on its own (position and velocity), which
makes the covariance three numbers per coordinate and the whole filter column arithmetic: one call
moves all boxes. `engine.tracking.noise` says what it assumes.

At twenty boxes a call of numpy costs more than its arithmetic, so there are few calls, and they go
over whole rows: broadcasting over a short axis and scattering cost several times as much.

A box that is seen again after a gap is filtered anew from its last observation along the straight
line between the two (observation-centric re-update, OC-SORT, Cao et al. 2023): what was guessed
while it was hidden is forgotten.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.tracking.noise import (
    DOUBT,
    INITIAL_SPEED_HEIGHTS_S,
    MEASUREMENT_HEIGHTS,
    SIZE_SHARE,
    growth,
)
from engine.tracking.operands import operand
from engine.tracking.replay import replayed

Columns = NDArray[np.float64]

COASTING_DECAY_S = 0.3
"""Time constant with which an unseen track's velocity fades: horses stop, occluders do not."""
_SHARES_2 = np.array([[1.0], [1.0], [SIZE_SHARE**2], [SIZE_SHARE**2]])
_POSITION, _VELOCITY, _PP, _PV, _VV = range(5)
_DOUBT_NOISE = operand(MEASUREMENT_HEIGHTS * DOUBT)
_UNSURE_NOISE = operand(MEASUREMENT_HEIGHTS * (1.0 + DOUBT))
_LEAST_PX = operand(1.0, np.float64)
_COVARIANCES = np.kron(np.eye(3), _SHARES_2)
"""From noise of the three covariances of a centre to that of all four coordinates (12 rows)."""
_TO_CENTRE = np.array(
    [[0.5, 0.0, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5], [-1.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 1.0]]
)
_TO_CORNERS = np.linalg.inv(_TO_CENTRE)


def to_centre(boxes_xyxy_px: FloatArray) -> Columns:
    """Corner boxes (N, 4) to rows float64 (4, N): centre x, centre y, width, height."""
    centres: Columns = _TO_CENTRE.dot(boxes_xyxy_px.T.astype(np.float64))
    return centres


def to_corners(centres: Columns) -> FloatArray:
    """Centre boxes (4, N) back to float32 (N, 4) corners; also valid for rates of change."""
    corners: FloatArray = _TO_CORNERS.dot(centres).T.astype(np.float32, order="C")
    return corners


class BoxMotion:
    """Filter state of N boxes; rows are added, kept and removed together.

    One float64 array (5, 4, N) holds position, velocity and the covariances position-position,
    position-velocity and velocity-velocity of centre x, centre y, width and height; another one the
    same as of each box's last observation. ``last_xyxy_px`` float32 (N, 4): the box observed then.
    ``unseen_s`` float32 (N,): seconds since.
    """

    def __init__(self) -> None:
        self._state = np.zeros((5, 4, 0))
        self._kept = np.zeros((5, 4, 0))
        self._step = np.eye(5)
        self._pushed = np.zeros((3, 1))
        self.last_xyxy_px: FloatArray = np.zeros((0, 4), np.float32)
        self.unseen_s: FloatArray = np.zeros(0, np.float32)

    def __len__(self) -> int:
        return self._state.shape[2]

    @property
    def position(self) -> Columns:
        """Centre x, centre y, width, height, (N, 4) px; a view."""
        view: Columns = self._state[_POSITION].T
        return view

    @property
    def velocity(self) -> Columns:
        """The same a second, (N, 4) px/s; a view."""
        view: Columns = self._state[_VELOCITY].T
        return view

    def kinematics(self, rows: NDArray[np.intp]) -> Columns:
        """Positions and velocities of the given rows, float64 (2, 4, rows), px and px/s."""
        both: Columns = self._state[:_PP].take(rows, axis=2)
        return both

    def add(self, boxes_xyxy_px: FloatArray) -> None:
        """Append rows for newly seen boxes, velocity 0."""
        new = np.zeros((5, 4, len(boxes_xyxy_px)))
        new[_POSITION] = to_centre(boxes_xyxy_px)
        height_2 = np.maximum(new[_POSITION, 3], 1.0) ** 2
        new[_PP] = MEASUREMENT_HEIGHTS**2 * height_2
        new[_VV] = INITIAL_SPEED_HEIGHTS_S**2 * height_2 * _SHARES_2
        self._state = np.concatenate([self._state, new], axis=2)
        self._kept = np.concatenate([self._kept, new], axis=2)
        self.last_xyxy_px = np.concatenate([self.last_xyxy_px, boxes_xyxy_px])
        self.unseen_s = np.concatenate([self.unseen_s, np.zeros(len(boxes_xyxy_px), np.float32)])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all rows not in the mask."""
        self._state, self._kept = self._state[:, :, rows], self._kept[:, :, rows]
        self.last_xyxy_px, self.unseen_s = self.last_xyxy_px[rows], self.unseen_s[rows]

    def predict(self, elapsed_s: float, coasting: NDArray[np.bool_]) -> FloatArray:
        """Move every box by ``elapsed_s``; returns predicted corners float32 (N, 4) in px.

        Rows of ``coasting`` were not seen last time: their velocity fades and their size stays, as
        the last boxes of a horse that goes behind something shrink.
        """
        dt = max(elapsed_s, 0.0)
        if np.count_nonzero(coasting):
            slower = np.zeros((4, 1))
            slower[:2] = math.exp(-dt / COASTING_DECAY_S)
            velocity = self._state[_VELOCITY]
            np.copyto(velocity, velocity * slower, where=coasting)
        self._advance(dt)
        self.unseen_s += dt
        return to_corners(self._state[_POSITION])

    def straight_on(self, rows: NDArray[np.intp]) -> FloatArray:
        """Where the given rows would be had they kept their last observed speed, corners (rows, 4)
        in px."""
        moved, velocity = self._kept[:_PP].take(rows, axis=2)
        moved[:2] += velocity[:2] * self.unseen_s.take(rows)
        return to_corners(moved)

    def correct(
        self, rows: NDArray[np.intp], boxes_xyxy_px: FloatArray, scores: FloatArray | None = None
    ) -> None:
        """Update the given rows, in rising order, with their measured boxes (the Kalman gain per
        coordinate).

        ``scores`` (rows,) in 0..1: the less sure a detection, the less it moves its track.
        """
        if not len(rows):
            return
        measured = to_centre(boxes_xyxy_px)
        noise: Columns = np.maximum(measured[3], _LEAST_PX)
        noise *= MEASUREMENT_HEIGHTS if scores is None else _UNSURE_NOISE - _DOUBT_NOISE * scores
        noise *= noise
        every = len(rows) == len(self)
        if not every:
            seen, which = np.zeros(len(self), np.bool_), np.zeros(len(self), np.intp)
            seen[rows], which[rows] = True, np.arange(len(rows))
            measured, noise = measured.take(which, axis=1), noise.take(which)
            noise[~seen] = np.inf  # which leaves a box as it is
        _measure(self._state, measured, noise)
        if every:  # as in most pictures
            np.copyto(self._kept, self._state)
            self.unseen_s.fill(0.0)
            np.copyto(self.last_xyxy_px, boxes_xyxy_px)
        else:
            np.copyto(self._kept, self._state, where=seen)
            self.unseen_s[rows] = 0.0
            self.last_xyxy_px[rows] = boxes_xyxy_px

    def replay(self, rows: NDArray[np.intp], boxes_xyxy_px: FloatArray) -> None:
        """Take the given rows back to their last observation and lead them along the straight line
        to just before the new boxes, which ``correct`` then takes."""
        kept = self._kept.take(rows, axis=2).transpose(2, 0, 1).tolist()
        last = self.last_xyxy_px.take(rows, axis=0).tolist()
        for row, state, begin, end in zip(
            rows.tolist(), kept, last, boxes_xyxy_px.tolist(), strict=True
        ):
            self._state[:, :, row] = replayed(state, begin, end, float(self.unseen_s[row]))

    def _advance(self, dt: float) -> None:
        """Let ``dt`` seconds pass: one matrix product for all boxes, then the noise."""
        step, pushed = self._step, self._pushed
        step[_POSITION, _VELOCITY] = step[_PV, _VV] = dt
        step[_PP, _PV], step[_PP, _VV] = 2.0 * dt, dt * dt
        pushed[:, 0] = growth(dt)
        moved: Columns = step.dot(self._state.reshape(5, -1)).reshape(self._state.shape)
        sizes = moved[_POSITION, 2:]
        np.maximum(sizes, _LEAST_PX, out=sizes)
        added: Columns = _COVARIANCES.dot(pushed).dot(sizes[1:] * sizes[1:])
        moved[_PP:] += added.reshape(3, 4, -1)
        self._state = moved


def _measure(state: Columns, measured: Columns, noise: Columns) -> None:
    """Correct boxes by measured ones (4, N) with variances ``noise`` (N,), in place."""
    position, velocity, pp, pv, vv = state
    spread = pp + noise
    gain, speed_gain = pp / spread, pv / spread
    off = measured - position
    position += gain * off
    velocity += speed_gain * off
    vv -= speed_gain * pv
    pv -= gain * pv
    pp -= gain * pp
