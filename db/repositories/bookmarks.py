"""Bookmarks, and the chunks that locked ones keep (port BookmarkRepository)."""

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
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.recording import Bookmark, BookmarkId

MAX_LIMIT = 1000
MAX_TITLE = 200
MAX_NOTE = 4000


class PostgresBookmarkRepository:
    """Bookmarks in the table of that name.

    A locked bookmark holds every chunk of its cameras that reaches into its time, also those that
    are recorded later. A chunk that somebody locked by hand before stays locked without it.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("bookmarks")

    def list(
        self,
        farm_id: FarmId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 500,
    ) -> Sequence[Bookmark]:
        """Those that reach into the interval, newest first."""
        if not 1 <= limit <= MAX_LIMIT:
            raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
        fields = {"farm_id": farm_id, "start": start, "end": end, "limit": limit}
        with transaction(self._pool, "listing the bookmarks") as connection:
            return tuple(map(_bookmark, self._rows(connection, "list", fields)))

    def get(self, bookmark_id: BookmarkId) -> Bookmark:
        """One. Raises NotFound."""
        with transaction(self._pool, "reading a bookmark") as connection:
            rows = self._rows(connection, "get", {"id": bookmark_id})
        if not rows:
            raise _missing(bookmark_id)
        return _bookmark(rows[0])

    def save(self, bookmark: Bookmark) -> None:
        """Store it, or replace the one of its id; locks or unlocks its chunks with it (a chunk
        stays locked while another bookmark wants it). Who made it, when, and its farm stay.

        Raises OperatorMistake for a title or time that is none, NotFound for a camera or horse of
        another farm, Conflict when the id is another farm's bookmark.
        """
        fields = _fields(bookmark)
        with transaction(self._pool, f"saving the bookmark {bookmark.title!r}") as connection:
            strange = self._rows(connection, "strangers", fields)[0]
            if strange["stream"]:
                raise NotFound("That farm has no such camera.")
            if strange["horse"]:
                raise NotFound(f"That farm has no horse {bookmark.horse_id}.")
            if not connection.execute(self._sql["save"], fields).rowcount:
                raise Conflict("That bookmark belongs to another farm.")
            connection.execute(self._sql["let_go"], {"id": bookmark.id})
            if bookmark.locked:
                connection.execute(self._sql["hold"], {"id": bookmark.id})

    def remove(self, bookmark_id: BookmarkId) -> None:
        """Raises NotFound."""
        with transaction(self._pool, "removing a bookmark") as connection:
            connection.execute(self._sql["let_go"], {"id": bookmark_id})
            if not connection.execute(self._sql["remove"], {"id": bookmark_id}).rowcount:
                raise _missing(bookmark_id)

    def _rows(
        self, connection: Connection, name: str, fields: dict[str, Any]
    ) -> Sequence[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(self._sql[name], fields).fetchall()


def _fields(bookmark: Bookmark) -> dict[str, Any]:
    title = " ".join(bookmark.title.split())
    if not title or "\0" in title + bookmark.note or len(title) > MAX_TITLE:
        raise OperatorMistake(f"A bookmark needs a title of at most {MAX_TITLE} letters.")
    if len(bookmark.note) > MAX_NOTE:
        raise OperatorMistake(f"A note has at most {MAX_NOTE} letters.")
    instants = (bookmark.start_at, bookmark.end_at, bookmark.created_at)
    if any(at.tzinfo is None for at in instants):
        raise OperatorMistake("The times of a bookmark need their time zone.")
    if bookmark.end_at < bookmark.start_at:
        raise OperatorMistake("The end of a bookmark must not be before its start.")
    return {
        "id": bookmark.id,
        "farm_id": bookmark.farm_id,
        "title": title,
        "start_at": bookmark.start_at,
        "end_at": bookmark.end_at,
        "stream_ids": list(bookmark.stream_ids),
        "horse_id": bookmark.horse_id,
        "note": bookmark.note,
        "locked": bookmark.locked,
        "created_by": bookmark.created_by,
        "created_at": bookmark.created_at,
    }


def _bookmark(row: dict[str, Any]) -> Bookmark:
    return Bookmark(
        id=BookmarkId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        title=row["title"],
        start_at=row["start_at"],
        end_at=row["end_at"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        stream_ids=tuple(StreamId(one) for one in row["stream_ids"]),
        horse_id=None if row["horse_id"] is None else HorseId(row["horse_id"]),
        note=row["note"],
        locked=row["locked"],
    )


def _missing(bookmark_id: BookmarkId) -> NotFound:
    return NotFound(f"There is no bookmark {bookmark_id}.")
