"""Keeps the detections table in daily pieces: TimescaleDB does it by policy, we do it without.

Native: a partition a day from yesterday to the day after tomorrow, pieces older than the retention
dropped, and rows that waited in the default partition (a camera's wrong clock, a program that
slept over midnight) moved to their day.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from db.errors import translated
from db.queries import queries

log = logging.getLogger(__name__)

RETENTION_DAYS = 90
_AHEAD_DAYS = 2
_BATCH_ID_LIFE = timedelta(days=30)
_FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """Partitions made and dropped, and tracks that were closed; ``done`` is False when another
    process was already at it."""

    done: bool
    created: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    closed_tracks: int = 0


def partition_name(day: date) -> str:
    """The daily partition of a UTC day."""
    return f"detections_{day:%Y%m%d}"


def maintain(
    connection: psycopg.Connection, now: datetime, keep_days: int = RETENTION_DAYS
) -> MaintenanceReport:
    """Make, fill and drop partitions as of ``now`` (UTC). Idempotent; call at start and hourly.

    Raises StoreUnavailable. Never waits more than 2 s for a lock that readers hold.
    """
    statements = queries("timeseries")
    with translated("tidying the detections table"), connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '2s'")
        with connection.cursor(row_factory=dict_row) as cursor:
            locked = cursor.execute(statements["try_lock"]).fetchone()
            if not locked or not locked["locked"]:
                return MaintenanceReport(False)
            flags = cursor.execute(statements["is_hypertable"]).fetchone()
            created: tuple[str, ...] = ()
            dropped: tuple[str, ...] = ()
            if not (flags and flags["timescale"]):
                created, dropped = _maintain_native(cursor, now, keep_days)
            closed = cursor.execute(
                statements["close_forgotten_tracks"], {"before": now - _FORGOTTEN_AFTER}
            ).rowcount
            cursor.execute(statements["drop_old_batches"], {"before": now - _BATCH_ID_LIFE})
    return MaintenanceReport(True, created, dropped, closed)


def _maintain_native(
    cursor: psycopg.Cursor[dict[str, object]], now: datetime, keep_days: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    statements = queries("timeseries")
    today = now.astimezone(UTC).date()
    oldest_day = today - timedelta(days=keep_days)
    newest_day = today + timedelta(days=_AHEAD_DAYS)
    window = {"oldest": _midnight(oldest_day), "newest": _midnight(newest_day + timedelta(days=1))}
    cursor.execute(statements["partitions"], {"table": "detections"})
    existing = {str(row["name"]) for row in cursor.fetchall()}
    cursor.execute(statements["stray_days"], window)
    strays = [day for row in cursor.fetchall() if isinstance(day := row["day"], date)]
    if strays:
        # A reader that planned before and reads after the move would see these rows nowhere.
        cursor.execute(statements["keep_readers_out"])
    near = [today + timedelta(days=step) for step in range(-1, _AHEAD_DAYS + 1)]
    created = []
    for day in sorted({*near, *strays}):
        if partition_name(day) not in existing:
            _create_partition(cursor, day)
            created.append(partition_name(day))
    dropped = []
    for name in sorted(existing):
        if name < partition_name(oldest_day) and name[len("detections_") :].isdigit():
            cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            dropped.append(name)
    cursor.execute(statements["drop_old_strays"], {"oldest": window["oldest"]})
    return tuple(created), tuple(dropped)


def _create_partition(cursor: psycopg.Cursor[dict[str, object]], day: date) -> None:
    # Made beside the table and attached, which (unlike PARTITION OF) lets readers go on. Rows of
    # that day move out of the default partition first, or attaching would be refused.
    start, end = _midnight(day), _midnight(day + timedelta(days=1))
    names = {"piece": sql.Identifier(partition_name(day))}
    cursor.execute(sql.SQL("CREATE TABLE {piece} (LIKE detections INCLUDING ALL)").format(**names))
    cursor.execute(
        sql.SQL(
            "WITH moved AS (DELETE FROM detections_default WHERE time >= {start} AND time < {end} "
            "RETURNING *) INSERT INTO {piece} SELECT * FROM moved"
        ).format(**names, start=sql.Literal(start), end=sql.Literal(end))
    )
    cursor.execute(
        sql.SQL(
            "ALTER TABLE detections ATTACH PARTITION {piece} FOR VALUES FROM ({start}) TO ({end})"
        ).format(**names, start=sql.Literal(start), end=sql.Literal(end))
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
