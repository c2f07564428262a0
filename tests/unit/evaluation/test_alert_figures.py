"""Alert rules measured on a simulated day with an event, small enough for every run."""

from __future__ import annotations

import pytest

from engine.domain.behaviour import RuleKind
from engine.evaluation import alerts
from engine.evaluation.perceived_days import Perception
from engine.simulation.days import EventKind


def test_a_cast_horse_is_found_and_nothing_else_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "EXPECTED", {EventKind.CAST: frozenset({RuleKind.CAST})})
    monkeypatch.setattr(alerts, "TICK_S", 240.0)
    figures = alerts.evaluate_alerts([21], Perception(), 4, baseline_days=0, plain_days=0)
    assert figures[RuleKind.CAST].recall == 1.0
    assert sum(figure.false for figure in figures.values()) == 0
    assert 0 < figures[RuleKind.CAST].delays_s[0] < 900


def test_blind_perception_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "EXPECTED", {EventKind.CAST: frozenset({RuleKind.CAST})})
    monkeypatch.setattr(alerts, "TICK_S", 240.0)
    blind = Perception(rolling_missed=1.0, false_rolling=0.0)
    figures = alerts.evaluate_alerts([21], blind, 4, baseline_days=0, plain_days=0)
    assert figures[RuleKind.CAST].recall == 0.0
