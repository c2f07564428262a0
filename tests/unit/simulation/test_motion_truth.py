"""Footfalls, strides, bouts and asymmetry of the simulated farm agree with its sampled states."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.domain.skeletons import EQUINE26
from engine.simulation.farm import SimulatedFarm
from engine.simulation.gaits import GAITS, LIMBS, Gait
from engine.simulation.scenarios import gaits_in_the_arena, occlusion_and_reentry, trot_in_hand
from engine.simulation.truth import IntervalTruth

HOOVES = [EQUINE26.landmarks.index(f"{limb}_hoof") for limb in LIMBS]


@pytest.fixture(scope="module")
def arena() -> SimulatedFarm:
    return gaits_in_the_arena(seed=2)


@pytest.fixture(scope="module")
def happened(arena: SimulatedFarm) -> IntervalTruth:
    return arena.truth_between(0.0, arena.timelines[0].cycle_s)


def test_a_hoof_on_the_ground_stays_where_it_is(
    arena: SimulatedFarm, happened: IntervalTruth
) -> None:
    strides, falls = happened.strides, happened.footfalls
    calm = strides.steady & strides.straight
    assert calm.sum() > 30
    for start_s, end_s in zip(strides.start_s[calm], strides.end_s[calm], strict=True):
        for row in np.nonzero((falls.on_s >= start_s) & (falls.off_s < end_s))[0]:
            down = np.linspace(falls.on_s[row] + 1e-3, falls.off_s[row] - 1e-3, 6)
            spots = arena.landmarks_m(0, down)[:, HOOVES[falls.limbs[row]]]
            assert np.ptp(spots, axis=0).max() < 0.03


def test_footfalls_are_where_sampled_contacts_begin_and_end(
    arena: SimulatedFarm, happened: IntervalTruth
) -> None:
    """Contacts sampled at 500 Hz change at the exact times."""
    falls = happened.footfalls
    times = np.arange(20.0, 60.0, 0.002)
    contact = arena.bodies_of(arena.rows_at(times))[1].contact
    moving = arena.rows_at(times).states.amplitude > 0.3
    for limb in range(4):
        lands = contact[1:, limb] & ~contact[:-1, limb] & moving[1:]
        exact = np.sort(falls.on_s[falls.limbs == limb])
        sampled = times[1:][lands]
        assert len(sampled) > 20
        nearest = np.abs(sampled[:, None] - exact[None]).min(axis=1)
        assert np.quantile(nearest, 0.95) <= 0.0021


def test_strides_follow_the_phase_tables(happened: IntervalTruth) -> None:
    strides = happened.strides
    seen = set()
    for row in np.nonzero(strides.steady)[0]:
        name = str(strides.gaits[row]) + ("_right" if strides.leads[row] == "right" else "")
        table = GAITS[Gait(name)]
        seen.add(name)
        expected = (np.array(table.contact_phase) - table.contact_phase[2]) % 1.0
        apart = np.abs((strides.phases[row] - expected + 0.5) % 1.0 - 0.5)
        assert apart.max() < 0.01
        assert np.allclose(strides.duty[row], table.duty, atol=0.01)
        assert strides.speed_mps[row] == pytest.approx(
            strides.stride_m[row] * strides.stride_hz[row], rel=1e-6
        )
        assert strides.stride_hz[row] == pytest.approx(
            1.0 / (strides.end_s[row] - strides.start_s[row])
        )
    assert seen == {gait.value for gait in GAITS}


@pytest.mark.parametrize(
    "wanted", [(0.0, 0.0, 0.0, 0.0), (18.0, -11.0, 7.0, -4.0), (-40.0, 0.0, 0.0, 15.0)]
)
def test_asymmetry_is_what_was_asked_for(wanted: tuple[float, float, float, float]) -> None:
    farm = trot_in_hand(5, wanted, spread_mm=(4.0, 2.0), minutes=2.0)
    strides = farm.truth_between(0.0, 120.0).strides
    measured = strides.asymmetry_mm[strides.steady & (strides.gaits == "trot")]
    assert len(measured) > 40
    assert np.allclose(np.nanmean(measured, axis=0), wanted, atol=1.0)
    assert np.allclose(np.nanstd(measured, axis=0), (4.0, 4.0, 2.0, 2.0), rtol=0.35)


def test_speed_is_the_derivative_of_the_place() -> None:
    farm = occlusion_and_reentry(seed=1, horses=6, minutes=6.0)
    times = np.arange(0.0, 360.0, 0.02)
    for timeline in farm.timelines:
        states = timeline.at(times)
        covered = np.hypot(np.diff(states.x_m), np.diff(states.y_m)) / 0.02
        assert np.abs(covered - (states.speed_mps[1:] + states.speed_mps[:-1]) / 2).max() < 0.25
        assert np.abs(np.angle(np.exp(1j * np.diff(states.yaw)))).max() < 0.08
        ends = timeline.at(np.array([0.0, timeline.cycle_s - 1e-6]))
        assert np.hypot(np.ptp(ends.x_m), np.ptp(ends.y_m)) < 0.05  # repeats without a jump


def test_bouts_cover_the_time_without_gaps() -> None:
    farm = occlusion_and_reentry(seed=1, horses=4, minutes=6.0)
    happened = farm.truth_between(100.0, 900.0)  # over the end of the cycle
    for horse in farm.horses:
        mine = sorted((b.start_s, b.end_s) for b in happened.bouts if b.horse_id == horse.id)
        assert mine[0][0] == 100.0
        assert mine[-1][1] == 900.0
        assert all(abs(a[1] - b[0]) < 1e-6 for a, b in pairwise(mine))
    again = farm.truth_between(100.0 + 360.0, 900.0 + 360.0)
    assert np.allclose(again.footfalls.on_s, happened.footfalls.on_s + 360.0)
