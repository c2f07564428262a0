"""What the horses of a bench result do, for tests of labels and cards."""

from __future__ import annotations

import numpy as np

from engine.domain.motion import ANGLES, Action, Gait, Lead, MotionBatch, Posture
from engine.domain.results import FrameResult


def motion_of(
    result: FrameResult,
    gait: Gait = Gait.STANDING,
    action: Action = Action.STANDING,
    posture: Posture = Posture.UPRIGHT,
    speed_mps: float = 0.1,
    sure: float = 0.9,
) -> MotionBatch:
    """Everybody does the same."""
    count = len(result.tracks)

    def column(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.full(count, value, np.float32)

    return MotionBatch(
        gaits=np.full(count, gait, np.int8),
        gait_confidences=column(sure),
        leads=np.full(count, Lead.NONE, np.int8),
        actions=np.full(count, action, np.int8),
        action_confidences=column(sure),
        postures=np.full(count, posture, np.int8),
        speeds_mps=column(speed_mps),
        stride_hz=column(np.nan),
        stride_m=column(np.nan),
        head_heights_m=column(np.nan),
        angles_deg=np.full((count, len(ANGLES)), np.nan, np.float32),
        symmetries=column(np.nan),
        scales_px_m=column(np.nan),
        centres_px=np.zeros((count, 2), np.float32),
        person_near=np.zeros(count, np.bool_),
        poses=None,
        issues=((),) * count,
    )
