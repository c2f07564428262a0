"""A barn worth backing up: cameras with passwords, horses, tracks, corrections, accounts."""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from barnhand_desktop.backup.contents import rows_of
from barnhand_desktop.backup.dump import BackupOrder, make_backup
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.repositories.streams import PostgresStreamRepository
from engine.domain.identity import Merge
from engine.domain.ids import new_stream_id
from engine.domain.streams import SourceKind, Stream
from tests.fixtures_identity import IdentityBarn

AT = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
KEY = base64.urlsafe_b64encode(bytes(range(32)))
"""Of this test's machine."""
CHANGED_BY_A_RESTORE = ("audit_log", "refresh_families")


class StillClock:
    """Time that passes when it is told to."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def mono_s(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder that a server's own system user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="barnhand-own-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def barn_dsn(postgres_dsn: str, postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A database with something of everything; databases beside it go with it."""
    barn = IdentityBarn(postgres_dsn)
    cameras = [barn.camera("stall"), barn.camera("aisle")]
    bella, guest = barn.horse("Bella", "active"), barn.horse()
    barn.horse("Max", "active")
    for number in range(20):
        owner = bella if number % 3 else guest
        track = barn.track(cameras[number % 2], number * 10, number * 10 + 8, owner, rows=50)
        barn.features(track, [[0.1, 0.2, float(number)]])
    barn.identity.apply(Merge(bella, guest), "Anna", "same blaze")
    locked = PostgresStreamRepository(barn.pool, KEY)
    stream = Stream(new_stream_id(), "gate", SourceKind.RTSP, "rtsp://gate/1")
    locked.add(replace(stream, username="ann", password="hay and straw"))
    barn.run(
        "INSERT INTO users (username, password_hash, role, must_change_password) "
        "VALUES ('anna', 'x', 'admin', true)"
    )
    barn.run("INSERT INTO refresh_families (user_id) SELECT id FROM users")
    barn.run(
        "INSERT INTO refresh_families (user_id, revoked_at, revoked_because) "
        "SELECT id, now(), 'logout' FROM users"
    )
    barn.close()
    yield postgres_dsn
    base = postgres_dsn.rsplit("/", 1)[1]
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        for name in databases(postgres_server.dsn):
            if name.startswith(f"{base}_"):
                statement = sql.SQL("DROP DATABASE {} WITH (FORCE)")
                connection.execute(statement.format(sql.Identifier(name)))


@pytest.fixture
def backup(barn_dsn: str, tmp_path: Path) -> Path:
    """A backup of it."""
    path = tmp_path / "barn.backup"
    make_backup(BackupOrder(barn_dsn, path, AT))
    return path


def databases(dsn: str) -> list[str]:
    """All databases of a server."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT datname FROM pg_database ORDER BY datname").fetchall()
    return [row[0] for row in rows]


def beside(dsn: str) -> list[str]:
    """Databases that restores made beside the one of ``dsn``."""
    base = dsn.rsplit("/", 1)[1]
    return [name for name in databases(dsn) if name.startswith(f"{base}_")]


def content(dsn: str) -> dict[str, str]:
    """A hash over the rows of each table, whatever their order."""
    found = {}
    with psycopg.connect(dsn) as connection:
        for table in rows_of(connection):
            question = sql.SQL(
                "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
            ).format(sql.Identifier(table))
            row = connection.execute(question).fetchone()
            assert row is not None
            found[table] = row[0]
    return found


def change(dsn: str) -> None:
    """Do what a restore should take back."""
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE horses SET name = 'Wrong'")
        connection.execute("DELETE FROM detections")
        connection.execute("DELETE FROM identity_spans WHERE superseded_at IS NULL")
        connection.execute("UPDATE users SET must_change_password = false")
