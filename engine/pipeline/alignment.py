"""Which detection a track's row came from: a track's box is its detection's box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch
from engine.domain.geometry import FloatArray
from engine.domain.poses import PoseBatch
from engine.domain.tracks import TrackBatch


def detection_of_rows(tracks: TrackBatch, detections: DetectionBatch) -> NDArray[np.intp]:
    """Index of each row's detection, -1 where there is none, (N,)."""
    if not len(tracks) or not len(detections):
        return np.full(len(tracks), -1, np.intp)
    same = (tracks.boxes_xyxy_px[:, None, :] == detections.boxes_xyxy_px[None, :, :]).all(axis=2)
    same &= tracks.class_ids[:, None] == detections.class_ids[None, :]
    found: NDArray[np.intp] = np.where(same.any(axis=1), same.argmax(axis=1), -1)
    return found


def vectors_of_rows(
    tracks: TrackBatch, detections: DetectionBatch, vectors: FloatArray | None
) -> FloatArray | None:
    """The detections' vectors by row of the tracks, float32 (N, D); zeros where there is none."""
    if vectors is None or not len(detections):
        return None
    picks = detection_of_rows(tracks, detections)
    found: FloatArray = vectors[picks] * (picks >= 0)[:, None]
    return found.astype(np.float32)


def poses_of_rows(
    tracks: TrackBatch, detections: DetectionBatch, poses: PoseBatch
) -> tuple[PoseBatch, NDArray[np.bool_]]:
    """The detections' poses by row of the tracks, and which rows have one."""
    picks = detection_of_rows(tracks, detections)
    known = (picks >= 0) & (poses.scores[picks] > 0.0).any(axis=1) if len(detections) else picks > 0
    landmarks = len(poses.skeleton.landmarks)
    keypoints = np.zeros((len(tracks), landmarks, 2), np.float32)
    scores = np.zeros((len(tracks), landmarks), np.float32)
    keypoints[known], scores[known] = poses.keypoints_px[picks[known]], poses.scores[picks[known]]
    return PoseBatch(keypoints, scores, poses.skeleton), known
