"""Subscriptions, replay and bounded queues."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from barnhand_desktop.api.config import SocketLimits
from barnhand_desktop.api.live.messages import OWN_ROOM, BadMessage, Subscribe, read_message
from barnhand_desktop.api.live.rooms import (
    ALL_CHANNELS,
    Channel,
    Listener,
    LiveEvent,
    ReplayBuffer,
    Rooms,
)
from db.live.personal import user_room
from db.live.protocol import FARM_ROOM, EventMessage, encode_event
from engine.domain.errors import OperatorMistake

STREAM = "0f3c9a51-7f0e-4c55-9d43-6a1f0f6b2d10"
OTHER = str(uuid4())


def event(
    sequence: int, name: str = "detection:update", stream_id: str | None = STREAM, pad: int = 0
) -> LiveEvent:
    data = {"horses": [{"track_id": "t", "keypoints": {"nose": [1, 2, 0.9]}}], "pad": "x" * pad}
    message = EventMessage(name, stream_id, "2025-01-01T00:00:00+00:00", sequence, data)
    return LiveEvent(encode_event(message))


def listener(
    limits: SocketLimits, *rooms: str, channels: frozenset[Channel] = ALL_CHANNELS
) -> Listener:
    made = Listener("user:1", limits)
    made.visible = frozenset({STREAM})
    made.sees_farm = True
    made.subscriptions = dict.fromkeys(rooms, channels)
    return made


def taken(client: Listener) -> list[dict[str, object]]:
    texts = []
    while (text := client.take()) is not None:
        texts.append(json.loads(text))
    return texts


LIMITS = SocketLimits()


def test_keypoints_come_only_with_the_poses_channel() -> None:
    happened = event(1)
    full = json.loads(happened.text_for(ALL_CHANNELS) or "")
    lean = json.loads(happened.text_for(frozenset({Channel.DETECTIONS})) or "")
    assert full["data"]["horses"][0]["keypoints"] == {"nose": [1, 2, 0.9]}
    assert lean["data"]["horses"] == [{"track_id": "t"}]
    assert {k: v for k, v in full.items() if k != "data"} == {
        k: v for k, v in lean.items() if k != "data"
    }
    assert happened.text_for(frozenset({Channel.METRICS})) is None


@pytest.mark.parametrize("horses", [b'[1,"two"]', b'[{"keypoints":', b'"none"'])
def test_a_damaged_event_ends_nothing(horses: bytes) -> None:
    """Of frequent events only the head is read before somebody wants a part of the rest."""
    head = encode_event(EventMessage("detection:update", str(uuid4()), "now", 1, {}))
    payload = head.removesuffix(b"{}}") + b'{"horses":' + horses + b"}}"
    damaged = LiveEvent(payload)
    assert damaged.text_for(frozenset({Channel.DETECTIONS})) == payload.decode()
    with pytest.raises(OperatorMistake, match="no text"):
        LiveEvent(payload.replace(b"horses", b"hor\xffes"))


def test_rare_events_reach_every_subscription_of_the_room() -> None:
    assert event(1, "stream:status").text_for(frozenset()) is not None


def test_a_listener_gets_what_it_subscribed_to_and_may_see() -> None:
    rooms = Rooms(LIMITS)
    by_stream, by_farm = listener(LIMITS, STREAM), listener(LIMITS, FARM_ROOM)
    stranger, idle = listener(LIMITS, STREAM, OTHER, FARM_ROOM), listener(LIMITS)
    stranger.visible, stranger.sees_farm = frozenset(), False
    rooms.listeners |= {by_stream, by_farm, stranger, idle}
    assert set(rooms.publish(event(1))) == {by_stream, by_farm}
    assert set(rooms.publish(event(1, stream_id=OTHER))) == set()
    assert set(rooms.publish(event(1, "alert:raised", None))) == {by_farm}


def test_a_jump_in_the_numbers_is_told_before_the_event_behind_it() -> None:
    rooms = Rooms(LIMITS)
    client = listener(LIMITS, STREAM)
    rooms.listeners.add(client)
    for sequence in (7, 8, 12):
        list(rooms.publish(event(sequence)))
    told = taken(client)
    assert [message["event"] for message in told] == [
        "detection:update",
        "detection:update",
        "gap",
        "detection:update",
    ]
    assert told[2]["data"] == {"room": "stream", "first_missed": 9, "last_missed": 11}


def replayed(
    buffer: ReplayBuffer, after: int, newest: int | None = None
) -> tuple[object, list[int]]:
    gap, texts = buffer.after(after, ALL_CHANNELS, newest)
    return (
        None if gap is None else (gap.first, gap.last),
        [json.loads(text)["sequence"] for text in texts],
    )


def test_replay_gives_what_is_buffered_or_a_clear_gap() -> None:
    buffer = ReplayBuffer(STREAM, SocketLimits(replay_messages=4))
    assert replayed(buffer, 5) == ((6, None), [])
    assert replayed(buffer, 5, newest=5) == (None, [])
    assert replayed(buffer, 5, newest=9) == ((6, 9), [])
    for sequence in range(1, 11):
        buffer.add(event(sequence))
    assert replayed(buffer, 10) == (None, [])
    assert replayed(buffer, 8) == (None, [9, 10])
    assert replayed(buffer, 6) == (None, [7, 8, 9, 10])
    assert replayed(buffer, 2) == ((3, 6), [7, 8, 9, 10])


def test_replay_after_the_numbering_started_again() -> None:
    buffer = ReplayBuffer(STREAM, LIMITS)
    buffer.add(event(900))
    buffer.add(event(1))
    buffer.add(event(2))
    assert replayed(buffer, 900) == (None, [1, 2])


def test_replay_leaves_room_in_the_queue() -> None:
    limits = SocketLimits(replay_messages=300, queue_messages=16)
    buffer = ReplayBuffer(STREAM, limits)
    for sequence in range(1, 101):
        buffer.add(event(sequence))
    gap, sequences = replayed(buffer, 0)
    assert gap == (1, 92)
    assert sequences == list(range(93, 101))


def test_buffers_are_bounded_in_bytes() -> None:
    buffer = ReplayBuffer(STREAM, SocketLimits(replay_bytes=10_000))
    for sequence in range(1, 101):
        buffer.add(event(sequence, pad=2000))
    _, sequences = replayed(buffer, 0)
    assert sequences == [97, 98, 99, 100]


@pytest.mark.parametrize("pad", [0, 9000])
def test_a_reader_that_takes_nothing_is_marked_and_holds_nothing(pad: int) -> None:
    limits = SocketLimits(queue_messages=8, queue_bytes=40_000)
    rooms = Rooms(limits)
    client = listener(limits, STREAM)
    rooms.listeners.add(client)
    for sequence in range(1, 20):
        list(rooms.publish(event(sequence, pad=pad)))
    assert client.overflowed
    assert client.take() is None
    assert not client.offer("more")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"event": "subscribe", "data": {"stream_id": "canary"}}',
        '{"event": "subscribe", "data": {"channels": ["canary"]}}',
        '{"event": "subscribe", "data": {"last_sequence": -1}}',
        '{"event": "subscribe", "data": {"last_sequence": 1e30}}',
        '{"event": "subscribe", "more": "canary"}',
        '{"event": "canary"}',
        '{"event": ["canary"]}',
        '{"data": {}}',
        "[" * 10_000,
        '{"event": "ping", "data": ' + '{"a":' * 500 + "1" + "}" * 500 + "}",
        "\x00",
        "\ud800",
    ],
)
def test_bad_messages_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read_message(text)
    assert "canary" not in str(caught.value)


def test_a_subscription_without_channels_is_to_all() -> None:
    message = read_message(f'{{"event": "subscribe", "data": {{"stream_id": "{STREAM}"}}}}')
    assert isinstance(message, Subscribe)
    assert set(message.data.channels) == ALL_CHANNELS
    assert message.data.name == STREAM
    farm = read_message('{"event": "subscribe"}')
    assert isinstance(farm, Subscribe)
    assert farm.data.name == FARM_ROOM


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"room": "user"}, OWN_ROOM),
        ({"room": "farm"}, FARM_ROOM),
        ({"room": "stream", "stream_id": STREAM}, STREAM),
        ({"room": "stream"}, None),
        ({"room": "user", "stream_id": STREAM}, None),
        ({"room": "kitchen"}, None),
    ],
)
def test_a_room_is_named_clearly_or_refused(data: dict[str, str], name: str | None) -> None:
    text = json.dumps({"event": "subscribe", "data": data})
    if name is None:
        with pytest.raises(BadMessage):
            read_message(text)
        return
    message = read_message(text)
    assert isinstance(message, Subscribe) and message.data.name == name


def test_own_rooms_are_heard_by_their_account_only_and_are_bounded() -> None:
    rooms = Rooms(SocketLimits())
    anna, ben = (Listener("user:x", SocketLimits(), name) for name in ("anna", "ben"))
    for listener in (anna, ben):
        listener.subscriptions[listener.own_room] = ALL_CHANNELS
        listener.subscriptions[FARM_ROOM] = ALL_CHANNELS
        rooms.listeners.add(listener)
    judged: list[str] = []
    anna.judge_again = lambda: judged.append("anna")
    ben.judge_again = lambda: judged.append("ben")
    at = "2025-01-01T00:00:00+00:00"
    message = EventMessage("session:revoked", None, at, 1, {"reason": "x"}, user="anna")
    event = LiveEvent(encode_event(message))
    assert set(rooms.publish(event)) == {anna} and judged == ["anna"]
    for number in range(1100):
        rooms.buffer(user_room(f"u{number}"))
    rooms.buffer(STREAM)
    assert len(rooms.names) == 1001 and user_room("u1099") in rooms.names
