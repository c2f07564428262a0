"""How a camera is steered, as it is kept with its stream: ``Stream.extra["ptz"]``.

Imports the domain only, so that the API process may read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.domain.errors import OperatorMistake
from engine.domain.ptz import Authentication, PtzConfig, Wire
from engine.domain.streams import Stream

KEY = "ptz"
"""Where a stream's ``extra`` keeps its camera control."""
DEFAULT_DIALECT = "hi3510"
_SECRET = frozenset({"username", "password", "user", "pwd", "usr", "credentials"})


class _Stored(BaseModel):
    """PtzConfig as JSON. An empty host is the stream's own."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    wire: Wire = Wire.CGI
    dialect: str = DEFAULT_DIALECT
    host: str = Field("", max_length=253, pattern=r"^[^\s/@?#]*$")
    port: int = Field(8080, ge=1, le=65535)
    tls: bool = False
    authentication: Authentication = Authentication.BASIC
    channel: int = Field(0, ge=0, le=255)
    invert_pan: bool = False
    invert_tilt: bool = False
    home_preset: int = Field(1, ge=1, le=8)


def stored_ptz(config: PtzConfig) -> dict[str, object]:
    """The JSON of a configuration, for ``Stream.extra["ptz"]``."""
    return {name: _plain(value) for name, value in asdict(config).items()}


def parsed_ptz(stored: object) -> PtzConfig:
    """The configuration of a JSON object; ``host`` may be empty. Raises OperatorMistake naming
    the field that is wrong; a password in it is refused, it would be kept unencrypted."""
    if not isinstance(stored, Mapping):
        raise OperatorMistake("Camera control is described by an object of fields.")
    if _SECRET & set(stored):
        raise OperatorMistake(
            "Camera control takes the user name and password of its stream.",
            "Enter them in the stream's own fields; they are stored encrypted.",
        )
    try:
        read = _Stored.model_validate(dict(stored))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise OperatorMistake(f"Camera control, {field}: {first['msg']}.") from error
    return PtzConfig(**{field.name: getattr(read, field.name) for field in fields(PtzConfig)})


def ptz_of(stream: Stream) -> PtzConfig | None:
    """How a stream's camera is steered, None when it is not. A host that is not set is the
    stream's own. Raises OperatorMistake."""
    stored = stream.extra.get(KEY)
    if stored is None:
        return None
    config = parsed_ptz(stored)
    if config.host:
        return config
    host = _host(stream.address)
    if not host:
        raise OperatorMistake(
            f"Camera control of {stream.name} needs a host: its address names none.",
            "Enter the camera's host in its camera control settings.",
        )
    return replace(config, host=host)


def with_ptz(stream: Stream, config: PtzConfig | None) -> Stream:
    """The stream with this camera control, or with none."""
    extra = {name: value for name, value in stream.extra.items() if name != KEY}
    if config is not None:
        extra[KEY] = stored_ptz(config)
    return replace(stream, extra=MappingProxyType(extra))


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _plain(value: object) -> object:
    return value.value if isinstance(value, Wire | Authentication) else value
