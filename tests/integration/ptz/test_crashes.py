"""Programs that die while a camera moves, real processes killed for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.domain.ptz import Motion
from engine.ptz.guardian import GuardianProcess, moving_cameras
from engine.simulation.ptz_camera import PtzSimulator, ptz_simulator
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import ANNA, NewBench

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "canary-7c1f93"

_STEER = """
import sys, time
from engine.domain.ids import new_stream_id
from engine.domain.ptz import Holder, Motion, Priority, PtzConfig, Wire
from engine.domain.streams import SourceKind, Stream
from engine.ptz.config import with_ptz
from engine.ptz.control import CameraControl
from engine.ptz.guardian import GuardianProcess
from engine.runtime.clock import SystemClock
from engine.settings import PtzSettings

port, password = sys.stdin.readline().split()
stream = Stream(new_stream_id(), "Yard", SourceKind.HTTP, f"http://127.0.0.1:{port}/video.mjpg",
                username="viewer", password=password)
stream = with_ptz(stream, PtzConfig(Wire.CGI, "hi3510", "", int(port)))
guardian = GuardianProcess()
control = CameraControl(PtzSettings(), SystemClock(), lambda _: None, lambda _: (), guardian)
control.set_streams([stream])
control.start()
anna = Holder("console", "Anna", Priority.OPERATOR)
while True:
    control.move(stream.id, anna, Motion(pan=0.5))
    print(guardian.pid or 0, flush=True)
    time.sleep(0.1)
"""


def steering_process(camera: PtzSimulator) -> tuple[subprocess.Popen[str], int]:
    """A process that keeps a camera moving, and its guardian's process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", _STEER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{camera.port} {PASSWORD}\n")
    process.stdin.flush()
    guardian = 0
    while not guardian:
        guardian = int(process.stdout.readline())
    wait_until(lambda: camera.view.moving)
    return process, guardian


def gone(pid: int) -> bool:
    """The process has ended (a zombie that nobody waited for counts)."""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(") ", 1)[1].startswith("Z")


@pytest.mark.skipif(os.name != "posix", reason="kills a process as only POSIX does")
def test_a_killed_console_leaves_no_camera_moving() -> None:
    with ptz_simulator(username="viewer", password=PASSWORD) as camera:
        process, guardian = steering_process(camera)
        for pid in (process.pid, guardian):
            shown = (
                Path(f"/proc/{pid}/cmdline").read_bytes()
                + Path(f"/proc/{pid}/environ").read_bytes()
            )
            assert PASSWORD.encode() not in shown
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not camera.view.moving)
        wait_until(lambda: gone(guardian))


@pytest.mark.skipif(os.name != "posix", reason="kills a process as only POSIX does")
def test_the_guardian_tries_until_a_camera_that_was_away_has_stopped() -> None:
    with ptz_simulator(username="viewer", password=PASSWORD) as camera:
        process, guardian = steering_process(camera)
        camera.cut()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert camera.view.moving and not gone(guardian)
        camera.restore()
        wait_until(lambda: not camera.view.moving)


def test_a_guardian_that_died_is_replaced_at_the_next_movement(bench: NewBench) -> None:
    guardian = GuardianProcess()
    desk = bench(guardian=guardian)
    desk.control.move(desk.id, ANNA, Motion(pan=0.5))
    wait_until(lambda: desk.camera.view.moving)
    first = guardian.pid
    assert first is not None
    os.kill(first, signal.SIGTERM)
    wait_until(lambda: guardian.pid is None)
    desk.control.stop(desk.id, ANNA)
    wait_until(lambda: not desk.camera.view.moving)
    desk.control.move(desk.id, ANNA, Motion(pan=0.5))
    wait_until(lambda: guardian.pid not in (None, first))
    desk.control.stop(desk.id, ANNA)
    wait_until(lambda: not desk.control.state(desk.id).moving)


def test_a_guardian_has_nothing_to_do_when_the_program_ended_well(bench: NewBench) -> None:
    guardian = GuardianProcess()
    desk = bench(guardian=guardian)
    desk.control.move(desk.id, ANNA, Motion(pan=0.5))
    wait_until(lambda: desk.camera.view.moving)
    assert desk.control.shut_down(5.0) == ()
    stops = desk.camera.acts().count("stop")
    assert guardian.pid is None and not desk.camera.view.moving
    assert desk.camera.acts().count("stop") == stops


def test_what_the_guardian_remembers() -> None:
    lines = [
        '{"camera": "a", "config": {}}',
        '{"camera": "b", "config": {}}',
        '{"moving": "a"}',
        '{"moving": "b"}',
        '{"still": "a"}',
        '{"moving": "unknown"}',
        '{"still": "b',
    ]
    assert [camera["camera"] for camera in moving_cameras(lines)] == ["b"]
