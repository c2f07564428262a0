"""Recorded chunks: list, one, its video, its overlay, evidence lock."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Header, Query, Response
from fastapi.responses import JSONResponse

from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.chunk_schemas import ChunkLock, ChunkOut, chunk_out
from barnhand_desktop.api.file_answers import FileAnswer
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere
from barnhand_desktop.api.ownership import own_stream
from barnhand_desktop.api.paging import id_position
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.services import Services
from engine.domain.errors import NotFound, SourceUnreadable
from engine.domain.ids import StreamId
from engine.domain.recording import Chunk, ChunkId, ChunkState
from engine.recording.overlay import document_of, read_overlay


def list_chunks(
    caller: CallerHere,
    services: ServicesHere,
    stream_id: UUID | None = None,
    start_time: schemas.UtcInstant | None = None,
    end_time: schemas.UtcInstant | None = None,
    state: ChunkState | None = None,
    newest_first: bool = True,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> schemas.Page[ChunkOut]:
    """Recorded chunks of the streams the caller sees that reach into the interval; removed ones
    only when ``state`` asks for them."""
    own = own_stream(services, caller, stream_id)
    streams = services.visible_to(caller) if own is None else frozenset({own})
    if not streams:
        return schemas.Page(items=[])
    after = id_position(cursor)
    if after is not None:
        own_chunk(services, caller, after)
    found = services.recordings.chunks.list(
        sorted(streams),
        start_time,
        end_time,
        [] if state is None else [state],
        newest_first,
        limit + 1,
        None if after is None else ChunkId(after),
    )
    more = len(found) > limit
    return schemas.Page(
        items=[chunk_out(chunk) for chunk in found[:limit]],
        next_cursor=schemas.encode_cursor(str(found[limit - 1].id)) if more else None,
    )


def get_chunk(chunk_id: UUID, caller: CallerHere, services: ServicesHere) -> ChunkOut:
    """One recorded chunk."""
    return chunk_out(own_chunk(services, caller, chunk_id))


def video(
    chunk_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
    range_: Annotated[str | None, Header(alias="Range")] = None,
) -> FileAnswer:
    """The chunk's video, fragmented MP4; byte ranges are answered. Who took it is recorded."""
    chunk = own_chunk(services, caller, chunk_id)
    file = services.recordings.video(chunk)
    if range_ is None or range_.replace(" ", "").startswith("bytes=0-"):
        services.audit.record(
            caller, "chunk.download", "chunk", chunk.id, address, {"sha256": chunk.sha256}
        )
    return FileAnswer(file, media_type="video/mp4", filename=_name(chunk))


def overlay(
    chunk_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> Response:
    """What was seen in the chunk, in step with its pictures. Who took it is recorded."""
    chunk = own_chunk(services, caller, chunk_id)
    answer = overlay_answer(services, chunk)
    services.audit.record(caller, "chunk.overlay", "chunk", chunk.id, address)
    return answer


def lock(
    chunk_id: UUID,
    body: ChunkLock,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> ChunkOut:
    """Keep the chunk from retention, or no longer."""
    chunk = own_chunk(services, caller, chunk_id)
    stored = services.recordings.chunks.lock_one(chunk.id, body.locked)
    action = "chunk.lock" if body.locked else "chunk.unlock"
    services.audit.record(caller, action, "chunk", chunk.id, address)
    return chunk_out(stored)


def own_chunk(services: Services, caller: Caller, chunk_id: UUID) -> Chunk:
    """The chunk if the caller sees its stream; Problem 404 otherwise. Those of cameras that were
    taken away are seen by accounts of all farms."""
    try:
        chunk = services.recordings.chunks.get(ChunkId(chunk_id))
    except NotFound:
        raise Problem(404, "not_found", "There is no such recording.") from None
    if caller.farm_id is None and not caller.sees_granted_only:
        return chunk
    if not services.sees(caller, StreamId(chunk.stream_id)):
        raise Problem(404, "not_found", "There is no such recording.")
    return chunk


def overlay_answer(services: Services, chunk: Chunk) -> Response:
    """A chunk's overlay as JSON, finished or as far as it is written."""
    try:
        found = read_overlay(services.recordings.overlay(chunk))
    except (SourceUnreadable, FileNotFoundError):
        raise Problem(404, "not_found", "There is no overlay for this recording.") from None
    return JSONResponse(document_of(found))


def _name(chunk: Chunk) -> str:
    return f"{chunk.start_at:%Y-%m-%d_%H%M%S}_{chunk.id.hex[:8]}.mp4"
