"""What an RTSP server says, checked before FFmpeg hears it: no reply may lead to another server.

FFmpeg follows a 3xx reply to any address by itself and cannot be told not to. The rules are
stricter than RFC 2326 wherever a lenient reader could see other message borders than this one.
"""

from __future__ import annotations

import re

_STATUS = re.compile(rb"RTSP/[12]\.\d (\d{3})(?: .*)?")
_REQUEST = re.compile(rb"[A-Z_]{2,20} \S+ RTSP/[12]\.\d")
_LINE_AT_MOST = 4000
_HEADER_AT_MOST = 65_536
_BODY_AT_MOST = 1_000_000
_FRAME_HEAD = 4


class ReplyRefused(Exception):
    """A reply that leads elsewhere or is none. ``redirect``: it is the former."""

    def __init__(self, redirect: bool) -> None:
        super().__init__("redirect" if redirect else "not RTSP")
        self.redirect = redirect


class RtspReplies:
    """Follows a server's side of one connection: replies, requests and interleaved frames."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._lines = 0
        self._header_bytes = 0
        self._skip = 0
        self._length: int | None = None
        self._frame = bytearray()
        self._in_frame_head = False

    def feed(self, data: bytes) -> None:
        """Look at the next bytes. Raises ReplyRefused; nothing of ``data`` is then to be used."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
            elif self._in_frame_head:
                step = min(_FRAME_HEAD - len(self._frame), len(data) - at)
                self._frame += data[at : at + step]
                at += step
                self._end_frame_head()
            elif not self._line and data[at : at + 1] == b"$":
                if self._lines:  # FFmpeg takes it for a frame in the middle of a header
                    raise ReplyRefused(redirect=False)
                self._in_frame_head = True
                self._frame.clear()
            else:
                at = self._text(data, at)

    def _end_frame_head(self) -> None:
        if len(self._frame) == _FRAME_HEAD:
            self._in_frame_head = False
            self._skip = int.from_bytes(self._frame[2:4], "big")

    def _text(self, data: bytes, at: int) -> int:
        """Take bytes up to the end of a line; where the next one begins."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end
        self._line += data[at:stop]
        self._header_bytes += stop - at + 1
        if len(self._line) > _LINE_AT_MOST or self._header_bytes > _HEADER_AT_MOST:
            raise ReplyRefused(redirect=False)
        if end < 0:
            return stop
        line = bytes(self._line).removesuffix(b"\r")
        self._line.clear()
        if b"\r" in line or b"\x00" in line:
            raise ReplyRefused(redirect=False)
        self._header_line(line)
        return end + 1

    def _header_line(self, line: bytes) -> None:
        if not line:
            if self._lines:
                self._skip = self._length or 0
            self._lines, self._header_bytes, self._length = 0, 0, None
            return
        self._lines += 1
        if self._lines == 1:
            status = _STATUS.fullmatch(line)
            if status is None and _REQUEST.fullmatch(line) is None:
                raise ReplyRefused(redirect=False)
            if status is not None and status[1].startswith(b"3"):
                raise ReplyRefused(redirect=True)
            return
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            text = value.strip()
            fits = name == name.strip() and self._length is None and text.isdigit()
            if not fits or len(text) > 7 or int(text) > _BODY_AT_MOST:
                raise ReplyRefused(redirect=False)
            self._length = int(text)
