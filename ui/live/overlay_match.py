"""Which picture to show and which overlay belongs to it. Pure: numpy and domain values only.

A wall picture and an engine result meet by ``FrameStamp``: the overlay of exactly that frame when
it was analysed; between two analysed frames, both known, linear interpolation by track id
(specification: engine, "linear, by id, at most 0.5 s"); past the newest result, the boxes moved on
by their velocities, for at most 0.5 s. Nothing older is ever drawn.

Synchronised display plays each camera a little late, at most 0.6 s, so that the results on both
sides of the picture are known and the first two cases are the rule.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from engine.domain.frames import FrameStamp, WallFrame
from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, TrackId
from engine.domain.results import FrameResult
from engine.domain.skeletons import Skeleton
from engine.domain.tracks import TrackBatch, TrackState
from ui.live.motion_rows import MotionRows

HORIZON_S = 0.5
MAX_DELAY_S = 0.6
DELAY_MARGIN_S = 0.04
"""Added to the measured lag: one wall picture at 25 fps."""


class MatchKind(Enum):
    """How an overlay was found for a picture."""

    EXACT = "exact"
    INTERPOLATED = "interpolated"
    PREDICTED = "predicted"


@dataclass(frozen=True, slots=True)
class Overlay:
    """What to draw on one picture, N rows, in pixels of the source picture.

    boxes_xyxy_px float32 (N, 4); scores, confidences float32 (N,); class_ids int16 (N,); states
    int8 (N,); numbers int64 (N,); colours int8 (N,); keypoints_px float32 (N, K, 2) and
    keypoint_scores float32 (N, K) or both None without a pose model: corrected and smoothed where
    motion was analysed, else as the model gave them. ``age_s`` is how far the picture is from the
    nearest analysed frame.
    """

    kind: MatchKind
    age_s: float
    width_px: int
    height_px: int
    boxes_xyxy_px: FloatArray
    scores: FloatArray
    confidences: FloatArray
    class_ids: NDArray[np.int16]
    states: NDArray[np.int8]
    numbers: NDArray[np.int64]
    colours: NDArray[np.int8]
    track_ids: tuple[TrackId, ...]
    horse_ids: tuple[HorseId | None, ...]
    keypoints_px: FloatArray | None
    keypoint_scores: FloatArray | None
    skeleton: Skeleton | None
    motion: MotionRows | None = None

    def __len__(self) -> int:
        return len(self.track_ids)

    def row_at(self, x_px: float, y_px: float) -> int | None:
        """The smallest box around a point of the picture, None where there is none."""
        boxes = self.boxes_xyxy_px
        inside = (boxes[:, 0] <= x_px) & (x_px <= boxes[:, 2])
        inside &= (boxes[:, 1] <= y_px) & (y_px <= boxes[:, 3])
        rows = np.flatnonzero(inside)
        if not len(rows):
            return None
        areas = (boxes[rows, 2] - boxes[rows, 0]) * (boxes[rows, 3] - boxes[rows, 1])
        return int(rows[np.argmin(areas)])


def overlay_for(
    stamp: FrameStamp, results: Sequence[FrameResult], horizon_s: float = HORIZON_S
) -> Overlay | None:
    """The overlay of the picture ``stamp`` from results ordered by sequence; None if none fits."""
    after = bisect_right(results, stamp.sequence, key=lambda r: r.stamp.sequence)
    before = results[after - 1] if after else None
    following = results[after] if after < len(results) else None
    if before is not None and before.stamp.sequence == stamp.sequence:
        return _of_result(before, MatchKind.EXACT, 0.0)
    since_s = _seconds(before.stamp, stamp) if before is not None else np.inf
    until_s = _seconds(stamp, following.stamp) if following is not None else np.inf
    if before is not None and following is not None and _interpolable(before, following):
        nearest_s = min(since_s, until_s)
        if nearest_s <= horizon_s:
            return _between(before, following, _fraction(before, stamp, following), nearest_s)
    if before is not None and 0.0 <= since_s <= horizon_s:
        return _predicted(before, since_s)
    return None


def _seconds(earlier: FrameStamp, later: FrameStamp) -> float:
    return later.captured_mono_s - earlier.captured_mono_s


def _fraction(before: FrameResult, stamp: FrameStamp, following: FrameResult) -> float:
    """Where the picture lies between two results, by PTS where all three have one that rises
    (files that loop start again), else by capture time."""
    first, here, last = before.stamp.pts_s, stamp.pts_s, following.stamp.pts_s
    if (
        first is not None
        and here is not None
        and last is not None
        and first <= here <= last
        and first < last
    ):
        return (here - first) / (last - first)
    span_s = _seconds(before.stamp, following.stamp)
    return min(max(_seconds(before.stamp, stamp) / span_s, 0.0), 1.0) if span_s > 0 else 0.0


def _interpolable(before: FrameResult, following: FrameResult) -> bool:
    return (before.width_px, before.height_px) == (following.width_px, following.height_px)


def _visible(tracks: TrackBatch) -> NDArray[np.intp]:
    return np.flatnonzero(tracks.states != TrackState.CLOSED)


def _of_result(result: FrameResult, kind: MatchKind, age_s: float) -> Overlay:
    return _rows(result, _visible(result.tracks), kind, age_s)


def _rows(result: FrameResult, rows: NDArray[np.intp], kind: MatchKind, age_s: float) -> Overlay:
    tracks, motion = result.tracks, result.motion
    poses = motion.poses if motion is not None and motion.poses is not None else result.poses
    return Overlay(
        kind=kind,
        age_s=age_s,
        width_px=result.width_px,
        height_px=result.height_px,
        boxes_xyxy_px=tracks.boxes_xyxy_px[rows],
        scores=tracks.scores[rows],
        confidences=tracks.confidences[rows],
        class_ids=tracks.class_ids[rows],
        states=tracks.states[rows],
        numbers=tracks.numbers[rows],
        colours=tracks.colours[rows],
        track_ids=tuple(tracks.track_ids[i] for i in rows),
        horse_ids=tuple(tracks.horse_ids[i] for i in rows),
        keypoints_px=poses.keypoints_px[rows] if poses is not None else None,
        keypoint_scores=poses.scores[rows] if poses is not None else None,
        skeleton=poses.skeleton if poses is not None else None,
        motion=MotionRows.of(motion, rows),
    )


def _between(before: FrameResult, following: FrameResult, fraction: float, age_s: float) -> Overlay:
    """Rows of the nearer result; those present in both are moved linearly between them."""
    near, far = (before, following) if fraction < 0.5 else (following, before)
    weight = fraction if near is before else 1.0 - fraction
    overlay = _of_result(near, MatchKind.INTERPOLATED, age_s)
    far_rows = {track_id: row for row, track_id in enumerate(far.tracks.track_ids)}
    pairs = [(row, far_rows[t]) for row, t in enumerate(overlay.track_ids) if t in far_rows]
    if not pairs:
        return overlay
    here, there = (np.array(column, np.intp) for column in zip(*pairs, strict=True))
    boxes = overlay.boxes_xyxy_px.copy()
    boxes[here] += weight * (far.tracks.boxes_xyxy_px[there] - boxes[here])
    keypoints, scores = overlay.keypoints_px, overlay.keypoint_scores
    far_poses = far.motion.poses if far.motion is not None else None
    far_poses = far.poses if far_poses is None else far_poses
    if (
        keypoints is not None
        and scores is not None
        and far_poses is not None
        and far_poses.skeleton is overlay.skeleton
    ):
        keypoints, scores = keypoints.copy(), scores.copy()
        keypoints[here] += weight * (far_poses.keypoints_px[there] - keypoints[here])
        scores[here] = np.minimum(scores[here], far_poses.scores[there])
    return _moved(overlay, boxes, keypoints, scores)


def _predicted(before: FrameResult, since_s: float) -> Overlay:
    """Boxes moved on by their velocities; keypoints are carried along with their box."""
    rows = _visible(before.tracks)
    overlay = _rows(before, rows, MatchKind.PREDICTED, since_s)
    old = overlay.boxes_xyxy_px
    new = (old + before.tracks.velocities_px_s[rows] * np.float32(since_s)).astype(np.float32)
    new[:, 2:4] = np.maximum(new[:, 2:4], new[:, 0:2] + 1.0)
    keypoints = overlay.keypoints_px
    if keypoints is not None:
        scale = (new[:, 2:4] - new[:, 0:2]) / np.maximum(old[:, 2:4] - old[:, 0:2], 1.0)
        keypoints = (keypoints - old[:, None, 0:2]) * scale[:, None, :] + new[:, None, 0:2]
        keypoints = keypoints.astype(np.float32)
    return _moved(overlay, new, keypoints, overlay.keypoint_scores)


def _moved(
    overlay: Overlay, boxes: FloatArray, keypoints: FloatArray | None, scores: FloatArray | None
) -> Overlay:
    return Overlay(
        overlay.kind,
        overlay.age_s,
        overlay.width_px,
        overlay.height_px,
        boxes,
        overlay.scores,
        overlay.confidences,
        overlay.class_ids,
        overlay.states,
        overlay.numbers,
        overlay.colours,
        overlay.track_ids,
        overlay.horse_ids,
        keypoints,
        scores,
        overlay.skeleton,
        overlay.motion,
    )


@dataclass(frozen=True, slots=True)
class Trail:
    """Where a track's box stood on the ground: float32 (M, 2) picture pixels, oldest first."""

    track_id: TrackId
    colour: int
    points_px: FloatArray


def trails_until(
    stamp: FrameStamp, results: Sequence[FrameResult], window_s: float = 3.0
) -> tuple[Trail, ...]:
    """The paths of the tracks visible at a picture over the ``window_s`` before it: the middle of
    each box's lower edge. Tracks last seen more than ``HORIZON_S`` before the picture have none.
    """
    points: dict[TrackId, list[tuple[float, float]]] = {}
    newest: dict[TrackId, tuple[int, float]] = {}
    for result in results:
        age_s = _seconds(result.stamp, stamp)
        if result.stamp.sequence > stamp.sequence or age_s > window_s:
            continue
        tracks = result.tracks
        for row in _visible(tracks):
            x1, _, x2, y2 = (float(v) for v in tracks.boxes_xyxy_px[row])
            track_id = tracks.track_ids[row]
            points.setdefault(track_id, []).append(((x1 + x2) / 2.0, y2))
            newest[track_id] = (int(tracks.colours[row]), age_s)
    return tuple(
        Trail(track_id, newest[track_id][0], np.array(path, np.float32))
        for track_id, path in points.items()
        if len(path) > 1 and newest[track_id][1] <= HORIZON_S
    )


class Playout:
    """Picks the picture of one camera to show at an instant.

    Live mode shows the newest. Synchronised mode stays behind by the analysis lag (slowest of the
    recent results plus the gap between analysed frames), at most ``MAX_DELAY_S``; the delay grows
    quickly, shrinks slowly, and never makes the picture run backwards.
    """

    def __init__(self) -> None:
        self.delay_s = 0.0
        self._shown_sequence = -1

    def reset(self) -> None:
        """Forget what was shown (the tile got another camera)."""
        self.delay_s = 0.0
        self._shown_sequence = -1

    def choose(
        self,
        frames: Sequence[WallFrame],
        results: Sequence[FrameResult],
        now_mono_s: float,
        synchronised: bool,
    ) -> WallFrame | None:
        """The picture to show now from those known, oldest first; None when there is none."""
        if not frames:
            return None
        self._adapt(_analysis_lag_s(results, now_mono_s) if synchronised else 0.0)
        chosen = frames[-1]
        if self.delay_s > 0.0:
            due = now_mono_s - self.delay_s
            after = bisect_right(frames, due, key=lambda f: f.stamp.captured_mono_s)
            chosen = frames[max(after - 1, 0)]
        if chosen.stamp.sequence < self._shown_sequence:
            later = [f for f in frames if f.stamp.sequence >= self._shown_sequence]
            chosen = later[0] if later else chosen
        self._shown_sequence = chosen.stamp.sequence
        return chosen

    def _adapt(self, wanted_s: float) -> None:
        if wanted_s <= 0.0:
            self.delay_s = max(self.delay_s - 0.02, 0.0)
            return
        share = 0.25 if wanted_s > self.delay_s else 0.02
        self.delay_s += share * (min(wanted_s, MAX_DELAY_S) - self.delay_s)


def _analysis_lag_s(results: Sequence[FrameResult], now_mono_s: float) -> float:
    """How far behind capture the picture must play for its next result to be known; 0 when
    nothing was analysed within the last second (waiting would not help)."""
    recent = [r for r in results[-6:] if now_mono_s - r.completed_mono_s <= 1.0]
    if not recent:
        return 0.0
    slowest_s = max(r.completed_mono_s - r.stamp.captured_mono_s for r in recent)
    stamps = [r.stamp.captured_mono_s for r in recent]
    gaps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    gap_s = min(max(gaps, default=0.0), 0.3)
    return slowest_s + gap_s + DELAY_MARGIN_S
