"""How a horse usually spends its days: what rules compare today with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.behaviour.horse_log import HorseLog
from engine.domain.geometry import read_only

Hours = NDArray[np.float64]
LocalTime = Callable[[float], datetime]
"""POSIX seconds to the barn's local time."""

BASELINE_DAYS = 14
LEAST_SEEN_S = 1200.0
"""Seconds of sight in an hour below which the hour says nothing of how often things change."""
MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""


def system_local_time(posix_s: float) -> datetime:
    """The workstation's own time zone, daylight saving included."""
    return datetime.fromtimestamp(posix_s).astimezone()


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One local day of one horse by local hour: float64 (24,) each. Seconds seen, seconds lying,
    changes of action, and times that it went down and rolled."""

    day: date
    seen_s: Hours
    lying_s: Hours
    changes: Hours
    rolls: Hours

    def __post_init__(self) -> None:
        for column in (self.seen_s, self.lying_s, self.changes, self.rolls):
            read_only(column)


@dataclass(frozen=True)
class Baseline:
    """Earlier days of one horse, today left out."""

    days: tuple[DayFigures, ...] = field(default_factory=tuple)

    def usual_changes(self, hours: Sequence[int]) -> tuple[int, float, float]:
        """(days known, median, deviation) of changes an hour in the busiest of these local hours.

        The deviation is the scaled median absolute deviation, never under the square root of the
        median: counts scatter at least so much.
        """
        rates = []
        for day in self.days:
            seen_s, changes = day.seen_s[list(hours)], day.changes[list(hours)]
            enough = seen_s >= LEAST_SEEN_S
            if enough.any():
                rates.append(float((changes[enough] / seen_s[enough]).max() * 3600.0))
        if not rates:
            return 0, 0.0, 0.0
        median = float(np.median(rates))
        spread = MAD_TO_DEVIATION * float(np.median(np.abs(np.array(rates) - median)))
        return len(rates), median, max(spread, median**0.5, 1.0)

    def usual_lying_s(self, hours: Sequence[int], coverage: float) -> tuple[int, float]:
        """(days known, median seconds lying) in these hours, over days seen for that share."""
        picked = list(hours)
        enough_s = coverage * 3600.0 * len(picked)
        lying = [
            float(day.lying_s[picked].sum())
            for day in self.days
            if day.seen_s[picked].sum() >= enough_s
        ]
        return len(lying), float(np.median(lying)) if lying else 0.0

    def seen_on(self, hours: Sequence[int]) -> tuple[int, int]:
        """(days known, days on which it was seen in these hours)."""
        picked = list(hours)
        known = [day for day in self.days if day.seen_s.sum() > 0]
        return len(known), sum(bool(day.seen_s[picked].sum() > 60.0) for day in known)

    def most_rolls(self) -> int:
        """Most times it went down and rolled within one hour; 0 where nothing is known."""
        return int(max((day.rolls.max() for day in self.days), default=0.0))


def hours_between(from_hour: float, until_hour: float) -> tuple[int, ...]:
    """Whole local hours touched from one hour of the day to another, over midnight if need be."""
    first, last = int(from_hour), int(np.ceil(until_hour))
    span = (last - first) % 24 or 24
    return tuple((first + step) % 24 for step in range(span))


def figures_of_days(log: HorseLog, local: LocalTime, until_s: float) -> tuple[DayFigures, ...]:
    """Figures of every local day that ended before ``until_s``, as far as the log reaches."""
    today = local(until_s).date()
    columns: dict[date, NDArray[np.float64]] = {}

    def add(row: int, pieces: Iterable[tuple[date, int, float]]) -> None:
        for day, hour, amount in pieces:
            if day < today:
                columns.setdefault(day, np.zeros((4, 24)))[row, hour] += amount

    for start_s, end_s in log.seen:
        add(0, _by_hour(start_s, end_s, local))
    for down in log.downs:
        for spell in down.spells:
            add(1, _by_hour(spell.start_s, spell.end_s, local))
        if any(down.start_s - 5.0 <= r.start_s <= down.end_s + 5.0 for r in log.rolling):
            at = local(down.start_s)
            add(3, [(at.date(), at.hour, 1.0)])
    for changed_s in log.changes_s:
        at = local(changed_s)
        add(2, [(at.date(), at.hour, 1.0)])
    return tuple(DayFigures(day, *columns[day]) for day in sorted(columns))


def baseline_of(log: HorseLog, local: LocalTime, until_s: float) -> Baseline:
    """The days of a log that ended before ``until_s``, the newest BASELINE_DAYS of them."""
    return Baseline(figures_of_days(log, local, until_s)[-BASELINE_DAYS:])


def _by_hour(start_s: float, end_s: float, local: LocalTime) -> Iterable[tuple[date, int, float]]:
    """An interval cut at local hours: (day, hour, seconds)."""
    while start_s < end_s:
        at = local(start_s)
        whole = at.replace(minute=0, second=0, microsecond=0)
        left_s = timedelta(hours=1).total_seconds() - (at - whole).total_seconds()
        stop_s = min(end_s, start_s + max(left_s, 1e-3))
        yield at.date(), at.hour, stop_s - start_s
        start_s = stop_s
