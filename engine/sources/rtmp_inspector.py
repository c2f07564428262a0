"""Reads along while a publisher introduces itself to FFmpeg's RTMP server.

FFmpeg's listener takes any application and key. Here the publisher's messages are read before they
are passed on: until it has named the right application and key, nothing but the introduction
passes. Adobe's "Real-Time Messaging Protocol (RTMP) specification 1.0", 5.2 (handshake), 5.3 (chunk
stream), 7.2 (commands); "Action Message Format - AMF 0".
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass, field

_HANDSHAKE_BYTES = 1 + 1536 + 1536
_VERSION = 3
_HEADER_BYTES = (11, 7, 3, 0)
_EXTENDED = 0xFFFFFF
_MESSAGE_AT_MOST = 64 * 1024
_ALL_AT_MOST = 256 * 1024
_CHUNK_STREAMS_AT_MOST = 16
_DEPTH_AT_MOST = 4
_SET_CHUNK_SIZE, _ABORT = 1, 2
_CONTROL = frozenset((3, 4, 5, 6))
_AMF3_COMMAND, _AMF0_COMMAND = 17, 20
_INTRODUCTION = frozenset(
    ("releaseStream", "FCPublish", "createStream", "_checkbw", "getStreamLength", "_result")
)


class PublishRefused(Exception):
    """The publisher is not let in; the text says why, without its key."""


@dataclass(slots=True)
class _ChunkStream:
    """The message that a chunk stream carries now."""

    length: int = 0
    kind: int = 0
    extended: bool = False
    body: bytearray = field(default_factory=bytearray)


class PublishInspector:
    """Takes a publisher's bytes and gives back those that may pass."""

    def __init__(self, app: str, key: str) -> None:
        self._app = app
        self._key = key
        self._held = bytearray()
        self._seen = 0
        self._handshake_left = _HANDSHAKE_BYTES
        self._chunk_bytes = 128
        self._streams: dict[int, _ChunkStream] = {}
        self._app_named = False
        self.authorised = False

    def feed(self, data: bytes) -> bytes:
        """What may pass of what came so far. Raises PublishRefused."""
        if self.authorised:
            return data
        self._seen += len(data)
        self._held += data
        passed = self._handshake()
        while self._handshake_left == 0 and (size := self._chunk()):
            passed += self._held[:size]
            del self._held[:size]
        if self._seen > _ALL_AT_MOST:
            raise PublishRefused("it sent too much before it named its key")
        return bytes(passed)

    def _handshake(self) -> bytearray:
        if self._handshake_left == _HANDSHAKE_BYTES and self._held and self._held[0] != _VERSION:
            raise PublishRefused("it does not speak RTMP")
        size = min(self._handshake_left, len(self._held))
        passed = self._held[:size]
        del self._held[:size]
        self._handshake_left -= size
        return passed

    def _chunk(self) -> int:
        """Read one chunk from the held bytes; its size, 0 if it is not whole yet. Once the key was
        named, everything passes."""
        held = self._held
        if self.authorised:
            return len(held)
        if len(held) < 3:
            return 0
        form, number, at = held[0] >> 6, held[0] & 63, 1
        if number == 0:
            number, at = held[1] + 64, 2
        elif number == 1:
            number, at = int.from_bytes(held[1:3], "little") + 64, 3
        end = at + _HEADER_BYTES[form]
        if len(held) < end:
            return 0
        stream = self._streams.get(number) or _ChunkStream()
        header = held[at:end]
        length, kind, extended = stream.length, stream.kind, stream.extended
        if form < 3:
            extended = int.from_bytes(header[:3], "big") == _EXTENDED
        if form < 2:
            length, kind = int.from_bytes(header[3:6], "big"), header[6]
        if length > _MESSAGE_AT_MOST:
            raise PublishRefused("it sent too long a message")
        end += 4 if extended else 0
        body_end = end + min(self._chunk_bytes, length - len(stream.body))
        if len(held) < body_end:
            return 0
        if form < 3 and stream.body:
            raise PublishRefused("its messages are mixed up")
        if number not in self._streams and len(self._streams) >= _CHUNK_STREAMS_AT_MOST:
            raise PublishRefused("it opened too many chunk streams")
        self._streams[number] = stream
        stream.length, stream.kind, stream.extended = length, kind, extended
        stream.body += held[end:body_end]
        if len(stream.body) >= length:
            body = bytes(stream.body)
            stream.body.clear()
            self._message(kind, body)
        return body_end

    def _message(self, kind: int, body: bytes) -> None:
        if kind == _SET_CHUNK_SIZE and len(body) == 4:
            self._chunk_bytes = max(int.from_bytes(body, "big") & 0x7FFFFFFF, 1)
        elif kind == _ABORT and len(body) == 4:
            if stream := self._streams.get(int.from_bytes(body, "big")):
                stream.body.clear()
        elif kind in (_AMF0_COMMAND, _AMF3_COMMAND):
            try:
                self._command(_amf0_values(body[1:] if kind == _AMF3_COMMAND else body))
            except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
                raise PublishRefused("its commands cannot be read") from error
        elif kind not in _CONTROL:
            raise PublishRefused("it sent pictures before it named its key")

    def _command(self, values: list[object]) -> None:
        name = values[0] if values else ""
        if name == "connect":
            about = values[2] if len(values) > 2 else None
            app = str(about.get("app", "")) if isinstance(about, dict) else ""
            if app.partition("?")[0].strip("/") != self._app:
                raise PublishRefused("it named another application")
            self._app_named = True
        elif name == "publish":
            key = str(values[3]) if len(values) > 3 else ""
            right = hmac.compare_digest(key.partition("?")[0].encode(), self._key.encode())
            if not self._app_named or not right:
                raise PublishRefused("it has the wrong stream key")
            self.authorised = True
        elif name not in _INTRODUCTION:
            raise PublishRefused("it wants something else than to push")


def _amf0_values(data: bytes) -> list[object]:
    values: list[object] = []
    at = 0
    while at < len(data):
        value, at = _amf0_value(data, at, 0)
        values.append(value)
    return values


def _amf0_value(data: bytes, at: int, depth: int) -> tuple[object, int]:
    if depth > _DEPTH_AT_MOST:
        raise ValueError("too deep")
    marker, at = data[at], at + 1
    if marker == 0:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if marker == 1:
        return bool(data[at]), at + 1
    if marker == 2:
        return _amf0_text(data, at, 2)
    if marker == 12:
        return _amf0_text(data, at, 4)
    if marker in (5, 6):
        return None, at
    if marker in (3, 8):
        return _amf0_object(data, at + (4 if marker == 8 else 0), depth)
    raise ValueError("unknown marker")


def _amf0_text(data: bytes, at: int, size_bytes: int) -> tuple[str, int]:
    begin = at + size_bytes
    end = begin + int.from_bytes(data[at:begin], "big")
    if end > len(data):
        raise ValueError("cut off")
    return data[begin:end].decode(), end


def _amf0_object(data: bytes, at: int, depth: int) -> tuple[dict[str, object], int]:
    found: dict[str, object] = {}
    while True:
        name, at = _amf0_text(data, at, 2)
        if not name and data[at] == 9:
            return found, at + 1
        found[name], at = _amf0_value(data, at, depth + 1)
