"""Results as the pipeline hands them on, from the simulated farm's truth and chosen errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.ids import StreamId, TrackId, new_stream_id, new_track_id
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import EQUINE26, Skeleton
from engine.domain.tracks import TrackBatch, TrackState
from engine.simulation.farm import SimulatedFarm
from engine.simulation.truth import Sightings

BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_STREAM = new_stream_id()


def result_of(
    t_s: float,
    boxes: NDArray[np.floating],
    track_ids: Sequence[TrackId],
    keypoints: NDArray[np.floating] | None,
    scores: NDArray[np.floating] | None = None,
    *,
    skeleton: Skeleton = EQUINE26,
    classes: Sequence[SubjectClass] | None = None,
    size_px: tuple[int, int] = (960, 540),
    held: bool = False,
    view_moving: bool = False,
    stream_id: StreamId = _STREAM,
) -> FrameResult:
    """One picture's result with these rows; horses unless ``classes`` say otherwise."""
    count = len(track_ids)
    kinds = classes if classes is not None else [SubjectClass.HORSE] * count
    rows = np.asarray(boxes, np.float32).reshape(count, 4).copy()
    tracks = TrackBatch(
        rows,
        np.zeros((count, 4), np.float32),
        np.full(count, 0.9, np.float32),
        np.full(count, 0.9, np.float32),
        np.array(kinds, np.int16),
        np.full(count, TrackState.ACTIVE, np.int8),
        np.arange(count),
        np.zeros(count, np.int8),
        tuple(track_ids),
        (None,) * count,
    )
    poses = None
    if keypoints is not None:
        points = np.asarray(keypoints, np.float32).copy()
        sure = np.full(points.shape[:2], 0.9, np.float32) if scores is None else scores
        poses = PoseBatch(points, np.asarray(sure, np.float32).copy(), skeleton)
    stamp = FrameStamp(stream_id, 0, BEGIN + timedelta(seconds=t_s), t_s, t_s)
    return FrameResult(
        stamp, *size_px, tracks, poses, None, None, Degradation.NONE, t_s,
        held=held, view_moving=view_moving,
    )  # fmt: skip


def watched(
    farm: SimulatedFarm,
    camera: str,
    times_s: NDArray[np.float64],
    noise: float = 0.0,
    seed: int = 0,
    least_visible: float = 0.6,
) -> Iterator[tuple[FrameResult, Sightings]]:
    """Results of a camera and the truth of their rows.

    ``noise``: standard deviation of visible landmarks as a share of the root of the box's area,
    three times as much for hidden ones, whose scores are low.
    """
    chance = np.random.default_rng(seed)
    view = farm.camera(camera)
    ids = {horse.id: new_track_id() for horse in farm.horses}
    every = farm.sightings(view, times_s)
    for index, t_s in enumerate(times_s.tolist()):
        rows = np.nonzero((every.time_index == index) & (every.visibility >= least_visible))[0]
        if not len(rows):
            continue
        seen = every.select(rows)
        boxes = seen.visible_boxes_xyxy_px
        size = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))[:, None]
        spread = size * np.where(seen.visible, noise, 3 * noise)
        points: FloatArray = seen.keypoints_px + (
            chance.normal(0, 1, seen.keypoints_px.shape) * spread[..., None]
        ).astype(np.float32)
        scores = np.where(seen.visible, 0.85, 0.45)
        tracks = [ids[int(number)] for number in seen.horse_ids]
        size_px = (view.width_px, view.height_px)
        yield result_of(t_s, boxes, tracks, points, scores, size_px=size_px), seen
