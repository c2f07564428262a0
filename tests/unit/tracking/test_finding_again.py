"""Lost horses are found again by place or look, ghosts get no name, one horse has one track."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.ids import HorseId, new_stream_id
from engine.domain.tracks import TrackBatch, TrackState
from engine.settings import TrackingSettings
from engine.tracking.motion import BoxMotion
from engine.tracking.tracker import Tracker

STREAM = new_stream_id()
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BLAZE = HorseId(UUID(int=1))
BAY, GREY, BAY_TURNED = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.9, 0.1, 0.42]


class Camera:
    """A tracker looked at ten times a second from time 0."""

    def __init__(self) -> None:
        self.tracker = Tracker(STREAM, TrackingSettings())
        self.t_s = -0.1

    def look(
        self, *boxes: list[float], score: float = 0.9, looks: list[list[float]] | None = None
    ) -> TrackBatch:
        self.t_s += 0.1
        count = len(boxes)
        found = DetectionBatch(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(count, score, np.float32),
            np.full(count, SubjectClass.HORSE, np.int16),
        )
        stamp = FrameStamp(
            STREAM, round(self.t_s * 10), START + timedelta(seconds=self.t_s), self.t_s, None
        )
        vectors = None
        if looks is not None:
            vectors = np.array(looks, np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return self.tracker.update(found, stamp, 0.35, vectors)

    def wait(self, seconds: float, *boxes: list[float], looks: list[list[float]] | None) -> None:
        for _ in range(round(seconds * 10)):
            self.look(*boxes, looks=looks)


def box(x: float, y: float = 100.0, width: float = 120.0) -> list[float]:
    return [x, y, x + width, y + 90.0]


def test_a_horse_that_went_on_behind_a_wall_is_expected_on_the_other_side() -> None:
    camera = Camera()
    for step in range(15):
        before = camera.look(box(12.0 * step))
    camera.wait(0.8, looks=None)
    after = camera.look(box(12.0 * 23))
    assert after.track_ids == before.track_ids


def test_a_horse_that_stopped_behind_a_wall_is_expected_where_it_went_in() -> None:
    camera = Camera()
    for step in range(15):
        before = camera.look(box(12.0 * step))
    camera.wait(2.0, looks=None)
    assert camera.look(box(12.0 * 14)).track_ids == before.track_ids


def test_a_look_is_found_again_where_a_horse_could_have_gone() -> None:
    camera = Camera()
    for _ in range(4):
        before = camera.look(box(100), looks=[BAY])
    camera.wait(1.0, looks=None)
    near = camera.look(box(500, 140), looks=[BAY_TURNED])
    assert near.track_ids == before.track_ids


def test_nobody_jumps_across_the_picture() -> None:
    camera = Camera()
    for _ in range(4):
        before = camera.look(box(100), looks=[BAY])
    camera.look()
    far = camera.look(box(1500), looks=[BAY])
    assert far.track_ids != before.track_ids


def test_another_look_is_another_horse() -> None:
    camera = Camera()
    for _ in range(4):
        before = camera.look(box(100), looks=[BAY])
    camera.wait(1.0, looks=None)
    assert camera.look(box(500), looks=[GREY]).track_ids != before.track_ids


def test_who_comes_where_another_left_is_not_that_one() -> None:
    """The place is the same, the clear picture is of somebody else."""
    camera = Camera()
    camera.wait(0.5, box(100), looks=[BAY])
    before = camera.look(box(100), looks=[BAY])
    camera.wait(0.5, looks=None)
    assert camera.look(box(110), looks=[GREY]).track_ids != before.track_ids
    assert camera.look(box(110), looks=[BAY]).track_ids == before.track_ids


@pytest.mark.parametrize(("gone_s", "same"), [(0.5, True), (1.5, False)])
def test_a_place_alone_tells_who_it_is_for_a_moment_only(gone_s: float, same: bool) -> None:
    camera, rather_unlike = Camera(), [0.55, 0.835, 0.0]
    camera.wait(0.5, box(100), looks=[BAY])
    before = camera.look(box(100), looks=[BAY])
    camera.wait(gone_s, looks=None)
    again = camera.look(box(100), looks=[rather_unlike])
    assert (again.track_ids == before.track_ids) is same


def test_who_stands_still_may_look_different() -> None:
    camera = Camera()
    camera.wait(0.5, box(100), looks=[BAY])
    before = camera.look(box(100), looks=[BAY])
    assert camera.look(box(100), looks=[GREY]).track_ids == before.track_ids


def test_who_comes_out_again_is_not_taken_for_the_one_in_front() -> None:
    """The one in front is missed in that picture, and the place would suit its track."""
    camera, rather_grey = Camera(), [0.52, 0.70, 0.49]
    camera.wait(0.5, box(100), box(155), looks=[BAY, GREY])
    front, behind = camera.look(box(100), box(155), looks=[BAY, GREY]).track_ids
    camera.wait(1.2, box(100), looks=[BAY])
    assert camera.look(box(140), looks=[rather_grey]).track_ids == (behind,)
    assert set(camera.look(box(100), box(145), looks=[BAY, GREY]).track_ids) == {front, behind}


def test_a_look_seen_long_ago_still_counts() -> None:
    """The running mean has forgotten the left side; the diverse set has not."""
    camera = Camera()
    camera.wait(0.5, box(100), looks=[BAY])
    camera.wait(3.0, box(100), looks=[GREY])
    before = camera.look(box(100), looks=[GREY])
    camera.wait(1.0, looks=None)
    assert camera.look(box(450), looks=[BAY]).track_ids == before.track_ids


def test_one_horse_has_one_track() -> None:
    """The older of two tracks of one horse is not continued while the newer lives."""
    camera = Camera()
    for _ in range(4):
        old = camera.look(box(100))
    camera.tracker.identify(old.track_ids[0], BLAZE)
    camera.wait(0.5, looks=None)
    for _ in range(4):
        new = camera.look(box(700))
    assert camera.tracker.identify(new.track_ids[0], BLAZE)
    third = camera.look(box(700), box(100))
    assert old.track_ids[0] not in third.track_ids
    assert third.horse_ids.count(BLAZE) == 1
    camera.tracker.identify(new.track_ids[0], None)


def test_what_is_hardly_seen_is_shown_once_it_is_confirmed() -> None:
    camera = Camera()
    counts = [len(camera.look(box(100), score=0.45)) for _ in range(4)]
    assert counts == [0, 0, 1, 1]
    assert camera.look(box(100), score=0.45).states.tolist() == [TrackState.ACTIVE]


def test_ghosts_use_up_no_numbers() -> None:
    camera = Camera()
    camera.wait(0.5, box(100), looks=None)
    for x in (400.0, 800.0, 1200.0):
        camera.tracker.update(
            DetectionBatch(
                np.array([box(x)], np.float32), np.float32([0.5]), np.zeros(1, np.int16)
            ),
            FrameStamp(STREAM, 0, START, camera.t_s, None),
            0.35,
        )
    for _ in range(3):
        seen = camera.look(box(100), box(1600))
    assert sorted(seen.numbers.tolist()) == [1, 2]


def test_a_part_of_a_horse_is_no_second_horse_unless_it_stays() -> None:
    camera = Camera()
    counts = [len(camera.look(box(100), box(100, width=55.0))) for _ in range(10)]
    assert counts == [1] * 8 + [2] * 2


def test_a_new_track_never_takes_a_known_horses_detection() -> None:
    camera = Camera()
    camera.wait(0.5, box(100), looks=None)
    before = camera.look(box(104))
    camera.look(box(160))  # halfway between a new neighbour and the known horse
    after = camera.look(box(108), box(216))
    assert before.track_ids[0] in after.track_ids


def test_velocity_after_a_gap_is_that_of_the_way_gone() -> None:
    motion, row, none = BoxMotion(), np.array([0]), np.zeros(1, np.bool_)
    motion.add(np.array([box(0)], np.float32))
    for step in range(1, 6):
        motion.predict(0.1, none)
        motion.correct(row, np.array([box(2.0 * step)], np.float32))
    for _ in range(10):
        motion.predict(0.1, ~none)
    seen = np.array([box(110.0)], np.float32)
    motion.replay(row, seen)
    motion.correct(row, seen)
    assert motion.velocity[0, 0] == pytest.approx(100.0, rel=0.25)
    assert motion.position[0, 0] == pytest.approx(170.0, abs=6.0)
