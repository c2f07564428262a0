"""Building timelines: go there, stay so long, lie down, get up, one after the other."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

from engine.simulation.gaits import GAITS, Gait
from engine.simulation.timelines import Activity, Bout, Piece, Timeline

Spot = tuple[float, float]
"""Ground position x, y in metres."""
Stages = Sequence[tuple[Gait, float]]
"""Gaits along a path with their shares of its length."""

_RAMP_S = 0.8
_SHIFT_S = 0.6
"""How long from one gait to the next."""
_TURN_RAD_S = 1.1
LOWERING_S = 4.5
RISING_S = 4.0


class Itinerary:
    """Collects bouts; every method appends to the end.

    pace scales speed by longer strides; size is the subject's height against a horse of 1.60 m:
    stride length grows with it, stride frequency falls with its root (Froude).
    """

    def __init__(self, spot: Spot, yaw: float, pace: float = 1.0, size: float = 1.0) -> None:
        self.spot, self.yaw = spot, yaw
        self.clock_s = 0.0
        self.place = ""
        self._pace, self._size = pace, size
        self._odometer_m = self._strides = 0.0
        self._speed_mps = 0.0
        self._bouts: list[Bout] = []
        self._pieces = [Piece(0.0, *spot, yaw, 0.0)]
        self._down_side = 0.0

    def copy(self) -> Itinerary:
        """A trial to extend without touching this one."""
        other = copy.copy(self)
        other._bouts, other._pieces = self._bouts.copy(), self._pieces.copy()
        return other

    def timeline(self, head_start_s: float = 0.0) -> Timeline:
        """What was collected so far."""
        return Timeline(self._bouts, self._pieces, head_start_s)

    def stay(
        self,
        activity: Activity,
        duration_s: float,
        blend_s: float = 1.2,
        side: float | None = None,
    ) -> None:
        """Do something on the spot."""
        if duration_s <= 0:
            return
        self._end_ramp()
        side = self._down_side or 1.0 if side is None else side
        self._add(
            Bout(self.clock_s, duration_s, activity, yaw_from=self.yaw, yaw_to=self.yaw,
                 blend_s=min(blend_s, duration_s), side=side)
        )  # fmt: skip

    def turn(self, yaw: float) -> None:
        """Turn on the spot, the short way."""
        change = math.remainder(yaw - self.yaw, 2 * math.pi)
        if abs(change) < 0.02:
            return
        self._end_ramp()
        duration_s = 0.5 + abs(change) / _TURN_RAD_S
        self._add(
            Bout(self.clock_s, duration_s, Activity.STANDING, yaw_from=self.yaw,
                 yaw_to=self.yaw + change, blend_s=min(0.8, duration_s))
        )  # fmt: skip
        self.yaw += change

    def lie(self, side: float, activities: Sequence[tuple[Activity, float]]) -> None:
        """Lie down on a side (1 left, -1 right), do things lying, get up."""
        self.stay(Activity.LOWERING, LOWERING_S, blend_s=0.6, side=side)
        for activity, duration_s in activities:
            quick = activity in (Activity.ROLLING, Activity.STRUGGLING)
            self.stay(activity, duration_s, blend_s=1.2 if quick else 2.2, side=side)
        if activities and activities[-1][0] is not Activity.STERNAL:
            self.stay(Activity.STERNAL, 3.0, blend_s=2.0, side=side)
        self.stay(Activity.RISING, RISING_S, blend_s=0.3, side=side)

    def go(self, points: Sequence[Spot], gait: Gait = Gait.WALK, corner_m: float = 1.2) -> None:
        """Walk (or trot ...) through points; turns on the spot first where it has to."""
        self.ride(points, ((gait, 1.0),), corner_m)

    def ride(self, points: Sequence[Spot], stages: Stages, corner_m: float = 1.2) -> None:
        """Go through points in several gaits one after the other without stopping between."""
        points = [p for p in points if math.dist(p, self.spot) > 0.05]
        if not points:
            return
        self.turn(math.atan2(points[0][1] - self.spot[1], points[0][0] - self.spot[0]))
        began_m = self._odometer_m
        length_m = self._lay(points, corner_m)
        self._odometer_m = began_m
        for index, (gait, share) in enumerate(stages):
            onto = stages[index + 1][0] if index + 1 < len(stages) else None
            self._travel(length_m * share, gait, onto)
        self._odometer_m = began_m + length_m
        self.spot = points[-1]
        self._speed_mps = 0.0

    def wait_until(self, clock_s: float, activity: Activity = Activity.STANDING) -> None:
        """Stay until a time, if it is still to come."""
        self.stay(activity, clock_s - self.clock_s)

    def _add(self, bout: Bout) -> None:
        self._bouts.append(
            replace(bout, odometer_m=self._odometer_m, strides=self._strides, place=self.place)
        )
        self.clock_s += bout.duration_s

    def _end_ramp(self) -> None:
        self._speed_mps = 0.0

    def _travel(self, length_m: float, gait: Gait, onto: Gait | None) -> None:
        table = GAITS[gait]
        speed = table.speed_mps * self._pace * math.sqrt(self._size)
        stride_hz = table.stride_hz / math.sqrt(self._size)
        level_in = min(self._speed_mps / speed, 1.0)
        next_mps = GAITS[onto].speed_mps * self._pace * math.sqrt(self._size) if onto else 0.0
        level_out = min(next_mps / speed, 1.0)
        ramp_in = _RAMP_S * (1 - level_in)
        ramp_out = _RAMP_S * (1 - level_out) * (1.0 if gait is Gait.WALK else 1.6)
        ramps_m = speed * (ramp_in * (1 + level_in) + ramp_out * (1 + level_out)) / 2
        if ramps_m > length_m:
            shrink = length_m / ramps_m
            ramp_in, ramp_out, ramps_m = ramp_in * shrink, ramp_out * shrink, length_m
        duration_s = ramp_in + ramp_out + (length_m - ramps_m) / speed
        self._add(
            Bout(self.clock_s, duration_s, Activity.MOVING, gait, speed, stride_hz, ramp_in,
                 level_in, ramp_out, level_out,
                 blend_s=min(0.9 if level_in == 0 else _SHIFT_S, duration_s))
        )  # fmt: skip
        self._odometer_m += length_m
        self._strides += stride_hz * (
            _root_of_ramp(ramp_in, level_in, 1.0)
            + duration_s - ramp_in - ramp_out
            + _root_of_ramp(ramp_out, 1.0, level_out)
        )  # fmt: skip
        self._speed_mps = min(next_mps, speed)

    def _lay(self, points: Sequence[Spot], corner_m: float) -> float:
        """Append path pieces with rounded corners; returns their length."""
        corners = [self.spot, *points]
        began_m = self._odometer_m
        at, yaw = self.spot, self.yaw
        for index in range(1, len(corners)):
            here = corners[index]
            yaw = math.atan2(here[1] - at[1], here[0] - at[0])
            cut = radius = bend = 0.0
            if index + 1 < len(corners):
                after = corners[index + 1]
                bend = math.remainder(
                    math.atan2(after[1] - here[1], after[0] - here[0]) - yaw, 2 * math.pi
                )
                if abs(bend) > 1e-3:
                    half = math.tan(min(abs(bend), 3.0) / 2)
                    room = 0.49 * min(math.dist(at, here), math.dist(here, after))
                    cut = min(corner_m * half, room)
                    radius = cut / half
            line_m = math.dist(at, here) - cut
            self._piece(at, yaw, 0.0, line_m)
            at = (at[0] + line_m * math.cos(yaw), at[1] + line_m * math.sin(yaw))
            if radius > 0:
                self._piece(at, yaw, math.copysign(1 / radius, bend), radius * abs(bend))
                yaw += bend
                at = (here[0] + cut * math.cos(yaw), here[1] + cut * math.sin(yaw))
        self.yaw = yaw
        self._pieces.append(Piece(self._odometer_m, *corners[-1], yaw, 0.0))
        return self._odometer_m - began_m

    def _piece(self, at: Spot, yaw: float, curvature: float, length_m: float) -> None:
        self._pieces.append(Piece(self._odometer_m, *at, yaw, curvature))
        self._odometer_m += length_m


def _root_of_ramp(length_s: float, low: float, high: float) -> float:
    """Integral of the square root of a level going linearly from low to high."""
    if abs(high - low) < 1e-9:
        return length_s * math.sqrt(low)
    return float(length_s * (2 / 3) * (high**1.5 - low**1.5) / (high - low))
