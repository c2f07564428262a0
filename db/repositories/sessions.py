"""Sessions and what was found in them (port SessionRepository)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from db.repositories.media_folders import Home, no_home
from db.repositories.session_rows import (
    heat_map_fields,
    heat_map_of,
    metric_fields,
    metrics_of,
    result_fields,
    session_fields,
    session_of,
)
from db.stride_rows import stride_fields, stride_of
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, HorseId
from engine.domain.motion import Stride
from engine.domain.recording import JobId
from engine.domain.sessions import (
    HeatMap,
    Session,
    SessionId,
    SessionMetrics,
    SessionResult,
    SessionState,
)

MAX_LIMIT = 1000
MAX_STRIDES = 100_000
_NONE = dict.fromkeys(("farm_id", "ids", "horse_id", "start", "end", "states", "after"))


class PostgresSessionRepository:
    """Sessions in the tables of that name; where their jobs stand comes from those. ``home``: the
    media folder where this process puts their videos and reports."""

    def __init__(self, pool: ConnectionPool, home: Home = no_home) -> None:
        self._pool = pool
        self._home = home
        self._sql = queries("sessions")

    # --- sessions ------------------------------------------------------------------------------

    def add(self, session: Session) -> Session:
        """See the port; Conflict where the id is taken."""
        fields = {**session_fields(session), "media_id": self._home() if session.video else None}
        with transaction(self._pool, f"adding the session {session.title!r}") as connection:
            self._refuse_strangers(connection, fields)
            connection.execute(self._sql["add"], fields)
            return self._get(connection, session.id)

    def get(self, session_id: SessionId) -> Session:
        """One, with where its job stands. Raises NotFound."""
        with transaction(self._pool, "reading a session") as connection:
            return self._get(connection, session_id)

    def list(
        self,
        farm_id: FarmId | None = None,
        horse_id: HorseId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        states: Collection[SessionState] = (),
        limit: int = 100,
        after: SessionId | None = None,
    ) -> Sequence[Session]:
        """See the port. Raises OperatorMistake for a limit that is none."""
        if not 1 <= limit <= MAX_LIMIT:
            raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
        fields = {
            **_NONE,
            "farm_id": farm_id,
            "horse_id": horse_id,
            "start": start,
            "end": end,
            "states": [state.value for state in states] or None,
            "limit": limit,
            "after": after,
        }
        with transaction(self._pool, "listing the sessions") as connection:
            return tuple(map(session_of, self._rows(connection, "list", fields)))

    def update(self, session: Session) -> Session:
        """See the port."""
        fields = session_fields(session)
        with transaction(self._pool, f"changing the session {session.title!r}") as connection:
            locked = self._rows(connection, "lock", fields)
            if not locked:
                raise _missing(session.id)
            if locked[0]["version"] != session.version:
                raise Conflict(
                    f"The session {locked[0]['title']!r} was changed meanwhile (version "
                    f"{locked[0]['version']}, you changed version {session.version}).",
                    "Load it again and repeat your change.",
                )
            fields["farm_id"] = locked[0]["farm_id"]
            self._refuse_strangers(connection, {**fields, "stream_ids": []})
            connection.execute(self._sql["update"], fields)
            return self._get(connection, session.id)

    def queued(self, session_id: SessionId, job_id: JobId | None) -> Session:
        """See the port."""
        return self._change("queued", session_id, job_id=job_id)

    def uploaded(self, session_id: SessionId, video: str, size_bytes: int, sha256: str) -> Session:
        """See the port."""
        file = {"video": video, "size_bytes": size_bytes, "sha256": sha256}
        return self._change("uploaded", session_id, **file, media_id=self._home())

    def failed(self, session_id: SessionId, message: str) -> Session:
        """See the port."""
        return self._change("failed", session_id, message=message)

    def remove(self, session_id: SessionId) -> Session:
        """See the port."""
        with transaction(self._pool, "removing a session") as connection:
            session = self._get(connection, session_id)
            connection.execute(self._sql["remove"], {"id": session_id})
            return session

    # --- what was found ------------------------------------------------------------------------

    def finish(
        self, session_id: SessionId, result: SessionResult, report: str, end_at: datetime | None
    ) -> Session:
        """See the port."""
        with transaction(self._pool, "storing what a session showed") as connection:
            if not self._rows(connection, "lock", {"id": session_id}):
                raise _missing(session_id)
            self._put(connection, result.metrics)
            cursor = connection.cursor()
            strides = [
                {"session_id": session_id, **stride_fields(stride)} for stride in result.strides
            ]
            if strides:
                cursor.executemany(self._sql["put_stride"], strides)
            for position, one in enumerate(result.heat_maps):
                fields = heat_map_fields(session_id, position, one)
                connection.execute(self._sql["put_heat_map"], fields)
            done = {"id": session_id, "report": report, "end_at": end_at, "media_id": self._home()}
            connection.execute(self._sql["done"], done)
            return self._get(connection, session_id)

    def save_provisional(self, metrics: SessionMetrics) -> None:
        """See the port."""
        with transaction(self._pool, "storing what a session shows so far") as connection:
            if not self._rows(connection, "lock", {"id": metrics.session_id}):
                raise _missing(metrics.session_id)
            self._put(connection, metrics)

    def metrics(self, session_id: SessionId) -> SessionMetrics | None:
        """See the port."""
        with transaction(self._pool, "reading the figures of a session") as connection:
            self._get(connection, session_id)
            rows = self._rows(connection, "result", {"id": session_id})
            if not rows:
                return None
            return metrics_of(rows[0], self._rows(connection, "metrics", {"id": session_id}))

    def strides(self, session_id: SessionId, limit: int = 10_000) -> Sequence[Stride]:
        """See the port. Raises OperatorMistake for a limit that is none."""
        if not 1 <= limit <= MAX_STRIDES:
            raise OperatorMistake(f"The limit must be between 1 and {MAX_STRIDES}.")
        with transaction(self._pool, "reading the strides of a session") as connection:
            self._get(connection, session_id)
            fields = {"id": session_id, "limit": limit}
            return tuple(map(stride_of, self._rows(connection, "strides", fields)))

    def heat_maps(self, session_id: SessionId) -> Sequence[HeatMap]:
        """See the port."""
        with transaction(self._pool, "reading where a horse was") as connection:
            self._get(connection, session_id)
            fields = {"id": session_id}
            return tuple(map(heat_map_of, self._rows(connection, "heat_maps", fields)))

    # --- the archive ---------------------------------------------------------------------------

    def due(self, before: datetime, limit: int = 100) -> Sequence[Session]:
        """See the port."""
        with transaction(self._pool, "looking for old sessions") as connection:
            found = self._rows(connection, "due", {"before": before, "limit": limit})
            asked = {**_NONE, "ids": [row["id"] for row in found], "limit": limit}
            newest_first = self._rows(connection, "list", asked)
            return tuple(map(session_of, reversed(newest_first)))

    def archive(self, session_id: SessionId, at: datetime) -> Session | None:
        """See the port."""
        with transaction(self._pool, "archiving a session") as connection:
            if not connection.execute(self._sql["archive"], {"id": session_id, "at": at}).rowcount:
                return None
            connection.execute(self._sql["forget_details"], {"id": session_id})
            return self._get(connection, session_id)

    # --- parts ---------------------------------------------------------------------------------

    def _put(self, connection: Connection, metrics: SessionMetrics) -> None:
        """What was found before goes with it."""
        connection.execute(self._sql["forget_found"], {"id": metrics.session_id})
        connection.execute(self._sql["put_result"], result_fields(metrics))
        rows = metric_fields(metrics)
        if rows:
            connection.cursor().executemany(self._sql["put_metric"], rows)

    def _change(self, statement: str, session_id: SessionId, **fields: object) -> Session:
        with transaction(self._pool, "changing a session") as connection:
            connection.execute(self._sql[statement], {"id": session_id, **fields})
            return self._get(connection, session_id)

    def _get(self, connection: Connection, session_id: SessionId) -> Session:
        rows = self._rows(connection, "list", {**_NONE, "ids": [session_id], "limit": 1})
        if not rows:
            raise _missing(session_id)
        return session_of(rows[0])

    def _refuse_strangers(self, connection: Connection, fields: dict[str, Any]) -> None:
        strange = self._rows(connection, "strangers", fields)[0]
        if strange["stream"]:
            raise NotFound("That farm has no such camera.")
        if strange["horse"]:
            raise NotFound(f"That farm has no horse {fields['horse_id']}.")

    def _rows(
        self, connection: Connection, name: str, fields: dict[str, Any]
    ) -> Sequence[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(self._sql[name], fields).fetchall()


def _missing(session_id: SessionId) -> NotFound:
    return NotFound(f"There is no session {session_id}.")
