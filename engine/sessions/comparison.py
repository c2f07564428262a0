"""Two sessions side by side: what differs, and what can be said to differ."""

from __future__ import annotations

import math

from engine.domain.sessions import (
    Comparison,
    MetricDifference,
    MetricValue,
    ScaleKind,
    SessionMetrics,
)

LEAST_STRIDES = 10
"""Strides of each session below which a difference gets no verdict."""
CONFIDENCE = 0.95
_METRES = ("m", "m_s", "bl_s")


def compare(a: SessionMetrics, b: SessionMetrics) -> Comparison:
    """Every figure that either has. Means of strides get a 95 % interval of their difference
    (Welch's t) and a verdict where both have ``LEAST_STRIDES``; lengths and speeds are called
    different only beyond what the two scales leave open together."""
    names = [*a.values, *(name for name in b.values if name not in a.values)]
    told = tuple(_difference(name, a, b) for name in names)
    return Comparison(a.session_id, b.session_id, told, _remarks(a, b))


def _difference(name: str, a: SessionMetrics, b: SessionMetrics) -> MetricDifference:
    one, two = a.values.get(name), b.values.get(name)
    unit = one.unit if one is not None else two.unit if two is not None else ""
    if one is None or two is None or one.value is None or two.value is None:
        which = "first" if one is None or one.value is None else "second"
        missing = one if which == "first" else two
        why = f"The {which} session does not tell it: " + (
            missing.reason if missing is not None and missing.reason else "it was not measured."
        )
        return MetricDifference(name, unit, _value(one), _value(two), None, reason=why)
    if one.unit != two.unit:
        return MetricDifference(
            name, unit, one.value, two.value, None, reason="They are told in different units."
        )
    apart = two.value - one.value
    if one.spread is None or two.spread is None:
        return MetricDifference(
            name, unit, one.value, two.value, apart,
            reason="It is no mean of strides: how sure the difference is cannot be told.",
        )  # fmt: skip
    if min(one.count, two.count) < LEAST_STRIDES:
        return MetricDifference(
            name, unit, one.value, two.value, apart,
            reason=f"{one.count} and {two.count} strides; {LEAST_STRIDES} of each are needed.",
        )  # fmt: skip
    half = _half(one, two) + _scale_doubt(unit, one.value, two.value, a, b)
    low, high = apart - half, apart + half
    verdict = "higher" if low > 0 else "lower" if high < 0 else "alike"
    return MetricDifference(name, unit, one.value, two.value, apart, low, high, verdict)


def _value(one: MetricValue | None) -> float | None:
    return None if one is None else one.value


def _half(one: MetricValue, two: MetricValue) -> float:
    """Half the interval of the difference of two means: Welch's t (Welch, "The generalization of
    'Student's' problem when several different population variances are involved", Biometrika 34,
    1947)."""
    assert one.spread is not None and two.spread is not None
    parts = [one.spread**2 / one.count, two.spread**2 / two.count]
    total = sum(parts)
    if total <= 0.0:
        return 0.0
    from scipy import stats  # slow to load, and the API process starts without it

    freedom = total**2 / sum(
        part**2 / (count - 1) for part, count in zip(parts, (one.count, two.count), strict=True)
    )
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(total)


def _scale_doubt(unit: str, one: float, two: float, a: SessionMetrics, b: SessionMetrics) -> float:
    if unit not in _METRES:
        return 0.0
    doubts = (a.scale.uncertainty or 0.0) * one, (b.scale.uncertainty or 0.0) * two
    return math.hypot(*doubts)


def _remarks(a: SessionMetrics, b: SessionMetrics) -> tuple[str, ...]:
    remarks = []
    if a.scale.kind is not b.scale.kind:
        remarks.append("Their metres come from different scales.")
    if ScaleKind.NONE in (a.scale.kind, b.scale.kind):
        remarks.append("One of them has no scale: lengths and speeds are left out.")
    if a.provisional or b.provisional:
        remarks.append("One of them is provisional: its analysis is not done.")
    if abs(a.fps - b.fps) > 0.2 * max(a.fps, b.fps):
        remarks.append(
            f"They were looked at {a.fps:.0f} and {b.fps:.0f} times a second: times of footfalls "
            "are less exact in the slower one."
        )
    remarks.append(
        "Strides of one session resemble each other: a verdict is about these two sessions, and "
        "ground, tack, rider and speed may be its reason."
    )
    return tuple(remarks)
