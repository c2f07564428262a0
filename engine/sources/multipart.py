"""Cutting single pictures out of a ``multipart/x-mixed-replace`` stream (MJPEG over HTTP)."""

from __future__ import annotations

import re

from engine.domain.errors import SourceUnreachable

PART_AT_MOST_BYTES = 32 * 1024 * 1024
_LENGTH = re.compile(rb"content-length:\s*(\d{1,9})", re.IGNORECASE)
_BOUNDARY = re.compile(r"boundary=\"?([^\";]+)\"?", re.IGNORECASE)
_HEADER_END = b"\r\n\r\n"


def boundary_of(content_type: str) -> bytes:
    """The delimiter line's beginning, from a Content-Type header; cameras disagree on whether the
    stated boundary already has its two dashes."""
    found = _BOUNDARY.search(content_type)
    name = (found[1] if found else "").strip().lstrip("-")
    return b"--" + name.encode("latin-1", "replace")


class PartSplitter:
    """Feed it bytes as they come; it returns the bodies that are complete.

    A part ends by its Content-Length where it states one, else at the next delimiter. Raises
    SourceUnreachable when a part outgrows ``PART_AT_MOST_BYTES``.
    """

    def __init__(self, boundary: bytes) -> None:
        self._boundary = boundary
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Bodies completed by this data, oldest first."""
        self._buffer += data
        bodies: list[bytes] = []
        while (body := self._take()) is not None:
            if body:
                bodies.append(body)
        if len(self._buffer) > PART_AT_MOST_BYTES:
            raise SourceUnreachable("The camera sends a picture that never ends.")
        return bodies

    def _take(self) -> bytes | None:
        start = self._buffer.find(self._boundary)
        if start < 0:
            return None
        header_end = self._buffer.find(_HEADER_END, start)
        if header_end < 0:
            return None
        begin = header_end + len(_HEADER_END)
        stated = _LENGTH.search(self._buffer, start, header_end)
        if stated:
            end = begin + int(stated[1])
            if len(self._buffer) < end:
                return None
        else:
            end = self._buffer.find(self._boundary, begin)
            if end < 0:
                return None
        body = bytes(self._buffer[begin:end])
        del self._buffer[:end]
        return body if stated else body.removesuffix(b"\r\n")
