"""Listening through the client: reconnection, replay, gaps, refusals and slow readers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from barnhand_desktop.api.config import SocketLimits
from barnhand_desktop.client import (
    ApiKey,
    Barnhand,
    Connected,
    Event,
    Gap,
    Heard,
    LiveState,
    Login,
    LoginEnded,
    Lost,
    Room,
    SlowReader,
    SocketRefused,
)
from barnhand_desktop.client.events import Listening
from db.live.protocol import SEQUENCE_KEY, EventMessage, encode_event, events_channel
from engine.domain.ids import StreamId
from tests.fixtures_api import PASSWORD, WaitUntil, run_server
from tests.fixtures_document import Barn
from tests.helpers.cut_connections import Relay

Publish = Callable[..., int]


@pytest.fixture
def publish(stocked: Barn, wait_until: WaitUntil) -> Publish:
    """Publishes as the engine's publisher does: numbered by channel, number and event together."""
    live = stocked.world.redis
    wait_until(lambda: live.pubsub_numpat() >= 1)

    def one(stream_id: StreamId | None, event: str = "stream:status", pad: int = 0) -> int:
        channel = events_channel(stream_id)
        sequence = int(live.hget(SEQUENCE_KEY, channel) or 0) + 1
        told = None if stream_id is None else str(stream_id)
        at = "2026-11-01T00:00:00+00:00"
        message = EventMessage(event, told, at, sequence, {"pad": "x" * pad})
        with live.pipeline(transaction=True) as pipeline:
            pipeline.hset(SEQUENCE_KEY, channel, str(sequence))
            pipeline.publish(channel, encode_event(message))
            pipeline.execute()
        return sequence

    return one


@pytest.fixture
def relay(stocked: Barn) -> Iterator[Relay]:
    with Relay(stocked.world.url) as running:
        yield running


@pytest.fixture
def cut_off(relay: Relay, stocked: Barn) -> Iterator[Barnhand]:
    """A client whose connections can be cut."""
    with Barnhand(relay.url, ApiKey(stocked.world.tokens["root"])) as barn:
        yield barn


def until(listening: Listening, kind: type[Heard], most: int = 500) -> list[Heard]:
    """What is heard up to the first of a kind."""
    heard: list[Heard] = []
    for _ in range(most):
        one = listening.next(within_s=15)
        assert one is not None, f"no {kind.__name__} came, only {heard}"
        heard.append(one)
        if isinstance(one, kind):
            return heard
    raise AssertionError(f"no {kind.__name__} among {most}")


def settled(listening: Listening) -> None:
    """The socket is open and the server has said how it is."""
    until(listening, Connected)
    until(listening, LiveState)


def heard_once(listening: Listening, publish: Publish, stream: StreamId) -> int:
    """Publishes until a subscription that is under way is in force; the number heard."""
    for _ in range(200):
        publish(stream)
        one = listening.next(within_s=0.2)
        if isinstance(one, Event):
            last = one.sequence
            while isinstance(more := listening.next(within_s=0.2), Event):
                last = more.sequence
            return last
    raise AssertionError("nothing was heard")


def test_events_come_as_values(barn: Barnhand, stocked: Barn, publish: Publish) -> None:
    stream = stocked.world.granted
    with barn.events.listen([Room.stream(stream)]) as listening:
        settled(listening)
        last = heard_once(listening, publish, stream)
        publish(stream, "chunk:processed")
        one = until(listening, Event)[-1]
        assert isinstance(one, Event)
        assert (one.name, one.stream_id, one.sequence) == ("chunk:processed", stream, last + 1)
        assert one.at.tzinfo is not None and one.room == ("stream", stream)
        assert listening.next(within_s=0.05) is None


@pytest.mark.parametrize("over_the_farm", [False, True])
def test_after_a_cut_what_was_missed_comes_first(
    cut_off: Barnhand, relay: Relay, stocked: Barn, publish: Publish, over_the_farm: bool
) -> None:
    stream = stocked.world.hidden
    room = Room.farm() if over_the_farm else Room.stream(stream)
    with cut_off.events.listen([room]) as listening:
        settled(listening)
        last = heard_once(listening, publish, stream)
        relay.cut()
        missed = [publish(stream) for _ in range(5)]
        lost, *_, again = until(listening, Connected)
        assert isinstance(lost, Lost) and isinstance(again, Connected) and again.again
        numbers = []
        while len(numbers) < 5:
            one = until(listening, Event)[-1]
            assert isinstance(one, Event) and one.stream_id == stream
            numbers.append(one.sequence)
        assert numbers == missed == list(range(last + 1, last + 6))


def test_what_is_lost_is_a_clear_gap(
    cut_off: Barnhand, relay: Relay, stocked: Barn, publish: Publish
) -> None:
    stream = stocked.world.foreign
    with cut_off.events.listen([Room.stream(stream), Room.user()]) as listening:
        settled(listening)
        last = heard_once(listening, publish, stream)
        relay.cut()
        number = last + 5000
        stocked.world.redis.hset(SEQUENCE_KEY, events_channel(stream), str(number))
        until(listening, Connected)
        gaps = [until(listening, Gap)[-1] for _ in range(2)]
        assert Gap(("user", None), None, None) in gaps, "nothing was known of this room"
        (known,) = (gap for gap in gaps if isinstance(gap, Gap) and gap.room[0] == "stream")
        assert (known.room[1], known.first_missed) == (stream, last + 1)
        assert known.last_missed in (number, None)
        publish(stream)
        one = until(listening, Event)[-1]
        assert isinstance(one, Event) and one.sequence == number + 1


def test_it_ends_when_it_is_closed_from_another_thread(
    barn: Barnhand, wait_until: WaitUntil
) -> None:
    listening = barn.events.listen([Room.farm()])
    heard: list[Heard] = []

    def listen() -> None:
        heard.extend(listening)

    thread = threading.Thread(target=listen, name="listening")
    thread.start()
    wait_until(lambda: any(isinstance(one, LiveState) for one in heard))
    listening.close()
    thread.join(10)
    assert not thread.is_alive()
    assert listening.next() is None


def test_who_may_not_listen_is_told(barn: Barnhand, stocked: Barn) -> None:
    with pytest.raises(ValueError, match="nothing"):
        barn.events.listen([])
    with pytest.raises(ValueError, match="credential"):
        Barnhand(stocked.world.url).events.listen([Room.farm()]).next(1)
    nobody = Barnhand(stocked.world.url, ApiKey("bh_nonsense"))
    with pytest.raises(SocketRefused) as caught:
        nobody.events.listen([Room.farm()]).next(10)
    assert caught.value.code == 4401
    key = barn.api_keys.add("metrics only", ["metrics"])
    with pytest.raises(SocketRefused) as caught:
        Barnhand(stocked.world.url, ApiKey(key.key)).events.listen([Room.farm()]).next(10)
    assert caught.value.code == 4403
    barn.api_keys.revoke(key.id)


def test_a_token_that_ended_is_renewed_and_an_ended_login_is_told(stocked: Barn) -> None:
    login = Login("stranger", PASSWORD)
    with Barnhand(stocked.world.url, login) as barn:
        barn.auth.me()
        login._access = "eyJ.not.good"
        with barn.events.listen([Room.farm()]) as listening:
            settled(listening)
            with Barnhand(stocked.world.url, ApiKey(str(login._access))) as other:
                other.auth.logout()
            with pytest.raises(LoginEnded):
                until(listening, Gap)


@pytest.fixture
def narrow_url(stocked: Barn) -> Iterator[str]:
    """A second server with small queues, on the same stores."""
    limits = SocketLimits(queue_messages=16, farewell_s=2.0)
    yield from run_server(stocked.world.config.model_copy(update={"sockets": limits}))


def test_a_slow_reader_is_told_so(stocked: Barn, narrow_url: str, publish: Publish) -> None:
    stream = stocked.world.granted
    with (
        Barnhand(narrow_url, ApiKey(stocked.world.tokens["root"])) as barn,
        barn.events.listen([Room.stream(UUID(str(stream)))]) as listening,
    ):
        settled(listening)
        heard_once(listening, publish, stream)
        for _ in range(200):
            publish(stream, pad=100_000)
        with pytest.raises(SlowReader):
            until(listening, Gap)
