"""Corrections, questions and figures of identification."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from .base import Answer


class Effect(Answer):
    """What a correction would change. ``forbidden`` says why it cannot be done, empty if it can;
    ``expected`` goes back into the request that does it."""

    horses: int
    tracks: int
    spans: int
    detections: int
    seen_s: float
    overlap_s: float
    forbidden: str
    expected: dict[UUID, int]


class Command(Answer):
    """A correction as it was done."""

    command_id: UUID
    farm_id: UUID
    kind: str
    summary: str
    horse_ids: tuple[UUID, ...]
    created: tuple[UUID, ...]
    spans: int
    detections: int
    actor: str
    reason: str
    at: datetime
    undone_at: datetime | None
    undone_by: str | None


class Correction(Answer):
    """The answer to a correction: the command, or for a dry run its effect."""

    command: Command | None = None
    effect: Effect | None = None


class Review(Answer):
    """Something the engine is not sure of. ``similarity`` is cosine in 0..1."""

    id: UUID
    kind: str
    track_id: UUID
    other_track_id: UUID | None
    horse_id: UUID
    similarity: float | None
    at: datetime
    stream_id: UUID
    deferred: bool


class Verdict(Answer):
    """The correction that the verdict led to, if any."""

    command: Command | None


class Threshold(Answer):
    """``threshold`` is what people set (null: nobody did, and each model's own calibrated value
    counts)."""

    threshold: float | None


class TrackingTimings(Answer):
    """``identified_after_s``: from a track's first picture to the engine's stored decision whose
    it is, over the last 7 days, median and 95th percentile; null without any. ``latency_ms``: from
    capture to result by camera, now; empty while the live state is away."""

    identified_after_s_median: float | None
    identified_after_s_p95: float | None
    latency_ms: dict[UUID, float]


class TrackingStats(Answer):
    """Counts since the first record. ``review_precision`` is the share of decided questions about
    matches that people answered with "same", null while none was decided."""

    horses: int
    guests: int
    tracks: int
    identified_tracks: int
    by_engine: int
    by_people: int
    reidentifications: int
    corrections: int
    undone: int
    switches_corrected: int
    reviews_open: int
    reviews_same: int
    reviews_different: int
    review_precision: float | None
    timings: TrackingTimings
