"""Bodies of the routes about motion: bouts, metrics, budgets, strides, asymmetry, analytics."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from barnhand_desktop.api.schemas import UtcInstant


class BoutOut(BaseModel):
    """A stretch in which a horse did one thing. ``provisional`` ones come from the live analysis
    and are replaced once the recording is analysed; ``open``: it still runs."""

    id: UUID
    track_id: UUID
    stream_id: UUID
    kind: Literal["gait", "action", "posture", "company"]
    value: str
    start: UtcInstant
    end: UtcInstant
    confidence: float
    provisional: bool
    open: bool


class MetricOut(BaseModel):
    """One metric in the buckets of its series; null where nothing is known."""

    mean: list[float | None]
    least: list[float | None]
    greatest: list[float | None]


class MetricsOut(BaseModel):
    """Metrics of a horse over time: ``at`` is where each bucket of ``bucket_s`` seconds begins (0:
    every row is a bucket). Units are in the names."""

    horse_id: UUID
    bucket_s: float
    at: list[UtcInstant]
    metrics: dict[str, MetricOut]


class BudgetOut(BaseModel):
    """Where a horse's time went: seconds by word. ``coverage``: the share of it that was seen."""

    start: UtcInstant
    end: UtcInstant
    seen_s: float
    coverage: float
    actions_s: dict[str, float]
    postures_s: dict[str, float]
    gaits_s: dict[str, float]


class TimeBudgetOut(BaseModel):
    """Budgets of a horse, step by step."""

    horse_id: UUID
    budgets: list[BudgetOut]


class AsymmetryOut(BaseModel):
    """Head and pelvis in mm, right minus left; null where not measured."""

    hd_min_mm: float | None
    hd_max_mm: float | None
    pd_min_mm: float | None
    pd_max_mm: float | None


class StrideOut(BaseModel):
    """One stride. ``duty`` and ``phases`` by limb (left and right front, left and right hind),
    ``dissociation`` by diagonal; null where not measured."""

    id: UUID
    track_id: UUID
    stream_id: UUID
    start: UtcInstant
    end: UtcInstant
    gait: str
    lead: str
    stride_hz: float | None
    length_m: float | None
    speed_mps: float | None
    duty: list[float | None]
    phases: list[float | None]
    dissociation: list[float | None]
    symmetry: float | None
    asymmetry: AsymmetryOut
    straight: bool
    quality: float
    provisional: bool


class TrendOut(BaseModel):
    """One figure day by day with 95 % intervals, and its slope; null with the reason in
    ``refusal`` where too little is known."""

    days: list[date]
    mean_mm: list[float]
    low_mm: list[float]
    high_mm: list[float]
    slope_mm_day: float | None
    slope_low_mm_day: float | None
    slope_high_mm_day: float | None
    refusal: str


class HorseAsymmetryOut(BaseModel):
    """Asymmetry of a horse over good strides of straight trot. It is refused, with the reason,
    where there are too few. A finding is a vet's to make, never these figures'."""

    horse_id: UUID
    strides: int
    mean: AsymmetryOut
    spread: AsymmetryOut
    refusal: str
    trends: dict[str, TrendOut]


class HourOut(BaseModel):
    """What a horse did in an hour. ``mean_speed_mps`` is null for the newest hours."""

    hour: UtcInstant
    horse_id: UUID
    seen_s: float
    actions_s: dict[str, float]
    mean_speed_mps: float | None
    moving_share: float | None


class PresenceOut(BaseModel):
    """How long a horse was seen on a UTC day, and in each of its hours."""

    day: date
    horse_id: UUID
    seen_s: float
    hours_s: list[float]
