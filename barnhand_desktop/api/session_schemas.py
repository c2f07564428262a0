"""Bodies of the routes about sessions."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from barnhand_desktop.api.job_schemas import Note
from barnhand_desktop.api.schemas import Name, Request, UtcInstant
from engine.domain.motion import Stride
from engine.domain.sessions import (
    Comparison,
    HeatMap,
    HeatMapUnit,
    ScaleKind,
    Session,
    SessionKind,
    SessionMetrics,
    SessionMode,
    SessionSource,
    SessionState,
)

StreamIds = Annotated[list[UUID], Field(max_length=16)]


class SessionAbout(Request):
    """What is said of any new session. ``horse_id`` null: the horse that is seen most."""

    title: Name
    kind: SessionKind = SessionKind.TRAINING
    horse_id: UUID | None = None
    note: Note = ""
    farm_id: UUID | None = None


class NewSession(SessionAbout):
    """``stretch``: recordings of cameras from start_time to end_time. ``live``: begins now and
    needs the horse; its stop ends it."""

    source: Literal["stretch", "live"]
    stream_ids: StreamIds = Field(min_length=1)
    start_time: UtcInstant | None = None
    end_time: UtcInstant | None = None

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.source == "stretch":
            if self.start_time is None or self.end_time is None:
                raise ValueError("a stretch needs start_time and end_time")
            if self.end_time <= self.start_time:
                raise ValueError("end_time is not after start_time")
        elif self.start_time is not None or self.end_time is not None:
            raise ValueError("a live session begins now and ends with its stop")
        elif self.horse_id is None:
            raise ValueError("a live session needs horse_id")
        return self


class UploadDescription(SessionAbout):
    """The description beside an uploaded video. ``recorded_at``: when its first picture was taken,
    now where it is not said. ``stream_id``: the camera that took it, whose calibration counts.
    ``mode``: training looks at every picture, highlights at 30 and preview at 15 a second."""

    mode: SessionMode = SessionMode.TRAINING
    recorded_at: UtcInstant | None = None
    stream_id: UUID | None = None


class SessionChange(Request):
    """What is to change, of version ``version``; what is left out stays. The horse, the mode and
    the time count from the next analysis on."""

    version: int = Field(ge=1, le=2**31 - 1)
    title: Name | None = None
    kind: SessionKind | None = None
    mode: SessionMode | None = None
    horse_id: UUID | None = None
    note: Note | None = None
    locked: bool | None = None


class SessionOut(BaseModel):
    """A session. ``progress`` and ``message`` are of its job; ``archived_at``: its strides and
    video are gone, figures and report stay."""

    id: UUID
    farm_id: UUID
    horse_id: UUID | None
    title: str
    kind: SessionKind
    source: SessionSource
    mode: SessionMode
    state: SessionState
    progress: float
    message: str
    stream_ids: list[UUID]
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


class MetricOut(BaseModel):
    """One figure; ``value`` null where ``reason`` says why. ``unit``: m_s, bl_s (body lengths a
    second), m, hz, mm, share, count. ``count``: strides behind it, or seconds where ``spread`` (the
    standard deviation from stride to stride) is null. ``coverage``: share of the session."""

    name: str
    value: float | None
    unit: str
    count: int
    coverage: float
    spread: float | None
    reason: str


class ScaleOut(BaseModel):
    """Where metres come from, and by which share all of them may be off together."""

    kind: ScaleKind
    uncertainty: float | None
    height_m: float | None


class SessionMetricsOut(BaseModel):
    """What was found. ``provisional``: of a live session, from the live analysis alone."""

    session_id: UUID
    metrics: list[MetricOut]
    scale: ScaleOut
    duration_s: float
    seen_s: float
    coverage: float
    pictures: int
    fps: float
    tracks: int
    horses: int
    provisional: bool
    models: list[str]
    remarks: list[str]
    analysed_at: datetime


class SessionStopped(BaseModel):
    """A live session that was ended, and what the live analysis says of it."""

    session: SessionOut
    summary: SessionMetricsOut | None


class SessionStrideOut(BaseModel):
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
    duty: list[float | None]
    phases: list[float | None]
    hd_min_mm: float | None
    hd_max_mm: float | None
    pd_min_mm: float | None
    pd_max_mm: float | None
    straight: bool
    quality: float
    provisional: bool


class SessionStrides(BaseModel):
    """The stride table."""

    session_id: UUID
    strides: list[SessionStrideOut]


class HeatMapOut(BaseModel):
    """Seconds by cell, rows from the least y on. ``bounds``: x and y of the first corner, then of
    the last; metres on the ground, or shares of the picture (y down)."""

    stream_id: UUID | None
    unit: HeatMapUnit
    bounds: tuple[float, float, float, float]
    seconds: list[list[float]]


class HeatMaps(BaseModel):
    """Where the horse was, one map a camera."""

    session_id: UUID
    maps: list[HeatMapOut]


class DifferenceOut(BaseModel):
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


class ComparisonOut(BaseModel):
    """Two sessions side by side."""

    a: UUID
    b: UUID
    differences: list[DifferenceOut]
    remarks: list[str]


# --- from what is stored -----------------------------------------------------------------------


def session_out(session: Session) -> SessionOut:
    """A session as it is answered; where its files lie stays inside."""
    return SessionOut(
        id=session.id,
        farm_id=session.farm_id,
        horse_id=session.horse_id,
        title=session.title,
        kind=session.kind,
        source=session.source,
        mode=session.mode,
        state=session.state,
        progress=session.progress,
        message=session.message,
        stream_ids=list(session.stream_ids),
        note=session.note,
        start_at=session.start_at,
        end_at=session.end_at,
        video_name=session.video_name,
        size_bytes=session.size_bytes,
        sha256=session.sha256,
        has_video=bool(session.video),
        has_report=bool(session.report),
        job_id=session.job_id,
        locked=session.locked,
        created_by=session.created_by,
        created_at=session.created_at,
        archived_at=session.archived_at,
        version=session.version,
    )


def metrics_out(metrics: SessionMetrics) -> SessionMetricsOut:
    """What was found, as it is answered."""
    return SessionMetricsOut(
        session_id=metrics.session_id,
        metrics=[
            MetricOut(
                name=one.name,
                value=_known(one.value),
                unit=one.unit,
                count=one.count,
                coverage=one.coverage,
                spread=_known(one.spread),
                reason=one.reason,
            )
            for one in metrics.values.values()
        ],
        scale=ScaleOut(
            kind=metrics.scale.kind,
            uncertainty=_known(metrics.scale.uncertainty),
            height_m=_known(metrics.scale.height_m),
        ),
        duration_s=metrics.duration_s,
        seen_s=metrics.seen_s,
        coverage=metrics.coverage,
        pictures=metrics.pictures,
        fps=metrics.fps,
        tracks=metrics.tracks,
        horses=metrics.horses,
        provisional=metrics.provisional,
        models=list(metrics.models),
        remarks=list(metrics.remarks),
        analysed_at=metrics.analysed_at,
    )


def stride_out(stride: Stride) -> SessionStrideOut:
    """A stride as it is answered."""
    return SessionStrideOut(
        start_at=stride.start_at,
        end_at=stride.end_at,
        gait=stride.gait.label,
        lead=stride.lead.label,
        stride_hz=_known(stride.stride_hz),
        length_m=_known(stride.length_m),
        speed_mps=_known(stride.speed_mps),
        symmetry=_known(stride.symmetry),
        duty=[_known(value) for value in stride.duty],
        phases=[_known(value) for value in stride.phases],
        hd_min_mm=_known(stride.asymmetry.hd_min_mm),
        hd_max_mm=_known(stride.asymmetry.hd_max_mm),
        pd_min_mm=_known(stride.asymmetry.pd_min_mm),
        pd_max_mm=_known(stride.asymmetry.pd_max_mm),
        straight=stride.straight,
        quality=stride.quality,
        provisional=stride.provisional,
    )


def heat_map_out(one: HeatMap) -> HeatMapOut:
    """A heat map as it is answered, seconds to the hundredth."""
    return HeatMapOut(
        stream_id=one.stream_id,
        unit=one.unit,
        bounds=one.bounds,
        seconds=[[round(float(cell), 2) for cell in row] for row in one.seconds],
    )


def comparison_out(comparison: Comparison) -> ComparisonOut:
    """A comparison as it is answered."""
    return ComparisonOut(
        a=comparison.a,
        b=comparison.b,
        differences=[
            DifferenceOut(
                name=one.name,
                unit=one.unit,
                a=_known(one.a),
                b=_known(one.b),
                difference=_known(one.difference),
                low=_known(one.low),
                high=_known(one.high),
                verdict=one.verdict,
                reason=one.reason,
            )
            for one in comparison.differences
        ],
        remarks=list(comparison.remarks),
    )


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
