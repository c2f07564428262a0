"""Small builders of engine results for tests of the stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from engine.domain.frames import FrameStamp
from engine.domain.ids import HorseId, ModelId, StreamId, TrackId, new_track_id
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import EQUINE26, Skeleton
from engine.domain.tracks import TrackBatch, TrackState

START = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=123457) - timedelta(3)
"""Noon some days ago: within what a store keeps."""


def frame_result(
    stream_id: StreamId,
    sequence: int = 0,
    horses: int = 3,
    skeleton: Skeleton | None = EQUINE26,
    track_ids: tuple[TrackId, ...] | None = None,
    horse_ids: tuple[HorseId | None, ...] | None = None,
    start: datetime = START,
    fps: float = 10.0,
    state: TrackState = TrackState.ACTIVE,
    seed: int = 0,
) -> FrameResult:
    """A picture with ``horses`` horses in it, the same for the same arguments except new ids."""
    rng = np.random.default_rng((seed, sequence))
    ids = track_ids if track_ids is not None else tuple(new_track_id() for _ in range(horses))
    count = len(ids)
    corner = rng.uniform(0, 900, (count, 2))
    size = rng.uniform(60, 600, (count, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    poses = None
    if skeleton is not None:
        marks = len(skeleton.landmarks)
        points = corner[:, None, :] + rng.uniform(-0.2, 1.2, (count, marks, 2)) * size[:, None, :]
        poses = PoseBatch(
            points.astype(np.float32),
            rng.uniform(0.05, 1.0, (count, marks)).astype(np.float32),
            skeleton,
        )
    return FrameResult(
        stamp=FrameStamp(
            stream_id,
            sequence,
            start + timedelta(seconds=sequence / fps),
            100.0 + sequence / fps,
            sequence / fps,
        ),
        width_px=1920,
        height_px=1080,
        tracks=TrackBatch(
            boxes,
            np.zeros((count, 4), np.float32),
            rng.uniform(0.3, 1.0, count).astype(np.float32),
            rng.uniform(0.3, 1.0, count).astype(np.float32),
            np.zeros(count, np.int16),
            np.full(count, state, np.int8),
            np.arange(1, count + 1, dtype=np.int64),
            np.zeros(count, np.int8),
            ids,
            horse_ids if horse_ids is not None else (None,) * count,
        ),
        poses=poses,
        detector_id=ModelId("test-detector@1"),
        pose_id=None if poses is None else ModelId("test-pose@1"),
        degradation=Degradation.NONE if poses is not None else Degradation.NO_POSE,
        completed_mono_s=100.05 + sequence / fps,
    )
