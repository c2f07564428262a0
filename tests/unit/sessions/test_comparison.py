"""Two sessions side by side: verdicts only where enough stands behind them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from engine.domain.sessions import (
    MetricDifference,
    MetricValue,
    ScaleKind,
    SessionId,
    SessionMetrics,
    SessionScale,
)
from engine.sessions.comparison import compare


def session(
    *values: MetricValue, uncertainty: float = 0.0, kind: ScaleKind = ScaleKind.BODY,
    fps: float = 25.0, provisional: bool = False,
) -> SessionMetrics:  # fmt: skip
    return SessionMetrics(
        SessionId(uuid4()), {one.name: one for one in values}, SessionScale(kind, uncertainty),
        60.0, 50.0, datetime(2026, 1, 1, tzinfo=UTC), fps=fps, provisional=provisional,
    )  # fmt: skip


def mean(value: float, count: int = 30, spread: float = 0.1, unit: str = "hz") -> MetricValue:
    return MetricValue("x", value, unit, count, 0.5, spread)


def one(a: SessionMetrics, b: SessionMetrics) -> MetricDifference:
    (found,) = compare(a, b).differences
    return found


def test_a_clear_difference_is_called_one_in_its_direction() -> None:
    higher = one(session(mean(1.3)), session(mean(1.5)))
    assert higher.verdict == "higher" and higher.difference == pytest.approx(0.2)
    assert higher.low is not None and 0 < higher.low < 0.2
    assert one(session(mean(1.5)), session(mean(1.3))).verdict == "lower"


def test_a_difference_within_the_spread_is_none() -> None:
    assert one(session(mean(1.40)), session(mean(1.41))).verdict == "alike"


def test_too_few_strides_get_no_verdict() -> None:
    for a, b in ((9, 30), (30, 9)):
        found = one(session(mean(1.3, a)), session(mean(1.9, b)))
        assert not found.verdict and "10" in found.reason
        assert found.difference == pytest.approx(0.6)


def test_lengths_differ_only_beyond_what_the_scales_leave_open() -> None:
    a, b = mean(2.0, unit="m", spread=0.01), mean(2.1, unit="m", spread=0.01)
    assert one(session(a), session(b)).verdict == "higher"
    assert one(session(a, uncertainty=0.06), session(b, uncertainty=0.06)).verdict == "alike"
    hertz = one(session(mean(2.0, spread=0.01), uncertainty=0.06), session(mean(2.1, spread=0.01)))
    assert hertz.verdict == "higher"


def test_what_one_of_them_does_not_tell_is_said() -> None:
    missing = MetricValue("x", None, "hz", reason="Too few strides.")
    found = one(session(mean(1.3)), session(missing))
    assert found.difference is None and "second" in found.reason and "Too few" in found.reason
    found = one(session(), session(mean(1.3)))
    assert "first" in found.reason and found.b == 1.3
    sums = MetricValue("x", 10.0, "m", 30, 0.5), MetricValue("x", 30.0, "m", 30, 0.5)
    found = one(session(sums[0]), session(sums[1]))
    assert found.difference == 20.0 and not found.verdict and found.reason


def test_what_makes_them_hard_to_compare_is_said() -> None:
    plain = compare(session(), session()).remarks
    hard = compare(
        session(kind=ScaleKind.GROUND), session(kind=ScaleKind.USUAL_BODY, fps=12.0,
                                                provisional=True)
    ).remarks  # fmt: skip
    assert len(hard) == len(plain) + 3
