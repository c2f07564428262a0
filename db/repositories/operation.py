"""What the shared database knows about how the barn is run: numbers for monitors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries


@dataclass(frozen=True, slots=True)
class AlertCount:
    """Alerts that are kept, by what raised them; ``kind`` is the rule's kind."""

    kind: str
    severity: str
    raised: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class JobCount:
    """Jobs that have not ended; ``oldest_s`` since the first of them was asked for."""

    kind: str
    state: str
    jobs: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class OperationFigures:
    """One look. ``leases``: cameras by the name of the node that holds them."""

    database_bytes: int
    alerts: Sequence[AlertCount]
    jobs: Sequence[JobCount]
    leases: Sequence[tuple[str, int]]


class OperationRepository:
    """Raises StoreUnavailable when the server does not answer."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("operation")

    def figures(self) -> OperationFigures:
        """All of it, in one transaction; some milliseconds."""
        with transaction(self._pool, "counting for the metrics") as connection:
            return OperationFigures(
                database_bytes=int(self._rows(connection, "size")[0]["bytes"]),
                alerts=tuple(AlertCount(**row) for row in self._rows(connection, "alerts")),
                jobs=tuple(JobCount(**row) for row in self._rows(connection, "jobs")),
                leases=tuple(
                    (row["name"], row["cameras"]) for row in self._rows(connection, "leases")
                ),
            )

    def _rows(self, connection: Connection, name: str) -> list[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(self._sql[name]).fetchall()
