"""Fixtures with real servers: a fresh migrated database and a live-state server.

One embedded PostgreSQL serves the whole session; each test gets a clone of a migrated template
database, which takes some milliseconds.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from db.migrate import migrate

_TEMPLATE = "barnhand_template"
_numbers = itertools.count(1)
FAST_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.fixture(scope="session")
def servers_dir() -> Iterator[Path]:
    """A folder that a server under another system user can pass through (tests run as root)."""
    folder = Path(tempfile.mkdtemp(prefix="barnhand-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(servers_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The session's PostgreSQL; its own database is only the template's origin."""
    server = EmbeddedPostgres(servers_dir / "postgres", FAST_NOT_DURABLE)
    server.start()
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    migrate(database_dsn(server.dsn, _TEMPLATE))
    yield server
    server.stop()


def database_dsn(dsn: str, database: str) -> str:
    """The address of another database on the same server."""
    return f"{dsn.rsplit('/', 1)[0]}/{database}"


@pytest.fixture
def new_database(postgres_server: EmbeddedPostgres) -> Iterator[Callable[[bool], str]]:
    """Makes databases: ``new_database(True)`` a migrated one, ``False`` an empty one."""
    names: list[str] = []
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:

        def create(migrated: bool = True) -> str:
            name = f"test_{next(_numbers)}"
            template = _TEMPLATE if migrated else "template0"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            names.append(name)
            return database_dsn(postgres_server.dsn, name)

        yield create
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_dsn(new_database: Callable[[bool], str]) -> str:
    """A fresh migrated database of this test's own."""
    return new_database(True)


@pytest.fixture(scope="session")
def valkey_server(servers_dir: Path) -> Iterator[EmbeddedValkey]:
    """The session's live-state server."""
    server = EmbeddedValkey(servers_dir / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey_url(valkey_server: EmbeddedValkey) -> str:
    """An emptied live-state server."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
    return valkey_server.url
