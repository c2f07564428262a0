"""Canaries: secrets that are put in at one end and searched for at every other. The list is in
``test_attacks``."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from barnhand_desktop.api.routes import ROUTES
from barnhand_desktop.backup.programs import find_program
from barnhand_desktop.exports.tables import write_tables
from barnhand_desktop.servers.api_process import ApiProcess
from db.repositories.export_rows import ExportRows
from engine.domain.recording import ExportKind
from tests.attacks import route_objects as objects
from tests.attacks.conftest import SIGNING_CANARY
from tests.attacks.farmyard import NOON, Yard
from tests.fixtures_api import PASSWORD

CAMERA = "canary-c4mera-pass"
IN_QUERY = "canary-qu3ry-pass"
PERSON = "canary-p3rson-password"
PUSH = "canary-push-k3y-0123456789"
TABLES = ("detections", "bouts", "strides", "metrics", "alerts")


class Notes(logging.Handler):
    """Everything that is logged, before anything is taken out of it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(message)s"))
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{self.format(record)} {vars(record)}\n"


@pytest.fixture(scope="module")
def notes() -> Iterator[Notes]:
    handler, root = Notes(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="module")
def canaries(yard: Yard, notes: Notes) -> Iterator[dict[str, str]]:
    """Name of each secret -> the secret, given to the server in every way there is."""
    name = f"c{uuid4().hex[:10]}"
    user = {
        "username": name,
        "password": PERSON,
        "role": "manager",
        "farm_id": str(yard.world.farm),
    }
    assert yard.send("root", "POST", "/users", user).status_code == 201
    login = {"username": name, "password": PERSON}
    tokens = yard.send(None, "POST", "/auth/login", login).json()
    yard.credentials["canary"] = {"Authorization": f"Bearer {tokens['access_token']}"}
    key = yard.send("canary", "POST", "/api-keys", {"name": "x", "scopes": ["read"]}).json()["key"]
    for number, body in enumerate(
        (
            {"address": f"rtsp://op:{CAMERA}@127.0.0.1:9554/live"},
            {"address": "rtsp://127.0.0.1:9555/live", "username": "op", "password": CAMERA},
            {"address": f"http://127.0.0.1:9556/cgi?user=op&pwd={IN_QUERY}"},
            {"address": f"rtmp-listen://127.0.0.1:1950/barn/{PUSH}"},
        )
    ):
        sent = {"name": f"canary {number} {name}", **body}
        answer = yard.send("canary", "POST", "/streams", sent)
        assert answer.status_code == 201, answer.text
        stream = answer.json()
        change = {"name": f"{name} {number}", "address": stream["address"], "version": 1}
        changed = yard.send("canary", "PUT", f"/streams/{stream['id']}", change)
        assert changed.status_code == 200, changed.text
    _mistakes(yard, name)
    yield {
        "camera": CAMERA, "query": IN_QUERY, "push key": PUSH, "person": PERSON, "API key": key,
        "refresh token": tokens["refresh_token"], "access token": tokens["access_token"],
        "signing key": SIGNING_CANARY, "credential key": yard.world.config.credential_key,
        "database": yard.world.config.dsn.split(":")[2].split("@")[0],
        "other passwords": PASSWORD,
    }  # fmt: skip


def _mistakes(yard: Yard, name: str) -> None:
    """Wrong requests around the secrets: refusals must not repeat them."""
    for method, path, body in (
        ("POST", "/auth/login", {"username": name, "password": PERSON + "x"}),
        ("POST", "/auth/login", {"username": [PERSON], "password": {"x": PERSON}}),
        ("POST", "/auth/refresh", {"refresh_token": [PERSON]}),
        ("POST", "/auth/password", {"current_password": PERSON, "new_password": "short"}),
        ("POST", "/users", {"username": "x", "password": PERSON, "role": "king"}),
        ("POST", "/streams", {"name": "x", "address": f"ftp://op:{CAMERA}@127.0.0.1/"}),
        ("POST", "/streams", {"name": "x", "address": f"rtsp://op:{CAMERA}@169.254.1.1/"}),
        ("POST", "/streams", {"name": "x", "address": f"rtsp://op:{CAMERA}@[::1/"}),
        ("POST", "/streams", {"name": "x", "password": [CAMERA], "address": CAMERA}),
    ):
        answer = yard.send("canary", method, path, body)
        assert answer.status_code in (401, 403, 422), answer.text
        for secret in (CAMERA, PERSON, IN_QUERY):
            assert secret not in answer.text


def found_in(text: str, canaries: dict[str, str], *but: str) -> list[str]:
    """Names of the secrets that stand in a text, plain, percent-encoded, in Base64 or hex."""
    shapes = {
        name: {secret, secret.encode().hex(), secret.replace("-", "%2D")}
        for name, secret in canaries.items()
        if name not in but
    }
    return [name for name, forms in shapes.items() if any(form in text for form in forms)]


def test_no_answer_holds_a_secret(yard: Yard, canaries: dict[str, str]) -> None:
    asked = 0
    for route in ROUTES:
        if route.method != "GET" or any(part in route.path for part in objects.SIGNED):
            continue
        for who in ("root", "canary"):
            ids = yard.sides["granted"].ids
            answer = yard.send(who, "GET", yard.world.url + objects.filled(route, ids))
            asked += 1
            assert found_in(answer.text, canaries) == [], objects.name(route)
            assert found_in(str(answer.headers), canaries) == []
    for stream in yard.send("canary", "GET", "/streams?limit=1000").json()["items"]:
        for part in ("", "/status", "/ptz"):
            answer = yard.send("canary", "GET", f"/streams/{stream['id']}{part}")
            assert found_in(answer.text, canaries) == []
    assert asked > 80


def test_no_line_of_the_log_holds_a_secret(
    yard: Yard, canaries: dict[str, str], notes: Notes
) -> None:
    assert "refused" in notes.text or len(notes.text) > 1000, "nothing was listened to"
    # What this test's own client logs is not the server's.
    lines = [line for line in notes.text.splitlines() if "'name': 'http" not in line]
    assert found_in("\n".join(lines), canaries) == []


def test_no_dump_of_the_database_holds_a_secret(yard: Yard, canaries: dict[str, str]) -> None:
    """Camera credentials lie there encrypted, passwords and keys as hashes. A secret that a
    camera takes in its address is the exception, and the manual says so."""
    program = find_program("pg_dump", 18)
    told = subprocess.run(
        [str(program), "--data-only", "--inserts", yard.world.config.dsn],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    text = told.stdout.decode()
    assert "canary 0" in text or "rtsp://127.0.0.1:9554/live" in text
    assert found_in(text, canaries, "query") == []


def test_no_process_shows_a_secret(yard: Yard, canaries: dict[str, str]) -> None:
    child = ApiProcess(yard.world.config)
    child.start()
    try:
        shown = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                shown.append(" ".join(process.cmdline()))
                shown.append(str(process.environ()))
        assert any("barnhand_desktop.api" in text for text in shown)
        assert any("postgres" in text for text in shown)
        assert found_in("\n".join(shown), canaries) == []
    finally:
        child.stop()


def test_no_event_holds_a_secret(yard: Yard, canaries: dict[str, str]) -> None:
    url = yard.world.url.replace("http", "ws", 1) + "/ws"
    token = Subprotocol(f"bearer.{yard.world.tokens['root']}")
    heard: list[str] = []
    with connect(url, subprotocols=[Subprotocol("barnhand.v1"), token]) as client:
        client.send('{"event":"subscribe"}')
        while json.loads(heard[-1])["event"] != "subscribed" if heard else True:
            heard.append(str(client.recv(10)))
        yard.fresh("command", "granted")
        while json.loads(heard[-1])["event"] not in ("horse:update", "track:updated"):
            heard.append(str(client.recv(10)))
    assert found_in("\n".join(heard), canaries) == []


def test_no_export_holds_a_secret(yard: Yard, canaries: dict[str, str], tmp_path: Path) -> None:
    rows = ExportRows(yard.world.pool)
    end = NOON + timedelta(days=3)
    scope = rows.scope(yard.world.farm, [], None, NOON - timedelta(days=1), end)
    for kind in (ExportKind.JSON, ExportKind.CSV):
        for table in TABLES:
            file = tmp_path / f"{table}.{kind}"
            write_tables(kind, [table], rows, scope, file, lambda *_: None)
            assert found_in(file.read_text("utf-8"), canaries) == []


def test_no_file_below_the_media_folder_holds_a_secret(
    yard: Yard, canaries: dict[str, str]
) -> None:
    for file in yard.media.rglob("*"):
        if file.is_file() and not file.is_symlink():
            assert found_in(file.read_bytes().decode("latin-1"), canaries) == [], file


def test_nothing_printed_of_a_configuration_is_a_secret(
    yard: Yard, canaries: dict[str, str]
) -> None:
    world: Any = yard.world
    for shown in (repr(world.config), str(world.config)):
        assert found_in(shown, canaries) == []
