"""What a listener asks for and what it hears."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Channel = Literal["detections", "poses", "metrics"]
ALL_CHANNELS: tuple[Channel, ...] = ("detections", "poses", "metrics")


@dataclass(frozen=True)
class Room:
    """What to listen to. ``channels`` are the frequent kinds of events that are wanted of it;
    status, alerts and identities always come. ``Room.stream(id)``, ``Room.farm()`` (every stream
    that the account sees) and ``Room.user()`` (the account's own jobs and logins) make them."""

    kind: Literal["stream", "farm", "user"]
    stream_id: UUID | None = None
    channels: tuple[Channel, ...] = ALL_CHANNELS

    @classmethod
    def stream(cls, stream_id: UUID, channels: tuple[Channel, ...] = ALL_CHANNELS) -> Room:
        """One camera's room."""
        return cls("stream", stream_id, channels)

    @classmethod
    def farm(cls, channels: tuple[Channel, ...] = ()) -> Room:
        """The farm's room; the rare events only, unless channels are named."""
        return cls("farm", None, channels)

    @classmethod
    def user(cls) -> Room:
        """The account's own room."""
        return cls("user", None, ())

    @property
    def name(self) -> RoomName:
        """What tells rooms apart."""
        return (self.kind, self.stream_id)


RoomName = tuple[str, UUID | None]


@dataclass(frozen=True)
class Event:
    """One event; ``data`` is as the API's manual says for ``name``. ``sequence`` counts within the
    room, with holes where channels were not asked for."""

    name: str
    stream_id: UUID | None
    at: datetime
    sequence: int
    data: dict[str, Any] = field(repr=False)
    user: str | None = None

    @property
    def room(self) -> RoomName:
        """The room it belongs to."""
        if self.user is not None:
            return ("user", None)
        return ("farm", None) if self.stream_id is None else ("stream", self.stream_id)


@dataclass(frozen=True)
class Gap:
    """Events ``first_missed`` to ``last_missed`` of a room are lost; None where it is not known
    which. Ask for the objects again."""

    room: RoomName
    first_missed: int | None
    last_missed: int | None


@dataclass(frozen=True)
class LiveState:
    """``degraded``: the server hears nothing from the engine now, or hears it again."""

    degraded: bool


@dataclass(frozen=True)
class Connected:
    """The socket is open, for the first time or again; what was missed follows."""

    user: str
    again: bool


@dataclass(frozen=True)
class Lost:
    """The socket is gone; it is opened again after ``again_in_s``."""

    reason: str
    again_in_s: float


Heard = Event | Gap | LiveState | Connected | Lost


def subscription(room: Room, last_sequence: int | None) -> dict[str, Any]:
    """The message that subscribes to a room, after ``last_sequence`` where one is known."""
    data: dict[str, Any] = {"channels": list(room.channels)}
    if room.stream_id is not None:
        data["stream_id"] = str(room.stream_id)
    else:
        data["room"] = room.kind
    if last_sequence is not None:
        data["last_sequence"] = last_sequence
    return {"event": "subscribe", "data": data}


def heard(message: dict[str, Any]) -> Event | Gap | LiveState | None:
    """A message as a value; None for answers to what was asked. KeyError, TypeError or ValueError
    for what is no message of this API."""
    name, data = str(message["event"]), message["data"]
    stream_id = None if message.get("stream_id") is None else UUID(str(message["stream_id"]))
    if name == "gap":
        room: RoomName = (str(data["room"]), stream_id)
        return Gap(room, data["first_missed"], data["last_missed"])
    if name == "live_state":
        return LiveState(bool(data["degraded"]))
    if "sequence" not in message:
        return None
    at = datetime.fromisoformat(str(message["timestamp"]))
    return Event(name, stream_id, at, int(message["sequence"]), dict(data), message.get("user"))
