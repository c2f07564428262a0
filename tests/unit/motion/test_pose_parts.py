"""The parts of the pose chain: smoothing, angles, anatomy, speed, and recorded series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.domain.motion import ANGLES, PoseSeries
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import AP10K, EQUINE26, GAIT28, SKELETONS, Skeleton
from engine.motion.angles import angles_of, joints_of, signed_angles_of
from engine.motion.body_plan import body_plan
from engine.motion.ground_speed import slopes, speeds_of
from engine.motion.pose_series import smooth_series
from engine.motion.smoothing import one_euro
from engine.motion.validation import anatomy, side_on
from engine.settings import MotionSettings
from engine.simulation.scenarios import gaits_in_the_arena
from engine.training.pose_data import PICTURE_LANDMARKS

FARM = gaits_in_the_arena(1)
HOOF, POLL = EQUINE26.landmarks.index("left_front_hoof"), EQUINE26.landmarks.index("poll")


# --- smoothing -------------------------------------------------------------------------------


def smoothed(
    path: np.ndarray, fps: float, cutoff_hz: float, gain: float
) -> tuple[np.ndarray, float]:
    state = np.full((1, 1, 2), np.nan, np.float32)
    rate = np.zeros((1, 1, 2), np.float32)
    out, lag = [], 0.0
    for index, place in enumerate(path):
        step = np.array([0.0 if index == 0 else 1.0 / fps], np.float32)
        state, rate, lags = one_euro(
            np.array([[place]], np.float32), state, rate, step, cutoff_hz, gain
        )
        out.append(state[0, 0].copy())
        lag = float(lags[0, 0])
    return np.array(out), lag


@pytest.mark.parametrize("fps", [5.0, 10.0, 25.0, 50.0])
@pytest.mark.parametrize("speed", [0.2, 1.0, 4.0])
def test_the_stated_lag_is_how_far_a_moving_landmark_trails(fps: float, speed: float) -> None:
    t = np.arange(0.0, 3.0, 1.0 / fps)
    path = np.stack([speed * t, np.zeros_like(t)], axis=1)
    out, lag = smoothed(path, fps, 2.0, 20.0)
    trailing_s = (path[-1, 0] - out[-1, 0]) / speed
    assert lag == pytest.approx(trailing_s, abs=0.1 / fps + 1e-3)


def test_a_resting_landmark_trembles_less_and_uneven_steps_change_nothing_in_kind() -> None:
    chance = np.random.default_rng(0)
    path = chance.normal(0, 0.01, (400, 2))
    out, _ = smoothed(path, 25.0, 2.0, 5.0)
    assert out[50:].std() < 0.6 * path.std()
    state, rate = np.zeros((1, 1, 2), np.float32), np.zeros((1, 1, 2), np.float32)
    once, _, _ = one_euro(
        np.ones((1, 1, 2), np.float32), state, rate, np.array([10.0], np.float32), 2.0, 0.0
    )
    assert once[0, 0, 0] > 0.98


# --- angles ----------------------------------------------------------------------------------


def test_which_landmarks_stand_for_which_joint() -> None:
    joints = dict(zip(ANGLES, joints_of(EQUINE26), strict=True))
    assert joints["shoulder_left"] == ("withers", "left_elbow", "left_carpus")
    assert joints["knee_right"] == ("right_stifle", "right_hock", "right_hind_hoof")
    assert joints["back"] == ("withers", "hip", "tail_base")
    ap10k = dict(zip(ANGLES, joints_of(AP10K), strict=True))
    assert ap10k["shoulder_left"] == ("neck", "left_shoulder", "left_elbow")
    assert ap10k["elbow_left"] == ("left_shoulder", "left_elbow", "left_front_paw")
    assert ap10k["hip_right"] == ("root_of_tail", "right_hip", "right_knee")
    assert ap10k["back"] is None
    gait = dict(zip(ANGLES, joints_of(GAIT28), strict=True))
    assert gait["shoulder_left"] == ("A8", "A7", "A6")
    assert gait["hip_left"] == ("Q1", "P9", "P7")


def test_angles_are_what_a_protractor_says() -> None:
    points = np.zeros((2, 26, 2), np.float32)
    names = EQUINE26.landmarks
    for name, place in (
        ("left_elbow", (0, 0)), ("left_carpus", (0, 10)), ("left_front_hoof", (-10, 10)),
    ):  # fmt: skip
        points[:, names.index(name)] = place
    points[1] *= (-1, 1)
    believed = np.zeros((2, 26), np.bool_)
    believed[:, [names.index(n) for n in ("left_elbow", "left_carpus", "left_front_hoof")]] = True
    plain = angles_of(points, believed, EQUINE26)
    assert plain[:, ANGLES.index("elbow_left")] == pytest.approx([90.0, 90.0])
    assert np.isnan(plain[:, ANGLES.index("shoulder_left")]).all()
    facing = np.array([1.0, -1.0], np.float32)
    signed = signed_angles_of(points, believed, facing, EQUINE26)
    # The hoof is behind the carpus of a horse that looks right, and of its mirror image: bent.
    assert signed[:, ANGLES.index("elbow_left")] == pytest.approx([270.0, 270.0])


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS.keys())
def test_every_skeleton_has_a_plan(skeleton: Skeleton) -> None:
    plan = body_plan(skeleton)
    assert plan.mass.sum() == pytest.approx(1.0)
    assert (plan.hooves >= 0).all() and (plan.legs >= 0).all()
    assert plan.trunk.sum() > 2.0
    for left, right in plan.ends:
        assert (plan.partner[left] == right).all()


# --- anatomy ---------------------------------------------------------------------------------


def broken_share(points: np.ndarray, believed: np.ndarray, name: str) -> tuple[float, int]:
    """Share of rows of which the anatomy is doubted, of those seen from the side."""
    skeleton = SKELETONS[name]
    low = np.where(believed[..., None], points, np.inf).min(axis=1)
    high = np.where(believed[..., None], points, -np.inf).max(axis=1)
    units = (high - low).mean(axis=1)
    middle = (low + high)[:, None] / 2
    body = ((points - middle) / units[:, None, None]).astype(np.float32)
    plan, limits = body_plan(skeleton), MotionSettings().limits_of(name)
    found = anatomy(body, believed, ((high - low).max(axis=1) / units), plan, limits)
    side, _ = side_on(body, believed, plan)
    wrong = (found.legs | found.neck | found.joint)[side]
    return float(wrong.mean()), int(side.sum())


def test_published_gait_sequences_keep_the_limits(shared: Path) -> None:
    files = sorted((shared / "data" / "gait_skeletons").glob("*/*.json"))
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    points = np.array([e["keypoints"] for d in documents for e in d["annotations"]], np.float64)
    points = points.reshape(len(points), -1, 3)
    share, count = broken_share(points[..., :2], points[..., 2] > 0, "gait28")
    assert count > 3000
    assert share < 0.03


def test_most_hand_labelled_horses_keep_the_limits(shared: Path) -> None:
    document = json.loads(
        (shared / "data" / "animalpose_horse" / "annotations.json").read_text(encoding="utf-8")
    )
    names = {c["id"]: c["keypoints"] for c in document["categories"]}
    order = {landmark: place for place, landmark in enumerate(EQUINE26.landmarks)}
    marks = np.zeros((len(document["annotations"]), 26, 3))
    for row, entry in enumerate(document["annotations"]):
        stored = np.array(entry["keypoints"], np.float64).reshape(-1, 3)
        for label, mark in zip(names[entry["category_id"]], stored, strict=True):
            if label in PICTURE_LANDMARKS and mark[2] > 0:
                marks[row, order[PICTURE_LANDMARKS[label]]] = mark
    marks = marks[(marks[..., 2] > 0).sum(axis=1) >= 12]
    share, count = broken_share(marks[..., :2], marks[..., 2] > 0, "equine26")
    assert count > 150
    assert share < 0.45


def test_a_leg_bent_as_none_bends_is_doubted() -> None:
    seen = FARM.sightings("arena", np.array([104.0]))
    points = seen.keypoints_px.astype(np.float64).copy()
    believed = np.ones((1, 26), np.bool_)
    assert broken_share(points, believed, "equine26") == (0.0, 1)
    names = EQUINE26.landmarks
    carpus, hoof = names.index("left_carpus"), names.index("left_front_hoof")
    facing = np.sign(points[0, 7, 0] - points[0, 9, 0])
    points[0, hoof] = points[0, carpus] + (facing * 30.0, -8.0)
    assert broken_share(points, believed, "equine26") == (1.0, 1)


# --- speed -----------------------------------------------------------------------------------


def test_slopes_of_a_noisy_walk_and_of_a_horse_that_stands() -> None:
    chance = np.random.default_rng(5)
    t = np.arange(32) * 0.03
    moving = np.stack([1.4 * t, 0.2 * t], axis=1)[None] + chance.normal(0, 0.02, (1, 32, 2))
    resting = np.zeros((1, 32, 2)) + chance.normal(0, 0.02, (1, 32, 2))
    path_s = np.repeat(t[None], 2, axis=0)
    scale = (np.log(100.0) + 0.1 * t)[None].repeat(2, axis=0).astype(np.float32)
    line = slopes(path_s, np.concatenate([moving, resting]), scale, float(t[-1]), 0.8)
    speeds = speeds_of(line.rate.astype(np.float32), line.error.astype(np.float32))
    assert speeds[0] == pytest.approx(np.hypot(1.4, 0.2), abs=0.1)
    assert speeds[1] < 0.06
    assert line.scale_rate[0] == pytest.approx(0.1, abs=0.02)
    assert line.scale_now[0] == pytest.approx(np.log(100.0) + 0.1 * t[-1], abs=0.01)


def test_two_positions_are_no_speed_and_impossible_ones_are_unknown() -> None:
    path_s = np.full((1, 8), np.nan)
    path = np.zeros((1, 8, 2))
    path_s[0, -2:] = (0.0, 0.1)
    assert not slopes(path_s, path, np.zeros((1, 8), np.float32), 0.1, 0.8).known[0]
    too_fast = speeds_of(np.array([[60.0, 0.0]], np.float32), np.zeros(1, np.float32))
    assert np.isnan(too_fast[0])


# --- recorded series -------------------------------------------------------------------------


def recorded(
    fps: float, noise: float, seed: int = 0, uneven: float = 0.0
) -> tuple[PoseSeries, np.ndarray]:
    chance = np.random.default_rng(seed)
    times = np.arange(126.5, 132.5, 1.0 / fps)
    times = np.sort(times + chance.uniform(-uneven, uneven, len(times)) / fps)
    seen = FARM.sightings("arena", times)
    size = np.sqrt(np.prod(seen.boxes_xyxy_px[:, 2:] - seen.boxes_xyxy_px[:, :2], axis=1))
    points = seen.keypoints_px + chance.normal(0, 1, seen.keypoints_px.shape) * (
        noise * size[:, None, None]
    )
    count = len(seen)
    series = PoseSeries(
        seen.t_s.copy(),
        PoseBatch(points.astype(np.float32), np.full((count, 26), 0.8, np.float32), EQUINE26),
        seen.boxes_xyxy_px.copy(),
        np.full(count, np.nan, np.float32),
        np.zeros((count, 2), np.float32),
    )
    return series, seen.keypoints_px


def off_px(series: PoseSeries, truth: np.ndarray) -> np.ndarray:
    return np.hypot(*np.moveaxis(series.poses.keypoints_px - truth, -1, 0))


@pytest.mark.parametrize("uneven", [0.0, 0.2])
def test_recorded_poses_are_nearer_to_the_truth_and_do_not_trail(uneven: float) -> None:
    series, truth = recorded(50.0, 0.008, uneven=uneven)
    smooth = smooth_series(series)
    assert off_px(smooth, truth).mean() < 0.7 * off_px(series, truth).mean()
    hooves = slice(22, 26)
    assert off_px(smooth, truth)[:, hooves].mean() < 0.85 * off_px(series, truth)[:, hooves].mean()
    early, now, late = (
        np.abs(smooth.poses.keypoints_px[5:-5] - truth[5 + shift : len(truth) - 5 + shift]).mean()
        for shift in (-2, 0, 2)
    )
    assert now < early and now < late
    assert np.isfinite(smooth.scales_px_m).all()


def test_slow_recordings_are_left_as_they_are() -> None:
    series, truth = recorded(8.0, 0.008)
    assert off_px(smooth_series(series), truth).mean() < 1.02 * off_px(series, truth).mean()


def test_a_spike_and_a_short_gap_are_closed_and_a_long_gap_is_not_made_up() -> None:
    series, truth = recorded(50.0, 0.001)
    points, scores = series.poses.keypoints_px.copy(), series.poses.scores.copy()
    points[100, POLL] += 120.0
    points[150:156, HOOF], scores[150:156, HOOF] = 0.0, 0.05
    points[200:250, HOOF], scores[200:250, HOOF] = 0.0, 0.05
    broken = PoseSeries(
        series.t_s.copy(), PoseBatch(points, scores, EQUINE26), series.boxes_xyxy_px.copy(),
        series.scales_px_m.copy(), series.camera_px.copy(),
    )  # fmt: skip
    smooth = smooth_series(broken)
    assert off_px(smooth, truth)[100, POLL] < 6.0
    assert off_px(smooth, truth)[150:156, HOOF].max() < 40.0
    assert (smooth.poses.scores[150:156, HOOF] > 0.5).all()
    assert (smooth.poses.scores[200:250, HOOF] < 0.3).all()


def test_short_series_come_back() -> None:
    series, _ = recorded(50.0, 0.0)
    poses = series.poses
    for count in (0, 1, 2, 5):
        part = PoseSeries(
            series.t_s[:count].copy(),
            PoseBatch(poses.keypoints_px[:count].copy(), poses.scores[:count].copy(), EQUINE26),
            series.boxes_xyxy_px[:count].copy(), series.scales_px_m[:count].copy(),
            series.camera_px[:count].copy(),
        )  # fmt: skip
        assert len(smooth_series(part)) == count
