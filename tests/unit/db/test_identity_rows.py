"""Identity rows survive the spool's bytes, and a full spool keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np

from db.batches import build_batch, decode_batch, encode_batch
from db.identity_rows import identity_rows
from db.spool import Spool
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
from engine.domain.ids import HorseId, ModelId, new_stream_id, new_track_id
from tests.helpers.frame_results import frame_result

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
STREAM, TRACK, HORSE = new_stream_id(), new_track_id(), HorseId(uuid4())


def events() -> list[IdentityEvent]:
    span = Span(SpanId(uuid4()), TRACK, HORSE, NOW, None, 0.91, "engine")
    review = Review(
        ReviewId(uuid4()), ReviewKind.CROSSING, TRACK, new_track_id(), HORSE, None, NOW, STREAM
    )
    vectors = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)
    return [
        HorseFound(HORSE, STREAM, 4, NOW),
        SpanDecided(span, STREAM, 0.87),
        SpanWithdrawn(TRACK, STREAM, NOW, NOW + timedelta(seconds=3)),
        SpanWithdrawn(TRACK, STREAM, NOW),
        FeaturesSeen(TRACK, ModelId("m@1"), vectors, np.ones(3, np.float32), True, NOW),
        CropTaken(TRACK, None, b"worse", 1.0),
        CropTaken(TRACK, HORSE, b"\xff\xd8 jpeg", 2.0),
        ReviewRaised(review),
    ]


def test_everything_comes_back_from_its_bytes() -> None:
    results = [
        frame_result(STREAM, n, track_ids=(TRACK,), horse_ids=(HORSE,), skeleton=None)
        for n in range(3)
    ]
    batch = build_batch(results, events=events())
    again = decode_batch(encode_batch(batch)).identity
    first = batch.identity
    assert (again.horses, again.decisions, again.crops) == (
        first.horses,
        first.decisions,
        first.crops,
    )
    assert (again.reviews, again.sightings) == (first.reviews, first.sightings)
    ((one, other),) = zip(again.features, first.features, strict=True)
    assert (one.track_id, one.model_id, one.approved, one.at) == (
        other.track_id, other.model_id, other.approved, other.at,
    )  # fmt: skip
    assert np.array_equal(one.vectors, other.vectors) and one.vectors.dtype == np.float32
    assert [crop.jpeg for crop in again.crops] == [b"\xff\xd8 jpeg"], "the last crop is the best"
    (sighting,) = again.sightings
    assert (sighting.detections, sighting.horse_id) == (3, HORSE)


def test_a_batch_without_identities_costs_nothing() -> None:
    batch = build_batch([frame_result(STREAM, 0)])
    assert not batch.identity
    assert decode_batch(encode_batch(batch)).identity == batch.identity


def test_a_full_spool_gives_up_detections_tracks_and_pictures_but_no_decision(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "spool.sqlite", limit_bytes=60_000)
    spool.open()
    decided = build_batch([frame_result(STREAM, 0, 3)], events=events())
    spool.put(decided)
    for number in range(1, 200):
        spool.put(build_batch([frame_result(STREAM, number, 5)]))
    kept = spool.oldest()
    assert kept is not None and kept.id == decided.id
    assert kept.row_count == 0 and kept.identity.crops == ()
    assert kept.identity.horses == decided.identity.horses
    assert kept.identity.decisions == decided.identity.decisions
    assert len(kept.identity.features) == 1 and len(kept.identity.reviews) == 1
    spool.close()


def test_lost_results_leave_their_tracks() -> None:
    """A decision must find its track even when the results that began it were dropped."""
    lost = frame_result(STREAM, 0, track_ids=(TRACK,))
    batch = build_batch([], events=events()[:2], lost=[lost])
    assert [track.track_id for track in batch.tracks] == [TRACK]
    assert batch.row_count == 0


def test_what_must_exist_before_is_named() -> None:
    rows = identity_rows(events())
    assert TRACK in rows.track_ids and len(rows.track_ids) == 2
    assert rows.horse_ids == {HORSE}
