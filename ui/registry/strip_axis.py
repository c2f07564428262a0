"""The time axis of strips: which instants the ticks stand at. No Qt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

STEPS_S = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200),
    *(86400, 2 * 86400, 7 * 86400, 14 * 86400, 30 * 86400),
)
LEAST_S = 10.0


def tick_step_s(span_s: float, width_px: float, room_px: float) -> int:
    """The smallest round step whose ticks stand at least ``room_px`` apart."""
    wanted_s = span_s * room_px / max(width_px, 1.0)
    return next((step for step in STEPS_S if step >= wanted_s), STEPS_S[-1])


def ticks(start: datetime, end: datetime, step_s: int) -> Iterator[datetime]:
    """Round local instants between two."""
    local = start.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (local - midnight).total_seconds()
    at = midnight + timedelta(seconds=-(-passed // step_s) * step_s)
    while at <= end:
        yield at
        at += timedelta(seconds=step_s)


def tick_words(at: datetime, step_s: int) -> str:
    """``09:30``, ``09:30:15`` for steps below a minute, ``12 Mar`` for days."""
    local = at.astimezone()
    if step_s >= 86400:
        return f"{local.day} {local.strftime('%b')}"
    return local.strftime("%H:%M" if step_s >= 60 else "%H:%M:%S")


def zoomed(
    start: datetime, end: datetime, around: datetime, factor: float
) -> tuple[datetime, datetime]:
    """The window made ``factor`` times as long, with ``around`` staying where it is."""
    span_s = max((end - start).total_seconds() * factor, LEAST_S)
    share = (around - start) / (end - start)
    first = around - timedelta(seconds=span_s * share)
    return first, first + timedelta(seconds=span_s)
