"""With a server gone: what still works, what says so, and that it heals by itself."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis
from websockets.sync.client import connect

from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from db.credentials import CredentialBox
from db.live.protocol import EventMessage, encode_event, events_channel
from db.migrate import migrate
from db.pool import open_pool
from db.repositories.farms import DEFAULT_FARM
from db.repositories.streams import PostgresStreamRepository
from db.repositories.users import Role, UserRepository
from engine.domain.ids import StreamId
from tests.fixtures_api import PASSWORD, PLENTY, WaitUntil, camera, require_problem, run_server
from tests.fixtures_data import FAST_NOT_DURABLE


@dataclass
class Fragile:
    """A running API whose own servers the test may kill."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    client: httpx.Client
    url: str
    token: str
    stream_id: StreamId

    def get(self, path: str) -> httpx.Response:
        """A request by the administrator."""
        return self.client.get(path, headers={"Authorization": f"Bearer {self.token}"})


@pytest.fixture(scope="module")
def fragile(servers_dir: Path) -> Iterator[Fragile]:
    postgres = EmbeddedPostgres(servers_dir / "fragile-postgres", FAST_NOT_DURABLE)
    valkey = EmbeddedValkey(servers_dir / "fragile-valkey")
    postgres.start()
    valkey.start()
    migrate(postgres.dsn)
    config = ApiConfig(
        dsn=postgres.dsn,
        live_url=valkey.url,
        secret_path=servers_dir / "fragile.key",
        credential_key=CredentialBox.new_key().decode(),
        port=0,
        rates=PLENTY,
    )
    with open_pool(postgres.dsn, 2) as pool:
        UserRepository(pool).add("root", Passwords().hash(PASSWORD), Role.ADMIN, None, False)
        key = config.credential_key.encode()
        stream = PostgresStreamRepository(pool, key).add(camera("stall"), DEFAULT_FARM)
    try:
        for url in run_server(config):
            with httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
                body = {"username": "root", "password": PASSWORD}
                token = client.post("/auth/login", json=body).json()["access_token"]
                yield Fragile(postgres, valkey, client, url, token, stream.id)
    finally:
        valkey.stop()
        postgres.stop()


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_without_the_live_state_server_stored_data_is_still_served(
    fragile: Fragile, wait_until: WaitUntil
) -> None:
    wait_until(lambda: fragile.client.get("/readyz").status_code == 200)
    address = "ws" + fragile.url.removeprefix("http") + "/ws"
    with connect(address, proxy=None) as client:
        client.send(json.dumps({"event": "authenticate", "data": {"token": fragile.token}}))
        subscribe = {"event": "subscribe", "data": {"stream_id": str(fragile.stream_id)}}
        client.send(json.dumps(subscribe))

        def heard(event: str) -> dict[str, object]:
            while True:
                message: dict[str, object] = json.loads(client.recv(timeout=30))
                if message["event"] == event:
                    return message

        assert heard("live_state")["data"] == {"degraded": False}
        kill(fragile.valkey.pid)
        assert heard("live_state")["data"] == {"degraded": True}

        ready = fragile.client.get("/readyz")
        require_problem(ready, 503, "not_ready")
        checks = ready.json()["checks"]
        assert checks["database"]["ok"]
        assert not checks["live_state"]["ok"]
        assert not checks["events"]["ok"]
        assert fragile.client.get("/healthz").status_code == 200
        for path in ("/detections", "/streams", f"/streams/{fragile.stream_id}", "/horses"):
            assert fragile.get(path).status_code == 200, path
        assert fragile.get(f"/streams/{fragile.stream_id}").json()["status"] is None
        for path in ("status", "snapshot"):
            answer = fragile.get(f"/streams/{fragile.stream_id}/{path}")
            require_problem(answer, 503)
            assert answer.headers["retry-after"]
        require_problem(fragile.get("/streams?status=active"), 503)
        assert "barnhand_live_state_up 0.0" in fragile.get("/metrics").text
        with connect(address, proxy=None) as late:
            late.send(json.dumps({"event": "authenticate", "data": {"token": fragile.token}}))
            assert json.loads(late.recv(timeout=15))["event"] == "welcome"
            assert json.loads(late.recv(timeout=15))["data"] == {"degraded": True}

        fragile.valkey.start()
        assert heard("live_state")["data"] == {"degraded": False}
        with redis.Redis.from_url(fragile.valkey.url) as live:
            message = EventMessage(
                "stream:status", str(fragile.stream_id), "2025-01-01T00:00:00+00:00", 1, {}
            )
            live.publish(events_channel(fragile.stream_id), encode_event(message))
        heard("stream:status")
    wait_until(lambda: fragile.client.get("/readyz").status_code == 200)
    assert fragile.get(f"/streams/{fragile.stream_id}/status").json()["state"] == "unknown"


def test_without_the_database_requests_say_when_to_come_back(
    fragile: Fragile, wait_until: WaitUntil
) -> None:
    wait_until(lambda: fragile.client.get("/readyz").status_code == 200)
    kill(fragile.postgres.pid)
    # Its orphaned processes serve on until they notice.
    wait_until(lambda: fragile.get("/streams").status_code == 503)
    for path in ("/streams", "/detections", "/auth/me"):
        answer = fragile.get(path)
        require_problem(answer, 503, "store_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "127.0.0.1" not in answer.text, "an answer tells where the database is"
    login = fragile.client.post("/auth/login", json={"username": "root", "password": PASSWORD})
    require_problem(login, 503, "store_unavailable")
    require_problem(fragile.client.get("/readyz"), 503, "not_ready")
    assert fragile.client.get("/healthz").status_code == 200
    assert fragile.client.get("/metrics").status_code == 200
    fragile.postgres.start()
    wait_until(lambda: fragile.get("/streams").status_code == 200)
    wait_until(lambda: fragile.client.get("/readyz").status_code == 200)
