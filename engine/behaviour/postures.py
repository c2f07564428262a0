"""Upright, getting down or up, on the chest, flat on the side: a filter over time.

Every picture's cues say how likely they are in each posture; how long horses stay in a posture and
what follows on what says the rest (a hidden Markov model in continuous time). So a label changes
when evidence has lasted, never with one picture, at 2 as at 25 pictures a second.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from engine.behaviour.cues import Cues
from engine.domain.motion import Posture

STATES = (Posture.UPRIGHT, Posture.STERNAL, Posture.LATERAL)
_RATES_HZ = ((0.0, 1 / 1800, 1 / 9000), (1 / 900, 0.0, 1 / 300), (1 / 4000, 1 / 120, 0.0))
"""How often a horse goes from one posture (row) to another (column). Horses lie 2.7 to 27 % of the
day in spells of minutes, and lie flat only from the chest and get up over it."""
_PRIOR = (0.90, 0.07, 0.03)

# Mean and spread of each cue upright, on the chest and flat. Means follow from the meaning of the
# cue (legs straight and vertical, folded, straight and level; the back at 1.6 m or under 0.8 m,
# shortened by a camera that looks down); spreads were measured on simulated days (seeds 1 and 2)
# and then widened, for real horses vary more.
_LOOKS = {
    "leg_drop": ((0.91, 0.17), (0.13, 0.22), (0.20, 0.38)),
    "leg_straight": ((0.92, 0.15), (0.30, 0.18), (0.62, 0.22)),
    "clearance": ((1.38, 0.28), (0.53, 0.24), (0.27, 0.50)),
    "roll": ((0.58, 0.22), (0.44, 0.24), (0.02, 0.34)),
    "lift": ((0.10, 0.60), (0.45, 0.35), (0.05, 0.40)),
    "box": ((0.93, 0.16), (0.62, 0.16), (0.48, 0.20)),
}
_OUTLIER = 0.02
"""Density of a cue that means nothing: no single cue decides alone."""
_TEMPER = 0.6
"""Weight of the evidence of a picture's cues together, since they share their mistakes."""
_CORRELATED_S = 0.5
"""Mistakes of pictures nearer than this in time are the same mistake."""
_BLIND_S = 10.0
"""After so long without any evidence the posture is unknown."""
_TOLD_FROM = 0.6
_CHANGE_S, _CHANGE_M, _LOW_M, _HIGH_M = 3.0, 0.40, 0.90, 1.05
"""Getting down or up: the back sinks or rises by a third of a metre within 3 s (it takes a horse 3
to 6 s for 0.8 m), from or to the height of a horse on its feet."""


@dataclass(frozen=True, slots=True)
class PostureLabel:
    """A posture and how sure it is, 0..1. ``lying``: probability of lying in any way."""

    posture: Posture
    confidence: float
    lying: float


NO_POSTURE = PostureLabel(Posture.UNKNOWN, 0.0, 0.0)


class PostureFilter:
    """One track's posture. Used by one thread; times are monotonic seconds and rise."""

    def __init__(self) -> None:
        self._p = list(_PRIOR)
        self._t_s = math.nan
        self._seen_s = -math.inf
        self._label = Posture.UNKNOWN
        self._upright_px = 0.0
        self._back: deque[tuple[float, float]] = deque(maxlen=64)

    def update(self, t_s: float, cues: Cues, box_height_px: float) -> PostureLabel:
        """Take in one picture. ``box_height_px`` 0 where the box is cut by the picture's edge."""
        dt_s = 0.1 if math.isnan(self._t_s) else max(t_s - self._t_s, 0.0)
        self._t_s = t_s
        self._p = _moved_on(self._p, dt_s)
        found = self._evidence(cues, box_height_px)
        if found is not None:
            self._seen_s = t_s
            share = _TEMPER * min(dt_s / _CORRELATED_S, 1.0)
            weights = [p * math.exp(share * e) for p, e in zip(self._p, found, strict=True)]
            whole = sum(weights)
            self._p = [max(w / whole, 1e-6) for w in weights]
            self._remember(cues, box_height_px, dt_s)
        return self._told(t_s, self._changes(t_s, cues))

    def _changes(self, t_s: float, cues: Cues) -> bool:
        """The back goes down or up now; see ``_CHANGE_M``."""
        back = self._back
        if cues.legs and not math.isnan(cues.clearance):
            back.append((t_s, cues.clearance))
        while back and t_s - back[0][0] > _CHANGE_S:
            back.popleft()
        if len(back) < 4 or back[-1][0] - back[0][0] < 0.5 * _CHANGE_S:
            return False
        part = max(len(back) // 3, 1)
        heights = [height for _, height in back]
        first = sorted(heights[:part])[part // 2]
        last = sorted(heights[-part:])[part // 2]
        low, high = min(first, last), max(first, last)
        return high - low > _CHANGE_M and low < _LOW_M and high > _HIGH_M

    def _evidence(self, cues: Cues, box_height_px: float) -> list[float] | None:
        values = {
            "leg_drop": cues.leg_drop, "leg_straight": cues.leg_straight,
            "clearance": cues.clearance, "roll": cues.roll, "lift": cues.lift,
        }  # fmt: skip
        known = {name: v for name, v in values.items() if not math.isnan(v)}
        # The box alone speaks where the legs say nothing.
        if not cues.legs and self._upright_px > 0.0 and box_height_px > 0.0:
            known["box"] = box_height_px / self._upright_px
        if not known or known.keys() <= {"lift", "roll"}:
            return None
        found = [0.0] * len(STATES)
        for name, value in known.items():
            most = 0.0
            logs = []
            for mean, spread in _LOOKS[name]:
                off = (value - mean) / spread
                logs.append(math.log(math.exp(-0.5 * off * off) / spread + _OUTLIER))
            most = max(logs)
            for state, log in enumerate(logs):
                found[state] += log - most
        return found

    def _remember(self, cues: Cues, box_height_px: float, dt_s: float) -> None:
        """The height of the horse's own box while it surely stands with its head up or down."""
        if box_height_px <= 0.0 or self._p[0] < 0.95 or not cues.legs:
            return
        if self._upright_px <= 0.0:
            self._upright_px = box_height_px
        share = 1.0 - math.exp(-dt_s / 10.0)
        self._upright_px += share * (box_height_px - self._upright_px)

    def _told(self, t_s: float, changes: bool) -> PostureLabel:
        if t_s - self._seen_s > _BLIND_S:
            self._label = Posture.UNKNOWN
            return NO_POSTURE
        lying = min(self._p[1] + self._p[2], 1.0)
        best = max(range(len(STATES)), key=lambda state: self._p[state])
        if self._p[best] >= _TOLD_FROM:
            self._label = STATES[best]
        elif lying >= _TOLD_FROM and self._label in (Posture.UPRIGHT, Posture.UNKNOWN):
            self._label = Posture.LYING
        if changes:
            return PostureLabel(Posture.CHANGING, 0.7, lying)
        if self._label is Posture.UNKNOWN:
            return PostureLabel(Posture.UNKNOWN, 0.0, lying)
        sure = lying if self._label is Posture.LYING else self._p[STATES.index(self._label)]
        return PostureLabel(self._label, min(sure, 1.0), lying)


def _moved_on(p: Sequence[float], dt_s: float) -> list[float]:
    """Probabilities after a time without evidence (first order, in steps of at most a second)."""
    now = list(p)
    left_s = min(dt_s, 30.0)
    while left_s > 0.0:
        step_s = min(left_s, 1.0)
        left_s -= step_s
        flow = [[now[i] * rate * step_s for rate in row] for i, row in enumerate(_RATES_HZ)]
        now = [
            now[i] - sum(flow[i]) + sum(flow[j][i] for j in range(len(now)))
            for i in range(len(now))
        ]
    return now
