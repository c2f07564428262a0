"""Whose track it was: spans, the corrections people make to them, and what a correction did.

Detections refer to tracks; a span says that a track belongs to a horse from one instant to
another. A correction moves spans and rewrites no detection. Instants are UTC; None as the start
or end of a span means without limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.horses import Horse
from engine.domain.ids import FarmId, HorseId, ModelId, StreamId, TrackId

SpanId = NewType("SpanId", UUID)
CommandId = NewType("CommandId", UUID)
ReviewId = NewType("ReviewId", UUID)


@dataclass(frozen=True, slots=True)
class Span:
    """``track_id`` belongs to ``horse_id`` from ``start`` (inclusive) to ``end`` (exclusive)."""

    id: SpanId
    track_id: TrackId
    horse_id: HorseId
    start: datetime | None
    end: datetime | None
    confidence: float
    decided_by: str
    """``engine``, or the name of the person."""


# --- corrections -------------------------------------------------------------------------------


class Scope(StrEnum):
    """How far a correction reaches from its instant on."""

    TRACK = "track"
    CAMERA = "camera"
    EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True)
class Merge:
    """``absorbed`` is the same horse as ``kept``; ``fields`` are the profile values chosen where
    both had one (names of ``Profile``)."""

    kept: HorseId
    absorbed: HorseId
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Split:
    """From ``at`` on ``horse_id`` is another horse: ``into``, or a new one (None).

    Scope TRACK needs ``track_id``, CAMERA needs ``stream_id``.
    """

    horse_id: HorseId
    at: datetime
    scope: Scope
    track_id: TrackId | None = None
    stream_id: StreamId | None = None
    into: HorseId | None = None


@dataclass(frozen=True, slots=True)
class Swap:
    """The two were mistaken for each other from ``at`` on, on one camera or on all (None), and on
    all tracks there or only on ``track_ids`` (the two of a crossing)."""

    first: HorseId
    second: HorseId
    at: datetime
    stream_id: StreamId | None = None
    track_ids: tuple[TrackId, ...] = ()


@dataclass(frozen=True, slots=True)
class Reassign:
    """The track, between two instants (None: without limit), is ``horse_id`` or a new horse."""

    track_id: TrackId
    horse_id: HorseId | None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """The track is not that horse; it becomes nobody's and the pair is remembered."""

    track_id: TrackId
    horse_id: HorseId


@dataclass(frozen=True, slots=True)
class Rename:
    """Change profile values by name of ``Profile``."""

    horse_id: HorseId
    changes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Accept:
    """Make a guest a resident (``resident`` True), or a resident a guest again."""

    horse_id: HorseId
    resident: bool = True


Correction = Merge | Split | Swap | Reassign | Reject | Rename | Accept


@dataclass(frozen=True, slots=True)
class Effect:
    """What a correction would change, shown before a person confirms it.

    ``seen_s``: seconds of presence that change hands. ``overlap_s``: seconds during which both
    horses of a merge were visible at once on cameras that do not overlap; ``forbidden`` says in
    words why it cannot be done, empty when it can. ``expected`` are the versions it was computed
    on: pass them to ``apply``.
    """

    horses: int
    tracks: int
    spans: int
    detections: int
    seen_s: float
    overlap_s: float
    forbidden: str
    expected: Mapping[HorseId, int]


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One correction as the history keeps it."""

    id: CommandId
    farm_id: FarmId
    kind: str
    summary: str
    """In words for people, e.g. "merged horse_007 into Bella"."""
    horse_ids: tuple[HorseId, ...]
    created: tuple[HorseId, ...]
    """Horses that the command made."""
    spans: int
    detections: int
    actor: str
    reason: str
    at: datetime
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class TrackStrip:
    """A stretch of one track that belongs to a horse (or to nobody), as strips show it."""

    track_id: TrackId
    stream_id: StreamId
    stream_name: str
    number: int
    horse_id: HorseId | None
    start: datetime
    end: datetime
    detections: int
    confidence: float
    decided_by: str
    has_crop: bool


class ReviewKind(StrEnum):
    """MATCH: is this track that horse? CROSSING: did two horses change places when they met?"""

    MATCH = "match"
    CROSSING = "crossing"


class Verdict(StrEnum):
    """What a person answers: one key each."""

    SAME = "same"
    DIFFERENT = "different"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Review:
    """One open question. ``other_track_id`` is set for crossings only."""

    id: ReviewId
    kind: ReviewKind
    track_id: TrackId
    other_track_id: TrackId | None
    horse_id: HorseId
    similarity: float | None
    at: datetime
    stream_id: StreamId
    deferred: bool = False


@dataclass(frozen=True, slots=True)
class Similar:
    """A horse that looks like the one asked about; ``similarity`` is cosine in 0..1."""

    horse: Horse
    similarity: float


# --- what the engine decides -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HorseFound:
    """The engine met a horse it does not know. The store gives it its number and label."""

    horse_id: HorseId
    stream_id: StreamId
    colour: int
    at: datetime


@dataclass(frozen=True, slots=True)
class SpanDecided:
    """The engine decided whose track this is, over the span's time (None: from its first picture
    on). A later decision on the same track replaces the earlier one over that time, but never one
    that a person made."""

    span: Span
    stream_id: StreamId
    similarity: float | None


@dataclass(frozen=True, slots=True)
class SpanWithdrawn:
    """The engine takes back what it decided on a track, from ``since`` on (None: altogether); what
    a person decided stays."""

    track_id: TrackId
    stream_id: StreamId
    at: datetime
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeaturesSeen:
    """Appearance vectors of a track: float32 (k, D) unit vectors with float32 (k,) qualities in
    0..1. ``approved`` ones may identify other tracks."""

    track_id: TrackId
    model_id: ModelId
    vectors: FloatArray
    qualities: FloatArray
    approved: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class CropTaken:
    """The best picture of a track so far: JPEG of at most 200x200 px and 50 KB. ``score`` is
    confidence times area in px2; a horse's avatar is its best crop."""

    track_id: TrackId
    horse_id: HorseId | None
    jpeg: bytes
    score: float


@dataclass(frozen=True, slots=True)
class ReviewRaised:
    """The engine is not sure and asks a person."""

    review: Review


IdentityEvent = HorseFound | SpanDecided | SpanWithdrawn | FeaturesSeen | CropTaken | ReviewRaised


@dataclass(frozen=True, slots=True)
class KnownHorse:
    """A horse as the engine needs it. ``vectors``: approved unit vectors float32 (k, D) of one
    model. ``streams``: cameras it was seen on, with the newest instant."""

    horse: Horse
    colour: int
    vectors: FloatArray
    streams: Mapping[StreamId, datetime]


@dataclass(frozen=True, slots=True)
class Area:
    """A stall, paddock or other place. ``region``: polygon float32 (P, 2) in 0..1 of the picture,
    None for the whole picture. ``expected``: the horse that lives there."""

    name: str
    kind: str
    stream_id: StreamId | None
    region: FloatArray | None
    expected: HorseId | None


@dataclass(frozen=True, slots=True)
class RegistrySnapshot:
    """Everything the engine knows about identities, read from the store at one moment.

    ``horses``: residents and guests, not merged ones, most recently seen first. ``rejected``:
    pairs that are not the same. ``owners``: current horse of every track that was open or ended
    within the last minutes. ``expected_residents`` None when the farm did not say.
    ``similarity_threshold``: cosine in 0..1 that people set for the farm, None: the model's own.
    ``complete`` False while more horses than these are known and still being read: nobody is new
    yet. ``distances_m``: between what two cameras see, 0 where they overlap, absent where unknown.
    """

    model_id: ModelId | None
    horses: tuple[KnownHorse, ...]
    merged: Mapping[HorseId, HorseId]
    rejected: frozenset[tuple[TrackId, HorseId]]
    owners: Mapping[TrackId, tuple[HorseId | None, str]]
    areas: tuple[Area, ...] = ()
    next_numbers: Mapping[StreamId, int] = field(default_factory=dict)
    expected_residents: int | None = None
    similarity_threshold: float | None = None
    complete: bool = True
    distances_m: Mapping[frozenset[StreamId], float] = field(default_factory=dict)


def no_vectors(dimension: int = 0) -> NDArray[np.float32]:
    """An empty gallery, float32 (0, dimension)."""
    return np.zeros((0, dimension), np.float32)
