"""What the horses of an overlay do, as columns; knows no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.motion import MotionBatch


@dataclass(frozen=True, slots=True)
class MotionRows:
    """What N rows of an overlay do; columns as in ``MotionBatch``."""

    gaits: NDArray[np.int8]
    gait_confidences: FloatArray
    leads: NDArray[np.int8]
    actions: NDArray[np.int8]
    action_confidences: FloatArray
    postures: NDArray[np.int8]
    speeds_mps: FloatArray
    person_near: NDArray[np.bool_]

    @classmethod
    def of(cls, motion: MotionBatch | None, rows: NDArray[np.intp]) -> MotionRows | None:
        """Rows of a batch."""
        if motion is None:
            return None
        return cls(
            motion.gaits[rows],
            motion.gait_confidences[rows],
            motion.leads[rows],
            motion.actions[rows],
            motion.action_confidences[rows],
            motion.postures[rows],
            motion.speeds_mps[rows],
            motion.person_near[rows],
        )
