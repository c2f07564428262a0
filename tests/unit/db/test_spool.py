"""The spool on disk: order, bounds, damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from db.batches import WriteBatch, build_batch, encode_batch
from db.spool import Spool
from engine.domain.errors import EnvironmentFault
from engine.domain.ids import new_stream_id, new_track_id
from engine.domain.ports import TrackSummary
from tests.helpers.frame_results import START, frame_result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "spool.sqlite"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    spool = Spool(path)
    spool.open()
    yield spool
    spool.close()


def batch(rows: int = 3) -> WriteBatch:
    return build_batch([frame_result(new_stream_id(), 0, rows)])


def without_tracks(rows: int = 3) -> WriteBatch:
    return replace(batch(rows), tracks=())


def test_first_in_first_out(spool: Spool) -> None:
    given = [batch(n) for n in (1, 2, 3)]
    for one in given:
        spool.put(one)
    assert (spool.batches, spool.rows) == (3, 6)
    taken = []
    while (oldest := spool.oldest()) is not None:
        taken.append(oldest.id)
        spool.remove(oldest.id)
    assert taken == [one.id for one in given]
    assert (spool.batches, spool.rows, spool.size_bytes) == (0, 0, 0)


def test_the_same_batch_is_kept_once(spool: Spool) -> None:
    given = batch()
    spool.put(given)
    spool.put(given)
    assert (spool.batches, spool.rows) == (1, 3)
    spool.remove(given.id)
    spool.remove(given.id)
    assert (spool.batches, spool.rows) == (0, 0)


def test_what_was_put_is_there_after_reopening(spool: Spool, path: Path) -> None:
    given = batch()
    spool.put(given)
    spool.close()
    again = Spool(path)
    again.open()
    assert (again.batches, again.rows, again.size_bytes) == (1, 3, len(encode_batch(given)))
    found = again.oldest()
    assert found is not None and found.id == given.id
    again.close()


def test_a_full_spool_gives_up_the_oldest_detections(path: Path) -> None:
    given = [without_tracks() for _ in range(6)]
    spool = Spool(path, limit_bytes=4 * len(encode_batch(given[0])) + 10)
    spool.open()
    dropped = [spool.put(one).rows_dropped for one in given]
    assert dropped == [0, 0, 0, 0, 3, 3]
    assert (spool.batches, spool.rows) == (4, 12)
    oldest = spool.oldest()
    assert oldest is not None and oldest.id == given[2].id
    assert spool.size_bytes == 4 * len(encode_batch(given[0]))
    spool.close()


def test_a_full_spool_keeps_the_tracks(path: Path) -> None:
    stream = new_stream_id()
    ended = TrackSummary(new_track_id(), stream, 1, 0, START, START + timedelta(1), 5, 0.5)
    first = build_batch([frame_result(stream, 0, 40)], [ended])
    size = len(encode_batch(first))
    spool = Spool(path, limit_bytes=size + 500)
    spool.open()
    spool.put(first)
    report = spool.put(without_tracks(3))
    assert report.rows_dropped == 40
    oldest = spool.oldest()
    assert oldest is not None
    assert (oldest.id, oldest.row_count, oldest.tracks) == (first.id, 0, first.tracks)
    assert spool.rows == 3
    spool.close()


def test_a_refused_batch_lets_the_next_one_pass(spool: Spool) -> None:
    bad, good = batch(), batch()
    spool.put(bad)
    spool.put(good)
    spool.refuse(bad.id, "no such column")
    assert spool.refused() == 1
    oldest = spool.oldest()
    assert oldest is not None and oldest.id == good.id
    assert spool.rows == 3


def test_an_unreadable_batch_is_put_aside(spool: Spool, path: Path) -> None:
    bad, good = batch(), batch()
    spool.put(bad)
    spool.put(good)
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE batches SET payload = x'00' WHERE id = ?", (str(bad.id),))
    database.close()
    oldest = spool.oldest()
    assert oldest is not None and oldest.id == good.id
    assert spool.refused() == 1


def test_a_damaged_file_is_put_aside_and_a_new_one_begun(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database at all" * 100)
    spool = Spool(path)
    spool.open()
    spool.put(batch())
    assert spool.rows == 3
    spool.close()
    assert path.with_suffix(".damaged").read_bytes().startswith(b"this is no database")


def test_a_disk_that_refuses_is_an_environment_fault(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(EnvironmentFault, match="spool"):
        Spool(blocked / "spool.sqlite").open()
