"""Models over the API: what is taken in, what is refused and leaves nothing, who may choose."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest

from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.api.model_uploads import sweep
from barnhand_desktop.model_catalogue import known_models
from tests.fixtures_api import WaitUntil, World, require_problem, run_server
from tests.helpers import hostile_models as hostile
from tests.helpers.tiny_models import bright_cell_yolox, constant_model

_versions = itertools.count(1)
INPUT = {"width_px": 64, "height_px": 64, "colour": "bgr", "std": [1, 1, 1]}


def described(**fields: object) -> dict[str, Any]:
    """A good description under a version of its own."""
    base = {
        "name": "tiny",
        "version": str(next(_versions)),
        "task": "detector",
        "layout": "yolox",
        "input": INPUT,
        "classes": {"0": "horse"},
        "licence": "MIT",
        "measured": {"recall": 0.9},
    }
    return {**base, **fields}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    return bright_cell_yolox(path, ["batch", 3, "h", "w"]).read_bytes()


@pytest.fixture(autouse=True)
def nothing_is_left(world: World) -> Iterator[None]:
    """Whatever the test does: no upload stays on the disk, no choice in the store."""
    yield
    assert list(world.config.uploads.glob("*")) == []
    with world.pool.connection() as connection:
        connection.execute("DELETE FROM stream_models")


def upload(
    world: World, account: str | None, description: object, file: bytes, name: str = "m.onnx"
) -> httpx.Response:
    text = description if isinstance(description, str) else json.dumps(description)
    sent = {} if account is None else {"Authorization": f"Bearer {world.tokens[account]}"}
    return world.http.post(
        f"{world.base}/models",
        data={"description": text},
        files={"file": (name, file, "application/octet-stream")},
        headers=sent,
    )


def registered(world: World, file: bytes, **fields: object) -> dict[str, Any]:
    answer = upload(world, "root", described(**fields), file)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def models(world: World, account: str, query: str = "") -> dict[str, dict[str, Any]]:
    page = world.request(account, "GET", f"/models{query}").json()
    return {model["model_id"]: model for model in page["items"]}


def count(world: World) -> int:
    with world.pool.connection() as connection:
        row = connection.execute("SELECT count(*) FROM registered_models").fetchone()
    assert row is not None
    return int(row[0])


def audited(world: World, action: str, object_id: str | None = None) -> list[dict[str, Any]]:
    items = world.request("root", "GET", "/audit?limit=200").json()["items"]
    rows = [row for row in items if row["action"] == action]
    return [row for row in rows if object_id is None or row["object_id"] == object_id]


# --- upload --------------------------------------------------------------------------------------


def test_an_upload_is_looked_at_stored_and_listed(world: World, detector: bytes) -> None:
    answer = upload(world, "root", described(name="first"), detector)
    assert answer.status_code == 201, answer.text
    model = answer.json()
    assert model["state"] == "ready" and model["source"] == "registered"
    assert model["size_bytes"] == len(detector)
    assert model["measured"]["recall"] == 0.9
    assert model["measured"]["operator set"] == 17
    assert models(world, "viewer")[model["model_id"]]["id"] == model["id"]
    assert world.request("viewer", "GET", f"/models/{model['id']}").json()["name"] == "first"
    with world.pool.connection() as connection:
        parts = connection.execute(
            "SELECT bytes FROM model_parts WHERE model_id = %s ORDER BY part", (model["id"],)
        ).fetchall()
    assert b"".join(bytes(part) for (part,) in parts) == detector
    (row,) = audited(world, "model.upload", model["id"])
    assert row["details"]["sha256"] == model["sha256"]
    assert row["username"] == "root"


def test_the_models_of_the_product_are_listed_with_their_figures(world: World) -> None:
    found = models(world, "viewer", "?task=pose")
    known = {known.model_id: known for known in known_models() if known.task == "pose"}
    assert known.keys() <= found.keys()
    for model_id, entry in known.items():
        assert found[model_id]["state"] == "workstation"
        assert found[model_id]["measured"] == dict(entry.measured)
        one = world.request("viewer", "GET", f"/models/{entry.id}").json()
        assert one == found[model_id]
    answer = world.request("root", "POST", f"/models/{entry.id}/activate", {})
    require_problem(answer, 422, "model_not_registered")


def test_weights_are_kept_until_they_are_exported(world: World) -> None:
    table = {"a": hostile.tensor(0, 16, 2, 2)}
    weights = hostile.safetensors(table, bytes(16))
    fields = described(name="weights", format="safetensors", layout=None, input=None)
    model = upload(world, "root", fields, weights, "w.safetensors").json()
    assert model["state"] == "needs_export"
    assert model["measured"]["parameters"] == 4
    answer = world.request("root", "POST", f"/models/{model['id']}/activate", {})
    require_problem(answer, 422, "model_needs_export")


@pytest.mark.parametrize("account", ["viewer", "manager", None])
def test_only_administrators_upload_activate_and_remove(
    world: World, detector: bytes, account: str | None
) -> None:
    before = count(world)
    status = 401 if account is None else 403
    require_problem(upload(world, account, described(), detector), status)
    assert count(world) == before
    model = registered(world, detector)
    for method, path in (
        ("POST", f"/models/{model['id']}/activate"),
        ("POST", f"/models/{model['id']}/deactivate"),
        ("DELETE", f"/models/{model['id']}"),
    ):
        require_problem(world.request(account, method, path, {}), status)


def test_a_name_and_version_are_one_file(world: World, detector: bytes) -> None:
    fields = described(name="twice")
    assert upload(world, "root", fields, detector).status_code == 201
    require_problem(upload(world, "root", fields, detector), 409, "conflict")
    known = known_models()[0]
    taken = described(name=known.name, version=known.version)
    require_problem(upload(world, "root", taken, detector), 409, "conflict")


HARM: dict[str, tuple[str, bytes]] = {
    "external weights": (
        "model_external_data",
        hostile.external("/etc/passwd").SerializeToString(),
    ),
    "a loop": ("model_control_flow", hostile.endless_loop().SerializeToString()),
    "a bomb": ("model_unbounded", hostile.grows_with_the_picture().SerializeToString()),
    "nothing": ("model_unreadable", b""),
    "text": ("model_unreadable", b"this is no model at all"),
    "a pickle": ("model_pickle", hostile.checkpoint(Path("/nowhere/it-ran"), zipped=False)),
    "a checkpoint": ("model_pickle", hostile.checkpoint(Path("/nowhere/it-ran"), zipped=True)),
    "a zip bomb": ("model_pickle", hostile.zip_bomb()),
}


@pytest.mark.parametrize("name", HARM)
def test_a_file_that_means_harm_is_refused_with_a_reason(world: World, name: str) -> None:
    code, file = HARM[name]
    before = count(world)
    answer = upload(world, "root", described(), file)
    require_problem(answer, 422, code)
    assert len(answer.json()["detail"]) > 40, "it says what to do"
    assert count(world) == before
    assert audited(world, "model.refuse")[0]["details"]["code"] == code


def test_another_file_than_the_described_one_is_refused(world: World, detector: bytes) -> None:
    answer = upload(world, "root", described(sha256="0" * 64), detector)
    require_problem(answer, 422, "model_hash")


@pytest.mark.parametrize(
    "description",
    [
        "", "{", "[]", "null", json.dumps(described(name="../../etc")),
        json.dumps(described(version="1/2")), json.dumps(described(task="verifier")),
        json.dumps(described(extra="x")), json.dumps(described(input=None)),
        json.dumps(described(input={**INPUT, "width_px": 10**9})),
        json.dumps(described(input={**INPUT, "std": [0, 0, 0]})),
        json.dumps(described(licence="")), json.dumps(described(classes={"x": "horse"})),
    ],
)  # fmt: skip
def test_a_wrong_description_is_refused(world: World, detector: bytes, description: str) -> None:
    require_problem(upload(world, "root", description, detector), 422, "model_description")


def test_a_form_that_is_none_is_refused(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['root']}"}
    url = f"{world.base}/models"
    kind = "multipart/form-data; boundary=b"
    part = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\nx\r\n'
    for content, status in (
        (b"", 400),
        (b"--b--\r\n", 422),
        (b"no form", 400),
        (part % b"file" + b"--b--\r\n", 422),
        (part % b"description" * 2 + b"--b--\r\n", 422),
        (part % b"surprise" + b"--b--\r\n", 422),
        (b"--b\r\n" + b"X" * 20_000 + b": y\r\n\r\n", 400),
        (b"--b\r\nContent-Disposition: " + b"y" * 20_000, 400),
        (part % b"file", 400),
        (part % b"file" + b"--b--", 422),
        (
            b'--b\r\nContent-Disposition: form-data; name="description"\r\n\r\n' + b"x" * 100_000,
            413,
        ),
    ):
        answer = world.http.post(url, content=content, headers={**headers, "Content-Type": kind})
        require_problem(answer, status)
    answer = world.http.post(url, content=b"x", headers={**headers, "Content-Type": "text/plain"})
    require_problem(answer, 415)


@pytest.fixture
def small(api_config: ApiConfig, tmp_path: Path) -> Iterator[str]:
    """A server that takes models of 1 MiB."""
    yield from run_server(
        api_config.model_copy(update={"model_upload_mb": 1, "upload_folder": tmp_path})
    )


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(
    world: World, small: str, tmp_path: Path
) -> None:
    def send(file: bytes) -> httpx.Response:
        return world.http.post(
            f"{small}/api/v1/models",
            data={"description": json.dumps(described())},
            files={"file": ("m.onnx", file)},
            headers={"Authorization": f"Bearer {world.tokens['root']}"},
        )

    answer = send(bytes((1 << 20) + 1))
    require_problem(answer, 413, "model_too_large")
    assert "1 MiB" in answer.json()["detail"]
    require_problem(send(bytes(3 << 20)), 413)  # refused by its stated length
    assert list(tmp_path.iterdir()) == []
    require_problem(send(b"\0" * (1 << 20)), 422)  # the longest that is looked at


def test_a_body_of_unknown_length_is_stopped_at_the_limit(
    world: World, small: str, tmp_path: Path, wait_until: WaitUntil
) -> None:
    place = urlsplit(small)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="m"\r\n\r\n'
        while sent < 200 << 20:
            sent += 1 << 16
            yield bytes(1 << 16)

    headers = {
        "Authorization": f"Bearer {world.tokens['root']}",
        "Content-Type": "multipart/form-data; boundary=b",
        "Transfer-Encoding": "chunked",
    }
    try:
        connection.request(
            "POST", "/api/v1/models", body=endless(), headers=headers, encode_chunked=True
        )
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server hung up before everything was sent
    finally:
        connection.close()
    assert sent < 100 << 20, "the server read on"
    wait_until(lambda: list(tmp_path.iterdir()) == [])


def test_an_upload_that_is_given_up_leaves_nothing(world: World, wait_until: WaitUntil) -> None:
    place = urlsplit(world.url)
    before = count(world)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
    connection.putrequest("POST", "/api/v1/models")
    connection.putheader("Authorization", f"Bearer {world.tokens['root']}")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    connection.send(b'--b\r\nContent-Disposition: form-data; name="file"; filename="m"\r\n\r\n')
    connection.send(bytes(200_000))
    folder = world.config.uploads
    wait_until(lambda: any(path.stat().st_size for path in folder.glob("*")))
    connection.close()
    wait_until(lambda: not list(folder.glob("*")))
    assert count(world) == before


def test_what_a_killed_server_left_is_swept_up(tmp_path: Path) -> None:
    import os

    old, new = tmp_path / "model-upload-old.part", tmp_path / "model-upload-new.part"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (1.0, 1.0))
    sweep(tmp_path)
    assert (old.exists(), new.exists()) == (False, True)


# --- use -----------------------------------------------------------------------------------------


def use(world: World, account: str, model: dict[str, Any], act: str, **body: object) -> Any:
    return world.request(account, "POST", f"/models/{model['id']}/{act}", body)


def test_a_model_is_used_by_one_stream_then_by_all_then_by_none(
    world: World, detector: bytes
) -> None:
    model = registered(world, detector)
    granted, hidden = str(world.granted), str(world.hidden)
    for stream_id in (granted, hidden):
        answer = use(world, "admin", model, "activate", stream_id=stream_id)
        assert answer.status_code == 200, answer.text
    seen = {a: models(world, a)[model["model_id"]]["active_streams"] for a in ("admin", "viewer")}
    assert set(seen["admin"]) == {granted, hidden}
    assert seen["viewer"] == [granted], "a viewer hears of granted streams only"
    require_problem(world.request("root", "DELETE", f"/models/{model['id']}"), 409, "conflict")
    answer = use(world, "admin", model, "activate", stream_id=None).json()
    assert answer["model"]["active_for_all"] and answer["model"]["active_streams"] == []
    answer = use(world, "admin", model, "deactivate", stream_id=granted).json()
    assert answer["model"]["active_for_all"]
    answer = use(world, "admin", model, "deactivate").json()
    assert not answer["model"]["active_for_all"]
    assert world.request("root", "DELETE", f"/models/{model['id']}").status_code == 204
    require_problem(world.request("root", "GET", f"/models/{model['id']}"), 404, "not_found")
    actions = ("model.activate", "model.deactivate", "model.remove")
    assert [len(audited(world, action, model["id"])) for action in actions] == [3, 2, 1]


def test_administrators_of_a_farm_choose_for_its_streams_only(
    world: World, detector: bytes
) -> None:
    model = registered(world, detector)
    for account, stream in (("admin", world.foreign), ("admin", uuid4())):
        answer = use(world, account, model, "activate", stream_id=str(stream))
        require_problem(answer, 404, "not_found")
    answer = use(world, "admin", model, "activate", farm_id=str(world.other_farm))
    require_problem(answer, 404, "not_found")
    assert use(world, "admin", model, "activate").status_code == 200
    theirs = models(world, "stranger")[model["model_id"]]
    assert not theirs["active_for_all"]
    assert use(world, "root", model, "activate").status_code == 200
    theirs = models(world, "stranger")[model["model_id"]]
    assert theirs["active_for_all"], "an account of all farms chooses for all"
    require_problem(world.request("admin", "DELETE", f"/models/{model['id']}"), 403, "forbidden")


def test_a_farms_own_model_does_not_exist_for_others(world: World, detector: bytes) -> None:
    ours = upload(world, "admin", described(name="ours"), detector).json()
    assert ours["farm_id"] == str(world.farm)
    assert ours["model_id"] not in models(world, "stranger")
    require_problem(world.request("stranger", "GET", f"/models/{ours['id']}"), 404, "not_found")
    answer = use(world, "root", ours, "activate", stream_id=str(world.foreign))
    require_problem(answer, 404, "not_found")
    assert use(world, "root", ours, "activate").status_code == 200
    assert world.request("admin", "POST", f"/models/{ours['id']}/deactivate", {}).is_success
    assert world.request("admin", "DELETE", f"/models/{ours['id']}").status_code == 204


def test_an_appearance_model_is_nobodys_choice_for_a_stream(world: World, tmp_path: Path) -> None:
    vector = np.full(8, 0.5, np.float32)
    file = constant_model(tmp_path / "e.onnx", {"v": vector}, ["b", 3, 64, 64]).read_bytes()
    model = registered(world, file, task="embedder", layout="embedding", classes={})
    for stream_id in (str(world.granted), None):
        answer = use(world, "root", model, "activate", stream_id=stream_id)
        require_problem(answer, 422, "model_not_per_stream")


def test_unknown_models_are_not_found(world: World) -> None:
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/activate"),
        ("POST", "/deactivate"),
    ):
        answer = world.request("root", method, f"/models/{UUID(int=7)}{path}", {})
        require_problem(answer, 404, "not_found")
