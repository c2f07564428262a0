"""Who listens to which stream, what is still buffered, and what each listener gets.

Plain data on one event loop: nothing here waits, so nothing here can be overtaken.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

from barnhand_desktop.api.config import SocketLimits
from db.live.personal import SESSION_REVOKED, USER_ROOM_PREFIX, user_room
from db.live.protocol import FARM_ROOM, decode_event, decode_frequent
from engine.domain.errors import OperatorMistake

_OWN_ROOMS = 1000
"""Rooms of accounts that are buffered at once; the oldest is forgotten."""


class Channel(StrEnum):
    """The frequent kinds of events, which a subscription names. Rare events (status, alerts,
    identities) reach every subscriber of the room."""

    DETECTIONS = "detections"
    POSES = "poses"
    METRICS = "metrics"


ALL_CHANNELS = frozenset(Channel)
_NEEDS = {
    "detection:update": frozenset({Channel.DETECTIONS, Channel.POSES}),
    "metrics:update": frozenset({Channel.METRICS}),
}


class LiveEvent:
    """One event with its texts, made at most once however many clients get it.

    Of the frequent kinds the data are read only for those who want a part of them.
    """

    def __init__(self, payload: bytes) -> None:
        """Raises OperatorMistake when the bytes hold no event."""
        frequent = decode_frequent(payload)
        message = self.message = frequent or decode_event(payload)
        self._has_data = frequent is None
        own = None if message.user is None else user_room(message.user)
        self.room = own or message.stream_id or FARM_ROOM
        self.sequence = message.sequence
        self._payload = payload
        try:
            self.full = payload.decode()
            """The event as it came."""
        except UnicodeDecodeError as error:
            raise OperatorMistake(f"An event is no text: {error.reason}.") from error

    @cached_property
    def lean(self) -> str:
        """The event without keypoints."""
        message = self.message
        if message.event != "detection:update":
            return self.full
        try:
            told = message.data if self._has_data else decode_event(self._payload).data
        except OperatorMistake:  # of the frequent kinds only the head was read until now
            return self.full
        horses = told.get("horses")
        if not isinstance(horses, list) or not all(isinstance(one, dict) for one in horses):
            return self.full
        data = {
            **told,
            "horses": [
                {name: value for name, value in horse.items() if name != "keypoints"}
                for horse in horses
            ],
        }
        return envelope(message.event, data, message.stream_id, message.timestamp, self.sequence)

    def concerns(self, farm_id: str | None) -> bool:
        """Whether an account of that farm (None: of all farms) may hear it. Events without a
        stream name the farm they are about, or concern every farm."""
        of_a_stream = self.message.stream_id is not None
        about = None if of_a_stream else self.message.data.get("farm_id")
        return about is None or farm_id is None or about == farm_id

    def text_for(self, channels: frozenset[Channel]) -> str | None:
        """What a subscription to ``channels`` gets of this event."""
        needs = _NEEDS.get(self.message.event)
        if needs is not None and not needs & channels:
            return None
        return self.full if Channel.POSES in channels else self.lean


def envelope(
    event: str,
    data: dict[str, Any],
    stream_id: str | None = None,
    timestamp: str | None = None,
    sequence: int | None = None,
) -> str:
    """A message to a client; ``timestamp`` and ``sequence`` only for events of the engine."""
    document: dict[str, Any] = {"event": event, "stream_id": stream_id}
    if timestamp is not None:
        document["timestamp"] = timestamp
    if sequence is not None:
        document["sequence"] = sequence
    document["data"] = data
    return json.dumps(document, separators=(",", ":"))


def kind_of(room: str) -> str:
    """``stream``, ``farm`` or ``user``."""
    if room.startswith(USER_ROOM_PREFIX):
        return "user"
    return "farm" if room == FARM_ROOM else "stream"


def stream_of(room: str) -> str | None:
    """The stream whose room it is, None for others."""
    return room if kind_of(room) == "stream" else None


@dataclass(frozen=True, slots=True)
class Gap:
    """Events ``first`` to ``last`` of a room are lost to a client; None: up to now, unknown."""

    room: str
    first: int
    last: int | None

    @property
    def text(self) -> str:
        """The message that says so."""
        return envelope(
            "gap",
            {
                "room": kind_of(self.room),
                "first_missed": self.first,
                "last_missed": self.last,
            },
            stream_of(self.room),
        )


class ReplayBuffer:
    """The newest events of one room, bounded in number and bytes, without holes."""

    def __init__(self, room: str, limits: SocketLimits) -> None:
        self._room = room
        self._limits = limits
        self._events: deque[LiveEvent] = deque()
        self._bytes = 0
        self.newest: int | None = None

    def add(self, event: LiveEvent) -> Gap | None:
        """Keep an event; the gap before it, if some were missed. A sequence that starts again
        (the live-state server lost its data) forgets what was kept."""
        previous, self.newest = self.newest, event.sequence
        gap: Gap | None = None
        if previous is not None and event.sequence != previous + 1:
            self._events.clear()
            self._bytes = 0
            if event.sequence > previous:
                gap = Gap(self._room, previous + 1, event.sequence - 1)
        self._events.append(event)
        self._bytes += len(event.full)
        while self._events and (
            len(self._events) > self._limits.replay_messages
            or self._bytes > self._limits.replay_bytes
        ):
            self._bytes -= len(self._events.popleft().full)
        return gap

    def after(
        self,
        sequence: int,
        channels: frozenset[Channel],
        newest_known: int | None,
        farm_id: str | None = None,
    ) -> tuple[Gap | None, list[str]]:
        """What a client of a farm (None: of all) that saw ``sequence`` last missed: the gap that
        cannot be filled, and the texts that can. ``newest_known`` is the room's number on the
        server, where it is known."""
        newest = self.newest if newest_known is None else max(newest_known, self.newest or 0)
        if newest is None:
            return Gap(self._room, sequence + 1, None), []
        if newest == sequence:
            return None, []
        if newest < sequence:  # numbering started again
            sequence = 0
        events, texts = self._newest_that_fit(sequence, channels, farm_id)
        oldest = events[0].sequence if events else newest + 1
        gap = Gap(self._room, sequence + 1, oldest - 1) if oldest > sequence + 1 else None
        return gap, texts

    def _newest_that_fit(
        self, sequence: int, channels: frozenset[Channel], farm_id: str | None
    ) -> tuple[list[LiveEvent], list[str]]:
        """Events after ``sequence`` that fill at most half of a client's queue, oldest first."""
        events: list[LiveEvent] = []
        texts: list[str] = []
        size = 0
        for event in reversed(self._events):
            text = event.text_for(channels) if event.concerns(farm_id) else None
            size += len(text or "")
            if (
                event.sequence <= sequence
                or len(texts) >= self._limits.queue_messages // 2
                or size > self._limits.queue_bytes // 2
            ):
                break
            events.append(event)
            if text is not None:
                texts.append(text)
        return events[::-1], texts[::-1]


class Listener:
    """One client as the rooms see it: a bounded queue and what it subscribed to.

    ``visible`` are the streams it may see; ``sees_farm`` whether events of no stream reach it,
    ``farm_id`` of which farm (None: of all). ``own_room`` is its account's; ``judge_again`` is
    called when something happened to the account, ``give_up`` once the queue has overflowed.
    """

    def __init__(self, subject: str, limits: SocketLimits, username: str = "") -> None:
        self.subject = subject
        self.own_room = user_room(username)
        self.judge_again: Callable[[], object] = lambda: None
        self.give_up: Callable[[], object] = lambda: None
        self.visible: frozenset[str] = frozenset()
        self.sees_farm = False
        self.farm_id: str | None = None
        self.subscriptions: dict[str, frozenset[Channel]] = {}
        self.overflowed = False
        self._limits = limits
        self._texts: deque[str] = deque()
        self._bytes = 0

    def offer(self, text: str) -> bool:
        """Queue a text; False, and nothing more is taken, once the reader is too slow."""
        if self.overflowed:
            return False
        if (
            len(self._texts) >= self._limits.queue_messages
            or self._bytes + len(text) > self._limits.queue_bytes
        ):
            self.overflowed = True
            self._texts.clear()
            self._bytes = 0
            self.give_up()
            return False
        self._texts.append(text)
        self._bytes += len(text)
        return True

    def take(self) -> str | None:
        """The oldest text that waits."""
        if not self._texts:
            return None
        text = self._texts.popleft()
        self._bytes -= len(text)
        return text

    def of(self, farm_id: UUID | None, sees_farm: bool) -> None:
        """Take over what the account may hear: of which farm, and whether beyond its streams."""
        self.farm_id = None if farm_id is None else str(farm_id)
        self.sees_farm = sees_farm

    def channels_for(self, room: str) -> frozenset[Channel] | None:
        """What the client wants of a room: by its own subscription, else by the farm's."""
        if room == FARM_ROOM:
            return self.subscriptions.get(FARM_ROOM) if self.sees_farm else None
        if room == self.own_room:
            return self.subscriptions.get(room)
        if room not in self.visible:
            return None
        return self.subscriptions.get(room, self.subscriptions.get(FARM_ROOM))


class Rooms:
    """Every listener and every buffer; ``publish`` names the listeners that have something new."""

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._buffers: dict[str, ReplayBuffer] = {}
        self.listeners: set[Listener] = set()

    def buffer(self, room: str) -> ReplayBuffer:
        """The room's buffer, made when first asked for."""
        if room not in self._buffers:
            if kind_of(room) == "user":
                own = [name for name in self._buffers if kind_of(name) == "user"]
                self.forget(own[: max(len(own) + 1 - _OWN_ROOMS, 0)])
            self._buffers[room] = ReplayBuffer(room, self._limits)
        return self._buffers[room]

    def forget(self, rooms: Iterable[str]) -> None:
        """Drop the buffers of rooms that are gone."""
        for room in rooms:
            self._buffers.pop(room, None)

    @property
    def names(self) -> frozenset[str]:
        """Rooms with a buffer."""
        return frozenset(self._buffers)

    def publish(self, event: LiveEvent) -> Iterator[Listener]:
        """Buffer and queue an event; the listeners to wake."""
        gap = self.buffer(event.room).add(event)
        for listener in self.listeners:
            if event.message.event == SESSION_REVOKED and event.room == listener.own_room:
                listener.judge_again()
            channels = listener.channels_for(event.room)
            if channels is None or not event.concerns(listener.farm_id):
                continue
            text = event.text_for(channels)
            if text is None:
                continue
            if gap is not None:
                listener.offer(gap.text)
            listener.offer(text)
            yield listener

    def announce(self, text: str) -> Iterator[Listener]:
        """Queue a message to everyone; the listeners to wake."""
        for listener in self.listeners:
            listener.offer(text)
            yield listener
