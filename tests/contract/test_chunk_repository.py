"""The ChunkRepository contract, in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from db.pool import open_pool
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId, StreamId, new_stream_id
from engine.domain.recording import Chunk, ChunkId, ChunkRepository, ChunkState
from tests.helpers.chunk_store import MemoryChunks

START = datetime(2026, 5, 1, 6, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "postgres"])
def chunks(request: pytest.FixtureRequest) -> Iterator[ChunkRepository]:
    if request.param == "memory":
        yield MemoryChunks()
        return
    pool = open_pool(request.getfixturevalue("postgres_dsn"), max_size=2)
    yield PostgresChunkRepository(pool)
    pool.close()


def chunk(stream_id: StreamId, second: float, **changes: Any) -> Chunk:
    chunk_id = ChunkId(uuid4())
    given = Chunk(
        id=chunk_id,
        stream_id=stream_id,
        start_at=START + timedelta(seconds=second),
        end_at=START + timedelta(seconds=second + 10),
        path=f"recordings/{stream_id}/2026-05-01/{chunk_id}.mp4",
        codec="h264",
        width_px=1280,
        height_px=720,
        state=ChunkState.COMPLETE,
        size_bytes=1000,
        sha256="a" * 64,
        first_source_pts_s=12.25,
        overlay_path="x.overlay.json",
        horses=2,
        moving=True,
    )
    return replace(given, **changes)


def three(chunks: ChunkRepository, stream_id: StreamId) -> list[Chunk]:
    made = [chunk(stream_id, second) for second in (0.0, 10.0, 20.0)]
    for one in made:
        chunks.put(one)
    return made


def test_a_chunk_reads_back_as_it_was_put(chunks: ChunkRepository) -> None:
    given = chunk(new_stream_id(), 0.0)
    chunks.put(given)
    assert chunks.get(given.id) == given
    bare = replace(
        chunk(new_stream_id(), 0.0),
        first_source_pts_s=None,
        horses=None,
        overlay_path="",
        sha256="",
    )
    chunks.put(bare)
    assert chunks.get(bare.id) == bare
    with pytest.raises(NotFound):
        chunks.get(ChunkId(uuid4()))


def test_putting_again_replaces_but_keeps_the_lock(chunks: ChunkRepository) -> None:
    stream_id = new_stream_id()
    given = chunk(stream_id, 0.0, state=ChunkState.OPEN)
    chunks.put(given)
    assert chunks.lock([stream_id], given.start_at, given.end_at, locked=True) == 1
    chunks.put(replace(given, state=ChunkState.COMPLETE, size_bytes=5))
    stored = chunks.get(given.id)
    assert (stored.state, stored.size_bytes, stored.locked) == (ChunkState.COMPLETE, 5, True)


def test_lists_what_reaches_into_the_interval(chunks: ChunkRepository) -> None:
    stream_id = new_stream_id()
    one, two, three_ = three(chunks, stream_id)
    at = START + timedelta(seconds=10)
    assert list(chunks.list([stream_id], at, at + timedelta(seconds=10))) == [two]
    assert list(chunks.list([stream_id], at - timedelta(seconds=1))) == [one, two, three_]
    assert list(chunks.list([stream_id], end=START + timedelta(seconds=10))) == [one]
    assert list(chunks.list([stream_id], newest_first=True)) == [three_, two, one]
    assert not chunks.list([new_stream_id()])


def test_pages_go_on_after_a_chunk(chunks: ChunkRepository) -> None:
    stream_id = new_stream_id()
    one, two, last = three(chunks, stream_id)
    assert list(chunks.list([stream_id], limit=2)) == [one, two]
    assert list(chunks.list([stream_id], limit=2, after=two.id)) == [last]
    newest = chunks.list([stream_id], newest_first=True, limit=2, after=last.id)
    assert list(newest) == [two, one]


def test_removed_chunks_are_listed_only_when_asked_for(chunks: ChunkRepository) -> None:
    stream_id = new_stream_id()
    one, *_ = three(chunks, stream_id)
    assert chunks.retire(one.id)
    assert one.id not in {c.id for c in chunks.list([stream_id])}
    (removed,) = chunks.list([stream_id], states=[ChunkState.REMOVED])
    assert (removed.id, removed.size_bytes, removed.overlay_path) == (one.id, 0, "")
    assert not chunks.retire(one.id)
    assert chunks.prune(START) == 0
    assert chunks.prune(START + timedelta(hours=1)) >= 1
    assert not chunks.list([stream_id], states=[ChunkState.REMOVED])


def test_locked_and_open_chunks_are_not_taken(chunks: ChunkRepository) -> None:
    stream_id = new_stream_id()
    one, two, last = three(chunks, stream_id)
    open_one = chunk(stream_id, 30.0, state=ChunkState.OPEN)
    chunks.put(open_one)
    assert chunks.lock([stream_id], START, START + timedelta(seconds=10), locked=True) == 1
    assert chunks.lock([stream_id], START, START + timedelta(seconds=10), locked=True) == 0
    mine = [c for c in chunks.oldest_unlocked(1000) if c.stream_id == stream_id]
    assert mine == [two, last]
    assert not chunks.retire(one.id) and not chunks.retire(open_one.id)
    assert chunks.remove([one.id, two.id]) == 1
    chunks.lock([stream_id], START, START + timedelta(seconds=10), locked=False)
    assert one.id in {c.id for c in chunks.oldest_unlocked(1000)}


def test_what_the_chunk_lane_has_not_seen_comes_newest_first(chunks: ChunkRepository) -> None:
    stream_id = new_stream_id()
    one, two, last = three(chunks, stream_id)
    chunks.put(replace(two, final=True))
    chunks.put(replace(last, moving=False))
    earlier = chunk(stream_id, -20.0)
    chunks.put(earlier)
    assert [c for c in chunks.unfinal(1000) if c.stream_id == stream_id] == [one, earlier]


def test_usage_adds_up_what_is_on_disk(chunks: ChunkRepository) -> None:
    stream_id = new_stream_id()
    one, *_ = three(chunks, stream_id)
    chunks.lock([stream_id], START + timedelta(seconds=25), START + timedelta(seconds=26), True)
    chunks.retire(one.id)
    usage = chunks.usage(stream_id)
    assert (usage.chunks, usage.size_bytes, usage.locked_bytes) == (2, 2000, 1000)
    assert usage.oldest_at == START + timedelta(seconds=10)
    assert chunks.usage(new_stream_id()).oldest_at is None


def test_a_farm_sees_its_own(postgres_dsn: str) -> None:
    stream_id = new_stream_id()
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute(
            "INSERT INTO streams (id, farm_id, name, kind, address) "
            "VALUES (%s, %s, 'c', 'file', 'x')",
            (stream_id, DEFAULT_FARM),
        )
    pool = open_pool(postgres_dsn, max_size=2)
    chunks = PostgresChunkRepository(pool)
    one = chunk(stream_id, 0.0)
    chunks.put(one)
    assert one in chunks.list(farm_id=DEFAULT_FARM)
    assert not chunks.list(farm_id=FarmId(uuid4()))
    pool.close()


def test_two_workstations_keep_room_in_their_own_folders(postgres_dsn: str) -> None:
    pool = open_pool(postgres_dsn, max_size=2)
    mine, theirs = (PostgresChunkRepository(pool, uuid4()) for _ in range(2))
    one = chunk(new_stream_id(), 0.0)
    mine.put(one)
    assert one in mine.oldest_unlocked(1000) and one not in theirs.oldest_unlocked(1000)
    assert theirs.get(one.id) == one
    assert theirs.usage(one.stream_id).chunks == 0
    pool.close()
