"""The whole machine in one process tree: cameras, engine, servers, API; and what kills it not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from barnhand_desktop import lifecycle
from barnhand_desktop.headless import streams_of
from barnhand_desktop.installation import Installation
from barnhand_desktop.wiring import Barn, Servers, build
from tests.helpers.waiting import wait_until

CAMERAS = ("simulated:stall", "simulated:arena")
SLOW_S = 60.0
NEW_PASSWORD = "a quiet barn at night"


@pytest.fixture
def place(servers_dir: Path, tmp_path: Path) -> Installation:
    """An installation of its own, below a folder that the database's user can pass through."""
    config = tmp_path / "settings.toml"
    config.write_text("[api]\nport = 0\n[engine.analysis]\nmotion_gate = false\n")
    data = servers_dir / f"barn-{tmp_path.name}"
    return Installation.read(config, {"BARNHAND_DATA_DIR": str(data)})


@pytest.fixture
def barn(place: Installation) -> Iterator[Barn]:
    """A running barn of two simulated cameras."""
    barn = build(place, Servers.start(place))
    lifecycle.start(barn, streams_of(CAMERAS))
    yield barn
    assert lifecycle.stop(barn) == ()


def log_in(barn: Barn) -> httpx.Client:
    """A client of the first administrator, who has changed the one-time password."""
    assert barn.api is not None and barn.admin_password is not None
    client = httpx.Client(base_url=f"{barn.api.url}/api/v1", timeout=20.0)
    first = {"username": "admin", "password": barn.admin_password}
    token = client.post("/auth/login", json=first).raise_for_status().json()["access_token"]
    client.headers["authorization"] = f"Bearer {token}"
    change = {"current_password": barn.admin_password, "new_password": NEW_PASSWORD}
    client.post("/auth/password", json=change).raise_for_status()
    again = {"username": "admin", "password": NEW_PASSWORD}
    token = client.post("/auth/login", json=again).raise_for_status().json()["access_token"]
    client.headers["authorization"] = f"Bearer {token}"
    return client


def test_a_remote_client_sees_what_the_cameras_see(barn: Barn) -> None:
    wait_until(lambda: barn.writer.rows_written > 20, SLOW_S)
    with closing(log_in(barn)) as client:
        items = client.get("/streams").raise_for_status().json()["items"]
        assert {item["name"] for item in items} == {"stall", "arena"}
        stream_id = items[0]["id"]
        found = client.get("/detections", params={"stream_id": stream_id, "limit": 5})
        assert found.raise_for_status().json()["items"]
        picture = client.get(f"/streams/{stream_id}/snapshot", params={"overlays": True})
        assert picture.raise_for_status().content.startswith(b"\xff\xd8")
        assert barn.api is not None
        token = client.headers["authorization"].removeprefix("Bearer ")
        with connect(barn.api.url.replace("http", "ws") + "/ws") as socket:
            socket.send(json.dumps({"event": "authenticate", "data": {"token": token}}))
            wanted = {"stream_id": stream_id, "channels": ["detections"]}
            socket.send(json.dumps({"event": "subscribe", "data": wanted}))
            events = (json.loads(socket.recv(timeout=SLOW_S)) for _ in range(200))
            update = next(event for event in events if event["event"] == "detection:update")
        assert update["stream_id"] == stream_id


def test_the_headless_command_reports_what_it_did(place: Installation, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    broken = tmp_path / "picture.mp4"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    command = [
        sys.executable, "-m", "barnhand_desktop", "--config", str(place.settings_path),
        "headless", "--source", "simulated:arena", "--source", str(broken),
        "--for", "4", "--report", str(report),
    ]  # fmt: skip
    environment = {**os.environ, "BARNHAND_DATA_DIR": str(place.folders.data)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(report.read_text())
    arena = next(camera for camera in written["cameras"] if camera["name"] == "arena")
    assert arena["decoded"] > 0 and arena["analysed"] > 0 and arena["horses_seen"] >= 1
    assert arena["latency_ms"]["p50"] is not None
    assert written["rows_written"] > 0
    assert len(written["errors"]) == 1 and "picture.mp4" in written["errors"][0]
    assert "API http" in done.stdout
