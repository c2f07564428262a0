"""How horses moved, and what the herd did."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from .base import Answer


class MetricSeries(Answer):
    """One metric in the buckets of its series; null where nothing is known."""

    mean: tuple[float | None, ...]
    least: tuple[float | None, ...]
    greatest: tuple[float | None, ...]


class HorseMetrics(Answer):
    """Metrics of a horse over time: ``at`` is where each bucket of ``bucket_s`` seconds begins (0:
    every row is a bucket). Units are in the names."""

    horse_id: UUID
    bucket_s: float
    at: tuple[datetime, ...]
    metrics: dict[str, MetricSeries]


class Budget(Answer):
    """Where a horse's time went: seconds by word. ``coverage``: the share of it that was seen."""

    start: datetime
    end: datetime
    seen_s: float
    coverage: float
    actions_s: dict[str, float]
    postures_s: dict[str, float]
    gaits_s: dict[str, float]


class TimeBudget(Answer):
    """Budgets of a horse, step by step."""

    horse_id: UUID
    budgets: tuple[Budget, ...]


class Asymmetry(Answer):
    """Head and pelvis in mm, right minus left; null where not measured."""

    hd_min_mm: float | None
    hd_max_mm: float | None
    pd_min_mm: float | None
    pd_max_mm: float | None


class Stride(Answer):
    """One stride. ``duty`` and ``phases`` by limb (left and right front, left and right hind),
    ``dissociation`` by diagonal; null where not measured."""

    id: UUID
    track_id: UUID
    stream_id: UUID
    start: datetime
    end: datetime
    gait: str
    lead: str
    stride_hz: float | None
    length_m: float | None
    speed_mps: float | None
    duty: tuple[float | None, ...]
    phases: tuple[float | None, ...]
    dissociation: tuple[float | None, ...]
    symmetry: float | None
    asymmetry: Asymmetry
    straight: bool
    quality: float
    provisional: bool


class Trend(Answer):
    """One figure day by day with 95 % intervals, and its slope; null with the reason in
    ``refusal`` where too little is known."""

    days: tuple[date, ...]
    mean_mm: tuple[float, ...]
    low_mm: tuple[float, ...]
    high_mm: tuple[float, ...]
    slope_mm_day: float | None
    slope_low_mm_day: float | None
    slope_high_mm_day: float | None
    refusal: str


class HorseAsymmetry(Answer):
    """Asymmetry of a horse over good strides of straight trot. It is refused, with the reason,
    where there are too few. A finding is a vet's to make, never these figures'."""

    horse_id: UUID
    strides: int
    mean: Asymmetry
    spread: Asymmetry
    refusal: str
    trends: dict[str, Trend]


class HourOfHorse(Answer):
    """What a horse did in an hour. ``mean_speed_mps`` is null for the newest hours."""

    hour: datetime
    horse_id: UUID
    seen_s: float
    actions_s: dict[str, float]
    mean_speed_mps: float | None
    moving_share: float | None


class DayOfHorse(Answer):
    """How long a horse was seen on a UTC day, and in each of its hours."""

    day: date
    horse_id: UUID
    seen_s: float
    hours_s: tuple[float, ...]
