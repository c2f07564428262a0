"""Where a job is to be done: at the workstation whose media folder has what it looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg_pool import ConnectionPool

from db.repositories.horses import PostgresHorseRepository
from db.repositories.media_folders import Home, MediaFolder, PostgresMediaFolders
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.ids import FarmId, StreamId
from engine.domain.job_arguments import export_request, reprocess_request
from engine.domain.recording import (
    ChunkId,
    ChunkState,
    ExportKind,
    ExportRequest,
    JobKind,
)
from engine.domain.sessions import SessionId, SessionSource

_CLOSED = (ChunkState.COMPLETE, ChunkState.RESCUED)
_RECORDED = (ChunkState.OPEN, *_CLOSED)


class JobPlaces:
    """Finds the media folders that jobs need, when they are submitted."""

    def __init__(self, pool: ConnectionPool, home: Home) -> None:
        self._folders = PostgresMediaFolders(pool)
        self._horses = PostgresHorseRepository(pool)
        self._sessions = PostgresSessionRepository(pool)
        self._home = home

    def needed(
        self, kind: JobKind, arguments: Mapping[str, object], farm_id: FarmId
    ) -> Sequence[MediaFolder]:
        """A folder for each part of the job; none where any node may do it. What makes no sense
        goes to any node, which says so."""
        try:
            if kind is JobKind.REANALYSE:
                return _one(self._folders.of_chunk(ChunkId(UUID(str(arguments["chunk_id"])))))
            if kind is JobKind.REPROCESS:
                request = reprocess_request(arguments)
                return self._folders.of_recordings(
                    request.stream_ids, request.start_at, request.end_at, _CLOSED, farm_id
                )
            if kind is JobKind.EXPORT:
                return self._of_export(export_request(arguments), farm_id) or self._here()
            return self._of_session(arguments) or self._here()
        except (KeyError, ValueError, OperatorMistake):
            return ()

    def _of_export(self, request: ExportRequest, farm_id: FarmId) -> Sequence[MediaFolder]:
        """A clip is made in parts, where its recordings lie; a packet where most of them do."""
        if request.kind not in (ExportKind.CLIP, ExportKind.PACKET):
            return ()
        streams = self._cameras(request)
        if request.horse_id is not None and not streams:
            return ()
        found = self._folders.of_recordings(
            streams, request.start_at, request.end_at, _CLOSED, farm_id
        )
        return found if request.kind is ExportKind.CLIP else found[:1]

    def _cameras(self, request: ExportRequest) -> Sequence[StreamId]:
        """Those that were named, else those that saw the horse; none: all of the farm."""
        if request.stream_ids or request.horse_id is None:
            return request.stream_ids
        start, end = request.start_at, request.end_at
        seen = self._horses.strips(request.horse_id, None, start, end)
        return tuple(dict.fromkeys(strip.stream_id for strip in seen))

    def _of_session(self, arguments: Mapping[str, object]) -> Sequence[MediaFolder]:
        """An upload where its video lies, a stretch where most of its recordings do."""
        try:
            session = self._sessions.get(SessionId(UUID(str(arguments["session_id"]))))
        except NotFound:
            return ()
        if session.source is SessionSource.UPLOAD or session.end_at is None:
            return _one(self._folders.of_session(session.id))
        return self._folders.of_recordings(
            session.stream_ids, session.start_at, session.end_at, _RECORDED, session.farm_id
        )[:1]

    def _here(self) -> Sequence[MediaFolder]:
        """This process's own folder, where a node works on it."""
        home = self._home()
        return tuple(folder for folder in self._folders.list() if folder.id == home)


def _one(folder: MediaFolder | None) -> Sequence[MediaFolder]:
    return () if folder is None else (folder,)
