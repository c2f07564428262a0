"""Overlays meet pictures by frame; between frames by interpolation, past them by prediction."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.detections import SubjectClass
from engine.domain.frames import FrameStamp, WallFrame
from engine.domain.ids import TrackId, new_stream_id, new_track_id
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import AP10K
from engine.domain.tracks import TrackBatch, TrackState
from ui.live.overlay_match import (
    MAX_DELAY_S,
    MatchKind,
    Playout,
    overlay_for,
    trails_until,
)

STREAM = new_stream_id()
START = datetime(2026, 3, 1, tzinfo=UTC)
FPS = 25.0


def stamp(sequence: int, pts_s: float | None = None) -> FrameStamp:
    at_s = sequence / FPS
    return FrameStamp(STREAM, sequence, START + timedelta(seconds=at_s), 100.0 + at_s, pts_s)


def result(
    sequence: int,
    boxes: dict[TrackId, tuple[float, float, float, float]],
    velocity: tuple[float, float, float, float] = (0, 0, 0, 0),
    pts_s: float | None = None,
    states: TrackState = TrackState.ACTIVE,
    latency_s: float = 0.1,
) -> FrameResult:
    count = len(boxes)
    columns = np.array(list(boxes.values()), np.float32).reshape(count, 4)
    points = np.repeat(columns[:, None, 0:2], len(AP10K.landmarks), axis=1)
    tracks = TrackBatch(
        columns,
        np.tile(np.array(velocity, np.float32), (count, 1)),
        np.full((count,), 0.8, np.float32),
        np.full((count,), 0.9, np.float32),
        np.full((count,), SubjectClass.HORSE, np.int16),
        np.full((count,), states, np.int8),
        np.arange(1, count + 1),
        np.zeros((count,), np.int8),
        tuple(boxes),
        tuple(None for _ in boxes),
    )
    poses = PoseBatch(points, np.full((count, len(AP10K.landmarks)), 0.7, np.float32), AP10K)
    at = stamp(sequence, pts_s)
    return FrameResult(
        at, 1920, 1080, tracks, poses, None, None, Degradation.NONE, at.captured_mono_s + latency_s
    )


A, B = new_track_id(), new_track_id()


def test_the_result_of_exactly_that_frame_is_used() -> None:
    known = [result(10, {A: (0, 0, 10, 10)}), result(12, {A: (50, 0, 60, 10)})]
    overlay = overlay_for(stamp(12), known)
    assert overlay is not None
    assert overlay.kind is MatchKind.EXACT
    assert overlay.boxes_xyxy_px.tolist() == [[50, 0, 60, 10]]


def test_between_two_results_boxes_and_keypoints_are_interpolated_by_track() -> None:
    known = [
        result(10, {A: (0, 0, 10, 10), B: (500, 0, 600, 100)}),
        result(14, {B: (540, 0, 640, 100), A: (40, 0, 50, 10)}),
    ]
    overlay = overlay_for(stamp(11), known)
    assert overlay is not None
    assert overlay.kind is MatchKind.INTERPOLATED
    assert overlay.track_ids == (A, B)
    assert overlay.boxes_xyxy_px.tolist() == [[10, 0, 20, 10], [510, 0, 610, 100]]
    assert overlay.keypoints_px is not None
    assert overlay.keypoints_px[1, 3].tolist() == [510, 0]


def test_pts_decides_where_between_when_the_network_delivers_in_bursts() -> None:
    known = [
        result(10, {A: (0, 0, 10, 10)}, pts_s=1.0),
        result(14, {A: (40, 0, 50, 10)}, pts_s=2.0),
    ]
    overlay = overlay_for(stamp(13, pts_s=1.25), known)
    assert overlay is not None
    assert overlay.boxes_xyxy_px[0, 0] == pytest.approx(10)


def test_pts_that_starts_again_in_a_looping_file_is_not_trusted() -> None:
    known = [
        result(10, {A: (0, 0, 10, 10)}, pts_s=9.9),
        result(14, {A: (40, 0, 50, 10)}, pts_s=0.1),
    ]
    overlay = overlay_for(stamp(12, pts_s=10.0), known)
    assert overlay is not None
    assert overlay.boxes_xyxy_px[0, 0] == pytest.approx(20)


def test_a_track_of_one_side_only_is_drawn_near_its_own_frame() -> None:
    known = [result(10, {A: (0, 0, 10, 10)}), result(14, {B: (40, 0, 50, 10)})]
    early, late = overlay_for(stamp(11), known), overlay_for(stamp(13), known)
    assert early is not None and late is not None
    assert (early.track_ids, late.track_ids) == ((A,), (B,))


def test_past_the_newest_result_boxes_move_on_by_their_velocity() -> None:
    known = [result(10, {A: (100, 0, 200, 100)}, velocity=(50, 0, 50, 0))]
    overlay = overlay_for(stamp(15), known)
    assert overlay is not None
    assert overlay.kind is MatchKind.PREDICTED
    assert overlay.boxes_xyxy_px.tolist() == [[110, 0, 210, 100]]
    assert overlay.keypoints_px is not None
    assert overlay.keypoints_px[0, 0].tolist() == [110, 0]


def test_nothing_older_than_half_a_second_is_drawn() -> None:
    known = [result(10, {A: (0, 0, 10, 10)})]
    assert overlay_for(stamp(22), known) is not None
    assert overlay_for(stamp(23), known) is None
    assert overlay_for(stamp(5), known) is None
    assert overlay_for(stamp(5), []) is None


def test_far_apart_results_are_used_only_near_either_of_them() -> None:
    known = [result(0, {A: (0, 0, 10, 10)}), result(50, {A: (50, 0, 60, 10)})]
    assert overlay_for(stamp(10), known) is not None
    assert overlay_for(stamp(25), known) is None
    assert overlay_for(stamp(45), known) is not None


def test_closed_tracks_are_not_drawn() -> None:
    known = [result(10, {A: (0, 0, 10, 10)}, states=TrackState.CLOSED)]
    overlay = overlay_for(stamp(10), known)
    assert overlay is not None
    assert len(overlay) == 0


def test_a_changed_picture_size_is_not_interpolated_over() -> None:
    late = replace(result(14, {A: (40, 0, 50, 10)}), width_px=640, height_px=360)
    overlay = overlay_for(stamp(12), [result(10, {A: (0, 0, 10, 10)}), late])
    assert overlay is not None
    assert overlay.kind is MatchKind.PREDICTED


@given(fraction=st.integers(1, 9), x=st.floats(0, 1000), dx=st.floats(-500, 500))
def test_interpolation_is_linear(fraction: int, x: float, dx: float) -> None:
    known = [result(0, {A: (x, 0, x + 9, 9)}), result(10, {A: (x + dx, 0, x + dx + 9, 9)})]
    overlay = overlay_for(stamp(fraction), known)
    assert overlay is not None
    assert overlay.boxes_xyxy_px[0, 0] == pytest.approx(x + dx * fraction / 10, abs=1e-2)


def test_the_smallest_box_under_a_point_is_hit() -> None:
    overlay = overlay_for(stamp(1), [result(1, {A: (0, 0, 100, 100), B: (40, 40, 60, 60)})])
    assert overlay is not None
    assert overlay.row_at(50, 50) == 1
    assert overlay.row_at(10, 10) == 0
    assert overlay.row_at(200, 10) is None


def test_trails_follow_the_ground_and_end_with_the_track() -> None:
    known = [result(n, {A: (n, 0, n + 10, 50)}) for n in range(0, 30, 2)]
    known += [result(n, {B: (n, 0, n + 10, 50)}) for n in range(30, 60, 2)]
    trails = trails_until(stamp(40), known)
    assert [t.track_id for t in trails] == [A, B]
    assert trails[1].points_px[0].tolist() == [35, 50]
    assert [t.track_id for t in trails_until(stamp(58), known)] == [B]


# --- playout ------------------------------------------------------------------------------------


def frames(sequences: range) -> list[WallFrame]:
    picture = np.zeros((2, 2, 4), np.uint8)
    return [WallFrame(stamp(n), picture, 1920, 1080) for n in sequences]


def test_live_mode_shows_the_newest_picture() -> None:
    shown = Playout().choose(frames(range(10, 20)), [], 100.8, synchronised=False)
    assert shown is not None
    assert shown.stamp.sequence == 19


def test_synchronised_mode_stays_behind_until_overlays_are_known() -> None:
    playout = Playout()
    kinds = []
    for now in range(40, 120):
        shown_now = 100.0 + now / FPS
        known = [result(n, {A: (n, 0, n + 9, 9)}) for n in range(now - 60, now - 3, 3) if n >= 0]
        shown = playout.choose(frames(range(max(now - 17, 0), now + 1)), known, shown_now, True)
        assert shown is not None
        overlay = overlay_for(shown.stamp, known)
        assert overlay is not None
        kinds.append(overlay.kind)
    assert set(kinds[20:]) <= {MatchKind.EXACT, MatchKind.INTERPOLATED}
    assert 0.1 < playout.delay_s <= MAX_DELAY_S


def test_the_delay_never_passes_its_limit_and_goes_when_analysis_stops() -> None:
    playout = Playout()
    slow = [result(n, {}, latency_s=3.0) for n in range(0, 80, 5)]
    for now in range(80, 160):
        playout.choose(frames(range(now - 17, now + 1)), slow, 100.0 + now / FPS, True)
        assert playout.delay_s <= MAX_DELAY_S
    for now in range(400, 460):
        playout.choose(frames(range(now - 17, now + 1)), slow, 100.0 + now / FPS, True)
    assert playout.delay_s == 0.0


def test_pictures_never_run_backwards() -> None:
    playout = Playout()
    live = playout.choose(frames(range(0, 18)), [], 100.0 + 17 / FPS, synchronised=False)
    assert live is not None
    seen = [live.stamp.sequence]
    for now in range(18, 60):
        known = [result(n, {}) for n in range(now - 16, now - 3, 3)]
        shown = playout.choose(frames(range(now - 17, now + 1)), known, 100.0 + now / FPS, True)
        assert shown is not None
        seen.append(shown.stamp.sequence)
    assert seen == sorted(seen)


def test_without_pictures_nothing_is_chosen() -> None:
    assert Playout().choose([], [], 1.0, True) is None
