"""Seconds of every hour by lane and word: what timelines, budgets and analytics read at low zoom.

Sums of past days are kept in ``timeline_days``. Whatever changes a track, a span or a bout makes
the sums of its days out of date in its own transaction (triggers of the schema); those are made
anew when they are asked for, or by the maintenance worker, and so they are never wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.rows import dict_row

from db.intervals import IntArray, Intervals, in_steps, joined, resolved, union
from db.packed_arrays import FLOAT32, INT16, INT32, column, instants_us
from db.queries import queries
from engine.domain.ids import HorseId, StreamId
from engine.domain.motion import Action, BoutKind, Gait, Posture

SEEN = "seen"
KINDS = (SEEN, *(kind.value for kind in BoutKind))
WORDS: tuple[tuple[str, str], ...] = (
    (SEEN, ""),
    *((BoutKind.GAIT.value, gait.label) for gait in Gait if gait is not Gait.UNKNOWN),
    *((BoutKind.ACTION.value, one.label) for one in Action if one is not Action.UNKNOWN),
    *((BoutKind.POSTURE.value, one.label) for one in Posture if one is not Posture.UNKNOWN),
    (BoutKind.COMPANY.value, "person"),
)
"""Kind and value of everything that is summed up; a word is a place in this tuple."""
KIND_OF_WORD = np.array([KINDS.index(kind) for kind, _ in WORDS], np.int64)
_WORD_FIELDS = {"kinds": [kind for kind, _ in WORDS], "values": [value for _, value in WORDS]}

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
SETTLED_AFTER = timedelta(hours=2)
"""So long after its end a day's sums are kept; of younger days they are made for each question."""
_BLOCK_DAYS = 14
_EPOCH = date(1970, 1, 1)

Transactions = Callable[[str], AbstractContextManager[Connection]]
"""Begins a transaction; the argument completes "while ..."."""


@dataclass(frozen=True, slots=True)
class SumTable:
    """N rows: ``lane`` int64 (N,), place among the lanes asked for (horses, then streams); ``day``
    int64 (N,), days since 1970; ``word`` int64 (N,), place in WORDS; ``seconds`` float32 (N, 24) of
    the UTC day's hours."""

    lane: IntArray
    day: IntArray
    word: IntArray
    seconds: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.lane)


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - _EPOCH).days


def load_intervals(
    connection: Connection,
    horses: Sequence[HorseId],
    streams: Sequence[StreamId],
    start: datetime,
    end: datetime,
    whole: bool = False,
    among: Collection[StreamId] | None = None,
) -> Intervals:
    """What is known of some lanes between two instants: ``lane`` counts horses, then streams,
    ``kind`` is a place in KINDS, ``value`` one in WORDS.

    Seen stretches of several cameras are one, and bouts free of overlaps: of two that overlap the
    final, then the more confident one holds. ``whole`` leaves every bout as it is told;
    ``among``: horses' lanes as only these cameras saw them (None: all).
    """
    statements = queries("timeline")
    window = {"start": start, "end": end, **_WORD_FIELDS}
    cursor = connection.cursor(row_factory=dict_row)
    parts = []
    only = None if among is None else [*among]
    if horses:
        row = cursor.execute(
            statements["horse_intervals"], {"lanes": [*horses], "among": only, **window}
        )
        found = _intervals(row.fetchone() or {}, 0)
        bouts = found.take(found.value > 0)
        # A horse that does something is seen: sums of bouts never exceed what was seen.
        seen = Intervals(
            found.lane, np.zeros_like(found.kind), np.zeros_like(found.value), found.start_us,
            found.end_us, np.zeros_like(found.rank),
        )  # fmt: skip
        parts += [union(seen), bouts if whole else resolved(bouts)]
    if streams:
        row = cursor.execute(statements["stream_intervals"], {"lanes": [*streams], **window})
        parts.append(union(_intervals(row.fetchone() or {}, len(horses))))
    return joined(*parts) if parts else _intervals({}, 0)


def _intervals(row: Mapping[str, Any], first_lane: int) -> Intervals:
    lane = column(row.get("lane"), INT32).astype(np.int64) + first_lane
    word = column(row.get("word"), INT16).astype(np.int64)
    if not len(word):
        word = np.zeros(len(lane), np.int64)
    rank = column(row.get("rank"), FLOAT32)
    return Intervals(
        lane,
        KIND_OF_WORD[word],
        word,
        instants_us(row.get("since")),
        instants_us(row.get("until")),
        rank if len(rank) else np.zeros(len(lane), np.float32),
    )


def hour_table(rows: Intervals, lanes: int, first: date, days: int) -> SumTable:
    """Seconds of every hour of some days."""
    edges = day_number(first) * DAY_US + np.arange(days * 24 + 1, dtype=np.int64) * HOUR_US
    row, step, length_us = in_steps(rows, edges)
    shape = (lanes, days, len(WORDS), 24)
    place = ((rows.lane[row] * days + step // 24) * len(WORDS) + rows.value[row]) * 24 + step % 24
    summed = np.bincount(place, length_us / 1e6, lanes * days * len(WORDS) * 24).reshape(shape)
    lane, day, word = np.nonzero(summed.any(axis=3))
    seconds = np.minimum(summed[lane, day, word], 3600.0).astype(np.float32)
    return SumTable(lane, day + day_number(first), word, seconds)


class DaySums:
    """Reads sums, and makes those that are missing or out of date. Used from any thread."""

    def __init__(
        self, transactions: Transactions, settled_after: timedelta = SETTLED_AFTER
    ) -> None:
        self._transactions = transactions
        self._settled_after = settled_after
        self._sql = queries("timeline")

    def read(
        self,
        horses: Sequence[HorseId],
        streams: Sequence[StreamId],
        first: date,
        until: date,
        now: datetime,
    ) -> SumTable:
        """Sums of the UTC days from ``first`` to before ``until``; nothing is known of days after
        ``now``. Raises StoreUnavailable."""
        until = min(until, now.astimezone(UTC).date() + timedelta(days=1))
        days = (until - first).days
        lanes: list[UUID] = [*horses, *streams]
        if days <= 0 or not lanes:
            return _table([])
        fields = {"lanes": lanes, "first": first, "until": until, **_WORD_FIELDS}
        with self._transactions("reading the sums of days") as connection:
            missing = self._missing(connection, lanes, first, days)
            cursor = connection.cursor(row_factory=dict_row)
            tables = [_sums(cursor.execute(self._sql["sums"], fields).fetchone() or {})]
        for begin, end in _blocks(np.asarray(missing.any(axis=0))):
            tables.append(self._made(horses, streams, missing, first, (begin, end), now))
        return _table(tables)

    def fill(self, now: datetime, days: int, budget_s: float) -> bool:
        """Make what is missing of the last days, the newest first, for so long; True when nothing
        is missing any more. For the maintenance worker. Raises StoreUnavailable."""
        until_mono_s = time.monotonic() + budget_s
        with self._transactions("tidying the sums of days") as connection:
            rows = connection.execute(self._sql["lanes_to_sum"]).fetchall()
            connection.execute(self._sql["forget_gone_lanes"])
            connection.execute(self._sql["forget_gone_sums"])
        horses = [HorseId(lane) for lane, horse in rows if horse]
        streams = [StreamId(lane) for lane, horse in rows if not horse]
        first = now.astimezone(UTC).date() - timedelta(days=days)
        with self._transactions("looking for missing sums") as connection:
            missing = self._missing(connection, [*horses, *streams], first, days)
        for step in np.flatnonzero(missing.any(axis=0))[::-1].tolist():
            day = first + timedelta(days=step)
            if not self._settled(day, now):
                continue
            if time.monotonic() > until_mono_s:
                return False
            self.read(horses, streams, day, day + timedelta(days=1), now)
        return True

    def _missing(
        self, connection: Connection, lanes: Sequence[UUID], first: date, days: int
    ) -> NDArray[np.bool_]:
        """By lane and day, whether there is no sum that holds."""
        fields = {"lanes": lanes, "first": first, "until": first + timedelta(days=days)}
        cursor = connection.cursor(row_factory=dict_row)
        known = cursor.execute(self._sql["states"], fields).fetchone() or {}
        missing = np.ones((len(lanes), days), bool)
        day = column(known.get("day"), INT32) - day_number(first)
        missing[column(known.get("lane"), INT32), day] = False
        return missing

    # --- making ------------------------------------------------------------------------------

    def _made(
        self,
        horses: Sequence[HorseId],
        streams: Sequence[StreamId],
        missing: NDArray[np.bool_],
        first: date,
        block: tuple[int, int],
        now: datetime,
    ) -> SumTable:
        """The missing sums of a block of days, kept where the days are settled."""
        begin, end = block
        wanted = np.flatnonzero(missing[:, begin:end].any(axis=1))
        split = len(horses)
        some_horses = [horses[n] for n in wanted.tolist() if n < split]
        some_streams = [streams[n - split] for n in wanted.tolist() if n >= split]
        lanes: list[UUID] = [*some_horses, *some_streams]
        start = first + timedelta(days=begin)
        settled = [
            (lanes[place], day)
            for place, n in enumerate(wanted)
            for step in range(begin, end)
            if missing[n, step] and self._settled(day := first + timedelta(days=step), now)
        ]
        if settled:
            self._meet(settled)
        with self._transactions("summing up days") as connection:
            generations = self._generations(connection, settled)
            window = (_midnight(start), _midnight(first + timedelta(days=end)))
            rows = load_intervals(connection, some_horses, some_streams, *window)
            table = hour_table(rows, len(lanes), start, end - begin)
            if generations:
                self._keep(connection, table, lanes, generations)
        chosen = missing[wanted[table.lane], table.day - day_number(first)]
        return SumTable(
            wanted[table.lane[chosen]],
            table.day[chosen],
            table.word[chosen],
            table.seconds[chosen],
        )

    def _settled(self, day: date, now: datetime) -> bool:
        return _midnight(day + timedelta(days=1)) + self._settled_after <= now

    def _meet(self, days: Sequence[tuple[UUID, date]]) -> None:
        fields = {"lane": [lane for lane, _ in days], "day": [day for _, day in days]}
        with self._transactions("preparing the sums of days") as connection:
            unmet = connection.execute(self._sql["unmet_days"], fields).fetchone()
            if unmet and unmet[0]:
                # Whoever is changing a track, a span or a bout now has not seen these states.
                connection.execute(self._sql["hold"])
                connection.execute(self._sql["meet_days"], fields)

    def _generations(
        self, connection: Connection, days: Sequence[tuple[UUID, date]]
    ) -> dict[tuple[UUID, date], int]:
        if not days:
            return {}
        mine = connection.execute(self._sql["one_summer"]).fetchone()
        if not (mine and mine[0]):
            return {}
        fields = {"lane": [lane for lane, _ in days], "day": [day for _, day in days]}
        rows = connection.execute(self._sql["generations"], fields)
        return {(lane, day): generation for lane, day, generation in rows}

    def _keep(
        self,
        connection: Connection,
        table: SumTable,
        lanes: Sequence[UUID],
        generations: Mapping[tuple[UUID, date], int],
    ) -> None:
        fields = {
            "lane": [lane for lane, _ in generations],
            "day": [day for _, day in generations],
            "generation": list(generations.values()),
        }
        kept = set(connection.execute(self._sql["keep_days"], fields).fetchall())
        if not kept:
            return
        gone = {"lane": [lane for lane, _ in kept], "day": [day for _, day in kept]}
        connection.execute(self._sql["forget_sums"], gone)
        packed = table.seconds.astype(FLOAT32)
        places = zip(table.lane.tolist(), table.day.tolist(), table.word.tolist(), strict=True)
        rows = [
            (lanes[lane], _EPOCH + timedelta(days=day), word, packed[row].tobytes())
            for row, (lane, day, word) in enumerate(places)
        ]
        rows = [row for row in rows if (row[0], row[1]) in kept]
        connection.execute(
            self._sql["add_sums"],
            {
                "lane": [lane for lane, _, _, _ in rows],
                "day": [day for _, day, _, _ in rows],
                "kind": [WORDS[word][0] for _, _, word, _ in rows],
                "value": [WORDS[word][1] for _, _, word, _ in rows],
                "seconds": [hours for _, _, _, hours in rows],
            },
        )


def _sums(row: Mapping[str, Any]) -> SumTable:
    packed: bytes = row.get("seconds") or b""
    hours = np.frombuffer(packed, FLOAT32).astype(np.float32)
    return SumTable(
        column(row.get("lane"), INT32).astype(np.int64),
        column(row.get("day"), INT32).astype(np.int64),
        column(row.get("word"), INT16).astype(np.int64),
        hours.reshape(-1, 24),
    )


def _table(parts: Sequence[SumTable]) -> SumTable:
    if not parts:
        none = np.zeros(0, np.int64)
        return SumTable(none, none, none, np.zeros((0, 24), np.float32))
    return SumTable(
        np.concatenate([part.lane for part in parts]),
        np.concatenate([part.day for part in parts]),
        np.concatenate([part.word for part in parts]),
        np.concatenate([part.seconds for part in parts]),
    )


def _blocks(wanted: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of wanted days, each of at most ``_BLOCK_DAYS``."""
    edges = np.flatnonzero(np.diff(np.r_[False, wanted, False].astype(np.int8)))
    return [
        (begin, min(begin + _BLOCK_DAYS, int(end)))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        for begin in range(int(start), int(end), _BLOCK_DAYS)
    ]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
