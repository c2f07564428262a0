"""A typed client of the remote API, for other programs and for the tests.

It stands alone: take the folder, and ``pydantic``, ``requests`` and ``websockets``::

    from barnhand_desktop.client import ApiKey, Barnhand, Pinned

    with Barnhand("https://192.168.1.20:8620", ApiKey(key), Pinned("AB:CD:...")) as barn:
        for horse in barn.horses.list(seen_since=an_hour_ago):
            print(horse.label)

``python -m barnhand_desktop.client --help`` asks from the command line.
"""

from __future__ import annotations

from .barn import Barnhand
from .connection import Connection
from .credentials import ApiKey, Credential, Login
from .errors import (
    ClientError,
    Conflict,
    Forbidden,
    Invalid,
    JobEnded,
    LoginEnded,
    LoginRefused,
    NotFound,
    RateLimited,
    Refused,
    ServerMistake,
    SlowReader,
    SocketClosed,
    SocketRefused,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    Untrusted,
    WaitedTooLong,
)
from .rooms import Connected, Event, Gap, Heard, LiveState, Lost, Room
from .trust import Authority, Pinned, Public

__all__ = [
    "ApiKey",
    "Authority",
    "Barnhand",
    "ClientError",
    "Conflict",
    "Connected",
    "Connection",
    "Credential",
    "Event",
    "Forbidden",
    "Gap",
    "Heard",
    "Invalid",
    "JobEnded",
    "LiveState",
    "Login",
    "LoginEnded",
    "LoginRefused",
    "Lost",
    "NotFound",
    "Pinned",
    "Public",
    "RateLimited",
    "Refused",
    "Room",
    "ServerMistake",
    "SlowReader",
    "SocketClosed",
    "SocketRefused",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "Untrusted",
    "WaitedTooLong",
]
