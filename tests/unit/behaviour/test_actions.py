"""Postures and actions of one track: from made-up cues, and from poses of simulated horses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from engine.behaviour.actions import Moving, TrackBehaviour
from engine.behaviour.cues import NOTHING, CueReader, Cues
from engine.domain.derived_poses import as_skeleton
from engine.domain.motion import Action, Gait, Posture
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import AP10K, EQUINE26, GAIT28, Skeleton
from engine.simulation.farm import SimulatedFarm
from engine.simulation.scenarios import day
from engine.simulation.truth import Sightings

STANDING = Cues(0.93, 0.95, 1.4, 0.58, 0.22, 1.4, 0.1, 4, 100.0, (0.0, 0.0) * 4)
GRAZING = replace(STANDING, head=-0.95, nose=0.15, lift=-0.9)
DOZING = replace(STANDING, head=-0.17, nose=0.92)
WATCHING = replace(STANDING, head=0.44, nose=1.68)
STERNAL = Cues(0.13, 0.28, 0.53, 0.44, 0.15, 0.5, 0.4, 4, 100.0, (0.0, 0.0) * 4)
LATERAL = Cues(0.2, 0.62, 0.2, 0.0, -0.1, 0.2, 0.0, 4, 100.0, (0.0, 0.0) * 4)


class Horse:
    """Feeds cues at some pictures a second and tells the last label."""

    def __init__(self, fps: float = 10.0) -> None:
        self.track, self.fps, self.t_s = TrackBehaviour(), fps, 50.0

    def show(self, cues: Cues, seconds: float, moving: Moving | None = None) -> TrackBehaviour:
        for _ in range(round(seconds * self.fps)):
            self.t_s += 1.0 / self.fps
            self.track.update(self.t_s, cues, moving or Moving(Gait.STANDING, 0.9, 0.0), 200.0)
        return self.track


@pytest.mark.parametrize("fps", [2.0, 10.0, 25.0])
def test_actions_follow_their_cues_at_any_rate(fps: float) -> None:
    horse = Horse(fps)
    assert horse.show(STANDING, 4).now.action is Action.STANDING
    assert horse.show(GRAZING, 5).now.action is Action.GRAZING
    assert horse.show(WATCHING, 6).now.action is Action.ALERT
    assert horse.show(STERNAL, 8).now.action is Action.RESTING
    assert horse.track.now.posture.posture is Posture.STERNAL
    assert horse.show(LATERAL, 12).now.posture.posture is Posture.LATERAL
    assert horse.show(STANDING, 8).now.posture.posture is Posture.UPRIGHT


def test_grazing_needs_two_seconds_of_a_low_head() -> None:
    horse = Horse()
    horse.show(STANDING, 5)
    assert horse.show(GRAZING, 1.5).now.action is Action.STANDING
    assert horse.show(GRAZING, 2.5).now.action is Action.GRAZING
    assert horse.t_s - 4.5 < horse.track.now.action_since_s < horse.t_s - 2.0


def test_dozing_is_known_after_a_minute_and_counts_from_its_beginning() -> None:
    horse = Horse()
    horse.show(STANDING, 5)
    began_s = horse.t_s
    assert horse.show(DOZING, 50).now.action is Action.STANDING
    assert horse.show(DOZING, 15).now.action is Action.RESTING
    assert abs(horse.track.now.action_since_s - began_s) < 2.0
    assert horse.track.now.posture.posture is Posture.UPRIGHT


def test_one_wrong_picture_changes_nothing() -> None:
    horse = Horse()
    horse.show(STANDING, 10)
    for wrong in (STERNAL, LATERAL, GRAZING, WATCHING):
        assert horse.show(wrong, 0.1).now.action is Action.STANDING
        assert horse.track.now.posture.posture is Posture.UPRIGHT
        horse.show(STANDING, 1)


def test_gaits_make_walking_and_running_and_slow_steps_stay_grazing() -> None:
    horse = Horse()
    horse.show(STANDING, 3)
    assert horse.show(STANDING, 2, Moving(Gait.WALK, 0.8, 1.5)).now.action is Action.WALKING
    assert horse.show(STANDING, 2, Moving(Gait.TROT, 0.8, 3.2)).now.action is Action.RUNNING
    assert horse.show(GRAZING, 5, Moving(Gait.WALK, 0.5, 0.6)).now.action is Action.GRAZING
    assert horse.show(GRAZING, 5, Moving(Gait.WALK, 0.5, 1.5)).now.action is Action.WALKING


def test_speed_alone_tells_moving_where_the_gait_is_not_known() -> None:
    horse = Horse(3.0)
    horse.show(STANDING, 3)
    unknown = Moving(Gait.UNKNOWN, 0.0, 1.2)
    assert horse.show(STANDING, 3, unknown).now.action is Action.WALKING
    assert horse.show(STANDING, 3, replace(unknown, speed_mps=3.5)).now.action is Action.RUNNING
    assert horse.show(STANDING, 3, replace(unknown, speed_mps=0.1)).now.action is Action.STANDING


def test_kicking_while_lying_is_rolling_and_lying_still_is_not() -> None:
    horse = Horse()
    horse.show(STERNAL, 6)
    assert horse.show(LATERAL, 10).now.action is Action.RESTING
    for step in range(60):
        angle = 2 * math.pi * 1.1 * step / 10
        hooves = (30 * math.sin(angle), 30 * math.cos(angle)) * 4
        horse.show(replace(LATERAL, hooves_px=hooves), 0.1)
    assert horse.track.now.action is Action.ROLLING
    assert horse.show(LATERAL, 8).now.action is Action.RESTING


def test_nothing_is_known_of_a_horse_without_pose() -> None:
    horse = Horse()
    now = horse.show(NOTHING, 20).now
    assert (now.action, now.posture.posture) == (Action.UNKNOWN, Posture.UNKNOWN)


def test_the_box_tells_lying_where_the_pose_fails() -> None:
    horse = Horse()
    horse.show(STANDING, 30)
    for _ in range(100):
        horse.t_s += 0.1
        horse.track.update(horse.t_s, NOTHING, Moving(speed_mps=0.0), 100.0)
    assert horse.track.now.posture.lying > 0.8
    assert horse.track.now.action is Action.RESTING


def test_skeletons_say_what_they_lack() -> None:
    assert CueReader(EQUINE26).missing == ()
    assert CueReader(AP10K).missing == ("withers",)
    assert "eye_left" not in CueReader(GAIT28).missing


# --- exact poses of the simulated barn ------------------------------------------------------------


@pytest.fixture(scope="module")
def farm() -> SimulatedFarm:
    return day(11, ("cast",), 10, 24.0)


def readings(farm: SimulatedFarm, camera: str, skeleton: Skeleton) -> tuple[Sightings, list[Cues]]:
    seen = farm.sightings(camera, np.arange(0.0, 2400.0, 5.0))
    seen = seen.select(seen.visibility > 0.9)
    scores = np.full((len(seen), 26), 0.9, np.float32)
    poses = as_skeleton(PoseBatch(seen.keypoints_px.copy(), scores, EQUINE26), skeleton)
    reader = CueReader(skeleton)
    pairs = zip(poses.keypoints_px.tolist(), poses.scores.tolist(), strict=True)
    return seen, [reader.read(points, sure) for points, sure in pairs]


@pytest.mark.parametrize("skeleton", [EQUINE26, AP10K], ids=lambda s: s.name)
def test_a_grazing_head_is_low_and_a_dozing_one_level_from_every_side(
    farm: SimulatedFarm, skeleton: Skeleton
) -> None:
    seen, cues = readings(farm, "paddock", skeleton)
    heads = np.array([c.head for c in cues])
    grazing = heads[seen.activities == "grazing"]
    dozing = heads[seen.activities == "dozing"]
    standing = heads[seen.activities == "standing"]
    assert len(grazing) > 100 and len(standing) > 20 and len(dozing) > 10
    assert np.percentile(grazing, 95) < -0.6
    assert np.percentile(dozing, 5) > -0.5 and np.percentile(dozing, 95) < 0.05
    assert np.percentile(standing, 10) > 0.0


def test_legs_tell_lying_from_standing(farm: SimulatedFarm) -> None:
    seen, cues = readings(farm, "stall", EQUINE26)
    drops = np.array([c.leg_drop for c in cues])
    lying = np.isin(seen.postures, ("sternal", "lateral"))
    up = seen.postures == "standing"
    assert lying.sum() > 20 and up.sum() > 100
    assert np.percentile(drops[lying], 95) < 0.7
    assert np.percentile(drops[up], 5) > 0.75
