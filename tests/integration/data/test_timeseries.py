"""Daily partitions: made ahead, filled from the default one, dropped when old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from db.batches import build_batch
from db.detection_store import DetectionStore
from db.timeseries import TABLES, maintain, partition_name
from engine.domain.ids import StreamId, new_track_id
from tests.helpers.frame_results import frame_result
from tests.integration.data.conftest import add_stream

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


def write(dsn: str, stream: StreamId, at: datetime, rows: int = 2) -> None:
    store = DetectionStore(dsn)
    store.write(build_batch([frame_result(stream, 0, rows, start=at)]))
    store.close()


def places(connection: psycopg.Connection) -> dict[str, int]:
    """Rows by partition."""
    return dict(
        connection.execute(
            "SELECT tableoid::regclass::text, count(*) FROM detections GROUP BY 1"
        ).fetchall()
    )


def test_days_around_today_have_a_partition(connection: psycopg.Connection) -> None:
    report = maintain(connection, NOW)
    days = [NOW.date() + timedelta(days=step) for step in (-1, 0, 1, 2)]
    assert report.done
    assert report.created == tuple(partition_name(day, t) for t in TABLES for day in days)
    again = maintain(connection, NOW)
    assert (again.created, again.dropped) == ((), ())
    tomorrow = maintain(connection, NOW + timedelta(days=1))
    following = days[-1] + timedelta(days=1)
    assert tomorrow.created == tuple(partition_name(following, table) for table in TABLES)


def test_rows_go_to_their_day_and_midnight_to_the_new_one(
    connection: psycopg.Connection, postgres_dsn: str
) -> None:
    maintain(connection, NOW)
    stream = add_stream(postgres_dsn)
    midnight = NOW.replace(hour=0, minute=0)
    write(postgres_dsn, stream, midnight - timedelta(microseconds=1), 3)
    write(postgres_dsn, stream, midnight, 4)
    assert places(connection) == {"detections_20260309": 3, "detections_20260310": 4}


def test_strays_move_to_their_day_with_every_index(
    connection: psycopg.Connection, postgres_dsn: str
) -> None:
    stream = add_stream(postgres_dsn)
    write(postgres_dsn, stream, NOW - timedelta(days=20))
    write(postgres_dsn, stream, NOW, 3)
    write(postgres_dsn, stream, NOW + timedelta(days=400), 5)
    assert places(connection) == {"detections_default": 10}
    maintain(connection, NOW)
    assert places(connection) == {
        "detections_20260218": 2,
        "detections_20260310": 3,
        "detections_default": 5,
    }
    indexes = connection.execute(
        "SELECT count(*) FROM pg_indexes WHERE tablename = 'detections_20260218'"
    ).fetchone()
    assert indexes == (2,)


def test_old_days_and_old_strays_are_dropped(
    connection: psycopg.Connection, postgres_dsn: str
) -> None:
    stream = add_stream(postgres_dsn)
    old = NOW - timedelta(days=91)
    maintain(connection, old)
    write(postgres_dsn, stream, old)
    write(postgres_dsn, stream, NOW - timedelta(days=200))
    write(postgres_dsn, stream, NOW - timedelta(days=90), 3)
    report = maintain(connection, NOW)
    assert partition_name(old.date()) in report.dropped
    assert places(connection) == {partition_name((NOW - timedelta(days=90)).date()): 3}
    left = connection.execute("SELECT to_regclass('detections_default') IS NOT NULL").fetchone()
    assert left == (True,)


def test_one_program_at_a_time(connection: psycopg.Connection, postgres_dsn: str) -> None:
    with psycopg.connect(postgres_dsn) as other:
        other.execute("SELECT pg_try_advisory_xact_lock(7091318039310988591)")
        assert not maintain(connection, NOW).done
    assert maintain(connection, NOW).done


def test_tracks_of_a_program_that_died_are_closed_at_their_last_row(
    connection: psycopg.Connection, postgres_dsn: str
) -> None:
    stream, track = add_stream(postgres_dsn), new_track_id()
    store = DetectionStore(postgres_dsn)
    frames = [
        frame_result(stream, n, track_ids=(track,), start=NOW - timedelta(hours=3))
        for n in range(5)
    ]
    store.write(build_batch(frames))
    recent = frame_result(stream, 9, 1, start=NOW - timedelta(minutes=5))
    store.write(build_batch([recent]))
    store.close()
    assert maintain(connection, NOW).closed_tracks == 1
    row = connection.execute(
        "SELECT ended_at, detections FROM tracks WHERE id = %s", (track,)
    ).fetchone()
    assert row == (frames[-1].stamp.captured_at, 5)
    open_tracks = connection.execute("SELECT id FROM tracks WHERE ended_at IS NULL").fetchall()
    assert open_tracks == [(recent.tracks.track_ids[0],)]


def test_activity_is_summed_up_by_whole_hours_and_anew_when_rows_come_late(
    connection: psycopg.Connection,
) -> None:
    track = uuid4()

    def store(hours: float, *speeds: int | None) -> None:
        for place, speed in enumerate(speeds):
            connection.execute(
                "INSERT INTO pose_metrics (time, track_id, gait, lead, action, posture, speed_mps) "
                "VALUES (%s, %s, 1, 0, 1, 1, %s)",
                (NOW - timedelta(hours=hours) + timedelta(seconds=place), track, speed),
            )

    def hours() -> list[tuple[object, ...]]:
        return connection.execute(
            "SELECT hour, samples, moving, speed_samples, speed_sum FROM hourly_activity "
            "WHERE track_id = %s ORDER BY hour",
            (track,),
        ).fetchall()

    whole = NOW.replace(minute=0, second=0, microsecond=0)
    store(30, 100, 600)
    store(2, 700, None, 800)
    store(0, 100)
    maintain(connection, NOW)
    old = ((NOW - timedelta(hours=30)).replace(minute=0, second=0, microsecond=0), 2, 1, 2, 700)
    assert hours() == [old, (whole - timedelta(hours=2), 3, 2, 2, 1500)]
    store(2, 50)
    maintain(connection, NOW)
    assert hours() == [old, (whole - timedelta(hours=2), 4, 2, 3, 1550)]
    maintain(connection, NOW + timedelta(hours=3))
    assert [row[1:] for row in hours()] == [old[1:], (4, 2, 3, 1550), (1, 0, 1, 100)]


def test_pose_metrics_move_to_their_day_and_old_ones_go(connection: psycopg.Connection) -> None:
    for back in (0, 1, 200):
        connection.execute(
            "INSERT INTO pose_metrics (time, track_id, gait, lead, action, posture) "
            "VALUES (%s, %s, 1, 0, 1, 1)",
            (NOW - timedelta(days=back), uuid4()),
        )
    maintain(connection, NOW)
    found = connection.execute(
        "SELECT tableoid::regclass::text FROM pose_metrics ORDER BY time"
    ).fetchall()
    days = [NOW.date() - timedelta(days=1), NOW.date()]
    assert [name for (name,) in found] == [partition_name(day, "pose_metrics") for day in days]
