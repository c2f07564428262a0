"""Pictures of horses that people choose, in place of the best crop of their tracks."""

from __future__ import annotations

from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound
from engine.domain.ids import HorseId

CHOSEN = 1e9
"""The score of a picture that a person chose: above that of every crop (0..1)."""


class AvatarRepository:
    """Raises NotFound for horses that are not there, StoreUnavailable without a server."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("avatars")

    def choose(self, horse_id: HorseId, jpeg: bytes) -> None:
        """Take a JPEG of at most 100 KB; no crop replaces it."""
        self._put(horse_id, jpeg, CHOSEN)

    def forget(self, horse_id: HorseId) -> None:
        """Go back to the best crop of the horse's tracks, now if there is one."""
        self._put(horse_id, None, 0.0)

    def _put(self, horse_id: HorseId, jpeg: bytes | None, score: float) -> None:
        given = {"id": horse_id, "jpeg": jpeg, "score": score}
        with transaction(self._pool, "storing a horse's picture") as connection:
            if connection.execute(self._sql["put"], given).fetchone() is None:
                raise NotFound(f"There is no horse {horse_id}.")
            if jpeg is None:
                again = {"horse_ids": [horse_id], "command": None}
                connection.execute(queries("recomputation")["avatars"], again)
            connection.execute("SELECT pg_notify('barnhand_identity', 'avatar')")
