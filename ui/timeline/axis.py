"""The time axis: where ticks stand and what they say, in the workstation's zone. No Qt.

Ticks stand at round local times, whatever the zone does: where clocks go forward the missing hour
has none, where they go back the repeated hour has them twice (the offset is named then).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from ui.timeline.cursor import instant, micros

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
STEPS_US = (
    *(1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 100_000, 200_000, 500_000),
    *(s * SECOND_US for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)),
    *(h * HOUR_US for h in (1, 2, 3, 6, 12)),
    *(d * DAY_US for d in (1, 2, 7, 14, 28)),
)
TICKS_AT_MOST = 400


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of the axis: its instant, its words, and whether a new day begins there."""

    at_us: int
    words: str
    major: bool


def tick_step_us(span_us: int, width_px: float, room_px: float) -> int:
    """The smallest round step whose ticks stand at least ``room_px`` apart."""
    wanted_us = span_us * room_px / max(width_px, 1.0)
    return next((step for step in STEPS_US if step >= wanted_us), STEPS_US[-1])


def local(at_us: int, zone: tzinfo | None) -> datetime:
    """An instant in a zone; None is the workstation's own."""
    return instant(at_us).astimezone(zone)


def ticks(start_us: int, end_us: int, step_us: int, zone: tzinfo | None = None) -> list[Tick]:
    """Ticks at round local times from one instant to another, rising."""
    if step_us < 60 * SECOND_US:
        first = -(-start_us // step_us) * step_us
        instants = list(range(first, end_us + 1, step_us))
    else:
        instants = sorted(set(_wall_ticks(start_us, end_us, step_us, zone)))
    return [_tick(at_us, step_us, zone) for at_us in instants[:TICKS_AT_MOST]]


class TickShelf:
    """Keeps the ticks of a window and of as much again on both sides, so that panning finds them
    made."""

    def __init__(self) -> None:
        self._made: tuple[int, int, int, tzinfo | None] = (0, 0, 0, None)
        self._ticks: list[Tick] = []

    def of(self, start_us: int, end_us: int, step_us: int, zone: tzinfo | None) -> list[Tick]:
        """The ticks of a window."""
        first, last, step, made_for = self._made
        if step != step_us or zone is not made_for or start_us < first or end_us > last:
            room = end_us - start_us
            self._made = (start_us - room, end_us + room, step_us, zone)
            self._ticks = ticks(start_us - room, end_us + room, step_us, zone)
        return [tick for tick in self._ticks if start_us <= tick.at_us <= end_us]


def _wall_ticks(start_us: int, end_us: int, step_us: int, zone: tzinfo | None) -> Iterator[int]:
    """Both instants of a repeated local time, none of a missing one."""
    day = local(start_us, zone).date()
    last = local(end_us, zone).date()
    days = max(step_us // DAY_US, 1)
    step = timedelta(microseconds=min(step_us, DAY_US))
    while day <= last:
        if (day.toordinal() - 1) % days == 0:
            wall = datetime.combine(day, time())
            while wall.date() == day:
                for fold in (0, 1):
                    at = _real(wall.replace(fold=fold), zone)
                    if at is not None and start_us <= at <= end_us:
                        yield at
                wall += step
        day += timedelta(days=1)


def _real(wall: datetime, zone: tzinfo | None) -> int | None:
    """The instant of a local time, None where clocks skip it."""
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    back = at.astimezone(zone).replace(tzinfo=None, fold=0)
    return micros(at) if back == wall.replace(fold=0) else None


def _tick(at_us: int, step_us: int, zone: tzinfo | None) -> Tick:
    at = local(at_us, zone)
    midnight = (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
    if step_us >= DAY_US:
        return Tick(at_us, f"{at.day} {at:%b}", at.day == 1)
    if midnight:
        return Tick(at_us, f"{at:%a} {at.day} {at:%b}", True)
    words = clock_words(at_us, step_us, zone)
    if _repeated(at, zone):
        words += f" {offset_words(at)}"
    return Tick(at_us, words, False)


def _repeated(at: datetime, zone: tzinfo | None) -> bool:
    """Whether the same local time comes twice."""
    wall = at.replace(tzinfo=None, fold=0)
    return len({_real(wall.replace(fold=fold), zone) for fold in (0, 1)}) == 2


def clock_words(at_us: int, step_us: int = 1_000, zone: tzinfo | None = None) -> str:
    """``13:51``, ``13:51:07`` or ``13:51:07.240``, as fine as the step needs."""
    at = local(at_us, zone)
    if step_us >= 60 * SECOND_US:
        return f"{at:%H:%M}"
    if step_us >= SECOND_US:
        return f"{at:%H:%M:%S}"
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def day_words(at_us: int, zone: tzinfo | None = None) -> str:
    """``Thu 19 Nov 2026``."""
    at = local(at_us, zone)
    return f"{at:%a} {at.day} {at:%b %Y}"


def offset_words(at: datetime) -> str:
    """``UTC``, ``UTC+1``, ``UTC+5:30``."""
    minutes = round((at.utcoffset() or timedelta()).total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02d}" if rest else "")


def zone_words(start_us: int, end_us: int, zone: tzinfo | None, name: str = "") -> str:
    """``Europe/Berlin · UTC+1``; both offsets where clocks change in between."""
    offsets = list(dict.fromkeys(offset_words(local(at, zone)) for at in (start_us, end_us)))
    words = " → ".join(offsets)
    return f"{name} · {words}" if name and name not in ("UTC", "Etc/UTC") else words


def zoomed(start_us: int, end_us: int, about_us: int, factor: float) -> tuple[int, int]:
    """The span made ``factor`` times as long, with ``about_us`` staying where it is."""
    share = (about_us - start_us) / max(end_us - start_us, 1)
    length = max((end_us - start_us) * factor, 1.0)
    first = round(about_us - share * length)
    return first, first + round(length)
