"""What is stored of a horse between two instants, and the figures of a live session so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.domain.behaviour import MotionRepository
from engine.domain.ids import HorseId, StreamId
from engine.domain.sessions import Session, SessionMetrics
from engine.sessions.facts import SessionFacts
from engine.sessions.metrics import measured
from engine.sessions.stretch import StoredHorse, facts_of_stored, scale_of_cameras

_PART = timedelta(minutes=10)
_POINTS = 20_000
_MOST_ROWS = 100_000


def parts(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) in parts of ten minutes: so much is read of the store at once."""
    while start < end:
        until = min(start + _PART, end)
        yield start, until
        start = until


def stored_horse(
    motion: MotionRepository, horse_id: HorseId, streams: Sequence[StreamId], start: datetime,
    end: datetime,
) -> StoredHorse:  # fmt: skip
    """Bouts, strides and speeds of a horse; of some cameras only, none: of all. Speeds are those of
    every camera that saw it."""
    wanted = set(streams)
    bouts = [
        owned
        for owned in motion.bouts(start, end, (horse_id,), limit=_MOST_ROWS)
        if not wanted or owned.bout.stream_id in wanted
    ]
    strides = [
        owned
        for owned in motion.strides(start, end, horse_id, limit=_MOST_ROWS)
        if not wanted or owned.stride.stream_id in wanted
    ]
    instants: list[NDArray[np.int64]] = []
    speeds: list[NDArray[np.float32]] = []
    for since, until in parts(start, end):
        series = motion.metrics(horse_id, since, until, ("speed_mps",), _POINTS)
        instants.append(series.at_us)
        values = series.values["speed_mps"].reshape(-1, 3)
        speeds.append(np.asarray(values[:, 0], np.float32))
    return StoredHorse(
        start,
        end,
        bouts,
        strides,
        np.concatenate(instants) if instants else np.zeros(0, np.int64),
        np.concatenate(speeds) if speeds else np.zeros(0, np.float32),
    )


def provisional_metrics(
    session: Session, motion: MotionRepository, height_m: float | None, usual_m: float,
    now: datetime,
) -> SessionMetrics | None:  # fmt: skip
    """The figures of a live session so far, from the live analysis alone; None where nothing is
    known yet."""
    if session.horse_id is None or now <= session.start_at:
        return None
    found = stored_horse(motion, session.horse_id, session.stream_ids, session.start_at, now)
    facts = facts_of_stored(found, scale_of_cameras((), height_m, usual_m), True)
    return SessionMetrics(
        session_id=session.id,
        values=measured(facts),
        scale=facts.scale,
        duration_s=facts.duration_s,
        seen_s=facts.seen_s,
        analysed_at=now,
        pictures=len(facts.t_s),
        fps=rate_of(facts),
        horses=1,
        provisional=True,
        remarks=("From the live analysis: the recordings are not analysed yet.",),
    )


def rate_of(facts: SessionFacts) -> float:
    """Usual sightings a second; 0 where there is one at most."""
    steps = np.diff(facts.t_s)
    steps = steps[steps > 0]
    return float(1.0 / np.median(steps)) if len(steps) else 0.0
