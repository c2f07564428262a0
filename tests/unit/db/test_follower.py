"""What another node tells of a picture becomes the same result here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from db.live.follower import followed
from db.live.protocol import detection_update
from engine.domain.ids import new_stream_id
from engine.domain.skeletons import AP10K
from tests.helpers.frame_results import frame_result

STREAM = new_stream_id()


def told(horses: int = 2, **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(
        json.dumps(detection_update(frame_result(STREAM, 4, horses, AP10K)))
    )
    return data | changes


def test_boxes_names_and_skeletons_come_back() -> None:
    sent = frame_result(STREAM, 4, 2, AP10K)
    got = followed(STREAM, json.loads(json.dumps(detection_update(sent))), 500.0)
    assert (got.width_px, got.height_px) == (1920, 1080)
    np.testing.assert_allclose(got.tracks.boxes_xyxy_px, sent.tracks.boxes_xyxy_px, atol=0.051)
    assert got.tracks.track_ids == sent.tracks.track_ids
    assert got.tracks.horse_ids == sent.tracks.horse_ids
    for column in ("class_ids", "states", "numbers", "colours"):
        np.testing.assert_array_equal(getattr(got.tracks, column), getattr(sent.tracks, column))
    assert got.poses is not None and sent.poses is not None
    assert got.poses.skeleton is AP10K
    np.testing.assert_allclose(got.poses.keypoints_px, sent.poses.keypoints_px, atol=0.051)
    np.testing.assert_allclose(got.poses.scores, sent.poses.scores, atol=0.001)


def test_its_time_is_on_this_machines_clock() -> None:
    got = followed(STREAM, told(latency_ms=250.0), 500.0)
    assert got.stamp.captured_mono_s == pytest.approx(499.75)
    assert got.completed_mono_s == 500.0


def test_an_empty_picture_and_a_skeleton_of_a_newer_program() -> None:
    assert len(followed(STREAM, told(0), 1.0).tracks) == 0
    newer = followed(STREAM, told(skeleton="horse99"), 1.0)
    assert newer.poses is None and len(newer.tracks) == 2


@pytest.mark.parametrize(
    "changes",
    [{"horses": [{}]}, {"latency_ms": "soon"}, {"latency_ms": -1}, {"width": None}, {"frame": "x"}],
)
def test_what_is_no_result_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        followed(STREAM, told(**changes), 1.0)
