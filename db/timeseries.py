"""Keeps detections and pose metrics in daily pieces: TimescaleDB does it by policy, we do it
without.

Native: a partition a day from yesterday to the day after tomorrow, pieces older than the retention
dropped, and rows that waited in the default partition (a camera's wrong clock, a program that
slept over midnight) moved to their day. Hourly activity, a continuous aggregate there, is a table
that is filled here.
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
TABLES = ("detections", "pose_metrics")
ACTIVITY_DELAY = timedelta(hours=1)
"""The newest hour of activity is not summed up yet."""
ACTIVITY_BACK = timedelta(hours=3)
"""Hours are summed up anew for so long: rows come late."""
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


def partition_name(day: date, table: str = "detections") -> str:
    """A table's daily partition of a UTC day."""
    return f"{table}_{day:%Y%m%d}"


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
                for table in TABLES:
                    made, gone = _maintain_native(cursor, table, now, keep_days)
                    created, dropped = created + made, dropped + gone
            _sum_activity(cursor, now)
            closed = cursor.execute(
                statements["close_forgotten_tracks"], {"before": now - _FORGOTTEN_AFTER}
            ).rowcount
            cursor.execute(statements["drop_old_batches"], {"before": now - _BATCH_ID_LIFE})
    return MaintenanceReport(True, created, dropped, closed)


def _maintain_native(
    cursor: psycopg.Cursor[dict[str, object]], table: str, now: datetime, keep_days: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    today = now.astimezone(UTC).date()
    oldest_day = today - timedelta(days=keep_days)
    newest_day = today + timedelta(days=_AHEAD_DAYS)
    window = {"oldest": _midnight(oldest_day), "newest": _midnight(newest_day + timedelta(days=1))}
    cursor.execute(queries("timeseries")["partitions"], {"table": table})
    existing = {str(row["name"]) for row in cursor.fetchall()}
    cursor.execute(_of("stray_days", table), window)
    strays = [day for row in cursor.fetchall() if isinstance(day := row["day"], date)]
    if strays:
        # A reader that planned before and reads after the move would see these rows nowhere.
        cursor.execute(_of("keep_readers_out", table))
    near = [today + timedelta(days=step) for step in range(-1, _AHEAD_DAYS + 1)]
    created = []
    for day in sorted({*near, *strays}):
        if partition_name(day, table) not in existing:
            _create_partition(cursor, table, day)
            created.append(partition_name(day, table))
    dropped = []
    for name in sorted(existing):
        oldest = partition_name(oldest_day, table)
        if name < oldest and name[len(table) + 1 :].isdigit():
            cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            dropped.append(name)
    cursor.execute(_of("drop_old_strays", table), {"oldest": window["oldest"]})
    return tuple(created), tuple(dropped)


def _of(statement: str, table: str) -> sql.Composed:
    """A statement about one of the tables."""
    return sql.SQL(queries("timeseries")[statement].decode()).format(
        table=sql.Identifier(table), default=sql.Identifier(f"{table}_default")
    )


def _create_partition(cursor: psycopg.Cursor[dict[str, object]], table: str, day: date) -> None:
    # Made beside the table and attached, which (unlike PARTITION OF) lets readers go on. Rows of
    # that day move out of the default partition first, or attaching would be refused.
    start, end = _midnight(day), _midnight(day + timedelta(days=1))
    names = {
        "piece": sql.Identifier(partition_name(day, table)),
        "whole": sql.Identifier(table),
        "default": sql.Identifier(f"{table}_default"),
    }
    cursor.execute(sql.SQL("CREATE TABLE {piece} (LIKE {whole} INCLUDING ALL)").format(**names))
    cursor.execute(
        sql.SQL(
            "WITH moved AS (DELETE FROM {default} WHERE time >= {start} AND time < {end} "
            "RETURNING *) INSERT INTO {piece} SELECT * FROM moved"
        ).format(**names, start=sql.Literal(start), end=sql.Literal(end))
    )
    cursor.execute(
        sql.SQL(
            "ALTER TABLE {whole} ATTACH PARTITION {piece} FOR VALUES FROM ({start}) TO ({end})"
        ).format(**names, start=sql.Literal(start), end=sql.Literal(end))
    )


def _sum_activity(cursor: psycopg.Cursor[dict[str, object]], now: datetime) -> None:
    """Fill ``hourly_activity`` where it is a table, from where it ends."""
    statements = queries("timeseries")
    kind = cursor.execute(statements["activity_is_a_table"]).fetchone()
    if not (kind and kind["plain"]):
        return
    fields = {"until": now - ACTIVITY_DELAY, "anew": now - ACTIVITY_BACK}
    cursor.execute(statements["forget_activity"], fields)
    cursor.execute(statements["sum_activity"], fields)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
