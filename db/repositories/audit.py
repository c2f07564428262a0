"""The audit trail: rows are added and read, never changed (a trigger sees to it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.ids import FarmId


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done. ``user_id`` None: by no known account."""

    user_id: UUID | None
    username: str
    api_key_id: UUID | None
    farm_id: FarmId | None
    action: str
    object_kind: str
    object_id: str | None
    address: str | None
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A stored entry."""

    id: int
    at: datetime
    entry: AuditEntry


class AuditRepository:
    """The audit trail in PostgreSQL."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("audit")

    def add(self, entry: AuditEntry) -> None:
        """Store one entry, at the server's time."""
        with transaction(self._pool, "writing the audit trail") as connection:
            connection.execute(
                self._sql["add_audit_row"],
                {
                    "user_id": entry.user_id,
                    "username": entry.username,
                    "api_key_id": entry.api_key_id,
                    "farm_id": entry.farm_id,
                    "action": entry.action,
                    "object_kind": entry.object_kind,
                    "object_id": entry.object_id,
                    "address": entry.address,
                    "details": Jsonb(dict(entry.details)),
                },
            )

    def list(
        self, farm_id: FarmId | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[AuditRow]:
        """Newest first, of one farm or of all; ``before`` continues after a row's id."""
        with (
            transaction(self._pool, "reading the audit trail") as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            rows = cursor.execute(
                self._sql["audit_rows"],
                {"farm_id": farm_id, "before": before, "limit": limit},
            ).fetchall()
        return [
            AuditRow(row.pop("id"), row.pop("at"), AuditEntry(**row))
            for row in (dict(row) for row in rows)
        ]
