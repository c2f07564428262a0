"""The analyse stage: rows beside tracks, events to the listeners, held and turning cameras."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from engine.domain.detections import SubjectClass
from engine.domain.ids import HorseId, new_stream_id, new_track_id
from engine.domain.motion import Action, Bout, BoutKind, Gait, MotionEvent, Posture, Stride
from engine.domain.results import FrameResult
from engine.domain.skeletons import AP10K, EQUINE26, Skeleton
from engine.domain.streams import SourceKind, Stream
from engine.evaluation.behaviour import simulated_results
from engine.pipeline.motion import MotionStage
from engine.settings import MotionSettings
from engine.simulation.scenarios import day, gaits_in_the_arena
from tests.helpers.frame_results import frame_result


class Ears:
    """Keeps what the stage tells."""

    def __init__(self) -> None:
        self.events: list[MotionEvent] = []

    def __call__(self, events: Sequence[MotionEvent]) -> None:
        assert events, "nothing is not told"
        self.events += events

    def bouts(self, kind: BoutKind) -> list[Bout]:
        """The newest word on each bout of a kind."""
        newest = {e.id: e for e in self.events if isinstance(e, Bout) and e.kind is kind}
        return list(newest.values())

    @property
    def strides(self) -> list[Stride]:
        return [e for e in self.events if isinstance(e, Stride)]


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def stage(ears: Ears) -> MotionStage:
    return MotionStage(MotionSettings(), ears)


def arena(seconds: float, fps: float, skeleton: Skeleton = EQUINE26) -> Iterator[FrameResult]:
    """A horse walks, trots and canters about."""
    times = np.arange(8.0, 8.0 + seconds, 1.0 / fps)
    farm = gaits_in_the_arena(3)
    return (r for r, _, _ in simulated_results(farm, "arena", times, "mild", 1, skeleton))


def stall(seconds: float, fps: float = 5.0) -> list[FrameResult]:
    """A horse that lies in its stall on its chest."""
    times = np.arange(100.0, 100.0 + seconds, 1.0 / fps)
    farm = day(3, (), 10, 6.0)
    return [r for r, _, _ in simulated_results(farm, "stall", times, "mild", 1, EQUINE26)]


def held(result: FrameResult, later_s: float) -> FrameResult:
    stamp = replace(
        result.stamp,
        sequence=result.stamp.sequence + 1,
        captured_mono_s=result.stamp.captured_mono_s + later_s,
    )
    return replace(result, stamp=stamp, held=True)


@pytest.mark.parametrize("skeleton", [EQUINE26, AP10K], ids=lambda s: s.name)
def test_a_walking_horse_has_gait_speed_strides_and_bouts(
    stage: MotionStage, ears: Ears, skeleton: Skeleton
) -> None:
    motions = [stage.run(r).motion for r in arena(14.0, 10.0, skeleton)]
    walking = [m for m in motions if m is not None and len(m) and m.gaits[0] == Gait.WALK]
    assert len(walking) > 40
    assert all(m.actions[0] == Action.WALKING for m in walking[10:])
    speeds = [float(m.speeds_mps[0]) for m in walking]
    assert 1.1 < np.nanmedian(speeds) < 1.8
    assert {b.value for b in ears.bouts(BoutKind.GAIT)} >= {"walk"}
    assert {b.value for b in ears.bouts(BoutKind.POSTURE)} == {"upright"}
    assert ears.strides and all(s.provisional for s in ears.strides)
    assert 0.6 < np.median([s.stride_hz for s in ears.strides]) < 1.1
    assert all(math.isnan(s.asymmetry.hd_min_mm) for s in ears.strides), "10 fps are too few"


def test_people_and_dogs_have_rows_that_say_nothing(stage: MotionStage) -> None:
    result = frame_result(new_stream_id(), horses=3)
    classes = np.array([SubjectClass.PERSON, SubjectClass.HORSE, SubjectClass.DOG], np.int16)
    result = replace(result, tracks=replace(result.tracks, class_ids=classes))
    motion = stage.run(result).motion
    assert motion is not None and len(motion) == 3
    for row in (0, 2):
        assert motion.gaits[row] == Gait.UNKNOWN and motion.actions[row] == Action.UNKNOWN
        assert motion.postures[row] == Posture.UNKNOWN
        assert np.isnan(motion.action_confidences[row]) and np.isnan(motion.speeds_mps[row])


def test_a_person_who_stays_by_a_horse_is_company(stage: MotionStage, ears: Ears) -> None:
    stream_id, ids = new_stream_id(), (new_track_id(), new_track_id(), new_track_id())
    classes = np.array([SubjectClass.HORSE, SubjectClass.PERSON, SubjectClass.HORSE], np.int16)
    boxes = np.array(
        [[300, 200, 500, 400], [510, 210, 580, 405], [1200, 200, 1400, 400]], np.float32
    )
    near: list[bool] = []
    for step in range(60):
        result = frame_result(stream_id, step, 3, None, ids)
        tracks = replace(result.tracks, class_ids=classes, boxes_xyxy_px=boxes)
        motion = stage.run(replace(result, tracks=tracks)).motion
        assert motion is not None
        near.append(bool(motion.person_near[0]))
        assert not motion.person_near[1:].any()
    assert not near[0] and near[-1]
    (bout,) = ears.bouts(BoutKind.COMPANY)
    assert (bout.value, bout.track_id, bout.open) == ("person", ids[0], True)


def test_without_a_pose_model_the_stage_still_answers(stage: MotionStage) -> None:
    result = frame_result(new_stream_id(), horses=2, skeleton=None)
    motion = stage.run(result).motion
    assert motion is not None and motion.poses is None
    assert motion.actions.tolist() == [Action.UNKNOWN] * 2


def test_pictures_held_by_the_gate_go_on_with_the_bout(stage: MotionStage, ears: Ears) -> None:
    for result in stall(20.0):
        last = stage.run(result)
    assert last.motion is not None
    running = [b for b in ears.bouts(BoutKind.POSTURE) if b.open]
    assert [b.value for b in running] == ["sternal"]
    for step in range(300):
        stage.hold(held(last, 0.2 * (step + 1)))
    stage.forget(last.stamp.stream_id)
    (bout,) = [b for b in ears.bouts(BoutKind.POSTURE) if b.id == running[0].id]
    assert not bout.open and bout.duration_s > 75.0
    assert [b.value for b in ears.bouts(BoutKind.ACTION)] == ["resting"]


def test_a_camera_that_is_silent_for_long_ends_bouts_where_it_fell_silent(
    stage: MotionStage, ears: Ears
) -> None:
    results = stall(20.0)
    for result in results:
        stage.run(result)
    end_at = results[-1].stamp.captured_at
    later = replace(
        results[-1].stamp, captured_mono_s=results[-1].stamp.captured_mono_s + 60.0, sequence=9999
    )
    empty = frame_result(later.stream_id, horses=0)
    stage.run(replace(empty, stamp=later))
    bouts = ears.bouts(BoutKind.POSTURE)
    assert bouts and not any(b.open for b in bouts)
    assert all(b.end_at <= end_at for b in bouts)


def test_a_camera_that_fell_silent_has_no_open_bouts(stage: MotionStage, ears: Ears) -> None:
    results = stall(10.0)
    for result in results:
        stage.run(result)
    stream_id = result.stamp.stream_id
    stage.silence(stream_id)
    stage.silence(new_stream_id())
    told = len(ears.events)
    assert told and not any(b.open for b in ears.bouts(BoutKind.POSTURE))
    stage.silence(stream_id)
    assert len(ears.events) == told, "what has ended is not told again"


def test_a_closed_track_is_told_and_forgotten(stage: MotionStage, ears: Ears) -> None:
    for result in stall(10.0):
        stage.run(result)
    stream_id, (track_id,) = result.stamp.stream_id, result.tracks.track_ids
    stage.closed(stream_id, track_id)
    assert not any(b.open for b in ears.bouts(BoutKind.POSTURE))
    assert track_id not in stage._cameras[stream_id].tracks
    stage.closed(stream_id, track_id)
    stage.closed(new_stream_id(), new_track_id())


def test_tracks_that_were_never_confirmed_are_forgotten_too(stage: MotionStage) -> None:
    stream_id = new_stream_id()
    for step in range(40):
        ghost = frame_result(stream_id, step * 100, 1, None, (new_track_id(),))
        stage.run(ghost)
    assert len(stage._cameras[stream_id].tracks) < 25


def test_a_turning_camera_is_left_out_and_found_again(stage: MotionStage, ears: Ears) -> None:
    results = stall(30.0)
    for number, result in enumerate(results):
        turning = 60 <= number < 120
        made = stage.run(replace(result, view_moving=turning))
        assert (made.motion is None) == turning
    stage.forget(result.stamp.stream_id)
    spans = [(b.start_at, b.end_at) for b in ears.bouts(BoutKind.POSTURE)]
    turn_s = (results[60].stamp.captured_at, results[120].stamp.captured_at)
    assert len(spans) >= 2, "the turn ended the first"
    assert not any(start < turn_s[0] and end > turn_s[1] for start, end in spans)


def test_known_heights_and_broken_calibrations_are_taken_as_they_come(stage: MotionStage) -> None:
    horse = HorseId(new_track_id())
    asked: list[HorseId] = []

    def height_of(horse_id: HorseId) -> float:
        asked.append(horse_id)
        return 1.42

    stage.height_of = height_of
    broken = Stream(
        new_stream_id(), "Yard", SourceKind.SIMULATED, "simulated:yard", extra={"ground": 3}
    )
    stage.stream_of = lambda _stream_id: broken
    result = frame_result(broken.id, horses=2, horse_ids=(horse, None))
    assert stage.run(result).motion is not None
    assert asked == [horse]
