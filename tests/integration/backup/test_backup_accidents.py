"""Power cuts, Ctrl+C and stuck servers while a backup is being made; who can read its secrets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from barnhand_desktop.backup.archive import PART
from barnhand_desktop.backup.dump import BackupCancelled, BackupOrder, make_backup
from barnhand_desktop.backup.restore import check_backup
from barnhand_desktop.backup.shelf import Shelf
from engine.domain.errors import StoreUnavailable
from tests.helpers.waiting import wait_until
from tests.integration.backup.conftest import AT

PROGRAM = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from barnhand_desktop.backup.dump import BackupOrder, make_backup
from barnhand_desktop.backup.shelf import Shelf
at = datetime.fromisoformat(sys.argv[2])
make_backup(BackupOrder(os.environ["BARN"], Shelf(Path(sys.argv[1])).new_path(at), at))
"""


@pytest.fixture
def stuck(barn_dsn: str) -> Iterator[Callable[[], None]]:
    """A dump that has begun waits for a table that somebody else holds, until this is called."""
    with psycopg.connect(barn_dsn) as connection:
        connection.execute("CREATE SCHEMA elsewhere")
        connection.execute("CREATE TABLE elsewhere.held (number integer)")
        connection.commit()
        connection.execute("LOCK TABLE elsewhere.held IN ACCESS EXCLUSIVE MODE")
        yield connection.rollback


@contextmanager
def busy_with_a_backup(dsn: str, folder: Path) -> Iterator[psutil.Process]:
    """A program in the middle of a backup: its pg_dump is at work, its file is begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), AT.isoformat()],
        env={**os.environ, "BARN": dsn},
        stderr=subprocess.PIPE,
    )
    program = psutil.Process(process.pid)
    try:
        wait_until(lambda: process.poll() is not None or waits_for_a_lock(dsn), 60)
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield program
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        if process.stderr is not None:
            process.stderr.close()


def waits_for_a_lock(dsn: str) -> bool:
    """True while a backup's session waits for the held table."""
    return _sessions(dsn, "wait_event_type = 'Lock'") > 0


def at_work_on(dsn: str) -> int:
    """Sessions of backups on the server."""
    return _sessions(dsn, "true")


def _sessions(dsn: str, condition: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            f"AND application_name = 'barnhand backup' AND {condition}".encode()
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def shelf(barn_dsn: str, tmp_path: Path) -> Shelf:
    """A shelf with one good backup."""
    shelf = Shelf(tmp_path / "backups")
    make_backup(BackupOrder(barn_dsn, shelf.new_path(AT), AT))
    return shelf


def names(shelf: Shelf) -> list[str]:
    return sorted(path.name for path in shelf.folder.iterdir())


def test_killed_in_the_middle_the_old_backups_are_what_there_is(
    barn_dsn: str, shelf: Shelf, stuck: Callable[[], None]
) -> None:
    before = shelf.list()
    with busy_with_a_backup(barn_dsn, shelf.folder) as program:
        half = [name for name in names(shelf) if name.endswith(PART)]
        assert len(half) == 1 and shelf.list() == before
        children = program.children()
        os.kill(program.pid, signal.SIGKILL)
    assert shelf.list() == before
    assert half[0] in names(shelf), "nobody was left to remove it"
    assert shelf.sweep() == 1
    assert names(shelf) == [before[0].path.name]
    assert [child.name() for child in children] == ["pg_dump"]
    children[0].kill()  # it waits for the lock that this test holds


def test_ctrl_c_leaves_nothing(barn_dsn: str, shelf: Shelf, stuck: Callable[[], None]) -> None:
    before = names(shelf)
    with busy_with_a_backup(barn_dsn, shelf.folder) as program:
        children = program.children()
        os.kill(program.pid, signal.SIGINT)
        program.wait(60)
    assert names(shelf) == before
    wait_until(lambda: not any(child.is_running() for child in children))


def test_cancelled_it_ends_at_once_and_leaves_nothing(
    barn_dsn: str, shelf: Shelf, stuck: Callable[[], None]
) -> None:
    before = names(shelf)
    with pytest.raises(BackupCancelled):
        make_backup(
            BackupOrder(barn_dsn, shelf.new_path(AT), AT),
            cancelled=lambda: waits_for_a_lock(barn_dsn),
        )
    assert names(shelf) == before
    wait_until(lambda: at_work_on(barn_dsn) == 0)


def test_the_dead_programs_dump_ends_when_it_comes_to_write(
    barn_dsn: str, shelf: Shelf, stuck: Callable[[], None]
) -> None:
    with busy_with_a_backup(barn_dsn, shelf.folder) as program:
        os.kill(program.pid, signal.SIGKILL)
    stuck()
    wait_until(lambda: at_work_on(barn_dsn) == 0)


def test_no_argument_holds_the_password(
    barn_dsn: str, shelf: Shelf, stuck: Callable[[], None]
) -> None:
    password = barn_dsn.split(":")[2].split("@")[0]
    assert len(password) > 20
    with busy_with_a_backup(barn_dsn, shelf.folder) as program:
        children = program.children(recursive=True)
        lines = [" ".join(process.cmdline()) for process in children]
    assert any("pg_dump" in line for line in lines)
    assert not any(password in line or "postgresql://" in line for line in lines)


def test_what_is_written_meanwhile_is_not_in_it_and_counts_agree(
    barn_dsn: str, tmp_path: Path
) -> None:
    """The rows are counted in the very snapshot that is dumped."""
    path = tmp_path / "one.backup"

    def told(share: float, doing: str) -> None:
        if doing == "dumping the database":
            with psycopg.connect(barn_dsn) as connection:
                connection.execute("DELETE FROM detections WHERE x1 = 0")

    manifest = make_backup(BackupOrder(barn_dsn, path, AT), told)
    assert manifest.rows["detections"] == 1000
    assert check_backup(barn_dsn, path, AT).manifest.rows["detections"] == 1000


def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    away = "postgresql://barnhand:secret@127.0.0.1:9/barnhand"
    with pytest.raises(StoreUnavailable, match="away") as caught:
        make_backup(BackupOrder(away, tmp_path / "one.backup", AT))
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
