"""Results of horses that move."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import numpy as np

from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import (
    ANGLES,
    Action,
    Asymmetry,
    Bout,
    BoutId,
    BoutKind,
    Gait,
    Lead,
    MotionBatch,
    Posture,
    Stride,
    StrideId,
)
from engine.domain.results import FrameResult
from tests.helpers.frame_results import START


def moving(
    result: FrameResult, gait: Gait = Gait.TROT, speed_mps: float = 3.25, known: bool = True
) -> FrameResult:
    """The result with every horse at one gait; nothing is known of the stride lengths, and of
    anything where ``known`` is False."""
    count = len(result.tracks)

    def column(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.full(count, value if known else np.nan, np.float32)

    def code(value: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
        return np.full(count, value if known else 0, np.int8)

    angles = np.full((count, len(ANGLES)), np.nan, np.float32)
    if known:
        angles[:, ANGLES.index("back")] = 172.5
    motion = MotionBatch(
        gaits=code(gait), gait_confidences=column(0.9), leads=code(Lead.LEFT),
        actions=code(Action.RUNNING), action_confidences=column(0.8),
        postures=code(Posture.UPRIGHT), speeds_mps=column(speed_mps), stride_hz=column(1.4),
        stride_m=column(np.nan), head_heights_m=column(-0.35), angles_deg=angles,
        symmetries=column(0.95), scales_px_m=column(120.0),
        centres_px=np.zeros((count, 2), np.float32), person_near=np.zeros(count, bool),
        poses=None, issues=((),) * count,
    )  # fmt: skip
    return replace(result, motion=motion)


def running_bout(
    bout_id: BoutId, track: TrackId, stream: StreamId, now: datetime, open_: bool = True
) -> Bout:
    """A walk since START that still goes on."""
    return Bout(bout_id, track, stream, BoutKind.GAIT, "walk", START, now, 0.75, True, open_)


def one_stride(track: TrackId, stream: StreamId, now: datetime) -> Stride:
    """A stride of trot of which not everything is known."""
    return Stride(
        StrideId(uuid4()), track, stream, now, now + timedelta(seconds=0.7), Gait.TROT, Lead.NONE,
        1.43, float("nan"), 3.4, (0.4, 0.4, 0.35, float("nan")), (0.0, 0.5, 0.5, 0.0),
        (0.02, -0.01), 0.9, Asymmetry(4.0, 1.0, float("nan"), -2.0), True, 0.9,
    )  # fmt: skip
