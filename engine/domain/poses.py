"""Keypoints of the horses of one picture, as columns."""

from __future__ import annotations

from dataclasses import dataclass

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only
from engine.domain.skeletons import Skeleton


@dataclass(frozen=True, slots=True)
class PoseBatch:
    """Poses of N boxes for a skeleton of K landmarks.

    keypoints_px: float32 (N, K, 2), x and y in picture pixels. scores: float32 (N, K) in 0..1.
    Rows follow the boxes they were estimated for. Raises Bug on mismatched shapes.
    """

    keypoints_px: FloatArray
    scores: FloatArray
    skeleton: Skeleton

    def __post_init__(self) -> None:
        expected = (len(self.scores), len(self.skeleton.landmarks))
        if self.scores.shape != expected or self.keypoints_px.shape != (*expected, 2):
            raise Bug(
                f"pose columns {self.keypoints_px.shape} and {self.scores.shape} do not fit "
                f"skeleton {self.skeleton.name} with {expected[1]} landmarks"
            )
        read_only(self.keypoints_px)
        read_only(self.scores)

    def __len__(self) -> int:
        return len(self.scores)
