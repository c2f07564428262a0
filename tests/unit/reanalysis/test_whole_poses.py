"""Poses of a recording are smoothed from both sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from engine.domain.frames import FrameStamp
from engine.domain.ids import StreamId, TrackId
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.tracks import TrackBatch, TrackState
from engine.evaluation.simulated_poses import REALISTIC, SimulatedSeries, simulated_series
from engine.pipeline.motion import MotionStage
from engine.reanalysis.whole_poses import places_of, series_of, with_whole_poses
from engine.settings import MotionSettings
from engine.simulation.scenarios import trot_in_hand

FPS = 50.0
TRACK, CAMERA = TrackId(UUID(int=7)), StreamId(UUID(int=8))
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def trot() -> SimulatedSeries:
    farm = trot_in_hand(1, (0.0, 0.0, 0.0, 0.0))
    return next(simulated_series(farm, "arena", FPS, 0.0, 20.0, REALISTIC, 3))


@pytest.fixture(scope="module")
def lived(trot: SimulatedSeries) -> list[FrameResult]:
    """What the motion stage makes of it picture by picture."""
    stage = MotionStage(MotionSettings(), lambda _events: None)
    return [stage.run(result(trot, i)) for i in range(len(trot.series))]


def result(trot: SimulatedSeries, i: int) -> FrameResult:
    series, t_s = trot.series, float(trot.series.t_s[i])
    one = slice(i, i + 1)
    tracks = TrackBatch(
        boxes_xyxy_px=series.boxes_xyxy_px[one].copy(),
        velocities_px_s=np.zeros((1, 4), np.float32),
        scores=np.full(1, 0.9, np.float32),
        confidences=np.full(1, 0.9, np.float32),
        class_ids=np.zeros(1, np.int16),
        states=np.full(1, TrackState.ACTIVE, np.int8),
        numbers=np.ones(1, np.int64),
        colours=np.zeros(1, np.int8),
        track_ids=(TRACK,),
        horse_ids=(None,),
    )
    poses = series.poses
    batch = PoseBatch(poses.keypoints_px[one].copy(), poses.scores[one].copy(), poses.skeleton)
    stamp = FrameStamp(CAMERA, i, START + timedelta(seconds=t_s), t_s, t_s)
    return FrameResult(stamp, 1280, 720, tracks, batch, None, None, Degradation.NONE, t_s)


def off_px(results: list[FrameResult], trot: SimulatedSeries, shift: int = 0) -> float:
    points = series_of(results, places_of(results)[TRACK]).poses.keypoints_px
    truth, seen = trot.truth.keypoints_px, trot.truth.visible
    inner = slice(10, len(points) - 10)
    other = slice(10 + shift, len(points) - 10 + shift)
    return float(np.linalg.norm(points[inner] - truth[other], axis=2)[seen[other]].mean())


def test_they_are_nearer_to_the_truth_and_do_not_trail(
    lived: list[FrameResult], trot: SimulatedSeries
) -> None:
    whole = with_whole_poses(lived, MotionSettings())
    assert off_px(whole, trot) < 0.9 * off_px(lived, trot)
    assert off_px(whole, trot) < min(off_px(whole, trot, -1), off_px(whole, trot, 1))
    assert all(r.motion is not None and r.motion.lag_s == 0.0 for r in whole)
    for before, after in zip(lived, whole, strict=True):
        assert after.poses is before.poses, "what the model said is kept"


def test_nothing_is_drawn_over_a_gap(lived: list[FrameResult]) -> None:
    """Both sides of a gap come out as if the other were not there."""
    first, second = lived[:60], lived[120:180]
    both = with_whole_poses([*first, *second], MotionSettings())
    alone = with_whole_poses(first, MotionSettings()) + with_whole_poses(second, MotionSettings())
    for a, b in zip(both, alone, strict=True):
        assert a.motion is not None and b.motion is not None
        assert a.motion.poses is not None and b.motion.poses is not None
        np.testing.assert_array_equal(a.motion.poses.keypoints_px, b.motion.poses.keypoints_px)


def test_pictures_without_poses_stay_as_they_are(lived: list[FrameResult]) -> None:
    blind = [replace(one, poses=None, motion=None) for one in lived[:5]]
    assert with_whole_poses(blind, MotionSettings()) == blind
