"""Recorded chunks (port ChunkRepository)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId, StreamId
from engine.domain.recording import Chunk, ChunkId, ChunkState, Usage

_KEPT = tuple(state for state in ChunkState if state is not ChunkState.REMOVED)


class PostgresChunkRepository:
    """Rows of ``video_chunks``. ``media_id``: the media folder this process writes to; what it
    lists, keeps room in and looks again at are then only that folder's chunks. None: all."""

    def __init__(self, pool: ConnectionPool, media_id: UUID | None = None) -> None:
        self._pool = pool
        self._media_id = media_id
        self._sql = queries("chunks")

    def put(self, chunk: Chunk) -> None:
        """See ``ChunkRepository``."""
        given: dict[str, Any] = {f.name: getattr(chunk, f.name) for f in fields(chunk)}
        given.update(state=chunk.state.value, media_id=self._media_id)
        with transaction(self._pool, "storing a recording") as connection:
            connection.execute(self._sql["put"], given)

    def get(self, chunk_id: ChunkId) -> Chunk:
        """See ``ChunkRepository``."""
        found = self._rows("get", "reading a recording", {"id": chunk_id})
        if not found:
            raise NotFound("There is no such recording.", "It may have been removed meanwhile.")
        return found[0]

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
        """See ``ChunkRepository``."""
        given = {
            "all_streams": not stream_ids,
            "stream_ids": list(stream_ids),
            "start": start,
            "end": end,
            "states": [state.value for state in states or _KEPT],
            "limit": limit,
            "after": after,
            "farm_id": farm_id,
            "media_id": self._media_id,
        }
        name = "list_newest_first" if newest_first else "list"
        return self._rows(name, "listing recordings", given)

    def remove(self, chunk_ids: Collection[ChunkId]) -> int:
        """See ``ChunkRepository``."""
        return self._touch("remove", "forgetting recordings", {"ids": list(chunk_ids)})

    def lock(
        self, stream_ids: Collection[StreamId], start: datetime, end: datetime, locked: bool
    ) -> int:
        """See ``ChunkRepository``."""
        given = {"stream_ids": list(stream_ids), "start": start, "end": end, "locked": locked}
        return self._touch("lock", "locking recordings", given)

    def lock_one(self, chunk_id: ChunkId, locked: bool) -> Chunk:
        """Keep one from retention, or no longer. Raises NotFound."""
        if not self._touch("lock_one", "locking a recording", {"id": chunk_id, "locked": locked}):
            raise NotFound("There is no such recording.", "It may have been removed meanwhile.")
        return self.get(chunk_id)

    def oldest_unlocked(self, limit: int = 100) -> Sequence[Chunk]:
        """See ``ChunkRepository``."""
        given = {"limit": limit, "media_id": self._media_id}
        return self._rows("oldest_unlocked", "looking for old recordings", given)

    def retire(self, chunk_id: ChunkId) -> bool:
        """See ``ChunkRepository``."""
        return self._touch("retire", "removing a recording", {"id": chunk_id}) > 0

    def prune(self, before: datetime) -> int:
        """See ``ChunkRepository``."""
        return self._touch("prune", "forgetting removed recordings", {"before": before})

    def unfinal(self, limit: int = 10) -> Sequence[Chunk]:
        """See ``ChunkRepository``."""
        given = {"limit": limit, "media_id": self._media_id}
        return self._rows("unfinal", "looking for recordings to analyse", given)

    def usage(self, stream_id: StreamId | None = None) -> Usage:
        """See ``ChunkRepository``."""
        given = {"stream_id": stream_id, "media_id": self._media_id}
        with transaction(self._pool, "adding up recordings") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            row = cursor.execute(self._sql["usage"], given).fetchone()
        assert row is not None
        return Usage(row["chunks"], row["size_bytes"], row["locked_bytes"], row["oldest_at"])

    def _rows(self, name: str, doing: str, given: Mapping[str, Any]) -> Sequence[Chunk]:
        with transaction(self._pool, doing) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return tuple(_chunk(row) for row in cursor.execute(self._sql[name], given))

    def _touch(self, name: str, doing: str, given: Mapping[str, Any]) -> int:
        with transaction(self._pool, doing) as connection:
            return connection.execute(self._sql[name], given).rowcount


def _chunk(row: Mapping[str, Any]) -> Chunk:
    given = {f.name: row[f.name] for f in fields(Chunk)}
    return Chunk(**{**given, "state": ChunkState(row["state"])})
