"""What each simulated horse does when: a cycle of segments, so that state is a function of time."""

from __future__ import annotations

import bisect
import math
import random
from dataclasses import dataclass
from enum import StrEnum

from engine.simulation.gaits import GAITS, Gait

_RAMP_S = 0.5
_TURN_S = 1.4


class Action(StrEnum):
    """What a horse is about, in the words of the engine's behaviour analysis."""

    STANDING = "standing"
    ALERT = "alert"
    GRAZING = "grazing"
    WALKING = "walking"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one activity. Yaw in radians: 0 faces right in the picture, pi left."""

    start_s: float
    duration_s: float
    gait: Gait
    action: Action
    x_m: float
    yaw_from: float
    yaw_to: float


@dataclass(frozen=True, slots=True)
class Moment:
    """A horse's state at an instant. ``amplitude`` 0..1 of the gait, ``head_down`` 0..1."""

    x_m: float
    yaw: float
    gait: Gait
    action: Action
    phase: float
    amplitude: float
    head_down: float


class Plan:
    """A repeating schedule between two ends of a lane."""

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments
        self._starts = [segment.start_s for segment in segments]
        self.cycle_s = segments[-1].start_s + segments[-1].duration_s

    def at(self, t_s: float) -> Moment:
        """The state at a time; any time, the plan repeats."""
        t_s %= self.cycle_s
        index = bisect.bisect_right(self._starts, t_s) - 1
        segment = self._segments[index]
        since_s = t_s - segment.start_s
        amplitude = _faded(since_s, segment.duration_s)
        moved_m = phase = 0.0
        if segment.gait is not Gait.STANDING:
            table = GAITS[segment.gait]
            moved_m = table.speed_mps * _faded_time_s(since_s, segment.duration_s)
            phase = (table.stride_hz * since_s) % 1.0
        turn = _smooth(since_s / segment.duration_s)
        return Moment(
            x_m=segment.x_m + math.cos(segment.yaw_from) * moved_m,
            yaw=segment.yaw_from + (segment.yaw_to - segment.yaw_from) * turn,
            gait=segment.gait,
            action=segment.action,
            phase=phase,
            amplitude=amplitude,
            head_down=self._head_down(index, since_s),
        )

    def _head_down(self, index: int, since_s: float) -> float:
        """Grazing lowers the head over a second and raises it over the next segment's first."""
        segment = self._segments[index]
        if segment.action is Action.GRAZING:
            return _smooth(since_s / 1.2)
        if self._segments[index - 1].action is Action.GRAZING:
            return 1.0 - _smooth(since_s / 1.0)
        return 0.0


def make_plan(
    chance: random.Random, ends_m: tuple[float, float], gaits: tuple[Gait, ...], still_s: float
) -> Plan:
    """A cycle of crossings between the ends with standing, grazing and turning in between.

    ``still_s`` is the mean time at an end; without gaits the horse only stands, grazes and turns.
    """
    segments: list[Segment] = []
    clock_s = 0.0
    left, right = ends_m
    x_m, yaw = left, 0.0

    def add(duration_s: float, gait: Gait, action: Action, yaw_to: float) -> None:
        nonlocal clock_s
        segments.append(Segment(clock_s, duration_s, gait, action, x_m, yaw, yaw_to))
        clock_s += duration_s

    for _ in range(4):
        if gaits:
            gait = chance.choice(gaits)
            duration_s = (right - left) / GAITS[gait].speed_mps + _RAMP_S
            running = gait is not Gait.WALK
            add(duration_s, gait, Action.RUNNING if running else Action.WALKING, yaw)
            x_m = right if yaw == 0.0 else left
        for action in chance.sample((Action.STANDING, Action.GRAZING, Action.ALERT), 2):
            add(max(still_s * chance.uniform(0.5, 1.5), 1.5), Gait.STANDING, action, yaw)
        turned = math.pi if yaw == 0.0 else 0.0
        add(_TURN_S, Gait.STANDING, Action.STANDING, turned)
        yaw = turned
    return Plan(segments)


def _smooth(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)


def _faded(since_s: float, duration_s: float) -> float:
    """Linear fade in and out of a segment, 0..1."""
    return max(min(since_s / _RAMP_S, (duration_s - since_s) / _RAMP_S, 1.0), 0.0)


def _faded_time_s(since_s: float, duration_s: float) -> float:
    """Integral of ``_faded``: how long at full speed would have come as far."""
    rising = min(since_s, _RAMP_S)
    total = rising * rising / (2 * _RAMP_S) + max(min(since_s, duration_s - _RAMP_S) - _RAMP_S, 0.0)
    falling = max(since_s - (duration_s - _RAMP_S), 0.0)
    return total + falling - falling * falling / (2 * _RAMP_S)
