"""What a WebSocket client may say, and the codes with which its socket is closed."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from barnhand_desktop.api.live.rooms import ALL_CHANNELS, Channel
from db.live.protocol import FARM_ROOM
from engine.domain.errors import OperatorMistake


class Close(IntEnum):
    """Close codes of this API (4000 to 4999 are for applications, RFC 6455)."""

    TRY_LATER = 1013
    TOKEN_IN_URL = 4400
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    LATE = 4408
    SLOW_READER = 4409
    TOO_MANY = 4429


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Token(_Data):
    """The first message's token."""

    token: str = Field(max_length=4096, repr=False)


RoomKind = Literal["stream", "farm", "user"]
OWN_ROOM = "user"
"""Stands for the room of the caller's own account."""


class _Named(_Data):
    """``stream_id`` names a stream's room; without it the farm's is meant, or the one that ``room``
    says."""

    stream_id: UUID | None = None
    room: RoomKind | None = None

    @model_validator(mode="after")
    def _fit(self) -> Self:
        of_a_stream = self.stream_id is not None
        if self.room is not None and of_a_stream != (self.room == "stream"):
            raise ValueError("stream_id goes with the room of a stream and with no other")
        return self

    @property
    def name(self) -> str:
        """The room's name; ``OWN_ROOM`` for the account's own."""
        if self.room == OWN_ROOM:
            return OWN_ROOM
        return FARM_ROOM if self.stream_id is None else str(self.stream_id)


class Subscription(_Named):
    """A room: a stream's, the farm's (every stream the caller sees), the account's own.
    ``last_sequence`` asks for what came after that number."""

    channels: list[Channel] = Field(
        default_factory=lambda: sorted(ALL_CHANNELS), max_length=len(Channel)
    )
    last_sequence: int | None = Field(None, ge=0, lt=2**63)


class Room(_Named):
    """A room to leave."""


class Authenticate(_Data):
    """``{"event": "authenticate", "data": {"token": ...}}``"""

    event: Literal["authenticate"]
    data: Token


class Subscribe(_Data):
    """``{"event": "subscribe", "data": {"stream_id": ..., "channels": [...]}}``"""

    event: Literal["subscribe"]
    data: Subscription = Subscription()


class Unsubscribe(_Data):
    """``{"event": "unsubscribe", "data": {"stream_id": ...}}``"""

    event: Literal["unsubscribe"]
    data: Room = Room()


class Ping(_Data):
    """``{"event": "ping"}``; answered with ``pong``."""

    event: Literal["ping"]
    data: dict[str, Any] | None = None


ClientMessage = Annotated[
    Authenticate | Subscribe | Unsubscribe | Ping, Field(discriminator="event")
]
_MESSAGES: TypeAdapter[Authenticate | Subscribe | Unsubscribe | Ping] = TypeAdapter(ClientMessage)


class BadMessage(OperatorMistake):
    """A message that is none of the above."""


def read_message(text: str) -> Authenticate | Subscribe | Unsubscribe | Ping:
    """The message in a text; BadMessage says what is wrong and repeats nothing of it."""
    try:
        return _MESSAGES.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "union_tag_invalid":
            raise BadMessage("event: there is no such event for clients") from error
        place = ".".join(str(part) for part in first["loc"])
        raise BadMessage(f"{place or 'message'}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise BadMessage("The message is not JSON.") from error
