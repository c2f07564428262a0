"""What horses teach about a camera's ground, against the farm's exact cameras."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.motion.learned_ground import EVERY, LEAST_BANDS, LEAST_IN_BAND, LearnedGround
from engine.motion.pose_chain import PoseChain
from engine.settings import MotionSettings
from engine.simulation.scenarios import occlusion_and_reentry
from engine.simulation.site import CAMERAS
from tests.helpers.simulated_results import watched


def taught(
    noise: float, base: float = -0.1, slope: float = 0.4, span: float = 0.5
) -> LearnedGround:
    chance = np.random.default_rng(1)
    ground = LearnedGround()
    for _ in range(40):
        rows = chance.uniform(0.35, 0.35 + span, 25)
        scales = (base + slope * rows) * np.exp(chance.normal(0, noise, 25))
        ground.add(rows, scales)
    return ground


def test_the_line_is_found_in_noise() -> None:
    ground = taught(0.05)
    assert ground.line is not None
    assert ground.line == pytest.approx((-0.1, 0.4), abs=0.01)
    assert ground.scales_at(np.array([0.6]))[0] == pytest.approx(0.14, rel=0.02)
    assert np.isnan(ground.scales_at(np.array([0.2]))[0])
    foot = ground.feet_below(np.array([0.5]), np.array([1.0]))[0]
    assert foot == pytest.approx(0.5 + 1.0 * ground.scales_at(np.array([foot]))[0], abs=1e-5)


@pytest.mark.parametrize(
    "ground",
    [
        taught(0.05, slope=-0.2, base=0.4),
        taught(0.05, span=0.08),
        taught(0.0, base=0.2, slope=0.0),
        LearnedGround(),
    ],
    ids=["upside down", "too narrow", "no slope", "nothing"],
)
def test_what_is_no_ground_is_not_believed(ground: LearnedGround) -> None:
    assert ground.line is None
    assert np.isnan(ground.scales_at(np.array([0.5]))).all()
    assert np.isnan(ground.feet_below(np.array([0.5]), np.array([1.0]))).all()


def test_scales_that_do_not_lie_on_a_line_are_no_level_ground() -> None:
    chance = np.random.default_rng(2)
    ground = LearnedGround()
    for _ in range(40):
        rows = chance.uniform(0.3, 0.9, 25)
        ground.add(rows, 0.05 + 0.3 * np.abs(np.sin(9.0 * rows)))
    assert ground.line is None


def test_too_few_sightings_are_not_enough_and_nonsense_is_passed_over() -> None:
    ground = LearnedGround()
    ground.add(np.array([np.nan, 0.5, 1.4, -0.2]), np.array([0.1, np.inf, 0.1, 0.1]))
    rows = np.linspace(0.4, 0.8, LEAST_BANDS * LEAST_IN_BAND // 2)
    ground.add(rows, -0.1 + 0.4 * rows)
    ground.add(np.full(EVERY, 0.5), np.full(EVERY, 0.1))
    assert ground.line is None


def test_a_horse_that_comes_down_the_aisle_has_a_speed_once_the_ground_is_known() -> None:
    farm = occlusion_and_reentry(3, 6, 6.0)
    view = CAMERAS["aisle"]
    chain = PoseChain(MotionSettings(focal_widths=view.focal_px / view.width_px))
    off: dict[bool, list[float]] = {False: [], True: []}
    sizes = {horse.id: horse.build.withers_m for horse in farm.horses}
    for result, truth in watched(farm, "aisle", np.arange(30.0, 105.0, 0.1), 0.006):
        heights = np.array([sizes[int(number)] for number in truth.horse_ids], np.float32)
        columns = chain.update(result, heights)
        learned = chain._land.learned.line is not None
        for row in range(len(truth)):
            along = abs(math.cos(truth.yaw[row])) > 0.95
            if along and truth.distance_m[row] < 22.0 and np.isfinite(columns.speeds_mps[row]):
                off[learned].append(float(columns.speeds_mps[row] - truth.speed_mps[row]))
    line = chain._land.learned.line
    assert line is not None
    horizon = 0.5 - math.tan(math.radians(view.down_deg)) * view.focal_px / view.height_px
    assert -line[0] / line[1] == pytest.approx(horizon, abs=0.02)
    assert len(off[True]) > 100
    assert np.abs(off[True]).mean() < 0.45
    chain.reset()
    assert chain._land.learned.line is None
