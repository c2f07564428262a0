"""A recorded overlay as the painter of the wall takes it: the same boxes, bones and words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

import numpy as np

from engine.domain.motion import Action, Gait, Posture
from engine.domain.skeletons import Skeleton
from engine.recording.overlay import OverlayEntry, OverlaySkeleton, OverlayTrack
from ui.live.motion_rows import MotionRows
from ui.live.overlay_match import MatchKind, Overlay

Word = TypeVar("Word", Gait, Action, Posture)


def columns(
    entry: OverlayEntry, picture_px: tuple[int, int], skeletons: Mapping[str, OverlaySkeleton]
) -> Overlay:
    """Rows in the order of the entry's tracks. Interpolated ones are drawn thin."""
    tracks = entry.tracks
    count = len(tracks)
    skeleton = _skeleton(tracks, skeletons)
    points, scores = (None, None) if skeleton is None else _keypoints(tracks, skeleton)
    return Overlay(
        kind=MatchKind.EXACT if entry.analysed else MatchKind.PREDICTED,
        age_s=0.0,
        width_px=picture_px[0],
        height_px=picture_px[1],
        boxes_xyxy_px=np.array([t.box_xyxy_px for t in tracks], np.float32).reshape(count, 4),
        scores=np.array([t.score for t in tracks], np.float32),
        confidences=np.array([t.confidence for t in tracks], np.float32),
        class_ids=np.array([t.class_id for t in tracks], np.int16),
        states=np.array([t.state for t in tracks], np.int8),
        numbers=np.array([t.number for t in tracks], np.int64),
        colours=np.array([t.colour for t in tracks], np.int8),
        track_ids=tuple(t.id for t in tracks),
        horse_ids=tuple(t.horse_id for t in tracks),
        keypoints_px=points,
        keypoint_scores=scores,
        skeleton=skeleton,
        motion=_motion(tracks),
    )


def words_of(track: OverlayTrack) -> MotionRows:
    """What one track does, for the words of rows."""
    return _motion((track,))


def _motion(tracks: tuple[OverlayTrack, ...]) -> MotionRows:
    """Overlays keep words, not how sure they were: what was written down is told without doubt."""
    sure = np.ones(len(tracks), np.float32)
    speeds = [np.nan if t.speed_mps is None else t.speed_mps for t in tracks]
    return MotionRows(
        np.array([_value(Gait, t.gait) for t in tracks], np.int8),
        sure,
        np.zeros(len(tracks), np.int8),
        np.array([_value(Action, t.action) for t in tracks], np.int8),
        sure,
        np.array([_value(Posture, t.posture) for t in tracks], np.int8),
        np.array(speeds, np.float32),
        np.zeros(len(tracks), np.bool_),
    )


def _value(kind: type[Word], label: str) -> int:
    return int(kind[label.upper()]) if label.upper() in kind.__members__ else 0


def _skeleton(
    tracks: tuple[OverlayTrack, ...], skeletons: Mapping[str, OverlaySkeleton]
) -> Skeleton | None:
    """The skeleton of most tracks; a chunk rarely has two."""
    names = [t.skeleton for t in tracks if t.keypoints and t.skeleton in skeletons]
    if not names:
        return None
    name = max(set(names), key=names.count)
    given = skeletons[name]
    return _drawn(name, given.landmarks, given.bones)


@lru_cache(maxsize=8)
def _drawn(name: str, landmarks: tuple[str, ...], bones: tuple[tuple[int, int], ...]) -> Skeleton:
    return Skeleton(name, landmarks, bones, (), (), (0.05,) * len(landmarks))


def _keypoints(
    tracks: tuple[OverlayTrack, ...], skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    count = len(skeleton.landmarks)
    points = np.zeros((len(tracks), count, 3), np.float32)
    for row, track in enumerate(tracks):
        if track.skeleton == skeleton.name and len(track.keypoints) == count:
            points[row] = np.array(track.keypoints, np.float32)
    return points[..., :2].copy(), points[..., 2].copy()
