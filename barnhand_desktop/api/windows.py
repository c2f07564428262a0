"""Stretches of time that requests ask for."""

from __future__ import annotations

from datetime import datetime, timedelta

from barnhand_desktop.api.problems import Problem

_BEGIN_YEAR, _END_YEAR = 1980, 9000


def window(
    start: datetime | None,
    end: datetime | None,
    now: datetime,
    usual: timedelta,
    most: timedelta,
) -> tuple[datetime, datetime]:
    """From ``start`` to ``end``; what is left out ends now and is ``usual`` long. Problem 422 for
    a stretch that is none or longer than ``most``."""
    sane = all(at is None or _BEGIN_YEAR < at.year < _END_YEAR for at in (start, end))
    if not sane:
        raise Problem(422, "time_refused", "The times are outside of what is stored.")
    until = end or (now if start is None else min(max(now, start), start + most))
    since = start or until - usual
    if since >= until:
        raise Problem(422, "time_refused", "start_time is not before end_time.")
    if until - since > most:
        raise Problem(
            422, "time_refused", f"At most {most / timedelta(days=1):g} days can be asked for."
        )
    return since, until
