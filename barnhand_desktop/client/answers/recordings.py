"""Recorded segments, detections, background work, bookmarks and edits."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from .base import Answer


class Chunk(Answer):
    """One recorded chunk. ``horses``: most seen at once, null until known. ``final``: looked at
    again at full rate."""

    id: UUID
    stream_id: UUID
    start_at: datetime
    end_at: datetime
    duration_s: float
    state: str
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


class Detection(Answer):
    """A stored detection; pixels of the camera picture; keypoints are (x, y, score)."""

    at: datetime
    stream_id: UUID
    track_id: UUID
    horse_id: UUID | None
    bbox_xyxy_px: tuple[float, float, float, float]
    score: float
    class_name: str
    skeleton: str | None
    keypoints: dict[str, tuple[float, float, float]]
    flags: int


class Job(Answer):
    """Background work: ``progress`` in 0..1; ``result`` what it made, once it is done.
    ``workstation``: the one that has the files it needs or made; empty: any may do it."""

    id: UUID
    farm_id: UUID
    kind: str
    title: str
    state: str
    progress: float
    message: str
    actor: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    workstation: str
    part_of: UUID | None
    result: dict[str, Any]


class Bookmark(Answer):
    """A bookmark as it is stored."""

    id: UUID
    farm_id: UUID
    title: str
    start_at: datetime
    end_at: datetime
    stream_ids: tuple[UUID, ...]
    horse_id: UUID | None
    note: str
    locked: bool
    created_by: str
    created_at: datetime


class EditEffect(Answer):
    """What edits would change; ``refused``: why some cannot be done, by their index."""

    detections: int
    tracks: int
    horses: int
    refused: dict[str, str]


class Edit(Answer):
    """Edits that were applied together."""

    id: UUID
    chunk_id: UUID
    summary: str
    actor: str
    at: datetime
    detections: int
    undone_at: datetime | None
    undone_by: str
