"""The map of a stretch: a horse's own rows, whole however many parts they are read in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.ids import HorseId, TrackId, new_stream_id, new_track_id
from engine.domain.sessions import HeatMap
from engine.reanalysis.stored import DELETED, Owner, StoredRows, StoredStretch, StoredTrack
from engine.sessions.stretch_map import map_of_camera

CAMERA, BELLA, ZORRO = new_stream_id(), HorseId(uuid4()), HorseId(uuid4())
FIRST, SECOND = new_track_id(), new_track_id()
START = datetime(2026, 5, 1, 9, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def owner(track: TrackId, horse: HorseId, start_s: float, end_s: float) -> Owner:
    return Owner(track, horse, at(start_s), at(end_s), 0)


OWNERS = (
    owner(FIRST, BELLA, 0, 10),
    owner(FIRST, ZORRO, 10, 20),
    owner(SECOND, BELLA, 15, 20),
)
"""Bella is the first track for 10 s and the second one from second 15 on."""


def stretch(start_s: int, end_s: int) -> StoredStretch:
    """Both tracks stand still, each on its place, ten pictures a second; those of second 3 were
    deleted by a person."""
    instants = np.arange(start_s * 10, end_s * 10)
    at_us = np.repeat(instants * 100_000 + int(START.timestamp()) * 1_000_000, 2)
    tracks = np.tile([0, 1], len(instants))
    boxes = np.where(tracks[:, None] == 0, (10, 10, 30, 50), (60, 10, 80, 90)).astype(np.float32)
    deleted = np.repeat(instants // 10 == 3, 2)
    return StoredStretch(
        (StoredTrack(FIRST, 1, 0), StoredTrack(SECOND, 2, 0)),
        StoredRows(at_us, tracks, boxes, np.where(deleted, DELETED, 0).astype(np.int16)),
        OWNERS,
    )


def map_of(*stretches: StoredStretch, horse: HorseId = BELLA) -> HeatMap | None:
    return map_of_camera(CAMERA, stretches, horse, {}, (100, 100))


def test_only_the_horses_own_rows_count_while_they_are_its_own() -> None:
    whole, other = map_of(stretch(0, 20)), map_of(stretch(0, 20), horse=ZORRO)
    assert whole is not None and other is not None
    # 10 s without the deleted one, and 5 s; of the pause between them one longest step counts.
    assert float(whole.seconds.sum()) == pytest.approx(14.0 + 1.0, abs=1.2)
    assert np.count_nonzero(whole.seconds) == 2 and np.count_nonzero(other.seconds) == 1
    assert float(other.seconds.sum()) == pytest.approx(10.0, abs=0.2)


def test_parts_make_the_same_map_as_the_whole() -> None:
    whole = map_of(stretch(0, 20))
    parts = map_of(stretch(0, 4), stretch(4, 13), stretch(13, 14), stretch(14, 20))
    assert whole is not None and parts is not None
    assert parts.bounds == whole.bounds
    np.testing.assert_array_equal(parts.seconds, whole.seconds)


def test_a_horse_that_was_not_seen_has_no_map() -> None:
    assert map_of(stretch(0, 20), horse=HorseId(uuid4())) is None
    assert map_of() is None
