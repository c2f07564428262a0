"""The same migrations and queries on TimescaleDB as on native partitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from db.batches import build_batch
from db.copy_format import COLUMNS
from db.credentials import CredentialBox
from db.detection_store import DetectionStore
from db.migrate import migrate, packaged_migrations
from db.pool import open_pool
from db.repositories.detections import PostgresDetectionRepository
from db.repositories.streams import PostgresStreamRepository
from db.timeseries import maintain
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.ports import DetectionRecord
from engine.domain.skeletons import AP10K, EQUINE26
from engine.domain.streams import SourceKind, Stream
from tests.helpers.frame_results import START, frame_result

pytestmark = pytest.mark.timeout(300)  # fetching and starting the build takes a while


@contextmanager
def detections_at(dsn: str) -> Iterator[PostgresDetectionRepository]:
    pool = open_pool(dsn, max_size=1)
    try:
        yield PostgresDetectionRepository(pool)
    finally:
        pool.close()


def store_streams(dsn: str, streams: Sequence[Stream]) -> None:
    pool = open_pool(dsn, max_size=1)
    try:
        repository = PostgresStreamRepository(pool, CredentialBox.new_key())
        for stream in streams:
            repository.add(stream)
        assert list(repository.list()) == list(streams)
    finally:
        pool.close()


def copy_rows(source: str, target: str) -> int:
    """The build knows no COPY: rows go over by INSERT."""
    tables = {
        "models (key, name)": "SELECT key, name FROM models",
        "skeletons (key, name, landmarks)": "SELECT key, name, landmarks FROM skeletons",
        f"detections ({', '.join(COLUMNS)})": f"SELECT {', '.join(COLUMNS)} FROM detections",
    }
    count = 0
    with psycopg.connect(source) as origin, psycopg.connect(target) as copy:
        for table, question in tables.items():
            for row in origin.execute(question.encode()).fetchall():
                places = ", ".join(["%s"] * len(row))
                statement = f"INSERT INTO {table} OVERRIDING SYSTEM VALUE VALUES ({places})"
                copy.execute(statement.encode(), row)
                count += 1
    return count


def answers(dsn: str, streams: Sequence[StreamId]) -> list[Sequence[DetectionRecord] | int]:
    """What the repository says to a range of questions."""
    middle = START + timedelta(days=1)
    with detections_at(dsn) as detections:
        page = detections.query(limit=4)
        return [
            detections.query(),
            page,
            detections.query(limit=4, cursor=page[-1].cursor),
            detections.query(stream_id=streams[1]),
            detections.query(start=middle),
            detections.query(end=middle, limit=3),
            detections.count(),
            detections.count(start=middle),
        ]


def test_timescale_answers_as_native_partitions_do(postgres_dsn: str, timescale_dsn: str) -> None:
    report = migrate(timescale_dsn)
    assert report.timescale and report.version == packaged_migrations()[-1].number
    assert migrate(timescale_dsn).applied == ()

    streams = [
        Stream(new_stream_id(), name, SourceKind.FILE, f"{name}.mp4") for name in ("north", "south")
    ]
    store = DetectionStore(postgres_dsn)
    store_streams(postgres_dsn, streams)
    store_streams(timescale_dsn, streams)
    for skeleton, stream in zip((EQUINE26, AP10K), streams, strict=True):
        frames = [frame_result(stream.id, n, 2, skeleton, fps=1 / 40_000) for n in range(4)]
        store.write(build_batch(frames))
    store.close()
    assert copy_rows(postgres_dsn, timescale_dsn) == 16 + 1 + 2

    ids = [stream.id for stream in streams]
    native = answers(postgres_dsn, ids)
    assert isinstance(native[0], Sequence) and len(native[0]) == 16
    assert answers(timescale_dsn, ids) == native

    with psycopg.connect(timescale_dsn, autocommit=True) as connection:
        hypertable = connection.execute(
            "SELECT time_interval FROM timescaledb_information.dimensions "
            "WHERE hypertable_name = 'detections'"
        ).fetchone()
        assert hypertable == (timedelta(days=1),)
        jobs = connection.execute(
            "SELECT proc_name, config FROM timescaledb_information.jobs "
            "WHERE hypertable_name = 'detections'"
        ).fetchall()
        by_name = dict(jobs)
        assert by_name["policy_compression"]["compress_after"] == "7 days"
        assert by_name["policy_retention"]["drop_after"] == "90 days"
        report_ = maintain(connection, datetime.now(UTC))
        assert report_.done and report_.created == ()
        connection.execute("SELECT compress_chunk(c) FROM show_chunks('detections') c")
        compressed = connection.execute(
            "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"
        ).fetchone()
        assert compressed is not None and compressed[0] >= 2
    assert answers(timescale_dsn, ids) == native
