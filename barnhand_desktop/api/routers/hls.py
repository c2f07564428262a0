"""Delayed live pictures and recordings for players: HLS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import BASE_PATH
from barnhand_desktop.api.chunk_schemas import PlaylistLink
from barnhand_desktop.api.file_answers import FileAnswer
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere
from barnhand_desktop.api.media_tokens import NO_CHUNK, MediaClaims, MediaKind
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.recordings import LINK_S, LIVE_TOKEN_S
from barnhand_desktop.api.routers.chunks import overlay_answer
from barnhand_desktop.api.services import Services
from db.repositories.users import Role, User
from engine.domain.errors import NotFound
from engine.domain.ids import StreamId, UserId
from engine.domain.recording import Chunk

MEDIA_TYPE = "application/vnd.apple.mpegurl"
Token = Annotated[str, Path(max_length=200)]
_HOUR_S = 3600.0


def playlist(
    stream_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
) -> Response:
    """The stream's playlist: delayed live, or what was recorded between two instants. Addresses in
    it open without log-in for a short time."""
    return _playlist(services, StreamId(stream_id), caller.user_id, start_time, end_time)


def link(stream_id: UUID, caller: CallerHere, services: ServicesHere) -> PlaylistLink:
    """An address of the live playlist for players that cannot log in; good for an hour, and only
    as long as the caller sees the stream."""
    expires_s = int(services.clock.now().timestamp() + LINK_S)
    token = services.recordings.tokens.issue(
        MediaClaims(MediaKind.PLAYLIST, caller.user_id, StreamId(stream_id), NO_CHUNK, expires_s)
    )
    return PlaylistLink(
        url=f"{BASE_PATH}/hls/{token}/playlist.m3u8",
        expires_at=datetime.fromtimestamp(expires_s, UTC),
    )


def signed_playlist(
    token: Token,
    services: ServicesHere,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
) -> Response:
    """The playlist that a link names."""
    claims, _ = _claims(services, token, MediaKind.PLAYLIST)
    return _playlist(services, claims.stream_id, claims.user_id, start_time, end_time)


def signed_video(token: Token, services: ServicesHere, address: AddressHere) -> FileAnswer:
    """A chunk's video; players ask for byte ranges of it. Who took it is recorded once."""
    claims, user = _claims(services, token, MediaKind.VIDEO)
    chunk = _chunk(services, claims)
    file = services.recordings.video(chunk)
    _record(services, user, claims, chunk, address)
    return FileAnswer(file, media_type="video/mp4")


def signed_overlay(token: Token, services: ServicesHere, address: AddressHere) -> Response:
    """A chunk's overlay. Who took it is recorded once."""
    claims, user = _claims(services, token, MediaKind.OVERLAY)
    chunk = _chunk(services, claims)
    answer = overlay_answer(services, chunk)
    _record(services, user, claims, chunk, address)
    return answer


def _record(
    services: Services, user: User, claims: MediaClaims, chunk: Chunk, address: str
) -> None:
    """Note who fetched what: a recording once for each signed address, live pictures of a camera
    once an hour, as a player fetches new ones every few seconds."""
    what = claims.kind.name.lower()
    life_s = claims.expires_s - services.clock.now().timestamp()
    if claims.expires_s <= chunk.start_at.timestamp() + LIVE_TOKEN_S:
        once = f"live:{claims.user_id}:{claims.stream_id}:{what}:{address}"
        action, kind, object_id, life_s = "hls.live", "stream", UUID(str(chunk.stream_id)), _HOUR_S
        details: dict[str, object] = {"what": what, "first_chunk": str(chunk.id)}
    else:
        once = f"chunk:{claims.user_id}:{chunk.id}:{what}:{claims.expires_s}"
        action, kind, object_id = "hls.fetch", "chunk", UUID(str(chunk.id))
        details = {"what": what, "sha256": chunk.sha256}
    if services.firsts.is_first(once, life_s):
        services.audit.record_holder(user, action, kind, object_id, address, details)


def _playlist(
    services: Services,
    stream_id: StreamId,
    user_id: UserId,
    start: datetime | None,
    end: datetime | None,
) -> Response:
    if (start is None) != (end is None):
        raise Problem(422, "range_refused", "A range has a start and an end.")
    if start is None or end is None:
        text = services.recordings.live(stream_id, user_id)
    else:
        text = services.recordings.recorded(stream_id, user_id, start, end)
    return Response(text, media_type=MEDIA_TYPE)


def _claims(services: Services, token: str, kind: MediaKind) -> tuple[MediaClaims, User]:
    """What a token opens and for whom, if its holder still sees the stream."""
    claims = services.recordings.tokens.read(token, kind, services.clock.now().timestamp())
    try:
        user = services.users.get(claims.user_id)
    except NotFound:
        user = None
    granted_only = user is not None and user.role is Role.VIEWER
    if (
        user is None
        or not user.enabled
        or not services.grants.sees_stream(user.id, user.farm_id, granted_only, claims.stream_id)
    ):
        raise Problem(403, "media_token_refused", "The address has expired or was not made here.")
    return claims, user


def _chunk(services: Services, claims: MediaClaims) -> Chunk:
    chunk = services.recordings.chunks.get(claims.chunk_id)
    if chunk.stream_id != claims.stream_id:
        raise Problem(403, "media_token_refused", "The address has expired or was not made here.")
    return chunk
