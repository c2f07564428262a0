"""Addresses to which cameras and programs push their pictures over RTMP.

Stored as ``rtmp-listen://127.0.0.1:1935/barn``: where this machine listens, and the application's
name. The stream key is the camera's password and never part of a stored address.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from engine.domain.errors import OperatorMistake
from engine.domain.networks import is_loopback

SCHEME = "rtmp-listen"
DEFAULT_PORT = 1935
DEFAULT_APP = "barn"
KEY_AT_LEAST = 12
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY_BYTES = 15


@dataclass(frozen=True, slots=True)
class PushAddress:
    """Where to listen. ``host`` is an address of this machine, ``0.0.0.0`` or ``::`` for all."""

    host: str
    port: int
    app: str

    @property
    def local(self) -> bool:
        """True if only programs on this machine can reach it."""
        return is_loopback(self.host)

    def url(self, host: str = "") -> str:
        """The server address to enter in the camera; ``host`` is this machine as it sees it."""
        name = host or self.host
        return f"rtmp://{f'[{name}]' if ':' in name else name}:{self.port}/{self.app}"

    def __str__(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}://{name}:{self.port}/{self.app}"


def new_push_key() -> str:
    """A random stream key of 120 bits, letters and digits that every camera's form takes."""
    return secrets.token_hex(_KEY_BYTES)


def read_push_address(text: str) -> tuple[PushAddress, str]:
    """A typed address as where to listen and the key in it ("" if there is none).

    Host, port and application may be left out. Raises OperatorMistake saying what is wrong.
    """
    text = text.strip()
    if not text.lower().startswith(f"{SCHEME}:"):
        raise OperatorMistake(
            "This is no address to push to.", f"Write {SCHEME}://127.0.0.1:{DEFAULT_PORT}/barn."
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "127.0.0.1", parts.port or DEFAULT_PORT
        host = "127.0.0.1" if host == "localhost" else host
        is_loopback(host)
    except ValueError as error:
        raise OperatorMistake(
            "The host of an address to push to is an address of this machine.",
            "Write 127.0.0.1, or 0.0.0.0 for all of this machine's networks.",
        ) from error
    app, _, key = unquote(parts.path).strip("/").partition("/")
    app = app or DEFAULT_APP
    if not _NAME.fullmatch(app) or (key and not _NAME.fullmatch(key)) or parts.query:
        raise OperatorMistake(
            "The application and the key are letters, digits, - and _ only.",
            f"Example: {SCHEME}://127.0.0.1:{DEFAULT_PORT}/{DEFAULT_APP}",
        )
    return PushAddress(host, port, app), key


def require_push_key(key: str) -> str:
    """The key, if it is one that may be used. Raises OperatorMistake."""
    if len(key) < KEY_AT_LEAST or not _NAME.fullmatch(key):
        raise OperatorMistake(
            f"A stream key has {KEY_AT_LEAST} to 64 letters, digits, - and _.",
            "Leave it empty to have one made.",
        )
    return key
