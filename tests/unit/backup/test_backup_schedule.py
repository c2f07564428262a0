"""When a backup is due, also on the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from barnhand_desktop.backup.schedule import last_due, next_due, retry_after

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        ("2026-01-10 02:30", "2026-01-10 02:00", "2026-01-11 02:00"),
        ("2026-01-10 01:59", "2026-01-09 02:00", "2026-01-10 02:00"),
        ("2026-01-10 02:00", "2026-01-10 02:00", "2026-01-11 02:00"),
        # Clocks go from 2 to 3 on March 29, from 3 back to 2 on October 25.
        ("2026-03-29 12:00", "2026-03-29 01:00", "2026-03-30 01:00"),
        ("2026-10-25 12:00", "2026-10-25 02:00", "2026-10-26 02:00"),
    ],
)
def test_three_in_the_morning(now: str, last: str, following: str) -> None:
    assert last_due(utc(now), 3, BERLIN) == utc(last)
    assert next_due(utc(now), 3, BERLIN) == utc(following)


def test_every_day_of_a_year_has_one() -> None:
    at, seen = utc("2026-01-01 00:00"), set()
    while at < utc("2027-01-01 00:00"):
        seen.add(last_due(at, 2, BERLIN))
        at += timedelta(hours=1)
    assert len(seen) == 366  # and the one before the year began


def test_failures_are_tried_again_less_and_less_often() -> None:
    waits = [retry_after(failures) for failures in range(1, 9)]
    assert waits[0] == timedelta(minutes=5) and waits[1] == timedelta(minutes=10)
    assert waits == sorted(waits) and waits[-1] == timedelta(hours=2)
    assert retry_after(10_000) == timedelta(hours=2)
