"""What a horse does now, from its posture, head, speed and gait, with limits in seconds.

grazing   head low for two seconds or more, standing or with the slow steps of grazing
resting   lying; or standing with the head at the height of the withers for a minute or more
alert     head high and still for two seconds
rolling   lying with legs and trunk turning fast (also the kicking of a horse that is cast)
walking, running   by the gait, or by the speed where the gait is not known
standing  upright otherwise

A label has a "since": resting on its feet is known after a minute only and told from its beginning.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from engine.behaviour.cues import Cues
from engine.behaviour.postures import NO_POSTURE, PostureFilter, PostureLabel
from engine.domain.motion import Action, Gait, Posture

GRAZING_AFTER_S = 2.0
"""Specification: engine, Motion."""
RESTING_AFTER_S = 60.0
"""Head at withers height for "minutes" (specification); dozing bouts of horses last several."""
ALERT_AFTER_S = 2.0
ROLLING_AFTER_S = 1.0
WALKING_FROM_MPS, WALKING_UNTIL_MPS = 0.5, 0.3
"""Without a gait. Horses walk at 1.2 to 1.9 m/s; the middle of a standing horse's box moves at
under 0.2 m/s when it shifts its weight or turns its head."""
RUNNING_FROM_MPS = 2.3
"""Highest speed at which horses change from walk to trot (1.6 to 2.3 m/s)."""
GRAZING_UNTIL_MPS = 1.0
"""Slower than a walk: the steps of a grazing horse."""
MOVING_AFTER_S, STILL_AFTER_S = 0.6, 1.0
"""Specification: standing needs 1 s."""
ROLLING_FROM_M, ROLLING_UNTIL_M = 0.13, 0.10
"""Swing of a lying horse's hooves. Kicking and rolling over swing them by 0.12 m
and more, a horse at rest hardly at all, but landmarks wander by 0.03 to 0.08 m."""
_AGITATION_S, _STEP_S, _LEAST_STEPS, _LEAST_SEEN = 2.5, 0.1, 4, 0.65
"""A hoof hidden by the body is guessed, here today and there tomorrow: only one that is surely seen
in most pictures tells anything."""

HEADS = ("low", "level", "normal", "high")
_HEAD = ((-0.95, 0.28), (-0.17, 0.20), (0.22, 0.16), (0.46, 0.15))
_NOSE = ((0.15, 0.28), (0.92, 0.26), (1.40, 0.19), (1.70, 0.15))
"""Mean and spread of poll over withers and of nose over ground, metres of a horse of 1.60 m, with
the head low (grazing), level (dozing), as usual and high. The places follow from a neck of 0.8 m at
50 degrees under, 10, 38 and 57 over the horizontal; spreads as in ``postures``."""
_HEAD_RATE_HZ = 1 / 20
_HEAD_FROM, _HIGH_FROM = 0.6, 0.8
_HEAD_SHARES = (0.3, 0.25, 0.40, 0.05)
"""Where a head is that was not seen for long; horses seldom stand with it high."""
_OUTLIER = 0.02
_CORRELATED_S = 0.4
_TEMPER = 0.7


@dataclass(frozen=True, slots=True)
class Moving:
    """What the gait analysis says of one row: gait with its confidence, speed over the ground in
    metres a second, NaN where unknown."""

    gait: Gait = Gait.UNKNOWN
    gait_confidence: float = 0.0
    speed_mps: float = math.nan


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Labels of one track at one instant. ``since_s``: monotonic instants from which they hold."""

    posture: PostureLabel
    action: Action
    confidence: float
    action_since_s: float
    posture_since_s: float
    head: str


class HeadFilter:
    """How high the head is carried, over time; see ``HEADS``."""

    def __init__(self) -> None:
        self._p = list(_HEAD_SHARES)
        self._state = 2

    @property
    def height(self) -> str:
        """One of HEADS."""
        return HEADS[self._state]

    @property
    def confidence(self) -> float:
        """Probability of it."""
        return self._p[self._state]

    def update(self, cues: Cues, dt_s: float) -> bool:
        """Take in one picture; False when it says nothing of the head."""
        leave = 1.0 - math.exp(-dt_s * _HEAD_RATE_HZ)
        self._p = [
            p * (1.0 - leave) + leave * s for p, s in zip(self._p, _HEAD_SHARES, strict=True)
        ]
        known = [
            (value, looks)
            for value, looks in ((cues.head, _HEAD), (cues.nose, _NOSE))
            if not math.isnan(value)
        ]
        if not known:
            return False
        share = _TEMPER * min(dt_s / _CORRELATED_S, 1.0)
        for value, looks in known:
            for state, (mean, spread) in enumerate(looks):
                off = (value - mean) / spread
                density = math.exp(-0.5 * off * off) / spread + _OUTLIER
                self._p[state] *= density**share
        whole = sum(self._p)
        self._p = [p / whole for p in self._p]
        best = max(range(len(HEADS)), key=lambda state: self._p[state])
        needed = _HIGH_FROM if HEADS[best] == "high" else _HEAD_FROM
        if self._p[best] >= needed or self._p[self._state] < 0.1:
            self._state = best
        return True


class _Held:
    """A condition that counts after it has held for a while, and ends after it has not.
    ``since_s``, ``over_s``: when it began, and when it last ended, before those whiles."""

    def __init__(self, after_s: float, until_s: float) -> None:
        self._after_s, self._until_s = after_s, until_s
        self._began_s = self._ended_s = math.nan
        self.on = False
        self.since_s = math.nan
        self.over_s = -math.inf

    def update(self, t_s: float, holds: bool) -> bool:
        if holds:
            self._ended_s = math.nan
            if math.isnan(self._began_s):
                self._began_s = t_s
            if not self.on and t_s - self._began_s >= self._after_s:
                self.on, self.since_s = True, self._began_s
        else:
            if math.isnan(self._ended_s):
                self._ended_s = t_s
            if t_s - self._ended_s >= self._until_s:
                if self.on:
                    self.over_s = self._ended_s
                self.on, self._began_s = False, math.nan
        return self.on


class Agitation:
    """How far the hooves swing about their usual place in the picture, over the last seconds:
    median distance in metres of a horse of 1.60 m, of the hoof in the middle of those seen. It is
    medians because a landmark may sit elsewhere for a while. For lying horses, which go nowhere."""

    def __init__(self) -> None:
        self._kept: deque[tuple[float, float, tuple[float, ...]]] = deque(maxlen=48)
        self.swing_m = math.nan

    def update(self, t_s: float, cues: Cues) -> None:
        """Take in one picture."""
        kept = self._kept
        if not kept or t_s - kept[-1][0] >= _STEP_S:
            before = kept[-1][2] if kept else cues.hooves_px
            kept.append((t_s, cues.px_m, _unswapped(cues.hooves_px, before)))
        while kept and t_s - kept[0][0] > _AGITATION_S:
            kept.popleft()
        scales = sorted(px_m for _, px_m, _ in kept if px_m > 0.0)
        if not scales:
            return
        px_m = scales[len(scales) // 2]
        swings = []
        for hoof in range(0, 8, 2):
            seen = [r[hoof : hoof + 2] for _, _, r in kept if not math.isnan(r[hoof])]
            if len(seen) >= max(_LEAST_STEPS, _LEAST_SEEN * len(kept)):
                middle = len(seen) // 2
                x, y = sorted(p[0] for p in seen)[middle], sorted(p[1] for p in seen)[middle]
                off = sorted(math.hypot(p[0] - x, p[1] - y) for p in seen)
                swings.append(off[middle] / px_m)
        swings.sort()
        self.swing_m = swings[(len(swings) - 1) // 2] if swings else math.nan


def _unswapped(hooves: tuple[float, ...], before: tuple[float, ...]) -> tuple[float, ...]:
    """Hooves of a pair exchanged if that moves them less: legs of the two sides are easily taken
    for each other."""
    made = list(hooves)
    for a, b in ((0, 2), (4, 6)):
        straight = math.dist(hooves[a : a + 2], before[a : a + 2])
        straight += math.dist(hooves[b : b + 2], before[b : b + 2])
        crossed = math.dist(hooves[a : a + 2], before[b : b + 2])
        crossed += math.dist(hooves[b : b + 2], before[a : a + 2])
        if crossed < straight:
            made[a : a + 2], made[b : b + 2] = hooves[b : b + 2], hooves[a : a + 2]
    return tuple(made)


class TrackBehaviour:
    """One track's posture and action. Used by one thread; times are monotonic seconds and rise."""

    def __init__(self) -> None:
        self._posture = PostureFilter()
        self._head = HeadFilter()
        self._agitation = Agitation()
        self._low = _Held(GRAZING_AFTER_S, 1.0)
        self._level = _Held(RESTING_AFTER_S, 5.0)
        self._high = _Held(ALERT_AFTER_S, 1.0)
        self._moving = _Held(MOVING_AFTER_S, STILL_AFTER_S)
        self._running = _Held(MOVING_AFTER_S, MOVING_AFTER_S)
        self._rolling = _Held(ROLLING_AFTER_S, 2.0)
        self._down = _Held(1.0, 0.5)
        self._behind = {
            Action.GRAZING: self._low,
            Action.WALKING: self._moving,
            Action.RUNNING: self._running,
            Action.ROLLING: self._rolling,
            Action.ALERT: self._high,
        }
        self._t_s = math.nan
        self.now = Behaviour(NO_POSTURE, Action.UNKNOWN, 0.0, math.nan, math.nan, "normal")

    def update(self, t_s: float, cues: Cues, moving: Moving, box_height_px: float) -> Behaviour:
        """Take in one picture; ``box_height_px`` as in ``PostureFilter.update``."""
        dt_s = 0.1 if math.isnan(self._t_s) else max(t_s - self._t_s, 0.0)
        self._t_s = t_s
        posture = self._posture.update(t_s, cues, box_height_px)
        if posture.lying > 0.2:
            self._agitation.update(t_s, cues)
        heard = self._head.update(cues, dt_s)
        self._conditions(t_s, posture, moving, heard)
        action, since_s, confidence = self._action(t_s, posture, moving)
        before = self.now
        if action is before.action:
            since_s = before.action_since_s
        elif before.action in self._behind:
            since_s = max(since_s, self._behind[before.action].over_s)
        since_s = since_s if math.isfinite(since_s) else t_s
        held_since = posture.posture is before.posture.posture
        self.now = Behaviour(
            posture, action, confidence, since_s,
            before.posture_since_s if held_since else t_s, self._head.height,
        )  # fmt: skip
        return self.now

    def _conditions(self, t_s: float, posture: PostureLabel, moving: Moving, heard: bool) -> None:
        upright = posture.lying < 0.5
        head = self._head.height if heard else ""
        speed = 0.0 if math.isnan(moving.speed_mps) else moving.speed_mps
        goes, runs = self._goes(moving)
        on_feet = upright and posture.posture is not Posture.CHANGING
        self._moving.update(t_s, on_feet and goes)
        self._running.update(t_s, on_feet and runs)
        still = upright and not goes
        if heard or not upright:
            self._low.update(t_s, upright and head == "low" and speed < GRAZING_UNTIL_MPS)
            self._level.update(t_s, still and head == "level")
            self._high.update(t_s, still and head == "high")
        down = posture.lying >= 0.5 and posture.posture is not Posture.UNKNOWN
        self._down.update(t_s, down)
        limit = ROLLING_UNTIL_M if self._rolling.on else ROLLING_FROM_M
        self._rolling.update(t_s, down and self._agitation.swing_m > limit)

    def _goes(self, moving: Moving) -> tuple[bool, bool]:
        """Walks or runs, and runs. Legs that step on the spot go nowhere, and a speed without steps
        may be a box that wanders: where both are known, both must say so."""
        limit = WALKING_UNTIL_MPS if self._moving.on else WALKING_FROM_MPS
        speed = moving.speed_mps
        if math.isnan(speed):
            return moving.gait >= Gait.WALK, moving.gait >= Gait.TROT
        if moving.gait is Gait.UNKNOWN:
            return speed > limit, self._moving.on and speed > RUNNING_FROM_MPS
        if moving.gait is Gait.STANDING:
            return speed > RUNNING_FROM_MPS, False
        return speed > limit / 2, moving.gait >= Gait.TROT and speed > WALKING_FROM_MPS

    def _action(
        self, t_s: float, posture: PostureLabel, moving: Moving
    ) -> tuple[Action, float, float]:
        sure = posture.confidence
        if self._down.on:
            if self._rolling.on:
                return Action.ROLLING, self._rolling.since_s, sure
            return Action.RESTING, self._down.since_s, posture.lying
        head = self._head.confidence * sure
        if self._running.on:
            return Action.RUNNING, self._running.since_s, max(moving.gait_confidence, 0.5)
        if self._low.on:
            return Action.GRAZING, self._low.since_s, head
        if self._moving.on:
            return Action.WALKING, self._moving.since_s, max(moving.gait_confidence, 0.5)
        if posture.posture is Posture.UNKNOWN:
            return Action.UNKNOWN, t_s, 0.0
        if self._level.on:
            return Action.RESTING, self._level.since_s, head
        if self._high.on:
            return Action.ALERT, self._high.since_s, head
        return Action.STANDING, -math.inf, sure
