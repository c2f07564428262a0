"""The embedded Valkey, and what the live-state adapters do when it goes and comes back."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from barnhand_desktop.servers.valkey import EmbeddedValkey
from db.live.commands import CommandSender, RedisCommandBus
from db.live.protocol import decode_event, events_channel
from db.live.publisher import LIVE_STATE_AWAY, LivePublisher, PublisherState
from db.live.state import LiveStateReader
from engine.domain.commands import StreamsChanged
from engine.domain.errors import OperatorMistake
from engine.domain.ids import new_stream_id
from engine.domain.notices import Notice
from engine.domain.streams import StreamState, StreamStatusChanged
from tests.helpers.frame_results import START, frame_result
from tests.integration.data.conftest import eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no Valkey for Windows")


@pytest.fixture
def server(own_folder: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(own_folder / "valkey")
    server.start()
    yield server
    server.stop()


def kill(server: EmbeddedValkey) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not server.alive(), "the killed server is seen as gone")


def test_it_is_private_and_keeps_its_address(server: EmbeddedValkey, own_folder: Path) -> None:
    url = server.url
    password = own_folder / "valkey" / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert server.pid is not None
    process = psutil.Process(server.pid)
    assert password.read_text().strip() not in " ".join(process.cmdline())
    assert {line.laddr.ip for line in process.net_connections()} == {"127.0.0.1"}
    wrong = url.replace(password.read_text().strip(), "guess")
    with redis.Redis.from_url(wrong) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    kill(server)
    assert server.start() == url
    server.stop()
    assert server.start() == url


def test_the_second_program_on_a_folder_is_told_and_can_find_the_first(
    server: EmbeddedValkey, own_folder: Path
) -> None:
    second = EmbeddedValkey(own_folder / "valkey")
    with pytest.raises(OperatorMistake, match="is using"):
        second.start()
    assert second.url_if_running() == server.url
    server.stop()
    assert second.url_if_running() is None


def test_a_server_left_by_a_killed_program_is_replaced(own_folder: Path) -> None:
    folder = own_folder / "valkey"
    program = (
        "import sys, pathlib, os\n"
        "from barnhand_desktop.servers.valkey import EmbeddedValkey\n"
        "server = EmbeddedValkey(pathlib.Path(sys.argv[1]))\n"
        "print(server.start(), server.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=100
    )
    url, pid = ended.stdout.split()
    server = EmbeddedValkey(folder)
    assert server.start() == url
    assert server.pid != int(pid)
    server.stop()


def test_live_state_is_rebuilt_after_the_server_lost_it(server: EmbeddedValkey) -> None:
    notices: list[Notice] = []
    publisher = LivePublisher(server.url, notices.append)
    publisher.start()
    reader = LiveStateReader(server.url)
    stream = new_stream_id()
    publisher.on_status(StreamStatusChanged(stream, StreamState.ACTIVE, "", START))
    for number in range(3):
        publisher.on_result(frame_result(stream, number, 1))
    eventually(lambda: publisher.published >= 4, "the first events are out")

    kill(server)
    publisher.on_result(frame_result(stream, 3, 1))
    eventually(lambda: publisher.state is PublisherState.AWAY, "the publisher notices")
    eventually(lambda: notices, "it says so")
    assert (notices[0].key, notices[0].active) == (LIVE_STATE_AWAY, True)

    server.start()
    eventually(lambda: publisher.state is PublisherState.OK, "the publisher is back")
    eventually(lambda: reader.stream(stream), "the state is rebuilt without a new status")
    state = reader.stream(stream)
    assert state is not None and state["state"] == "active"
    assert [notice.active for notice in notices] == [True, False]

    with redis.Redis.from_url(server.url) as client, client.pubsub() as subscription:
        subscription.subscribe(events_channel(stream))
        assert subscription.get_message(timeout=30.0)["type"] == "subscribe"
        publisher.on_result(frame_result(stream, 4, 1))
        message = subscription.get_message(timeout=30.0)
        # Status and three results came before; what was lost meanwhile is a gap, not a repeat.
        assert decode_event(message["data"]).sequence > 4
    reader.close()
    assert publisher.stop(10.0) == ()


def test_the_command_bus_listens_again(server: EmbeddedValkey) -> None:
    heard: list[object] = []
    bus = RedisCommandBus(server.url)
    bus.listen(lambda command: heard.append(command))
    eventually(lambda: bus.connected, "the bus listens")
    kill(server)
    eventually(lambda: not bus.connected, "the bus notices")
    server.start()
    eventually(lambda: bus.connected, "the bus listens again")
    sender = CommandSender(server.url)
    assert sender.send(StreamsChanged()) == 1
    eventually(lambda: heard == [StreamsChanged()], "the command arrives")
    sender.close()
    bus.close()


def test_a_publisher_without_a_server_stops_at_once_and_drops_the_oldest() -> None:
    publisher = LivePublisher("redis://127.0.0.1:1/0")
    publisher.start()
    stream = new_stream_id()
    result = frame_result(stream, 0, 1)
    for _ in range(2000):
        publisher.on_result(result)
    assert publisher.dropped > 0
    eventually(lambda: publisher.state is PublisherState.AWAY, "the publisher notices")
    assert publisher.stop(20.0) == ()
