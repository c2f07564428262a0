"""A model uploaded over the API works at one camera of two, and goes as it came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest

from barnhand_desktop import lifecycle
from barnhand_desktop.headless import streams_of
from barnhand_desktop.installation import Installation
from barnhand_desktop.wiring import Barn, Servers, build
from engine.domain.ids import StreamId
from tests.helpers.tiny_models import constant_model
from tests.helpers.waiting import wait_until

CAMERAS = ("simulated:stall", "simulated:arena")
PATIENCE_S = 60.0
PASSWORD = "a quiet barn at night"


@pytest.fixture
def barn(servers_dir: Path, tmp_path: Path) -> Iterator[Barn]:
    """A running barn of two simulated cameras, in a folder that the database's user may pass."""
    config = tmp_path / "settings.toml"
    config.write_text(
        "[api]\nport = 0\n[engine.analysis]\nmotion_gate = false\nfps = 4\n"
        "[engine.recording]\nenabled = false\n"
    )
    data = servers_dir / f"barn-{tmp_path.name}"
    place = Installation.read(config, {"BARNHAND_DATA_DIR": str(data)})
    barn = build(place, Servers.start(place))
    lifecycle.start(barn, streams_of(CAMERAS))
    yield barn
    assert lifecycle.stop(barn) == ()


def administrator(barn: Barn) -> httpx.Client:
    assert barn.api is not None and barn.admin_password is not None
    client = httpx.Client(base_url=f"{barn.api.url}/api/v1", timeout=60.0)
    password = barn.admin_password
    for _ in range(2):
        login = {"username": "admin", "password": password}
        token = client.post("/auth/login", json=login).raise_for_status().json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        if password != PASSWORD:
            change = {"current_password": password, "new_password": PASSWORD}
            client.post("/auth/password", json=change).raise_for_status()
            password = PASSWORD
    return client


def one_horse(path: Path) -> bytes:
    """A YOLOX-shaped network for 64 x 64 px that sees one horse in the middle of everything."""
    table = np.zeros((84, 6), np.float32)
    table[80] = 1.0, 1.0, 0.0, 0.0, 1.0, 1.0  # the first cell of the coarsest level
    return constant_model(path, {"output": table}, ["batch", 3, 64, 64]).read_bytes()


def seventeen_points(path: Path) -> bytes:
    """A heat-map network with 17 landmarks, all of them somewhere."""
    maps = np.zeros((17, 16, 16), np.float32)
    for number, one in enumerate(maps):
        one[2 + number % 12, 3 + number % 10] = 1.0
    return constant_model(path, {"output": maps}, ["batch", 3, 64, 64]).read_bytes()


def upload(client: httpx.Client, file: bytes, **fields: object) -> dict[str, Any]:
    described = {
        "name": "one-horse",
        "version": "1",
        "task": "detector",
        "layout": "yolox",
        "input": {"width_px": 64, "height_px": 64, "colour": "bgr", "std": [1, 1, 1]},
        "classes": {"0": "horse"},
        "licence": "MIT",
    }
    answer = client.post(
        "/models", data={"description": json.dumps({**described, **fields})}, files={"file": file}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def stored(barn: Barn) -> dict[tuple[str, str], int]:
    """Stored detections by camera and by the model that found them."""
    with psycopg.connect(barn.servers.dsn) as connection:
        rows = connection.execute(
            "SELECT s.name, m.name, count(*) FROM detections d "
            "JOIN models m ON m.key = d.model_key JOIN streams s ON s.key = d.stream_key "
            "GROUP BY 1, 2"
        ).fetchall()
    return {(camera, model): count for camera, model, count in rows}


def models_at(barn: Barn, stream_id: StreamId) -> tuple[str | None, str | None]:
    results = barn.engine.results(stream_id)
    return (results[-1].detector_id, results[-1].pose_id) if results else (None, None)


def test_each_camera_is_stored_under_the_model_that_saw_it(barn: Barn, tmp_path: Path) -> None:
    stall, arena = (
        stream.id for stream in sorted(barn.engine.streams(), key=lambda s: s.name)[::-1]
    )
    own = barn.engine.health().models[0].name
    with closing(administrator(barn)) as client:
        detector = upload(client, one_horse(tmp_path / "d.onnx"))
        pose = upload(
            client, seventeen_points(tmp_path / "p.onnx"), name="points", task="pose",
            layout="heatmap", skeleton="ap10k", classes={},
        )  # fmt: skip
        wait_until(lambda: models_at(barn, stall)[0] == own, PATIENCE_S)
        for model in (detector, pose):
            path = f"/models/{model['id']}/activate"
            answer = client.post(path, json={"stream_id": str(stall)}).raise_for_status().json()
            assert answer["engine_notified"]
        wait_until(lambda: models_at(barn, stall) == ("one-horse@1", "points@1"), PATIENCE_S)
        wait_until(lambda: stored(barn).get(("stall", "one-horse@1"), 0) > 3, PATIENCE_S)
        wait_until(lambda: models_at(barn, arena)[0] == own, PATIENCE_S)
        assert ("arena", "one-horse@1") not in stored(barn)
        poses = barn.engine.results(stall)[-1].poses
        assert poses is not None and poses.skeleton.name == "ap10k"

        client.post(f"/models/{pose['id']}/deactivate", json={}).raise_for_status()
        client.post(f"/models/{detector['id']}/activate", json={}).raise_for_status()
        wait_until(lambda: models_at(barn, arena)[0] == "one-horse@1", PATIENCE_S)
        wait_until(lambda: models_at(barn, stall)[1] != "points@1", PATIENCE_S)
        body = {"stream_id": str(stall)}
        client.post(f"/models/{detector['id']}/deactivate", json=body).raise_for_status()
        wait_until(lambda: models_at(barn, stall)[0] == own, PATIENCE_S)
        assert models_at(barn, arena)[0] == "one-horse@1"
        refused = client.delete(f"/models/{detector['id']}")
        assert refused.status_code == 409, refused.text
        client.post(f"/models/{detector['id']}/deactivate", json={}).raise_for_status()
        assert client.delete(f"/models/{detector['id']}").status_code == 204
        wait_until(lambda: models_at(barn, arena)[0] == own, PATIENCE_S)
    assert barn.engine.health().notices == () or not any(
        notice.key.startswith("model.cho") for notice in barn.engine.health().notices
    )


def test_a_model_that_comes_damaged_is_told_and_not_used(barn: Barn, tmp_path: Path) -> None:
    stall = next(stream.id for stream in barn.engine.streams() if stream.name == "stall")
    own = barn.engine.health().models[0].name
    with closing(administrator(barn)) as client:
        detector = upload(client, one_horse(tmp_path / "d.onnx"))
        with psycopg.connect(barn.servers.dsn) as connection:
            connection.execute("UPDATE model_parts SET bytes = set_byte(bytes, 40, 7)")
        client.post(f"/models/{detector['id']}/activate", json={}).raise_for_status()
        key = f"model.choice:{detector['id']}"
        wait_until(lambda: key in [n.key for n in barn.engine.health().notices], PATIENCE_S)
        wait_until(lambda: models_at(barn, stall)[0] == own, PATIENCE_S)
        assert list((barn.place.folders.models / "registered").glob("*")) == []
        client.post(f"/models/{detector['id']}/deactivate", json={}).raise_for_status()
        wait_until(lambda: key not in [n.key for n in barn.engine.health().notices], PATIENCE_S)
