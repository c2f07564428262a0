"""Asymmetry in millimetres: of single strides, of many, and over days."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Asymmetry, Gait, Lead, Stride, StrideId
from engine.evaluation.simulated_poses import EXACT, REALISTIC, simulated_series
from engine.motion.asymmetry import (
    FIGURES,
    LEAST_DAYS,
    LEAST_STRIDES,
    summarise,
    trend,
    vertical_differences,
)
from engine.motion.gait import analyse
from engine.motion.strides import StrideClock, strides_of
from engine.simulation.scenarios import trot_in_hand

DAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
CLOCK = StrideClock(TrackId(uuid4()), StreamId(uuid4()), DAY)


def stride(
    value: Asymmetry, at: datetime = DAY, gait: Gait = Gait.TROT, straight: bool = True,
    quality: float = 0.9,
) -> Stride:  # fmt: skip
    return Stride(
        id=StrideId(uuid4()), track_id=CLOCK.track_id, stream_id=CLOCK.stream_id, start_at=at,
        end_at=at + timedelta(seconds=0.7), gait=gait, lead=Lead.NONE, stride_hz=1.4, length_m=2.3,
        speed_mps=3.2, duty=(0.4,) * 4, phases=(0.5, 0.0, 0.0, 0.5), dissociation=(0.0, 0.0),
        symmetry=0.95, asymmetry=value, straight=straight, quality=quality,
    )  # fmt: skip


# --- one stride --------------------------------------------------------------------------------


def test_minima_and_maxima_are_right_minus_left() -> None:
    t_s = np.arange(0.0, 1.4, 0.02)
    length_s, on_s = 0.7, 0.2
    share = (t_s - on_s) / length_s
    # Twice a stride up and down by 70 mm; the sink of the right stance, in the first half, is less
    # deep by 10 mm, and the whole drifts as a horse that comes nearer does.
    path = -35 * np.cos(4 * np.pi * (share - 0.2)) + 5 * np.cos(2 * np.pi * (share - 0.2))
    found = vertical_differences(t_s, path + 900 + 40 * t_s, on_s, length_s)
    assert found.minima_mm == pytest.approx(10.0, abs=0.5)
    assert found.maxima_mm == pytest.approx(0.0, abs=0.5)
    assert found.range_mm == pytest.approx(75.0, abs=2.0)
    # From the other side's landing on, right and left change places.
    other = vertical_differences(t_s, path + 900, on_s + length_s / 2 - length_s, length_s)
    assert math.isnan(other.minima_mm)  # that stride begins before the pictures do
    late = vertical_differences(
        np.concatenate([t_s - 0.35, t_s + 1.05]), np.tile(path, 2), 0.2, 0.7
    )
    assert late.minima_mm == pytest.approx(-10.0, abs=1.5)


@pytest.mark.parametrize("noisy", [False, True])
def test_simulated_asymmetry_comes_back(noisy: bool) -> None:
    farm = trot_in_hand(3, (12.0, -8.0, 6.0, 4.0))
    strides: list[Stride] = []
    noise = REALISTIC if noisy else EXACT
    for one in simulated_series(farm, "arena", 50.0, 0.0, 60.0, noise, 2):
        strides += strides_of(one.series, analyse(one.series), CLOCK)
    found = summarise(strides)
    truth = farm.truth_between(0.0, 60.0).strides
    true = np.nanmean(truth.asymmetry_mm[truth.steady], axis=0)
    assert found.strides >= LEAST_STRIDES
    assert not found.refusal
    # The bar is 5 mm; a minute of noisy strides has a standard error of about 3 mm.
    for column, name in enumerate(FIGURES):
        limit = 8.0 if noisy else 2.0
        assert getattr(found.mean, name) == pytest.approx(true[column], abs=limit)
        assert getattr(found.spread, name) > 0


# --- many strides ------------------------------------------------------------------------------


def test_mean_and_spread_of_good_strides_only() -> None:
    values = [10.0, 14.0] * 6
    good = [stride(Asymmetry(v, -v, v / 2, math.nan)) for v in values]
    bad = [
        stride(Asymmetry(90, 90, 90, 90), quality=0.4),
        stride(Asymmetry(90, 90, 90, 90), straight=False),
        stride(Asymmetry(90, 90, 90, 90), gait=Gait.WALK),
        stride(Asymmetry()),
    ]
    found = summarise([*good, *bad])
    assert found.strides == 12
    assert found.mean.hd_min_mm == pytest.approx(12.0)
    assert found.mean.hd_max_mm == pytest.approx(-12.0)
    assert found.mean.pd_min_mm == pytest.approx(6.0)
    assert math.isnan(found.mean.pd_max_mm)
    assert found.spread.hd_min_mm == pytest.approx(np.std(values, ddof=1))


def test_too_few_strides_are_refused_in_words() -> None:
    found = summarise([stride(Asymmetry(1, 1, 1, 1)) for _ in range(LEAST_STRIDES - 1)])
    assert "9 good strides" in found.refusal
    assert "10 are needed" in found.refusal
    assert math.isnan(found.mean.hd_min_mm)


def test_unknown_sides_are_said() -> None:
    found = summarise([stride(Asymmetry(1, 1, 1, 1))] * 20, sides_known=False)
    assert "which side" in found.refusal
    assert math.isnan(found.mean.hd_min_mm)


# --- days --------------------------------------------------------------------------------------


def days(means: list[float], each: int = 12) -> list[Stride]:
    chance = np.random.default_rng(1)
    return [
        stride(Asymmetry(hd_min_mm=float(mean + chance.normal(0, 3))), DAY + timedelta(days=day))
        for day, mean in enumerate(means)
        for _ in range(each)
    ]


def test_a_worsening_horse_has_a_slope_above_nothing() -> None:
    found = trend(days([2, 3, 4, 5, 6, 7, 8, 9]), "hd_min_mm")
    assert not found.refusal
    assert len(found.days) == 8
    assert found.days[1] - found.days[0] == 1
    assert found.slope_mm_day == pytest.approx(1.0, abs=0.3)
    assert 0.0 < found.slope_low_mm_day <= found.slope_mm_day <= found.slope_high_mm_day
    assert (found.low_mm < found.means_mm).all()
    assert (found.means_mm < found.high_mm).all()
    # Student's interval of 12 strides with a deviation of 3 mm: about 1.9 mm each way.
    assert np.median(found.high_mm - found.means_mm) == pytest.approx(1.9, abs=0.7)


def test_a_steady_horse_has_none() -> None:
    found = trend(days([4.0] * 10), "hd_min_mm")
    assert found.slope_low_mm_day < 0.0 < found.slope_high_mm_day


def test_thin_days_do_not_count_and_few_days_give_no_slope() -> None:
    found = trend([*days([1, 2, 3]), *days([50.0], each=5)], "hd_min_mm")
    assert len(found.days) == 3
    assert f"needs {LEAST_DAYS}" in found.refusal
    assert math.isnan(found.slope_mm_day)
    assert len(trend(days([1, 2, 3, 4]), "pd_max_mm").days) == 0
