"""Timelines, budgets, bouts, strides, metrics and alerts of a season, as consoles and clients ask.

An embedded server as it is in use holds 90 days of 16 cameras and 20 horses: a hundred thousand
tracks with a million bouts, strides, alerts, outages, and a day of pose metrics of two horses at
10 Hz. Each call of the ports is timed: median, 95th of a hundred, greatest; the first call over the
season, which makes the sums of hours, is told by itself, and so is the call after a merge.

Run: python -m benchmarks.timeline_queries [--days 90] [--rounds 15]
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.migrate import migrate
from db.pool import open_pool
from db.repositories.alerts import PostgresAlertRepository
from db.repositories.identity import PostgresIdentityRepository
from db.repositories.motion import PostgresMotionRepository
from db.repositories.timeline import PostgresTimelineRepository
from db.timeseries import maintain
from engine.domain.identity import Merge
from engine.domain.ids import HorseId, StreamId

CAMERAS, HORSES, TRACKS_A_DAY, BOUTS_A_TRACK = 16, 20, 56, 10
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)

STATEMENTS = """
INSERT INTO streams (id, farm_id, name, kind, address)
SELECT gen_random_uuid(), f.id, 'camera ' || n, 'file', 'x'
FROM farms f, generate_series(1, %(cameras)s) n;

INSERT INTO horses (farm_id, tracking_number, label, colour_hex)
SELECT f.id, n, 'horse_' || n, '#E5484D' FROM farms f, generate_series(1, %(horses)s) n;

-- The last horse is seen between the tracks of the first: they can be the same.
CREATE TEMP TABLE made AS
SELECT gen_random_uuid() AS id, h.id AS horse_id, s.key AS stream_key, n,
       %(now)s::timestamptz - d * interval '1 day' - n * interval '25 min'
           - (h.tracking_number - 1) %% (%(horses)s - 1) * interval '11 s'
           + CASE h.tracking_number WHEN %(horses)s THEN interval '16 min' ELSE '0' END AS at,
       CASE h.tracking_number WHEN %(horses)s THEN 0.5 ELSE 1 END AS part
FROM horses h, generate_series(0, %(days)s - 1) d, generate_series(1, %(tracks)s) n,
     streams s WHERE s.key = 1 + (h.tracking_number * 7 + n) %% %(cameras)s;

INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, detections, confidence)
SELECT id, stream_key, row_number() OVER (), 0, at, at + part * interval '15 min', 9000, 0.9
FROM made;

INSERT INTO identity_spans (track_id, horse_id, confidence) SELECT id, horse_id, 0.9 FROM made;

INSERT INTO bouts (id, track_id, start_at, end_at, confidence, provisional, open, kind, value)
SELECT gen_random_uuid(), m.id, m.at + k * part * interval '225 s',
       m.at + (k + 1) * part * interval '225 s',
       0.8, false, false, kind,
       CASE kind WHEN 'gait' THEN (ARRAY['standing', 'standing', 'walk', 'trot'])[1 + (n + k) %% 4]
                 ELSE (ARRAY['standing', 'grazing', 'resting', 'walking'])[1 + (n + k) %% 4] END
FROM made m, generate_series(0, 3) k, (VALUES ('gait'), ('action')) AS kinds (kind)
UNION ALL
SELECT gen_random_uuid(), m.id, m.at + k * part * interval '450 s',
       m.at + (k + 1) * part * interval '450 s',
       0.8, false, false, 'posture', (ARRAY['upright', 'sternal'])[1 + (n / 7 + k) %% 2]
FROM made m, generate_series(0, 1) k;

INSERT INTO strides (id, track_id, start_at, end_at, stride_hz, length_m, speed_mps, symmetry,
    hd_min_mm, hd_max_mm, pd_min_mm, pd_max_mm, quality, gait, lead, straight, provisional, duty,
    phases, dissociation)
SELECT gen_random_uuid(), id, at + k * interval '0.7 s', at + (k + 1) * interval '0.7 s', 1.4, 2.4,
       3.4, 0.9, 3, 2, 1, 0, 0.9, 3, 0, true, false, '{0.4,0.4,0.4,0.4}', '{0,0.5,0.5,0}', '{0,0}'
FROM made, generate_series(1, 20) k WHERE n %% 8 = 0;

INSERT INTO alerts (id, farm_id, kind, severity, message, key, started_at, raised_at, ended_at,
    horse_id, track_id, evidence, quiet)
SELECT gen_random_uuid(), f.id, 'rolling', 'warning', 'x', m.id::text, m.at, m.at,
       m.at + interval '60 s', m.horse_id, m.id, '{}', false
FROM made m, farms f WHERE n %% 50 = 3;

INSERT INTO stream_outages (stream_key, from_at, to_at, state)
SELECT key, %(now)s::timestamptz - n * interval '1 h',
       %(now)s::timestamptz - n * interval '1 h' + interval '40 s', 'offline'
FROM streams, generate_series(1, %(days)s * 24, 9) n;

INSERT INTO pose_metrics (time, track_id, gait, lead, action, posture, speed_mps, stride_hz,
    back_deg, head_height_m, symmetry, hip_left_deg, hip_right_deg, knee_left_deg, knee_right_deg)
SELECT m.at + k * interval '0.1 s', m.id, 2, 0, 2, 1, 1200, 900, 17000, -300, 9000, 9000, 9100,
       15000, 15100
FROM made m, generate_series(0, 8999) k
WHERE m.at > %(now)s::timestamptz - interval '1 day'
  AND m.horse_id IN (SELECT id FROM horses WHERE tracking_number <= 2)
ORDER BY 1;
"""


def fill(dsn: str, days: int) -> None:
    """A season of a barn."""
    fields = {
        "cameras": CAMERAS,
        "horses": HORSES,
        "tracks": TRACKS_A_DAY,
        "days": days,
        "now": NOW,
    }
    with psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC") as connection:
        maintain(connection, NOW)
        # Rows are what the writer would have stored; its triggers have nothing to do yet.
        connection.execute("SET session_replication_role TO replica")
        for statement in STATEMENTS.split(";\n\n"):
            psycopg.ClientCursor(connection).execute(statement, fields)
            print(statement.strip().splitlines()[0][:60], flush=True)
        connection.execute("SET session_replication_role TO origin")
        connection.execute("VACUUM ANALYZE")


def timed(name: str, rounds: int, work: Callable[[], object]) -> float:
    """Call some times and tell how long it took; the 95th of a hundred in ms."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = work()
        took.append((time.perf_counter() - start) * 1000.0)
    p50, p95 = np.percentile(took, (50, 95))
    size = f"{len(answer):7d} rows" if hasattr(answer, "__len__") else ""
    print(f"{name:52s} {p50:8.1f} {p95:8.1f} {max(took):8.1f} ms {size}")
    return float(p95)


def sizes(dsn: str) -> None:
    """Rows and bytes a row, indexes included."""
    with psycopg.connect(dsn) as connection:
        for table in ("tracks", "bouts", "strides", "timeline_days"):
            row = connection.execute(
                f"SELECT count(*), pg_table_size('{table}'), pg_indexes_size('{table}') "
                f"FROM {table}"
            ).fetchone()
            print(_size(table, row))
        row = connection.execute(
            "SELECT (SELECT count(*) FROM pose_metrics), sum(pg_table_size(inhrelid)), "
            "sum(pg_indexes_size(inhrelid)) FROM pg_inherits "
            "WHERE inhparent = 'pose_metrics'::regclass"
        ).fetchone()
        print(_size("pose_metrics", row))


def _size(table: str, row: tuple[int, int, int] | None) -> str:
    assert row is not None
    count, data, indexes = (int(value) for value in row)
    each = max(count, 1)
    return (
        f"{table:16s} {count:9d} rows {data / each:7.1f} B a row, with indexes "
        f"{(data + indexes) / each:7.1f} B"
    )


def ask(dsn: str, days: int, rounds: int) -> None:
    """Every call of the ports."""
    pool = open_pool(dsn, max_size=4)
    motion, alerts = PostgresMotionRepository(pool), PostgresAlertRepository(pool)
    timeline, identity = PostgresTimelineRepository(pool), PostgresIdentityRepository(pool)
    with pool.connection() as connection:
        rows = connection.execute("SELECT id FROM horses ORDER BY tracking_number")
        horses = [HorseId(row[0]) for row in rows]
        streams = [StreamId(row[0]) for row in connection.execute("SELECT id FROM streams")]
    busy, guest = horses[0], horses[-1]
    begin, one = NOW - days * DAY, [busy]
    print(f"{'call':52s} {'median':>8s} {'p95':>8s} {'most':>8s}")

    def season() -> object:
        return timeline.lanes(begin, NOW, 1000, horses, streams)

    timed("lanes, season, all: first, makes the sums", 1, season)
    timed("lanes, season, all 36", rounds, season)
    timed("lanes, season, one horse", rounds, lambda: timeline.lanes(begin, NOW, 1000, one))
    for length in (30, 7, 1):
        since = NOW - length * DAY
        timed(
            f"lanes, {length} days, all 36", rounds,
            lambda since=since: timeline.lanes(since, NOW, 1000, horses, streams),
        )  # fmt: skip
    timed("lanes, one horse-day", rounds, lambda: timeline.lanes(NOW - DAY, NOW, 1000, one))
    timed("budgets, season by day, 20 horses", rounds,
          lambda: motion.budgets(horses, begin, NOW, 86_400))  # fmt: skip
    timed("budgets, a day, 20 horses", rounds,
          lambda: motion.budgets(horses, NOW - DAY, NOW, 86_400))  # fmt: skip
    timed("budgets, 30 days by day, one horse", rounds,
          lambda: motion.budgets(one, NOW - 30 * DAY, NOW, 86_400))  # fmt: skip
    timed("bouts, one horse-day", rounds, lambda: motion.bouts(NOW - DAY, NOW, one))
    timed("bouts, all, an hour", rounds,
          lambda: motion.bouts(NOW - timedelta(hours=1), NOW))  # fmt: skip
    timed("strides, one horse, 30 days", rounds,
          lambda: motion.strides(NOW - 30 * DAY, NOW, busy))  # fmt: skip
    for hours in (0.02, 1, 24):
        since = NOW - timedelta(hours=hours)
        timed(
            f"metrics, one horse, {hours:g} h, speed", rounds,
            lambda since=since: motion.metrics(busy, since, NOW, ["speed_mps"]).at_us,
        )  # fmt: skip
    timed("metrics, one horse, 1 h, all 14", rounds,
          lambda: motion.metrics(busy, NOW - timedelta(hours=1), NOW).at_us)  # fmt: skip
    timed("alerts, newest 200", rounds, alerts.list)
    timed("alerts, of a horse", rounds, lambda: alerts.list(horse_id=busy))
    timed("merge of two horses of the season", 1,
          lambda: identity.apply(Merge(busy, guest), "bench").horse_ids)  # fmt: skip
    timed("lanes, season, all: after the merge", 1, season)
    timed("lanes, season, all: again", rounds, season)
    pool.close()


def main() -> None:
    """Fill, ask, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="barnhand-bench-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres")
    try:
        dsn = server.start()
        migrate(dsn)
        start = time.perf_counter()
        fill(dsn, options.days)
        print(f"filled in {time.perf_counter() - start:.0f} s on {os.cpu_count()} cores")
        ask(dsn, options.days, options.rounds)
        sizes(dsn)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
