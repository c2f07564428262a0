"""The room of an account: its jobs, what it acknowledged, and the end of its logins."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from db.repositories.alerts import PostgresAlertRepository
from engine.domain.behaviour import Alert, AlertId, RuleKind
from engine.domain.notices import Severity
from engine.runtime.clock import SystemClock
from tests.fixtures_api import PASSWORD, WaitUntil, World

EXPORT = {
    "kind": "csv", "start_time": "2025-04-01T12:00:00Z", "end_time": "2025-04-01T12:00:10Z",
}  # fmt: skip


def say(client: ClientConnection, event: str, **data: object) -> None:
    client.send(json.dumps({"event": event, "data": data}))


def hear(client: ClientConnection, event: str) -> dict[str, Any]:
    """The next message of that name; others are passed over."""
    while True:
        message: dict[str, Any] = json.loads(client.recv(timeout=15))
        if message["event"] == event:
            return message


@contextlib.contextmanager
def enter(world: World, account: str, **subscription: object) -> Iterator[ClientConnection]:
    """A socket in the account's own room."""
    with connect("ws" + world.url.removeprefix("http") + "/ws", proxy=None) as client:
        say(client, "authenticate", token=world.tokens[account])
        say(client, "subscribe", room="user", **subscription)
        told = hear(client, "subscribed")
        assert told["stream_id"] is None and told["data"]["room"] == "user"
        yield client


@pytest.fixture(autouse=True)
def _events_arrive(world: World, wait_until: WaitUntil) -> None:
    wait_until(lambda: world.redis.pubsub_numpat() >= 1)


@pytest.fixture
def alert(world: World) -> Iterator[Alert]:
    now = SystemClock().now()
    made = Alert(
        AlertId(uuid4()), world.farm, None, RuleKind.RESTLESS, Severity.WARNING, "It paces.",
        f"own-room-{uuid4()}", now, now,
    )  # fmt: skip
    assert PostgresAlertRepository(world.pool).raise_(made)
    yield made
    with world.pool.connection() as connection:
        connection.execute("DELETE FROM alerts WHERE id = %s", (made.id,))


def test_who_asked_for_a_job_hears_of_it_and_nobody_else_does(world: World) -> None:
    with enter(world, "manager") as asker, enter(world, "admin") as other:
        job = world.request("manager", "POST", "/exports", EXPORT).json()
        told = hear(asker, "job:update")
        assert (told["data"]["job_id"], told["user"]) == (job["id"], "manager")
        assert told["data"]["state"] == "queued"
        world.request("manager", "POST", f"/jobs/{job['id']}/cancel")
        assert hear(asker, "job:update")["data"]["state"] == "cancelled"
        say(other, "ping")
        assert json.loads(other.recv(timeout=15))["event"] == "pong"


def test_what_was_missed_in_the_own_room_is_replayed(world: World) -> None:
    with enter(world, "manager") as client:
        world.request("manager", "POST", "/exports", EXPORT)
        last = hear(client, "job:update")["sequence"]
    missed = world.request("manager", "POST", "/exports", EXPORT).json()["id"]
    with enter(world, "manager", last_sequence=last) as again:
        told = hear(again, "job:update")
        assert (told["sequence"], told["data"]["job_id"]) == (last + 1, missed)
        say(again, "unsubscribe", room="user")
        assert hear(again, "unsubscribed")["data"]["room"] == "user"


def test_an_acknowledged_alert_is_told_to_the_farm_and_to_who_did_it(
    world: World, alert: Alert
) -> None:
    with enter(world, "manager") as own, enter(world, "admin") as colleague:
        say(colleague, "subscribe")
        hear(colleague, "subscribed")
        world.request("manager", "POST", f"/alerts/{alert.id}/acknowledge", {"note": "seen"})
        for client in (own, colleague):
            told = hear(client, "alert:updated")
            assert told["data"]["alert_id"] == str(alert.id)
            assert told["data"]["acknowledged_by"] == "manager"
            assert told["data"]["acknowledged_at"]
        assert "user" not in told


def test_an_ended_login_ends_its_sockets_at_once(world: World) -> None:
    """Within seconds, not when the account is read again the next time (30 s)."""
    body = {"username": "manager", "password": PASSWORD}
    world.tokens["leaving"] = world.request(None, "POST", "/auth/login", body).json()[
        "access_token"
    ]
    with enter(world, "leaving") as leaving, enter(world, "manager") as staying:
        assert world.request("leaving", "POST", "/auth/logout").status_code == 204
        assert hear(staying, "session:revoked")["data"] == {"reason": "logout"}
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                leaving.recv(timeout=15)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 4401
        say(staying, "ping")
        hear(staying, "pong")


def test_a_viewer_has_its_own_room_and_not_the_farm_s(world: World, alert: Alert) -> None:
    with enter(world, "viewer") as viewer:
        say(viewer, "subscribe", room="farm")
        hear(viewer, "subscribed")
        world.request("manager", "POST", f"/alerts/{alert.id}/acknowledge", {})
        world.request("manager", "POST", "/exports", EXPORT)
        say(viewer, "ping")
        assert json.loads(viewer.recv(timeout=15))["event"] == "pong"
