"""What the profile shows of a horse's motion, read in one go on a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain.behaviour import MotionRepository, TimeBudget
from engine.domain.ids import HorseId
from engine.domain.motion import Gait, Stride
from engine.motion.asymmetry import (
    FIGURES,
    AsymmetrySummary,
    AsymmetryTrend,
    summarise,
    trend,
)
from ui.timeline.marks import Mark

BUDGET_DAYS = 14
TREND_DAYS = 90
STRIDES_READ = 50_000

Parts = tuple[tuple[Mark, float], ...]
"""Marks and seconds, in the order they are stacked."""

_LYING = ("sternal", "lateral", "lying")


@dataclass(frozen=True, slots=True)
class DayBudget:
    """One local day. ``parts`` add up to ``seen_s``; ``whole_s`` ends now for today."""

    start_at: datetime
    whole_s: float
    seen_s: float
    parts: Parts

    @property
    def coverage(self) -> float:
        """Share of the day that was seen."""
        return 0.0 if self.whole_s <= 0 else min(self.seen_s / self.whole_s, 1.0)


@dataclass(frozen=True, slots=True)
class MotionReading:
    """``days``: oldest first, the last is today. ``trends`` by figure of asymmetry; ``recent``
    over the strides of the last day that had any."""

    days: tuple[DayBudget, ...]
    trends: Mapping[str, AsymmetryTrend]
    recent: AsymmetrySummary
    recent_at: datetime | None


def read_motion(motion: MotionRepository, horse_id: HorseId, now: datetime) -> MotionReading:
    """Runs on a worker. Raises StoreUnavailable."""
    midnights = local_midnights(now, BUDGET_DAYS)
    days = []
    for start, end in zip(midnights, (*midnights[1:], now), strict=True):
        length_s = max((end - start).total_seconds(), 1.0)
        budgets = motion.budgets((horse_id,), start, end, length_s)
        days.append(day_of(start, length_s, budgets[0] if budgets else None))
    owned = motion.strides(
        now - timedelta(days=TREND_DAYS), now, horse_id, gaits=(Gait.TROT,), straight_only=True,
        limit=STRIDES_READ,
    )  # fmt: skip
    strides = [one.stride for one in owned]
    last = max((s.start_at for s in strides), default=None)
    return MotionReading(
        tuple(days),
        {figure: trend(strides, figure) for figure in FIGURES},
        summarise(_on_day(strides, last)),
        last,
    )


def local_midnights(now: datetime, days: int) -> tuple[datetime, ...]:
    """Begins of the last local days, oldest first, the last one today's; days with a change of the
    clock are longer or shorter."""
    today = now.astimezone().date()
    return tuple(
        datetime(day.year, day.month, day.day).astimezone()
        for day in (today - timedelta(days=back) for back in reversed(range(days)))
    )


def day_of(start: datetime, whole_s: float, budget: TimeBudget | None) -> DayBudget:
    """A day's budget as what is drawn: lying by posture, the rest by action."""
    if budget is None:
        return DayBudget(start, whole_s, 0.0, ())
    actions = budget.actions_s
    lying_s = sum(budget.postures_s.get(word, 0.0) for word in _LYING)
    rolling_s = actions.get("rolling", 0.0)
    parts = [
        (Mark.LYING, max(lying_s - rolling_s, 0.0)),
        (Mark.RESTING, max(actions.get("resting", 0.0) - lying_s, 0.0)),
        (Mark.GRAZING, actions.get("grazing", 0.0)),
        (Mark.STANDING, actions.get("standing", 0.0)),
        (Mark.ALERT, actions.get("alert", 0.0)),
        (Mark.WALKING, actions.get("walking", 0.0)),
        (Mark.RUNNING, actions.get("running", 0.0)),
        (Mark.ROLLING, rolling_s),
    ]
    told_s = sum(seconds for _, seconds in parts)
    if told_s > budget.seen_s > 0:  # two kinds of bouts never end at quite the same instant
        parts = [(mark, seconds * budget.seen_s / told_s) for mark, seconds in parts]
        told_s = budget.seen_s
    parts.append((Mark.SEEN, max(budget.seen_s - told_s, 0.0)))
    kept = tuple((mark, seconds) for mark, seconds in parts if seconds >= 1.0)
    return DayBudget(start, whole_s, budget.seen_s, kept)


def _on_day(strides: list[Stride], last: datetime | None) -> list[Stride]:
    if last is None:
        return []
    day = last.astimezone().date()
    return [stride for stride in strides if stride.start_at.astimezone().date() == day]
