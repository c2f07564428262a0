"""From labels of single pictures to bouts: stretches of one gait, action, posture or company.

A bout is told when it is surely one, every 10 s while it runs, and when it ends. It ends when
another value has lasted long enough, when nothing was known or the track was not seen for a while
(at the instant it was last seen: a gap is not time), or with the track. Pictures that the motion
gate held back count as seen: a still horse goes on resting.

Instants are UTC of the picture a bout began with; everything after is counted on the monotonic
clock, so that a jump of the wall clock neither stretches nor shrinks a bout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from engine.domain.frames import FrameStamp
from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Bout, BoutId, BoutKind

LEAST_S: Mapping[BoutKind, float] = {
    BoutKind.GAIT: 1.0, BoutKind.ACTION: 1.0, BoutKind.POSTURE: 1.0, BoutKind.COMPANY: 2.0,
}  # fmt: skip
"""A value that lasts shorter is no bout; the one before goes on through it."""
UNKNOWN_S = 3.0
"""A bout goes on through so long without a known value."""
GAP_S = 3.0
"""A bout goes on through so long without a picture of the track."""
TOLD_EVERY_S = 10.0
_SAME_CLOCK_S = 0.5
"""A bout begins where the one before ended unless the wall clock says otherwise by more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What holds now: a word (empty: unknown or none), how sure, 0..1, and the monotonic instant
    since when."""

    value: str
    confidence: float = 0.0
    since_s: float = math.nan


@dataclass(slots=True)
class _Running:
    id: BoutId
    value: str
    start_at: datetime
    start_s: float
    known_s: float
    told_s: float
    sure: float = 0.0
    weight: float = 0.0

    def at(self, mono_s: float) -> datetime:
        return self.start_at + timedelta(seconds=max(mono_s - self.start_s, 0.0))

    def learn(self, confidence: float, dt_s: float) -> None:
        weight = max(dt_s, 1e-3)
        self.sure += confidence * weight
        self.weight += weight


class _Lane:
    """The bouts of one kind of one track."""

    def __init__(self, stream_id: StreamId, track_id: TrackId, kind: BoutKind) -> None:
        self._stream_id, self._track_id, self._kind = stream_id, track_id, kind
        self._running: _Running | None = None
        self._wish = ""
        self._wish_s = math.nan
        self._seen_s = math.nan
        self._watched_s = math.nan
        self._ended: tuple[float, datetime] | None = None

    def update(self, stamp: FrameStamp, reading: Reading) -> list[Bout]:
        now_s = stamp.captured_mono_s
        told: list[Bout] = []
        if not now_s - self._seen_s <= GAP_S:
            told += self.close()
            self._watched_s = now_s
        dt_s = 0.0 if math.isnan(self._seen_s) else max(now_s - self._seen_s, 0.0)
        self._seen_s = now_s
        running = self._running
        if running is not None and reading.value == running.value:
            self._wish = ""
            running.known_s = now_s
            running.learn(reading.confidence, dt_s)
            if now_s - running.told_s >= TOLD_EVERY_S:
                running.told_s = now_s
                told.append(self._bout(running, now_s, True))
            return told
        if not reading.value:
            self._wish = ""
            if running is not None and now_s - running.known_s > UNKNOWN_S:
                told += self.close()
            return told
        return told + self._wished(stamp, reading)

    def _wished(self, stamp: FrameStamp, reading: Reading) -> list[Bout]:
        """Another value than that of the running bout: it takes over once it has lasted."""
        now_s = stamp.captured_mono_s
        if reading.value != self._wish:
            since_s = now_s if math.isnan(reading.since_s) else min(reading.since_s, now_s)
            self._wish, self._wish_s = reading.value, max(since_s, self._watched_s)
        if now_s - self._wish_s < LEAST_S[self._kind]:
            return []
        told: list[Bout] = []
        start_s = self._wish_s
        if self._running is not None:
            start_s = max(start_s, self._running.start_s)
            told.append(self._end(self._running, start_s))
        elif self._ended is not None:
            start_s = max(start_s, self._ended[0])
        start_at = stamp.captured_at - timedelta(seconds=now_s - start_s)
        if self._ended is not None and abs(self._ended[0] - start_s) < 1e-6:
            drift_s = (self._ended[1] - start_at).total_seconds()
            start_at = self._ended[1] if abs(drift_s) < _SAME_CLOCK_S else start_at
        fresh = _Running(BoutId(uuid4()), reading.value, start_at, start_s, now_s, now_s)
        fresh.learn(reading.confidence, now_s - start_s)
        self._running, self._wish = fresh, ""
        told.append(self._bout(fresh, now_s, True))
        return told

    def close(self) -> list[Bout]:
        """End what runs, at the instant it was last known to hold."""
        running = self._running
        self._wish = ""
        return [] if running is None else [self._end(running, running.known_s)]

    def expired(self, now_s: float) -> list[Bout]:
        """End what runs if the track has not been seen for long."""
        return self.close() if now_s - self._seen_s > GAP_S else []

    def _end(self, running: _Running, end_s: float) -> Bout:
        self._running = None
        bout = self._bout(running, end_s, False)
        self._ended = (max(end_s, running.start_s), bout.end_at)
        return bout

    def _bout(self, running: _Running, end_s: float, still_open: bool) -> Bout:
        return Bout(
            id=running.id,
            track_id=self._track_id,
            stream_id=self._stream_id,
            kind=self._kind,
            value=running.value,
            start_at=running.start_at,
            end_at=running.at(end_s),
            confidence=min(running.sure / running.weight, 1.0) if running.weight else 0.0,
            provisional=True,
            open=still_open,
        )


class BoutTracker:
    """The bouts of all tracks of one camera. Used by one thread; what it returns is to be told."""

    def __init__(self, stream_id: StreamId) -> None:
        self._stream_id = stream_id
        self._lanes: dict[TrackId, dict[BoutKind, _Lane]] = {}

    def update(
        self, track_id: TrackId, stamp: FrameStamp, readings: Mapping[BoutKind, Reading]
    ) -> list[Bout]:
        """What holds on a track in one picture, later than the one before."""
        lanes = self._lanes.setdefault(track_id, {})
        told: list[Bout] = []
        for kind, reading in readings.items():
            lane = lanes.get(kind)
            if lane is None:
                lane = lanes[kind] = _Lane(self._stream_id, track_id, kind)
            told += lane.update(stamp, reading)
        return told

    def expire(self, now_s: float) -> list[Bout]:
        """End the bouts of tracks that have not been seen for ``GAP_S``."""
        return [
            bout
            for lanes in self._lanes.values()
            for lane in lanes.values()
            for bout in lane.expired(now_s)
        ]

    def close(self, track_id: TrackId) -> list[Bout]:
        """The track has ended."""
        lanes = self._lanes.pop(track_id, {})
        return [bout for lane in lanes.values() for bout in lane.close()]

    def close_all(self) -> list[Bout]:
        """The camera was removed, or looks elsewhere now."""
        return [bout for track_id in list(self._lanes) for bout in self.close(track_id)]
