"""Asymmetry of trot in millimetres: how differently head and pelvis move over the two sides.

At trot head and pelvis sink and rise twice a stride, once over each diagonal. The differences of
the two minima and of the two maxima, right minus left, are the vets' HDmin, HDmax, PDmin and PDmax.
The vertical path of a stride is drift plus a sine of the stride frequency, which is the asymmetry,
and one of twice that frequency (Keegan et al., "Evaluation of mild lameness in horses trotting on a
treadmill", Am. J. Vet. Res. 62, 2001). Fitting these to all pictures of the stride keeps the errors
of single keypoints small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from engine.domain.motion import GOOD_STRIDE, Asymmetry, Gait, Stride
from engine.motion.limb_paths import Floats

LEAST_STRIDES = 10
"""Good strides below which no mean is told (specification: engine, Motion)."""

REFERENCE_HEAD_MM, REFERENCE_PELVIS_MM = 6.0, 3.0
"""Usual limits between even and uneven. Shown beside the figures and nothing else: sound horses
vary by 13/12 and 5/4 mm."""

_FINE = 96


@dataclass(frozen=True, slots=True)
class VerticalDifferences:
    """Of one stride: differences of the minima and of the maxima, right minus left, and how far the
    path rises and sinks; NaN when too few pictures show the stride."""

    minima_mm: float = math.nan
    maxima_mm: float = math.nan
    range_mm: float = math.nan


def vertical_differences(
    t_s: Floats, up_mm: Floats, right_on_s: float, stride_s: float
) -> VerticalDifferences:
    """Head or pelvis in one stride of trot.

    t_s, up_mm: float64 (T,), vertical path upwards, millimetres, any drift, NaN where not seen.
    right_on_s: landing of the right limb. The right minimum lies in its stance, the right maximum
    after its push-off.
    """
    curve = _curve(t_s, up_mm, right_on_s, stride_s) if math.isfinite(right_on_s) else None
    if curve is None:
        return VerticalDifferences()
    share = np.linspace(0.0, 1.15, len(curve))

    def part(low: float, high: float) -> Floats:
        return np.asarray(curve[(share >= low) & (share < high)], np.float64)

    lowest = part(0.0, 0.45).min() - part(0.5, 0.95).min()
    highest = part(0.25, 0.65).max() - part(0.75, 1.15).max()
    return VerticalDifferences(float(lowest), float(highest), float(np.ptp(curve)))


def _curve(t_s: Floats, up_mm: Floats, on_s: float, stride_s: float) -> Floats | None:
    """The path without drift from the landing on for 1.15 strides, ``_FINE`` points a stride."""
    share = (t_s - on_s) / stride_s
    near = (share >= -0.15) & (share <= 1.3) & np.isfinite(up_mm)
    if near.sum() < 8 or share[near].min() > 0.1 or share[near].max() < 1.05:
        return None
    orders = np.array([1.0, 2.0])
    design = _design(share[near], orders, drift=True)
    found, *_ = np.linalg.lstsq(design, up_mm[near], rcond=None)
    fine = np.linspace(0.0, 1.15, round(1.15 * _FINE))
    return np.asarray(_design(fine, orders, drift=False) @ found[2:], np.float64)


def _design(share: Floats, orders: Floats, drift: bool) -> Floats:
    angle = 2 * np.pi * share[:, None] * orders
    waves = [np.cos(angle), np.sin(angle)]
    if drift:
        waves.insert(0, np.stack([np.ones_like(share), share], axis=1))
    return np.concatenate(waves, axis=1)


# --- many strides ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AsymmetrySummary:
    """Means and spreads (standard deviation from stride to stride) over ``strides`` good strides of
    straight trot. ``refusal``: why there are no figures, in words, empty when there are."""

    strides: int
    mean: Asymmetry
    spread: Asymmetry
    refusal: str = ""


def summarise(strides: Sequence[Stride], sides_known: bool = True) -> AsymmetrySummary:
    """Asymmetry over many strides: good ones (``GOOD_STRIDE``) of straight trot, NaN left out.

    Refuses below ``LEAST_STRIDES``, and where the skeleton does not say which side is which.
    """
    table = _table(usable(strides))
    if not sides_known:
        return _refused(
            len(table), "The skeleton does not say which side is the left one: no side can be told."
        )
    if len(table) < LEAST_STRIDES:
        return _refused(
            len(table),
            f"Only {len(table)} good strides of straight trot; {LEAST_STRIDES} are needed.",
        )
    with_head = np.isfinite(table).sum(axis=0)
    mean, spread = np.full(4, math.nan), np.full(4, math.nan)
    for column in np.nonzero(with_head >= LEAST_STRIDES)[0].tolist():
        values = table[np.isfinite(table[:, column]), column]
        mean[column], spread[column] = values.mean(), values.std(ddof=1)
    if not np.isfinite(mean).any():
        return _refused(0, f"Neither head nor pelvis was seen in {LEAST_STRIDES} strides.")
    return AsymmetrySummary(len(table), _asymmetry(mean), _asymmetry(spread))


def usable(strides: Sequence[Stride]) -> list[Stride]:
    """Good strides of straight trot that have any figure."""
    return [
        s
        for s in strides
        if s.gait is Gait.TROT
        and s.straight
        and s.quality >= GOOD_STRIDE
        and np.isfinite(_row(s.asymmetry)).any()
    ]


def _row(value: Asymmetry) -> list[float]:
    return [value.hd_min_mm, value.hd_max_mm, value.pd_min_mm, value.pd_max_mm]


def _table(strides: Sequence[Stride]) -> Floats:
    return np.array([_row(s.asymmetry) for s in strides], np.float64).reshape(-1, 4)


def _asymmetry(row: Floats) -> Asymmetry:
    return Asymmetry(*(float(value) for value in row))


def _refused(count: int, why: str) -> AsymmetrySummary:
    return AsymmetrySummary(count, Asymmetry(), Asymmetry(), why)


# --- over weeks --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AsymmetryTrend:
    """How one figure (a field of ``Asymmetry``) moves over days. days: UTC midnights as ordinals,
    int64 (D,). means_mm, low_mm, high_mm: float64 (D,), each day's mean with its 95 % interval
    (Student's t over the day's strides). slope_mm_day with slope_low, slope_high: Theil-Sen slope
    of the daily means and its 95 % interval. ``refusal``: why there is no slope, in words."""

    figure: str
    days: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    means_mm: Floats
    low_mm: Floats
    high_mm: Floats
    slope_mm_day: float
    slope_low_mm_day: float
    slope_high_mm_day: float
    refusal: str = ""


FIGURES = ("hd_min_mm", "hd_max_mm", "pd_min_mm", "pd_max_mm")
LEAST_DAYS = 4
"""Days below which a slope says nothing: its rank interval is as wide as all slopes there are."""

_CONFIDENCE = 0.95


def trend(strides: Sequence[Stride], figure: str) -> AsymmetryTrend:
    """The trend of one of ``FIGURES``. Days with fewer than ``LEAST_STRIDES`` good strides do not
    count; strides are those of one horse, by any number of cameras."""
    from scipy import stats  # takes as long to load as all else that the API's start needs

    of_day: dict[int, list[float]] = {}
    for stride in usable(strides):
        value = float(getattr(stride.asymmetry, figure))
        if math.isfinite(value):
            of_day.setdefault(_day(stride.start_at), []).append(value)
    days = sorted(day for day, values in of_day.items() if len(values) >= LEAST_STRIDES)
    means, halves = np.zeros(len(days)), np.zeros(len(days))
    for row, day in enumerate(days):
        values = np.array(of_day[day])
        means[row] = values.mean()
        reach = stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)
        halves[row] = float(reach) * values.std(ddof=1) / math.sqrt(len(values))
    slope, low, high, refusal = math.nan, math.nan, math.nan, ""
    if len(days) >= LEAST_DAYS:
        found = stats.theilslopes(means, np.array(days, np.float64), alpha=_CONFIDENCE)
        slope, low, high = float(found.slope), float(found.low_slope), float(found.high_slope)
    else:
        refusal = (
            f"Only {len(days)} days with {LEAST_STRIDES} good strides or more; "
            f"a trend needs {LEAST_DAYS}."
        )
    return AsymmetryTrend(
        figure, np.array(days, np.int64), means, means - halves, means + halves, slope, low, high,
        refusal,
    )  # fmt: skip


def _day(at: datetime) -> int:
    return at.toordinal()
