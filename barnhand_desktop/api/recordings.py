"""Recorded chunks as the API serves them: files below the media folder, playlists over them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from barnhand_desktop.api.access import BASE_PATH
from barnhand_desktop.api.media_tokens import MediaClaims, MediaKind, MediaTokens
from barnhand_desktop.api.problems import Problem
from engine.domain.errors import BarnhandError, NotFound
from engine.domain.ids import StreamId, UserId
from engine.domain.ports import Clock
from engine.domain.recording import Chunk, ChunkId, ChunkRepository, ChunkState
from engine.recording.fragments import FragmentIndex, read_fragments
from engine.recording.layout import overlay_file, video_file
from engine.recording.playlist import (
    Addresses,
    LiveWindow,
    Segment,
    recorded_playlist,
    segments_of,
)

LIVE_TOKEN_S = 600.0
"""Live addresses open until so long after their chunk began. They are the same in every playlist,
because players take a segment whose address changed for another one."""
LINK_S = 3600.0
RANGE_AT_MOST = timedelta(hours=4)
_LIVE_BACK_S = 60.0
_INDEXES_KEPT = 512
_AT_MOST = 10_000


class Recordings:
    """What the routes about chunks and HLS work with; any thread. ``media_root`` None: this API
    has no media folder. ``elsewhere`` says which workstation has a chunk that is not here."""

    def __init__(
        self,
        chunks: ChunkRepository,
        media_root: Path | None,
        tokens: MediaTokens,
        clock: Clock,
        delay_s: float,
        elsewhere: Callable[[ChunkId], Problem | None],
    ) -> None:
        self.chunks = chunks
        self.tokens = tokens
        self._media_root = media_root
        self._clock = clock
        self._delay = timedelta(seconds=delay_s)
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        self._windows: dict[StreamId, LiveWindow] = {}
        self._indexes: OrderedDict[tuple[str, int], FragmentIndex] = OrderedDict()

    def video(self, chunk: Chunk) -> Path:
        """The chunk's file. Raises NotFound; Problem 409 where another workstation has it."""
        try:
            return video_file(self._media(), chunk)
        except NotFound as missing:
            raise self._elsewhere(chunk.id) or missing from None

    def overlay(self, chunk: Chunk) -> Path:
        """The chunk's overlay file. Raises like ``video``."""
        try:
            return overlay_file(self._media(), chunk)
        except NotFound as missing:
            raise self._elsewhere(chunk.id) or missing from None

    def live(self, stream_id: StreamId, user_id: UserId) -> str:
        """The stream's playlist, delayed. Problem 404 while nothing of it is recorded, 409 where
        another workstation records it."""
        until = self._clock.now() - self._delay
        found = self.chunks.list([stream_id], until - timedelta(seconds=_LIVE_BACK_S), until)
        segments = [s for s in self._segments(found) if s.end_at <= until]
        if not segments:
            self._refuse_elsewhere(found)
            raise Problem(404, "nothing_recorded", "Nothing of this camera is recorded yet.")
        with self._lock:
            window = self._windows.setdefault(stream_id, LiveWindow())
            return window.playlist(segments, self._addresses(user_id, None))

    def recorded(self, stream_id: StreamId, user_id: UserId, start: datetime, end: datetime) -> str:
        """The playlist of a recorded range: what lies here of it. Problem 404 where nothing was
        recorded, 409 where all of it lies on another workstation, 422 for a range that is none or
        too long."""
        if not timedelta(0) < end - start <= RANGE_AT_MOST:
            raise Problem(422, "range_refused", "A range is up to four hours long.")
        found = self.chunks.list([stream_id], start, end, limit=_AT_MOST)
        segments = [s for s in self._segments(found) if s.end_at > start and s.start_at < end]
        if not segments:
            self._refuse_elsewhere(found)
            raise Problem(404, "nothing_recorded", "Nothing was recorded in that time.")
        life_s = LIVE_TOKEN_S + 2.0 * (end - start).total_seconds()
        expires_s = int(self._clock.now().timestamp() + life_s)
        return recorded_playlist(segments, self._addresses(user_id, expires_s))

    def _addresses(self, user_id: UserId, expires_s: int | None) -> Addresses:
        """Addresses that open until then, None: for a time after each chunk began."""

        def address(kind: MediaKind, name: str, chunk: Chunk) -> str:
            until_s = expires_s or int(chunk.start_at.timestamp() + LIVE_TOKEN_S)
            claims = MediaClaims(kind, user_id, chunk.stream_id, chunk.id, until_s)
            return f"{BASE_PATH}/hls/{self.tokens.issue(claims)}/{name}"

        return Addresses(
            lambda chunk: address(MediaKind.VIDEO, "video.mp4", chunk),
            lambda chunk: address(MediaKind.OVERLAY, "overlay.json", chunk),
        )

    def _segments(self, chunks: Sequence[Chunk]) -> list[Segment]:
        segments: list[Segment] = []
        for chunk in chunks:
            if chunk.state is ChunkState.DAMAGED:
                continue
            try:
                segments += segments_of(chunk, self._index(chunk))
            except (BarnhandError, OSError):
                continue  # on another machine, or just removed by retention
        return segments

    def _index(self, chunk: Chunk) -> FragmentIndex:
        file = video_file(self._media(), chunk)
        key = (chunk.path, file.stat().st_size)
        with self._lock:
            found = self._indexes.get(key)
        if found is None:
            found = read_fragments(file)
            with self._lock:
                self._indexes[key] = found
                while len(self._indexes) > _INDEXES_KEPT:
                    self._indexes.popitem(last=False)
        return found

    def _refuse_elsewhere(self, chunks: Sequence[Chunk]) -> None:
        """Problem 409 where the newest of these lies on another workstation."""
        problem = self._elsewhere(chunks[-1].id) if chunks else None
        if problem is not None:
            raise problem

    def _media(self) -> Path:
        if self._media_root is None:
            raise NotFound("This server keeps no recordings.")
        return self._media_root
