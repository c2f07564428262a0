"""What a simulated horse or person does when: bouts on a clock along a path, as columns.

Every quantity is a closed form of time, so that a million instants cost one pass over arrays and
footfalls come out exactly. Ground frame of the site: x east, y north, metres; yaw in radians from
east, counter-clockwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.simulation.gaits import GAIT_LIST, Bools, Floats, Gait

Codes = NDArray[np.int64]


class Activity(StrEnum):
    """What a horse is doing, finer than the engine's actions."""

    STANDING = "standing"
    ALERT = "alert"
    GRAZING = "grazing"
    DOZING = "dozing"
    MOVING = "moving"
    LOWERING = "lowering"
    STERNAL = "sternal"
    LATERAL = "lateral"
    ROLLING = "rolling"
    STRUGGLING = "struggling"
    RISING = "rising"
    PAWING = "pawing"
    FLANK_WATCHING = "flank_watching"
    AWAY = "away"


ACTIVITY_LIST = tuple(Activity)
"""Activities by code: columns of states hold indices into this tuple."""
ACTIVITY_CODE = {activity: code for code, activity in enumerate(ACTIVITY_LIST)}
DOWN_ACTIVITIES = frozenset(
    (Activity.STERNAL, Activity.LATERAL, Activity.ROLLING, Activity.STRUGGLING)
)
"""Lying, all weight off the legs."""


@dataclass(frozen=True, slots=True)
class Bout:
    """One stretch of one activity.

    While it moves, the level of the gait rises from ``level_in`` to 1 over ``ramp_in_s``, and falls
    to ``level_out`` over the last ``ramp_out_s``: speed is ``speed_mps`` times the level, stride
    frequency and leg amplitude go with its square root. odometer_m, strides: path covered and
    strides made when it begins. yaw_from, yaw_to: a turn on the spot (with ``Activity.MOVING``
    the path gives the yaw). side: 1 lies on its left side, -1 on its right. ``blend_s``: how long
    the pose takes to come over from the bout before.
    """

    start_s: float
    duration_s: float
    activity: Activity
    gait: Gait = Gait.STANDING
    speed_mps: float = 0.0
    stride_hz: float = 0.0
    ramp_in_s: float = 0.0
    level_in: float = 1.0
    ramp_out_s: float = 0.0
    level_out: float = 1.0
    odometer_m: float = 0.0
    strides: float = 0.0
    yaw_from: float = 0.0
    yaw_to: float = 0.0
    side: float = 1.0
    blend_s: float = 1.2
    place: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A line or arc of the path from ``odometer_m`` on; curvature 1/m, positive to the left."""

    odometer_m: float
    x_m: float
    y_m: float
    yaw: float
    curvature: float


@dataclass(frozen=True, slots=True)
class States:
    """One subject at N instants, all arrays (N,).

    bout: index. since_s: into the bout. stride_hz, speed_mps: now. phase: of the stride, 0..1.
    strides: made so far, phase included. amplitude: 0..1 of the gait's movement. turning: rad/s on
    the spot. gait, activity: codes.
    """

    bout: Codes
    since_s: Floats
    x_m: Floats
    y_m: Floats
    yaw: Floats
    gait: Codes
    activity: Codes
    strides: Floats
    amplitude: Floats
    speed_mps: Floats
    stride_hz: Floats
    turning: Floats

    @property
    def phase(self) -> Floats:
        """Phase of the stride, 0..1."""
        return self.strides % 1.0


class Timeline:
    """A repeating schedule of bouts; any time is allowed, ``cycle_s`` is its length.

    ``head_start_s``: how far into the schedule time 0 is.
    """

    def __init__(self, bouts: list[Bout], pieces: list[Piece], head_start_s: float = 0.0) -> None:
        self.bouts = tuple(bouts)
        self.head_start_s = head_start_s
        self.cycle_s = bouts[-1].start_s + bouts[-1].duration_s

        def column(name: str) -> Floats:
            return np.array([getattr(bout, name) for bout in bouts], np.float64)

        self.start_s = column("start_s")
        self.duration_s = column("duration_s")
        self.speed_mps = column("speed_mps")
        self.stride_hz = column("stride_hz")
        self.ramp_in_s, self.level_in = column("ramp_in_s"), column("level_in")
        self.ramp_out_s, self.level_out = column("ramp_out_s"), column("level_out")
        self.odometer_m, self.strides = column("odometer_m"), column("strides")
        self.yaw_from, self.yaw_to = column("yaw_from"), column("yaw_to")
        self.side, self.blend_s = column("side"), column("blend_s")
        self.gait = np.array([GAIT_LIST.index(bout.gait) for bout in bouts], np.int64)
        self.activity = np.array([ACTIVITY_CODE[bout.activity] for bout in bouts], np.int64)
        self.moving: Bools = self.speed_mps > 0
        self._piece_m = np.array([piece.odometer_m for piece in pieces])
        self._path = np.array([(p.x_m, p.y_m, p.yaw, p.curvature) for p in pieces])

    def at(self, t_s: Floats) -> States:
        """States at times (N,), seconds."""
        into = (np.asarray(t_s, np.float64) + self.head_start_s) % self.cycle_s
        bout = np.clip(np.searchsorted(self.start_s, into, "right") - 1, 0, len(self.bouts) - 1)
        return self.within(bout, into - self.start_s[bout])

    def within(self, bout: Codes, since_s: Floats) -> States:
        """States ``since_s`` into given bouts, both (N,)."""
        level, level_s, root_s = self._level(bout, since_s)
        odometer = self.odometer_m[bout] + self.speed_mps[bout] * level_s
        x, y, yaw = self._along(odometer)
        share = np.clip(since_s / self.duration_s[bout], 0.0, 1.0)
        eased = share * share * (3.0 - 2.0 * share)
        turn = self.yaw_to[bout] - self.yaw_from[bout]
        moving = self.moving[bout]
        yaw = np.where(moving, yaw, self.yaw_from[bout] + turn * eased)
        root = np.sqrt(level)
        turning = np.where(moving, 0.0, turn * 6.0 * share * (1 - share) / self.duration_s[bout])
        return States(
            bout=bout,
            since_s=since_s,
            x_m=x,
            y_m=y,
            yaw=yaw,
            gait=self.gait[bout],
            activity=self.activity[bout],
            strides=self.strides[bout] + self.stride_hz[bout] * root_s,
            amplitude=np.where(moving, root, 0.0),
            speed_mps=np.where(moving, self.speed_mps[bout] * level, 0.0),
            stride_hz=np.where(moving, self.stride_hz[bout] * root, 0.0),
            turning=turning,
        )

    def _level(self, bout: Codes, since_s: Floats) -> tuple[Floats, Floats, Floats]:
        """The gait's level now, its integral, and the integral of its square root, since start."""
        r_in, r_out = self.ramp_in_s[bout], self.ramp_out_s[bout]
        a_in, a_out = self.level_in[bout], self.level_out[bout]
        last = self.duration_s[bout] - r_out
        up = np.minimum(since_s, r_in)
        steady = np.clip(since_s - r_in, 0.0, np.maximum(last - r_in, 0.0))
        down = np.clip(since_s - last, 0.0, None)
        level_up = a_in + (1 - a_in) * up / np.maximum(r_in, 1e-9)
        level_down = 1 - (1 - a_out) * down / np.maximum(r_out, 1e-9)
        level_down = np.maximum(level_down, 0.0)
        level = np.where(down > 0, level_down, np.where(since_s < r_in, level_up, 1.0))
        area = up * (a_in + level_up) / 2 + steady + down * (1 + level_down) / 2
        roots = _root_area(up, a_in, level_up) + steady + _root_area(down, 1.0, level_down)
        return level, area, roots

    def odometer(self, bout: Codes, since_s: Floats) -> Floats:
        """Path covered ``since_s`` into given bouts, metres, both (N,)."""
        level_s = self._level(bout, since_s)[1]
        return np.asarray(self.odometer_m[bout] + self.speed_mps[bout] * level_s)

    def time_of_strides(self, bout: int, strides: Floats) -> Floats:
        """When a moving bout has made so many strides, seconds into the cycle, for (N,) counts
        between its own first and last."""
        made = (strides - self.strides[bout]) / self.stride_hz[bout]
        r_in, r_out = self.ramp_in_s[bout], self.ramp_out_s[bout]
        a_in, a_out = self.level_in[bout], self.level_out[bout]
        steady_s = self.duration_s[bout] - r_in - r_out
        rise = float(_root_area(np.array(r_in), a_in, np.array(1.0)))
        up = _root_area_inverse(np.minimum(made, rise), a_in, 1.0, r_in)
        down = _root_area_inverse(np.clip(made - rise - steady_s, 0, None), 1.0, a_out, r_out)
        middle = np.clip(made - rise, 0.0, steady_s)
        return np.asarray(self.start_s[bout] + up + middle + down, np.float64)

    def _along(self, odometer_m: Floats) -> tuple[Floats, Floats, Floats]:
        index = np.clip(np.searchsorted(self._piece_m, odometer_m, "right") - 1, 0, None)
        x, y, yaw, curvature = self._path[index].T
        ahead = odometer_m - self._piece_m[index]
        turned = curvature * ahead
        half = np.sinc(turned / (2 * np.pi)) * ahead  # chord; sinc(x) is sin(pi x) / (pi x)
        way = yaw + turned / 2
        return x + half * np.cos(way), y + half * np.sin(way), yaw + turned


def _root_area(length_s: Floats, low: Floats | float, high: Floats) -> Floats:
    """Integral of sqrt(level) while the level goes linearly from low to high over length_s."""
    low = np.asarray(low, np.float64)
    difference = high - low
    steep = np.abs(difference) > 1e-9
    safe = np.where(steep, difference, 1.0)
    value = (2.0 / 3.0) * (high**1.5 - low**1.5) / safe
    return np.asarray(length_s * np.where(steep, value, np.sqrt(low)), np.float64)


def _root_area_inverse(area: Floats, low: float, high: float, length_s: float) -> Floats:
    """How long until ``_root_area`` reaches ``area`` on a ramp from low to high over length_s."""
    if length_s <= 0:
        return np.zeros_like(area)
    if abs(high - low) < 1e-9:
        return np.asarray(area / np.sqrt(low), np.float64)
    slope = (high - low) / length_s
    level = np.clip(low**1.5 + 1.5 * slope * area, 0.0, None) ** (2.0 / 3.0)
    return np.asarray((level - low) / slope, np.float64)
