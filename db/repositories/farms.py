"""Farms, and the one that every installation starts with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId

DEFAULT_FARM = FarmId(UUID("00000000-0000-4000-8000-000000000001"))
"""Made by the first migration; what belongs to no named farm belongs to it."""


@dataclass(frozen=True, slots=True)
class Farm:
    """A farm; ``expected_residents`` None where nobody said how many horses live there."""

    id: FarmId
    name: str
    expected_residents: int | None


class FarmRepository:
    """Farms in the table of that name. Raises StoreUnavailable when it does not answer."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("farms")

    def list(self, farm_id: FarmId | None = None) -> Sequence[Farm]:
        """One farm, or all of them, by name."""
        with transaction(self._pool, "listing the farms") as connection:
            rows = connection.execute(self._sql["list"], {"farm_id": farm_id}).fetchall()
        return tuple(Farm(FarmId(row[0]), str(row[1]), row[2]) for row in rows)

    def add(self, name: str) -> Farm:
        """Make a farm."""
        with transaction(self._pool, "adding a farm") as connection:
            row = connection.execute(self._sql["add"], {"name": name}).fetchone()
        assert row is not None, "an insert returns its row"
        return Farm(FarmId(row[0]), name, None)

    def remove(self, farm_id: FarmId) -> bool:
        """Remove a farm without accounts, and its rules and alerts; False where it has accounts.
        Raises NotFound while anything else belongs to it, which would then belong to nothing."""
        with transaction(self._pool, "removing a farm") as connection:
            row = connection.execute(self._sql["remove"], {"farm_id": farm_id}).fetchone()
        return row is not None

    def change(self, farm_id: FarmId, name: str, expected_residents: int | None) -> Farm:
        """Set name and number of residents, and wake the engines. Raises NotFound."""
        given = {"farm_id": farm_id, "name": name, "expected": expected_residents}
        with transaction(self._pool, "changing a farm") as connection:
            if connection.execute(self._sql["change"], given).fetchone() is None:
                raise NotFound(f"There is no farm {farm_id}.")
            connection.execute("SELECT pg_notify('barnhand_identity', 'farm')")
        return Farm(farm_id, name, expected_residents)
