"""What was found out of detections, by row of the tracks that continue them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.poses import PoseBatch
from engine.domain.tracks import TrackBatch


def vectors_of_rows(tracks: TrackBatch, vectors: FloatArray | None) -> FloatArray | None:
    """The detections' vectors by row of the tracks, float32 (N, D)."""
    if vectors is None or tracks.detection_rows is None or not len(vectors):
        return None
    found: FloatArray = vectors[tracks.detection_rows]
    return found


def poses_of_rows(tracks: TrackBatch, poses: PoseBatch) -> tuple[PoseBatch, NDArray[np.bool_]]:
    """The detections' poses by row of the tracks, and which rows have one."""
    picks = tracks.detection_rows
    if picks is None:
        count, landmarks = len(tracks), len(poses.skeleton.landmarks)
        points = np.zeros((count, landmarks, 2), np.float32)
        nothing = np.zeros((count, landmarks), np.float32)
        return PoseBatch(points, nothing, poses.skeleton), np.zeros(count, np.bool_)
    keypoints, scores = poses.keypoints_px[picks], poses.scores[picks]
    posed: NDArray[np.bool_] = np.asarray((scores > 0.0).any(axis=1))
    return PoseBatch(keypoints, scores, poses.skeleton), posed
