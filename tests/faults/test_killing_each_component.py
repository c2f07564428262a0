"""Every process of a running barn is killed in turn; no row is lost and everything comes back."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from barnhand_desktop.headless import streams_of
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from barnhand_desktop.wiring import Barn
from db.delivery import WriterState
from db.live.publisher import PublisherState
from engine.domain.ids import StreamId
from engine.domain.ptz import Motion
from engine.domain.recording import JobKind, JobState
from engine.domain.streams import Stream, StreamState
from engine.simulation.ptz_camera import ptz_simulator
from tests.faults.conftest import Say
from tests.helpers.demo import Pauses, ask, installation, running, seconds_until
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import ANNA, stream_of

SLOW_S = 60.0
ENDED_JOBS = {JobState.DONE, JobState.FAILED}
"""What the node made of the job does not matter here: it took it up."""


@pytest.fixture
def yard() -> Iterator[Stream]:
    """A camera that can be steered."""
    with ptz_simulator(username="viewer", password="secret") as camera:
        yield stream_of(camera)


def kill(pid: int | None) -> None:
    """As the power does it to one process."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def guardian_pid() -> int | None:
    """The process that stops cameras should this one die."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "engine.ptz.guardian" in child.cmdline():
                return int(child.pid)
    return None


@pytest.mark.timeout(240)
def test_killing_each_component_in_turn_loses_no_row(
    servers_dir: Path, tmp_path: Path, yard: Stream, say: Say
) -> None:
    place = installation(servers_dir / f"killed-{tmp_path.name}", tmp_path / "settings.toml")
    cameras = [*streams_of(("simulated:stall", "simulated:arena")), yard]
    with running(place, cameras) as barn, Pauses(barn).watched() as pauses:
        wait_until(lambda: barn.writer.rows_written > 20, SLOW_S)
        postgres = next(s for s in barn.servers.started if isinstance(s, EmbeddedPostgres))
        valkey = next(s for s in barn.servers.started if isinstance(s, EmbeddedValkey))
        _kill_database(barn, postgres, say)
        job = barn.jobs.submit(JobKind.EXPORT, "after the database died", {}, "Anna")
        _kill_live_state(barn, valkey, say)
        _kill_api(barn, say)
        _kill_guardian(barn, say)
        wait_until(lambda: barn.jobs.get(job.id).state in ENDED_JOBS, SLOW_S)
        states = {h.state for h in barn.engine.health().streams}
        assert states == {StreamState.ACTIVE}, "the live view went on"
        assert not [n for n in barn.engine.health().notices if n.key.startswith("server.down")]
    names = {s.id: s.name for s in barn.engine.streams()}
    say(f"longest pause of pictures {_told(names, pauses.pictures_s)}")
    say(f"longest pause of results {_told(names, pauses.results_s)}")
    servers = EmbeddedPostgres(place.folders.postgres)
    dsn = servers.start()
    try:
        _check_rows(barn, dsn, say)
    finally:
        servers.stop()


def _kill_database(barn: Barn, server: EmbeddedPostgres, say: Say) -> None:
    pid = server.pid
    kill(pid)
    noticed_s = seconds_until(lambda: barn.writer.state is WriterState.SPOOLING, SLOW_S)
    back_s = seconds_until(lambda: server.pid not in (None, pid), SLOW_S)
    written_s = seconds_until(lambda: barn.writer.state is WriterState.OK, SLOW_S)
    say(
        f"database: away noticed after {noticed_s:.2f} s, a new process {noticed_s + back_s:.2f} s"
        f" after the kill, the spool sent after {noticed_s + back_s + written_s:.2f} s"
    )


def _kill_live_state(barn: Barn, server: EmbeddedValkey, say: Say) -> None:
    pid = server.pid
    kill(pid)
    back_s = seconds_until(lambda: server.pid not in (None, pid), SLOW_S)
    with redis.Redis.from_url(server.url) as live:

        def fed() -> bool:
            try:
                return int(live.dbsize()) > 0
            except redis.RedisError:
                return False

        fed_s = seconds_until(fed, SLOW_S)
    wait_until(lambda: barn.publisher.state is PublisherState.OK, SLOW_S)
    say(f"live state: a new process after {back_s:.2f} s, fed again after {back_s + fed_s:.2f} s")


def _kill_api(barn: Barn, say: Say) -> None:
    api = barn.api
    assert api is not None
    pid, url = api.pid, api.url
    kill(pid)
    back_s = seconds_until(lambda: api.pid not in (None, pid), SLOW_S)

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/healthz", timeout=1.0).status_code == 200
        except httpx.HTTPError:
            return False

    answers_s = seconds_until(answers, SLOW_S)
    say(f"API: a new process after {back_s:.2f} s, it answers after {back_s + answers_s:.2f} s")


def _kill_guardian(barn: Barn, say: Say) -> None:
    (camera,) = barn.engine.ptz.cameras()

    def steer() -> int | None:
        barn.engine.ptz.move(camera, ANNA, Motion(pan=0.1))
        return guardian_pid()

    wait_until(lambda: steer() is not None, SLOW_S)
    pid = guardian_pid()
    kill(pid)
    wait_until(lambda: guardian_pid() is None, SLOW_S)
    barn.engine.ptz.stop(camera, ANNA)
    back_s = seconds_until(lambda: steer() not in (None, pid), SLOW_S)
    barn.engine.ptz.stop(camera, ANNA)
    say(f"guardian of moving cameras: a new process {back_s:.2f} s after the next movement")


def _check_rows(barn: Barn, dsn: str, say: Say) -> None:
    """What the engine made is what the database holds, once, picture by picture."""
    made = {camera.name: camera for camera in barn.engine.summary()}
    total, distinct = ask(dsn, "SELECT count(*), count(DISTINCT (track_id, time)) FROM detections")
    rows = sum(camera.rows for camera in made.values())
    say(f"rows: {rows} made, {total} stored, {distinct} of them distinct")
    assert rows > 0 and barn.writer.rows_dropped == 0
    assert total == distinct == rows == barn.writer.rows_written
    for camera in made.values():
        (pictures,) = ask(
            dsn,
            "SELECT count(DISTINCT time) FROM detections JOIN streams ON key = stream_key "
            f"WHERE name = '{camera.name}'",
        )
        assert pictures == camera.pictures_with_rows


def _told(names: dict[StreamId, str], pauses_s: dict[StreamId, float]) -> str:
    return ", ".join(f"{names[key]} {value:.2f} s" for key, value in pauses_s.items())
