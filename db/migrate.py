"""Brings a database to the schema of this program.

Migrations are ``db/sql/migrations/NNNN_name.sql``, applied in order, each in a transaction of its
own, under one advisory lock, and noted with their hash. Extensions that the server offers
(TimescaleDB) are switched on first; the migrations ask what is there.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg import Connection
from psycopg import errors as pg

from db.errors import translated
from db.queue.schema import migrate_queue
from engine.domain.errors import Bug, OperatorMistake

log = logging.getLogger(__name__)

_QUEUE_STEP = "jobs"
"""From this step on the database has the queue library's tables too."""
_LOCK = 0x6261726E68616E64  # "barnhand"
_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step. ``sha256`` is of its text with LF line ends."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Hex digest, the same on systems that check text out with CRLF."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What ``migrate`` did: names applied now, the number reached, and the kind of server."""

    applied: tuple[str, ...]
    version: int
    timescale: bool


def packaged_migrations() -> tuple[Migration, ...]:
    """The program's migrations by number; Bug when two share one."""
    found: dict[int, Migration] = {}
    for entry in files("db.sql.migrations").iterdir():
        match = _FILE.match(entry.name)
        if match is None:
            continue
        number = int(match[1])
        if number in found:
            raise Bug(f"two migrations have the number {number:04d}")
        found[number] = Migration(number, match[2], entry.read_text("utf-8"))
    return tuple(found[number] for number in sorted(found))


def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> MigrationReport:
    """Apply what is missing; safe to call from several processes at once.

    Raises OperatorMistake when the database is newer than this program or was made by a different
    build of it, StoreUnavailable when the server is away.
    """
    steps = packaged_migrations() if migrations is None else tuple(migrations)
    with (
        translated("bringing the database up to date"),
        psycopg.connect(
            dsn, autocommit=True, connect_timeout=10, application_name="barnhand migrate"
        ) as connection,
    ):
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            report = _migrate(connection, steps)
            if any(step.name == _QUEUE_STEP for step in steps):
                migrate_queue(connection)
            return report
        finally:
            if not connection.broken:
                connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _migrate(connection: Connection, steps: Sequence[Migration]) -> MigrationReport:
    _offer_extensions(connection)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number integer PRIMARY KEY, "
        "name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = connection.execute("SELECT number, name, sha256 FROM schema_migrations").fetchall()
    done: dict[int, tuple[str, str]] = {number: (name, sha256) for number, name, sha256 in rows}
    _check_history(done, steps)
    applied = []
    for step in steps:
        if step.number not in done:
            _apply(connection, step)
            applied.append(f"{step.number:04d}_{step.name}")
    return MigrationReport(
        tuple(applied), steps[-1].number if steps else 0, has_timescale(connection)
    )


def _check_history(done: dict[int, tuple[str, str]], steps: Sequence[Migration]) -> None:
    known = {step.number: step for step in steps}
    newest = max(known, default=0)
    beyond = sorted(number for number in done if number > newest)
    if beyond:
        raise OperatorMistake(
            f"The database is newer than this program: it has step {beyond[-1]:04d} "
            f"({done[beyond[-1]][0]}), this program knows {newest:04d}.",
            "Update Barnhand on this machine, or use another database.",
        )
    for number, (name, sha256) in sorted(done.items()):
        step = known.get(number)
        if step is None or step.sha256 != sha256:
            raise OperatorMistake(
                f"The database was made by a different build: its step {number:04d} ({name}) "
                "is not this program's.",
                "Use the program that made it, or another database.",
            )
    late = [n for n in known if n not in done and n < max(done, default=0)]
    if late:
        raise Bug(f"migration {late[0]:04d} was added before ones that are already applied")


def _apply(connection: Connection, step: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(step.sql.encode())
            connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES (%s, %s, %s)",
                (step.number, step.name, step.sha256),
                prepare=False,  # steps are few; a server behind a pooler keeps what is prepared
            )
    except pg.ProgrammingError as error:
        raise Bug(f"migration {step.number:04d}_{step.name} failed: {error}") from error


def _offer_extensions(connection: Connection) -> None:
    """Switch TimescaleDB on where the server has it and this account may. A database that was made
    without (and restored here, say) keeps its native partitions."""
    made = connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL").fetchone()
    if made is not None and made[0]:
        return
    offered = connection.execute(
        "SELECT 1 FROM pg_available_extensions "
        "WHERE name = 'timescaledb' AND installed_version IS NULL"
    ).fetchone()
    if offered is None:
        return
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except psycopg.Error as error:
        if connection.broken:
            raise
        log.warning("TimescaleDB is offered but not usable; native partitions serve: %s", error)


def has_timescale(connection: Connection) -> bool:
    """True if this database uses TimescaleDB."""
    row = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    return row is not None
