"""The queue library's own tables, brought to the version that is installed.

The library ships its schema and one SQL file for each change of it, named by the version that
needs it. We note the name of the newest change a database has, under the same lock as our own
migrations: an empty database gets the schema as it is now, an older one the changes it lacks.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager
from psycopg import Connection

from engine.domain.errors import Bug, OperatorMistake


def queue_changes() -> tuple[tuple[str, str], ...]:
    """Names and SQL of the library's changes, in order."""
    folder = Path(SchemaManager.get_migrations_path())
    return tuple(
        (path.stem, path.read_text("utf-8")) for path in sorted(folder.glob("[0-9]*_*.sql"))
    )


def migrate_queue(connection: Connection, up_to: str | None = None) -> tuple[str, ...]:
    """Bring the queue's tables up to date; names of what was applied.

    connection: in autocommit, holding the migrations' lock. ``up_to``: the change to stop at, for
    tests of an older database. Raises OperatorMistake when the database has a change that this
    program's library does not know, Bug when a change fails.
    """
    changes = [change for change in queue_changes() if up_to is None or change[0] <= up_to]
    connection.execute(
        "CREATE TABLE IF NOT EXISTS queue_schema (version text PRIMARY KEY, "
        "applied_at timestamptz NOT NULL DEFAULT now())"
    )
    row = connection.execute("SELECT max(version) FROM queue_schema").fetchone()
    reached: str | None = None if row is None else row[0]
    newest = queue_changes()[-1][0]
    if reached is not None and reached > newest:
        raise OperatorMistake(
            f"The database's queue is newer than this program: it has {reached}, this program "
            f"knows {newest}.",
            "Update Barnhand on this machine, or use another database.",
        )
    if reached is None and up_to is None:
        _apply(connection, newest, SchemaManager.get_schema())
        return (newest,)
    missing = [change for change in changes if reached is None or change[0] > reached]
    for name, sql in missing:
        _apply(connection, name, sql)
    return tuple(name for name, _ in missing)


def _apply(connection: Connection, name: str, sql: str) -> None:
    try:
        with connection.transaction():
            connection.execute(sql.encode())
            connection.execute("INSERT INTO queue_schema (version) VALUES (%s)", (name,))
    except psycopg.ProgrammingError as error:
        raise Bug(f"the queue's change {name} failed: {error}") from error
