"""From what was seen of one horse in every picture to the facts of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

import numpy as np

from engine.domain.detections import SubjectClass
from engine.domain.geometry import FloatArray
from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Gait, PoseSeries, Stride, StrideId
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.sessions import SessionScale
from engine.domain.skeletons import Skeleton
from engine.domain.tracks import TrackBatch, TrackState
from engine.motion.calibration import Ground
from engine.motion.gait import GaitSegment, analyse
from engine.motion.pose_chain import PoseChain
from engine.motion.strides import StrideClock, strides_of
from engine.reanalysis.columns import Seen, pose_batch
from engine.reanalysis.final_motion import pieces
from engine.reanalysis.sightings import Sighting
from engine.sessions.facts import Floats, GaitStretch, SessionFacts, standing_for
from engine.settings import MotionSettings

_NAMES = UUID("3b2f7c54-0c1e-4c5d-8f0e-5f5b9d0f6a41")


@dataclass(frozen=True, slots=True)
class Posed:
    """The horse's poses over the session, T of them. speeds_mps: float64 (T,), over the ground.
    feet: float32 (T, 2), where it stands in shares of the picture; feet_m: the same in metres on a
    calibrated ground, else NaN."""

    series: PoseSeries
    speeds_mps: Floats
    feet: FloatArray
    feet_m: FloatArray


def posed(
    sightings: Sequence[Sighting],
    seen: Mapping[int, Seen],
    skeleton: Skeleton,
    settings: MotionSettings,
    ground: Ground | None,
    height_m: float | None,
    camera_px: FloatArray | None = None,
) -> Posed:
    """Corrected and smoothed poses of the horse with scale and speed.

    ``seen``: by picture, index into ``sightings``. camera_px: float32 (P, 2), where a fixed point
    of the ground lies in each picture, NaN rows where that is unknown; None: the camera is fixed.
    """
    chain = PoseChain(settings, ground)
    heights = None if height_m is None else np.array([height_m], np.float32)
    keypoints, scores, boxes, scales, speeds, feet, feet_m, cameras = ([] for _ in range(8))
    order = sorted(seen)
    for index in order:
        sighting, one = sightings[index], seen[index]
        result = _result(sighting, one, skeleton)
        camera = np.zeros(2, np.float32) if camera_px is None else camera_px[index]
        known = bool(np.isfinite(camera).all())
        columns = chain.update(result, heights, camera if known else None)
        poses = columns.poses if columns.poses is not None else result.poses
        assert poses is not None
        keypoints.append(poses.keypoints_px[0])
        scores.append(poses.scores[0])
        boxes.append(one.box_xyxy_px)
        scales.append(columns.scales_px_m[0])
        speeds.append(columns.speeds_mps[0])
        feet_m.append(columns.ground_m[0])
        feet.append(_foot(one.box_xyxy_px, sighting))
        cameras.append(camera)
    count, marks = len(order), len(skeleton.landmarks)
    series = PoseSeries(
        np.array([sightings[i].stamp.captured_mono_s for i in order], np.float64),
        PoseBatch(
            np.array(keypoints, np.float32).reshape(count, marks, 2),
            np.array(scores, np.float32).reshape(count, marks),
            skeleton,
        ),
        np.array(boxes, np.float32).reshape(count, 4),
        np.array(scales, np.float32),
        np.array(cameras, np.float32).reshape(count, 2),
    )
    return Posed(
        series,
        np.array(speeds, np.float64),
        np.array(feet, np.float32).reshape(count, 2),
        np.array(feet_m, np.float32).reshape(count, 2),
    )


def facts_of(
    found: Posed, track_id: TrackId, stream_id: StreamId, start_at: datetime, duration_s: float,
    scale: SessionScale, calibrated: bool,
) -> tuple[SessionFacts, bool]:  # fmt: skip
    """Gaits, strides and speeds of the horse; and whether the camera followed it for a good part
    of the time it moved. ``start_at``: second 0 of the series' clock."""
    series, speeds = found.series, found.speeds_mps.copy()
    clock = StrideClock(track_id, stream_id, start_at)
    segments: list[GaitSegment] = []
    strides: list[Stride] = []
    for piece, known in pieces(series, speeds if calibrated else None):
        told = analyse(piece, known)
        segments += told
        strides += strides_of(piece, told, clock, provisional=False, speeds_mps=known)
    for segment in segments:
        if segment.follows:
            # The trunk's way in the picture is the camera's: the hooves tell the speed.
            inside = (series.t_s >= segment.start_s) & (series.t_s < segment.end_s)
            speeds[inside] = segment.speed_mps
    facts = SessionFacts(
        duration_s,
        series.t_s,
        standing_for(series.t_s),
        speeds,
        tuple(
            GaitStretch(s.start_s, s.end_s, s.gait, s.confidence)
            for s in segments
            if s.end_s > s.start_s
        ),
        tuple(_named(stride) for stride in strides),
        scale,
        series.poses.skeleton.sides_known,
    )
    moving_s = sum(s.duration_s for s in segments if s.gait >= Gait.WALK)
    followed_s = sum(s.duration_s for s in segments if s.gait >= Gait.WALK and s.follows)
    return facts, moving_s > 0 and followed_s > 0.2 * moving_s


def _named(stride: Stride) -> Stride:
    """The same id every time, so that analysing again stores the same rows."""
    name = f"{stride.track_id}/{stride.start_at.isoformat()}"
    return replace(stride, id=StrideId(uuid5(_NAMES, name)))


def _foot(box: FloatArray, sighting: Sighting) -> tuple[float, float]:
    x = float(box[0] + box[2]) / 2 / sighting.width_px
    return x, float(box[3]) / sighting.height_px


_TRACK = TrackId(UUID(int=1))


def _result(sighting: Sighting, one: Seen, skeleton: Skeleton) -> FrameResult:
    """The horse alone, as a picture's result."""
    tracks = TrackBatch(
        boxes_xyxy_px=np.array([one.box_xyxy_px], np.float32),
        velocities_px_s=np.zeros((1, 4), np.float32),
        scores=np.array([one.score], np.float32),
        confidences=np.array([one.confidence], np.float32),
        class_ids=np.array([SubjectClass.HORSE], np.int16),
        states=np.array([TrackState.ACTIVE], np.int8),
        numbers=np.ones(1, np.int64),
        colours=np.zeros(1, np.int8),
        track_ids=(_TRACK,),
        horse_ids=(None,),
    )
    return FrameResult(
        sighting.stamp, sighting.width_px, sighting.height_px, tracks,
        pose_batch([one], skeleton), None, None, Degradation.NONE,
        sighting.stamp.captured_mono_s,
    )  # fmt: skip
