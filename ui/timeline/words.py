"""Rows, runs and ranges as people read them."""

from __future__ import annotations

from datetime import tzinfo

from PySide6.QtCore import QCoreApplication

from engine.domain.behaviour import LaneKind
from ui.timeline.axis import DAY_US, HOUR_US, MINUTE_US, SECOND_US, clock_words, local
from ui.timeline.lane_tile import ACTIVITY, Row
from ui.wording import duration


def _tr(text: str) -> str:
    return QCoreApplication.translate("Timeline", text)


def row_word(row: Row) -> str:
    """What a row of a lane tells."""
    return {
        ACTIVITY: _tr("activity"),
        LaneKind.SEEN: _tr("seen"),
        LaneKind.GAIT: _tr("gait"),
        LaneKind.ACTION: _tr("action"),
        LaneKind.POSTURE: _tr("posture"),
        LaneKind.COMPANY: _tr("people"),
        LaneKind.ALERT: _tr("alerts"),
        LaneKind.RECORDED: _tr("recorded"),
        LaneKind.NO_DATA: _tr("no data"),
    }[row]


def span_words(start_us: int, end_us: int, zone: tzinfo | None = None) -> str:
    """``19 Nov 13:51:07–14:02:11``; milliseconds for short ones, both days when they differ."""
    first, last = local(start_us, zone), local(end_us, zone)
    length = end_us - start_us
    step = SECOND_US if length >= 10 * SECOND_US else 1000
    if length >= 2 * DAY_US:
        step = 60 * SECOND_US
    start, end = (clock_words(at, step, zone) for at in (start_us, end_us))
    day = f"{first.day} {first:%b}"
    if first.date() == last.date():
        return f"{day} {start}–{end}"
    return f"{day} {start} – {last.day} {last:%b} {end}"


def length_words(length_us: int) -> str:
    """``240 ms``, ``7.2 s``, ``4 min 10 s``, ``2 d 4 h``."""
    if length_us < SECOND_US:
        return f"{length_us / 1000:.0f} ms"
    if length_us < 10 * SECOND_US:
        return f"{length_us / SECOND_US:.1f} s"
    for unit_us, unit, most in ((DAY_US, "d", 400), (HOUR_US, "h", 47), (MINUTE_US, "min", 59)):
        if length_us % unit_us == 0 and unit_us <= length_us <= most * unit_us:
            return f"{length_us // unit_us} {unit}"
    return duration(length_us / SECOND_US)


def cursor_words(at_us: int, us_per_px: float, zone: tzinfo | None = None) -> str:
    """The cursor's instant, as fine as the zoom can show."""
    if us_per_px < 100_000:
        return clock_words(at_us, 1000, zone)
    at = local(at_us, zone)
    if us_per_px < 60 * SECOND_US:
        return clock_words(at_us, SECOND_US, zone)
    return f"{at.day} {at:%b %H:%M}"
