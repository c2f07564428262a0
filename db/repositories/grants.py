"""What an account sees: the streams of its farm, for viewers only those granted to it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId, StreamId, UserId


class GrantRepository:
    """Farms and grants in PostgreSQL. Raises StoreUnavailable when it does not answer."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("grants")

    def farm_exists(self, farm_id: UUID) -> bool:
        """True if the server has that farm."""
        with transaction(self._pool, "looking for a farm") as connection:
            row = connection.execute(self._sql["farm_exists"], {"farm_id": farm_id}).fetchone()
            return bool(row and row[0])

    def sees_stream(
        self, user_id: UserId, farm_id: FarmId | None, only_granted: bool, stream_id: StreamId
    ) -> bool:
        """True if the stream is of the farm (None: any) and, if only those count, granted."""
        with transaction(self._pool, "checking a stream") as connection:
            row = connection.execute(
                self._sql["sees_stream"],
                {
                    "user_id": user_id,
                    "farm_id": farm_id,
                    "only_granted": only_granted,
                    "stream_id": stream_id,
                },
            ).fetchone()
            return bool(row and row[0])

    def visible_streams(
        self, user_id: UserId, farm_id: FarmId | None, only_granted: bool
    ) -> frozenset[StreamId]:
        """The streams ``sees_stream`` is true for."""
        with transaction(self._pool, "listing visible streams") as connection:
            rows = connection.execute(
                self._sql["visible_streams"],
                {"user_id": user_id, "farm_id": farm_id, "only_granted": only_granted},
            ).fetchall()
            return frozenset(StreamId(row[0]) for row in rows)

    def grants(self, user_id: UserId) -> Sequence[StreamId]:
        """The streams granted to an account."""
        with transaction(self._pool, "reading grants") as connection:
            rows = connection.execute(self._sql["grants_of_user"], {"user_id": user_id}).fetchall()
            return [StreamId(row[0]) for row in rows]

    def set_grants(self, user_id: UserId, stream_ids: Sequence[UUID]) -> None:
        """Replace an account's grants; NotFound unless every stream is one of its farm."""
        wanted = sorted(set(stream_ids))
        with transaction(self._pool, "granting streams") as connection:
            connection.execute(self._sql["clear_grants"], {"user_id": user_id})
            given = connection.execute(
                self._sql["add_grants"], {"user_id": user_id, "stream_ids": wanted}
            ).fetchall()
            if len(given) != len(wanted):
                raise NotFound("Not every one of these streams exists.")
