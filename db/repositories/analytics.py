"""What horses did hour by hour and when they were seen, over whole UTC days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg_pool import ConnectionPool

from db.day_sums import SEEN, WORDS, DaySums
from db.pool import transaction
from db.queries import queries
from engine.domain.ids import FarmId, HorseId
from engine.domain.motion import BoutKind

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class HourOfHorse:
    """What a horse did in the hour from ``hour`` (UTC). Speed in m/s over the ground and the share
    of the time that it moved, None where they are not summed up yet."""

    hour: datetime
    horse_id: HorseId
    seen_s: float
    actions_s: Mapping[str, float]
    mean_speed_mps: float | None
    moving_share: float | None


@dataclass(frozen=True, slots=True)
class DayOfHorse:
    """Seconds in which a horse was seen in each of a UTC day's 24 hours."""

    day: date
    horse_id: HorseId
    hours_s: tuple[float, ...]


class AnalyticsRepository:
    """Reads the sums of hours. Raises StoreUnavailable when the store does not answer."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("analytics")
        self._sums = DaySums(lambda doing: transaction(pool, doing))

    def hours(
        self,
        first: date,
        until: date,
        now: datetime,
        farm_id: FarmId | None = None,
        horse_id: HorseId | None = None,
    ) -> Sequence[HourOfHorse]:
        """Every hour in which a horse was seen, by hour and horse."""
        horses = self._horses(farm_id, horse_id)
        table = self._sums.read(horses, (), first, until, now)
        fields = {"horse_ids": horses, "start": _midnight(first), "end": _midnight(until)}
        with transaction(self._pool, "reading the activity of hours") as connection:
            rows = connection.execute(self._sql["speeds"], fields).fetchall()
        speeds = {(horse, hour): (speed, moving) for horse, hour, speed, moving in rows}
        seen: dict[tuple[datetime, HorseId], float] = {}
        actions: dict[tuple[datetime, HorseId], dict[str, float]] = {}
        for lane, day, word, seconds in zip(
            table.lane.tolist(), table.day.tolist(), table.word.tolist(), table.seconds.tolist(),
            strict=True,
        ):  # fmt: skip
            kind, value = WORDS[word]
            if kind not in (SEEN, BoutKind.ACTION):
                continue
            midnight = _midnight(_EPOCH + timedelta(days=day))
            for hour, length_s in enumerate(seconds):
                if length_s <= 0.0:
                    continue
                key = (midnight + timedelta(hours=hour), horses[lane])
                if kind == SEEN:
                    seen[key] = length_s
                else:
                    actions.setdefault(key, {})[value] = length_s
        found = []
        for (hour_at, horse), seen_s in sorted(seen.items()):
            speed, moving = speeds.get((horse, hour_at), (None, None))
            found.append(
                HourOfHorse(
                    hour_at,
                    horse,
                    seen_s,
                    actions.get((hour_at, horse), {}),
                    None if speed is None else float(speed),
                    None if moving is None else float(moving),
                )
            )
        return tuple(found)

    def presence(
        self,
        first: date,
        until: date,
        now: datetime,
        farm_id: FarmId | None = None,
        horse_id: HorseId | None = None,
    ) -> Sequence[DayOfHorse]:
        """Every day on which a horse was seen, by day and horse."""
        horses = self._horses(farm_id, horse_id)
        table = self._sums.read(horses, (), first, until, now)
        seen = [
            DayOfHorse(_EPOCH + timedelta(days=day), horses[lane], tuple(seconds))
            for lane, day, word, seconds in zip(
                table.lane.tolist(), table.day.tolist(), table.word.tolist(),
                table.seconds.tolist(), strict=True,
            )
            if WORDS[word][0] == SEEN
        ]  # fmt: skip
        return tuple(sorted(seen, key=lambda one: (one.day, horses.index(one.horse_id))))

    def _horses(self, farm_id: FarmId | None, horse_id: HorseId | None) -> list[HorseId]:
        fields = {"farm_id": farm_id, "horse_id": horse_id}
        with transaction(self._pool, "listing the horses") as connection:
            return [HorseId(row[0]) for row in connection.execute(self._sql["horses"], fields)]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
