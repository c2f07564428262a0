"""Which recording shows a camera at an instant, remembered around where the cursor is."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from engine.domain.ids import StreamId
from engine.domain.recording import Chunk, ChunkRepository, ChunkState
from ui.timeline.cursor import instant, micros

AROUND = timedelta(minutes=10)
FRESH_S = 5.0
"""The newest recordings are asked for again after so long: more of them come."""
_PLAYABLE = frozenset({ChunkState.OPEN, ChunkState.COMPLETE, ChunkState.RESCUED})
AT_MOST = 1000


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
        self._starts: list[int] = []
        self._span: tuple[datetime, datetime] | None = None
        self._read_mono_s = 0.0
        self._lock = threading.Lock()

    def spot(self, at: datetime, now_mono_s: float) -> Spot | None:
        """Where the camera is seen at an instant, None where nothing is recorded."""
        with self._lock:
            self._read_around(at, now_mono_s)
            chunk = self._chunk_at(at)
        return None if chunk is None else Spot(chunk, (at - chunk.start_at).total_seconds())

    def files(self, chunk: Chunk) -> tuple[Path, Path | None]:
        """The video, and the overlay where the analysis saw something."""
        overlay = self._media / chunk.overlay_path if chunk.overlay_path else None
        return self._media / chunk.path, overlay

    def after(self, chunk: Chunk, now_mono_s: float) -> Chunk | None:
        """The next recording."""
        with self._lock:
            self._read_around(chunk.end_at, now_mono_s)
            at = bisect_right(self._starts, micros(chunk.start_at))
            return self._known[at] if at < len(self._known) else None

    def forget(self) -> None:
        """Something changed (an edit, a reprocessing): ask anew."""
        with self._lock:
            self._span = None

    def _chunk_at(self, at: datetime) -> Chunk | None:
        place = bisect_right(self._starts, micros(at)) - 1
        if place < 0:
            return None
        chunk = self._known[place]
        open_end = chunk.state is ChunkState.OPEN
        return chunk if open_end or at < chunk.end_at else None

    def _read_around(self, at: datetime, now_mono_s: float) -> None:
        span = self._span
        stale = now_mono_s - self._read_mono_s > FRESH_S
        if span is not None and span[0] <= at <= span[1]:
            newest = self._known[-1].end_at if self._known else span[0]
            if at < newest or not stale:
                return
        start, end = at - AROUND, at + AROUND
        self._take(self._chunks.list((self._stream_id,), start, end, _PLAYABLE, limit=AT_MOST))
        self._span = (start, end)
        self._read_mono_s = now_mono_s

    def _take(self, chunks: Sequence[Chunk]) -> None:
        self._known = tuple(sorted(chunks, key=lambda chunk: chunk.start_at))
        self._starts = [micros(chunk.start_at) for chunk in self._known]


def instant_of(chunk: Chunk, pts_s: float) -> datetime:
    """When the picture at this time inside a chunk was taken, to the microsecond."""
    return instant(micros(chunk.start_at) + round(pts_s * 1e6))
