"""Which recording shows a camera at an instant, remembered around where the cursor is."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from engine.domain.errors import NotFound
from engine.domain.ids import StreamId
from engine.domain.recording import Chunk, ChunkId, ChunkRepository, ChunkState
from engine.recording.layout import overlay_file, video_file
from ui.review.frames import Absence
from ui.timeline.cursor import instant, micros

AROUND = timedelta(minutes=10)
FRESH_S = 5.0
"""The newest recordings are asked for again after so long: more of them come."""
_PLAYABLE = frozenset({ChunkState.OPEN, ChunkState.COMPLETE, ChunkState.RESCUED})
AT_MOST = 1000
SEAM_US = 40_000
"""Chunks whose ends lie closer than this follow each other without a gap."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Review", text)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a recording: the chunk and the time inside its video in seconds."""

    chunk: Chunk
    pts_s: float


class CameraRecordings:
    """Chunks of one camera. Asks the store only when it does not know; blocks then, so it is used
    on a player's own thread. Raises what the repository raises."""

    def __init__(self, stream_id: StreamId, chunks: ChunkRepository, media: Path) -> None:
        self._stream_id = stream_id
        self._chunks = chunks
        self._media = media
        self._known: tuple[Chunk, ...] = ()
        self._lost: tuple[Chunk, ...] = ()
        self._starts: list[int] = []
        self._span: tuple[datetime, datetime] | None = None
        self._read_mono_s = 0.0
        self._lock = threading.Lock()

    def spot(self, at: datetime, now_mono_s: float) -> Spot | Absence:
        """Where the camera is seen at an instant, or why it is not."""
        with self._lock:
            self._read_around(at, now_mono_s)
            chunk = self._chunk_at(at)
            if chunk is None:
                return self._absence(micros(at))
        return Spot(chunk, (at - chunk.start_at).total_seconds())

    def video(self, chunk: Chunk) -> Path:
        """The video as it lies now. Raises NotFound."""
        return video_file(self._media, chunk)

    def overlay(self, chunk: Chunk) -> Path | None:
        """The overlay as it lies now, None where there is none."""
        try:
            return overlay_file(self._media, chunk)
        except NotFound:
            return None

    def before(self, chunk: Chunk, now_mono_s: float) -> Chunk | None:
        """The recording before it."""
        with self._lock:
            self._read_around(chunk.start_at, now_mono_s)
            place = bisect_right(self._starts, micros(chunk.start_at) - 1) - 1
            return self._known[place] if place >= 0 else None

    def after(self, chunk: Chunk, now_mono_s: float) -> Chunk | None:
        """The next recording."""
        with self._lock:
            self._read_around(chunk.end_at, now_mono_s)
            place = bisect_right(self._starts, micros(chunk.start_at))
            return self._known[place] if place < len(self._known) else None

    def now(self, chunk_id: ChunkId) -> Chunk | None:
        """A recording as it was read last."""
        with self._lock:
            return next((chunk for chunk in self._known if chunk.id == chunk_id), None)

    def forget(self) -> None:
        """Something changed (an edit, a reprocessing): ask anew."""
        with self._lock:
            self._span = None

    def _chunk_at(self, at: datetime) -> Chunk | None:
        place = bisect_right(self._starts, micros(at)) - 1
        if place < 0:
            return None
        chunk = self._known[place]
        if chunk.state is ChunkState.OPEN or at < chunk.end_at:
            return chunk
        seam = place + 1 < len(self._known) and (
            self._starts[place + 1] - micros(chunk.end_at) <= SEAM_US
        )
        return chunk if seam else None

    def _absence(self, at_us: int) -> Absence:
        place = bisect_right(self._starts, at_us) - 1
        before_us = micros(self._known[place].end_at) if place >= 0 else None
        after_us = self._starts[place + 1] if place + 1 < len(self._starts) else None
        for chunk in self._lost:
            start_us, end_us = micros(chunk.start_at), micros(chunk.end_at)
            if start_us <= at_us < end_us:
                return Absence(start_us, end_us, _lost_words(chunk.state), before_us, after_us)
        assert self._span is not None
        from_us = before_us if before_us is not None else micros(self._span[0])
        until_us = after_us if after_us is not None else micros(self._span[1])
        for chunk in self._lost:
            if micros(chunk.end_at) <= at_us:
                from_us = max(from_us, micros(chunk.end_at))
            elif micros(chunk.start_at) > at_us:
                until_us = min(until_us, micros(chunk.start_at))
        return Absence(from_us, until_us, "", before_us, after_us)

    def _read_around(self, at: datetime, now_mono_s: float) -> None:
        span = self._span
        stale = now_mono_s - self._read_mono_s > FRESH_S
        if span is not None and span[0] <= at <= span[1]:
            newest = self._known[-1].end_at if self._known else span[0]
            if at < newest or not stale:
                return
        start, end = at - AROUND, at + AROUND
        states = tuple(ChunkState)
        self._take(self._chunks.list((self._stream_id,), start, end, states, limit=AT_MOST))
        self._span = (start, end)
        self._read_mono_s = now_mono_s

    def _take(self, chunks: Sequence[Chunk]) -> None:
        rising = sorted(chunks, key=lambda chunk: chunk.start_at)
        self._known = tuple(chunk for chunk in rising if chunk.state in _PLAYABLE)
        self._lost = tuple(chunk for chunk in rising if chunk.state not in _PLAYABLE)
        self._starts = [micros(chunk.start_at) for chunk in self._known]


def _lost_words(state: ChunkState) -> str:
    if state is ChunkState.REMOVED:
        return _tr("This recording was removed: it was older than recordings are kept.")
    return _tr("This recording is damaged: its file is missing or is not what was written.")


def instant_of(chunk: Chunk, pts_s: float) -> datetime:
    """When the picture at this time inside a chunk was taken, to the microsecond."""
    return instant(micros(chunk.start_at) + round(pts_s * 1e6))
