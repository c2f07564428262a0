"""Gaits from hoof paths: every gait of the simulated arena, live and final, and awkward horses."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from engine.domain.motion import Gait, Lead, PoseSeries
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import EQUINE26, GAIT28, Skeleton
from engine.evaluation.simulated_poses import REALISTIC, SimulatedSeries, simulated_series
from engine.motion.gait import GaitEstimate, Hysteresis, LiveGait, analyse
from engine.motion.gait_patterns import between, patterns, posteriors, relative_to_hind
from engine.simulation.gaits import GAITS
from engine.simulation.gaits import Gait as TrueGait
from engine.simulation.scenarios import gaits_in_the_arena

PASSES = {
    "walk": (28.5, 34.5), "trot": (125.8, 132.0), "canter": (63.6, 67.0),
    "canter_right": (146.3, 149.4), "standing": (90.5, 95.5),
}  # fmt: skip


@lru_cache(maxsize=16)
def seen(name: str, fps: float, noisy: bool = False) -> SimulatedSeries:
    """One pass of the arena horse before the camera."""
    start_s, end_s = PASSES[name]
    noise = REALISTIC if noisy else replace(REALISTIC, jitter=0.0, drift=0.0, missed=0.0)
    farm = gaits_in_the_arena(1)
    return next(iter(simulated_series(farm, "arena", fps, start_s, end_s, noise, 3)))


def changed(series: PoseSeries, keypoints_px: np.ndarray, camera_px: np.ndarray) -> PoseSeries:
    poses = PoseBatch(
        keypoints_px.astype(np.float32), series.poses.scores.copy(), series.poses.skeleton
    )
    return PoseSeries(
        series.t_s.copy(), poses, series.boxes_xyxy_px.copy(), series.scales_px_m.copy(),
        camera_px.astype(np.float32),
    )  # fmt: skip


def scored(series: PoseSeries, scores: np.ndarray) -> PoseSeries:
    return PoseSeries(
        series.t_s.copy(),
        PoseBatch(series.poses.keypoints_px.copy(), scores, series.poses.skeleton),
        series.boxes_xyxy_px.copy(), series.scales_px_m.copy(), series.camera_px.copy(),
    )  # fmt: skip


def followed(series: PoseSeries, tell: bool) -> PoseSeries:
    """The same horse kept in the middle of the picture by a panning camera; ``tell``: it is said
    that the camera's motion is not known."""
    middle = series.poses.keypoints_px[:, [7, 8]].mean(axis=1, keepdims=True)
    said = np.full((len(series), 2), np.nan if tell else 0.0)
    return changed(series, series.poses.keypoints_px - middle + 400.0, said)


def longest(series: PoseSeries) -> tuple[Gait, Lead]:
    best = max(analyse(series), key=lambda segment: segment.duration_s)
    return best.gait, best.lead


# --- the final form ----------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [10.0, 25.0])
@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize(
    ("name", "gait", "lead"),
    [
        ("walk", Gait.WALK, Lead.NONE), ("trot", Gait.TROT, Lead.NONE),
        ("canter", Gait.CANTER, Lead.LEFT), ("canter_right", Gait.CANTER, Lead.RIGHT),
        ("standing", Gait.STANDING, Lead.NONE),
    ],
)  # fmt: skip
def test_each_gait_and_lead_is_told(
    name: str, gait: Gait, lead: Lead, noisy: bool, fps: float
) -> None:
    assert longest(seen(name, fps, noisy).series) == (gait, lead)


@pytest.mark.parametrize("tell", [True, False])
@pytest.mark.parametrize("name", ["walk", "trot", "canter"])
def test_a_camera_that_follows_the_horse_changes_nothing(name: str, tell: bool) -> None:
    one = seen(name, 25.0)
    best = max(analyse(followed(one.series, tell)), key=lambda segment: segment.duration_s)
    assert best.gait.label == name
    # The bearing hooves tell the speed that the picture does not show.
    assert best.follows
    assert best.speed_mps == pytest.approx(float(np.median(one.truth.speed_mps)), rel=0.25)


def test_numbers_of_a_segment_are_those_of_the_truth() -> None:
    one = seen("trot", 25.0)
    segment = max(analyse(one.series), key=lambda found: found.duration_s)
    assert segment.stride_hz == pytest.approx(float(np.median(one.truth.stride_hz)), rel=0.03)
    assert segment.speed_mps == pytest.approx(float(np.median(one.truth.speed_mps)), rel=0.12)
    assert segment.duty == pytest.approx(GAITS[TrueGait.TROT].duty, abs=0.06)
    landings = GAITS[TrueGait.TROT].contact_phase
    off = [abs(between(p, t)) for p, t in zip(segment.phases, landings, strict=True)]
    assert max(off) < 0.05


def test_exchanged_limbs_are_put_back() -> None:
    series = seen("walk", 25.0).series
    keypoints = series.poses.keypoints_px.copy()
    for first in range(20, len(series) - 25, 25):  # three pictures a second, hind and front
        rows = slice(first, first + 3)
        for left, right in ((22, 23), (24, 25)):
            keypoints[rows, [left, right]] = keypoints[rows, [right, left]]
    assert longest(changed(series, keypoints, series.camera_px)) == (Gait.WALK, Lead.NONE)


def test_three_hooves_are_enough() -> None:
    series = seen("trot", 25.0).series
    scores = series.poses.scores.copy()
    scores[:, [23, 19]] = 0.1  # right front hoof and fetlock hidden
    best = max(analyse(scored(series, scores)), key=lambda segment: segment.duration_s)
    assert best.gait is Gait.TROT
    assert math.isnan(best.phases[1])


@pytest.mark.parametrize("name", ["walk", "trot", "canter"])
def test_one_side_is_enough_for_the_gait_and_not_for_the_lead(name: str) -> None:
    series = seen(name, 25.0).series
    scores = series.poses.scores.copy()
    scores[:, [23, 19, 25, 21]] = 0.1
    best = max(analyse(scored(series, scores)), key=lambda segment: segment.duration_s)
    assert (best.gait.label, best.lead) == (name, Lead.NONE)
    assert "one side seen" in best.evidence
    assert best.confidence < 0.7


def test_sides_that_are_not_known_give_no_left_or_right_lead() -> None:
    series = seen("canter", 25.0).series
    roles = EQUINE26.index_by_role
    count = len(GAIT28.landmarks)
    keypoints = np.zeros((len(series), count, 2), np.float32)
    scores = np.zeros((len(series), count), np.float32)
    for role, index in GAIT28.roles:
        if role in roles:
            keypoints[:, index] = series.poses.keypoints_px[:, roles[role]]
            scores[:, index] = series.poses.scores[:, roles[role]]
    unsided = PoseSeries(
        series.t_s.copy(), PoseBatch(keypoints, scores, GAIT28), series.boxes_xyxy_px.copy(),
        series.scales_px_m.copy(), series.camera_px.copy(),
    )  # fmt: skip
    assert longest(unsided) == (Gait.CANTER, Lead.ONE)


def test_a_skeleton_without_hooves_says_what_it_lacks() -> None:
    bare = Skeleton("bare", ("nose", "withers"), (), (), (("nose", 0), ("withers", 1)), (0.1, 0.1))
    told = LiveGait(bare).update(0.0, np.zeros((2, 2)), np.ones(2))
    assert told.gait is Gait.UNKNOWN
    assert "no hoof_left_front" in told.evidence
    series = PoseSeries(
        np.arange(30) / 10.0,
        PoseBatch(np.zeros((30, 2, 2), np.float32), np.ones((30, 2), np.float32), bare),
        np.zeros((30, 4), np.float32), np.full(30, np.nan, np.float32),
        np.zeros((30, 2), np.float32),
    )  # fmt: skip
    assert analyse(series) == []


def test_noise_without_a_horse_in_it_is_no_gait() -> None:
    series = seen("standing", 25.0).series
    chance = np.random.default_rng(5)
    shaken = series.poses.keypoints_px + chance.normal(0, 25, series.poses.keypoints_px.shape)
    told = analyse(changed(series, shaken, np.full((len(series), 2), np.nan)))
    assert all(segment.gait in (Gait.UNKNOWN, Gait.STANDING) for segment in told)


# --- the live form -----------------------------------------------------------------------------


def lived(series: PoseSeries) -> list[GaitEstimate]:
    live = LiveGait(series.poses.skeleton)
    return [
        live.update(float(t), k, s, float(m))
        for t, k, s, m in zip(
            series.t_s, series.poses.keypoints_px, series.poses.scores, series.scales_px_m,
            strict=True,
        )
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["walk", "trot", "canter", "standing"])
def test_ten_pictures_a_second_tell_the_gait_live(name: str) -> None:
    one = seen(name, 10.0)
    told = lived(one.series)
    assert told[0].gait is Gait.UNKNOWN
    late = [estimate.gait.label for estimate in told[20:]]
    assert late.count(one.truth.gaits[-1]) >= 0.9 * len(late)
    last = told[-1]
    assert last.confidence > 0.5
    assert last.evidence
    if name == "standing":
        assert last.speed_mps == 0.0
    else:
        assert last.stride_m == pytest.approx(last.speed_mps / last.stride_hz)
        assert last.symmetry > 0.85


def test_standing_takes_a_second_of_stillness() -> None:
    series = seen("standing", 10.0).series
    told = lived(series)
    first = next(i for i, estimate in enumerate(told) if estimate.gait is Gait.STANDING)
    assert 0.8 - 1e-6 <= series.t_s[first] - series.t_s[0] <= 1.5


def test_the_label_does_not_flicker() -> None:
    steady = Hysteresis(0.6)
    walk = GaitEstimate(0.0, Gait.WALK, confidence=0.8)
    assert steady.shown(walk).gait is Gait.WALK
    odd = GaitEstimate(0.3, Gait.CANTER, Lead.LEFT, 0.9)
    assert steady.shown(odd).gait is Gait.WALK
    assert steady.shown(odd).confidence < 0.5
    assert steady.shown(replace(odd, t_s=0.7)).gait is Gait.CANTER
    assert steady.shown(GaitEstimate(0.9, Gait.STANDING)).gait is Gait.STANDING


# --- the patterns ------------------------------------------------------------------------------


@pytest.mark.parametrize("true", [gait for gait in TrueGait if gait is not TrueGait.STANDING])
def test_published_phase_tables_are_their_gaits(true: TrueGait) -> None:
    table = GAITS[true]
    best = patterns(
        np.array(table.contact_phase), table.duty, table.speed_mps, table.stride_hz
    )[0]  # fmt: skip
    assert (best.gait.label, best.lead.label) == (true.label, true.lead or "none")
    assert best.cost < 1.0


def test_phase_outweighs_speed_and_frequency() -> None:
    trot = np.array(GAITS[TrueGait.TROT].contact_phase)
    assert patterns(trot, math.nan, 1.2, 0.9)[0].gait is Gait.TROT
    walk = np.array(GAITS[TrueGait.WALK].contact_phase)
    assert patterns(walk, math.nan, 4.0, 1.6)[0].gait is Gait.WALK


def test_a_canter_whose_hind_limbs_lead_otherwise_is_called_disunited() -> None:
    phases = np.array([0.62, 0.31, 0.0, 0.31])  # left fore leads, right hind leads
    best = patterns(phases, 0.31, 4.9, 1.7)[0]
    assert (best.gait, best.lead, best.note) == (Gait.CANTER, Lead.LEFT, "disunited")


def test_shares_add_up_and_phases_are_counted_from_the_left_hind() -> None:
    found = patterns(np.array([0.25, 0.75, 0.0, 0.5]), 0.62, 1.4, 0.85)
    assert sum(posteriors(found).values()) == pytest.approx(1.0)
    assert relative_to_hind(np.array([0.35, 0.85, 0.1, 0.6])) == pytest.approx(
        [0.25, 0.75, 0.0, 0.5]
    )
    assert patterns(np.array([0.2, np.nan, np.nan, np.nan]), 0.5, 1.0, 1.0) == []


def test_speed_alone_tells_a_gait_with_little_confidence() -> None:
    series = seen("walk", 10.0).series
    scores = series.poses.scores.copy()
    scores[:, 18:] = 0.1  # fetlocks and hooves in the straw
    live = LiveGait(EQUINE26)
    told = [
        live.update(float(t), k, s, 80.0, 1.3)
        for t, k, s in zip(series.t_s, series.poses.keypoints_px, scores, strict=True)
    ]
    assert told[-1].gait is Gait.WALK
    assert told[-1].confidence < 0.5
    assert "no order of footfalls" in told[-1].evidence[0]
    # Near the limit of two gaits it tells nothing.
    unsure = LiveGait(EQUINE26)
    for t, k, s in zip(series.t_s, series.poses.keypoints_px, scores, strict=True):
        last = unsure.update(float(t), k, s, 80.0, 2.0)
    assert last.gait is Gait.UNKNOWN
