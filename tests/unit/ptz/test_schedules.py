"""When tours and scans are due."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.ptz import Schedule
from engine.ptz.schedules import check_schedule, due, window_of

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
WORKDAYS = frozenset(range(5))
NIGHT = Schedule(frozenset({0}), time(22), time(6), 60)
MORNING = Schedule(WORKDAYS, time(6), time(8), 0)


def at(hour: float, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour)


def test_it_runs_between_its_times_on_its_days() -> None:
    assert window_of(MORNING, at(5.99)) is None
    assert window_of(MORNING, at(6)) == at(6)
    assert window_of(MORNING, at(7.99)) == at(6)
    assert window_of(MORNING, at(8)) is None
    assert window_of(MORNING, at(7, day=5)) is None


def test_a_night_belongs_to_the_day_it_starts_on() -> None:
    assert window_of(NIGHT, at(23)) == at(22)
    assert window_of(NIGHT, at(3, day=1)) == at(22)
    assert window_of(NIGHT, at(3)) is None
    assert window_of(NIGHT, at(23, day=1)) is None


def test_equal_times_last_a_day() -> None:
    all_day = Schedule(frozenset({0}), time(8), time(8))
    assert window_of(all_day, at(7.9, day=1)) == at(8)
    assert window_of(all_day, at(8, day=1)) is None


def test_once_in_each_window() -> None:
    assert due(MORNING, None, at(6.5))
    assert not due(MORNING, at(6.5), at(7.5))
    assert due(MORNING, at(6.5), at(6, day=1))


def test_again_after_so_many_minutes() -> None:
    assert due(NIGHT, None, at(22))
    assert not due(NIGHT, at(22), at(22.9))
    assert due(NIGHT, at(22), at(23))
    assert not due(NIGHT, at(22), at(6, day=1))


def test_senseless_schedules_are_refused() -> None:
    for wrong in (
        Schedule(frozenset(), time(1), time(2)),
        Schedule(frozenset({7}), time(1), time(2)),
        Schedule(WORKDAYS, time(1), time(2), -5),
    ):
        with pytest.raises(OperatorMistake):
            check_schedule(wrong)
