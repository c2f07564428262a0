"""How the whole engine is doing, as one frozen value for consoles, reports and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.domain.ids import StreamId
from engine.domain.notices import Notice
from engine.domain.streams import StreamHealth


@dataclass(frozen=True, slots=True)
class StageHealth:
    """One stage: batches per second, time for one batch in milliseconds over the last batches,
    and its mailbox (items waiting, room, items dropped since the start)."""

    name: str
    per_s: float
    p50_ms: float | None
    p95_ms: float | None
    queued: int = 0
    capacity: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """A model slot (detector, pose, embedder) and what fills it, in words for people."""

    task: str
    name: str
    licence: str
    runs_on: str
    state: str
    degraded: bool


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """The engine now. ``analysed_fps`` is over all cameras; ``queue_depth`` pictures waiting for
    analysis; ``failed_workers`` names threads that spent their restart budget.
    ``identity_threshold``: cosine in 0..1 from which two looks are taken for one horse, None where
    nobody asks."""

    running: bool
    analysed_fps: float
    queue_depth: int
    mean_batch: float
    streams: tuple[StreamHealth, ...]
    stages: tuple[StageHealth, ...]
    models: tuple[ModelHealth, ...]
    notices: tuple[Notice, ...]
    failed_workers: tuple[str, ...]
    identity_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class HistogramCounts:
    """Values since the start: ``counts[i]`` of them are at most ``bounds[i]`` and above the bound
    before, and one more count holds those above the last. ``total`` is the sum of all values."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class EngineHistograms:
    """How long everything took since the start, in seconds: capture to result by camera, one batch
    by stage; and pictures in a batch."""

    latency_s: Mapping[StreamId, HistogramCounts]
    stage_s: Mapping[str, HistogramCounts]
    batch: HistogramCounts


@dataclass(frozen=True, slots=True)
class CameraSummary:
    """What one camera did in a run.

    ``horses_seen`` is the largest number of horses visible at once: a count that needs no
    re-identification and never counts one horse twice. ``tracks_seen`` counts confirmed horse
    tracklets, which is more whenever a horse was lost and found again. Latency is capture to
    result available, milliseconds, None before the first result. ``rows`` detections were made, of
    ``pictures_with_rows`` pictures: what a store must hold in the end.
    """

    name: str
    decoded: int
    analysed: int
    dropped: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    horses_seen: int
    tracks_seen: int
    errors: tuple[str, ...]
    rows: int = 0
    pictures_with_rows: int = 0
