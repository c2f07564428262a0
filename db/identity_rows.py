"""What the engine decided about identities, as it travels in a batch and waits in the spool."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from engine.domain.geometry import FloatArray
from engine.domain.identity import (
    CropTaken,
    FeaturesSeen,
    HorseFound,
    IdentityEvent,
    Review,
    ReviewId,
    ReviewKind,
    ReviewRaised,
    Span,
    SpanDecided,
    SpanId,
    SpanWithdrawn,
)
from engine.domain.ids import HorseId, ModelId, StreamId, TrackId
from engine.domain.results import FrameResult
from engine.domain.tracks import TrackState


@dataclass(frozen=True, slots=True)
class Sighting:
    """Detections of one identified track within a batch."""

    horse_id: HorseId
    track_id: TrackId
    stream_id: StreamId
    first_at: datetime
    last_at: datetime
    detections: int


@dataclass(frozen=True, slots=True)
class IdentityRows:
    """Identity events of one batch in their order; of a track's crops only the last."""

    horses: tuple[HorseFound, ...] = ()
    decisions: tuple[SpanDecided | SpanWithdrawn, ...] = ()
    features: tuple[FeaturesSeen, ...] = ()
    crops: tuple[CropTaken, ...] = ()
    reviews: tuple[Review, ...] = ()
    sightings: tuple[Sighting, ...] = ()

    def __bool__(self) -> bool:
        return self.precious or bool(self.crops or self.sightings)

    @property
    def precious(self) -> bool:
        """True when a full spool must keep it whatever else it gives up."""
        return bool(self.horses or self.decisions or self.features or self.reviews)

    @property
    def track_ids(self) -> set[TrackId]:
        """Tracks that must have a row before this can be written."""
        tracks = {decided_track(event) for event in self.decisions}
        tracks |= {event.track_id for event in self.features}
        tracks |= {crop.track_id for crop in self.crops}
        tracks |= {review.track_id for review in self.reviews}
        return tracks | {r.other_track_id for r in self.reviews if r.other_track_id is not None}

    @property
    def horse_ids(self) -> set[HorseId]:
        """Horses that are named."""
        horses = {e.span.horse_id for e in self.decisions if isinstance(e, SpanDecided)}
        horses |= {review.horse_id for review in self.reviews}
        return horses | {sighting.horse_id for sighting in self.sightings}

    def reduced(self) -> IdentityRows:
        """What a full spool keeps: everything but pictures and counts, which come anew."""
        return replace(
            self, crops=(), sightings=tuple(replace(s, detections=0) for s in self.sightings)
        )


NO_IDENTITY_ROWS = IdentityRows()


def decided_track(event: SpanDecided | SpanWithdrawn) -> TrackId:
    """The track that a decision is about."""
    return event.span.track_id if isinstance(event, SpanDecided) else event.track_id


def identity_rows(
    events: Sequence[IdentityEvent], results: Iterable[FrameResult] = ()
) -> IdentityRows:
    """The rows of some events and of the identified tracks in some results."""
    crops = {event.track_id: event for event in events if isinstance(event, CropTaken)}
    return IdentityRows(
        horses=tuple(e for e in events if isinstance(e, HorseFound)),
        decisions=tuple(e for e in events if isinstance(e, SpanDecided | SpanWithdrawn)),
        features=tuple(e for e in events if isinstance(e, FeaturesSeen)),
        crops=tuple(crops.values()),
        reviews=tuple(e.review for e in events if isinstance(e, ReviewRaised)),
        sightings=_sightings(results),
    )


def _sightings(results: Iterable[FrameResult]) -> tuple[Sighting, ...]:
    found: dict[tuple[HorseId, TrackId], Sighting] = {}
    for result in results:
        tracks, stamp = result.tracks, result.stamp
        for row, horse_id in enumerate(tracks.horse_ids):
            if horse_id is None or tracks.states[row] > TrackState.ACTIVE:
                continue
            key = (horse_id, tracks.track_ids[row])
            at = stamp.captured_at
            before = found.get(key)
            found[key] = (
                Sighting(*key, stamp.stream_id, at, at, 1)
                if before is None
                else replace(before, last_at=at, detections=before.detections + 1)
            )
    return tuple(found.values())


# --- on disk -------------------------------------------------------------------------------------


def rows_to_json(rows: IdentityRows) -> dict[str, Any]:
    """The rows as plain JSON values, empty when there are none."""
    if not rows:
        return {}
    return {
        "horses": [
            [str(e.horse_id), str(e.stream_id), e.colour, e.at.isoformat()] for e in rows.horses
        ],
        "decisions": [_decision_to_json(event) for event in rows.decisions],
        "features": [
            [str(e.track_id), str(e.model_id), _packed(e.vectors), int(e.vectors.shape[1]),
             _packed(e.qualities), e.approved, e.at.isoformat()]
            for e in rows.features
        ],
        "crops": [
            [str(e.track_id), _text(e.horse_id), base64.b64encode(e.jpeg).decode(), e.score]
            for e in rows.crops
        ],
        "reviews": [
            [str(r.id), r.kind.value, str(r.track_id), _text(r.other_track_id), str(r.horse_id),
             r.similarity, r.at.isoformat(), str(r.stream_id)]
            for r in rows.reviews
        ],
        "sightings": [
            [str(s.horse_id), str(s.track_id), str(s.stream_id), s.first_at.isoformat(),
             s.last_at.isoformat(), s.detections]
            for s in rows.sightings
        ],
    }  # fmt: skip


def rows_from_json(stored: dict[str, Any]) -> IdentityRows:
    """The rows in such values; ValueError, KeyError or TypeError when they are damaged."""
    if not stored:
        return IdentityRows()
    return IdentityRows(
        horses=tuple(
            HorseFound(HorseId(UUID(horse)), StreamId(UUID(stream)), colour, _instant(at))
            for horse, stream, colour, at in stored["horses"]
        ),
        decisions=tuple(_decision_from_json(fields) for fields in stored["decisions"]),
        features=tuple(
            FeaturesSeen(
                TrackId(UUID(track)), ModelId(model), _unpacked(vectors).reshape(-1, width),
                _unpacked(qualities), approved, _instant(at),
            )
            for track, model, vectors, width, qualities, approved, at in stored["features"]
        ),
        crops=tuple(
            CropTaken(
                TrackId(UUID(track)), None if horse is None else HorseId(UUID(horse)),
                base64.b64decode(jpeg), score,
            )
            for track, horse, jpeg, score in stored["crops"]
        ),
        reviews=tuple(
            Review(
                ReviewId(UUID(review)), ReviewKind(kind), TrackId(UUID(track)),
                None if other is None else TrackId(UUID(other)), HorseId(UUID(horse)), similarity,
                _instant(at), StreamId(UUID(stream)),
            )
            for review, kind, track, other, horse, similarity, at, stream in stored["reviews"]
        ),
        sightings=tuple(
            Sighting(
                HorseId(UUID(horse)), TrackId(UUID(track)), StreamId(UUID(stream)),
                _instant(first), _instant(last), detections,
            )
            for horse, track, stream, first, last, detections in stored["sightings"]
        ),
    )  # fmt: skip


def _decision_to_json(event: SpanDecided | SpanWithdrawn) -> list[Any]:
    if isinstance(event, SpanWithdrawn):
        since = None if event.since is None else event.since.isoformat()
        return [str(event.track_id), str(event.stream_id), event.at.isoformat(), since]
    span = event.span
    return [
        str(span.track_id), str(event.stream_id), str(span.id), str(span.horse_id),
        None if span.start is None else span.start.isoformat(),
        None if span.end is None else span.end.isoformat(),
        span.confidence, span.decided_by, event.similarity,
    ]  # fmt: skip


def _decision_from_json(fields: list[Any]) -> SpanDecided | SpanWithdrawn:
    track, stream = TrackId(UUID(fields[0])), StreamId(UUID(fields[1]))
    if len(fields) == 4:
        since = None if fields[3] is None else _instant(fields[3])
        return SpanWithdrawn(track, stream, _instant(fields[2]), since)
    span_id, horse, start, end, confidence, decided_by, similarity = fields[2:]
    span = Span(
        SpanId(UUID(span_id)), track, HorseId(UUID(horse)),
        None if start is None else _instant(start), None if end is None else _instant(end),
        confidence, decided_by,
    )  # fmt: skip
    return SpanDecided(span, stream, similarity)


def _packed(values: FloatArray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _unpacked(text: str) -> FloatArray:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
