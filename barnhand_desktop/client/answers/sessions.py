"""Sessions and the training calendar."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from .base import Answer


class Session(Answer):
    """A session. ``progress`` and ``message`` are of its job; ``archived_at``: its strides and
    video are gone, figures and report stay."""

    id: UUID
    farm_id: UUID
    horse_id: UUID | None
    title: str
    kind: str
    source: str
    mode: str
    state: str
    progress: float
    message: str
    stream_ids: tuple[UUID, ...]
    note: str
    start_at: datetime
    end_at: datetime | None
    video_name: str
    size_bytes: int
    sha256: str
    has_video: bool
    has_report: bool
    job_id: UUID | None
    locked: bool
    created_by: str
    created_at: datetime
    archived_at: datetime | None
    version: int


class SessionMetric(Answer):
    """One figure; ``value`` null where ``reason`` says why. ``unit``: m_s, bl_s (body lengths a
    second), m, hz, mm, share, count. ``count``: strides behind it, or seconds where ``spread``
    (the standard deviation from stride to stride) is null. ``coverage``: share of the session."""

    name: str
    value: float | None
    unit: str
    count: int
    coverage: float
    spread: float | None
    reason: str


class Scale(Answer):
    """Where metres come from, and by which share all of them may be off together."""

    kind: str
    uncertainty: float | None
    height_m: float | None


class SessionMetrics(Answer):
    """What was found. ``provisional``: of a live session, from the live analysis alone."""

    session_id: UUID
    metrics: tuple[SessionMetric, ...]
    scale: Scale
    duration_s: float
    seen_s: float
    coverage: float
    pictures: int
    fps: float
    tracks: int
    horses: int
    provisional: bool
    models: tuple[str, ...]
    remarks: tuple[str, ...]
    analysed_at: datetime


class SessionStopped(Answer):
    """A live session that was ended, and what the live analysis says of it."""

    session: Session
    summary: SessionMetrics | None


class SessionStride(Answer):
    """One stride; null where something was not measured. Limbs: left front, right front, left
    hind, right hind."""

    start_at: datetime
    end_at: datetime
    gait: str
    lead: str
    stride_hz: float | None
    length_m: float | None
    speed_mps: float | None
    symmetry: float | None
    duty: tuple[float | None, ...]
    phases: tuple[float | None, ...]
    hd_min_mm: float | None
    hd_max_mm: float | None
    pd_min_mm: float | None
    pd_max_mm: float | None
    straight: bool
    quality: float
    provisional: bool


class SessionStrides(Answer):
    """The stride table."""

    session_id: UUID
    strides: tuple[SessionStride, ...]


class HeatMap(Answer):
    """Seconds by cell, rows from the least y on. ``bounds``: x and y of the first corner, then of
    the last; metres on the ground, or shares of the picture (y down)."""

    stream_id: UUID | None
    unit: str
    bounds: tuple[float, float, float, float]
    seconds: tuple[tuple[float, ...], ...]


class HeatMaps(Answer):
    """Where the horse was, one map a camera."""

    session_id: UUID
    maps: tuple[HeatMap, ...]


class Difference(Answer):
    """b minus a with its 95 % interval. ``verdict``: higher, lower, alike; empty where ``reason``
    says why there is none."""

    name: str
    unit: str
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: str


class Comparison(Answer):
    """Two sessions side by side."""

    a: UUID
    b: UUID
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]


class CalendarEntry(Answer):
    """A calendar entry as it is stored."""

    id: UUID
    farm_id: UUID
    horse_id: UUID | None
    title: str
    kind: str
    start_at: datetime
    end_at: datetime
    whole_day: bool
    note: str
    done: bool
    session_id: UUID | None
    created_by: str
    created_at: datetime
    version: int
