"""All that the page shows of one session, read in one go on a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.domain.motion import Stride
from engine.domain.sessions import (
    HeatMap,
    Session,
    SessionMetrics,
    SessionSource,
    SessionState,
)
from engine.sessions.acts import SessionActs

STRIDES_READ = 20_000
POINTS = 1500


@dataclass(frozen=True, slots=True)
class SessionReading:
    """``speed_t_s``, ``speed_mps``: float64 (T,), seconds from the start and speed as the barn's
    recordings have it, empty for videos (their speed is told by strides alone)."""

    session: Session
    metrics: SessionMetrics | None
    strides: Sequence[Stride]
    heat_maps: Sequence[HeatMap]
    speed_t_s: NDArray[np.float64]
    speed_mps: NDArray[np.float64]


def read_session(acts: SessionActs, session: Session, now: datetime) -> SessionReading:
    """Runs on a worker. Raises NotFound and StoreUnavailable."""
    store = acts.sessions
    going_on = session.state is SessionState.OPEN
    metrics = acts.so_far(session, now) if going_on else store.metrics(session.id)
    t_s, speed = _speeds(acts, session, now)
    return SessionReading(
        session,
        metrics,
        () if going_on else store.strides(session.id, STRIDES_READ),
        () if going_on else store.heat_maps(session.id),
        t_s,
        speed,
    )


def _speeds(
    acts: SessionActs, session: Session, now: datetime
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nothing = np.zeros(0), np.zeros(0)
    end = session.end_at or now
    if (
        acts.motion is None
        or session.horse_id is None
        or session.source is SessionSource.UPLOAD
        or end <= session.start_at
    ):
        return nothing
    series = acts.motion.metrics(
        session.horse_id, session.start_at, end, ("speed_mps",), POINTS,
        session.stream_ids or None,
    )  # fmt: skip
    values = series.values["speed_mps"].reshape(-1, 3)[:, 0].astype(np.float64)
    return series.at_us / 1e6 - session.start_at.timestamp(), values
