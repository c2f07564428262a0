"""Horses keep their track, and only horses that were surely seen get one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.geometry import iou_matrix
from engine.domain.ids import TrackId, new_stream_id
from engine.domain.ports import TrackSummary
from engine.domain.tracks import TrackBatch, TrackState
from engine.settings import TrackingSettings
from engine.simulation.barn import SimulatedBarn
from engine.tracking.tracker import Tracker

STREAM = new_stream_id()
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SURE, WEAK, THRESHOLD = 0.9, 0.2, 0.35


class Camera:
    """A tracker with what it closed."""

    def __init__(self) -> None:
        self.closed: list[TrackSummary] = []
        self.tracker = Tracker(STREAM, TrackingSettings(), self.closed.append)

    def look(
        self,
        t_s: float,
        boxes: object,
        score: float = SURE,
        subject: SubjectClass = SubjectClass.HORSE,
        vectors: object = None,
    ) -> TrackBatch:
        rows = np.array(boxes, np.float32).reshape(-1, 4)
        count = len(rows)
        found = DetectionBatch(
            rows, np.full(count, score, np.float32), np.full(count, subject, np.int16)
        )
        stamp = FrameStamp(
            STREAM, round(t_s * 10), START + timedelta(seconds=t_s), 50.0 + t_s, None
        )
        looks = None if vectors is None else np.array(vectors, np.float32)
        return self.tracker.update(found, stamp, THRESHOLD, looks)

    def settle(self, boxes: object) -> TrackBatch:
        """Three looks, 0.1 s apart, the last at 0.2 s."""
        for step in range(3):
            seen = self.look(step / 10, boxes)
        return seen


def by_detection(seen: TrackBatch) -> tuple[TrackId, ...]:
    """The tracks in the order of the detections that they continue."""
    assert seen.detection_rows is not None
    track_of = dict(zip(seen.detection_rows.tolist(), seen.track_ids, strict=True))
    return tuple(track_of[detection] for detection in sorted(track_of))


def box(x: float, y: float = 100.0) -> list[float]:
    return [x, y, x + 120.0, y + 90.0]


def test_each_horse_of_a_barn_keeps_one_track() -> None:
    barn, camera = SimulatedBarn("aisle"), Camera()
    tracks_of: dict[int, set[object]] = {}
    for step in range(200):
        truth = barn.truth_at(step / 10)
        apart = iou_matrix(truth.boxes_xyxy_px, truth.boxes_xyxy_px)
        seen = camera.look(step / 10, truth.boxes_xyxy_px)
        assert len(seen) == len(truth.ids)
        track_of = by_detection(seen)
        for index, horse in enumerate(truth.ids):
            if apart[index].sum() < 1.2:  # hardly overlapped: the match has one right answer
                tracks_of.setdefault(horse, set()).add(track_of[index])
    assert len(tracks_of) == len(barn.truth_at(0.0).ids)
    assert [len(ids) for ids in tracks_of.values()] == [1] * len(tracks_of)
    assert len(set.union(*tracks_of.values())) == len(tracks_of)
    assert not camera.closed


def test_horses_that_cross_keep_their_tracks() -> None:
    camera = Camera()
    for step in range(41):
        left, right = box(100.0 + 10 * step), box(500.0 - 10 * step, 130.0)
        seen = camera.look(step / 10, [left, right])
        if step == 0:
            first = by_detection(seen)
    assert len(camera.tracker) == 2
    assert by_detection(seen) == first


def test_boxes_shake_less_than_detections() -> None:
    camera, chance = Camera(), np.random.default_rng(4)
    truth = np.array([box(100.0 + 4 * step) for step in range(120)], np.float32)
    detected = truth + chance.normal(0.0, 4.0, truth.shape).astype(np.float32)
    given = np.concatenate(
        [camera.look(step / 10, [one]).boxes_xyxy_px for step, one in enumerate(detected)]
    )
    settled = slice(20, None)
    assert np.abs(given - truth)[settled].mean() < 0.8 * np.abs(detected - truth)[settled].mean()
    assert abs((given - truth)[settled].mean()) < 1.0, "they do not trail"


def test_a_track_is_tentative_until_three_hits() -> None:
    camera = Camera()
    states = [int(camera.look(step / 10, [box(100)]).states[0]) for step in range(4)]
    assert states == [TrackState.TENTATIVE] * 2 + [TrackState.ACTIVE] * 2


def test_a_tentative_track_that_goes_is_forgotten_unreported() -> None:
    camera = Camera()
    camera.look(0.0, [box(100)])
    camera.look(0.9, [])
    assert len(camera.tracker) == 1
    camera.look(1.1, [])
    assert len(camera.tracker) == 0
    assert camera.closed == []


def test_a_horse_found_within_ten_seconds_keeps_its_track() -> None:
    camera = Camera()
    before = camera.settle([box(100)])
    for second in range(1, 10):
        assert len(camera.look(float(second), [])) == 0
    after = camera.look(9.9, [box(105)])
    assert after.track_ids == before.track_ids
    assert after.numbers.tolist() == before.numbers.tolist()
    assert after.states.tolist() == [TrackState.ACTIVE]


def test_a_track_unseen_for_longer_is_closed_and_summed_up() -> None:
    camera = Camera()
    before = camera.settle([box(100)])
    camera.look(10.1, [])
    assert camera.closed == []
    camera.look(10.3, [])
    [summary] = camera.closed
    assert (summary.track_id, summary.stream_id) == (before.track_ids[0], STREAM)
    assert (summary.number, summary.class_id, summary.detections) == (1, SubjectClass.HORSE, 3)
    assert (summary.started_at, summary.ended_at) == (START, START + timedelta(seconds=0.2))
    assert 0.0 < summary.confidence <= 1.0
    assert camera.look(10.4, [box(100)]).track_ids != before.track_ids


def test_finish_closes_confirmed_tracks() -> None:
    camera = Camera()
    camera.settle([box(100)])
    camera.look(0.3, [box(100), box(600)])
    camera.tracker.finish()
    assert [summary.number for summary in camera.closed] == [1]
    assert len(camera.tracker) == 0


def test_an_older_picture_is_refused() -> None:
    camera = Camera()
    before = camera.settle([box(100)])
    assert len(camera.look(0.1, [box(600)])) == 0
    assert camera.look(0.3, [box(100)]).track_ids == before.track_ids
    assert len(camera.tracker) == 1


def test_weak_detections_keep_a_track_and_never_start_one() -> None:
    camera = Camera()
    assert len(camera.look(0.0, [box(100)], WEAK)) == 0
    assert len(camera.tracker) == 0
    before = camera.settle([box(100)])
    for step in range(3, 30):
        seen = camera.look(step / 10, [box(100), box(600)], WEAK)
        assert seen.track_ids == before.track_ids
    assert seen.states.tolist() == [TrackState.ACTIVE]


def test_a_person_is_never_taken_for_a_horse() -> None:
    camera = Camera()
    horse = camera.settle([box(100)])
    person = camera.look(0.3, [box(100)], subject=SubjectClass.PERSON)
    assert person.class_ids.tolist() == [SubjectClass.PERSON]
    assert person.track_ids != horse.track_ids
    assert camera.look(0.4, [box(100)]).track_ids == horse.track_ids


def test_appearance_decides_between_overlapping_horses() -> None:
    camera = Camera()
    looks = [[1.0, 0.0], [0.0, 1.0]]
    first = camera.look(0.0, [box(100), box(150)], vectors=looks)
    swapped = camera.look(0.1, [box(100), box(150)], vectors=looks[::-1])
    assert by_detection(swapped) == first.track_ids[::-1]


def test_colours_are_stable_and_distinct_within_a_camera() -> None:
    camera = Camera()
    boxes: list[list[float]] = []
    for step in range(10):  # one more horse in each picture, so most are still tentative
        boxes.append(box(150.0 * step))
        seen = camera.look(step / 10, boxes)
    colours = dict(zip(seen.track_ids, seen.colours.tolist(), strict=True))
    assert sorted(colours.values()) == list(range(10))
    again = camera.look(1.0, boxes)
    assert dict(zip(again.track_ids, again.colours.tolist(), strict=True)) == colours
