"""The most plausible course of gaits through estimates of single instants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.domain.motion import Gait, Lead
from engine.motion.gait_estimate import GaitEstimate

State = tuple[Gait, Lead]
_LEAST = 0.02
"""Probability left to every state that an estimate does not name."""

_DOUBT = 0.35
"""Weight of not knowing: with it an instant alone is unknown below a confidence of a quarter, as
``GaitOptions.least_confidence`` has it."""


def smoothed(windows: Sequence[GaitEstimate], change_cost: float) -> list[GaitEstimate]:
    """The estimates with the gaits and leads of the likeliest course (Viterbi's algorithm).

    An estimate gives its confidence to what it saw, in the shares it saw, and the rest, weighted
    down, to not knowing; every change of state costs ``change_cost``, so that one odd instant
    changes nothing.
    """
    states: list[State] = sorted({s for window in windows for s in _probabilities(window)})
    if len(windows) < 2:
        return list(windows)
    cost = np.full((len(windows), len(states)), -math.log(_LEAST))
    for row, window in enumerate(windows):
        for state, share in _probabilities(window).items():
            cost[row, states.index(state)] = -math.log(max(share, _LEAST))
    best = cost[0].copy()
    before = np.zeros(cost.shape, np.int64)
    for row in range(1, len(windows)):
        cheapest = int(best.argmin())
        change = best[cheapest] + change_cost
        before[row] = np.where(best <= change, np.arange(len(states)), cheapest)
        best = np.minimum(best, change) + cost[row]
    course = [int(best.argmin())]
    for row in range(len(windows) - 1, 0, -1):
        course.append(int(before[row, course[-1]]))
    course.reverse()
    return [_with(w, states[s]) for w, s in zip(windows, course, strict=True)]


def _probabilities(window: GaitEstimate) -> dict[State, float]:
    unknown = {(Gait.UNKNOWN, Lead.NONE): _DOUBT * (1.0 - window.confidence)}
    if window.gait is Gait.UNKNOWN:
        return unknown
    known: dict[State, float] = {
        (gait, window.lead if gait is window.gait else Lead.NONE): window.confidence * share
        for gait, share in window.shares
        if gait in (window.gait, Gait.WALK, Gait.TROT)
    }
    return {**known, **unknown}


def _with(window: GaitEstimate, state: State) -> GaitEstimate:
    if (window.gait, window.lead) == state:
        return window
    sure = dict(window.shares).get(state[0], 0.0) * window.confidence
    return replace(window, gait=state[0], lead=state[1], confidence=sure)
