"""Results become batches, and batches survive the way through the spool."""

from __future__ import annotations

import json
import struct
import zlib
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
from db.copy_format import HEADER, TRAILER, copy_buffer, detection_rows, metric_rows
from db.motion_rows import UNKNOWN, MetricThinner, motion_rows
from engine.domain.behaviour import METRICS
from engine.domain.errors import Bug
from engine.domain.geometry import read_only
from engine.domain.ids import new_stream_id, new_track_id
from engine.domain.motion import Action, BoutId, Gait, Lead, Posture
from engine.domain.ports import TrackSummary
from engine.domain.poses import PoseBatch
from engine.domain.skeletons import AP10K, EQUINE26
from engine.domain.streams import StreamState, StreamStatusChanged
from engine.domain.tracks import TrackState
from tests.helpers.frame_results import START, frame_result
from tests.helpers.motion_results import moving, one_stride, running_bout


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
        and np.array_equal(one.metrics, other.metrics)
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


# --- motion --------------------------------------------------------------------------------------


def moving_batch() -> WriteBatch:
    stream, track = new_stream_id(), new_track_id()
    results = [moving(frame_result(stream, n, track_ids=(track,))) for n in range(3)]
    status = StreamStatusChanged(stream, StreamState.OFFLINE, "gone", START)
    told = [
        running_bout(BoutId(UUID(int=1)), track, stream, START + timedelta(seconds=5)),
        one_stride(track, stream, START),
    ]
    rows = motion_rows(told, [status], {new_stream_id(): START})
    return build_batch(results, motion=rows)


def test_motion_comes_back_from_bytes_as_it_was() -> None:
    batch = moving_batch()
    back = decode_batch(encode_batch(batch))
    assert np.array_equal(back.metrics, batch.metrics) and len(back.metrics) == 3
    assert repr(back.motion) == repr(batch.motion)
    assert len(back.motion.bouts) == len(back.motion.strides) == len(back.motion.states) == 1
    rest = decode_batch(encode_batch(batch.without_detections()))
    assert len(rest.metrics) == 0 and repr(rest.motion) == repr(batch.motion)


@pytest.mark.parametrize("form", [1, 2])
def test_batches_of_older_programs_can_be_read(form: int) -> None:
    """What an older program left in the spool is sent by this one."""
    batch = mixed_batch()
    payload = encode_batch(batch)
    _, length = struct.unpack_from("<II", payload)
    header = json.loads(payload[8 : 8 + length])
    header["format"] = form
    for later in ("metrics", "motion", "identity")[: 4 - form]:
        del header[later]
    body = json.dumps(header).encode()
    older = body + payload[8 + length :]
    back = decode_batch(struct.pack("<II", zlib.crc32(older), len(body)) + older)
    assert same(back, batch) and not back.motion and len(back.metrics) == 0


def test_metrics_hold_what_is_known_in_their_units() -> None:
    row = moving_batch().metrics[0]
    values = dict(zip(METRICS, row["values"].tolist(), strict=True))
    assert row["state"].tolist() == [Gait.TROT, Lead.LEFT, Action.RUNNING, Posture.UPRIGHT]
    assert (values["speed_mps"], values["stride_hz"], values["head_height_m"]) == (
        3250, 1400, -350,
    )  # fmt: skip
    assert (values["back_deg"], values["symmetry"]) == (17250, 9500)
    assert values["stride_m"] == values["hip_left_deg"] == UNKNOWN


def test_a_track_has_at_most_ten_rows_of_metrics_a_second() -> None:
    stream, track = new_stream_id(), new_track_id()
    thinner = MetricThinner()
    start = START.replace(microsecond=0)
    rows = 0
    for n in range(50):  # two seconds at 25 pictures a second, a batch each
        result = moving(frame_result(stream, n, track_ids=(track,), start=start, fps=25.0))
        rows += len(build_batch([result], thinner=thinner).metrics)
    assert rows == 20


def test_horses_of_which_nothing_is_known_and_people_give_no_metrics() -> None:
    result = frame_result(new_stream_id(), 0, 2)
    assert len(build_batch([moving(result, known=False)]).metrics) == 0
    lost = frame_result(new_stream_id(), 0, 2, state=TrackState.LOST)
    assert len(build_batch([moving(lost)]).metrics) == 0
    classes = np.array([0, 1], np.int16)
    people = moving(replace(result, tracks=replace(result.tracks, class_ids=classes)))
    assert len(build_batch([people]).metrics) == 1


def test_metric_rows_are_copied_with_nulls_for_what_is_not_known() -> None:
    batch = moving_batch()
    data = metric_rows(batch.metrics)
    unknown = int((batch.metrics["values"] == UNKNOWN).sum())
    fields = 6 + len(METRICS)
    assert len(data) == 3 * (2 + 4 * fields + 8 + 16 + 2 * (fields - 2)) - 2 * unknown
    assert data.count(b"\xff\xff\xff\xff") == unknown


def test_of_a_bout_the_last_telling_counts_and_final_ones_stay() -> None:
    stream, track, one = new_stream_id(), new_track_id(), BoutId(UUID(int=7))
    early = running_bout(one, track, stream, START)
    late = running_bout(one, track, stream, START + timedelta(seconds=9))
    assert motion_rows([early, late]).bouts == (late,)
    final = replace(early, provisional=False)
    assert motion_rows([final, late]).bouts == (final,)
