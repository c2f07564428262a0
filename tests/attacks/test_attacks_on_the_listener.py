"""What a client may cost: slow senders, floods, oversized heads and bodies, broken requests, and
everything a WebSocket can be told. The list goes on in ``test_attacks``."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from threading import Event
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from barnhand_desktop.api.app import create_app
from barnhand_desktop.api.config import ApiConfig, RateLimits
from barnhand_desktop.api.connections import bounded_http
from barnhand_desktop.api.rates import Rate, network_of
from engine.runtime.worker import Worker
from tests.attacks.farmyard import Yard
from tests.fixtures_api import PLENTY, WaitUntil, require_problem, run_server

SOON_S = 0.4


def raw(yard: Yard, *parts: bytes, wait_s: float = 2.0) -> bytes:
    """What the server answers to bytes on a connection until it hangs up or falls silent."""
    host, port = yard.world.url.removeprefix("http://").split(":")
    answer = b""
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.settimeout(wait_s)
        with contextlib.suppress(OSError):
            for part in parts:
                connection.sendall(part)
            while block := connection.recv(65536):
                answer += block
                connection.settimeout(0.3)  # whether it goes on is seen soon
    return answer


def head(*lines: str, method: str = "POST", path: str = "/api/v1/auth/login") -> bytes:
    own = ("Host: 127.0.0.1", "Connection: close", "Content-Type: application/json")
    return "\r\n".join((f"{method} {path} HTTP/1.1", *own, *lines, "", "")).encode()


# --- slow and greedy connections -----------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient(attacked_config: ApiConfig) -> Iterator[int]:
    """The same application behind a listener that waits less; at most 20 from one address."""
    listener = socket.create_server(("127.0.0.1", 0))
    started = Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Server(
        uvicorn.Config(
            create_app(attacked_config),
            http=bounded_http(20, (), SOON_S, SOON_S),
            log_config=None,
            timeout_graceful_shutdown=1,
        )
    )
    worker = Worker("impatient server", lambda _: server.run(sockets=[listener]))
    worker.start()
    assert started.wait(20)
    yield int(listener.getsockname()[1])
    server.should_exit = True
    assert worker.join(20) and worker.last_error is None


def hangs_up(port: int, *parts: bytes) -> bool:
    """Whether the server ends a connection that sends ``parts`` and then stays."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(10)
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
            while connection.recv(65536):
                pass
        return True


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"GET",),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n"),
        (head("Content-Length: 100"), b"{"),
        (head("Transfer-Encoding: chunked"), b"1\r\n{\r\n"),
        (b"\x16\x03\x01\x02\x00",),
    ],
)
def test_a_request_that_never_ends_is_ended(impatient: int, parts: tuple[bytes, ...]) -> None:
    assert hangs_up(impatient, *parts)


def test_a_client_that_drips_bytes_gains_nothing(impatient: int) -> None:
    """Slow loris: the clock runs from the first byte, whatever comes meanwhile."""
    ended = Event()

    def drip(_: object) -> None:
        with socket.create_connection(("127.0.0.1", impatient), 5) as connection:
            connection.settimeout(SOON_S / 8)
            for number in range(200):
                try:
                    connection.sendall(
                        b"GET / HTTP/1.1\r\nHost: x\r\n" if not number else b"A: b\r\n"
                    )
                    if connection.recv(100) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            else:
                return
        ended.set()

    worker = Worker("slow loris", drip)
    worker.start()
    assert worker.join(60) and ended.is_set()


def test_a_long_body_that_goes_on_is_not_cut(
    impatient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video over a slow line takes longer than any clock: what counts is that it goes on."""
    monkeypatch.setattr("barnhand_desktop.api.connections.BODY_STEP_BYTES", 1000)
    body = b'{"username":"nobody","password":"x"}' + b" " * 12_000
    request = head(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", impatient), 5) as connection:
        connection.sendall(request)
        rest = Event()
        for at in range(0, len(body), 1000):
            connection.sendall(body[at : at + 1000])
            rest.wait(SOON_S / 3)  # so that it takes several times the limit
        connection.settimeout(10)
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


def test_one_address_has_its_share_of_the_connections(
    impatient: int, wait_until: WaitUntil
) -> None:
    with contextlib.ExitStack() as stack:
        many = [
            stack.enter_context(socket.create_connection(("127.0.0.1", impatient), 5))
            for _ in range(40)
        ]
        for one in many:
            one.setblocking(False)

        def cut() -> int:
            return sum(map(_is_cut, many))

        wait_until(lambda: cut() >= 20)
    assert httpx.get(
        f"http://127.0.0.1:{impatient}/healthz", headers={"Host": "localhost"}
    ).is_success


def _is_cut(one: socket.socket) -> bool:
    try:
        return one.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_neighbours_in_one_network_are_counted_together() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("unknown") == "unknown"


# --- heads and bodies ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA\x00: b\r\n\r\n",
        b"GET http://evil.example/ HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        head("Content-Length: 5", "Content-Length: 6") + b"{}",
        head("Content-Length: -1"),
        head("Content-Length: 1e3") + b"{}",
        head("Content-Length: 2", "Transfer-Encoding: gzip") + b"{}",
        head("Transfer-Encoding: chunked") + b"-1\r\n{}\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_broken_and_oversized_requests_are_refused(yard: Yard, sent: bytes) -> None:
    answer = raw(yard, sent)
    assert answer == b"" or answer.split(b" ", 2)[1] in (b"400", b"403", b"404", b"413", b"501")
    assert yard.send(None, "GET", "/healthz").is_success


def test_two_lengths_never_make_two_requests_of_one(yard: Yard) -> None:
    """Request smuggling: what stands behind the first request is not answered as a second."""
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    lines = f"Content-Length: {len(smuggled)}", "Transfer-Encoding: chunked"
    sent = head(*lines).replace(b"Connection: close\r\n", b"") + b"0\r\n\r\n" + smuggled
    answer = raw(yard, sent)
    assert answer.count(b"HTTP/1.1 ") == 1 and answer.startswith(b"HTTP/1.1 400")


def test_a_body_without_an_end_is_cut(yard: Yard) -> None:
    block = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    answer = raw(yard, head("Transfer-Encoding: chunked"), *[block] * 200)
    assert answer.startswith(b"HTTP/1.1 413") or answer == b""


@pytest.mark.parametrize("content", [b"[" * 400_000, b'{"a":' * 150_000, b"9" * 900_000])
def test_deep_and_long_json_is_refused(yard: Yard, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = yard.world.http.post(f"{yard.world.base}/auth/login", content=content, headers=headers)
    assert answer.status_code in (400, 422)


def test_of_a_key_that_stands_twice_every_reader_takes_the_same(yard: Yard) -> None:
    body = b'{"username":"viewer","username":"nobody","password":"correct horse battery"}'
    headers = {"Content-Type": "application/json"}
    answer = yard.world.http.post(f"{yard.world.base}/auth/login", content=body, headers=headers)
    require_problem(answer, 401, "login_refused")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_a_body_of_another_kind_changes_nothing(yard: Yard, kind: str) -> None:
    """A form on another site can send these without asking first."""
    answer = yard.world.http.post(
        f"{yard.world.base}/farms",
        content=b'{"name":"made by a form"}',
        headers={"Content-Type": kind, **yard.credentials["root"]},
    )
    assert answer.status_code in (400, 415, 422)
    assert "made by a form" not in yard.send("root", "GET", "/farms").text


# --- WebSockets ----------------------------------------------------------------------------------


@contextlib.contextmanager
def socket_of(yard: Yard, who: str | None = "manager", **named: Any) -> Iterator[ClientConnection]:
    protocols = None
    if who is not None:
        token = yard.world.tokens[who]
        protocols = [Subprotocol("barnhand.v1"), Subprotocol(f"bearer.{token}")]
    url = yard.world.url.replace("http", "ws", 1) + "/ws"
    with connect(url, subprotocols=protocols, **named) as client:
        yield client


def answers(client: ClientConnection) -> bool:
    """Whether the server still answers a ping among what it says."""
    try:
        client.send('{"event":"ping"}')
        while json.loads(client.recv(10))["event"] != "pong":
            pass
    except ConnectionClosed:
        return False
    return True


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(
            some.sampled_from(["event", "data", "stream_id", "channels", "x"]), inner
        )
    ),
    max_leaves=12,
)
EVENTS = ["subscribe", "unsubscribe", "ping", "authenticate", "detection:update", "__class__"]
MESSAGES = some.one_of(
    some.text(max_size=200),
    some.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value)),
    some.builds(
        lambda event, data: json.dumps({"event": event, "data": data}),
        some.sampled_from(EVENTS),
        JSON,
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages=some.lists(MESSAGES, min_size=1, max_size=20))
def test_no_message_ends_the_server(yard: Yard, messages: list[str | bytes]) -> None:
    with socket_of(yard) as client:
        try:
            for message in messages:
                client.send(message)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd.code != 1011
            return
        assert answers(client)


@pytest.mark.parametrize(
    "message",
    [
        "[" * 16_000,
        '{"event":' * 1500,
        '{"event":"subscribe","data":{"last_sequence":' + "9" * 4000 + "}}",
        '{"event":"subscribe","data":{"last_sequence":1e999}}',
        '{"event":"subscribe","data":{"channels":' + json.dumps(["detections"] * 900) + "}}",
        b"\xff\xfe\x00",
        "\ud7ff\u0000\U0010ffff",
    ],
)
def test_a_message_that_is_too_much_is_refused_and_not_repeated(
    yard: Yard, message: str | bytes
) -> None:
    with socket_of(yard) as client:
        client.send(message)
        assert answers(client)


def test_a_message_longer_than_allowed_ends_the_socket(yard: Yard) -> None:
    with socket_of(yard) as client, pytest.raises(ConnectionClosed) as closed:
        client.send("x" * (yard.world.config.sockets.message_bytes + 1))
        while True:
            client.recv(10)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


def test_text_that_is_no_text_ends_the_socket(yard: Yard) -> None:
    with socket_of(yard) as client:
        # A frame of its own making: FIN and text, masked with zeros, not UTF-8.
        client.socket.sendall(b"\x81" + struct.pack("!B", 0x80 | 2) + b"\0\0\0\0" + b"\xff\xfe")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                client.recv(10)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1007


def test_ten_thousand_subscriptions_are_cut_short(yard: Yard) -> None:
    with socket_of(yard) as client:
        room = json.dumps({"event": "subscribe", "data": {"stream_id": str(yard.world.granted)}})
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(10_000):
                client.send(room)
            while True:
                client.recv(10)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4429


def test_rooms_of_others_are_closed(yard: Yard) -> None:
    for side in ("hidden", "foreign"):
        with socket_of(yard, "viewer") as client:
            place = {"stream_id": yard.sides[side].ids["stream"]}
            client.send(json.dumps({"event": "subscribe", "data": place}))
            told = [json.loads(client.recv(10)) for _ in range(3)][-1]
            assert told["event"] == "error" and "no such stream" in told["data"]["detail"]
        url = yard.world.url.replace("http", "ws", 1) + f"/ws/stream/{place['stream_id']}"
        token = Subprotocol(f"bearer.{yard.world.tokens['viewer']}")
        with connect(url, subprotocols=[Subprotocol("barnhand.v1"), token]) as client:
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(10)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"]
)
def test_a_page_of_another_site_opens_no_socket(yard: Yard, origin: str) -> None:
    with pytest.raises(Exception, match="403"), socket_of(yard, origin=Origin(origin)):
        pass


def test_a_handshake_under_another_name_is_refused(yard: Yard) -> None:
    named = {"additional_headers": {"Host": "evil.example"}}
    with pytest.raises(Exception, match=r"40[03]"), socket_of(yard, **named):
        pass


def test_handshakes_are_counted_like_requests(attacked_config: ApiConfig) -> None:
    rates = RateLimits(**{**PLENTY.model_dump(), "address": Rate(count=5, per_s=3600)})
    live = f"{attacked_config.live_url.rpartition('/')[0]}/3"
    config = attacked_config.model_copy(update={"rates": rates, "live_url": live})
    for url in run_server(config):
        refused = 0
        for _ in range(8):
            try:
                with connect(url.replace("http", "ws", 1) + "/ws"):
                    pass
            except Exception as error:
                assert "403" in str(error)
                refused += 1
        assert refused == 3
        assert httpx.get(f"{url}/healthz").status_code == 429
