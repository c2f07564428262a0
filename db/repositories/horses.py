"""Known horses (port HorseRepository)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound
from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import FarmId, HorseId


class PostgresHorseRepository:
    """Horses in the table of that name."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("horses")

    def list(self, farm_id: FarmId | None = None) -> Sequence[Horse]:
        """Horses of a farm, or of all farms, by number; merged and archived ones included."""
        statement = self._sql["list_all" if farm_id is None else "list"]
        with transaction(self._pool, "listing the horses") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            rows = cursor.execute(statement, {"farm_id": farm_id}).fetchall()
        return tuple(_horse(row) for row in rows)

    def get(self, horse_id: HorseId) -> Horse:
        """One horse; NotFound."""
        with transaction(self._pool, "reading a horse") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            row = cursor.execute(self._sql["get"], {"id": horse_id}).fetchone()
        if row is None:
            raise NotFound(f"There is no horse {horse_id}.")
        return _horse(row)


def _horse(row: Mapping[str, Any]) -> Horse:
    return Horse(
        id=HorseId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        label=row["label"],
        name=row["name"],
        colour_hex=row["colour_hex"],
        status=HorseStatus(row["status"]),
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        version=row["version"],
    )
