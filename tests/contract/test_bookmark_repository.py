"""BookmarkRepository: bookmarks, and which chunks locked ones keep."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from db.repositories.bookmarks import PostgresBookmarkRepository
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.recording import (
    Bookmark,
    BookmarkId,
    BookmarkRepository,
    Chunk,
    ChunkId,
    ChunkState,
)
from tests.fixtures_identity import IdentityBarn, at


@pytest.fixture
def bookmarks(barn: IdentityBarn) -> BookmarkRepository:
    return PostgresBookmarkRepository(barn.pool)


@pytest.fixture
def chunks(barn: IdentityBarn) -> PostgresChunkRepository:
    return PostgresChunkRepository(barn.pool)


def bookmark(start_s: float, end_s: float, title: str = "Colic?", **fields: object) -> Bookmark:
    made = Bookmark(BookmarkId(uuid4()), DEFAULT_FARM, title, at(start_s), at(end_s), "Anna", at(0))
    return replace(made, **fields)  # type: ignore[arg-type]


def chunk(stream_id: StreamId, start_s: float, state: ChunkState = ChunkState.COMPLETE) -> Chunk:
    chunk_id = ChunkId(uuid4())
    return Chunk(
        chunk_id, stream_id, at(start_s), at(start_s + 10), f"recordings/{chunk_id}.mp4", "h264",
        1280, 720, state,
    )  # fmt: skip


def locked(chunks: PostgresChunkRepository) -> set[float]:
    return {
        (one.start_at - at(0)).total_seconds()
        for one in chunks.list(states=tuple(ChunkState))
        if one.locked
    }


def test_a_bookmark_reads_back_as_it_was(barn: IdentityBarn, bookmarks: BookmarkRepository) -> None:
    camera, bella = barn.camera("north"), barn.horse("Bella")
    one = bookmark(5, 20, stream_ids=(camera,), horse_id=bella, note="Looks stiff.", locked=True)
    bookmarks.save(one)
    assert list(bookmarks.list()) == [one]
    changed = replace(one, title="Stiff", end_at=at(30), locked=False)
    bookmarks.save(replace(changed, created_by="Ben", created_at=at(99)))
    assert list(bookmarks.list()) == [changed]
    bookmarks.remove(one.id)
    assert not bookmarks.list()
    with pytest.raises(NotFound):
        bookmarks.remove(one.id)


def test_they_are_found_by_farm_and_time_newest_first(bookmarks: BookmarkRepository) -> None:
    early, late = bookmark(0, 10), bookmark(20, 30)
    for one in (early, late):
        bookmarks.save(one)
    assert [one.id for one in bookmarks.list()] == [late.id, early.id]
    assert [one.id for one in bookmarks.list(start=at(11))] == [late.id]
    assert [one.id for one in bookmarks.list(end=at(20))] == [early.id]
    assert [one.id for one in bookmarks.list(limit=1)] == [late.id]
    assert not bookmarks.list(farm_id=FarmId(uuid4()))


def test_what_makes_no_sense_is_refused(barn: IdentityBarn, bookmarks: BookmarkRepository) -> None:
    for wrong in (
        bookmark(5, 4),
        bookmark(0, 1, title="  "),
        bookmark(0, 1, title="x\0"),
        bookmark(0, 1, note="x" * 5000),
        bookmark(0, 1, start_at=at(0).replace(tzinfo=None)),
    ):
        with pytest.raises(OperatorMistake):
            bookmarks.save(wrong)
    for foreign in (
        bookmark(0, 1, stream_ids=(StreamId(uuid4()),)),
        bookmark(0, 1, horse_id=HorseId(uuid4())),
    ):
        with pytest.raises(NotFound):
            bookmarks.save(foreign)
    other = FarmId(uuid4())
    barn.run("INSERT INTO farms (id, name) VALUES (%s, 'Other')", other)
    mine = bookmark(0, 1)
    bookmarks.save(mine)
    with pytest.raises(Conflict):
        bookmarks.save(replace(mine, farm_id=other))


def test_a_locked_bookmark_keeps_its_chunks_and_those_that_are_recorded_later(
    barn: IdentityBarn, bookmarks: BookmarkRepository, chunks: PostgresChunkRepository
) -> None:
    camera, other = barn.camera("north"), barn.camera("south")
    for start_s in (0, 10, 20, 30):
        chunks.put(chunk(camera, start_s))
    chunks.put(chunk(other, 10.5))
    one = bookmark(12, 25, stream_ids=(camera,), locked=True)
    bookmarks.save(one)
    assert locked(chunks) == {10, 20}
    chunks.put(chunk(camera, 24))
    assert locked(chunks) == {10, 20, 24}
    growing = chunk(camera, 11, ChunkState.OPEN)
    chunks.put(replace(growing, end_at=growing.start_at))
    chunks.put(growing)
    assert locked(chunks) == {10, 11, 20, 24}
    bookmarks.save(replace(one, end_at=at(15)))
    assert locked(chunks) == {10, 11}
    bookmarks.save(replace(one, locked=False))
    assert locked(chunks) == set()


def test_a_chunk_stays_locked_while_another_bookmark_or_a_person_wants_it(
    barn: IdentityBarn, bookmarks: BookmarkRepository, chunks: PostgresChunkRepository
) -> None:
    camera = barn.camera("north")
    for start_s in (0, 10, 20):
        chunks.put(chunk(camera, start_s))
    chunks.lock((camera,), at(20), at(21), True)
    first, second = bookmark(0, 25, locked=True), bookmark(12, 14, locked=True)
    bookmarks.save(first)
    bookmarks.save(second)
    assert locked(chunks) == {0, 10, 20}
    bookmarks.remove(first.id)
    assert locked(chunks) == {10, 20}
    bookmarks.remove(second.id)
    assert locked(chunks) == {20}


def test_removed_chunks_are_not_locked(
    barn: IdentityBarn, bookmarks: BookmarkRepository, chunks: PostgresChunkRepository
) -> None:
    camera = barn.camera("north")
    chunks.put(chunk(camera, 0, ChunkState.REMOVED))
    bookmarks.save(bookmark(0, 10, locked=True))
    assert locked(chunks) == set()
