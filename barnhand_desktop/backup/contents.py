"""What is in a database at one instant: counted in the very snapshot that is dumped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import Connection, sql

from db.errors import translated
from db.queries import queries
from engine.domain.errors import OperatorMistake


@dataclass(frozen=True, slots=True)
class Contents:
    """A database's description. ``piece_bytes``: size of each table with rows, by name."""

    database: str
    server_version: str
    server_major: int
    database_bytes: int
    schema_version: int
    queue_version: str
    extensions: Mapping[str, str]
    farms: tuple[str, ...]
    piece_bytes: Mapping[str, int]


class Snapshot:
    """An instant of the database, held while it is dumped. ``name`` is what pg_dump takes."""

    def __init__(self, connection: Connection, name: str, contents: Contents) -> None:
        self._connection = connection
        self.name = name
        self.contents = contents

    def count_rows(self) -> dict[str, int]:
        """Rows of every table at this instant."""
        with translated("counting the rows"):
            return rows_of(self._connection)


@contextmanager
def snapshot(dsn: str) -> Iterator[Snapshot]:
    """Hold one instant of the database at ``dsn``.

    Raises StoreUnavailable, or OperatorMistake for a database that is not Barnhand's.
    """
    with (
        translated("looking at the database to back it up"),
        psycopg.connect(dsn, connect_timeout=10, application_name="barnhand backup") as connection,
    ):
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            row = connection.execute(queries("backup")["export_snapshot"]).fetchone()
            assert row is not None
            yield Snapshot(connection, str(row[0]), describe(connection))


def describe(connection: Connection) -> Contents:
    """Everything but the rows' count."""
    statements = queries("backup")
    row = connection.execute(statements["server"]).fetchone()
    assert row is not None
    version, major, database, size_bytes, migrated, queued = row
    if not migrated:
        raise OperatorMistake(
            f"The database {database} is empty or not Barnhand's: there is nothing to back up.",
            "Start Barnhand once, or check database.dsn.",
        )
    number = connection.execute(statements["schema_number"]).fetchone()
    queue = connection.execute(statements["queue_version"]).fetchone() if queued else None
    return Contents(
        database=str(database),
        server_version=str(version),
        server_major=int(major),
        database_bytes=int(size_bytes),
        schema_version=int(number[0]) if number else 0,
        queue_version=str(queue[0]) if queue else "",
        extensions=dict(connection.execute(statements["extensions"]).fetchall()),
        farms=tuple(row[0] for row in connection.execute(statements["farms"]).fetchall()),
        piece_bytes=dict(connection.execute(statements["piece_sizes"]).fetchall()),
    )


def rows_of(connection: Connection) -> dict[str, int]:
    """Rows of every whole table by its name, partitions and chunks with their whole."""
    counts = {}
    for (name,) in connection.execute(queries("backup")["tables"]).fetchall():
        question = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", name))
        row = connection.execute(question).fetchone()
        counts[str(name)] = int(row[0]) if row else 0
    return counts
