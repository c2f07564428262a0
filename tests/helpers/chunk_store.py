"""A ChunkRepository in memory; the contract suite holds it to what PostgreSQL does."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from engine.domain.errors import NotFound, StoreUnavailable
from engine.domain.ids import FarmId, StreamId
from engine.domain.recording import Chunk, ChunkId, ChunkState, Usage

_CLOSED = (ChunkState.COMPLETE, ChunkState.RESCUED)
_TAKEN = (*_CLOSED, ChunkState.DAMAGED)


class MemoryChunks:
    """Keeps chunks in a dictionary. ``away``: every call fails like a server that is gone."""

    def __init__(self) -> None:
        self.rows: dict[ChunkId, Chunk] = {}
        self.farms: dict[StreamId, FarmId] = {}
        self.away = False
        self._lock = threading.Lock()

    def put(self, chunk: Chunk) -> None:
        with self._open():
            before = self.rows.get(chunk.id)
            locked = chunk.locked if before is None else before.locked
            self.rows[chunk.id] = replace(chunk, locked=locked)

    def get(self, chunk_id: ChunkId) -> Chunk:
        with self._open():
            if chunk_id not in self.rows:
                raise NotFound("There is no such recording.")
            return self.rows[chunk_id]

    def list(
        self,
        stream_ids: Collection[StreamId] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        states: Collection[ChunkState] = (),
        newest_first: bool = False,
        limit: int = 1000,
        after: ChunkId | None = None,
        farm_id: FarmId | None = None,
    ) -> Sequence[Chunk]:
        with self._open():
            wanted = states or [s for s in ChunkState if s is not ChunkState.REMOVED]
            found = [
                chunk
                for chunk in self.rows.values()
                if (not stream_ids or chunk.stream_id in stream_ids)
                and (start is None or chunk.end_at > start)
                and (end is None or chunk.start_at < end)
                and chunk.state in wanted
                and (farm_id is None or self.farms.get(chunk.stream_id) == farm_id)
            ]
            found.sort(key=_order, reverse=newest_first)
            if after is not None:
                place = _order(self.rows[after])
                found = [
                    c for c in found if (_order(c) < place if newest_first else _order(c) > place)
                ]
            return tuple(found[:limit])

    def remove(self, chunk_ids: Collection[ChunkId]) -> int:
        with self._open():
            gone = [i for i in chunk_ids if i in self.rows and not self.rows[i].locked]
            for chunk_id in gone:
                del self.rows[chunk_id]
            return len(gone)

    def lock(
        self, stream_ids: Collection[StreamId], start: datetime, end: datetime, locked: bool
    ) -> int:
        with self._open():
            touched = [
                chunk
                for chunk in self.rows.values()
                if chunk.stream_id in stream_ids
                and chunk.end_at > start
                and chunk.start_at < end
                and chunk.state is not ChunkState.REMOVED
                and chunk.locked != locked
            ]
            for chunk in touched:
                self.rows[chunk.id] = replace(chunk, locked=locked)
            return len(touched)

    def lock_one(self, chunk_id: ChunkId, locked: bool) -> Chunk:
        self.get(chunk_id)
        with self._open():
            self.rows[chunk_id] = replace(self.rows[chunk_id], locked=locked)
            return self.rows[chunk_id]

    def oldest_unlocked(self, limit: int = 100) -> Sequence[Chunk]:
        with self._open():
            found = [c for c in self.rows.values() if c.state in _TAKEN and not c.locked]
            return tuple(sorted(found, key=_order)[:limit])

    def retire(self, chunk_id: ChunkId) -> bool:
        with self._open():
            chunk = self.rows.get(chunk_id)
            if chunk is None or chunk.locked or chunk.state not in _TAKEN:
                return False
            self.rows[chunk_id] = replace(
                chunk, state=ChunkState.REMOVED, size_bytes=0, overlay_path=""
            )
            return True

    def prune(self, before: datetime) -> int:
        with self._open():
            gone = [
                c.id
                for c in self.rows.values()
                if c.state is ChunkState.REMOVED and c.end_at < before
            ]
            for chunk_id in gone:
                del self.rows[chunk_id]
            return len(gone)

    def unfinal(self, limit: int = 10) -> Sequence[Chunk]:
        with self._open():
            found = [
                c for c in self.rows.values() if c.state in _CLOSED and c.moving and not c.final
            ]
            return tuple(sorted(found, key=_order, reverse=True)[:limit])

    def usage(self, stream_id: StreamId | None = None) -> Usage:
        with self._open():
            found = [
                c
                for c in self.rows.values()
                if c.state is not ChunkState.REMOVED and stream_id in (None, c.stream_id)
            ]
            return Usage(
                len(found),
                sum(c.size_bytes for c in found),
                sum(c.size_bytes for c in found if c.locked),
                min((c.start_at for c in found), default=None),
            )

    def _open(self) -> threading.Lock:
        if self.away:
            raise StoreUnavailable("The database is away.")
        return self._lock


def _order(chunk: Chunk) -> tuple[datetime, bytes]:
    return chunk.start_at, chunk.id.bytes
