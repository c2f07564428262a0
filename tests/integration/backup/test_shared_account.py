"""On a shared server Barnhand's account is an ordinary one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from barnhand_desktop.backup.dump import BackupOrder, make_backup
from barnhand_desktop.backup.restore import restore_backup
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.migrate import migrate
from engine.domain.errors import OperatorMistake
from tests.integration.backup.conftest import AT, KEY, content

Account = Callable[[str], str]


@pytest.fixture
def account(postgres_server: EmbeddedPostgres) -> Iterator[Account]:
    """Makes the role ``farmhand`` with such rights and a database of its own, into which an
    administrator put pgvector; its address."""
    with psycopg.connect(postgres_server.dsn, autocommit=True) as server:

        def make(rights: str) -> str:
            server.execute(f"CREATE ROLE farmhand LOGIN PASSWORD 'oats' {rights}".encode())
            server.execute("CREATE DATABASE farmhands TEMPLATE template0 OWNER farmhand")
            install(postgres_server.dsn, "farmhands")
            return conninfo.make_conninfo(
                postgres_server.dsn, user="farmhand", password="oats", dbname="farmhands"
            )

        yield make
        for name in of_farmhands(postgres_server.dsn):
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        server.execute("DROP ROLE farmhand")


def install(dsn: str, database: str, what: str = "CREATE EXTENSION vector") -> None:
    """What an administrator does."""
    with psycopg.connect(dsn, dbname=database, autocommit=True) as connection:
        connection.execute(what.encode())


@pytest.fixture
def template_with_vector(postgres_server: EmbeddedPostgres) -> Iterator[None]:
    """An administrator's preparation for restores."""
    install(postgres_server.dsn, "template1")
    yield
    install(postgres_server.dsn, "template1", "DROP EXTENSION vector")


def of_farmhands(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'farmhands%'"
        ).fetchall()
    return [row[0] for row in rows]


def test_it_backs_up_and_restores_its_own_database(
    account: Account, template_with_vector: None, tmp_path: Path
) -> None:
    dsn = account("CREATEDB")
    migrate(dsn)
    before = content(dsn)
    path = tmp_path / "one.backup"
    make_backup(BackupOrder(dsn, path, AT))
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE farms SET name = 'Wrong'")
    for times in range(2):
        report = restore_backup(dsn, path, AT + timedelta(seconds=times), KEY)
        assert report.kept.startswith("farmhands_before_restore_")
        after = content(dsn)
        assert {t for t in before if after[t] != before[t]} == {"audit_log"}


def test_without_the_right_to_make_databases_it_is_told(account: Account, tmp_path: Path) -> None:
    dsn = account("NOCREATEDB")
    migrate(dsn)
    before = content(dsn)
    path = tmp_path / "one.backup"
    make_backup(BackupOrder(dsn, path, AT))
    with pytest.raises(OperatorMistake, match=r"may not make databases.*CREATEDB"):
        restore_backup(dsn, path, AT, KEY)
    assert content(dsn) == before
    assert of_farmhands(dsn) == ["farmhands"]


def test_without_the_extension_in_the_template_it_is_told(account: Account, tmp_path: Path) -> None:
    dsn = account("CREATEDB")
    migrate(dsn)
    path = tmp_path / "one.backup"
    make_backup(BackupOrder(dsn, path, AT))
    with pytest.raises(OperatorMistake, match=r"in the database template1: CREATE EXTENSION vec"):
        restore_backup(dsn, path, AT, KEY)
    assert of_farmhands(dsn) == ["farmhands"]
