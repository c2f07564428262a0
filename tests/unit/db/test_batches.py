"""Results become batches, and batches survive the way through the spool."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.batches import (
    STORE_EPOCH,
    TrackRow,
    WriteBatch,
    build_batch,
    decode_batch,
    encode_batch,
    store_time_us,
)
from db.copy_format import HEADER, TRAILER, copy_buffer, detection_rows
from engine.domain.errors import Bug
from engine.domain.geometry import read_only
from engine.domain.ids import new_stream_id, new_track_id
from engine.domain.ports import TrackSummary
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import AP10K, EQUINE26
from engine.domain.tracks import TrackState
from tests.helpers.frame_results import START, frame_result


def rows_by_track(batch: WriteBatch) -> dict[UUID, tuple[int, int, int]]:
    """(landmark bytes, skeleton, x1) of each row by its track."""
    return {
        UUID(bytes=row["track"].tobytes()): (g.packed.shape[1], row["skeleton"], row["box"][0])
        for g in batch.groups
        for row in g.rows
    }


def same(one: WriteBatch, other: WriteBatch) -> bool:
    return (
        replace(one, groups=()) == replace(other, groups=())
        and len(one.groups) == len(other.groups)
        and all(
            np.array_equal(a.rows, b.rows) and np.array_equal(a.packed, b.packed)
            for a, b in zip(one.groups, other.groups, strict=True)
        )
    )


def mixed_batch() -> WriteBatch:
    north, south = new_stream_id(), new_stream_id()
    return build_batch(
        [
            frame_result(north, 0, 2, EQUINE26),
            frame_result(south, 0, 3, AP10K),
            frame_result(north, 1, 0, EQUINE26),
            frame_result(south, 1, 1, None),
            frame_result(north, 2, 4, EQUINE26),
        ],
        [TrackSummary(new_track_id(), north, 9, 0, START, START + timedelta(1), 33, 0.5)],
    )


def test_every_row_keeps_its_own_box_skeleton_and_stream() -> None:
    north, south = new_stream_id(), new_stream_id()
    results = [
        frame_result(north, 0, 2, EQUINE26),
        frame_result(south, 0, 3, AP10K),
        frame_result(south, 1, 1, None),
        frame_result(north, 1, 4, EQUINE26),
    ]
    batch = build_batch(results)
    assert batch.row_count == 10
    found = rows_by_track(batch)
    names = [name for name, _ in batch.skeletons]
    for result in results:
        skeleton = None if result.poses is None else result.poses.skeleton
        for row, track in enumerate(result.tracks.track_ids):
            width, index, x1 = found[track]
            assert x1 == np.rint(result.tracks.boxes_xyxy_px[row, 0])
            assert width == (4 * len(skeleton.landmarks) if skeleton else 0)
            assert (names[index] if index >= 0 else None) == (skeleton.name if skeleton else None)
    for group in batch.groups:
        for row in group.rows:
            track = UUID(bytes=row["track"].tobytes())
            owner = next(r for r in results if track in r.tracks.track_ids)
            assert batch.streams[row["stream"]] == owner.stamp.stream_id
            assert row["time_us"] == store_time_us(owner.stamp.captured_at)


def test_rows_without_a_pose_carry_no_landmarks() -> None:
    result = frame_result(new_stream_id(), 0, 3)
    assert result.poses is not None
    scores = result.poses.scores.copy()
    scores[1] = 0.0
    points = result.poses.keypoints_px.copy()
    points[1] = np.nan
    batch = build_batch([replace(result, poses=PoseBatch(points, scores, EQUINE26))])
    widths = {track: width for track, (width, _, _) in rows_by_track(batch).items()}
    assert [widths[track] for track in result.tracks.track_ids] == [104, 0, 104]


def test_lost_tracks_give_no_row_and_every_track_is_there_once() -> None:
    stream, tracks = new_stream_id(), (new_track_id(), new_track_id())
    results = [frame_result(stream, n, track_ids=tracks) for n in range(3)]
    results.append(frame_result(stream, 3, track_ids=tracks, state=TrackState.LOST))
    batch = build_batch(results)
    assert batch.row_count == 6
    assert [row.track_id for row in batch.tracks] == list(tracks)
    assert all(row.started_at == START and row.ended_at is None for row in batch.tracks)
    assert build_batch(results, (), set(tracks)).tracks == ()


def test_a_finished_track_replaces_its_beginning() -> None:
    stream, track = new_stream_id(), new_track_id()
    summary = TrackSummary(track, stream, 4, 0, START, START + timedelta(seconds=9), 90, 0.75)
    batch = build_batch([frame_result(stream, 0, track_ids=(track,))], [summary])
    assert batch.tracks == (TrackRow.of_summary(summary),)


def test_boxes_beyond_what_is_stored_are_cut_and_impossible_ones_left_out() -> None:
    result = frame_result(new_stream_id(), 0, 3, None)
    boxes = result.tracks.boxes_xyxy_px.copy()
    boxes[0] = (-50_000, 0, 50_000, 70_000)
    boxes[1] = np.nan
    batch = build_batch([replace(result, tracks=replace(result.tracks, boxes_xyxy_px=boxes))])
    assert batch.row_count == 2
    assert batch.groups[0].rows["box"][0].tolist() == [-32768, 0, 32767, 32767]


@given(st.integers(-(6 * 10**16), 10**17))
def test_stored_times_are_exact(time_us: int) -> None:
    assert store_time_us(STORE_EPOCH + timedelta(microseconds=time_us)) == time_us


def test_a_batch_comes_back_from_bytes_as_it_was() -> None:
    batch = mixed_batch()
    back = decode_batch(encode_batch(batch))
    assert same(batch, back)
    assert same(batch.without_detections(), decode_batch(encode_batch(batch.without_detections())))
    assert back.row_count == 10 and len(back.tracks) == 11


@given(st.data())
def test_a_damaged_batch_is_noticed(data: st.DataObject) -> None:
    payload = bytearray(encode_batch(mixed_batch()))
    place = data.draw(st.integers(0, len(payload) - 1))
    change = data.draw(st.integers(1, 255))
    payload[place] ^= change
    with pytest.raises(Bug):
        decode_batch(bytes(payload))


@pytest.mark.parametrize("length", [0, 3, 8, 40])
def test_a_cut_off_batch_is_noticed(length: int) -> None:
    with pytest.raises(Bug):
        decode_batch(encode_batch(mixed_batch())[:length])


def test_copy_rows_have_the_length_the_format_says() -> None:
    batch = build_batch(
        [frame_result(new_stream_id(), 0, 2), frame_result(new_stream_id(), 0, 1, None)]
    )
    keys = np.array([1, 2, 0], np.int64)
    parts = [detection_rows(group, keys, keys, keys) for group in batch.groups]
    fixed = 2 + 12 * 4 + 8 + 16 + 4 + 9 * 2 + 4
    assert [len(part) for part in parts] == [2 * (fixed + 104), fixed]
    assert parts[1].endswith(b"\xff\xff\xff\xff")  # null keypoints
    assert copy_buffer(parts) == HEADER + parts[0] + parts[1] + TRAILER


def test_results_are_not_touched() -> None:
    result = frame_result(new_stream_id(), 0, 2)
    read_only(result.tracks.boxes_xyxy_px)
    before = result.tracks.boxes_xyxy_px.copy()
    build_batch([result])
    assert np.array_equal(before, result.tracks.boxes_xyxy_px)
