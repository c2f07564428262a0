"""Identities on a real PostgreSQL: written with detections, numbered by the database, fed back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.batches import build_batch
from db.delivery import WriterState
from db.detection_store import DetectionStore
from db.identity_feed import VECTORS_A_HORSE, PostgresRegistryFeed, SnapshotReader
from db.pool import open_pool
from db.repositories.identity import PostgresIdentityRepository
from db.writer import DetectionWriter
from engine.domain.horses import HorseStatus
from engine.domain.identity import (
    CropTaken,
    FeaturesSeen,
    HorseFound,
    Merge,
    Reassign,
    RegistrySnapshot,
    Rename,
    Review,
    ReviewId,
    ReviewKind,
    ReviewRaised,
    Span,
    SpanDecided,
    SpanId,
    SpanWithdrawn,
)
from engine.domain.ids import HorseId, ModelId, StreamId, TrackId, new_track_id
from engine.domain.ports import RegistryFeed, TrackSummary
from engine.runtime.worker import Worker
from tests.helpers.frame_results import frame_result
from tests.helpers.herd import DIMENSION, MODEL, crops, look
from tests.integration.data.conftest import add_stream, eventually

NOW = datetime.now(UTC) - timedelta(minutes=5)
JPEG = b"\xff\xd8" + bytes(500) + b"\xff\xd9"


def query(dsn: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement, values).fetchall()


def found(stream: StreamId, horse: HorseId | None = None, colour: int = 2) -> HorseFound:
    return HorseFound(horse or HorseId(uuid4()), stream, colour, NOW)


def decided(
    stream: StreamId, track: TrackId, horse: HorseId, start: datetime | None = None
) -> SpanDecided:
    span = Span(SpanId(uuid4()), track, horse, start, None, 0.9, "engine")
    return SpanDecided(span, stream, 0.9)


def seen(track: TrackId, seed: int = 1, approved: bool = True) -> FeaturesSeen:
    vectors = crops(look(seed), 4, seed)
    return FeaturesSeen(
        track, MODEL, vectors, np.full(4, 0.8, np.float32), approved, NOW + timedelta(seconds=1)
    )


@pytest.fixture
def store(postgres_dsn: str) -> Iterator[DetectionStore]:
    store = DetectionStore(postgres_dsn)
    yield store
    store.close()


def owners(dsn: str, track: TrackId) -> list[tuple[Any, ...]]:
    return query(
        dsn,
        "SELECT horse_id, valid_from = '-infinity', valid_to = 'infinity', decided_by "
        "FROM identity_spans WHERE track_id = %s AND superseded_at IS NULL ORDER BY valid_from",
        track,
    )


def test_a_new_horse_gets_its_number_span_vectors_and_picture(
    store: DetectionStore, postgres_dsn: str
) -> None:
    stream, track = add_stream(postgres_dsn), new_track_id()
    horse = found(stream)
    before = [frame_result(stream, n, track_ids=(track,), start=NOW) for n in range(10)]
    store.write(build_batch(before))
    later = [
        frame_result(stream, n, track_ids=(track,), horse_ids=(horse.horse_id,), start=NOW)
        for n in range(10, 15)
    ]
    events = [
        horse,
        decided(stream, track, horse.horse_id),
        seen(track),
        CropTaken(track, horse.horse_id, JPEG, 900.0),
        ReviewRaised(
            Review(
                ReviewId(uuid4()), ReviewKind.MATCH, track, None, horse.horse_id, 0.7, NOW, stream
            )
        ),
    ]
    store.write(build_batch(later, events=events, known_tracks=store.known_tracks))
    ((label, number, colour, status, total, last, avatar, score),) = query(
        postgres_dsn,
        "SELECT label, tracking_number, colour_hex, status, total_detections, last_seen_at, "
        "avatar, avatar_score FROM horses WHERE id = %s",
        horse.horse_id,
    )
    assert (label, number, colour, status) == ("horse_001", 1, "#3E63DD", "guest")
    assert total == 15, "what was seen before the decision counts too"
    assert last == later[-1].stamp.captured_at
    assert (bytes(avatar), score) == (JPEG, 900.0)
    assert owners(postgres_dsn, track) == [(horse.horse_id, True, True, "engine")]
    assert query(postgres_dsn, "SELECT count(*), bool_and(approved) FROM horse_features") == [
        (4, True)
    ]
    ((indexed,),) = query(
        postgres_dsn, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%%USING hnsw%%'"
    )
    assert indexed == 1
    assert query(postgres_dsn, "SELECT kind, state FROM reviews") == [("match", "open")]


def test_counts_go_on_with_every_batch(store: DetectionStore, postgres_dsn: str) -> None:
    stream, track = add_stream(postgres_dsn), new_track_id()
    horse = found(stream)
    for number in range(4):
        results = [
            frame_result(
                stream, 5 * number + n, track_ids=(track,), horse_ids=(horse.horse_id,), start=NOW
            )
            for n in range(5)
        ]
        events = [horse, decided(stream, track, horse.horse_id)] if number == 0 else []
        batch = build_batch(results, events=events, known_tracks=store.known_tracks)
        store.write(batch)
        assert store.write(batch).repeated  # written twice is written once
    assert query(postgres_dsn, "SELECT total_detections, version FROM horses") == [(20, 1)]


def test_numbers_are_unique_when_several_workstations_find_horses_at_once(
    postgres_dsn: str,
) -> None:
    stream = add_stream(postgres_dsn)
    gate = threading.Barrier(4)

    def work(_: object) -> None:
        store = DetectionStore(postgres_dsn)
        store.connect()
        gate.wait(30)
        for _number in range(10):
            store.write(build_batch([], events=[found(stream)]))
        store.close()

    workers = [Worker(f"workstation {n}", work) for n in range(4)]
    for worker in workers:
        worker.start()
    assert all(worker.join(60) for worker in workers)
    assert not any(worker.failures for worker in workers)
    rows = query(postgres_dsn, "SELECT tracking_number, label FROM horses ORDER BY 1")
    assert rows == [(n, f"horse_{n:03d}") for n in range(1, 41)]


def test_a_later_decision_replaces_the_engines_own(
    store: DetectionStore, postgres_dsn: str
) -> None:
    stream, track = add_stream(postgres_dsn), new_track_id()
    one, two, three = found(stream), found(stream), found(stream)
    results = [frame_result(stream, n, track_ids=(track,), start=NOW) for n in range(10)]
    store.write(
        build_batch(results, events=[one, two, three, decided(stream, track, one.horse_id)])
    )
    store.write(build_batch([], events=[decided(stream, track, two.horse_id)]))
    assert [row[0] for row in owners(postgres_dsn, track)] == [two.horse_id]
    halfway = NOW + timedelta(seconds=0.45)
    store.write(build_batch([], events=[decided(stream, track, three.horse_id, halfway)]))
    assert owners(postgres_dsn, track) == [
        (two.horse_id, True, False, "engine"),
        (three.horse_id, False, True, "engine"),
    ]
    totals = query(postgres_dsn, "SELECT total_detections FROM horses ORDER BY tracking_number")
    assert totals == [(0,), (5,), (5,)]
    later = SpanWithdrawn(track, stream, NOW, NOW + timedelta(seconds=0.75))
    store.write(build_batch([], events=[later]))
    assert [(row[0], row[2]) for row in owners(postgres_dsn, track)] == [
        (two.horse_id, False),
        (three.horse_id, False),
    ]
    store.write(build_batch([], events=[SpanWithdrawn(track, stream, NOW)]))
    assert owners(postgres_dsn, track) == []


def test_what_a_person_decided_stays(store: DetectionStore, postgres_dsn: str) -> None:
    stream, track = add_stream(postgres_dsn), new_track_id()
    one, two = found(stream), found(stream)
    results = [frame_result(stream, n, track_ids=(track,), start=NOW) for n in range(3)]
    store.write(build_batch(results, events=[one, two, decided(stream, track, one.horse_id)]))
    pool = open_pool(postgres_dsn, 1)
    try:
        PostgresIdentityRepository(pool).apply(Reassign(track, two.horse_id), "ann")
        store.write(build_batch([], events=[decided(stream, track, one.horse_id)]))
        store.write(build_batch([], events=[SpanWithdrawn(track, stream, NOW)]))
    finally:
        pool.close()
    assert [(row[0], row[3]) for row in owners(postgres_dsn, track)] == [(two.horse_id, "ann")]


def test_what_refers_to_nothing_is_left_out_and_the_rest_is_written(
    store: DetectionStore, postgres_dsn: str
) -> None:
    stream, track = add_stream(postgres_dsn), new_track_id()
    horse = found(stream)
    events = [
        horse,
        decided(stream, new_track_id(), horse.horse_id),
        decided(stream, track, HorseId(uuid4())),
        seen(new_track_id()),
        CropTaken(new_track_id(), None, JPEG, 1.0),
    ]
    store.write(
        build_batch([frame_result(stream, 0, track_ids=(track,), start=NOW)], events=events)
    )
    assert query(postgres_dsn, "SELECT count(*) FROM horses") == [(1,)]
    assert query(postgres_dsn, "SELECT count(*) FROM identity_spans") == [(0,)]


def test_a_worse_crop_never_replaces_a_better_one(store: DetectionStore, postgres_dsn: str) -> None:
    stream, track = add_stream(postgres_dsn), new_track_id()
    horse = found(stream)
    result = frame_result(stream, 0, track_ids=(track,), start=NOW)
    best = CropTaken(track, horse.horse_id, JPEG, 500.0)
    store.write(build_batch([result], events=[horse, decided(stream, track, horse.horse_id), best]))
    store.write(build_batch([], events=[CropTaken(track, horse.horse_id, b"worse", 100.0)]))
    ((crop, avatar),) = query(postgres_dsn, "SELECT t.crop, h.avatar FROM tracks t, horses h")
    assert (bytes(crop), bytes(avatar)) == (JPEG, JPEG)


# --- the writer ----------------------------------------------------------------------------------


def test_identities_survive_a_server_that_is_away(
    own_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    own_server.start()
    stream, track = add_stream(own_server.dsn), new_track_id()
    own_server.stop()
    writer = DetectionWriter(own_server.dsn, tmp_path / "spool.sqlite")
    writer.start()
    horse = found(stream)
    for number in range(8):
        writer.on_result(frame_result(stream, number, track_ids=(track,), start=NOW))
    for event in (horse, decided(stream, track, horse.horse_id), seen(track)):
        writer.on_identity(event)
    writer.on_identity(CropTaken(track, horse.horse_id, JPEG, 5.0))
    for number in range(8, 12):
        writer.on_result(
            frame_result(stream, number, track_ids=(track,), horse_ids=(horse.horse_id,), start=NOW)
        )
    assert writer.flush(30.0)
    assert writer.state is WriterState.SPOOLING
    own_server.start()
    eventually(lambda: writer.state is WriterState.OK, "the spool was sent")
    assert writer.stop(30.0) == ()
    assert query(own_server.dsn, "SELECT label, total_detections FROM horses") == [
        ("horse_001", 12)
    ]
    assert [row[0] for row in owners(own_server.dsn, track)] == [horse.horse_id]
    assert query(own_server.dsn, "SELECT count(*) FROM horse_features") == [(4,)]
    assert query(own_server.dsn, "SELECT count(*) FROM detections") == [(12,)]


def test_an_identity_outlives_a_mailbox_that_overflows(postgres_dsn: str, tmp_path: Path) -> None:
    """The writer starts late: results are dropped, tracks and decisions are not."""
    stream, track = add_stream(postgres_dsn), new_track_id()
    horse = found(stream)
    writer = DetectionWriter(postgres_dsn, tmp_path / "spool.sqlite")
    writer.on_result(frame_result(stream, 0, track_ids=(track,), start=NOW))
    writer.on_identity(horse)
    writer.on_identity(decided(stream, track, horse.horse_id))
    other = (new_track_id(),)
    filler = frame_result(stream, 1, track_ids=other, start=NOW, skeleton=None)
    for _ in range(5000):
        writer.on_result(filler)
    writer.start()
    assert writer.flush(60.0)
    assert writer.stop(30.0) == ()
    assert [row[0] for row in owners(postgres_dsn, track)] == [horse.horse_id]


# --- the feed ------------------------------------------------------------------------------------


class Listener:
    """A feed with what it said."""

    def __init__(self, dsn: str, poll_s: float = 60.0) -> None:
        self.snapshots: list[RegistrySnapshot] = []
        self.feed = PostgresRegistryFeed(dsn, MODEL, poll_s=poll_s)
        port: RegistryFeed = self.feed
        port.listen(self.snapshots.append)

    @property
    def last(self) -> RegistrySnapshot:
        return self.snapshots[-1]


@pytest.fixture
def listener(postgres_dsn: str) -> Iterator[Listener]:
    listener = Listener(postgres_dsn)
    yield listener
    listener.feed.close()


def meet(
    store: DetectionStore, stream: StreamId, seed: int, at: datetime | None = None
) -> tuple[HorseId, TrackId]:
    """A horse with a finished track and vectors, met a minute ago unless said otherwise: the feed
    tells whose track it is for ten minutes only."""
    at = at or datetime.now(UTC) - timedelta(minutes=1)
    track, horse = new_track_id(), found(stream)
    results = [frame_result(stream, n, track_ids=(track,), start=at) for n in range(4)]
    ended = TrackSummary(track, stream, 1, 0, at, at + timedelta(seconds=2), 4, 0.9)
    features = replace(seen(track, seed), at=at + timedelta(seconds=1))
    events = [horse, decided(stream, track, horse.horse_id), features]
    store.write(build_batch(results, [ended], store.known_tracks, events))
    return horse.horse_id, track


def test_the_feed_tells_of_horses_with_their_vectors(
    store: DetectionStore, postgres_dsn: str, listener: Listener
) -> None:
    stream = add_stream(postgres_dsn)
    assert listener.feed.wait_loaded(30)
    assert listener.last.horses == () and listener.last.complete
    horse, track = meet(store, stream, 3)
    eventually(lambda: len(listener.last.horses) == 1, "the new horse was told")
    (known,) = listener.last.horses
    assert (known.horse.id, known.horse.label) == (horse, "horse_001")
    assert known.horse.status is HorseStatus.GUEST
    assert known.vectors.shape == (4, DIMENSION) and known.vectors.dtype == np.float32
    expected = crops(look(3), 4, 3)
    assert np.allclose(sorted(known.vectors.tolist()), sorted(expected.tolist()), atol=1e-6)
    assert set(known.streams) == {stream}
    assert listener.last.owners[track] == (horse, "engine")
    assert listener.last.next_numbers[stream] == 2


def test_the_feed_tells_what_people_correct(
    store: DetectionStore, postgres_dsn: str, listener: Listener
) -> None:
    stream = add_stream(postgres_dsn)
    one, track = meet(store, stream, 1)
    two, _ = meet(store, stream, 2, NOW - timedelta(hours=1))
    eventually(lambda: len(listener.last.horses) == 2 if listener.snapshots else False, "told")
    pool = open_pool(postgres_dsn, 1)
    try:
        repository = PostgresIdentityRepository(pool)
        repository.apply(Rename(one, {"name": "Bella"}), "ann")
        eventually(lambda: "Bella" in [k.horse.name for k in listener.last.horses], "the name")
        merge = repository.apply(Merge(kept=one, absorbed=two), "ann")
        eventually(lambda: dict(listener.last.merged) == {two: one}, "the merge")
        (known,) = listener.last.horses
        assert len(known.vectors) == 8, "the vectors went with the spans"
        repository.undo(merge.id, "ann")
        eventually(lambda: len(listener.last.horses) == 2, "the undo")
        repository.apply(Reassign(track, two), "ann")
        eventually(lambda: listener.last.owners.get(track) == (two, "ann"), "the owner")
    finally:
        pool.close()


def test_the_feed_comes_back_with_the_server(own_server: EmbeddedPostgres) -> None:
    own_server.start()
    stream = add_stream(own_server.dsn)
    listener = Listener(own_server.dsn)
    try:
        assert listener.feed.wait_loaded(30)
        own_server.stop()
        eventually(lambda: not listener.feed.connected, "the feed noticed")
        own_server.start()
        store = DetectionStore(own_server.dsn)
        horse, _ = meet(store, stream, 4)
        store.close()
        eventually(lambda: [k.horse.id for k in listener.last.horses] == [horse], "told again")
    finally:
        listener.feed.close()


def test_a_change_that_nobody_told_of_is_found_by_looking(
    store: DetectionStore, postgres_dsn: str
) -> None:
    stream = add_stream(postgres_dsn)
    horse, _ = meet(store, stream, 1)
    listener = Listener(postgres_dsn, poll_s=0.2)
    try:
        assert listener.feed.wait_loaded(30)
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO areas (farm_id, name, kind, stream_id, region, expected_horse_id) "
                "SELECT farm_id, 'Stall 1', 'stall', id, '[[0,0],[1,0],[1,1]]', %s FROM streams",
                (horse,),
            )
        eventually(lambda: len(listener.last.areas) == 1, "the area was found")
        (area,) = listener.last.areas
        assert (area.stream_id, area.expected) == (stream, horse)
        assert area.region is not None and area.region.shape == (3, 2)
        told = listener.feed.snapshots
        with suppress(AssertionError):
            eventually(lambda: listener.feed.snapshots > told, "nothing", deadline_s=1.0)
        assert listener.feed.snapshots == told, "nothing changed and nothing is told"
    finally:
        listener.feed.close()


def test_many_horses_come_in_two_steps_and_vectors_are_read_once(
    store: DetectionStore, postgres_dsn: str
) -> None:
    stream = add_stream(postgres_dsn)
    for seed in range(60):
        meet(store, stream, seed)
    reader = SnapshotReader(MODEL)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        first, whole = reader.read(connection)
        assert (first.complete, whole.complete) == (False, True)
        assert sum(len(k.vectors) > 0 for k in first.horses) == 50
        assert all(len(k.vectors) == 4 for k in whole.horses)
        (again,) = reader.read(connection)
        assert again.complete and len(again.horses) == 60
        (other,) = SnapshotReader(ModelId("another@1")).read(connection)
        assert not any(len(known.vectors) for known in other.horses)


def test_vectors_that_newer_ones_took_the_place_of_are_let_go(
    store: DetectionStore, postgres_dsn: str
) -> None:
    horse, track = meet(store, add_stream(postgres_dsn), 1)
    reader = SnapshotReader(MODEL)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        for lesson in range(2, 14):
            fresh = replace(seen(track, lesson), at=datetime.now(UTC))
            store.write(build_batch([], events=[fresh], known_tracks=store.known_tracks))
            (snapshot,) = reader.read(connection)
            assert len(snapshot.horses[0].vectors) == min(4 * lesson, VECTORS_A_HORSE)
            assert len(reader._vectors) == len(snapshot.horses[0].vectors)
    assert snapshot.horses[0].horse.id == horse


def test_numbering_goes_on_after_the_highest(store: DetectionStore, postgres_dsn: str) -> None:
    stream = add_stream(postgres_dsn)
    summary = TrackSummary(new_track_id(), stream, 41, 0, NOW, NOW + timedelta(seconds=3), 30, 0.8)
    store.write(build_batch([], [summary]))
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        (snapshot,) = SnapshotReader(MODEL).read(connection)
    assert snapshot.next_numbers == {stream: 42}
