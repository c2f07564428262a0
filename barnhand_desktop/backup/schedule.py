"""When daily work is due: once a day at an hour of the machine's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

_RETRY_FROM = timedelta(minutes=5)
_RETRY_TO = timedelta(hours=2)


def last_due(now: datetime, hour: int, zone: tzinfo | None = None) -> datetime:
    """The newest instant (UTC), not after ``now``, at which it was ``hour`` o'clock in ``zone``
    (None: the machine's). An hour that a change of clocks left out counts an hour later."""
    today = now.astimezone(zone).date()
    at = _instant(today, hour, zone)
    return at if at <= now else _instant(today - timedelta(days=1), hour, zone)


def next_due(now: datetime, hour: int, zone: tzinfo | None = None) -> datetime:
    """The first such instant after ``now``."""
    today = now.astimezone(zone).date()
    at = _instant(today, hour, zone)
    return at if at > now else _instant(today + timedelta(days=1), hour, zone)


def retry_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: doubling from 5 minutes to 2 hours."""
    doublings: int = min(max(failures - 1, 0), 10)
    return min(_RETRY_FROM * (1 << doublings), _RETRY_TO)


def _instant(day: date, hour: int, zone: tzinfo | None) -> datetime:
    # Without a zone the system's own rules make the instant of a local time.
    return datetime.combine(day, time(hour), zone).astimezone(UTC)
