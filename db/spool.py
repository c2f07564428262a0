"""Store and forward: batches wait in a SQLite file while no server answers.

First in, first out, bounded by ``limit_bytes``. When it is full the oldest detections are given up
first, then tracks and bouts; what was decided about identities stays even beyond the limit. Each
change is on disk before the call returns.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from db.batches import WriteBatch, decode_batch, encode_batch
from engine.domain.errors import Bug, EnvironmentFault

log = logging.getLogger(__name__)

DEFAULT_LIMIT_BYTES = 2 * 2**30
_REFUSED_LIMIT = 1000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    rows INTEGER NOT NULL,
    size INTEGER NOT NULL,
    droppable INTEGER NOT NULL,  -- 1 holds detections, 0 tracks and bouts, -1 identities: kept
    payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS batches_by_worth ON batches (droppable, seq);
CREATE TABLE IF NOT EXISTS refused (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class SpoolReport:
    """Rows given up to make room for a batch."""

    rows_dropped: int


@dataclass(frozen=True, slots=True)
class _Room:
    batches: int = 0
    rows: int = 0
    size_bytes: int = 0


class Spool:
    """Batches on disk at ``path``. Used by one thread at a time.

    Every method raises EnvironmentFault when the disk refuses (full, read-only, gone).
    """

    def __init__(self, path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._database: sqlite3.Connection | None = None
        self.batches = 0
        self.rows = 0
        self.size_bytes = 0

    def open(self) -> None:
        """Open or make the file; a damaged one is put aside and a new one begun."""
        with self._translated("opening"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise self._fault("opening", error) from error
            aside = self._path.with_suffix(".damaged")
            log.error("the spool %s is damaged (%s) and was put aside", self._path, error)
            self.close()
            with self._translated("replacing"):
                self._path.replace(aside)
                for suffix in ("-wal", "-shm"):
                    with contextlib.suppress(FileNotFoundError):
                        self._path.with_name(self._path.name + suffix).unlink()
                self._open()

    def _open(self) -> None:
        database = sqlite3.connect(
            self._path, timeout=5.0, isolation_level=None, check_same_thread=False
        )
        self._database = database
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        # A batch that is acknowledged outlives a power cut.
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
        self._count()

    def _count(self) -> None:
        found = self._open_database.execute(
            "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(size), 0) FROM batches"
        ).fetchone()
        self.batches, self.rows, self.size_bytes = found

    @property
    def _open_database(self) -> sqlite3.Connection:
        if self._database is None:
            raise Bug("the spool is not open")
        return self._database

    def put(self, batch: WriteBatch) -> SpoolReport:
        """Keep the batch, giving up the oldest detections when the spool is full.

        A batch that is here already is left as it is.
        """
        payload = encode_batch(batch)
        with self._translated("writing to"), self._transaction() as database:
            room = self._make_room(database, len(payload))
            added = database.execute(
                "INSERT OR IGNORE INTO batches (id, rows, size, droppable, payload) "
                "VALUES (?, ?, ?, ?, ?)",
                (str(batch.id), batch.row_count, len(payload), _worth(batch), payload),
            ).rowcount
        self.batches += added - room.batches
        self.rows += added * batch.row_count - room.rows
        self.size_bytes += added * len(payload) - room.size_bytes
        return SpoolReport(room.rows)

    def _make_room(self, database: sqlite3.Connection, needed_bytes: int) -> _Room:
        room = _Room()
        while self.size_bytes - room.size_bytes + needed_bytes > self._limit_bytes:
            oldest = database.execute(
                "SELECT seq, rows, size, payload FROM batches WHERE droppable = 1 "
                "ORDER BY seq LIMIT 1"
            ).fetchone()
            if oldest is None:  # tracks only: the bound holds for them too
                oldest = database.execute(
                    "SELECT seq, rows, size, NULL FROM batches WHERE droppable = 0 "
                    "ORDER BY seq LIMIT 1"
                ).fetchone()
            if oldest is None:
                break
            seq, rows, size, payload = oldest
            left = self._keep_tracks(database, seq, payload)
            room = _Room(
                room.batches + (left == 0), room.rows + rows, room.size_bytes + size - left
            )
        return room

    def _keep_tracks(self, database: sqlite3.Connection, seq: int, payload: bytes | None) -> int:
        """Replace a batch by its tracks and identities, or remove it; the bytes that are left."""
        try:
            rest = None if payload is None else decode_batch(payload).without_detections()
        except Bug:
            rest = None
        if rest is None or not (rest.tracks or rest.motion or rest.identity.precious):
            database.execute("DELETE FROM batches WHERE seq = ?", (seq,))
            return 0
        kept = encode_batch(rest)
        database.execute(
            "UPDATE batches SET rows = 0, size = ?, droppable = ?, payload = ? WHERE seq = ?",
            (len(kept), _worth(rest), kept, seq),
        )
        return len(kept)

    def oldest(self) -> WriteBatch | None:
        """The batch to send next, None when the spool is empty. Damaged ones are put aside."""
        while True:
            with self._translated("reading"):
                row = self._open_database.execute(
                    "SELECT id, payload FROM batches ORDER BY seq LIMIT 1"
                ).fetchone()
            if row is None:
                return None
            try:
                return decode_batch(row[1])
            except Bug as error:
                log.error("batch %s in the spool cannot be read: %s", row[0], error)
                self.refuse(UUID(row[0]), str(error))

    def remove(self, batch_id: UUID) -> None:
        """Forget a batch that is in the database."""
        with self._translated("writing to"):
            gone = self._open_database.execute(
                "DELETE FROM batches WHERE id = ? RETURNING rows, size", (str(batch_id),)
            ).fetchall()
            for rows, size in gone:
                self.batches -= 1
                self.rows -= rows
                self.size_bytes -= size
            if not self.batches:
                self._open_database.execute("PRAGMA incremental_vacuum").fetchall()

    def refuse(self, batch_id: UUID, reason: str) -> None:
        """Put a batch that the server will never take aside, so that the ones behind it go on."""
        with self._translated("writing to"):
            with self._transaction() as database:
                database.execute(
                    "INSERT INTO refused (id, reason, payload) "
                    "SELECT id, ?, payload FROM batches WHERE id = ?",
                    (reason, str(batch_id)),
                )
                database.execute("DELETE FROM batches WHERE id = ?", (str(batch_id),))
                database.execute(
                    "DELETE FROM refused WHERE seq <= (SELECT max(seq) FROM refused) - ?",
                    (_REFUSED_LIMIT,),
                )
            self._count()

    def refused(self) -> int:
        """Batches put aside."""
        with self._translated("reading"):
            row = self._open_database.execute("SELECT count(*) FROM refused").fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        database = self._open_database
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._fault(doing, error) from error

    def _fault(self, doing: str, error: Exception) -> EnvironmentFault:
        return EnvironmentFault(
            f"{doing.capitalize()} the spool {self._path} failed: {error}.",
            "Free some space on that disk, or check its rights.",
        )


def _worth(batch: WriteBatch) -> int:
    """What a full spool may do with a batch: see the column ``droppable``."""
    if batch.row_count or len(batch.metrics):
        return 1
    return -1 if batch.identity.precious else 0
