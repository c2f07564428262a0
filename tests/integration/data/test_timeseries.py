"""Daily partitions: made ahead, filled from the default one, dropped when old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from db.batches import build_batch
from db.detection_store import DetectionStore
from db.timeseries import maintain, partition_name
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
    assert report.created == tuple(partition_name(day) for day in days)
    again = maintain(connection, NOW)
    assert (again.created, again.dropped) == ((), ())
    tomorrow = maintain(connection, NOW + timedelta(days=1))
    assert tomorrow.created == (partition_name(days[-1] + timedelta(days=1)),)


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
