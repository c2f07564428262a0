"""What a detector found in one picture, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only


class SubjectClass(IntEnum):
    """What a box holds. MOTION marks boxes from the motion fallback when no model is available."""

    HORSE = 0
    PERSON = 1
    DOG = 2
    MOTION = 3


@dataclass(frozen=True, slots=True)
class DetectionBatch:
    """Detections of one picture, N rows, ordered by falling score.

    boxes_xyxy_px: float32 (N, 4) in picture pixels. scores: float32 (N,) in 0..1.
    class_ids: int16 (N,) of ``SubjectClass``. Arrays are made read-only.
    Raises Bug on mismatched shapes.
    """

    boxes_xyxy_px: FloatArray
    scores: FloatArray
    class_ids: NDArray[np.int16]

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.boxes_xyxy_px.shape != (count, 4) or self.class_ids.shape != (count,):
            raise Bug(
                f"detection columns disagree: boxes {self.boxes_xyxy_px.shape}, "
                f"scores {self.scores.shape}, classes {self.class_ids.shape}"
            )
        for column in (self.boxes_xyxy_px, self.scores, self.class_ids):
            read_only(column)

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls) -> DetectionBatch:
        """A batch of no rows."""
        return cls(
            np.zeros((0, 4), np.float32), np.zeros((0,), np.float32), np.zeros((0,), np.int16)
        )

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> DetectionBatch:
        """The rows of a mask or index array, in that order."""
        return DetectionBatch(self.boxes_xyxy_px[rows], self.scores[rows], self.class_ids[rows])
