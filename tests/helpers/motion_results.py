"""Results of horses that move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.domain.motion import ANGLES, Action, Gait, Lead, MotionBatch, Posture
from engine.domain.results import FrameResult


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
