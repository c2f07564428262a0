"""Servers a test may kill: its own, durable as in use, in its own folder."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.credentials import CredentialBox
from db.migrate import migrate
from db.pool import open_pool
from db.repositories.streams import PostgresStreamRepository
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.streams import SourceKind, Stream
from tests.fixtures_data import FAST_NOT_DURABLE

DEADLINE_S = 60.0


def eventually(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait until ``condition`` holds; fail with ``what`` after a generous limit."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"never happened: {what}"
        threading.Event().wait(0.005)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder another system user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="barnhand-own-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def initialised_folder() -> Iterator[Path]:
    """The data folder of a migrated server that is not running, to be copied."""
    folder = Path(tempfile.mkdtemp(prefix="barnhand-made-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres", FAST_NOT_DURABLE)
    migrate(server.start())
    server.stop()
    (folder / "postgres" / "port").unlink()
    yield folder / "postgres"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_server(own_folder: Path, initialised_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A migrated server of this test's own, not started.

    Without fsync: what a killed process has written, the system still has. Only a power cut needs
    it, and no test here cuts the power.
    """
    target = own_folder / "postgres"
    copy_tree_with_owners(initialised_folder, target)
    server = EmbeddedPostgres(target, {"fsync": "off"})
    yield server
    server.stop()


@pytest.fixture
def own_postgres(own_server: EmbeddedPostgres) -> EmbeddedPostgres:
    """The same, started."""
    own_server.start()
    return own_server


def copy_tree_with_owners(source: Path, target: Path) -> None:
    """Copy a folder; as root, files go to the user they belong to."""

    def copy(origin: str, copied: str) -> str:
        shutil.copy2(origin, copied)
        _own_like(Path(origin), Path(copied))
        return copied

    shutil.copytree(source, target, copy_function=copy)
    for folder in (source, *(entry for entry in source.rglob("*") if entry.is_dir())):
        _own_like(folder, target / folder.relative_to(source))


def _own_like(origin: Path, copied: Path) -> None:
    if sys.platform != "win32" and os.geteuid() == 0:
        status = origin.stat()
        os.chown(copied, status.st_uid, status.st_gid)


def add_stream(dsn: str, name: str = "camera") -> StreamId:
    """Store a stream and return its id."""
    pool = open_pool(dsn, max_size=1)
    try:
        repository = PostgresStreamRepository(pool, CredentialBox.new_key())
        return repository.add(Stream(new_stream_id(), name, SourceKind.FILE, f"{name}.mp4")).id
    finally:
        pool.close()
