"""Sessions and what was found in them, for the console's tests: figures measured by the product's
own strategies from strides and speeds that are made here."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np

from db.repositories.farms import DEFAULT_FARM
from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Asymmetry, Gait, Lead, Stride, StrideId
from engine.domain.sessions import (
    HeatMap,
    HeatMapUnit,
    ScaleKind,
    Session,
    SessionId,
    SessionKind,
    SessionMetrics,
    SessionMode,
    SessionResult,
    SessionScale,
    SessionSource,
    SessionState,
)
from engine.sessions.facts import GaitStretch, SessionFacts, standing_for
from engine.sessions.metrics import measured

GAITS = ((Gait.WALK, 1.5, 0.95), (Gait.TROT, 3.4, 1.35), (Gait.CANTER, 5.6, 1.75))
"""Gait, metres a second, strides a second."""


def made_session(title: str, days_ago: float = 0.0, **fields: object) -> Session:
    """An uploaded one that waits, unless told otherwise."""
    start = datetime.now(UTC) - timedelta(days=days_ago)
    session = Session(
        SessionId(uuid4()), DEFAULT_FARM, title, SessionKind.TRAINING, SessionSource.UPLOAD,
        SessionMode.TRAINING, SessionState.QUEUED, start, "Anna", start,
        video_name=f"{title.lower().replace(' ', '-')}.mp4",
    )  # fmt: skip
    return replace(session, **fields)  # type: ignore[arg-type]


def found(
    session: Session, seed: int = 0, speed: float = 1.0, part_s: float = 20.0,
    unit: HeatMapUnit = HeatMapUnit.METRES, stream_id: StreamId | None = None,
) -> SessionResult:  # fmt: skip
    """Walk, trot and canter of ``part_s`` each; ``speed`` times as fast as usual."""
    rng = np.random.default_rng(seed)
    strides: list[Stride] = []
    stretches: list[GaitStretch] = []
    speeds: list[float] = []
    for number, (gait, mps, hz) in enumerate(GAITS):
        begin_s = number * part_s
        stretches.append(GaitStretch(begin_s, begin_s + part_s, gait, 0.9))
        speeds += list(rng.normal(mps * speed, 0.12, round(part_s * 25)))
        count = int(part_s * hz) - 1
        strides += [_stride(session, gait, mps * speed, hz, begin_s + n / hz, rng)
                    for n in range(count)]  # fmt: skip
    t_s = np.arange(len(speeds)) / 25.0
    scale = SessionScale(ScaleKind.BODY, 0.06, 1.62)
    facts = SessionFacts(
        3 * part_s, t_s, standing_for(t_s), np.array(speeds), stretches, strides, scale
    )
    metrics = SessionMetrics(
        session.id, measured(facts), scale, 3 * part_s, 0.96 * 3 * part_s, datetime.now(UTC),
        len(speeds), 25.0, 2, 1, models=("detector@1", "pose@1"),
        remarks=("The camera stood still.",),
    )  # fmt: skip
    return SessionResult(metrics, strides, (_map(rng, unit, stream_id),))


def _stride(
    session: Session, gait: Gait, mps: float, hz: float, at_s: float, rng: np.random.Generator
) -> Stride:
    start = session.start_at + timedelta(seconds=at_s)
    rate, pace = hz * rng.normal(1, 0.02), mps * rng.normal(1, 0.03)
    lean = Asymmetry(*rng.normal((6.0, -2.0, 3.0, 1.0), 3.0).tolist())
    return Stride(
        StrideId(uuid4()), TrackId(UUID(int=1)), StreamId(UUID(int=2)), start,
        start + timedelta(seconds=1 / rate), gait, Lead.LEFT if gait is Gait.CANTER else Lead.NONE,
        rate, pace / rate, pace, (0.5, 0.5, 0.5, 0.5), (0.0, 0.5, 0.5, math.nan), (0.0, 0.02),
        0.93, lean if gait is Gait.TROT else Asymmetry(*[math.nan] * 4), True, 0.8, False,
    )  # fmt: skip


def _map(rng: np.random.Generator, unit: HeatMapUnit, stream_id: StreamId | None) -> HeatMap:
    rows, columns = 24, 40
    y, x = np.mgrid[0:rows, 0:columns]
    ring = np.hypot((x - 20) / 16, (y - 12) / 9)
    seconds = np.where(np.abs(ring - 1) < 0.12, rng.uniform(0.2, 1.6, (rows, columns)), 0)
    bounds = (0.0, 0.0, 20.0, 12.0) if unit is HeatMapUnit.METRES else (0.0, 0.0, 1.0, 1.0)
    return HeatMap(stream_id, unit, bounds, seconds.astype(np.float32))
