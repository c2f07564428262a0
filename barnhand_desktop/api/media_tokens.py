"""Short-lived signed names of media, for players that cannot send an access token.

A token says what it opens (a stream's playlist, a chunk's video or overlay), for whom, and until
when; nothing in it is a path. It opens nothing that its holder may not see any more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from barnhand_desktop.api.problems import Problem
from engine.domain.ids import StreamId, UserId
from engine.domain.recording import ChunkId

_LAYOUT = struct.Struct(">B16s16s16sQ")
_MAC_BYTES = 20
_PURPOSE = b"barnhand media tokens v1"


class MediaKind(IntEnum):
    """What a token opens."""

    PLAYLIST = 1
    VIDEO = 2
    OVERLAY = 3


@dataclass(frozen=True, slots=True)
class MediaClaims:
    """``chunk_id`` is all zeros for a playlist. ``expires_s``: seconds since the epoch."""

    kind: MediaKind
    user_id: UserId
    stream_id: StreamId
    chunk_id: ChunkId
    expires_s: int


NO_CHUNK = ChunkId(UUID(int=0))


class MediaTokens:
    """Makes and reads them. ``key`` is the API's signing key; another one is derived from it."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.new(key, _PURPOSE, hashlib.sha256).digest()

    def issue(self, claims: MediaClaims) -> str:
        """The token, fit for a URL."""
        body = _LAYOUT.pack(
            claims.kind,
            claims.user_id.bytes,
            claims.stream_id.bytes,
            claims.chunk_id.bytes,
            claims.expires_s,
        )
        return base64.urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()

    def read(self, token: str, kind: MediaKind, now_s: float) -> MediaClaims:
        """What a token says. Problem 403 for one that is not ours, of another kind or expired."""
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (UnicodeEncodeError, binascii.Error, ValueError):
            raise _refused() from None
        body, mac = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        if len(body) != _LAYOUT.size or not hmac.compare_digest(mac, self._mac(body)):
            raise _refused()
        found, user, stream, chunk, expires_s = _LAYOUT.unpack(body)
        if found != kind or now_s >= expires_s:
            raise _refused()
        return MediaClaims(
            kind,
            UserId(UUID(bytes=user)),
            StreamId(UUID(bytes=stream)),
            ChunkId(UUID(bytes=chunk)),
            expires_s,
        )

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()[:_MAC_BYTES]


def _refused() -> Problem:
    return Problem(403, "media_token_refused", "The address has expired or was not made here.")
