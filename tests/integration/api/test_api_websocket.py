"""WebSockets: who gets in, what they get, and that hostile clients harm nothing."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from barnhand_desktop.api.config import SocketLimits
from db.live.protocol import SEQUENCE_KEY, EventMessage, encode_event, events_channel
from db.repositories.grants import GrantRepository
from db.repositories.users import UserRepository
from engine.domain.ids import StreamId
from tests.fixtures_api import PASSWORD, WaitUntil, World, run_server


class Publisher:
    """Publishes as the engine's publisher does: numbered by channel, number and event together."""

    def __init__(self, world: World) -> None:
        self._redis = world.redis
        self.sequences: dict[str, int] = {}

    def publish(
        self, stream_id: StreamId | None, event: str = "detection:update", pad: int = 0
    ) -> int:
        channel = events_channel(stream_id)
        stored = self._redis.hget(SEQUENCE_KEY, channel)
        sequence = int(stored or 0) + 1
        keypoints = {"nose": [1.0, 2.0, 0.9]}
        data = {"horses": [{"track_id": "t", "keypoints": keypoints}], "pad": "x" * pad}
        message = EventMessage(
            event,
            None if stream_id is None else str(stream_id),
            "2025-01-01T00:00:00+00:00",
            sequence,
            data,
        )
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(SEQUENCE_KEY, channel, str(sequence))
            pipeline.publish(channel, encode_event(message))
            pipeline.execute()
        return sequence


@pytest.fixture
def publisher(world: World, wait_until: WaitUntil) -> Publisher:
    wait_until(lambda: world.redis.pubsub_numpat() >= 1)
    return Publisher(world)


def address(url: str, path: str = "/ws") -> str:
    return "ws" + url.removeprefix("http") + path


Open = Callable[..., contextlib.AbstractContextManager[ClientConnection]]


@pytest.fixture
def opened(world: World) -> Open:
    """Opens sockets as an account, with the token in the first message."""

    @contextlib.contextmanager
    def open_socket(
        account: str = "manager", path: str = "/ws", url: str = world.url
    ) -> Iterator[ClientConnection]:
        with connect(address(url, path), proxy=None) as client:
            say(client, "authenticate", token=world.tokens[account])
            yield client

    return open_socket


def say(client: ClientConnection, event: str, **data: object) -> None:
    client.send(json.dumps({"event": event, "data": data}))


def hear(client: ClientConnection, event: str) -> dict[str, Any]:
    """The next message of that name; others are passed over."""
    while True:
        message: dict[str, Any] = json.loads(client.recv(timeout=15))
        if message["event"] == event:
            return message


def closed(client: ClientConnection) -> tuple[int, str]:
    """Code and reason of the server's close."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            client.recv(timeout=15)
    received = caught.value.rcvd
    assert received is not None
    return received.code, received.reason


# --- getting in ----------------------------------------------------------------------------------


def test_the_token_comes_in_the_first_message(opened: Open) -> None:
    with opened() as client:
        welcome = hear(client, "welcome")
        assert welcome["data"]["user"] == "manager"
        assert hear(client, "live_state")["data"] == {"degraded": False}


@pytest.mark.parametrize("path", ["/ws", "/api/v1/ws"])
def test_the_token_comes_as_a_subprotocol(world: World, path: str) -> None:
    protocols = ["barnhand.v1", f"bearer.{world.tokens['viewer']}"]
    with connect(address(world.url, path), subprotocols=protocols, proxy=None) as client:
        assert client.subprotocol == "barnhand.v1"
        assert hear(client, "welcome")["data"]["user"] == "viewer"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ('{"event": "authenticate", "data": {"token": "x.y.z"}}', 4401),
        ('{"event": "authenticate", "data": {}}', 4401),
        ('{"event": "subscribe"}', 4401),
        ("hello", 4401),
        ("", 4401),
    ],
)
def test_without_a_good_token_the_socket_is_closed(world: World, first: str, code: int) -> None:
    with connect(address(world.url), proxy=None) as client:
        client.send(first)
        assert closed(client)[0] == code


@pytest.mark.parametrize("query", ["token", "access_token"])
def test_tokens_in_the_url_are_refused_even_if_good(world: World, query: str) -> None:
    url = address(world.url, f"/ws?{query}={world.tokens['manager']}")
    with connect(url, proxy=None) as client:
        assert closed(client)[0] == 4400


def test_pages_of_other_origins_are_refused(world: World) -> None:
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(address(world.url), origin="https://evil.example", proxy=None),
    ):
        pass
    assert caught.value.response.status_code == 403
    with connect(address(world.url), origin=world.url, proxy=None) as client:
        say(client, "authenticate", token=world.tokens["viewer"])
        hear(client, "welcome")


def test_a_key_needs_the_read_scope(world: World) -> None:
    for scope, welcome in (("read", True), ("write", False)):
        made = world.request("manager", "POST", "/api-keys", {"name": "k", "scopes": [scope]})
        with connect(address(world.url), proxy=None) as client:
            say(client, "authenticate", token=made.json()["key"])
            if welcome:
                hear(client, "welcome")
            else:
                assert closed(client)[0] == 4403


# --- what is heard -------------------------------------------------------------------------------


def test_events_of_a_subscribed_stream_arrive_with_their_numbers(
    world: World, opened: Open, publisher: Publisher
) -> None:
    with opened() as client:
        say(client, "subscribe", stream_id=str(world.granted), channels=["detections", "poses"])
        hear(client, "subscribed")
        publisher.publish(world.hidden)
        numbers = [publisher.publish(world.granted) for _ in range(3)]
        heard = [hear(client, "detection:update") for _ in range(3)]
        assert [message["sequence"] for message in heard] == numbers
        assert {message["stream_id"] for message in heard} == {str(world.granted)}
        assert heard[0]["timestamp"]
        assert heard[0]["data"]["horses"][0]["keypoints"] == {"nose": [1.0, 2.0, 0.9]}
        publisher.publish(world.granted, "stream:status")
        hear(client, "stream:status")
        publisher.publish(world.granted, "alert:raised")
        hear(client, "alert:raised")


def test_keypoints_are_left_out_without_the_poses_channel(
    world: World, opened: Open, publisher: Publisher
) -> None:
    with opened(path=f"/ws/stream/{world.granted}") as full, opened() as lean:
        say(lean, "subscribe", stream_id=str(world.granted), channels=["detections"])
        hear(lean, "subscribed")
        hear(full, "subscribed")
        publisher.publish(world.granted)
        assert "keypoints" in hear(full, "detection:update")["data"]["horses"][0]
        assert "keypoints" not in hear(lean, "detection:update")["data"]["horses"][0]


def test_the_farm_room_holds_the_streams_the_caller_sees(
    world: World, opened: Open, publisher: Publisher
) -> None:
    with opened("viewer") as viewer, opened("root") as root, opened("stranger") as stranger:
        for client in (viewer, root, stranger):
            say(client, "subscribe")
            hear(client, "subscribed")
        publisher.publish(world.hidden)
        publisher.publish(world.foreign)
        publisher.publish(None, "alert:raised")
        publisher.publish(world.granted)
        assert hear(viewer, "detection:update")["stream_id"] == str(world.granted)
        assert hear(stranger, "detection:update")["stream_id"] == str(world.foreign)
        assert [hear(root, "detection:update")["stream_id"] for _ in range(2)] == [
            str(world.hidden),
            str(world.foreign),
        ]
        assert hear(root, "alert:raised")["stream_id"] is None
        assert hear(root, "detection:update")["stream_id"] == str(world.granted)


@pytest.mark.parametrize("account", ["viewer", "stranger"])
def test_streams_of_others_cannot_be_subscribed_to(
    world: World, opened: Open, account: str
) -> None:
    target = world.hidden if account == "viewer" else world.granted
    with opened(account) as client:
        say(client, "subscribe", stream_id=str(target))
        refused = hear(client, "error")["data"]
        say(client, "subscribe", stream_id=str(uuid4()))
        assert hear(client, "error")["data"] == refused
    with opened(account, f"/ws/stream/{target}") as client:
        assert closed(client)[0] == 4403


def test_unsubscribing_ends_the_events(world: World, opened: Open, publisher: Publisher) -> None:
    with opened() as client:
        say(client, "subscribe", stream_id=str(world.granted))
        say(client, "subscribe", stream_id=str(world.hidden))
        say(client, "unsubscribe", stream_id=str(world.granted))
        hear(client, "unsubscribed")
        publisher.publish(world.granted)
        publisher.publish(world.hidden)
        assert hear(client, "detection:update")["stream_id"] == str(world.hidden)
        say(client, "ping")
        hear(client, "pong")


def test_after_reconnecting_the_missed_events_come_first(
    world: World, opened: Open, publisher: Publisher
) -> None:
    stream = str(world.granted)
    with opened() as client:
        say(client, "subscribe", stream_id=stream)
        hear(client, "subscribed")
        last = publisher.publish(world.granted)
        hear(client, "detection:update")
    missed = [publisher.publish(world.granted) for _ in range(5)]
    with opened() as witness:
        # Once the hub has delivered the newest event here, it holds all five.
        say(witness, "subscribe", stream_id=stream, last_sequence=missed[-1])
        newest = publisher.publish(world.granted)
        hear(witness, "detection:update")
    with opened() as client:
        say(client, "subscribe", stream_id=stream, last_sequence=last)
        numbers = [hear(client, "detection:update")["sequence"] for _ in range(6)]
    assert numbers == [*missed, newest]


def test_what_is_no_longer_buffered_is_a_clear_gap(
    world: World, opened: Open, publisher: Publisher
) -> None:
    world.redis.hset(SEQUENCE_KEY, events_channel(world.hidden), "5000")
    with opened() as client:
        say(client, "subscribe", stream_id=str(world.hidden), last_sequence=10)
        gap = hear(client, "gap")
    assert gap["stream_id"] == str(world.hidden)
    assert gap["data"]["first_missed"] == 11
    assert gap["data"]["last_missed"] in (5000, None)


# --- hostile and slow clients --------------------------------------------------------------------


BAD = ["", "null", "[]", "{", '{"event": "nothing"}', "\x00", "a" * 9000, "[" * 9000]


def test_bad_messages_get_an_error_and_harm_nothing(
    world: World, opened: Open, publisher: Publisher
) -> None:
    with opened() as client:
        say(client, "subscribe", stream_id=str(world.granted))
        hear(client, "subscribed")
        for text in BAD:
            client.send(text)
            error = hear(client, "error")["data"]
            assert error["code"] == "bad_message"
            assert len(error["detail"]) <= 200
        client.send(b"\xff\xfe")
        hear(client, "error")
        publisher.publish(world.granted)
        hear(client, "detection:update")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    message=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=50),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["event", "data", "stream_id", "channels", "last_sequence", "x"]),
                inner
                | st.sampled_from(["subscribe", "unsubscribe", "ping", "authenticate", "poses"]),
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_no_message_breaks_the_server(world: World, opened: Open, message: object) -> None:
    with opened() as client:
        client.send(json.dumps(message))
        say(client, "ping")
        hear(client, "pong")


def test_a_message_that_is_too_long_closes_only_its_own_socket(world: World, opened: Open) -> None:
    with opened() as other, opened() as client:
        client.send("x" * (world.config.sockets.message_bytes + 1))
        assert closed(client)[0] == 1009
        say(other, "ping")
        hear(other, "pong")


def test_a_client_that_talks_too_much_is_dropped(opened: Open) -> None:
    with opened() as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(500):
                client.send('{"event": "ping"}')
        assert closed(client)[0] == 4429


@pytest.fixture
def small_url(world: World) -> Iterator[str]:
    """A second server with small limits, on the same stores."""
    limits = SocketLimits(
        clients=3,
        clients_per_caller=2,
        queue_messages=32,
        authenticate_within_s=0.3,
        recheck_every_s=0.2,
        farewell_s=0.5,
    )
    yield from run_server(world.config.model_copy(update={"sockets": limits}))


def test_silence_instead_of_a_token_is_not_waited_for(small_url: str) -> None:
    with connect(address(small_url), proxy=None) as client:
        assert closed(client) == (4408, "no token came in time")


def test_sockets_are_limited_by_caller_and_altogether(opened: Open, small_url: str) -> None:
    with opened("manager", url=small_url) as first, opened("manager", url=small_url) as second:
        hear(first, "welcome")
        hear(second, "welcome")
        with opened("manager", url=small_url) as third:
            assert closed(third)[0] == 4429
        with opened("viewer", url=small_url) as fourth:
            hear(fourth, "welcome")
            with opened("root", url=small_url) as fifth:
                assert closed(fifth)[0] == 4429


def test_an_ended_login_and_a_withdrawn_grant_reach_open_sockets(
    world: World, opened: Open, small_url: str, publisher: Publisher, wait_until: WaitUntil
) -> None:
    login = {"username": "viewer", "password": PASSWORD}
    token = world.request(None, "POST", "/auth/login", login).json()["access_token"]
    users = UserRepository(world.pool)
    viewer = users.find("viewer")
    assert viewer is not None
    wait_until(lambda: world.redis.pubsub_numpat() >= 1)
    with connect(address(small_url), proxy=None) as client:
        say(client, "authenticate", token=token)
        say(client, "subscribe")
        hear(client, "subscribed")
        GrantRepository(world.pool).set_grants(viewer.id, [])
        try:

            def unseen() -> bool:
                number = publisher.publish(world.granted)
                say(client, "ping")
                seen = []
                while (message := json.loads(client.recv(timeout=15)))["event"] != "pong":
                    seen.append(message.get("sequence"))
                return number not in seen

            wait_until(unseen)
        finally:
            GrantRepository(world.pool).set_grants(viewer.id, [world.granted])
        world.request(None, "POST", "/auth/logout", headers={"Authorization": f"Bearer {token}"})
        assert closed(client) == (4401, "The session has ended.")


def test_a_slow_reader_is_dropped_and_the_others_go_on(
    world: World, opened: Open, small_url: str, publisher: Publisher, wait_until: WaitUntil
) -> None:
    before = dropped_as_slow(world, small_url)
    with opened(url=small_url) as quick, stalled(world, small_url):
        say(quick, "subscribe", stream_id=str(world.granted))
        hear(quick, "subscribed")
        end = time.monotonic() + 60
        while dropped_as_slow(world, small_url) == before:
            assert time.monotonic() < end, "the slow reader was not dropped"
            for _ in range(10):
                number = publisher.publish(world.granted, pad=50_000)
                while hear(quick, "detection:update")["sequence"] != number:
                    pass
        wait_until(lambda: clients(world, small_url) == 1)
        publisher.publish(world.granted)
        hear(quick, "detection:update")


@contextlib.contextmanager
def stalled(world: World, url: str) -> Iterator[socket.socket]:
    """A client that subscribes and never reads again."""
    parts = urlsplit(url)
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect((parts.hostname, parts.port))
        key = base64.b64encode(os.urandom(16)).decode()
        peer.sendall(
            (
                f"GET /ws/stream/{world.granted} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Protocol: barnhand.v1, bearer.{world.tokens['root']}\r\n\r\n"
            ).encode()
        )
        taken = b""
        while b"subscribed" not in taken:
            taken += peer.recv(4096)
        yield peer


def metric(world: World, url: str, name: str) -> float:
    text = world.request(None, "GET", f"{url}/metrics").text
    found = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def dropped_as_slow(world: World, url: str) -> float:
    return metric(world, url, 'barnhand_ws_clients_dropped_total{reason="slow_reader"}')


def clients(world: World, url: str) -> float:
    return metric(world, url, "barnhand_ws_clients")
