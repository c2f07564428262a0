"""Timelines at any zoom (port TimelineRepository).

A few lanes over a few days are read bout by bout; more is read from the sums of hours. Outages,
chunks and alerts are few and always read one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.day_sums import DAY_US, HOUR_US, KIND_OF_WORD, WORDS, DaySums, SumTable, load_intervals
from db.intervals import IntArray, Intervals, in_steps, joined, union
from db.packed_arrays import INT16, INT32, column, instants_us, unix_us
from db.pool import transaction
from db.queries import queries
from engine.domain.behaviour import LaneKind, TimelineRuns
from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.notices import Severity

RAW_LANE_DAYS = 120.0
"""So many days of lanes are read bout by bout; more from the sums of hours."""
RAW_DAYS = 2.0
"""So many days are read bout by bout however many lanes there are."""
CHUNKS_OF = timedelta(days=1)
"""Chunks of so long are looked at one by one; of more it is told in which steps there are any."""
CHUNK_STEPS = 400
HOURS_SUFFICE = timedelta(minutes=30)
"""Where steps are as long as this, sums of hours are read."""
RUNS_A_LANE = 4000
"""Lanes with more runs are summed up."""
MAX_BUCKETS = 10_000
_ALERTS_MOST = 5000
_LADDER_H = (1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 168, 336, 672, 1344, 2688, 5376)
_FULL = 0.999

_KINDS = tuple(LaneKind)
_SEVERITIES = tuple(severity.value for severity in Severity)
VALUES = (
    *(value or kind for kind, value in WORDS),
    *_SEVERITIES,
    "plain",
    "locked",
    LaneKind.NO_DATA.value,
)
"""Kind by kind what a run's value can be; places in it while runs are made."""
_TOLD = tuple(dict.fromkeys(VALUES))
"""The words of ``TimelineRuns.values``: standing is a gait and an action."""
_TOLD_OF = np.array([_TOLD.index(value) for value in VALUES], np.int16)
_FIRST_SEVERITY = len(WORDS)
_PLAIN = _FIRST_SEVERITY + len(_SEVERITIES)
_NO_DATA = VALUES.index(LaneKind.NO_DATA.value)


class PostgresTimelineRepository:
    """Timelines of horses and cameras, from tracks, spans, bouts, alerts, outages and chunks."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("timeline")
        self.sums = DaySums(lambda doing: transaction(pool, doing))

    def lanes(
        self,
        start: datetime,
        end: datetime,
        buckets: int,
        horse_ids: Collection[HorseId] = (),
        stream_ids: Collection[StreamId] = (),
        kinds: Collection[LaneKind] = tuple(LaneKind),
        farm_id: FarmId | None = None,
    ) -> TimelineRuns:
        """See the port. Horses have what they do, cameras what they gave; both have alerts. Lanes
        of another farm than ``farm_id`` are empty. Raises OperatorMistake for such buckets."""
        if not 1 <= buckets <= MAX_BUCKETS:
            raise OperatorMistake(f"The buckets must be between 1 and {MAX_BUCKETS}.")
        lanes: tuple[UUID, ...] = (*dict.fromkeys(horse_ids), *dict.fromkeys(stream_ids))
        wanted = [_KINDS.index(kind) for kind in _KINDS if kind in kinds]
        if end <= start or not lanes or not wanted:
            return _runs(lanes, _nothing(), np.zeros(0), True)
        now = datetime.now(UTC)
        horses, streams = list(dict.fromkeys(horse_ids)), list(dict.fromkeys(stream_ids))
        if farm_id is not None:
            theirs = self._of_farm(lanes, farm_id)
            horses = [one for one in horses if one in theirs]
            streams = [one for one in streams if one in theirs]
        place = {lane: number for number, lane in enumerate(lanes)}
        places = np.array([place[one] for one in (*horses, *streams)], np.int64)
        few, few_share, exact = self._few(start, end, buckets, horses, streams, now, wanted)
        rows, share = few, few_share
        if set(wanted) & set(KIND_OF_WORD.tolist()):
            many, many_share, all_told = self._many(start, end, buckets, horses, streams, now)
            chosen = np.isin(many.kind, wanted)
            rows = joined(few, many.take(chosen))
            share = np.r_[few_share, many_share[chosen]]
            exact = exact and all_told
        rows = Intervals(
            places[rows.lane], rows.kind, rows.value, rows.start_us, rows.end_us, rows.rank
        )
        return _runs(lanes, rows, share, exact)

    # --- what horses do and cameras see --------------------------------------------------------

    def _many(
        self,
        start: datetime,
        end: datetime,
        buckets: int,
        horses: Sequence[HorseId],
        streams: Sequence[StreamId],
        now: datetime,
    ) -> tuple[Intervals, Any, bool]:
        days = (end - start) / timedelta(days=1)
        count = len(horses) + len(streams)
        coarse = (end - start) / buckets >= HOURS_SUFFICE
        if days > RAW_DAYS and (coarse or days * count > RAW_LANE_DAYS):
            first = start.astimezone(UTC).date()
            until = (end - timedelta(microseconds=1)).astimezone(UTC).date() + timedelta(days=1)
            table = self.sums.read(horses, streams, first, until, now)
            return (*_stepped(table, unix_us(start), unix_us(end), buckets), False)
        with transaction(self._pool, "reading a timeline") as connection:
            rows = load_intervals(connection, horses, streams, start, end, whole=True)
        if len(rows) and int(np.bincount(rows.lane).max()) > RUNS_A_LANE:
            return (*_bucketed(rows, unix_us(start), unix_us(end), buckets), False)
        return rows, np.ones(len(rows)), True

    # --- alerts, outages, chunks -----------------------------------------------------------------

    def _few(
        self,
        start: datetime,
        end: datetime,
        buckets: int,
        horses: Sequence[HorseId],
        streams: Sequence[StreamId],
        now: datetime,
        wanted: Sequence[int],
    ) -> tuple[Intervals, Any, bool]:
        step_s = max((end - start).total_seconds() / min(buckets, CHUNK_STEPS), 600.0)
        fields = {
            "start": start,
            "end": end,
            "now": now,
            "limit": _ALERTS_MOST,
            "step_s": step_s,
        }
        parts = []
        with transaction(self._pool, "reading a timeline") as connection:
            if _KINDS.index(LaneKind.ALERT) in wanted:
                every = {**fields, "lanes": [*horses, *streams]}
                parts.append(self._alerts(connection, every))
            of_cameras = {**fields, "lanes": [*streams]}
            if streams and _KINDS.index(LaneKind.NO_DATA) in wanted:
                parts.append(self._outages(connection, of_cameras, len(horses)))
            if streams and _KINDS.index(LaneKind.RECORDED) in wanted:
                parts.append(self._recordings(connection, of_cameras, len(horses)))
        rows = joined(*parts) if parts else _nothing()
        if len(rows) and int(np.bincount(rows.lane).max()) > RUNS_A_LANE:
            return (*_bucketed(rows, unix_us(start), unix_us(end), buckets), False)
        return rows, np.ones(len(rows)), True

    def _alerts(self, connection: Connection, fields: Mapping[str, Any]) -> Intervals:
        rows = self._rows(connection, "alerts", fields)
        value = [_FIRST_SEVERITY + _SEVERITIES.index(row["severity"]) for row in rows]
        return _of_kind(
            LaneKind.ALERT,
            np.array([row["lane"] for row in rows], np.int64),
            np.array(value, np.int64),
            np.array([unix_us(row["since"]) for row in rows], np.int64),
            np.array([unix_us(row["until"]) for row in rows], np.int64),
        )

    def _outages(
        self, connection: Connection, fields: Mapping[str, Any], first_lane: int
    ) -> Intervals:
        row = self._rows(connection, "outages", fields)[0]
        lane = column(row["lane"], INT32).astype(np.int64) + first_lane
        value = np.full(len(lane), _NO_DATA, np.int64)
        since, until = instants_us(row["since"]), instants_us(row["until"])
        return union(_of_kind(LaneKind.NO_DATA, lane, value, since, until))

    def _recordings(
        self, connection: Connection, fields: Mapping[str, Any], first_lane: int
    ) -> Intervals:
        stepped = fields["end"] - fields["start"] > CHUNKS_OF
        row = self._rows(connection, "recorded_steps" if stepped else "recordings", fields)[0]
        lane = column(row["lane"], INT32).astype(np.int64) + first_lane
        value = _PLAIN + column(row["locked"], INT16).astype(np.int64)
        since, until = instants_us(row["since"]), instants_us(row["until"])
        rows = _of_kind(LaneKind.RECORDED, lane, value, since, until)
        return _merged(rows, np.ones(len(rows)))[0] if stepped else rows

    def _of_farm(self, lanes: Sequence[UUID], farm_id: FarmId) -> set[UUID]:
        with transaction(self._pool, "reading a timeline") as connection:
            fields = {"lanes": list(lanes), "farm_id": farm_id}
            return {row["id"] for row in self._rows(connection, "of_farm", fields)}

    def _rows(
        self, connection: Connection, name: str, fields: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(self._sql[name], fields).fetchall()


def _nothing() -> Intervals:
    none = np.zeros(0, np.int64)
    return Intervals(none, none, none, none, none, np.zeros(0, np.float32))


def _of_kind(
    kind: LaneKind, lane: IntArray, value: IntArray, start_us: IntArray, end_us: IntArray
) -> Intervals:
    number = np.full(len(lane), _KINDS.index(kind), np.int64)
    return Intervals(lane, number, value, start_us, end_us, np.zeros(len(lane), np.float32))


def _bucketed(rows: Intervals, start_us: int, end_us: int, buckets: int) -> tuple[Intervals, Any]:
    """Rows summed up in equal steps, and what share of each step they took."""
    edges = np.linspace(start_us, end_us, buckets + 1).astype(np.int64)
    row, step, length_us = in_steps(rows, edges)
    key = (rows.lane[row] * len(VALUES) + rows.value[row]) * buckets + step
    found, where = np.unique(key, return_inverse=True)
    summed = np.bincount(where, length_us, len(found))
    step, pair = found % buckets, found // buckets
    kind_of_value = np.zeros(len(VALUES), np.int64)
    kind_of_value[rows.value] = rows.kind
    value = pair % len(VALUES)
    share = np.minimum(summed / (edges[step + 1] - edges[step]), 1.0)
    runs = Intervals(
        pair // len(VALUES), kind_of_value[value], value, edges[step], edges[step + 1],
        np.zeros(len(found), np.float32),
    )  # fmt: skip
    return _merged(runs, share)


def _stepped(table: SumTable, start_us: int, end_us: int, buckets: int) -> tuple[Intervals, Any]:
    """Sums of hours as runs of the smallest step that fits the buckets and keeps lanes short."""
    hours = (end_us - start_us) / HOUR_US
    fitting = [step for step in _LADDER_H if hours / step <= buckets] or [_LADDER_H[-1]]
    for step_h in fitting:
        runs, share = _steps_of(table, step_h)
        inside = (runs.end_us > start_us) & (runs.start_us < end_us)
        runs, share = _merged(runs.take(inside), share[inside])
        if not len(runs) or int(np.bincount(runs.lane).max()) <= RUNS_A_LANE:
            break
    return runs, share


def _steps_of(table: SumTable, step_h: int) -> tuple[Intervals, Any]:
    if step_h <= 24:
        parts = table.seconds.reshape(len(table), 24 // step_h, step_h).sum(axis=2)
        row, slot = np.nonzero(parts)
        lane, word, seconds = table.lane[row], table.word[row], parts[row, slot]
        start_us = table.day[row] * DAY_US + slot * (step_h * HOUR_US)
    else:
        step_days = step_h // 24
        slot = table.day // step_days
        order = np.lexsort((slot, table.word, table.lane))
        keys = np.stack([table.lane[order], table.word[order], slot[order]])
        first = np.flatnonzero(np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)][: len(order)])
        if not len(order):
            return _nothing(), np.zeros(0)
        seconds = np.add.reduceat(table.seconds.sum(axis=1)[order], first)
        lane, word = keys[0, first], keys[1, first]
        start_us = keys[2, first] * step_days * DAY_US
    step_us = step_h * HOUR_US
    share = np.minimum(seconds.astype(np.float64) * 1e6 / step_us, 1.0)
    runs = Intervals(
        lane, KIND_OF_WORD[word], word, start_us, start_us + step_us,
        np.zeros(len(lane), np.float32),
    )  # fmt: skip
    return runs, share


def _merged(runs: Intervals, share: Any) -> tuple[Intervals, Any]:
    """Neighbours that are full of the same value as one."""
    order = np.lexsort((runs.start_us, runs.value, runs.lane))
    runs, share = runs.take(order), share[order]
    if not len(runs):
        return runs, share
    goes_on = np.r_[
        False,
        (runs.lane[1:] == runs.lane[:-1])
        & (runs.value[1:] == runs.value[:-1])
        & (runs.start_us[1:] == runs.end_us[:-1])
        & (share[1:] >= _FULL)
        & (share[:-1] >= _FULL),
    ]
    first = np.flatnonzero(~goes_on)
    last = np.r_[first[1:], len(runs)] - 1
    head = runs.take(first)
    whole = Intervals(head.lane, head.kind, head.value, head.start_us, runs.end_us[last], head.rank)
    return whole, share[first]


def _runs(lanes: tuple[UUID, ...], rows: Intervals, share: Any, exact: bool) -> TimelineRuns:
    order = np.lexsort((rows.start_us, rows.kind, rows.lane))
    return TimelineRuns(
        lanes=lanes,
        values=_TOLD,
        lane=rows.lane[order].astype(np.int32),
        kind=rows.kind[order].astype(np.int8),
        value=_TOLD_OF[rows.value[order]],
        start_us=rows.start_us[order],
        end_us=rows.end_us[order],
        share=np.asarray(share, np.float32)[order],
        exact=exact,
    )
