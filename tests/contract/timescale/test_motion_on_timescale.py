"""Motion, budgets, timelines, alerts and activity on TimescaleDB as on native partitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from db.day_sums import DaySums
from db.migrate import migrate
from db.motion_store import MotionStore
from db.pool import open_pool, transaction
from db.repositories.alerts import PostgresAlertRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.identity import PostgresIdentityRepository
from db.repositories.motion import PostgresMotionRepository
from db.repositories.timeline import PostgresTimelineRepository
from db.timeseries import maintain
from engine.domain.behaviour import Alert, AlertId, RuleKind
from engine.domain.identity import Merge
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Bout, BoutId, BoutKind, TrackMotion
from engine.domain.notices import Severity

pytestmark = pytest.mark.timeout(300)  # fetching and starting the build takes a while

DAY = timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def test_motion_is_stored_and_read_alike(postgres_dsn: str, timescale_dsn: str) -> None:
    migrate(timescale_dsn)
    assert story(timescale_dsn) == story(postgres_dsn)


def story(dsn: str) -> list[object]:
    """What is read after every step; one connection at a time."""
    stream, bella, guest = StreamId(UUID(int=1)), HorseId(UUID(int=2)), HorseId(UUID(int=3))
    pool = open_pool(dsn, max_size=1)
    motion, alerts = PostgresMotionRepository(pool), PostgresAlertRepository(pool)
    timeline, identity = PostgresTimelineRepository(pool), PostgresIdentityRepository(pool)
    seen: list[object] = []

    def run(statement: str, *values: object) -> list[tuple[object, ...]]:
        with pool.connection() as connection:
            cursor = connection.execute(statement.encode(), values, prepare=False)
            return [] if cursor.description is None else cursor.fetchall()

    run(
        "INSERT INTO streams (id, farm_id, name, kind, address) VALUES (%s, %s, 'n', 'file', 'x')",
        stream, DEFAULT_FARM,
    )  # fmt: skip
    for number, horse in enumerate((bella, guest), 1):
        run(
            "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex) "
            "VALUES (%s, %s, %s, %s, '#E5484D')",
            horse, DEFAULT_FARM, number, f"horse_{number:03d}",
        )  # fmt: skip
    for place in range(6):
        start = MIDNIGHT - (place + 2) * DAY + timedelta(hours=3 * place, minutes=30)
        track = TrackId(UUID(int=100 + place))
        run(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at) "
            "SELECT %s, key, %s, 0, %s, %s FROM streams",
            track, place, start, start + timedelta(hours=1),
        )  # fmt: skip
        run(
            "INSERT INTO identity_spans (track_id, horse_id) VALUES (%s, %s)",
            track, bella if place % 2 else guest,
        )  # fmt: skip
        run(
            "INSERT INTO pose_metrics (time, track_id, gait, lead, action, posture, speed_mps) "
            "SELECT %s::timestamptz + n * interval '1 min', %s, 1, 0, 1, 1, n * 20 "
            "FROM generate_series(0, 59) n",
            start, track,
        )  # fmt: skip
        told = Bout(
            BoutId(UUID(int=200 + place)), track, stream, BoutKind.GAIT, "walk", start,
            start + timedelta(hours=1), 0.8,
        )  # fmt: skip
        with transaction(pool, "testing") as connection:
            MotionStore(connection).tell([told], [])
    part = MIDNIGHT - 2 * DAY + timedelta(minutes=40)
    first = TrackId(UUID(int=100))
    motion.replace([TrackMotion(first, stream, part, part + timedelta(minutes=5), (), ())])
    alert = Alert(
        AlertId(UUID(int=9)), DEFAULT_FARM, None, RuleKind.CAST, Severity.CRITICAL, "x", "k",
        part, part, track_id=first,
    )  # fmt: skip
    assert alerts.raise_(alert) and not alerts.raise_(alert, cooldown_s=9.0)

    def state() -> list[object]:
        horses = [bella, guest]
        runs = timeline.lanes(MIDNIGHT - 90 * DAY, MIDNIGHT, 500, horses, [stream])
        series = motion.metrics(bella, MIDNIGHT - 9 * DAY, MIDNIGHT, ["speed_mps"], 50)
        return [
            [(o.horse_id, o.bout.start_at, o.bout.end_at) for o in
             motion.bouts(MIDNIGHT - 9 * DAY, MIDNIGHT)],
            motion.budgets(horses, MIDNIGHT - 9 * DAY, MIDNIGHT, 86_400.0),
            motion.budgets(horses, MIDNIGHT - 40 * DAY, MIDNIGHT, 86_400.0),
            runs.lane.tolist(), runs.value.tolist(), runs.start_us.tolist(), runs.share.tolist(),
            series.at_us.tolist(), series.values["speed_mps"].tolist(), alerts.get(alert.id),
        ]  # fmt: skip

    seen.append(state())
    record = identity.apply(Merge(bella, guest), "Anna")
    seen.append(state())
    identity.undo(record.id, "Ben")
    assert state() == seen[0]
    sums = DaySums(lambda doing: transaction(pool, doing))
    assert sums.fill(datetime.now(UTC), 12, 60.0)
    assert state() == seen[0]
    pool.close()
    seen.append(activity(dsn))
    return seen


def activity(dsn: str) -> list[tuple[object, ...]]:
    """Hourly activity once its worker has run."""
    with psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC") as connection:
        maintain(connection, datetime.now(UTC))
        job = None
        if connection.execute(
            "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'", prepare=False
        ).fetchone():
            job = connection.execute(
                "SELECT view_name FROM timescaledb_information.continuous_aggregates "
                "WHERE view_name = 'hourly_activity'", prepare=False,
            ).fetchone()  # fmt: skip
            assert job is not None, "a continuous aggregate serves"
            connection.execute(
                "CALL refresh_continuous_aggregate('hourly_activity', NULL, "
                "now() - interval '1 hour')", prepare=False,
            )  # fmt: skip
        return connection.execute(
            "SELECT hour, track_id, samples, moving, speed_samples, speed_sum "
            "FROM hourly_activity ORDER BY 1, 2", prepare=False,
        ).fetchall()  # fmt: skip
