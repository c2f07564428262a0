"""The live-state adapters (EngineSink, CommandBus) on a real Valkey."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import redis

from db.live.commands import CommandSender, RedisCommandBus
from db.live.protocol import (
    COMMANDS_CHANNEL,
    EVENTS_CHANNEL_PREFIX,
    decode_event,
    events_channel,
    horse_state_key,
    reply_key,
    stream_state_key,
)
from db.live.publisher import LivePublisher, PublisherState
from db.live.state import LiveStateReader
from engine.domain.commands import (
    EngineCommand,
    StartStream,
    StopStream,
    StreamsChanged,
    TakeSnapshot,
)
from engine.domain.errors import NotFound, OperatorMistake, StoreUnavailable
from engine.domain.ids import HorseId, new_stream_id
from engine.domain.notices import Notice, Severity
from engine.domain.streams import StreamHealth, StreamState, StreamStatusChanged
from tests.helpers.frame_results import frame_result
from tests.helpers.motion_results import moving

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEADLINE_S = 20.0


def eventually(condition: Callable[[], Any], what: str) -> None:
    """Wait until ``condition`` holds; fail with ``what`` after a generous limit."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"never happened: {what}"
        threading.Event().wait(0.005)


class Listener:
    """Collects events of a pattern of channels."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url)
        self.subscription: Any = self.client.pubsub()
        self.subscription.psubscribe(f"{EVENTS_CHANNEL_PREFIX}*")
        assert self.subscription.get_message(timeout=DEADLINE_S)["type"] == "psubscribe"

    def take(self, count: int) -> list[Any]:
        found: list[Any] = []
        end = time.monotonic() + DEADLINE_S
        while len(found) < count and time.monotonic() < end:
            message = self.subscription.get_message(timeout=0.5)
            if message is not None:
                found.append((message["channel"].decode(), decode_event(message["data"])))
        assert len(found) == count
        return found

    def close(self) -> None:
        self.subscription.close()
        self.client.close()


@pytest.fixture
def listener(valkey_url: str) -> Iterator[Listener]:
    listener = Listener(valkey_url)
    yield listener
    listener.close()


@pytest.fixture
def publisher(valkey_url: str) -> Iterator[LivePublisher]:
    publisher = LivePublisher(valkey_url)
    publisher.start()
    yield publisher
    assert publisher.stop(10.0) == ()


def test_results_arrive_as_numbered_events_of_their_stream(
    publisher: LivePublisher, listener: Listener
) -> None:
    north, south = new_stream_id(), new_stream_id()
    for number in range(3):
        publisher.on_result(frame_result(north, number, 2))
    publisher.on_result(frame_result(south, 0, 1))
    found = listener.take(4)
    assert [channel for channel, _ in found] == [events_channel(north)] * 3 + [
        events_channel(south)
    ]
    assert [event.sequence for _, event in found] == [1, 2, 3, 1]
    first = found[0][1]
    assert (first.event, first.stream_id) == ("detection:update", str(north))
    assert datetime.fromisoformat(first.timestamp).tzinfo is not None
    assert (first.data["width"], first.data["height"]) == (1920, 1080)
    assert len(first.data["horses"]) == 2
    assert len(first.data["horses"][0]["keypoints"]) == 26


def test_identified_horses_have_a_state_that_ends(
    publisher: LivePublisher, listener: Listener, valkey_url: str
) -> None:
    stream, horse = new_stream_id(), HorseId(uuid4())
    result = frame_result(stream, 7, 2, horse_ids=(horse, None))
    publisher.on_result(result)
    listener.take(1)
    reader = LiveStateReader(valkey_url)
    state = reader.horse(stream, horse)
    assert state is not None
    assert state["bbox_xyxy_px"] == pytest.approx(
        result.tracks.boxes_xyxy_px[0].tolist(), abs=0.051
    )
    assert state["track_id"] == str(result.tracks.track_ids[0])
    with redis.Redis.from_url(valkey_url) as client:
        assert 290 < client.ttl(horse_state_key(stream, horse)) <= 300
    reader.close()


def test_status_and_health_make_the_state_of_a_stream(
    publisher: LivePublisher, listener: Listener, valkey_url: str
) -> None:
    stream = new_stream_id()
    publisher.on_status(StreamStatusChanged(stream, StreamState.OFFLINE, "No picture.", NOW))
    publisher.on_health([StreamHealth(stream, StreamState.OFFLINE, "No picture.", reconnects=3)])
    publisher.on_notice(Notice("a.b", Severity.WARNING, "Look", "Do", NOW))
    (_, status), (room, alert) = listener.take(2)
    assert (status.event, status.data["state"], status.data["reason"]) == (
        "stream:status",
        "offline",
        "No picture.",
    )
    assert (room, alert.event, alert.stream_id) == (events_channel(None), "alert:raised", None)
    assert alert.data["key"] == "a.b" and alert.data["active"] is True
    reader = LiveStateReader(valkey_url)
    eventually(lambda: (reader.stream(stream) or {}).get("health"), "health is published")
    state = reader.stream(stream)
    assert state is not None and state["health"]["reconnects"] == 3
    assert state["state"] == "offline"
    assert reader.stream(new_stream_id()) is None
    reader.close()


def test_numbers_go_on_after_the_publisher_is_replaced(
    publisher: LivePublisher, listener: Listener, valkey_url: str
) -> None:
    stream = new_stream_id()
    publisher.on_result(frame_result(stream, 0, 1))
    listener.take(1)
    second = LivePublisher(valkey_url)
    second.start()
    second.on_result(frame_result(stream, 1, 1))
    assert listener.take(1)[0][1].sequence == 2
    assert second.stop(10.0) == ()


def test_an_orderly_stop_withdraws_the_states(valkey_url: str, listener: Listener) -> None:
    publisher = LivePublisher(valkey_url)
    publisher.start()
    stream = new_stream_id()
    publisher.on_status(StreamStatusChanged(stream, StreamState.ACTIVE, "", NOW))
    listener.take(1)
    assert publisher.stop(10.0) == ()
    assert publisher.state is PublisherState.STOPPED
    with redis.Redis.from_url(valkey_url) as client:
        assert not client.exists(stream_state_key(stream))
    publisher.on_status(StreamStatusChanged(stream, StreamState.ACTIVE, "", NOW))  # never raises


class Bus:
    """A listening command bus that remembers what it heard."""

    def __init__(self, url: str) -> None:
        self.heard: list[EngineCommand] = []
        self.answer: Callable[[EngineCommand], bytes | None] = lambda _: None
        self.bus = RedisCommandBus(url)
        self.bus.listen(self.handle)
        eventually(lambda: self.bus.connected, "the bus subscribes")

    def handle(self, command: EngineCommand) -> bytes | None:
        self.heard.append(command)
        return self.answer(command)


@pytest.fixture
def bus(valkey_url: str) -> Iterator[Bus]:
    bus = Bus(valkey_url)
    yield bus
    bus.bus.close()


@pytest.fixture
def sender(valkey_url: str) -> Iterator[CommandSender]:
    sender = CommandSender(valkey_url)
    yield sender
    sender.close()


def test_commands_arrive_in_order(bus: Bus, sender: CommandSender) -> None:
    stream = new_stream_id()
    given = [StreamsChanged(), StartStream(stream), StopStream(stream)]
    assert [sender.send(command) for command in given] == [1, 1, 1]
    eventually(lambda: len(bus.heard) == 3, "three commands arrive")
    assert bus.heard == given


def test_a_snapshot_comes_back_and_leaves_no_key(
    bus: Bus, sender: CommandSender, valkey_url: str
) -> None:
    stream = new_stream_id()
    picture = bytes(range(256)) * 400
    bus.answer = lambda _: picture
    assert sender.request_snapshot(stream, True, 10.0) == picture
    asked = bus.heard[0]
    assert isinstance(asked, TakeSnapshot)
    assert (asked.stream_id, asked.overlays) == (stream, True)
    with redis.Redis.from_url(valkey_url) as client:
        assert not client.exists(asked.reply_to)


def test_no_picture_is_said_at_once(bus: Bus, sender: CommandSender) -> None:
    assert sender.request_snapshot(new_stream_id(), False, 3600.0) is None


def test_the_engine_with_the_picture_answers_for_all(
    bus: Bus, sender: CommandSender, valkey_url: str
) -> None:
    second = Bus(valkey_url)
    second.answer = lambda _: b"jpeg"
    assert sender.request_snapshot(new_stream_id(), False, 30.0) == b"jpeg"
    second.bus.close()


def test_without_an_engine_nobody_waits(valkey_url: str, sender: CommandSender) -> None:
    assert sender.send(StreamsChanged()) == 0
    assert sender.request_snapshot(new_stream_id(), False, 3600.0) is None


def test_nonsense_and_failing_handlers_do_not_end_the_bus(
    bus: Bus, sender: CommandSender, valkey_url: str
) -> None:
    def fail(command: EngineCommand) -> bytes | None:
        if isinstance(command, TakeSnapshot):
            raise NotFound("no such stream")
        raise RuntimeError("a bug")

    bus.answer = fail
    with redis.Redis.from_url(valkey_url) as client:
        for nonsense in (b"", b"\xff", b"[]", b'{"command":"reboot","stream_id":"x"}'):
            client.publish(COMMANDS_CHANNEL, nonsense)
    sender.send(StreamsChanged())
    assert sender.request_snapshot(new_stream_id(), False, 3600.0) is None
    bus.answer = lambda _: b"jpeg"
    assert sender.request_snapshot(new_stream_id(), False, 10.0) == b"jpeg"


def test_a_reply_is_written_under_reply_keys_only(
    bus: Bus, sender: CommandSender, valkey_url: str
) -> None:
    bus.answer = lambda _: b"x"
    sender.send(TakeSnapshot(new_stream_id(), "horse:1:2:state"))
    good = reply_key("known")
    sender.send(TakeSnapshot(new_stream_id(), good))
    with redis.Redis.from_url(valkey_url) as client:
        eventually(lambda: client.exists(good), "the good reply is written")
        assert 0 < client.ttl(good) <= 10
        assert not client.exists("horse:1:2:state")


def test_an_absent_server_is_a_store_that_is_away() -> None:
    nowhere = "redis://127.0.0.1:1/0"
    sender = CommandSender(nowhere)
    with pytest.raises(StoreUnavailable):
        sender.send(StreamsChanged())
    sender.close()
    reader = LiveStateReader(nowhere)
    with pytest.raises(StoreUnavailable):
        reader.ping()
    reader.close()


def test_a_wrong_password_is_a_mistake(valkey_url: str) -> None:
    head, _, tail = valkey_url.partition("@")
    reader = LiveStateReader(f"{head}wrong@{tail}")
    with pytest.raises(OperatorMistake, match="password"):
        reader.ping()
    reader.close()


def test_what_horses_do_is_told_twice_a_second(valkey_url: str, listener: Listener) -> None:
    stream, horse = new_stream_id(), HorseId(uuid4())
    publisher = LivePublisher(valkey_url)
    publisher.start()
    for number in range(11):
        result = frame_result(stream, number, 1, horse_ids=(horse,))
        publisher.on_result(moving(result))
    publisher.on_result(frame_result(stream, 11, 1))
    events = [event for _, event in listener.take(11 + 3 + 1)]
    told = [event for event in events if event.event == "metrics:update"]
    assert [event.data["frame"] for event in told] == [0, 5, 10]
    assert [event.sequence for event in events] == list(range(1, 16))
    (told_horse,) = told[0].data["horses"]
    assert told_horse["horse_id"] == str(horse)
    words = {name: told_horse[name] for name in ("gait", "action", "posture", "lead")}
    assert words == {"gait": "trot", "action": "running", "posture": "upright", "lead": "left"}
    assert told_horse["speed_mps"] == 3.25 and told_horse["stride_m"] is None
    assert told_horse["angles_deg"]["back"] == 172.5
    assert told_horse["angles_deg"]["hip_left"] is None
    reader = LiveStateReader(valkey_url)
    state = reader.horse(stream, horse)
    assert state is not None
    assert (state["gait"], state["action"], state["speed_mps"]) == ("trot", "running", "3.250")
    publisher.on_result(moving(frame_result(stream, 12, 1, horse_ids=(horse,)), known=False))
    eventually(
        lambda: (reader.horse(stream, horse) or {}).get("gait") == "",
        "what is not known any more is taken back",
    )
    assert publisher.stop() == ()
    reader.close()
