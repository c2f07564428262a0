"""Bodies of the routes about recorded chunks and HLS."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from barnhand_desktop.api.schemas import Request
from engine.domain.recording import Chunk, ChunkState


class ChunkOut(BaseModel):
    """One recorded chunk. ``horses``: most seen at once, null until known. ``final``: looked at
    again at full rate."""

    id: UUID
    stream_id: UUID
    start_at: datetime
    end_at: datetime
    duration_s: float
    state: ChunkState
    codec: str
    width_px: int
    height_px: int
    size_bytes: int
    sha256: str
    horses: int | None
    moving: bool
    locked: bool
    final: bool
    has_overlay: bool


class ChunkLock(Request):
    """Keep a chunk from retention, or no longer."""

    locked: bool


class PlaylistLink(BaseModel):
    """Where a player finds a stream's playlist without further log-in, until ``expires_at``."""

    url: str
    expires_at: datetime


def chunk_out(chunk: Chunk) -> ChunkOut:
    """A chunk as it is answered; where its files lie is nobody's business."""
    return ChunkOut(
        id=chunk.id,
        stream_id=chunk.stream_id,
        start_at=chunk.start_at,
        end_at=chunk.end_at,
        duration_s=chunk.duration_s,
        state=chunk.state,
        codec=chunk.codec,
        width_px=chunk.width_px,
        height_px=chunk.height_px,
        size_bytes=chunk.size_bytes,
        sha256=chunk.sha256,
        horses=chunk.horses,
        moving=chunk.moving,
        locked=chunk.locked,
        final=chunk.final,
        has_overlay=bool(chunk.overlay_path),
    )
