"""A track's appearance set: what gets in, what stays, and what the identity stage reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, TrackId, new_stream_id
from engine.domain.tracks import TrackBatch
from engine.settings import TrackingSettings
from engine.tracking.gallery import CAPACITY, Galleries
from engine.tracking.tracker import Tracker

FIRST = np.array([0])
BLAZE, STAR = HorseId(UUID(int=1)), HorseId(UUID(int=2))
START = datetime(2026, 3, 1, tzinfo=UTC)


def unit(*values: float) -> FloatArray:
    vector = np.array([values], np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def offered(*vectors: FloatArray, quality: float = 0.9) -> Galleries:
    sets = Galleries()
    sets.add(1)
    for vector in vectors:
        sets.offer(FIRST, vector, np.array([quality], np.float32))
    return sets


def test_a_look_is_kept_once_in_its_best_quality() -> None:
    sets = offered(unit(1, 0, 0))
    sets.offer(FIRST, unit(1, 0.01, 0), np.array([0.5], np.float32))
    assert sets.of(0)[1].tolist() == [np.float32(0.9)]
    sets.offer(FIRST, unit(1, 0.01, 0), np.array([0.95], np.float32))
    vectors, qualities = sets.of(0)
    assert (len(vectors), qualities.tolist()) == (1, [np.float32(0.95)])
    assert vectors[0] == pytest.approx(unit(1, 0.01, 0)[0])


def test_poor_crops_are_not_learned() -> None:
    assert len(offered(unit(1, 0), quality=0.2).of(0)[0]) == 0


def test_a_full_set_gives_up_its_most_alike_pair_for_coverage() -> None:
    chance = np.random.default_rng(3)
    narrow = chance.normal(0, 0.1, (200, 8)) + np.eye(8)[0]
    sets = offered(*(unit(*row) for row in narrow))
    assert len(sets.of(0)[0]) == CAPACITY
    sets.offer(FIRST, unit(*np.eye(8)[1]), np.array([0.4], np.float32))
    vectors, _ = sets.of(0)
    assert len(vectors) == CAPACITY
    assert (vectors @ np.eye(8)[1]).max() == pytest.approx(1.0)
    worst = (vectors @ vectors.T - 2 * np.eye(CAPACITY)).max()
    first_come = unit(*narrow[0])
    for row in narrow[1:CAPACITY]:
        first_come = np.concatenate([first_come, unit(*row)])
    assert worst < (first_come @ first_come.T - 2 * np.eye(CAPACITY)).max()


def test_similarity_is_that_of_the_best_member() -> None:
    sets = offered(unit(1, 0, 0), unit(0, 1, 0))
    sets.add(1)
    found = sets.similarity(np.concatenate([unit(0, 1, 0.1), unit(0, 0, 1)]))
    assert found[0, 0] == pytest.approx(unit(0, 1, 0.1)[0, 1])
    assert found[0, 1] == found[1].max() == 0.0
    assert sets.similarity(unit(1, 0)).max() == 0.0


def test_another_model_starts_the_sets_anew() -> None:
    sets = offered(unit(1, 0, 0))
    sets.offer(FIRST, unit(1, 0), np.array([0.9], np.float32))
    assert sets.of(0)[0].shape == (1, 2)


def look(
    tracker: Tracker, t_s: float, boxes: list[list[float]], vectors: list[FloatArray]
) -> TrackBatch:
    count = len(boxes)
    found = DetectionBatch(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.9, np.float32),
        np.full(count, SubjectClass.HORSE, np.int16),
    )
    stamp = FrameStamp(tracker.stream_id, int(t_s * 10), START + timedelta(seconds=t_s), t_s, None)
    return tracker.update(found, stamp, 0.35, np.concatenate(vectors) if vectors else None)


def test_a_track_shows_its_gallery_and_its_horse() -> None:
    tracker = Tracker(new_stream_id(), TrackingSettings(), first_number=41)
    boxes = [[0.0, 0, 100, 80], [300.0, 0, 400, 80]]
    seen = look(tracker, 0.0, boxes, [unit(1, 0), unit(0, 1)])
    assert seen.numbers.tolist() == [41, 42]
    assert seen.horse_ids == (None, None)
    vectors, qualities = tracker.gallery(seen.track_ids[0])
    assert vectors.tolist() == [[1.0, 0.0]]
    assert qualities == pytest.approx([0.9])
    one, two = seen.track_ids
    assert tracker.identify(one, BLAZE)
    assert not tracker.identify(two, BLAZE), "two horses seen at once are never one"
    assert tracker.identify(two, STAR)
    again = look(tracker, 0.1, boxes, [unit(1, 0), unit(0, 1)])
    assert dict(zip(again.track_ids, again.horse_ids, strict=True)) == {one: BLAZE, two: STAR}
    assert tracker.identify(two, None)
    assert tracker.horse_of(two) is None


def test_a_closed_track_has_no_gallery_and_takes_no_horse() -> None:
    tracker = Tracker(new_stream_id(), TrackingSettings())
    gone = TrackId(UUID(int=9))
    assert len(tracker.gallery(gone)[0]) == 0
    assert not tracker.identify(gone, BLAZE)


def test_a_covered_crop_is_worth_less() -> None:
    tracker = Tracker(new_stream_id(), TrackingSettings())
    boxes = [[0.0, 0, 200, 80], [120.0, 0, 320, 80], [600.0, 0, 800, 80]]
    seen = look(tracker, 0.0, boxes, [unit(1, 0, 0), unit(0, 1, 0), unit(0, 0, 1)])
    qualities = [tracker.gallery(track)[1][0] for track in seen.track_ids]
    assert qualities == pytest.approx([0.54, 0.54, 0.9])
