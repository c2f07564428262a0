"""The detection writer: nothing lost, nothing doubled, whatever happens to the server."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.batches import build_batch
from db.delivery import SPOOL_FULL, STORE_AWAY, STORE_REFUSED, WriterState
from db.detection_store import DetectionStore
from db.writer import DetectionWriter
from engine.domain.errors import StoreUnavailable
from engine.domain.ids import StreamId, new_stream_id, new_track_id
from engine.domain.motion import BoutId
from engine.domain.notices import Notice, Severity
from engine.domain.ports import EngineSink, TrackSummary
from engine.domain.streams import StreamHealth, StreamState, StreamStatusChanged
from engine.runtime.worker import StopToken, Worker
from tests.helpers.frame_results import START, frame_result
from tests.helpers.motion_results import moving, one_stride, running_bout
from tests.integration.data.conftest import add_stream, eventually


class Desk:
    """A writer with what it said."""

    def __init__(self, dsn: str, folder: Path, limit_bytes: int = 2**30) -> None:
        self.notices: list[Notice] = []
        self.writer = DetectionWriter(
            dsn, folder / "spool.sqlite", self.notices.append, limit_bytes
        )
        self.writer.start()

    def said(self) -> list[tuple[str, bool]]:
        return [(notice.key, notice.active) for notice in self.notices]

    def stop(self) -> None:
        assert self.writer.stop(30.0) == ()


def stored(dsn: str) -> tuple[int, int]:
    """Rows, and distinct (time, track) pairs."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT (time, track_id)) FROM detections"
        ).fetchone()
    assert row is not None
    return row


@pytest.fixture
def desk(postgres_dsn: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(postgres_dsn, tmp_path)
    yield desk
    desk.stop()


def test_it_is_an_engine_sink_that_stores_rows_and_tracks(desk: Desk, postgres_dsn: str) -> None:
    sink: EngineSink = desk.writer
    stream, tracks = add_stream(postgres_dsn), (new_track_id(), new_track_id())
    now = datetime.now(UTC)
    for number in range(20):
        sink.on_result(frame_result(stream, number, track_ids=tracks, start=now))
    sink.on_track_closed(
        TrackSummary(tracks[0], stream, 1, 0, now, now + timedelta(seconds=2), 20, 0.5)
    )
    assert desk.writer.flush(30.0)
    assert stored(postgres_dsn) == (40, 40)
    assert (desk.writer.rows_written, desk.writer.rows_dropped) == (40, 0)
    eventually(lambda: desk.writer.state is WriterState.OK, "the writer is content")
    with psycopg.connect(postgres_dsn) as connection:
        rows = connection.execute(
            "SELECT id, number, started_at, ended_at IS NULL, detections FROM tracks "
            "ORDER BY number"
        ).fetchall()
        assert rows == [(tracks[0], 1, now, False, 20), (tracks[1], 2, now, True, 0)]
        names = connection.execute("SELECT name FROM models UNION SELECT name FROM skeletons")
        assert {name for (name,) in names} == {"test-detector@1", "equine26"}
        left = connection.execute("SELECT count(*) FROM spool_batches").fetchone()
        assert left is not None and left[0] <= 2


def test_rows_arrive_without_a_flush(desk: Desk, postgres_dsn: str) -> None:
    stream = add_stream(postgres_dsn)
    desk.writer.on_result(frame_result(stream, 0, 3))
    eventually(lambda: stored(postgres_dsn) == (3, 3), "the batch is sent by itself")


def test_unknown_streams_do_not_poison_the_others(desk: Desk, postgres_dsn: str) -> None:
    known, unknown = add_stream(postgres_dsn), new_stream_id()
    desk.writer.on_result(frame_result(unknown, 0, 4))
    desk.writer.on_result(frame_result(known, 0, 3))
    desk.writer.on_track_closed(TrackSummary(new_track_id(), unknown, 1, 0, START, START, 1, 1.0))
    assert desk.writer.flush(30.0)
    assert stored(postgres_dsn) == (3, 3)
    assert (desk.writer.rows_written, desk.writer.rows_dropped) == (3, 4)


def test_a_removed_stream_keeps_its_last_rows(desk: Desk, postgres_dsn: str) -> None:
    stream = add_stream(postgres_dsn)
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("UPDATE streams SET removed_at = now() WHERE id = %s", (stream,))
    desk.writer.on_result(frame_result(stream, 0, 3))
    assert desk.writer.flush(30.0)
    assert stored(postgres_dsn) == (3, 3)


def test_the_same_batch_twice_is_written_once(postgres_dsn: str) -> None:
    batch = build_batch([frame_result(add_stream(postgres_dsn), 0, 3)])
    for _ in range(2):
        store = DetectionStore(postgres_dsn)
        report = store.write(batch)
        store.close()
    assert report.repeated
    assert stored(postgres_dsn) == (3, 3)


def test_what_the_server_refuses_is_put_aside_and_said(desk: Desk, postgres_dsn: str) -> None:
    stream = add_stream(postgres_dsn)
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("ALTER TABLE detections ADD CHECK (x1 < 32000)")
    result = frame_result(stream, 0, 3)
    boxes = result.tracks.boxes_xyxy_px.copy()
    boxes[0] = (32500, 0, 32600, 10)
    bad_tracks = type(result.tracks)(
        boxes, *(getattr(result.tracks, name) for name in result.tracks.__slots__[1:])
    )
    desk.writer.on_result(type(result)(
        result.stamp, 1, 1, bad_tracks, None, None, None, result.degradation, 0.0
    ))  # fmt: skip
    assert desk.writer.flush(30.0)
    desk.writer.on_result(frame_result(stream, 1, 2))
    assert desk.writer.flush(30.0)
    eventually(lambda: stored(postgres_dsn) == (2, 2), "the next batch passes")
    assert (STORE_REFUSED, True) in desk.said()
    assert desk.writer.rows_dropped == 3


def test_the_server_is_killed_mid_batch_and_no_row_is_lost_or_doubled(
    own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    dsn = own_postgres.dsn
    streams = [add_stream(dsn, f"camera {n}") for n in range(4)]
    tracks = {s: tuple(new_track_id() for _ in range(5)) for s in streams}
    bouts = {stream: BoutId(uuid4()) for stream in streams}
    desk = Desk(dsn, tmp_path)
    sent = 0

    def feed(rounds: int) -> None:
        nonlocal sent
        for _ in range(rounds):
            for stream in streams:
                result = frame_result(stream, sent, track_ids=tracks[stream])
                desk.writer.on_result(moving(result))
                now, track = result.stamp.captured_at, tracks[stream][0]
                desk.writer.on_motion([running_bout(bouts[stream], track, stream, now)])
                desk.writer.on_motion([one_stride(track, stream, now)])
            sent += 1
            time.sleep(0)

    for _ in range(3):
        feed(150)
        desk.writer.flush(0.0)  # makes it send now, so that the blow meets a batch under way
        assert own_postgres.pid is not None
        before = desk.writer.rows_written
        eventually(
            lambda before=before: desk.writer.rows_written != before or own_postgres.pid is None,
            "rows are being written",
        )
        feed(100)
        desk.writer.flush(0.0)
        os.kill(own_postgres.pid, signal.SIGKILL)
        feed(100)
        eventually(lambda: not own_postgres.alive(), "the killed server is gone")
        eventually(lambda: desk.writer.state is WriterState.SPOOLING, "the writer spools")
        feed(50)
        assert desk.writer.flush(30.0)
        assert desk.writer.rows_spooled > 0
        assert own_postgres.start() == dsn
        eventually(lambda: desk.writer.state is WriterState.OK, "the spool is sent")

    assert desk.writer.flush(30.0)
    desk.stop()
    expected = sent * len(streams) * 5
    assert stored(dsn) == (expected, expected)
    assert (desk.writer.rows_written, desk.writer.rows_dropped) == (expected, 0)
    assert desk.writer.rows_spooled == 0
    assert desk.said() == [(STORE_AWAY, True), (STORE_AWAY, False)] * 3
    with psycopg.connect(dsn) as connection:
        told = connection.execute(
            "SELECT (SELECT count(*) FROM pose_metrics), "
            "(SELECT count(DISTINCT (time, track_id)) FROM pose_metrics), "
            "(SELECT count(*) FROM strides), (SELECT array_agg(end_at - start_at) FROM bouts)"
        ).fetchone()
    whole = timedelta(seconds=(sent - 1) / 10)
    assert told == (expected, expected, sent * len(streams), [whole] * len(streams))


def test_a_commit_whose_answer_was_lost_is_not_written_twice(
    own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """The worst moment: the server has committed and dies before it can say so."""
    dsn = own_postgres.dsn
    stream = add_stream(dsn)
    batch = build_batch([frame_result(stream, 0, 6)])
    store = DetectionStore(dsn)
    store.connect()
    # The server holds its answer to COMMIT back: the line is cut after the commit is done.
    with psycopg.connect(dsn, autocommit=True) as watcher:
        frozen = Worker("cut the line", lambda token: _cut_after_commit(token, watcher, store))
        frozen.start()
        with contextlib.suppress(StoreUnavailable):
            store.write(batch)
        frozen.ask_to_stop()
        assert frozen.join(10.0)
    store.close()
    again = DetectionStore(dsn)
    again.write(batch)
    again.close()
    assert stored(dsn) == (6, 6)


def _cut_after_commit(token: StopToken, watcher: psycopg.Connection, store: DetectionStore) -> None:
    while not token.stopping:
        row = watcher.execute("SELECT count(*) FROM spool_batches").fetchone()
        if row is not None and row[0]:
            store.hang_up()
            return


def test_what_is_spooled_at_the_end_is_sent_by_the_next_program(
    own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    dsn = own_postgres.dsn
    stream = add_stream(dsn)
    own_postgres.stop()
    desk = Desk(dsn, tmp_path)
    for number in range(10):
        desk.writer.on_result(frame_result(stream, number, 3))
    desk.stop()
    assert (desk.writer.rows_written, desk.writer.rows_dropped) == (0, 0)
    own_postgres.start()
    second = Desk(dsn, tmp_path)
    eventually(lambda: stored(dsn) == (30, 30), "the next writer sends the spool")
    second.stop()
    assert second.writer.rows_written == 30


def test_a_frozen_server_does_not_hold_the_writer(
    own_postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.delivery._FROZEN_AFTER_S", 0.5)
    dsn = own_postgres.dsn
    stream = add_stream(dsn)
    desk = Desk(dsn, tmp_path)
    desk.writer.on_result(frame_result(stream, 0, 3))
    eventually(lambda: desk.writer.rows_written == 3, "the writer is connected")
    assert own_postgres.pid is not None
    family = psutil.Process(own_postgres.pid)
    everyone = [family, *family.children(recursive=True)]
    for process in everyone:
        process.suspend()
    try:
        desk.writer.on_result(frame_result(stream, 1, 3))
        eventually(lambda: desk.writer.rows_spooled == 3, "the batch goes to the spool")
    finally:
        for process in everyone:
            process.resume()
    eventually(lambda: stored(dsn) == (6, 6), "the batch arrives once")
    eventually(lambda: desk.writer.state is WriterState.OK, "the writer is content again")
    desk.stop()
    assert stored(dsn) == (6, 6)


def test_a_full_spool_says_so_and_keeps_the_newest(tmp_path: Path) -> None:
    nowhere = "postgresql://barnhand@127.0.0.1:1/barnhand"
    desk = Desk(nowhere, tmp_path, limit_bytes=40_000)
    stream = new_stream_id()
    for number in range(40):
        desk.writer.on_result(frame_result(stream, number, 20))
        assert desk.writer.flush(30.0)
    assert desk.writer.rows_dropped > 0
    assert desk.writer.rows_dropped + desk.writer.rows_spooled == 800
    assert desk.writer.spool_bytes <= 40_000
    full = next(notice for notice in desk.notices if notice.key == SPOOL_FULL)
    assert full.severity is Severity.CRITICAL
    desk.stop()


def test_without_server_and_spool_losses_are_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    desk = Desk("postgresql://barnhand@127.0.0.1:1/barnhand", tmp_path / "file")
    desk.writer.on_result(frame_result(new_stream_id(), 0, 7))
    assert desk.writer.flush(30.0)
    eventually(lambda: desk.writer.rows_dropped == 7, "the loss is counted")
    assert desk.writer.state is WriterState.LOSING
    assert any(n.severity is Severity.CRITICAL for n in desk.notices)
    desk.stop()


def test_calls_after_the_stop_do_not_raise(postgres_dsn: str, tmp_path: Path) -> None:
    desk = Desk(postgres_dsn, tmp_path)
    desk.stop()
    desk.writer.on_result(frame_result(StreamId(new_stream_id()), 0, 2))
    assert desk.writer.flush(1.0)
    assert desk.writer.rows_dropped == 2
    assert desk.writer.state is WriterState.STOPPED


def test_motion_and_cameras_states_are_stored(desk: Desk, postgres_dsn: str) -> None:
    stream, track = add_stream(postgres_dsn), new_track_id()
    writer, now = desk.writer, datetime.now(UTC)
    writer.on_status(StreamStatusChanged(stream, StreamState.CONNECTING, "opening", now))
    active = now + timedelta(seconds=3)
    writer.on_status(StreamStatusChanged(stream, StreamState.ACTIVE, "", active))
    writer.on_result(moving(frame_result(stream, 0, track_ids=(track,), start=now)))
    one = BoutId(uuid4())
    for seconds in (1, 2, 3):
        bout = running_bout(one, track, stream, now + timedelta(seconds=seconds), seconds < 3)
        writer.on_motion([bout, one_stride(track, stream, bout.end_at)])
    writer.on_motion([])
    other = add_stream(postgres_dsn, "other")
    beats = [StreamHealth(stream, StreamState.ACTIVE), StreamHealth(other, StreamState.ACTIVE)]
    writer.on_health(beats)
    writer.on_health(beats)
    unknown = new_stream_id()
    writer.on_status(StreamStatusChanged(unknown, StreamState.ERROR, "no such row", now))
    assert writer.flush(30.0)
    with psycopg.connect(postgres_dsn) as connection:
        bouts = connection.execute("SELECT end_at, open, provisional, value FROM bouts").fetchall()
        assert bouts == [(now + timedelta(seconds=3), False, True, "walk")]
        strides = connection.execute("SELECT length_m, duty[4], pd_min_mm FROM strides").fetchall()
        assert len(strides) == 3 and all(value != value for value in strides[0])
        metric = connection.execute("SELECT speed_mps, stride_m, gait FROM pose_metrics").fetchall()
        assert metric == [(3250, None, 3)]
        outages = connection.execute("SELECT from_at, to_at, state FROM stream_outages").fetchall()
        assert outages == [(now, active, "connecting")]
        known = connection.execute("SELECT count(*) FROM stream_heartbeats").fetchone()
        assert known == (2,)
    assert desk.writer.state is not WriterState.LOSING
