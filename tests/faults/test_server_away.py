"""Server away, killed with -9, restarted, disk full: rows spooled, replayed, none lost or doubled.

Killing it mid-batch, freezing it, losing the answer to a commit and ending the program meanwhile
are in tests/integration/data/test_writer.py, a running barn in test_killing_each_component.py;
here are the full disks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.supervisor import ServerState, ServerStatus, ServerSupervisor
from barnhand_desktop.servers.telling import tell
from db.delivery import SPOOL_FAULT, STORE_AWAY, WriterState
from engine.domain.ids import StreamId, new_track_id
from engine.domain.notices import Notice, Severity
from tests.faults.conftest import Say
from tests.helpers.demo import seconds_until
from tests.helpers.frame_results import frame_result
from tests.integration.data.conftest import add_stream, copy_tree_with_owners, eventually
from tests.integration.data.test_writer import Desk, stored

SmallDisk = Callable[[int], Path]
TRACKS = tuple(new_track_id() for _ in range(40))


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """Makes file systems of so many megabytes."""
    folders: list[Path] = []

    def make(size_mb: int) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="barnhand-small-"))
        folders.append(folder)
        options = f"size={size_mb}m,mode=711"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small file system is not permitted here")
        return folder

    yield make
    for folder in folders:
        subprocess.run(["umount", "-l", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def fill(folder: Path) -> Path:
    """Take all room that is left."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(os.urandom(size))
    return ballast


class Feed:
    """Results for a writer, counted."""

    def __init__(self, desk: Desk, stream: StreamId) -> None:
        self._desk, self._stream = desk, stream
        self.sent = 0
        self.rows = 0

    def __call__(self, results: int = 1) -> None:
        for _ in range(results):
            self._desk.writer.on_result(frame_result(self._stream, self.sent, track_ids=TRACKS))
            self.sent += 1
            self.rows += len(TRACKS)


@pytest.mark.skipif(os.name != "posix", reason="mounts a small file system")
def test_the_servers_disk_is_full(
    small_disk: SmallDisk, initialised_folder: Path, tmp_path: Path, say: Say
) -> None:
    disk = small_disk(160)
    copy_tree_with_owners(initialised_folder, disk / "postgres")
    server = EmbeddedPostgres(disk / "postgres")
    dsn = server.start()
    notices: list[Notice] = []
    heard: list[ServerStatus] = []

    def on_change(status: ServerStatus) -> None:
        heard.append(status)
        tell(notices.append)(status)

    supervisor = ServerSupervisor([server], on_change)
    desk = Desk(dsn, tmp_path)
    feed = Feed(desk, add_stream(dsn))
    try:
        feed(50)
        eventually(lambda: desk.writer.rows_written == feed.rows, "rows are written")
        supervisor.start()
        ballast = fill(disk)
        pause = threading.Event()

        def spooling() -> bool:
            feed(50)
            pause.wait(0.05)
            return desk.writer.state is WriterState.SPOOLING

        noticed_s = seconds_until(spooling)
        assert (STORE_AWAY, True) in desk.said()
        feed(200)
        assert desk.writer.flush(30.0)
        assert desk.writer.rows_spooled > 0
        ballast.unlink()
        sent_s = seconds_until(lambda: desk.writer.state is WriterState.OK, 90.0)
        feed(10)
        assert desk.writer.flush(30.0)
    finally:
        desk.stop()
        supervisor.stop(30.0)
        server.stop()
    deaths = sum(status.state is ServerState.RESTARTING for status in heard)
    say(f"noticed after {noticed_s:.1f} s, sent {sent_s:.1f} s after there was room; the server")
    say(f"ended {deaths} times of it; notices {sorted({n.key for n in notices if n.active})}")
    _check(initialised_folder, disk, desk, feed)


def _check(initialised_folder: Path, disk: Path, desk: Desk, feed: Feed) -> None:
    again = EmbeddedPostgres(disk / "postgres")
    try:
        assert stored(again.start()) == (feed.rows, feed.rows)
    finally:
        again.stop()
    assert (desk.writer.rows_written, desk.writer.rows_dropped) == (feed.rows, 0)


@pytest.mark.skipif(os.name != "posix", reason="mounts a small file system")
def test_the_spools_disk_is_full_while_the_server_is_away(
    small_disk: SmallDisk, own_postgres: EmbeddedPostgres
) -> None:
    """Then nothing can hold rows: the loss is counted, told, and ends with the first free room."""
    disk = small_disk(8)
    dsn = own_postgres.dsn
    desk = Desk(dsn, disk)
    feed = Feed(desk, add_stream(dsn))
    feed(5)
    eventually(lambda: desk.writer.rows_written == feed.rows, "rows are written")
    own_postgres.stop()
    feed(5)
    eventually(lambda: desk.writer.rows_spooled == 5 * len(TRACKS), "rows are spooled")
    ballast = fill(disk)

    def losing() -> bool:
        feed(20)
        assert desk.writer.flush(30.0)
        return desk.writer.state is WriterState.LOSING

    eventually(losing, "the loss is noticed")
    fault = next(n for n in desk.notices if n.key == SPOOL_FAULT and n.active)
    assert fault.severity is Severity.CRITICAL and "full" in fault.message
    ballast.unlink()
    eventually(lambda: not losing(), "rows are spooled again")
    assert (SPOOL_FAULT, False) in desk.said()
    own_postgres.start()
    eventually(lambda: desk.writer.state is WriterState.OK, "the spool is sent")
    desk.stop()
    kept = feed.rows - desk.writer.rows_dropped
    assert desk.writer.rows_dropped > 0
    assert stored(dsn) == (kept, kept) and desk.writer.rows_written == kept
