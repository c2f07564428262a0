"""The figures' table on facts whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Asymmetry, Gait, Lead, Stride, StrideId
from engine.domain.sessions import ScaleKind, SessionScale
from engine.sessions.facts import GaitStretch, SessionFacts, standing_for
from engine.sessions.metrics import STRATEGIES, measured

START = datetime(2026, 1, 1, tzinfo=UTC)
BODY = SessionScale(ScaleKind.BODY, 0.06, 1.5)


def stride(
    n: int, gait: Gait, hz: float = 1.4, lead: Lead = Lead.NONE, head_mm: float = 5.0
) -> Stride:
    start = START + timedelta(seconds=n / hz)
    return Stride(
        StrideId(uuid4()), TrackId(uuid4()), StreamId(uuid4()), start,
        start + timedelta(seconds=1 / hz), gait, lead, hz, 3.0 / hz, 3.0, (0.4,) * 4, (0.0,) * 4,
        (0.0, 0.0), 0.9, Asymmetry(head_mm + n % 2, 0.0, 1.0, math.nan), True, 0.9,
    )  # fmt: skip


def facts(
    speeds: Sequence[float],
    gaits: Sequence[GaitStretch] = (),
    strides: Sequence[Stride] = (),
    scale: SessionScale = BODY,
    duration_s: float | None = None,
    fps: float = 10.0,
) -> SessionFacts:
    t_s = np.arange(len(speeds)) / fps
    whole = len(speeds) / fps if duration_s is None else duration_s
    return SessionFacts(
        whole, t_s, standing_for(t_s), np.array(speeds, np.float64), gaits, strides, scale
    )


def test_a_known_way_is_told_with_how_much_of_the_session_it_is() -> None:
    trot = [GaitStretch(5.0, 10.0, Gait.TROT, 0.9)]
    values = measured(facts([0.0] * 50 + [3.0] * 50, trot, duration_s=20.0))
    assert values["distance"].value == pytest.approx(15.0)
    assert values["distance"].coverage == pytest.approx(0.5)
    assert values["speed_mean"].value == pytest.approx(3.0)
    assert values["speed_trot"].value == pytest.approx(3.0)
    assert values["body_lengths"].value == pytest.approx(2.0)
    assert values["share_trot"].value == 1.0


def test_the_greatest_speed_is_that_of_a_second_and_not_of_one_picture() -> None:
    speeds = [2.0] * 100
    speeds[40] = 30.0
    speeds[70:80] = [6.0] * 10
    values = measured(facts(speeds))
    assert values["speed_max"].value == pytest.approx(6.0, abs=0.05)


def test_unknown_speeds_are_in_no_figure() -> None:
    values = measured(facts([math.nan] * 95 + [3.0] * 5))
    for name in ("distance", "speed_max", "speed_mean"):
        assert values[name].value is None and values[name].reason
    half = measured(facts([math.nan] * 50 + [3.0] * 50))
    assert half["distance"].value == pytest.approx(15.0)
    assert half["distance"].coverage == pytest.approx(0.5)


def test_without_a_scale_nothing_is_told_in_metres() -> None:
    trot = [GaitStretch(0.0, 10.0, Gait.TROT, 0.9)]
    strides = [stride(n, Gait.TROT) for n in range(12)]
    values = measured(facts([3.0] * 100, trot, strides, SessionScale(ScaleKind.NONE)))
    for name, value in values.items():
        if value.unit in ("m", "m_s", "bl_s"):
            assert value.value is None and value.reason, name
    assert values["stride_rate_trot"].value == pytest.approx(1.4)


def test_gait_shares_are_of_the_time_a_gait_was_told() -> None:
    gaits = [
        GaitStretch(0.0, 3.0, Gait.WALK, 0.9), GaitStretch(3.0, 4.0, Gait.TROT, 0.9),
        GaitStretch(4.0, 10.0, Gait.UNKNOWN, 0.0),
    ]  # fmt: skip
    values = measured(facts([1.0] * 100, gaits))
    assert values["share_walk"].value == pytest.approx(0.75)
    assert values["share_trot"].value == pytest.approx(0.25)
    assert values["share_walk"].coverage == pytest.approx(0.4)
    little = measured(facts([1.0] * 100, [GaitStretch(0.0, 1.0, Gait.WALK, 0.9)]))
    assert little["share_walk"].value is None


def test_means_of_strides_need_some_and_asymmetry_needs_ten() -> None:
    few = measured(facts([3.0] * 100, strides=[stride(n, Gait.TROT) for n in range(2)]))
    assert few["stride_rate_trot"].value is None and "2 strides" in few["stride_rate_trot"].reason
    nine = measured(facts([3.0] * 100, strides=[stride(n, Gait.TROT) for n in range(9)]))
    assert nine["stride_rate_trot"].count == 9
    assert nine["hd_min"].value is None and "10" in nine["hd_min"].reason
    ten = measured(facts([3.0] * 100, strides=[stride(n, Gait.TROT) for n in range(10)]))
    assert ten["hd_min"].value == pytest.approx(5.5) and ten["hd_min"].count == 10
    assert ten["pd_max"].value is None and ten["pd_max"].reason


def test_leads_are_counted() -> None:
    left = [stride(n, Gait.CANTER, lead=Lead.LEFT) for n in range(3)]
    right = [stride(n, Gait.CANTER, lead=Lead.RIGHT) for n in range(3, 4)]
    values = measured(facts([5.0] * 50, strides=[*left, *right]))
    assert values["left_lead"].value == pytest.approx(0.75)


def test_every_strategy_answers_for_a_horse_that_was_never_seen() -> None:
    values = measured(facts([], duration_s=10.0))
    assert set(values) == set(STRATEGIES)
    for name, value in values.items():
        assert value.name == name
        assert (value.value is None) == bool(value.reason), name
    assert values["strides"].value == 0.0


def test_every_strategy_says_what_it_does() -> None:
    for name, told in STRATEGIES.items():
        function = getattr(told, "func", told)
        assert function.__doc__, name
