"""Stored bouts, strides and pose metrics (port MotionRepository)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.day_sums import (
    DAY_US,
    HOUR_US,
    KINDS,
    SEEN,
    WORDS,
    DaySums,
    load_intervals,
)
from db.intervals import in_steps
from db.motion_store import MotionStore
from db.packed_arrays import unix_us
from db.pool import transaction
from db.queries import queries
from db.stride_rows import stride_of
from engine.domain.behaviour import METRICS, MetricSeries, OwnedBout, OwnedStride, TimeBudget
from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.domain.motion import (
    Bout,
    BoutId,
    BoutKind,
    Gait,
    TrackMotion,
)

MAX_LIMIT = 100_000
MAX_BUDGETS = 20_000
MAX_POINTS = 20_000
RAW_HORSE_DAYS = 45.0
"""Budgets over so many days of horses are made from the bouts; over more from sums of hours where
every step begins with an hour."""
_SCALES = {name: 100.0 if name.endswith("_deg") else 1000.0 for name in METRICS}
_SCALES["symmetry"] = 10_000.0


class PostgresMotionRepository:
    """Bouts and strides of tracks; the identity spans say whose they are."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("motion")
        self.sums = DaySums(lambda doing: transaction(pool, doing))

    def bouts(
        self,
        start: datetime,
        end: datetime,
        horse_ids: Collection[HorseId] | None = None,
        stream_id: StreamId | None = None,
        kinds: Collection[BoutKind] | None = None,
        farm_id: FarmId | None = None,
        limit: int = 10_000,
        among: Collection[StreamId] | None = None,
    ) -> Sequence[OwnedBout]:
        """See the port. Raises OperatorMistake for a limit that is none."""
        fields = {
            "start": start,
            "end": end,
            "horse_ids": None if horse_ids is None else [*horse_ids],
            "stream_id": stream_id,
            "kinds": None if kinds is None else [kind.value for kind in kinds],
            "farm_id": farm_id,
            "limit": _limit(limit),
            "among": _cameras(among),
        }
        statement = "bouts" if horse_ids is None else "bouts_of_horses"
        with transaction(self._pool, "reading bouts") as connection:
            return tuple(map(_owned_bout, self._rows(connection, statement, fields)))

    def strides(
        self,
        start: datetime,
        end: datetime,
        horse_id: HorseId | None = None,
        track_id: TrackId | None = None,
        gaits: Collection[Gait] | None = None,
        straight_only: bool = False,
        limit: int = 10_000,
        among: Collection[StreamId] | None = None,
    ) -> Sequence[OwnedStride]:
        """See the port. Raises OperatorMistake for a limit that is none."""
        fields = {
            "start": start,
            "end": end,
            "horse_id": horse_id,
            "track_id": track_id,
            "gaits": None if gaits is None else [int(gait) for gait in gaits],
            "straight_only": straight_only,
            "limit": _limit(limit),
            "among": _cameras(among),
        }
        statement = "strides"
        if horse_id is not None or track_id is not None:
            statement = "strides_of_track" if horse_id is None else "strides_of_horse"
        with transaction(self._pool, "reading strides") as connection:
            return tuple(map(_owned_stride, self._rows(connection, statement, fields)))

    # --- metrics -------------------------------------------------------------------------------

    def metrics(
        self,
        horse_id: HorseId,
        start: datetime,
        end: datetime,
        names: Collection[str] = METRICS,
        points: int = 1500,
        among: Collection[StreamId] | None = None,
    ) -> MetricSeries:
        """See the port. Raises OperatorMistake for names and points that are none."""
        if not set(names) <= set(METRICS):
            raise OperatorMistake(f"Metrics are {', '.join(METRICS)}.")
        if not 1 <= points <= MAX_POINTS:
            raise OperatorMistake(f"The points must be between 1 and {MAX_POINTS}.")
        asked = [name for name in METRICS if name in set(names)]
        fields: dict[str, Any] = {
            "horse_id": horse_id,
            "start": start,
            "end": end,
            "among": _cameras(among),
        }
        if end <= start or not asked:
            return _series([], [], asked, 0.0)
        with transaction(self._pool, "reading pose metrics") as connection:
            rows = self._rows(connection, "metric_rows", {**fields, "limit": points + 1})
            if len(rows) <= points:
                rows.sort(key=lambda row: row["time"])
                at_us = [unix_us(row["time"]) for row in rows]
                return _series(at_us, [[row[n]] * 3 for row in rows for n in asked], asked, 0.0)
            bucket_s = (end - start).total_seconds() / points
            statement = sql.SQL(self._sql["metric_buckets"].decode()).format(
                columns=sql.SQL(", ").join(
                    sql.SQL("avg({0})::float, min({0}), max({0})").format(sql.Identifier(n))
                    for n in asked
                )
            )
            fields["bucket_s"] = bucket_s
            found = connection.execute(statement, fields).fetchall()
        at_us = [unix_us(start) + round(row[0] * bucket_s * 1e6) for row in found]
        cells = [row[k : k + 3] for row in found for k in range(1, 1 + 3 * len(asked), 3)]
        return _series(at_us, cells, asked, bucket_s)

    # --- budgets -------------------------------------------------------------------------------

    def budgets(
        self,
        horse_ids: Collection[HorseId],
        start: datetime,
        end: datetime,
        step_s: float,
        among: Collection[StreamId] | None = None,
    ) -> Sequence[TimeBudget]:
        """See the port. Raises OperatorMistake for a step that is none or too many of them. Sums
        of hours are of all cameras: those of some are made from the bouts however long it is."""
        horses = list(dict.fromkeys(horse_ids))
        if not (math.isfinite(step_s) and step_s > 0):
            raise OperatorMistake("The step of a budget is a number of seconds above 0.")
        if end <= start or not horses:
            return ()
        steps = math.ceil((end - start).total_seconds() / step_s)
        if steps * len(horses) > MAX_BUDGETS:
            raise OperatorMistake(f"That are more than {MAX_BUDGETS} budgets.")
        edges = unix_us(start) + np.round(np.arange(steps + 1) * step_s * 1e6).astype(np.int64)
        edges[-1] = unix_us(end)
        horse_days = len(horses) * ((end - start) / timedelta(days=1))
        if among is None and horse_days > RAW_HORSE_DAYS and not (edges % HOUR_US).any():
            seconds = self._from_sums(horses, start, end, edges)
        else:
            with transaction(self._pool, "reading time budgets") as connection:
                rows = load_intervals(connection, horses, (), start, end, among=among)
            row, step, length_us = in_steps(rows, edges)
            place = (rows.lane[row] * len(WORDS) + rows.value[row]) * steps + step
            size = len(horses) * len(WORDS) * steps
            summed = np.bincount(place, length_us / 1e6, size)
            seconds = summed.reshape(len(horses), len(WORDS), steps).astype(np.float64)
        instants = [start + timedelta(microseconds=int(e - edges[0])) for e in edges]
        return tuple(
            _budget(horse, instants[step], instants[step + 1], seconds[lane, :, step])
            for lane, horse in enumerate(horses)
            for step in range(steps)
        )

    def _from_sums(
        self,
        horses: Sequence[HorseId],
        start: datetime,
        end: datetime,
        edges_us: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Seconds by horse, word and step, where every edge is a whole hour."""
        first = start.astimezone(UTC).date()
        until = (end - timedelta(microseconds=1)).astimezone(UTC).date() + timedelta(days=1)
        table = self.sums.read(horses, (), first, until, datetime.now(UTC))
        days = (until - first).days
        hours = np.zeros((len(horses), len(WORDS), days * 24 + 1))
        begin = edges_us[0] // DAY_US
        column = (table.day - begin)[:, None] * 24 + np.arange(24)
        hours[table.lane[:, None], table.word[:, None], column] = table.seconds
        # The hours after the last edge are one more, discarded, step.
        places = (edges_us - begin * DAY_US) // HOUR_US
        summed: NDArray[np.float64] = np.add.reduceat(hours, places, axis=2)[:, :, :-1]
        return summed

    # --- the chunk lane --------------------------------------------------------------------------

    def replace(self, motions: Sequence[TrackMotion]) -> None:
        """See the port. Tracks that are not stored are left out."""
        with transaction(self._pool, "storing what the chunk lane found") as connection:
            connection.execute(self._sql["hold"])
            MotionStore(connection).replace(motions)

    def _rows(
        self, connection: Connection, name: str, fields: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        return connection.cursor(row_factory=dict_row).execute(self._sql[name], fields).fetchall()


def _limit(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
    return limit


def _cameras(among: Collection[StreamId] | None) -> list[StreamId] | None:
    return None if among is None else [*among]


def _series(
    at_us: Sequence[int], cells: Sequence[Sequence[Any]], names: Sequence[str], bucket_s: float
) -> MetricSeries:
    """Cells by instant, then name: mean, least, greatest as they are stored."""
    values = np.array(cells, np.float64).reshape(len(at_us), len(names), 3)
    columns = {
        name: (values[:, place] / _SCALES[name]).astype(np.float32)
        for place, name in enumerate(names)
    }
    return MetricSeries(np.array(at_us, np.int64), MappingProxyType(columns), bucket_s)


def _budget(
    horse_id: HorseId, start: datetime, end: datetime, seconds: NDArray[np.float64]
) -> TimeBudget:
    by_kind: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    for (kind, value), length_s in zip(WORDS, seconds.tolist(), strict=True):
        if length_s > 0:
            by_kind[kind][value] = length_s
    return TimeBudget(
        horse_id,
        start,
        end,
        by_kind[SEEN].get("", 0.0),
        MappingProxyType(by_kind[BoutKind.ACTION]),
        MappingProxyType(by_kind[BoutKind.POSTURE]),
        MappingProxyType(by_kind[BoutKind.GAIT]),
    )


def _owned_bout(row: Mapping[str, Any]) -> OwnedBout:
    horse = row["horse_id"]
    bout = Bout(
        BoutId(row["id"]),
        TrackId(row["track_id"]),
        StreamId(row["stream_id"]),
        BoutKind(row["kind"]),
        row["value"],
        row["start_at"],
        row["end_at"],
        row["confidence"],
        row["provisional"],
        row["open"],
    )
    return OwnedBout(None if horse is None else HorseId(horse), bout)


def _owned_stride(row: Mapping[str, Any]) -> OwnedStride:
    horse = row["horse_id"]
    return OwnedStride(None if horse is None else HorseId(horse), stride_of(row))
