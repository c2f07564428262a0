"""When something runs by itself, in local time. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from engine.domain.errors import OperatorMistake
from engine.domain.ptz import Schedule

EVERY_AT_LEAST_MIN = 1
WEEKDAYS = 7


def check_schedule(schedule: Schedule) -> None:
    """Raise OperatorMistake for a schedule that can never run or has no sense."""
    if not schedule.weekdays or not all(0 <= day < WEEKDAYS for day in schedule.weekdays):
        raise OperatorMistake("A schedule needs at least one weekday.")
    if schedule.every_min < 0:
        raise OperatorMistake("A schedule repeats after a number of minutes, or 0 for once.")


def window_of(schedule: Schedule, local: datetime) -> datetime | None:
    """Beginning of the window that holds a local instant, None outside.

    A window that ends before it starts goes over midnight and belongs to the day it starts on; one
    that ends when it starts lasts a day.
    """
    for day in (local.date(), local.date() - timedelta(days=1)):
        begin, end = _bounds(schedule, day, local)
        if day.weekday() in schedule.weekdays and begin <= local < end:
            return begin
    return None


def due(schedule: Schedule, last_local: datetime | None, local: datetime) -> bool:
    """Whether a run should start now, given the start of the last one.

    ``every_min`` 0: once in each window. Otherwise so many minutes after the last start.
    """
    begin = window_of(schedule, local)
    if begin is None:
        return False
    if last_local is None or last_local < begin:
        return True
    if schedule.every_min == 0:
        return False
    return local - last_local >= timedelta(minutes=schedule.every_min)


def _bounds(schedule: Schedule, day: date, like: datetime) -> tuple[datetime, datetime]:
    begin = _at(day, schedule.start, like)
    over_midnight = schedule.end <= schedule.start
    return begin, _at(day + timedelta(days=1) if over_midnight else day, schedule.end, like)


def _at(day: date, clock: time, like: datetime) -> datetime:
    return datetime.combine(day, clock.replace(tzinfo=None), tzinfo=like.tzinfo)
