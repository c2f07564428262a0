"""Limbs told apart by their rhythm, against names that a pose model would mix up."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from engine.evaluation.simulated_poses import EXACT, REALISTIC, simulated_series
from engine.motion.limb_paths import Bools, LimbPaths, limb_paths
from engine.motion.limb_sides import PAIRS, exchanged_sides
from engine.motion.series_paths import limb_paths_of
from engine.simulation.gaits import Gait
from tests.helpers.session_clip import passing_farm


@lru_cache(maxsize=16)
def paths_of(gait: Gait, fps: float, noisy: bool = False) -> LimbPaths:
    """A horse that passes the arena's camera, with the right names."""
    noise = REALISTIC if noisy else EXACT
    farm = passing_farm(gait)
    series = next(iter(simulated_series(farm, "arena", fps, 0.0, 9.0, noise, 4))).series
    return limb_paths(
        series.t_s, series.poses.keypoints_px.astype(np.float64),
        series.poses.scores.astype(np.float64), series.poses.skeleton,
        series.scales_px_m.astype(np.float64), series.camera_px.astype(np.float64),
    )  # fmt: skip


APART_M = 0.3
"""A hoof passes the other by nearly so much between two pictures."""


def apart(paths: LimbPaths, pair: int) -> Bools:
    """When the hooves of a pair are well apart."""
    one, other = PAIRS[pair]
    return np.asarray(np.abs(paths.ahead_m[:, one] - paths.ahead_m[:, other]) > APART_M)


def renamed(paths: LimbPaths, wrong: Bools) -> LimbPaths:
    """The same with the limbs of each pair in each other's place where ``wrong``, bool (T, 2)."""
    order = np.tile(np.arange(4), (len(paths), 1))
    for pair, (one, other) in enumerate(PAIRS):
        order[wrong[:, pair], one], order[wrong[:, pair], other] = other, one
    ahead, up = (np.take_along_axis(v, order, axis=1) for v in (paths.ahead_m, paths.up_m))
    return replace(paths, ahead_m=ahead, up_m=up)


def leading_named_left(paths: LimbPaths) -> Bools:
    """What a model does that calls whichever hoof is ahead the left one."""
    return np.stack([paths.ahead_m[:, a] < paths.ahead_m[:, b] for a, b in PAIRS], axis=1)


def wrongly_named(paths: LimbPaths, wrong: Bools, found: Bools) -> float:
    """Share of instants with hooves well apart whose names are still mixed up, up to the sides of
    a whole pair, which nobody can know."""
    worst = 0.0
    for pair in range(len(PAIRS)):
        left = float((wrong ^ found)[apart(paths, pair), pair].mean())
        worst = max(worst, min(left, 1.0 - left))
    return worst


@pytest.mark.parametrize("fps", [10.0, 25.0])
@pytest.mark.parametrize("gait", [Gait.WALK, Gait.TROT])
def test_hooves_that_change_names_whenever_they_pass_are_followed(gait: Gait, fps: float) -> None:
    paths = paths_of(gait, fps)
    wrong = leading_named_left(paths)
    assert wrongly_named(paths, wrong, np.zeros_like(wrong)) > 0.3
    assert wrongly_named(paths, wrong, exchanged_sides(renamed(paths, wrong))) < 0.03


@pytest.mark.parametrize("gait", [Gait.WALK, Gait.TROT, Gait.CANTER])
def test_right_names_stay(gait: Gait) -> None:
    paths = paths_of(gait, 25.0, noisy=True)
    found = exchanged_sides(paths)
    for pair in range(len(PAIRS)):
        assert not found[apart(paths, pair), pair].any()


def test_a_series_with_mixed_names_gives_the_same_paths() -> None:
    farm = passing_farm(Gait.WALK)
    series = next(iter(simulated_series(farm, "arena", 25.0, 0.0, 9.0, EXACT, 4))).series
    hooves = ((22, 23), (24, 25))
    truth = limb_paths_of(series)
    points = series.poses.keypoints_px.copy()
    wrong = leading_named_left(truth)
    for pair, (left, right) in enumerate(hooves):
        named = np.flatnonzero(wrong[:, pair])[:, None]
        points[named, [left, right]] = points[named, [right, left]]
    mixed = replace(series, poses=replace(series.poses, keypoints_px=points))
    put = limb_paths_of(mixed)
    for pair, (one, other) in enumerate(PAIRS):
        rows = apart(truth, pair)
        straight = np.abs(put.ahead_m[rows, one] - truth.ahead_m[rows, one]) > 0.1
        crossed = np.abs(put.ahead_m[rows, one] - truth.ahead_m[rows, other]) > 0.1
        assert min(straight.mean(), crossed.mean()) < 0.1


def test_without_a_rhythm_nothing_is_renamed() -> None:
    paths = paths_of(Gait.WALK, 25.0)
    still = replace(paths, ahead_m=np.tile(paths.ahead_m[:1], (len(paths), 1)))
    assert not exchanged_sides(still).any()
    unseen = replace(paths, ahead_m=np.full_like(paths.ahead_m, np.nan))
    assert not exchanged_sides(unseen).any()
    assert not exchanged_sides(paths.part(0, 5)).any()
