"""Identities in live state on a real Valkey: events, versions, one numbering for all processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import redis

from db.live.protocol import SEQUENCE_KEY, events_channel, horse_state_key
from db.live.publisher import LivePublisher
from db.live.state import LiveStateReader
from engine.domain.identity import HorseFound, Span, SpanDecided, SpanId, SpanWithdrawn
from engine.domain.ids import HorseId, new_stream_id, new_track_id
from tests.contract.test_live_state import Listener, eventually
from tests.helpers.frame_results import frame_result
from tests.helpers.herd import known, look, snapshot

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def listener(valkey_url: str) -> Iterator[Listener]:
    listener = Listener(valkey_url)
    yield listener
    listener.close()


@pytest.fixture
def publishers(valkey_url: str) -> Iterator[tuple[LivePublisher, LivePublisher]]:
    pair = (LivePublisher(valkey_url), LivePublisher(valkey_url))
    for one in pair:
        one.start()
    yield pair
    for one in pair:
        assert one.stop(10.0) == ()


def test_decisions_are_events_of_their_camera(
    publishers: tuple[LivePublisher, LivePublisher], listener: Listener
) -> None:
    stream, track, horse = new_stream_id(), new_track_id(), HorseId(uuid4())
    publisher = publishers[0]
    publisher.on_identity(HorseFound(horse, stream, 1, NOW))
    span = Span(SpanId(uuid4()), track, horse, None, None, 0.93, "engine")
    publisher.on_identity(SpanDecided(span, stream, 0.93))
    publisher.on_identity(SpanWithdrawn(track, stream, NOW))
    (channel, identified), (_, withdrawn) = listener.take(2)
    assert channel == events_channel(stream)
    assert (identified.event, identified.stream_id) == ("horse:identified", str(stream))
    assert identified.data["horse_id"] == str(horse)
    assert identified.data["track_id"] == str(track)
    assert identified.data["similarity"] == 0.93
    assert (withdrawn.event, withdrawn.data["horse_id"]) == ("track:updated", None)
    assert [identified.sequence, withdrawn.sequence] == [1, 2]


def test_several_processes_number_one_channel_without_gap_or_repeat(
    publishers: tuple[LivePublisher, LivePublisher], listener: Listener
) -> None:
    stream = new_stream_id()
    for number in range(100):
        for publisher in publishers:
            publisher.on_result(frame_result(stream, number, 1, skeleton=None))
    found = listener.take(200)
    assert [event.sequence for _, event in found] == list(range(1, 201))


def test_a_new_horse_is_told_once_by_all_engines(
    publishers: tuple[LivePublisher, LivePublisher], listener: Listener
) -> None:
    old, new = known(look(1)), known(look(2))
    for publisher in publishers:
        publisher.on_registry(snapshot(old))
    for publisher in publishers:
        publisher.on_registry(snapshot(old, new))
        publisher.on_registry(snapshot(old, new))
    marker = new_stream_id()
    for publisher in publishers:
        eventually(lambda p=publisher: p.published >= 1, "the horse was told")
        publisher.on_result(frame_result(marker, 0, 1))
    events = [event for _, event in listener.take(3)]
    updates = [event for event in events if event.event == "horse:update"]
    assert len(updates) == 1
    assert updates[0].data["horse_id"] == str(new.horse.id)
    assert updates[0].stream_id is None and updates[0].sequence == 1


def test_a_horses_state_has_a_version_that_only_grows(
    publishers: tuple[LivePublisher, LivePublisher], valkey_url: str
) -> None:
    stream, horse, track = new_stream_id(), HorseId(uuid4()), new_track_id()
    for publisher in publishers:
        for number in range(50):
            publisher.on_result(
                frame_result(stream, number, track_ids=(track,), horse_ids=(horse,), skeleton=None)
            )
    reader = LiveStateReader(valkey_url)
    try:
        eventually(
            lambda: (reader.horse(stream, horse) or {}).get("version") == "100", "100 versions"
        )
    finally:
        reader.close()
    with redis.Redis.from_url(valkey_url) as client:
        assert 290 < client.ttl(horse_state_key(stream, horse)) <= 300


def test_a_server_that_forgot_everything_does_not_count_from_one_again(
    publishers: tuple[LivePublisher, LivePublisher], listener: Listener, valkey_url: str
) -> None:
    stream, publisher = new_stream_id(), publishers[0]
    for number in range(5):
        publisher.on_result(frame_result(stream, number, 1))
    listener.take(5)
    eventually(lambda: publisher.published == 5, "all were counted")
    with redis.Redis.from_url(valkey_url) as client:
        client.delete(SEQUENCE_KEY)
    publisher.on_result(frame_result(stream, 5, 1))
    ((_, event),) = listener.take(1)
    assert event.sequence == 6
