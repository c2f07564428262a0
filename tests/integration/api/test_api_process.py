"""The API as a child process: supervised, without secrets in sight, gone with its parent."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from barnhand_desktop.api.app import create_app
from barnhand_desktop.servers.api_process import ApiProcess
from barnhand_desktop.servers.supervisor import ServerState, ServerStatus, ServerSupervisor
from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.runtime.worker import Worker
from tests.fixtures_api import PASSWORD, WaitUntil, World

FORBIDDEN = (
    "PySide6", "torch", "av", "cv2", "onnxruntime", "ultralytics", "ui", "engine.models",
    "engine.pipeline", "engine.sources", "engine.training", "engine.simulation", "engine.facade",
)  # fmt: skip


@pytest.fixture
def process(world: World) -> Iterator[ApiProcess]:
    child = ApiProcess(world.config)
    yield child
    child.stop()


def test_the_api_loads_no_window_and_no_model() -> None:
    code = (
        "import sys, json, barnhand_desktop.api.__main__, barnhand_desktop.api.server;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(json.loads(told.stdout))
    assert "barnhand_desktop.api.app" in loaded
    found = {
        name
        for name in loaded
        for forbidden in FORBIDDEN
        if name == forbidden or name.startswith(f"{forbidden}.")
    }
    assert not found


def test_the_child_starts_serves_shows_no_secret_and_ends(
    world: World, process: ApiProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="barnhand.api"):
        url = process.start()
        assert httpx.get(f"{url}/healthz").json()["status"] == "ok"
        login = {"username": "manager", "password": PASSWORD}
        assert httpx.post(f"{url}/api/v1/auth/login", json=login).status_code == 200
    assert process.pid is not None
    child = psutil.Process(process.pid)
    shown = " ".join([*child.cmdline(), *(f"{k}={v}" for k, v in child.environ().items())])
    assert "barnhand_desktop.api" in shown
    database_password = world.config.dsn.split(":")[2].split("@")[0]
    for secret in (database_password, world.config.credential_key, world.config.dsn):
        assert secret not in shown
        assert secret not in caplog.text
    process.stop()
    assert not process.alive()
    assert not child.is_running()


def test_a_killed_child_comes_back_on_the_same_port(
    process: ApiProcess, wait_until: WaitUntil
) -> None:
    url = process.start()
    heard: list[ServerStatus] = []
    supervisor = ServerSupervisor([process], heard.append)
    supervisor.start()
    try:
        pid = process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: [s.state for s in heard][-1:] == [ServerState.RUNNING])
        assert process.pid not in (None, pid)
        assert process.url == url
        assert httpx.get(f"{url}/healthz").status_code == 200
    finally:
        supervisor.stop()
    assert not process.alive()


PARENT = """
import sys, time
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.api.app import create_app
from barnhand_desktop.servers.api_process import ApiProcess
child = ApiProcess(ApiConfig.model_validate_json(sys.stdin.readline()))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


def test_the_child_follows_a_parent_that_was_killed(world: World, wait_until: WaitUntil) -> None:
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(world.config.model_dump_json() + "\n")
        parent.stdin.flush()
        pid = int(parent.stdout.readline())
        child = psutil.Process(pid)
        parent.kill()
        wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_settings_it_cannot_start_with_are_named(world: World) -> None:
    child = ApiProcess(world.config.model_copy(update={"host": "0.0.0.0"}))
    with pytest.raises(OperatorMistake, match="remote access needs TLS"):
        child.start()
    assert not child.alive()


@pytest.mark.parametrize(
    ("change", "told"),
    [({"credential_key": "no key"}, "damaged"), ({"live_url": "ftp://x"}, "not one")],
)
def test_an_application_cannot_be_made_of_broken_settings(
    world: World, change: dict[str, object], told: str
) -> None:
    with pytest.raises(OperatorMistake, match=told):
        create_app(world.config.model_copy(update=change))


def test_a_child_that_dies_at_once_is_an_environment_fault(world: World) -> None:
    child = ApiProcess(world.config, [sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(EnvironmentFault, match="no such thing"):
        child.start()


LEAVES_A_CHILD = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
"""


def test_what_a_dead_child_has_left_running_holds_nobody_up(
    world: World, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps the pipe of the log open, whose end would otherwise be waited for."""
    child = ApiProcess(world.config, [sys.executable, "-c", LEAVES_A_CHILD])
    with pytest.raises(EnvironmentFault) as caught:
        child.start()
    left = psutil.Process(int(str(caught.value).split("It said: ")[1].split()[0].rstrip(".")))
    assert left.is_running(), "start came back before it ended"
    assert "holds its output" in caplog.text
    left.kill()
    wait_until(lambda: "api log" not in {thread.name for thread in threading.enumerate()})


def test_an_address_is_told_only_once_it_is_known(world: World, wait_until: WaitUntil) -> None:
    """A front may ask at any moment, also while the child of a first start has not answered."""
    child = ApiProcess(world.config, [sys.executable, "-c", "import time; time.sleep(3)"])
    assert child.reached_at == ""
    starting = Worker("starting", lambda _token: _start_in_vain(child))
    starting.start()
    wait_until(child.alive)
    assert child.reached_at == ""
    assert starting.join(30.0)
    assert starting.failures == 0


def _start_in_vain(child: ApiProcess) -> None:
    with pytest.raises(EnvironmentFault):
        child.start()
