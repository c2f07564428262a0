"""Live events over the WebSocket, with reconnection that misses nothing it could have had.

::

    with barn.events.listen([Room.farm()]) as listening:
        for heard in listening:                      # for ever; reconnects by itself
            match heard:
                case Event(name="alert:raised", data=data):
                    print(data["message"])
                case Gap():
                    ask_for_everything_again()
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from .connection import Connection
from .errors import (
    RateLimited,
    SlowReader,
    SocketClosed,
    SocketRefused,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    Untrusted,
)
from .rooms import (
    Connected,
    Gap,
    Heard,
    LiveState,
    Lost,
    Room,
    RoomName,
    heard,
    subscription,
)
from .subjects.base import Subject
from .trust import secured

_AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_UNAUTHENTICATED, _SLOW = 4401, 4409
_REFUSALS = frozenset({4400, 4401, 4403, 4408, 4429})
_MAX_REPLAYED = 40
"""Rooms that are asked what was missed: a socket may say 60 things in 10 s."""
_MESSAGE_BYTES = 4_000_000


class Events(Subject):
    """``barn.events.listen([...])``: what happens, as it happens."""

    def listen(self, rooms: Sequence[Room]) -> Listening:
        """Listen to rooms; connects when first asked for something. Close it, or use ``with``."""
        return Listening(self._api, rooms)


class Listening:
    """Events of some rooms, as an iterator that does not end by itself.

    For one thread, but ``close`` may be called from any: the iterator ends then. A connection that
    is lost is opened again, and every room is asked for what came after its last event: what is
    still buffered follows, or a ``Gap`` says what is lost. Raises SlowReader when events were not
    taken as fast as they came, SocketRefused when this credential may not listen (an access token
    whose time is up is renewed first), Refused and Untrusted as other calls do.
    """

    def __init__(self, connection: Connection, rooms: Sequence[Room]) -> None:
        if not rooms:
            raise ValueError("there is nothing to listen to")
        self._api = connection
        self._rooms = {room.name: room for room in rooms}
        self._last: dict[RoomName, int] = {}
        self._closing = threading.Event()
        self._held = ExitStack()
        self._socket: ClientConnection | None = None
        self._ready: list[Heard] = []
        self._failures = 0
        self._joined = False
        self._retry_at_s = 0.0
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Heard]:
        while (one := self.next()) is not None:
            yield one

    def close(self) -> None:
        """End it, from any thread."""
        self._closing.set()
        opened = self._socket
        if opened is not None:
            opened.close()

    def next(self, within_s: float | None = None) -> Heard | None:
        """The next thing heard; None when nothing came in time, or after ``close``."""
        ends_s = None if within_s is None else time.monotonic() + within_s
        while not self._closing.is_set():
            if self._ready:
                return self._ready.pop(0)
            if ends_s is not None and time.monotonic() >= ends_s:
                return None
            if self._socket is None:
                self._open(ends_s)
            else:
                self._hear(self._socket, ends_s)
        return None

    # --- the socket ----------------------------------------------------------------------------

    def _open(self, ends_s: float | None) -> None:
        pause_s = self._retry_at_s - time.monotonic()
        if pause_s > 0:
            left_s = pause_s if ends_s is None else min(pause_s, ends_s - time.monotonic())
            self._closing.wait(max(left_s, 0.0))
            return
        try:
            self._token = self._api.bearer()
            self._socket = self._connected()
            self._greet(self._socket)
        except Untrusted:
            raise
        except (OSError, InvalidHandshake, Unreachable, Unavailable, RateLimited) as error:
            self._lose(str(error) or type(error).__name__)
        except ConnectionClosed as error:
            self._closed(error)

    def _connected(self) -> ClientConnection:
        parts = urlsplit(self._api.url)
        host, tls = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        opened = socket.create_connection((host, port), self._api.connect_s)
        if tls:
            opened = secured(opened, host, self._api.trust)
        opened.settimeout(None)
        # The socket is given with its TLS in place, so its address here names none.
        place = f"[{host}]" if ":" in host else host
        return self._held.enter_context(
            connect(
                f"ws://{place}:{port}/ws",
                sock=opened,
                open_timeout=self._api.connect_s,
                close_timeout=1.0,
                compression=None,
                max_size=_MESSAGE_BYTES,
                proxy=None,
            )
        )

    def _greet(self, opened: ClientConnection) -> None:
        _say(opened, {"event": "authenticate", "data": {"token": self._token}})
        welcome = opened.recv(timeout=self._api.connect_s)
        try:
            user = str(json.loads(welcome)["data"]["user"])
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedAnswer(f"{self._api.url}/ws does not welcome as it should.") from error
        self._ready.append(Connected(user, again=self._joined))
        for room in self._wanted():
            last = self._last.get(room.name)
            _say(opened, subscription(room, last))
            if self._joined and last is None:
                self._ready.append(Gap(room.name, None, None))
        self._joined = True
        self._failures = 0

    def _wanted(self) -> list[Room]:
        """The rooms to subscribe to. Streams that were heard over the farm's room are asked for
        first by themselves: only then is it known what came meanwhile."""
        farm = self._rooms.get(("farm", None))
        if farm is None:
            return list(self._rooms.values())
        overheard = [
            Room.stream(name[1], farm.channels)
            for name in self._last
            if name not in self._rooms and name[1] is not None
        ]
        self._ready += [Gap(room.name, None, None) for room in overheard[_MAX_REPLAYED:]]
        return [*overheard[:_MAX_REPLAYED], *self._rooms.values()]

    def _hear(self, opened: ClientConnection, ends_s: float | None) -> None:
        try:
            left_s = None if ends_s is None else max(ends_s - time.monotonic(), 0.0)
            text = opened.recv(timeout=left_s)
        except TimeoutError:
            return
        except ConnectionClosed as error:
            self._closed(error)
            return
        try:
            one = heard(json.loads(text))
        except (KeyError, TypeError, ValueError):
            return
        if one is not None:
            self._note(one)
            self._ready.append(one)

    def _note(self, one: Heard) -> None:
        if isinstance(one, Gap):
            if one.last_missed is not None:
                self._last[one.room] = one.last_missed
        elif not isinstance(one, LiveState | Connected | Lost):
            self._last[one.room] = one.sequence

    def _closed(self, error: ConnectionClosed) -> None:
        """The server ended it: for good, or to be tried again."""
        code = 1006 if error.rcvd is None else error.rcvd.code
        reason = "the connection broke" if error.rcvd is None else error.rcvd.reason
        self._drop()
        if self._closing.is_set():
            return
        if code == _SLOW:
            raise SlowReader(code, reason)
        if code == _UNAUTHENTICATED and self._api.renewed(self._token) is not None:
            self._lose(reason)
            return
        if code in _REFUSALS:
            raise SocketRefused(code, reason)
        if code == 1008 or code == 1009:
            raise SocketClosed(code, reason)
        self._lose(reason or f"closed with {code}")

    def _lose(self, reason: str) -> None:
        self._drop()
        pause_s = _AGAIN_S[min(self._failures, len(_AGAIN_S) - 1)] * random.uniform(0.8, 1.2)
        self._failures += 1
        self._retry_at_s = time.monotonic() + pause_s
        self._ready.append(Lost(reason, pause_s))

    def _drop(self) -> None:
        self._socket = None
        self._held.close()


def _say(opened: ClientConnection, message: dict[str, Any]) -> None:
    opened.send(json.dumps(message))
