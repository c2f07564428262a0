"""Footfalls and strides of the simulated trot, against what really happened."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import GOOD_STRIDE, Gait, Lead, PoseSeries, Stride
from engine.evaluation.simulated_poses import EXACT, REALISTIC, SimulatedSeries, simulated_series
from engine.motion.footfalls import footfalls
from engine.motion.gait import GaitSegment, analyse
from engine.motion.limb_swaps import exchanged
from engine.motion.series_paths import limb_paths_of
from engine.motion.strides import StrideClock, strides_of
from engine.motion.symmetry import symmetry
from engine.simulation.scenarios import trot_in_hand

ASYMMETRY_MM = (12.0, -8.0, 6.0, 4.0)
ZERO_AT = datetime(2026, 3, 1, tzinfo=UTC)
CLOCK = StrideClock(TrackId(uuid4()), StreamId(uuid4()), ZERO_AT)
FARM = trot_in_hand(1, ASYMMETRY_MM)
TRUTH = FARM.truth_between(0.0, 60.0)


@lru_cache(maxsize=8)
def seen(fps: float, noisy: bool) -> SimulatedSeries:
    """The first pass before the camera."""
    noise = REALISTIC if noisy else EXACT
    return next(iter(simulated_series(FARM, "arena", fps, 0.0, 20.0, noise, 4)))


def trot(series: PoseSeries) -> GaitSegment:
    return max(analyse(series), key=lambda segment: segment.duration_s)


def seconds(stride: Stride) -> tuple[float, float]:
    return (
        (stride.start_at - ZERO_AT) / timedelta(seconds=1),
        (stride.end_at - ZERO_AT) / timedelta(seconds=1),
    )


@pytest.mark.parametrize(
    ("fps", "noisy", "frames"),
    [(50.0, False, 0.3), (50.0, True, 1.5), (25.0, True, 1.0), (15.0, True, 0.8)],
)
def test_hooves_land_and_lift_when_they_did(fps: float, noisy: bool, frames: float) -> None:
    one = seen(fps, noisy)
    segment = trot(one.series)
    contacts = footfalls(limb_paths_of(one.series), segment.stride_hz, segment.speed_mps)
    falls = TRUTH.footfalls
    inside = (falls.on_s > segment.start_s + 0.3) & (falls.off_s < segment.end_s - 0.3)
    assert inside.sum() >= 10
    errors = []
    for row in np.nonzero(inside)[0].tolist():
        contact = contacts[int(falls.limbs[row])]
        errors.append(np.nanmin(np.abs(contact.on_s - falls.on_s[row])))
        errors.append(np.nanmin(np.abs(contact.off_s - falls.off_s[row])))
    assert np.median(errors) * fps < frames / 2
    assert np.percentile(errors, 90) * fps < frames


@pytest.mark.parametrize("noisy", [False, True])
def test_strides_have_the_true_length_timing_and_order(noisy: bool) -> None:
    one = seen(50.0, noisy)
    strides = strides_of(one.series, analyse(one.series), CLOCK)
    truth = TRUTH.strides
    assert len(strides) >= 3
    for stride in strides:
        start_s, end_s = seconds(stride)
        row = int(np.abs(truth.start_s - start_s).argmin())
        if not truth.steady[row]:
            continue
        assert (stride.gait, stride.lead) == (Gait.TROT, Lead.NONE)
        assert stride.track_id == CLOCK.track_id
        assert stride.quality >= GOOD_STRIDE
        assert stride.straight
        true_s = truth.end_s[row] - truth.start_s[row]
        assert abs((end_s - start_s) - true_s) * 50 < (1.0 if not noisy else 4.0)
        assert stride.stride_hz == pytest.approx(1 / (end_s - start_s), rel=1e-4)
        assert stride.length_m == pytest.approx(truth.stride_m[row], rel=0.15)
        assert stride.speed_mps == pytest.approx(truth.speed_mps[row], rel=0.10)
        assert stride.duty == pytest.approx(truth.duty[row], abs=0.1)
        off = (np.array(stride.phases) - truth.phases[row] + 0.5) % 1.0 - 0.5
        assert np.abs(off).max() < 0.08
        assert np.abs(stride.dissociation).max() < 0.1
        assert stride.symmetry > 0.8


def test_a_camera_that_follows_gives_the_same_strides() -> None:
    series = seen(50.0, False).series
    shift = series.poses.keypoints_px[:, [7, 8]].mean(axis=1)
    poses = type(series.poses)(
        (series.poses.keypoints_px - shift[:, None] + 300).astype(np.float32),
        series.poses.scores.copy(), series.poses.skeleton,
    )  # fmt: skip
    kept = PoseSeries(
        series.t_s.copy(), poses, series.boxes_xyxy_px.copy(), series.scales_px_m.copy(),
        np.full((len(series), 2), np.nan, np.float32),
    )  # fmt: skip
    fixed = strides_of(series, analyse(series), CLOCK)
    followed = strides_of(kept, analyse(kept), CLOCK)
    assert len(followed) == len(fixed)
    for one, other in zip(fixed, followed, strict=True):
        assert seconds(other) == pytest.approx(seconds(one), abs=0.02)
        assert other.speed_mps == pytest.approx(one.speed_mps, rel=0.25)


def test_known_speeds_are_taken_as_they_are() -> None:
    series = seen(25.0, False).series
    speeds = np.full(len(series), 3.3)
    strides = strides_of(series, analyse(series, speeds), CLOCK, speeds_mps=speeds)
    assert [s.speed_mps for s in strides] == pytest.approx([3.3] * len(strides))
    assert strides


def test_standing_has_no_strides() -> None:
    series = seen(25.0, False).series
    still = GaitSegment(
        float(series.t_s[0]), float(series.t_s[-1]), Gait.STANDING, Lead.NONE, 1.0, math.nan, 0.0,
        math.nan, (0.0, 0.0, 0.0, 0.0),
    )  # fmt: skip
    assert strides_of(series, [still], CLOCK) == []


# --- parts -------------------------------------------------------------------------------------


def test_limbs_exchanged_now_and_then_are_found() -> None:
    paths = limb_paths_of(seen(25.0, False).series)
    places = [np.stack([paths.ahead_m[:, k], paths.up_m[:, k]], axis=1) for k in (0, 1)]
    wrong = np.zeros(len(paths), np.bool_)
    wrong[12:18] = wrong[30:45] = True
    mixed = [np.where(wrong[:, None], places[1 - k], places[k]) for k in (0, 1)]
    found = exchanged(paths.t_s, mixed[0], mixed[1])
    assert (found == wrong).mean() > 0.95
    assert not exchanged(paths.t_s, places[0], places[1]).any()


def test_at_ten_pictures_a_second_nobody_guesses_who_is_who() -> None:
    t_s = np.arange(20) / 10.0
    way = np.stack([np.sin(9 * t_s), np.zeros(20)], axis=1)
    assert not exchanged(t_s, way, -way).any()


def test_even_horses_score_one_and_the_score_names_its_parts() -> None:
    even = symmetry(Gait.TROT, (0.4,) * 4, (0.5, 0.0, 0.0, 0.5))
    assert even == pytest.approx(1.0)
    # Left front stance 0.5, right 0.3: 0.25 of their sum, swing 0.5 and 0.7: a sixth; the other
    # four parts (hind stance and swing, both steps) are even.
    lame = symmetry(Gait.TROT, (0.5, 0.3, 0.4, 0.4), (0.5, 0.0, 0.0, 0.5))
    assert lame == pytest.approx(1.0 - (0.25 + 1 / 6) / 6)
    # A canter leads: its steps are no unevenness.
    assert symmetry(Gait.CANTER, (0.3,) * 4, (0.62, 0.31, 0.31, 0.0)) == pytest.approx(1.0)
    assert symmetry(Gait.TROT, (0.4,) * 4, (0.5, 0.0, 0.0, 0.5), (0.3,)) == pytest.approx(
        1.0 - 0.3 / 7
    )
    assert math.isnan(symmetry(Gait.CANTER, (math.nan,) * 4, (math.nan,) * 4))
