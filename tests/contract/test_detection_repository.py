"""The DetectionRepository contract on PostgreSQL, with rows put there by the batch writer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from psycopg_pool import ConnectionPool

from db.batches import build_batch
from db.credentials import CredentialBox
from db.detection_store import DetectionStore
from db.pool import open_pool
from db.repositories.detections import PostgresDetectionRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.streams import PostgresStreamRepository
from db.timeseries import maintain, partition_name
from engine.domain.errors import OperatorMistake
from engine.domain.ids import HorseId, StreamId, new_stream_id, new_track_id
from engine.domain.results import FrameResult
from engine.domain.skeletons import AP10K, EQUINE26
from engine.domain.streams import SourceKind, Stream
from tests.helpers.frame_results import START, frame_result


class Barn:
    """Two cameras and the repository under test."""

    def __init__(self, dsn: str, pool: ConnectionPool) -> None:
        self.dsn = dsn
        self.detections = PostgresDetectionRepository(pool)
        self.store = DetectionStore(dsn)
        streams = PostgresStreamRepository(pool, CredentialBox.new_key())
        self.cameras: list[StreamId] = []
        for name in ("north", "south"):
            stream = Stream(new_stream_id(), name, SourceKind.FILE, f"{name}.mp4")
            self.cameras.append(streams.add(stream).id)

    def write(self, *results: FrameResult) -> None:
        self.store.write(build_batch(results))


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[Barn]:
    pool = open_pool(postgres_dsn, max_size=2)
    barn = Barn(postgres_dsn, pool)
    yield barn
    barn.store.close()
    pool.close()


def test_a_detection_reads_back_within_the_stated_precision(barn: Barn) -> None:
    given = frame_result(barn.cameras[0], horses=3)
    barn.write(given)
    found = {record.track_id: record for record in barn.detections.query()}
    assert len(found) == 3
    assert given.poses is not None
    for row, track_id in enumerate(given.tracks.track_ids):
        record = found[track_id]
        box = given.tracks.boxes_xyxy_px[row]
        assert record.at == given.stamp.captured_at
        assert record.stream_id == barn.cameras[0]
        assert np.abs(np.array(record.bbox_xyxy_px) - box).max() <= 0.5
        assert record.score == pytest.approx(float(given.tracks.scores[row]), abs=1e-4)
        assert (record.class_name, record.skeleton, record.horse_id) == ("horse", "equine26", None)
        assert set(record.keypoints) == set(EQUINE26.landmarks)
        step_px = (max(record.bbox_xyxy_px[2:]) + 1) / 4095
        for index, name in enumerate(EQUINE26.landmarks):
            x_px, y_px, score = record.keypoints[name]
            wanted = given.poses.keypoints_px[row, index]
            assert abs(x_px - wanted[0]) <= step_px + 0.01
            assert abs(y_px - wanted[1]) <= step_px + 0.01
            assert score == pytest.approx(float(given.poses.scores[row, index]), abs=0.003)


def test_skeletons_of_different_models_live_side_by_side(barn: Barn) -> None:
    barn.write(
        frame_result(barn.cameras[0], 0, 1, EQUINE26),
        frame_result(barn.cameras[0], 1, 1, AP10K),
        frame_result(barn.cameras[0], 2, 1, None),
    )
    newest_first = barn.detections.query()
    assert [record.skeleton for record in newest_first] == [None, "ap10k", "equine26"]
    assert [len(record.keypoints) for record in newest_first] == [0, 17, 26]


def test_pages_cover_everything_once_newest_first(barn: Barn) -> None:
    # Both cameras give pictures at the same instants, so pages break inside one instant.
    for camera in barn.cameras:
        barn.write(*(frame_result(camera, number, 4, None) for number in range(9)))
    seen, cursor = [], None
    while page := barn.detections.query(limit=7, cursor=cursor):
        seen += page
        cursor = page[-1].cursor
    assert len(seen) == len({(r.at, r.track_id) for r in seen}) == 2 * 9 * 4
    order = [(record.at, record.track_id.int) for record in seen]
    assert order == sorted(order, reverse=True)


def test_a_range_holds_its_start_and_not_its_end(barn: Barn) -> None:
    barn.write(*(frame_result(barn.cameras[0], number, 1) for number in range(10)))
    start, end = START + timedelta(seconds=0.2), START + timedelta(seconds=0.5)
    found = barn.detections.query(start=start, end=end)
    assert [record.at for record in found] == [
        START + timedelta(seconds=0.4),
        START + timedelta(seconds=0.3),
        START + timedelta(seconds=0.2),
    ]
    assert barn.detections.count(start, end) == 3
    assert barn.detections.count() == 10
    east = timezone(timedelta(hours=5, minutes=30))
    assert barn.detections.count(start.astimezone(east), end.astimezone(east)) == 3


def test_a_stream_s_detections_are_its_own(barn: Barn) -> None:
    for camera, horses in zip(barn.cameras, (2, 5), strict=True):
        barn.write(frame_result(camera, 0, horses))
    assert len(barn.detections.query(stream_id=barn.cameras[1])) == 5
    assert not barn.detections.query(stream_id=new_stream_id())


def test_a_horse_has_the_detections_of_its_current_spans(barn: Barn) -> None:
    horses = [HorseId(uuid4()), HorseId(uuid4())]
    track, other = new_track_id(), new_track_id()
    barn.write(
        *(frame_result(barn.cameras[0], n, track_ids=(track, other)) for n in range(10)),
    )
    middle = START + timedelta(seconds=0.45)
    with psycopg.connect(barn.dsn) as connection:
        for number, horse in enumerate(horses, 1):
            connection.execute(
                "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex) "
                "VALUES (%s, %s, %s, %s, '#00aa00')",
                (horse, DEFAULT_FARM, number, f"horse_00{number}"),
            )
        span = (
            "INSERT INTO identity_spans (track_id, horse_id, valid_from, valid_to, superseded_at) "
            "VALUES (%s, %s, %s, %s, %s)"
        )
        always = ("-infinity", "infinity")
        connection.execute(span, (track, horses[0], always[0], middle, None))
        connection.execute(span, (track, horses[1], middle, always[1], None))
        connection.execute(span, (other, horses[0], *always, datetime.now(UTC)))
    first = barn.detections.query(horse_id=horses[0])
    second = barn.detections.query(horse_id=horses[1])
    assert [record.at for record in first] == [
        START + timedelta(seconds=n / 10) for n in (4, 3, 2, 1, 0)
    ]
    assert len(second) == 5 and {r.horse_id for r in second} == {horses[1]}
    page = barn.detections.query(horse_id=horses[0], limit=2)
    rest = barn.detections.query(horse_id=horses[0], cursor=page[-1].cursor)
    assert [*page, *rest] == list(first)
    named = {r.track_id: r.horse_id for r in barn.detections.query(end=middle)}
    assert named == {track: horses[0], other: None}


def test_a_horse_with_many_tracks_is_paged_in_order(barn: Barn) -> None:
    """More spans than are looked at first, some long, some empty, some open."""
    horse = HorseId(uuid4())
    tracks = [new_track_id() for _ in range(60)]
    frames = [
        frame_result(barn.cameras[index % 2], index * 3 + step, track_ids=(track,))
        for index, track in enumerate(tracks)
        for step in range(5)
    ]
    barn.write(*frames)
    with psycopg.connect(barn.dsn) as connection:
        connection.execute(
            "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex) "
            "VALUES (%s, %s, 1, 'horse_001', '#00aa00')",
            (horse, DEFAULT_FARM),
        )
        for index, track in enumerate(tracks):
            connection.execute(
                "INSERT INTO identity_spans (track_id, horse_id) VALUES (%s, %s)", (track, horse)
            )
            ended = START + timedelta(seconds=index * 0.3 + (50 if index % 7 == 0 else 0.4))
            if index % 5:
                connection.execute("UPDATE tracks SET ended_at = %s WHERE id = %s", (ended, track))
        connection.execute("DELETE FROM detections WHERE track_id = ANY (%s)", (tracks[40:],))
    wanted = sorted(
        ((f.stamp.captured_at, t.int) for f in frames for t in f.tracks.track_ids
         if t not in tracks[40:]), reverse=True,
    )  # fmt: skip
    seen, cursor = [], None
    while page := barn.detections.query(horse_id=horse, limit=11, cursor=cursor):
        seen += [(record.at, record.track_id.int) for record in page]
        cursor = page[-1].cursor
    assert seen == wanted


def test_moving_rows_to_their_day_changes_no_answer(barn: Barn) -> None:
    barn.write(*(frame_result(barn.cameras[0], n, 2, fps=1 / 40_000) for n in range(6)))
    before = barn.detections.query()
    with psycopg.connect(barn.dsn, autocommit=True) as connection:
        report = maintain(connection, START + timedelta(days=2))
    assert partition_name(START.date()) in report.created
    assert barn.detections.query() == before
    assert len(before) == 12


def test_rows_marked_deleted_are_not_shown(barn: Barn) -> None:
    barn.write(frame_result(barn.cameras[0], 0, 3))
    with psycopg.connect(barn.dsn) as connection:
        connection.execute(
            "UPDATE detections SET flags = 4 WHERE x1 = (SELECT min(x1) FROM detections)"
        )
    assert len(barn.detections.query()) == barn.detections.count() == 2


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "A" * 36, "f" * 32, "//8="])
def test_a_foreign_cursor_is_a_mistake(barn: Barn, cursor: str) -> None:
    with pytest.raises(OperatorMistake):
        barn.detections.query(cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_limit_out_of_range_is_a_mistake(barn: Barn, limit: int) -> None:
    with pytest.raises(OperatorMistake):
        barn.detections.query(limit=limit)
