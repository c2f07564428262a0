"""What the figures of a session are made from, wherever it was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import Bug
from engine.domain.geometry import read_only
from engine.domain.motion import Gait, Stride
from engine.domain.sessions import SessionScale

Floats = NDArray[np.float64]

LONGEST_S = 0.5
"""A sighting stands for at most so long: over more nobody knows what the horse did."""


@dataclass(frozen=True, slots=True)
class GaitStretch:
    """One gait from ``start_s`` to ``end_s`` of the session's clock."""

    start_s: float
    end_s: float
    gait: Gait
    confidence: float

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """One horse over one session, whose clock begins at 0 and ends at ``duration_s``.

    t_s: float64 (T,), rising, when it was seen. dt_s: float64 (T,), the time each sighting stands
    for. speeds_mps: float64 (T,), over the ground, NaN where not known. ``gaits`` do not overlap.
    ``sides_known``: the skeleton says which side is the left one. Raises Bug on mismatched lengths.
    """

    duration_s: float
    t_s: Floats
    dt_s: Floats
    speeds_mps: Floats
    gaits: Sequence[GaitStretch]
    strides: Sequence[Stride]
    scale: SessionScale
    sides_known: bool = True

    def __post_init__(self) -> None:
        count = len(self.t_s)
        if self.dt_s.shape != (count,) or self.speeds_mps.shape != (count,):
            raise Bug("columns of a session's facts have different lengths")
        for column in (self.t_s, self.dt_s, self.speeds_mps):
            read_only(column)

    @property
    def seen_s(self) -> float:
        """Seconds in which the horse was seen."""
        return float(self.dt_s.sum())

    def share(self, seconds: float) -> float:
        """Seconds as a share of the session, 0..1."""
        return 0.0 if self.duration_s <= 0 else min(max(seconds / self.duration_s, 0.0), 1.0)


def standing_for(t_s: Floats, longest_s: float = LONGEST_S) -> Floats:
    """The time each of some rising instants stands for: up to the next one, float64 (T,). Where a
    gap follows that is longer than ``longest_s``, and at the end, the usual step."""
    if len(t_s) < 2:
        return np.zeros(len(t_s))
    steps = np.diff(t_s)
    near = steps[steps <= longest_s]
    usual = float(np.median(near)) if len(near) else 0.0
    return np.append(np.where(steps <= longest_s, steps, usual), usual)
