"""What a WebSocket client may say, and the codes with which its socket is closed."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

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


class Subscription(_Data):
    """A room: a stream, or without ``stream_id`` every stream the caller sees. ``last_sequence``
    asks for what came after that number."""

    stream_id: UUID | None = None
    channels: list[Channel] = Field(
        default_factory=lambda: sorted(ALL_CHANNELS), max_length=len(Channel)
    )
    last_sequence: int | None = Field(None, ge=0, lt=2**63)

    @property
    def room(self) -> str:
        """The room's name."""
        return FARM_ROOM if self.stream_id is None else str(self.stream_id)


class Room(_Data):
    """A room to leave."""

    stream_id: UUID | None = None

    @property
    def room(self) -> str:
        """The room's name."""
        return FARM_ROOM if self.stream_id is None else str(self.stream_id)


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
