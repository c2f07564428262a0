"""When horses were seen: intervals of a day, their union and what two of them share. No Qt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Presence:
    """Disjoint intervals in order of time, UTC."""

    intervals: tuple[Interval, ...] = ()

    @property
    def seen_s(self) -> float:
        """Seconds seen by any camera."""
        return sum((end - start).total_seconds() for start, end in self.intervals)

    def joined(self, other: Presence) -> Presence:
        """Seen as one or the other."""
        return Presence(union((*self.intervals, *other.intervals)))


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the farm: its limits and who was seen in it."""

    start: datetime
    end: datetime
    horses: Mapping[HorseId, Presence]

    def of(self, horse_id: HorseId) -> Presence:
        """A horse's presence; empty if it was not seen."""
        return self.horses.get(horse_id, Presence())

    def saw(self, last_seen_at: datetime | None) -> bool:
        """True if an instant lies in this day or later."""
        return last_seen_at is not None and last_seen_at >= self.start


def local_day(now: datetime) -> Interval:
    """Midnight to midnight around an instant, in the time zone of this machine."""
    start = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same time without overlaps, in order."""
    result: list[Interval] = []
    for start, end in sorted(intervals):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        elif end > start:
            result.append((start, end))
    return tuple(result)


def shared(first: Sequence[Interval], second: Sequence[Interval]) -> tuple[Interval, ...]:
    """The time both contain; each is disjoint and in order."""
    result: list[Interval] = []
    i = j = 0
    while i < len(first) and j < len(second):
        start, end = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if start < end:
            result.append((start, end))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return tuple(result)


def presence(strips: Iterable[TrackStrip]) -> Presence:
    """Where one horse's strips say it was seen."""
    return Presence(union((strip.start, strip.end) for strip in strips))


def day_of(strips: Iterable[TrackStrip], start: datetime, end: datetime) -> Day:
    """Everybody's presence between two instants, from all strips of that time."""
    by_horse: dict[HorseId, list[Interval]] = {}
    for strip in strips:
        if strip.horse_id is not None:
            clipped = (max(strip.start, start), min(strip.end, end))
            by_horse.setdefault(strip.horse_id, []).append(clipped)
    return Day(start, end, {h: Presence(union(v)) for h, v in by_horse.items()})
