"""Counts per camera: analysed pictures, latency, horses, what went wrong."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import numpy as np

from engine.domain.health import CameraSummary, HistogramCounts
from engine.domain.ids import StreamId, TrackId
from engine.domain.ports import Clock
from engine.domain.results import FrameResult
from engine.domain.streams import Stream, StreamHealth, StreamState, StreamStatusChanged
from engine.domain.tracks import TrackState
from engine.runtime.meters import Distribution, Histogram, RateMeter

TRACKS_REMEMBERED = 256
"""Tracks seen last, per camera, kept for counting distinct ones: more than can be live at once."""
ERRORS_REMEMBERED = 32
"""Different messages kept of what went wrong, per camera: the first ones."""
LATENCY_BOUNDS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(slots=True)
class _Camera:
    analysed: RateMeter = field(default_factory=RateMeter)
    latency_ms: Distribution = field(default_factory=Distribution)
    latency_s: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS_S))
    tracks: OrderedDict[TrackId, None] = field(default_factory=OrderedDict)
    tracks_seen: int = 0
    rows: int = 0
    pictures_with_rows: int = 0
    horses_at_once: int = 0
    errors: list[str] = field(default_factory=list)

    def count(self, track_id: TrackId) -> None:
        """A confirmed track is in view; a new one counts."""
        self.tracks_seen += track_id not in self.tracks
        self.tracks[track_id] = None
        self.tracks.move_to_end(track_id)
        if len(self.tracks) > TRACKS_REMEMBERED:
            self.tracks.popitem(last=False)


class Tally:
    """Fed by the analysis and capture threads, read by any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cameras: dict[StreamId, _Camera] = {}
        self._lock = threading.Lock()
        self.analysed = RateMeter()

    def on_result(self, result: FrameResult) -> None:
        """Count one analysed picture; a still one whose result was held is none."""
        if result.held:
            return
        camera = self._camera(result.stamp.stream_id)
        camera.analysed.add(result.completed_mono_s)
        self.analysed.add(result.completed_mono_s)
        camera.latency_ms.add(result.latency_ms)
        camera.latency_s.add(result.latency_ms / 1000.0)
        tracks = result.tracks
        rows = int(np.count_nonzero(tracks.states <= TrackState.ACTIVE))
        camera.rows += rows
        camera.pictures_with_rows += rows > 0
        sure = tracks.confirmed_horses
        camera.horses_at_once = max(camera.horses_at_once, int(sure.sum()))
        for row in np.flatnonzero(sure):
            camera.count(tracks.track_ids[row])

    def on_status(self, change: StreamStatusChanged) -> None:
        """Remember what went wrong, once per message."""
        if change.state in (StreamState.OFFLINE, StreamState.ERROR):
            errors = self._camera(change.stream_id).errors
            if change.reason not in errors and len(errors) < ERRORS_REMEMBERED:
                errors.append(change.reason)

    def health(self, capture_side: StreamHealth, dropped: int) -> StreamHealth:
        """The capture's numbers completed with the analysis side."""
        camera = self._camera(capture_side.stream_id)
        latency = camera.latency_ms.quantiles()
        return replace(
            capture_side,
            analysed=int(camera.analysed.total),
            dropped=dropped,
            analysed_fps=camera.analysed.per_second(self._clock.mono_s()),
            latency_ms=None if latency is None else latency.p50,
        )

    def forget(self, stream_id: StreamId) -> None:
        """A camera was removed."""
        with self._lock:
            self._cameras.pop(stream_id, None)

    def latency_s(self, stream_id: StreamId) -> HistogramCounts:
        """Capture to result in seconds, every result since the start."""
        return self._camera(stream_id).latency_s.counts()

    def summary(self, stream: Stream, health: StreamHealth) -> CameraSummary:
        """What the camera did since the start."""
        camera = self._camera(stream.id)
        latency = camera.latency_ms.quantiles()
        return CameraSummary(
            name=stream.name,
            decoded=health.decoded,
            analysed=health.analysed,
            dropped=health.dropped,
            latency_p50_ms=None if latency is None else latency.p50,
            latency_p95_ms=None if latency is None else latency.p95,
            latency_p99_ms=None if latency is None else latency.p99,
            horses_seen=camera.horses_at_once,
            tracks_seen=camera.tracks_seen,
            errors=tuple(camera.errors),
            rows=camera.rows,
            pictures_with_rows=camera.pictures_with_rows,
        )

    def _camera(self, stream_id: StreamId) -> _Camera:
        with self._lock:
            return self._cameras.setdefault(stream_id, _Camera())
