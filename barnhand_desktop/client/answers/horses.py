"""The registry: horses, what they look like, where they were."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from .base import Answer


class Horse(Answer):
    """A known horse."""

    id: UUID
    farm_id: UUID
    label: str
    name: str | None
    colour_hex: str
    status: str
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    version: int


class Profile(Answer):
    """What people wrote about a horse."""

    name: str | None
    breed: str | None
    sex: str | None
    birth_year: int | None
    height_cm: int | None
    colour: str | None
    markings: str | None
    stall: str | None


class HorseDetail(Answer):
    """A horse with its profile. A merged record points at the horse it was merged into."""

    id: UUID
    farm_id: UUID
    label: str
    name: str | None
    colour_hex: str
    status: str
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    version: int
    profile: Profile
    first_stream_id: UUID | None
    last_stream_id: UUID | None
    merged_into: UUID | None
    total_detections: int
    has_avatar: bool


class SimilarHorse(Answer):
    """A horse that looks like the one asked about; cosine similarity in 0..1."""

    horse: Horse
    similarity: float


class Strip(Answer):
    """A stretch of one track that belongs to a horse."""

    track_id: UUID
    stream_id: UUID
    number: int
    horse_id: UUID | None
    start: datetime
    end: datetime
    detections: int
    confidence: float
    decided_by: str
    has_crop: bool


class Bout(Answer):
    """A stretch in which a horse did one thing. ``provisional`` ones come from the live analysis
    and are replaced once the recording is analysed; ``open``: it still runs."""

    id: UUID
    track_id: UUID
    stream_id: UUID
    kind: str
    value: str
    start: datetime
    end: datetime
    confidence: float
    provisional: bool
    open: bool


class Timeline(Answer):
    """Where a horse was (``presence``, newest first) and what it did (``bouts``, oldest first).
    ``lanes`` names what is told; ``complete``: nothing was left out for the limit."""

    horse_id: UUID
    lanes: tuple[str, ...] = ("presence", "gait", "action", "posture", "company")
    presence: tuple[Strip, ...]
    bouts: tuple[Bout, ...]
    complete: bool


class LiveHorse(Answer):
    """An identified horse on a camera now, in picture pixels."""

    stream_id: UUID
    horse_id: UUID
    track_id: UUID
    bbox_xyxy_px: tuple[float, float, float, float]
    confidence: float
    score: float
    seen_at: datetime
    state: str
    gait: str | None = None
    action: str | None = None
    posture: str | None = None
    speed_mps: float | None = None


class HorseTracking(Answer):
    """History and appearance of a horse."""

    horse: HorseDetail
    now: tuple[LiveHorse, ...]
    strips: tuple[Strip, ...]
    vectors: dict[str, int]
