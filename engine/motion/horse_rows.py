"""The horses of one picture on their way through the pose chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.results import FrameResult
from engine.motion.body_plan import BodyPlan
from engine.motion.track_memory import Slots
from engine.settings import MotionSettings, SkeletonLimits

Bools = NDArray[np.bool_]
EDGE_PX = 3.0
"""A box that comes this near to the edge of the picture is cut off there."""
PILED_UP = 0.1
"""Landmarks this near to the side of the picture that cuts off their horse, as a share of its
height, may lie beyond it: a model puts all of the horse into what it sees."""


@dataclass(slots=True)
class HorseRows:
    """n horses of one picture; ``slots`` say where in the memory each one's past is.

    boxes: (n, 4) px. heights_m: (n,), at the withers. elapsed_s: (n,), since the track was last
    posed, 0 for new ones and after a gap that the pose does not outlive; since_s: (n,), the same
    with such gaps. camera_px: see ``PoseChain.update``. cut: bool (n,), boxes that the edge
    of the picture cuts off. Filled in by the steps: flags, bool (n, issue words); lags_s (n,), of
    the smoothing; placed, bool (n,), whether it is known where the trunk is.
    """

    now_s: float
    width_px: int
    height_px: int
    plan: BodyPlan
    settings: MotionSettings
    limits: SkeletonLimits
    slots: Slots
    boxes: FloatArray
    heights_m: FloatArray
    elapsed_s: FloatArray
    since_s: FloatArray
    camera_px: FloatArray | None
    cut: Bools
    flags: Bools
    lags_s: FloatArray
    placed: Bools

    def __len__(self) -> int:
        return len(self.slots)


def cut_off(result: FrameResult, rows: NDArray[np.intp]) -> Bools:
    """Which of these rows' boxes the edge of the picture cuts off, bool (n,)."""
    size = np.array([result.width_px, result.height_px], np.float32)
    boxes = result.tracks.boxes_xyxy_px[rows]
    near = (boxes[:, :2] <= EDGE_PX) | (boxes[:, 2:] >= size - EDGE_PX)
    return np.asarray(near.any(axis=1))


def piled_up(horses: HorseRows, points_px: FloatArray) -> Bools:
    """Which landmarks (n, K, 2) say no more than that the picture ends there, bool (n, K)."""
    near = PILED_UP * (horses.boxes[:, 3] - horses.boxes[:, 1])[:, None]
    left, right = horses.boxes[:, :1], horses.boxes[:, 2:3]
    from_left = np.where(left <= EDGE_PX, points_px[..., 0], np.inf)
    from_right = np.where(
        right >= horses.width_px - EDGE_PX, horses.width_px - points_px[..., 0], np.inf
    )
    return np.asarray(np.minimum(from_left, from_right) < near)
