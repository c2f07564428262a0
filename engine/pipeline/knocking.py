"""Looking from outside whether a lost camera is back, between the attempts to open it."""

from __future__ import annotations

import socket
from enum import IntEnum

from engine.domain.streams import Stream
from engine.sources.pinned import knocking_place

KNOCK_EVERY_S = 1.0
SILENT_PATIENCE_S = 10.0
"""An attempt at a camera that takes connections and says nothing waits for its time-out, and sees
meanwhile not that the camera is back: so much longer it is only knocked at."""
_TIMEOUT_S = 0.5
_GREETINGS = {
    "rtsp": b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: Barnhand\r\n\r\n",
    "http": b"OPTIONS * HTTP/1.1\r\nHost: camera\r\nConnection: close\r\n\r\n",
}


class Door(IntEnum):
    """What was found, the better the higher: nobody takes connections; somebody takes them and says
    nothing; somebody speaks (or speaks a protocol in which the caller does not begin)."""

    CLOSED = 0
    SILENT = 1
    SPEAKS = 2


class Knocker:
    """Knocks at one stream's server; ``better`` says when it pays to try at once.

    It remembers over attempts how bad things were: a camera may return while an attempt fails.
    """

    def __init__(self, stream: Stream) -> None:
        self._place = knocking_place(stream)
        self._greeting = _GREETINGS.get(stream.address.partition(":")[0].lower(), b"")
        self._worst: Door | None = None

    @property
    def silent(self) -> bool:
        """The server took the last connection and said nothing."""
        return self._worst is Door.SILENT

    def began(self) -> None:
        """The camera gave pictures, and was lost just now: look how bad it is."""
        self._worst = None
        self.better()

    def better(self) -> bool:
        """Knock; True if the server was worse before. Takes up to a second."""
        if self._place is None:
            return False
        door = look(self._place, self._greeting)
        if self._worst is not None and door > self._worst:
            return True
        self._worst = door
        return False


def look(place: tuple[str, int], greeting: bytes) -> Door:
    """Connect, greet and wait for any answer."""
    try:
        with socket.create_connection(place, timeout=_TIMEOUT_S) as connection:
            if not greeting:
                return Door.SPEAKS
            try:
                connection.sendall(greeting)
                connection.recv(1)
            except TimeoutError:
                return Door.SILENT
            return Door.SPEAKS
    except OSError:
        return Door.CLOSED
