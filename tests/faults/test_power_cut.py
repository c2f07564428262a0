"""The power goes while the barn is watched and recorded: everything of it is killed at once."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from barnhand_desktop.headless import streams_of
from barnhand_desktop.installation import Installation
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from engine.domain.ids import StreamId
from engine.domain.recording import ChunkState
from engine.recording.layout import OVERLAY_PART, PART
from tests.end2end.test_recording import check, files
from tests.faults.conftest import Say
from tests.helpers.demo import ask, installation, running, seconds_until
from tests.helpers.recordings import write_video
from tests.helpers.waiting import wait_until

SLOW_S = 60.0


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """20 s with a key picture every second."""
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
    return write_video(tmp_path / "clip.mp4", 500, options=options)


@contextmanager
def headless(place: Installation, sources: Sequence[str]) -> Iterator[psutil.Process]:
    """The command in a process of its own, alive at the end or not."""
    command = [sys.executable, "-m", "barnhand_desktop", "--config", str(place.settings_path)]
    command += ["headless", *(part for source in sources for part in ("--source", source))]
    environment = {**os.environ, "BARNHAND_DATA_DIR": str(place.folders.data)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            if process.poll() is None:
                cut_the_power(psutil.Process(process.pid))


def cut_the_power(process: psutil.Process) -> None:
    """Kill a process and everything it started; all are stopped first, so that none sees another
    die."""
    everything = [process, *process.children(recursive=True)]
    for one in everything:
        with contextlib.suppress(psutil.Error):
            one.suspend()
    for one in everything:
        with contextlib.suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(everything, SLOW_S)


def spooled(place: Installation) -> int:
    """Detections that wait on disk for the database."""
    path = place.folders.spool / "detections.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=10.0)) as database:
        (rows,) = database.execute("SELECT coalesce(sum(rows), 0) FROM batches").fetchone()
    return int(rows)


def running_dsn(place: Installation) -> str | None:
    """Where the process's database answers, if it does by now."""
    return EmbeddedPostgres(place.folders.postgres).dsn_if_running()


def kill_database_for_good(dsn: str) -> socket.socket:
    """Kill the server and take its port, so that it cannot come back before the power goes."""
    with psycopg.connect(dsn) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None
    port = urlsplit(dsn).port
    assert port is not None
    postmaster.kill()
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def take() -> bool:
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            return False
        taken.listen()
        return True

    wait_until(take, SLOW_S)
    return taken


@pytest.mark.timeout(240)
def test_after_a_power_cut_chunks_registry_and_rows_are_there(
    servers_dir: Path, tmp_path: Path, movie: Path, say: Say
) -> None:
    place = installation(servers_dir / f"cut-{tmp_path.name}", tmp_path / "settings.toml")
    sources = ("simulated:stall", str(movie))
    with headless(place, sources) as process:
        wait_until(lambda: running_dsn(place) is not None, SLOW_S)
        dsn = running_dsn(place)
        assert dsn is not None
        wait_until(lambda: len(files(place, ".mp4")) >= 2, SLOW_S)
        with psycopg.connect(dsn) as connection:
            connection.execute(
                "INSERT INTO horses (farm_id, tracking_number, label, name, colour_hex, status) "
                "SELECT id, 4711, 'horse_4711', 'Bella', '#aa5500', 'active' FROM farms"
            )
        wait_until(lambda: int(str(ask(dsn, "SELECT count(*) FROM detections")[0])) > 10, SLOW_S)
        taken = kill_database_for_good(dsn)
        wait_until(lambda: spooled(place) > 10, SLOW_S)
        wait_until(lambda: bool(files(place, PART)), SLOW_S)
        cut_the_power(process)
    taken.close()
    waiting, unfinished = spooled(place), len(files(place, PART))
    assert waiting > 10 and unfinished
    server = EmbeddedPostgres(place.folders.postgres)
    with psycopg.connect(server.start()) as connection:
        found = connection.execute("SELECT count(*) FROM detections").fetchone()
    server.stop()
    assert found is not None
    stored = int(found[0])
    _check_after(place, streams_of([str(movie)])[0].id, stored, waiting, say)
    say(f"{stored} rows stored, {waiting} in the spool, {unfinished} unfinished chunks at the cut")


def _check_after(place: Installation, movie: StreamId, stored: int, waiting: int, say: Say) -> None:
    with running(place, streams_of(("simulated:stall",))) as barn:
        replayed_s = seconds_until(lambda: barn.writer.rows_written >= waiting, SLOW_S)
        wait_until(lambda: barn.writer.rows_written > waiting + 10, SLOW_S)
        wait_until(lambda: not barn.recorder.journal.waiting(), SLOW_S)
        chunks = [c for c in barn.chunks.list() if c.state is not ChunkState.OPEN]
        names = [horse.name for horse in barn.horses.list()]
    say(f"the spool was sent {replayed_s:.2f} s after everything had started again")
    assert "Bella" in names
    rescued = [chunk for chunk in chunks if chunk.state is ChunkState.RESCUED]
    assert rescued and {c.state for c in chunks} <= {ChunkState.RESCUED, ChunkState.COMPLETE}
    check(place, [chunk for chunk in chunks if chunk.stream_id == movie])
    assert not files(place, PART) and not files(place, OVERLAY_PART)
    server = EmbeddedPostgres(place.folders.postgres)
    dsn = server.start()
    try:
        total, distinct = ask(
            dsn, "SELECT count(*), count(DISTINCT (track_id, time)) FROM detections"
        )
    finally:
        server.stop()
    made = barn.engine.summary()
    assert total == distinct == stored + waiting + sum(camera.rows for camera in made)
