"""The training calendar (port CalendarRepository)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, HorseId
from engine.domain.sessions import CalendarEntry, CalendarEntryId, SessionId, SessionKind

MAX_LIMIT = 1000
MAX_TITLE = 200
MAX_NOTE = 4000


class PostgresCalendarRepository:
    """Calendar entries in the table of that name."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("calendar")

    def list(
        self,
        farm_id: FarmId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        horse_id: HorseId | None = None,
        limit: int = MAX_LIMIT,
    ) -> Sequence[CalendarEntry]:
        """Those that reach into [start, end), oldest first; with a horse, those of all horses
        too."""
        if not 1 <= limit <= MAX_LIMIT:
            raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
        fields = {
            "farm_id": farm_id, "start": start, "end": end, "horse_id": horse_id, "limit": limit,
            "id": None,
        }  # fmt: skip
        with transaction(self._pool, "listing the calendar") as connection:
            return tuple(map(_entry, self._rows(connection, "list", fields)))

    def get(self, entry_id: CalendarEntryId) -> CalendarEntry:
        """One. Raises NotFound."""
        with transaction(self._pool, "reading a calendar entry") as connection:
            return self._get(connection, entry_id)

    def add(self, entry: CalendarEntry) -> CalendarEntry:
        """See the port; Conflict where the id is taken."""
        fields = _fields(entry)
        with transaction(self._pool, "adding a calendar entry") as connection:
            self._refuse_strangers(connection, fields)
            connection.execute(self._sql["add"], fields)
            return self._get(connection, entry.id)

    def update(self, entry: CalendarEntry) -> CalendarEntry:
        """See the port."""
        fields = _fields(entry)
        with transaction(self._pool, "changing a calendar entry") as connection:
            locked = self._rows(connection, "lock", fields)
            if not locked:
                raise _missing(entry.id)
            if locked[0]["version"] != entry.version:
                raise Conflict(
                    f"The entry {locked[0]['title']!r} was changed meanwhile (version "
                    f"{locked[0]['version']}, you changed version {entry.version}).",
                    "Load it again and repeat your change.",
                )
            fields["farm_id"] = locked[0]["farm_id"]
            self._refuse_strangers(connection, fields)
            connection.execute(self._sql["update"], fields)
            return self._get(connection, entry.id)

    def remove(self, entry_id: CalendarEntryId) -> None:
        """Raises NotFound."""
        with transaction(self._pool, "removing a calendar entry") as connection:
            if not connection.execute(self._sql["remove"], {"id": entry_id}).rowcount:
                raise _missing(entry_id)

    def _get(self, connection: Connection, entry_id: CalendarEntryId) -> CalendarEntry:
        nothing = dict.fromkeys(("farm_id", "start", "end", "horse_id"))
        rows = self._rows(connection, "list", {**nothing, "id": entry_id, "limit": 1})
        if not rows:
            raise _missing(entry_id)
        return _entry(rows[0])

    def _refuse_strangers(self, connection: Connection, fields: dict[str, Any]) -> None:
        strange = self._rows(connection, "strangers", fields)[0]
        if strange["horse"]:
            raise NotFound(f"That farm has no horse {fields['horse_id']}.")
        if strange["session"]:
            raise NotFound(f"That farm has no session {fields['session_id']}.")

    def _rows(
        self, connection: Connection, name: str, fields: dict[str, Any]
    ) -> Sequence[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(self._sql[name], fields).fetchall()


def _fields(entry: CalendarEntry) -> dict[str, Any]:
    title = " ".join(entry.title.split())
    if not title or "\0" in title + entry.note or len(title) > MAX_TITLE:
        raise OperatorMistake(f"A calendar entry needs a title of at most {MAX_TITLE} letters.")
    if len(entry.note) > MAX_NOTE:
        raise OperatorMistake(f"A note has at most {MAX_NOTE} letters.")
    if any(at.tzinfo is None for at in (entry.start_at, entry.end_at, entry.created_at)):
        raise OperatorMistake("The times of a calendar entry need their time zone.")
    if entry.end_at < entry.start_at:
        raise OperatorMistake("The end of a calendar entry must not be before its start.")
    return {
        "id": entry.id,
        "farm_id": entry.farm_id,
        "horse_id": entry.horse_id,
        "title": title,
        "kind": entry.kind.value,
        "start_at": entry.start_at,
        "end_at": entry.end_at,
        "whole_day": entry.whole_day,
        "note": entry.note,
        "done": entry.done,
        "session_id": entry.session_id,
        "created_by": entry.created_by,
        "created_at": entry.created_at,
    }


def _entry(row: dict[str, Any]) -> CalendarEntry:
    return CalendarEntry(
        id=CalendarEntryId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        title=row["title"],
        kind=SessionKind(row["kind"]),
        start_at=row["start_at"],
        end_at=row["end_at"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        horse_id=None if row["horse_id"] is None else HorseId(row["horse_id"]),
        whole_day=row["whole_day"],
        note=row["note"],
        done=row["done"],
        session_id=None if row["session_id"] is None else SessionId(row["session_id"]),
        version=row["version"],
    )


def _missing(entry_id: CalendarEntryId) -> NotFound:
    return NotFound(f"There is no calendar entry {entry_id}.")
