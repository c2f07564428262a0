"""What the API answers: logins, streams, detections, horses, health, and its manners."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from barnhand_desktop.api.tokens import AUDIENCE, ISSUER, load_signing_key
from db.live.commands import RedisCommandBus
from db.live.protocol import stream_state_key
from db.live.state import health_fields
from db.repositories.streams import PostgresStreamRepository
from engine.domain.commands import (
    EngineCommand,
    StartStream,
    StopStream,
    StreamsChanged,
    TakeSnapshot,
)
from engine.domain.ids import StreamId
from engine.domain.streams import StreamHealth, StreamState
from tests.fixtures_api import CANARY, PASSWORD, WaitUntil, World, camera, require_problem

JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


class Engine:
    """The real command bus with a handler that notes what it was asked."""

    def __init__(self, url: str) -> None:
        self.heard: list[EngineCommand] = []
        self.picture: bytes | None = JPEG
        self._bus = RedisCommandBus(url)
        self._bus.listen(self._handle)

    def _handle(self, command: EngineCommand) -> bytes | None:
        self.heard.append(command)
        return self.picture if isinstance(command, TakeSnapshot) else None

    def wait_until_listening(self, wait_until: WaitUntil) -> None:
        wait_until(lambda: self._bus.connected)

    def close(self) -> None:
        self._bus.close()


@pytest.fixture
def engine(world: World, wait_until: WaitUntil) -> Iterator[Engine]:
    started = Engine(world.config.live_url)
    started.wait_until_listening(wait_until)
    yield started
    started.close()


def streams(world: World) -> PostgresStreamRepository:
    return PostgresStreamRepository(world.pool, world.config.credential_key.encode())


def audited(world: World, action: str) -> list[dict[str, object]]:
    rows = world.request("root", "GET", "/audit?limit=1000").json()["items"]
    return [row for row in rows if row["action"] == action]


# --- logging in ----------------------------------------------------------------------------------


def test_log_in_refresh_log_out(world: World) -> None:
    answer = world.request(
        None, "POST", "/auth/login", {"username": "Viewer ", "password": PASSWORD}
    )
    assert answer.status_code == 200
    first = answer.json()
    assert first["expires_in"] == 3600
    assert first["user"]["role"] == "viewer"
    assert PASSWORD not in answer.text
    second = world.request(
        None, "POST", "/auth/refresh", {"refresh_token": first["refresh_token"]}
    ).json()
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    assert world.request(None, "GET", "/auth/me", headers=bearer).json()["username"] == "viewer"
    assert world.request(None, "POST", "/auth/logout", headers=bearer).status_code == 204
    require_problem(world.request(None, "GET", "/auth/me", headers=bearer), 401, "token_refused")
    assert audited(world, "login")
    assert audited(world, "logout")


def test_a_reused_refresh_token_ends_the_login_and_is_noted(world: World) -> None:
    login = {"username": "viewer", "password": PASSWORD}
    first = world.request(None, "POST", "/auth/login", login).json()
    used = {"refresh_token": first["refresh_token"]}
    second = world.request(None, "POST", "/auth/refresh", used).json()
    require_problem(world.request(None, "POST", "/auth/refresh", used), 401, "refresh_reused")
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    require_problem(world.request(None, "GET", "/auth/me", headers=bearer), 401, "token_refused")
    assert audited(world, "refresh.reused")


def test_every_wrong_login_gets_the_same_answer(world: World) -> None:
    answers = [
        world.request(None, "POST", "/auth/login", {"username": name, "password": password})
        for name, password in (("viewer", "wrong password"), ("nobody", PASSWORD), ("", PASSWORD))
    ]
    require_problem(answers[0], 401, "login_refused")
    assert answers[0].json() == answers[1].json()
    require_problem(answers[2], 422, "validation_failed")


def test_forged_tokens_are_refused_by_the_server_itself(world: World) -> None:
    key = load_signing_key(world.config.secret_path)
    token = world.tokens["viewer"]
    kid = jwt.get_unverified_header(token)["kid"]
    now = datetime.now(UTC)
    claims = jwt.decode(token, key, algorithms=["HS256"], audience=AUDIENCE)
    assert (claims["iss"], claims["aud"]) == (ISSUER, AUDIENCE)
    root = jwt.decode(world.tokens["root"], key, algorithms=["HS256"], audience=AUDIENCE)
    forged = {
        "wrong key": jwt.encode(claims, b"x" * 32, "HS256", headers={"kid": kid}),
        "none": jwt.encode(claims, None, "none", headers={"kid": kid}),
        "expired": jwt.encode(
            {**claims, "exp": now - timedelta(seconds=1)}, key, "HS256", headers={"kid": kid}
        ),
        "audience": jwt.encode({**claims, "aud": "other"}, key, "HS256", headers={"kid": kid}),
        # Rightly signed, but the session is not that account's.
        "another's session": jwt.encode(
            {**claims, "sub": root["sub"]}, key, "HS256", headers={"kid": kid}
        ),
    }
    for name, forgery in forged.items():
        answer = world.request(
            None, "GET", "/auth/me", headers={"Authorization": f"Bearer {forgery}"}
        )
        assert answer.status_code == 401, name


def test_api_keys_are_made_listed_used_and_revoked(world: World) -> None:
    made = world.request("manager", "POST", "/api-keys", {"name": "probe", "scopes": ["read"]})
    assert made.status_code == 201
    key = made.json()
    headers = {"X-API-Key": key["key"]}
    assert world.request(None, "GET", "/streams", headers=headers).status_code == 200
    body = {"name": "x", "address": "simulated:barn"}
    require_problem(world.request(None, "POST", "/streams", body, headers), 403, "scope_missing")
    listed = world.request("manager", "GET", "/api-keys")
    assert key["key"] not in listed.text
    assert key["id"] in {item["id"] for item in listed.json()["items"]}
    require_problem(world.request("viewer", "DELETE", f"/api-keys/{key['id']}"), 404)
    assert world.request("manager", "DELETE", f"/api-keys/{key['id']}").status_code == 204
    require_problem(world.request(None, "GET", "/streams", headers=headers), 401, "token_refused")
    assert audited(world, "api_key.add")
    assert audited(world, "api_key.revoke")


def test_a_viewers_key_cannot_write(world: World) -> None:
    body = {"name": "probe", "scopes": ["read", "write"]}
    require_problem(world.request("viewer", "POST", "/api-keys", body), 403, "forbidden")


# --- accounts ------------------------------------------------------------------------------------


def test_accounts_are_made_changed_and_removed(world: World) -> None:
    body = {"username": "newcomer", "password": "a long enough one", "role": "viewer"}
    made = world.request("admin", "POST", "/users", body)
    assert made.status_code == 201, made.text
    user = made.json()
    assert user["farm_id"] == str(world.farm)
    assert user["must_change_password"]
    require_problem(world.request("admin", "POST", "/users", body), 409, "conflict")
    path = f"/users/{user['id']}"
    change = {"role": "manager", "enabled": False, "version": user["version"]}
    changed = world.request("admin", "PUT", path, change).json()
    assert (changed["role"], changed["enabled"]) == ("manager", False)
    require_problem(world.request("admin", "PUT", path, change), 409, "conflict")
    granted = {"stream_ids": [str(world.granted)]}
    assert world.request("admin", "PUT", f"{path}/grants", granted).json() == granted
    foreign = {"stream_ids": [str(world.foreign)]}
    require_problem(world.request("admin", "PUT", f"{path}/grants", foreign), 404)
    assert world.request("admin", "DELETE", path).status_code == 204
    require_problem(world.request("admin", "GET", path), 404, "not_found")
    for action in ("user.add", "user.change", "user.grant", "user.remove"):
        assert audited(world, action), action


def test_an_administrator_of_one_farm_does_not_reach_another(world: World) -> None:
    everyone = world.request("root", "GET", "/users").json()["items"]
    stranger = next(user for user in everyone if user["username"] == "stranger")
    root = next(user for user in everyone if user["username"] == "root")
    for user in (stranger, root):
        require_problem(world.request("admin", "GET", f"/users/{user['id']}"), 404)
        require_problem(world.request("admin", "DELETE", f"/users/{user['id']}"), 404)
    own = world.request("admin", "GET", "/users").json()["items"]
    assert {user["farm_id"] for user in own} == {str(world.farm)}
    body = {
        "username": "spy",
        "password": "a long enough one",
        "role": "admin",
        "farm_id": str(world.other_farm),
    }
    require_problem(world.request("admin", "POST", "/users", body), 404)


def test_accounts_come_by_page(world: World) -> None:
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = world.request("root", "GET", f"/users?limit=2&cursor={cursor}").json()
        assert len(page["items"]) <= 2
        names += [user["username"] for user in page["items"]]
        cursor = page["next_cursor"]
    assert names == sorted(names)
    assert {"root", "admin", "manager", "viewer", "stranger"} <= set(names)


# --- streams -------------------------------------------------------------------------------------


def test_a_stream_is_made_changed_and_removed_and_the_engine_hears_of_it(
    world: World, engine: Engine, wait_until: WaitUntil
) -> None:
    body = {"name": "stall 7", "address": f"rtsp://operator:{CANARY}@127.0.0.1:8554/live?x=1"}
    made = world.request("manager", "POST", "/streams", body)
    assert made.status_code == 201, made.text
    stream = made.json()
    assert stream["address"] == "rtsp://127.0.0.1:8554/live?x=1"
    assert stream["kind"] == "rtsp"
    assert stream["has_credentials"] is True
    assert stream["engine_notified"] is True
    stored = streams(world).get(StreamId(stream["id"]))
    assert (stored.username, stored.password) == ("operator", CANARY)
    assert stored.extra["pinned_addresses"] == ["127.0.0.1"]
    require_problem(world.request("manager", "POST", "/streams", body), 409, "conflict")

    path = f"/streams/{stream['id']}"
    change = {"name": "stall 8", "address": stream["address"], "version": stream["version"]}
    changed = world.request("manager", "PUT", path, change)
    assert changed.status_code == 200, changed.text
    assert changed.json()["name"] == "stall 8"
    assert streams(world).get(StreamId(stream["id"])).password == CANARY
    require_problem(world.request("manager", "PUT", path, change), 409, "conflict")

    assert world.request("manager", "DELETE", path).status_code == 204
    require_problem(world.request("manager", "GET", path), 404, "not_found")
    wait_until(lambda: engine.heard.count(StreamsChanged()) == 3)
    for action in ("stream.add", "stream.change", "stream.remove"):
        assert audited(world, action), action


def test_a_camera_that_pushes_gets_a_port_and_a_key_that_is_told_once(world: World) -> None:
    made = world.request("manager", "POST", "/streams", {"name": "p1", "address": "rtmp-listen:"})
    assert made.status_code == 201, made.text
    first, key = made.json(), made.json()["push_key"]
    assert first["kind"] == "rtmp_push"
    assert (first["address"], first["push_url"]) == (
        "rtmp-listen://127.0.0.1:1935/barn",
        "rtmp://127.0.0.1:1935/barn",
    )
    assert streams(world).get(StreamId(first["id"])).password == key
    path = f"/streams/{first['id']}"
    assert key not in world.request("manager", "GET", path).text
    change = {"name": "p one", "address": first["address"], "version": first["version"]}
    changed = world.request("manager", "PUT", path, change)
    assert changed.status_code == 200, changed.text
    assert changed.json()["push_key"] is None
    assert streams(world).get(StreamId(first["id"])).password == key
    second = {"name": "p2", "address": "rtmp-listen:"}
    made = world.request("manager", "POST", "/streams", second)
    assert made.json()["push_url"] == "rtmp://127.0.0.1:1936/barn"
    for number, (address, password) in enumerate(
        [
            ("rtmp-listen://127.0.0.1:1935/barn", ""),
            ("rtmp-listen://0.0.0.0:1937/barn", ""),
            ("rtmp-listen://127.0.0.1:22/barn", ""),
            ("rtmp-listen://127.0.0.1:1937/barn", "short"),
        ]
    ):
        body = {"name": f"no {number}", "address": address, "password": password}
        require_problem(world.request("manager", "POST", "/streams", body), 422)


def test_credentials_do_not_follow_an_address_to_another_host(world: World) -> None:
    stored = streams(world).add(camera("moves away"), world.farm)
    change = {
        "name": "moves away",
        "address": "rtsp://127.0.0.1:9999/collect",
        "version": stored.version,
    }
    answer = world.request("manager", "PUT", f"/streams/{stored.id}", change)
    assert answer.json()["has_credentials"] is False
    assert streams(world).get(stored.id).password == ""


def test_a_masked_address_is_kept_when_it_comes_back(world: World) -> None:
    secret = replace(camera("query"), address=f"rtsp://192.0.2.7/cgi?user=op&pwd={CANARY}&ch=1")
    stored = streams(world).add(secret, world.farm)
    shown = world.request("manager", "GET", f"/streams/{stored.id}")
    assert CANARY not in shown.text
    change = {
        "name": "query",
        "address": shown.json()["address"],
        "analysis_fps": 5,
        "version": stored.version,
    }
    answer = world.request("manager", "PUT", f"/streams/{stored.id}", change)
    assert answer.status_code == 200, answer.text
    assert CANARY not in answer.text
    after = streams(world).get(stored.id)
    assert after.address == secret.address
    assert (after.password, after.analysis_fps) == (CANARY, 5)


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://2852039166/",
        "http://[::ffff:169.254.169.254]/",
        "file:///etc/passwd",
        "ftp://192.0.2.1/x",
        "rtsp://192.0.2.1/ -f x",
        "web:http://127.0.0.1/page",
        "web:https://stud.example/live",
        "rtmp-listen://127.0.0.1:22/barn",
    ],
)
def test_addresses_that_no_camera_has_are_refused(world: World, address: str) -> None:
    body = {"name": "bad", "address": address}
    require_problem(world.request("manager", "POST", "/streams", body), 422, "address_refused")


def test_a_stream_is_listed_for_those_who_see_it(world: World) -> None:
    def ids(account: str, query: str = "") -> set[str]:
        answer = world.request(account, "GET", f"/streams?limit=1000{query}")
        assert answer.status_code == 200, answer.text
        return {stream["id"] for stream in answer.json()["items"]}

    granted, hidden, foreign = map(str, (world.granted, world.hidden, world.foreign))
    assert ids("viewer") == {granted}
    assert {granted, hidden} <= ids("manager")
    assert foreign not in ids("manager")
    assert ids("stranger") == {foreign}
    assert {granted, hidden, foreign} <= ids("root")
    assert ids("root", f"&farm_id={world.other_farm}") == {foreign}
    require_problem(world.request("manager", "GET", f"/streams?farm_id={world.other_farm}"), 404)


def test_streams_come_by_page_and_by_status(world: World) -> None:
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = world.request("root", "GET", f"/streams?limit=1&cursor={cursor}").json()
        names += [stream["name"] for stream in page["items"]]
        cursor = page["next_cursor"]
    assert names == sorted(names)
    assert len(names) >= 3
    set_state(world, world.granted, StreamState.ACTIVE)
    page = world.request("root", "GET", "/streams?status=active").json()
    assert [stream["id"] for stream in page["items"]] == [str(world.granted)]


def set_state(world: World, stream_id: StreamId, state: StreamState) -> None:
    health = StreamHealth(
        stream_id, state, width_px=1280, height_px=720, decoded=70, fps=24.9, latency_ms=88.5
    )
    world.redis.hset(stream_state_key(stream_id), mapping=dict(health_fields(health)))


def test_the_status_is_what_the_engine_published(world: World) -> None:
    set_state(world, world.granted, StreamState.OFFLINE)
    status = world.request("viewer", "GET", f"/streams/{world.granted}/status").json()
    assert status["state"] == "offline"
    assert (status["fps"], status["latency_ms"], status["decoded"]) == (24.9, 88.5, 70)
    unknown = world.request("manager", "GET", f"/streams/{world.hidden}/status").json()
    assert unknown["state"] == "unknown"
    world.redis.hset(stream_state_key(world.granted), mapping={"state": "new", "health": "{nan"})
    odd = world.request("viewer", "GET", f"/streams/{world.granted}/status").json()
    assert (odd["state"], odd["fps"]) == ("unknown", None)


@pytest.mark.parametrize(("verb", "command"), [("start", StartStream), ("stop", StopStream)])
def test_start_and_stop_reach_the_engine(
    world: World,
    engine: Engine,
    wait_until: WaitUntil,
    verb: str,
    command: type[StartStream | StopStream],
) -> None:
    answer = world.request("manager", "POST", f"/streams/{world.hidden}/{verb}")
    assert answer.status_code == 202, answer.text
    wait_until(lambda: command(world.hidden) in engine.heard)
    assert audited(world, f"stream.{verb}")


def test_a_snapshot_is_the_engines_picture(world: World, engine: Engine) -> None:
    answer = world.request("viewer", "GET", f"/streams/{world.granted}/snapshot?overlays=true")
    assert answer.content == JPEG
    assert answer.headers["content-type"] == "image/jpeg"
    asked = engine.heard[-1]
    assert isinstance(asked, TakeSnapshot)
    assert (asked.stream_id, asked.overlays) == (world.granted, True)
    engine.picture = None
    answer = world.request("viewer", "GET", f"/streams/{world.granted}/snapshot")
    require_problem(answer, 503, "snapshot_unavailable")


def test_without_an_engine_commands_are_refused_and_not_lost_silently(world: World) -> None:
    answer = world.request("manager", "POST", f"/streams/{world.hidden}/start")
    require_problem(answer, 503, "engine_unreachable")
    assert answer.headers["retry-after"]
    answer = world.request("viewer", "GET", f"/streams/{world.granted}/snapshot")
    require_problem(answer, 503, "snapshot_unavailable")


# --- manners -------------------------------------------------------------------------------------


def test_no_answer_ever_holds_the_cameras_password(world: World) -> None:
    paths = ["/streams", f"/streams/{world.granted}", "/audit", "/metrics", "/readyz"]
    for path in (*paths, f"{world.url}/openapi.json", f"{world.url}/docs"):
        answer = world.request("root", "GET", path)
        assert answer.status_code == 200
        assert CANARY not in answer.text
    body = {"name": CANARY * 30, "address": f"ftp://u:{CANARY}@h/", "password": [CANARY]}
    assert CANARY not in world.request("manager", "POST", "/streams", body).text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"username": 1}',
        b'{"a":' * 2000,
        b'{"username":"\\ud800","password":"x"}',
    ],
)
def test_bodies_that_are_none_are_problems(world: World, content: bytes) -> None:
    answer = world.http.post(
        f"{world.base}/auth/login", content=content, headers={"Content-Type": "application/json"}
    )
    require_problem(answer, answer.status_code)
    assert answer.json()["code"] in ("validation_failed", "bad_request")
    for error in answer.json().get("errors", []):
        assert set(error) == {"field", "message"}


def test_long_bodies_are_refused_with_or_without_a_stated_length(world: World) -> None:
    long = b" " * (world.config.body_bytes + 1)
    headers = {"Content-Type": "application/json"}
    url = f"{world.base}/auth/login"
    require_problem(world.http.post(url, content=long, headers=headers), 413, "body_too_large")
    chunks = (long[start : start + 65536] for start in range(0, len(long), 65536))
    require_problem(world.http.post(url, content=chunks, headers=headers), 413, "body_too_large")


def test_state_changing_requests_from_other_origins_are_refused(world: World) -> None:
    body = {"username": "viewer", "password": PASSWORD}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil"):
        answer = world.request(None, "POST", "/auth/login", body, {"Origin": origin})
        require_problem(answer, 403, "origin_refused")
        read = world.request("viewer", "GET", "/streams", headers={"Origin": origin})
        assert "access-control-allow-origin" not in read.headers
    assert world.request(None, "POST", "/auth/login", body, {"Origin": world.url}).is_success


def test_a_name_that_is_not_this_servers_is_refused(world: World) -> None:
    for host in ("evil.example", "evil.example:8620", "127.0.0.1.evil.example", ""):
        answer = world.request(None, "GET", "/healthz", headers={"Host": host})
        assert answer.status_code in (400, 403), host
    assert world.request(None, "GET", "/healthz", headers={"Host": "localhost:1"}).is_success


def test_answers_carry_safe_headers(world: World) -> None:
    for path in ("/streams", "/nothing", f"{world.url}/docs"):
        headers = world.request("root", "GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_cursors_of_others_are_refused(world: World) -> None:
    for path in ("/streams", "/users", "/audit", "/horses", "/detections"):
        for cursor in ("!", "AAAA", "%00", "\u00e9", "x" * 90):
            answer = world.request("root", "GET", f"{path}?cursor={cursor}")
            assert answer.status_code in (200, 422), (path, cursor, answer.text)


# --- health --------------------------------------------------------------------------------------


def test_health_readiness_and_metrics(world: World) -> None:
    set_state(world, world.granted, StreamState.ACTIVE)
    for base in (world.url, world.base):
        assert world.request(None, "GET", f"{base}/healthz").json()["status"] == "ok"
        ready = world.request(None, "GET", f"{base}/readyz").json()
        assert ready["status"] == "ready"
        assert all(check["ok"] for check in ready["checks"].values())
        # Open on this machine while remote access is off.
        metrics = world.request(None, "GET", f"{base}/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = metrics.text.splitlines()
    told = {
        line.partition("{")[0]: line.rpartition(" ")[2]
        for line in lines
        if f'stream_id="{world.granted}"' in line
    }
    assert told["barnhand_camera_fps"] == "24.9"
    assert told["barnhand_camera_active"] == "1.0"
    assert told["barnhand_camera_latency_seconds"] == "0.0885"
    assert told["barnhand_camera_decoded_total"] == "70.0"
    assert any(
        line.startswith("barnhand_api_requests_total{") and 'route="/api/v1/healthz"' in line
        for line in lines
    )
    assert any(line.startswith("barnhand_ws_clients ") for line in lines)


def test_the_documentation_needs_nothing_from_elsewhere(world: World) -> None:
    page = world.request(None, "GET", f"{world.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/api/v1/streams/{stream_id}/snapshot" in page.text
    for foreign in ("<script", "http://", "https://", "src="):
        assert foreign not in page.text
    document = world.request(None, "GET", f"{world.url}/openapi.json").json()
    assert document["openapi"].startswith("3.")
    json.dumps(document)
