"""Media folders of workstations: who works on which, and which of them holds what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.ids import FarmId, StreamId
from engine.domain.recording import ChunkId, ChunkState, JobId
from engine.domain.sessions import SessionId

Home = Callable[[], UUID | None]
"""The mark of a process's own media folder; None where it has none, or none yet."""

LIFE_S = 15.0
"""A folder whose node was not heard of for so long is nobody's for now."""


def no_home() -> UUID | None:
    """For processes without a media folder."""
    return None


@dataclass(frozen=True, slots=True)
class MediaFolder:
    """A folder by its mark. ``workstation``: what the others call the one that has it; empty for
    one that was never heard of. ``alive``: its node runs."""

    id: UUID
    workstation: str
    alive: bool

    @property
    def title(self) -> str:
        """What people call the workstation."""
        return self.workstation or "another workstation"


class PostgresMediaFolders:
    """Rows of ``media_folders``, and what lies in them by the other tables."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("media_folders")

    def work(self, folder: UUID, workstation: str, life_s: float = LIFE_S) -> None:
        """Note that a node of this workstation works on the folder for the next while."""
        given = {"id": folder, "workstation": workstation, "life_s": life_s}
        with transaction(self._pool, "telling of the media folder") as connection:
            connection.execute(self._sql["work"], given)

    def leave(self, folder: UUID) -> None:
        """Note that nobody works on it any more."""
        with transaction(self._pool, "leaving the media folder") as connection:
            connection.execute(self._sql["leave"], {"id": folder})

    def list(self) -> Sequence[MediaFolder]:
        """All that were ever worked on, by workstation."""
        return self._folders("list", {})

    def of_chunk(self, chunk_id: ChunkId) -> MediaFolder | None:
        """Where a recording lies; None where it is not noted."""
        return self._one("of_chunk", chunk_id)

    def of_session(self, session_id: SessionId) -> MediaFolder | None:
        """Where a session's video and report lie; None where it is not noted."""
        return self._one("of_session", session_id)

    def of_job(self, job_id: JobId) -> MediaFolder | None:
        """Where a job is to be done, or what it made lies; None: anywhere."""
        return self._one("of_job", job_id)

    def of_recordings(
        self,
        stream_ids: Collection[StreamId],
        start: datetime,
        end: datetime,
        states: Collection[ChunkState],
        farm_id: FarmId,
    ) -> Sequence[MediaFolder]:
        """Folders with recordings of these cameras (none: all of the farm) that reach into
        [start, end), the one with the longest first."""
        given = {
            "all_streams": not stream_ids,
            "stream_ids": list(stream_ids),
            "start": start,
            "end": end,
            "states": [state.value for state in states],
            "farm_id": farm_id,
        }
        return self._folders("of_recordings", given)

    def _one(self, name: str, given: UUID) -> MediaFolder | None:
        found = self._folders(name, {"id": given})
        return found[0] if found else None

    def _folders(self, name: str, given: dict[str, Any]) -> Sequence[MediaFolder]:
        with transaction(self._pool, "looking for a media folder") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return tuple(MediaFolder(**row) for row in cursor.execute(self._sql[name], given))
