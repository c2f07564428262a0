"""Messages on the live-state server."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.live.protocol import (
    EventMessage,
    decode_command,
    decode_event,
    decode_frequent,
    degradation_names,
    detection_update,
    encode_command,
    encode_event,
    event_halves,
    notice,
    stream_status,
)
from engine.domain.commands import StartStream, StopStream, StreamsChanged, TakeSnapshot
from engine.domain.errors import OperatorMistake
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.notices import Notice, Severity
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation
from engine.domain.skeletons import AP10K
from engine.domain.streams import StreamState, StreamStatusChanged
from tests.helpers.frame_results import frame_result

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.builds(
        EventMessage,
        event=st.text(),
        stream_id=st.none() | st.uuids().map(str),
        timestamp=st.just(AT.isoformat()),
        sequence=st.integers(0, 2**60),
        data=st.dictionaries(st.text(), values),
    )
)
def test_events_come_back_as_they_were(message: EventMessage) -> None:
    assert decode_event(encode_event(message)) == message


@given(st.binary())
def test_bytes_that_are_no_event_are_a_mistake(payload: bytes) -> None:
    with pytest.raises(OperatorMistake):
        decode_event(payload)
    with pytest.raises(OperatorMistake):
        decode_command(payload)


@pytest.mark.parametrize(
    "command",
    [
        StreamsChanged(),
        StartStream(new_stream_id()),
        StopStream(new_stream_id()),
        TakeSnapshot(new_stream_id(), "barnhand:reply:1", True),
    ],
)
def test_commands_come_back_as_they_were(command: StreamsChanged | StartStream) -> None:
    assert decode_command(encode_command(command)) == command


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"command": "reboot"},
        {"command": "start_stream"},
        {"command": "start_stream", "stream_id": 5},
        {"command": "start_stream", "stream_id": "not-an-id"},
        {"command": "take_snapshot", "stream_id": str(new_stream_id())},
    ],
)
def test_commands_that_are_not_known_are_mistakes(document: object) -> None:
    with pytest.raises(OperatorMistake):
        decode_command(json.dumps(document).encode())


def test_an_update_names_every_landmark_in_picture_pixels() -> None:
    result = frame_result(new_stream_id(), 4, 2, AP10K)
    data = json.loads(json.dumps(detection_update(result), allow_nan=False))
    assert (data["frame"], data["pts_s"], data["skeleton"]) == (4, 0.4, "ap10k")
    assert data["degradation"] == []
    horse = data["horses"][1]
    assert horse["track_id"] == str(result.tracks.track_ids[1])
    assert (horse["number"], horse["horse_id"], horse["class"]) == (2, None, "horse")
    assert horse["bbox_xyxy_px"] == pytest.approx(
        result.tracks.boxes_xyxy_px[1].tolist(), abs=0.051
    )
    assert list(horse["keypoints"]) == list(AP10K.landmarks)
    assert result.poses is not None
    x, y = result.poses.keypoints_px[1, 3]
    assert horse["keypoints"]["neck"] == pytest.approx([x, y, result.poses.scores[1, 3]], abs=0.051)


def test_an_update_without_pose_says_so() -> None:
    data = detection_update(frame_result(new_stream_id(), 0, 1, None))
    assert data["skeleton"] is None
    assert data["degradation"] == ["no_pose"]
    assert data["horses"][0]["keypoints"] == {}


def test_numbers_json_does_not_know_do_not_get_out() -> None:
    result = frame_result(new_stream_id(), 0, 1, AP10K)
    assert result.poses is not None
    points = result.poses.keypoints_px.copy()
    points[0, 0] = (np.nan, np.inf)
    odd = replace(result, poses=PoseBatch(points, result.poses.scores.copy(), AP10K))
    json.dumps(detection_update(odd), allow_nan=False)


def test_degradations_have_names() -> None:
    both = Degradation.NO_DETECTOR | Degradation.ON_CPU
    assert degradation_names(both) == ["no_detector", "on_cpu"]
    assert degradation_names(Degradation.NONE) == []


def test_statuses_and_notices_are_plain_objects() -> None:
    stream = new_stream_id()
    change = StreamStatusChanged(stream, StreamState.ENDED, "Over.", AT)
    assert stream_status(change) == {"state": "ended", "reason": "Over.", "at": AT.isoformat()}
    told = notice(Notice("k", Severity.CRITICAL, "m", "a", AT, stream, active=False))
    assert (told["severity"], told["active"]) == ("critical", False)


@pytest.mark.parametrize("event", ["detection:update", "metrics:update"])
def test_the_head_of_a_frequent_event_is_read_without_its_data(event: str) -> None:
    stream, at = str(uuid4()), "2026-11-01T12:00:00+00:00"
    data = {"horses": [{"keypoints": {"nose": [1.0, 2.0, 0.9]}}], "note": ',"data":{'}
    whole = EventMessage(event, stream, at, 41, data)
    read = decode_frequent(encode_event(whole))
    assert read is not None
    assert read == replace(whole, data={})
    head, tail = event_halves(event, StreamId(UUID(stream)), at, data)
    assert decode_frequent(head + b"41" + tail) == replace(whole, data={})


def test_events_that_may_be_somebodys_own_are_read_whole() -> None:
    stream, at = str(uuid4()), "2026-11-01T12:00:00+00:00"
    personal = EventMessage("session:revoked", None, at, 1, {"reason": "x"}, user="anna")
    disguised = EventMessage("detection:update", stream, at, 1, {}, user="anna")
    of_the_farm = EventMessage("alert:raised", None, at, 1, {"farm_id": stream})
    for message in (personal, disguised, of_the_farm):
        assert decode_frequent(encode_event(message)) is None
        assert decode_event(encode_event(message)) == message


@pytest.mark.parametrize(
    "payload",
    [
        b'{"event":"detection:update","stream_id":"x"',
        b'{"event":"detection:update","stream_id":"x","data":{}}',
        b'{"event":"detection:update","stream_id":"x","timestamp":"t","sequence":"n","data":{}}',
    ],
)
def test_what_is_no_frequent_event_is_said(payload: bytes) -> None:
    with pytest.raises(OperatorMistake):
        decode_frequent(payload) or decode_event(payload)
