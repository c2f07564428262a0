"""Bodies of the identity routes: corrections, their effects and history, reviews, horses."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from barnhand_desktop.api.motion_schemas import BoutOut
from barnhand_desktop.api.schemas import HorseOut, Request, UtcInstant
from engine.domain.identity import Scope, Verdict
from engine.domain.motion import BoutKind

Text = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
LongText = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Versions = dict[UUID, Annotated[int, Field(ge=1, le=2**31 - 1)]]


class CorrectionIn(Request):
    """What every correction has. ``dry_run`` answers what would change and changes nothing;
    ``expected`` are horse versions as they were seen (from a dry run): another's change since is a
    409 that names it."""

    reason: LongText = ""
    expected: Versions | None = None
    dry_run: bool = False


class ProfileIn(Request):
    """Profile values to set; what is left out stays, null clears."""

    name: Text | None = None
    breed: Text | None = None
    sex: Text | None = None
    birth_year: int | None = Field(None, ge=1950, le=2100)
    height_cm: int | None = Field(None, ge=40, le=250)
    colour: Text | None = None
    markings: LongText | None = None
    stall: Text | None = None


class MergeIn(CorrectionIn):
    """``absorbed`` is the same horse as ``kept``; ``fields`` settle what both have."""

    kept: UUID
    absorbed: UUID
    fields: ProfileIn | None = None


class SplitIn(CorrectionIn):
    """From ``at`` on the horse is another one: ``into``, or a new horse."""

    horse_id: UUID
    at: UtcInstant
    scope: Scope
    track_id: UUID | None = None
    stream_id: UUID | None = None
    into: UUID | None = None


class SwapIn(CorrectionIn):
    """Two horses change places from ``at`` on, on one camera or on all."""

    first: UUID
    second: UUID
    at: UtcInstant
    stream_id: UUID | None = None


class ReassignIn(CorrectionIn):
    """A track is that horse (null: a new one) between two instants."""

    track_id: UUID
    horse_id: UUID | None = None
    start: UtcInstant | None = None
    end: UtcInstant | None = None


class RejectIn(CorrectionIn):
    """A track is not that horse."""

    track_id: UUID
    horse_id: UUID


class AcceptIn(CorrectionIn):
    """Make a guest a resident, or a resident a guest again."""

    resident: bool = True


class HorseChange(CorrectionIn):
    """New profile values of a horse."""

    changes: ProfileIn


class CommandRef(Request):
    """A correction of the history."""

    command_id: UUID


class EffectOut(BaseModel):
    """What a correction would change. ``forbidden`` says why it cannot be done, empty if it can;
    ``expected`` goes back into the request that does it."""

    horses: int
    tracks: int
    spans: int
    detections: int
    seen_s: float
    overlap_s: float
    forbidden: str
    expected: dict[UUID, int]


class CommandOut(BaseModel):
    """A correction as it was done."""

    command_id: UUID
    farm_id: UUID
    kind: str
    summary: str
    horse_ids: list[UUID]
    created: list[UUID]
    spans: int
    detections: int
    actor: str
    reason: str
    at: UtcInstant
    undone_at: UtcInstant | None
    undone_by: str | None


class CorrectionOut(BaseModel):
    """The answer to a correction: the command, or for a dry run its effect."""

    command: CommandOut | None = None
    effect: EffectOut | None = None


class ReviewOut(BaseModel):
    """Something the engine is not sure of. ``similarity`` is cosine in 0..1."""

    id: UUID
    kind: Literal["match", "crossing"]
    track_id: UUID
    other_track_id: UUID | None
    horse_id: UUID
    similarity: float | None
    at: UtcInstant
    stream_id: UUID
    deferred: bool


class VerdictIn(Request):
    """What a person says to a review."""

    verdict: Verdict


class VerdictOut(BaseModel):
    """The correction that the verdict led to, if any."""

    command: CommandOut | None


class ProfileOut(BaseModel):
    """What people wrote about a horse."""

    name: str | None
    breed: str | None
    sex: str | None
    birth_year: int | None
    height_cm: int | None
    colour: str | None
    markings: str | None
    stall: str | None


class HorseDetail(HorseOut):
    """A horse with its profile. A merged record points at the horse it was merged into."""

    profile: ProfileOut
    first_stream_id: UUID | None
    last_stream_id: UUID | None
    merged_into: UUID | None
    total_detections: int
    has_avatar: bool


class SimilarOut(BaseModel):
    """A horse that looks like the one asked about; cosine similarity in 0..1."""

    horse: HorseOut
    similarity: float


class StripOut(BaseModel):
    """A stretch of one track that belongs to a horse."""

    track_id: UUID
    stream_id: UUID
    number: int
    horse_id: UUID | None
    start: UtcInstant
    end: UtcInstant
    detections: int
    confidence: float
    decided_by: str
    has_crop: bool


class Timeline(BaseModel):
    """Where a horse was (``presence``, newest first) and what it did (``bouts``, oldest first).
    ``lanes`` names what is told; ``complete``: nothing was left out for the limit."""

    horse_id: UUID
    lanes: list[str] = ["presence", *(kind.value for kind in BoutKind)]
    presence: list[StripOut]
    bouts: list[BoutOut]
    complete: bool


class LiveHorse(BaseModel):
    """An identified horse on a camera now, in picture pixels."""

    stream_id: UUID
    horse_id: UUID
    track_id: UUID
    bbox_xyxy_px: tuple[float, float, float, float]
    confidence: float
    score: float
    seen_at: UtcInstant
    state: Literal["active", "lost"]
    gait: str | None = None
    action: str | None = None
    posture: str | None = None
    speed_mps: float | None = None


class HorseTracking(BaseModel):
    """History and appearance of a horse."""

    horse: HorseDetail
    now: list[LiveHorse]
    strips: list[StripOut]
    vectors: dict[str, int]
    """Approved appearance vectors by model."""


class Threshold(BaseModel):
    """``threshold`` is what people set (null: nobody did, and each model's own calibrated value
    counts)."""

    threshold: float | None


class ThresholdIn(Request):
    """Similarity from which a track is taken for a known horse; null goes back to the model's."""

    threshold: float | None = Field(ge=0.0, le=1.0)


class TrackingTimings(BaseModel):
    """``identified_after_s``: from a track's first picture to the engine's stored decision whose it
    is, over the last 7 days, median and 95th percentile; null without any. ``latency_ms``: from
    capture to result by camera, now; empty while the live state is away."""

    identified_after_s_median: float | None
    identified_after_s_p95: float | None
    latency_ms: dict[UUID, float]


class TrackingStats(BaseModel):
    """Counts since the first record. ``review_precision`` is the share of decided questions about
    matches that people answered with "same", null while none was decided."""

    horses: int
    guests: int
    tracks: int
    identified_tracks: int
    by_engine: int
    by_people: int
    reidentifications: int
    corrections: int
    undone: int
    switches_corrected: int
    reviews_open: int
    reviews_same: int
    reviews_different: int
    review_precision: float | None
    timings: TrackingTimings
