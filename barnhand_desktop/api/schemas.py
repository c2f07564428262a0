"""Bodies of requests and answers. Unknown fields of a request are errors."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, time
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
)

from barnhand_desktop.api.access import Scope
from barnhand_desktop.api.passwords import PASSWORD_MAX
from db.repositories.users import Role
from engine.domain.horses import HorseStatus
from engine.domain.streams import SourceKind, StreamState

ItemT = TypeVar("ItemT")
_NUMBER = re.compile(r"[+-]?[0-9.eE+-]+")


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the instant is outside the calendar") from error


def _no_number(at: object) -> object:
    if isinstance(at, int | float) or (isinstance(at, str) and _NUMBER.fullmatch(at.strip())):
        raise ValueError("an instant is written as in RFC 3339, not as a number")
    return at


Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Username = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$")]
Password = Annotated[SecretStr, Field(min_length=1, max_length=PASSWORD_MAX)]
Credential = Annotated[SecretStr, Field(max_length=256)]
RecordMode = Literal["always", "motion", "off"]
_LOCAL_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"


def _of_the_clock(at: object) -> object:
    if isinstance(at, time) and at.tzinfo is None:
        return at
    if not isinstance(at, str) or re.fullmatch(_LOCAL_TIME, at) is None:
        raise ValueError("a time of the barn's clock is written 22:00 or 22:00:00, no offset")
    return at


LocalTime = Annotated[
    time,
    BeforeValidator(_of_the_clock),
    WithJsonSchema(
        {"type": "string", "pattern": _LOCAL_TIME, "description": "by the barn's clock"}
    ),
]
UtcInstant = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_in_utc)]


class Request(BaseModel):
    """Base of request bodies."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Page(BaseModel, Generic[ItemT]):
    """One page; ``next_cursor`` is null on the last."""

    items: list[ItemT]
    next_cursor: str | None = None


class Login(Request):
    """A name and a password."""

    username: str = Field(min_length=1, max_length=64)
    password: Password


class Refresh(Request):
    """The newest refresh token of a login."""

    refresh_token: SecretStr = Field(min_length=1, max_length=200)


class PasswordChange(Request):
    """A password and the one that replaces it."""

    current_password: Password
    new_password: Password


class Me(BaseModel):
    """The account a request is made by."""

    id: UUID
    username: str
    role: Role
    farm_id: UUID | None
    must_change_password: bool
    scopes: list[str] | None = None


class Tokens(BaseModel):
    """A login: send ``access_token`` as a bearer token, exchange ``refresh_token`` once."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int = Field(description="seconds")
    user: Me


class ApiKeyIn(Request):
    """A key to be made."""

    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    expires_at: UtcInstant | None = None


class ApiKeyOut(BaseModel):
    """A key without its secret."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeyMade(ApiKeyOut):
    """A fresh key; ``key`` is shown this once."""

    key: str


class UserIn(Request):
    """An account to be made; its password must be changed at the first remote login."""

    username: Username
    password: Password
    role: Role
    farm_id: UUID | None = None


class UserChange(Request):
    """New values of an account; ``version`` is the one they were made from."""

    role: Role
    farm_id: UUID | None = None
    enabled: bool
    version: int = Field(ge=1)


class UserOut(BaseModel):
    """An account."""

    id: UUID
    username: str
    role: Role
    farm_id: UUID | None
    enabled: bool
    must_change_password: bool
    created_at: datetime
    last_login_at: datetime | None
    version: int


class Grants(Request):
    """The streams a viewer sees."""

    stream_ids: list[UUID] = Field(max_length=1000)


class StreamStatusOut(BaseModel):
    """How a stream is doing, as the engine last said; rates are per second. ``recording``: on,
    motion, waiting, off or stopped; null where nothing records. ``watched_by`` is the node that
    holds the camera; null where none does, and in lists."""

    state: StreamState | Literal["unknown"]
    reason: str = ""
    fps: float | None = None
    analysed_fps: float | None = None
    latency_ms: float | None = None
    bitrate_bps: float | None = None
    width_px: int | None = None
    height_px: int | None = None
    decoded: int | None = None
    analysed: int | None = None
    dropped: int | None = None
    corrupt: int | None = None
    reconnects: int | None = None
    last_frame_age_s: float | None = None
    retry_in_s: float | None = None
    recording: str | None = None
    watched_by: str | None = None


class StreamIn(Request):
    """A stream to be made. Credentials in the address are split off and stored encrypted."""

    name: Name
    address: str = Field(min_length=1, max_length=2048, repr=False)
    username: Credential = SecretStr("")
    password: Credential = SecretStr("")
    enabled: bool = True
    analysis_fps: float | None = Field(None, gt=0, le=120)
    confidence: float | None = Field(None, ge=0.01, le=0.99)
    loop: bool = True
    realtime: bool = True
    record: RecordMode | None = Field(None, description="null takes the engine's setting")
    farm_id: UUID | None = Field(None, description="only for accounts of no single farm")


class StreamChange(Request):
    """New values of a stream; ``version`` is the one they were made from. Credentials left out
    are kept while scheme, host and port stay the same, else they are forgotten."""

    name: Name
    address: str = Field(min_length=1, max_length=2048, repr=False)
    username: Credential | None = None
    password: Credential | None = None
    enabled: bool = True
    analysis_fps: float | None = Field(None, gt=0, le=120)
    confidence: float | None = Field(None, ge=0.01, le=0.99)
    loop: bool = True
    realtime: bool = True
    record: RecordMode | None = Field(None, description="null takes the engine's setting")
    version: int = Field(ge=1)


class StreamOut(BaseModel):
    """A stream. Its credentials are never told, only whether there are any."""

    id: UUID
    name: str
    kind: SourceKind
    address: str
    has_credentials: bool
    enabled: bool
    analysis_fps: float | None
    confidence: float | None
    loop: bool
    realtime: bool
    record: str | None
    version: int
    status: StreamStatusOut | None = None


class StreamChanged(StreamOut):
    """A stream after a change; ``engine_notified`` is false while the engine is out of reach (it
    reads the change when it comes back). ``push_url`` is where a camera that pushes sends to;
    ``push_key`` is its stream key, told once, when it was made."""

    engine_notified: bool
    push_url: str | None = None
    push_key: str | None = Field(None, repr=False)


class CommandAccepted(BaseModel):
    """The engine was asked; ``stream:status`` events tell what came of it."""

    stream_id: UUID
    command: Literal["start", "stop"]


class DetectionOut(BaseModel):
    """A stored detection; pixels of the camera picture; keypoints are (x, y, score)."""

    at: datetime
    stream_id: UUID
    track_id: UUID
    horse_id: UUID | None
    bbox_xyxy_px: tuple[float, float, float, float]
    score: float
    class_name: str
    skeleton: str | None
    keypoints: dict[str, tuple[float, float, float]]
    flags: int


class HorseOut(BaseModel):
    """A known horse."""

    id: UUID
    farm_id: UUID
    label: str
    name: str | None
    colour_hex: str
    status: HorseStatus
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    version: int


class AuditOut(BaseModel):
    """Who did what to which object."""

    id: int
    at: datetime
    user_id: UUID | None
    username: str
    api_key_id: UUID | None
    action: str
    object_kind: str
    object_id: str | None
    address: str | None
    details: dict[str, Any]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Check(BaseModel):
    """One thing the server depends on."""

    ok: bool
    detail: str = ""


class Readiness(BaseModel):
    """Everything the server depends on."""

    status: Literal["ready"] = "ready"
    checks: dict[str, Check]


def encode_cursor(text: str) -> str:
    """An opaque cursor for a position."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The position in a cursor; ValueError if it is none of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not a cursor") from error
