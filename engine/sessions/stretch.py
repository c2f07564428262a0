"""A stretch of recordings as a session: facts from what is stored of one horse.

Bouts and strides are those of the chunk lane where it has seen the recordings, else the live
lane's; speeds are the stored ones, ten a second at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.domain.behaviour import OwnedBout, OwnedStride
from engine.domain.errors import OperatorMistake
from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId
from engine.domain.motion import BoutKind, Gait, Stride
from engine.domain.sessions import ScaleKind, SessionScale
from engine.sessions.facts import Floats, GaitStretch, SessionFacts, standing_for
from engine.sessions.scales import BODY_UNCERTAINTY, GROUND_UNCERTAINTY, USUAL_UNCERTAINTY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STORED_LONGEST_S = 1.0
"""Live pictures are a tenth of a second apart, and further under load."""


@dataclass(frozen=True, slots=True)
class StoredHorse:
    """One horse between two instants. at_us: int64 (T,), instants of stored poses, microseconds
    since 1970 UTC, rising. speeds_mps: float32 (T,), NaN where not known."""

    start_at: datetime
    end_at: datetime
    bouts: Sequence[OwnedBout]
    strides: Sequence[OwnedStride]
    at_us: NDArray[np.int64]
    speeds_mps: FloatArray


def most_seen(bouts: Sequence[OwnedBout], start: datetime, end: datetime) -> HorseId | None:
    """The known horse that was seen for longest, None where none was."""
    seconds: dict[HorseId, float] = {}
    for owned in bouts:
        if owned.horse_id is not None and owned.bout.kind is BoutKind.POSTURE:
            a, b = max(owned.bout.start_at, start), min(owned.bout.end_at, end)
            length_s = max((b - a).total_seconds(), 0.0)
            seconds[owned.horse_id] = seconds.get(owned.horse_id, 0.0) + length_s
    return max(seconds, key=lambda horse: seconds[horse]) if seconds else None


def facts_of_stored(horse: StoredHorse, scale: SessionScale, sides_known: bool) -> SessionFacts:
    """The facts of a session from what is stored. Raises OperatorMistake for a stretch without
    length."""
    duration_s = (horse.end_at - horse.start_at).total_seconds()
    if duration_s <= 0:
        raise OperatorMistake("A session needs some time between its start and its end.")
    start_us = (horse.start_at - _EPOCH) // timedelta(microseconds=1)
    t_s: Floats = (horse.at_us - start_us).astype(np.float64) / 1e6
    order = np.argsort(t_s, kind="stable")
    t_s, speeds = t_s[order], horse.speeds_mps[order].astype(np.float64)
    return SessionFacts(
        duration_s,
        t_s,
        standing_for(t_s, STORED_LONGEST_S),
        speeds,
        _gaits(horse, duration_s),
        tuple(owned.stride for owned in horse.strides),
        scale,
        sides_known,
    )


def scale_of_cameras(
    calibrated: Sequence[bool], height_m: float | None, usual_m: float
) -> SessionScale:
    """Where the metres of stored speeds come from. ``calibrated``: whether each camera is that
    counts."""
    if calibrated and all(calibrated):
        return SessionScale(ScaleKind.GROUND, GROUND_UNCERTAINTY, height_m)
    if height_m is not None:
        return SessionScale(ScaleKind.BODY, BODY_UNCERTAINTY, height_m)
    return SessionScale(ScaleKind.USUAL_BODY, USUAL_UNCERTAINTY, usual_m)


def provisional(strides: Sequence[Stride]) -> int:
    """How many are the live lane's."""
    return sum(stride.provisional for stride in strides)


def _gaits(horse: StoredHorse, duration_s: float) -> tuple[GaitStretch, ...]:
    """Gait bouts on the session's clock; where cameras overlap, the first to tell counts."""
    told = sorted(
        (owned.bout for owned in horse.bouts if owned.bout.kind is BoutKind.GAIT),
        key=lambda bout: bout.start_at,
    )
    stretches: list[GaitStretch] = []
    reached_s = 0.0
    for bout in told:
        start_s = max((bout.start_at - horse.start_at).total_seconds(), reached_s)
        end_s = min((bout.end_at - horse.start_at).total_seconds(), duration_s)
        if end_s > start_s:
            gait = Gait[bout.value.upper()]
            stretches.append(GaitStretch(start_s, end_s, gait, bout.confidence))
            reached_s = end_s
    return tuple(stretches)
