"""What the poses of one picture tell, before gait and action are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only
from engine.domain.motion import ANGLES
from engine.domain.poses import PoseBatch


@dataclass(frozen=True, slots=True)
class PoseColumns:
    """What the poses of one picture tell, N rows, those of the result's ``tracks``. The columns
    ``poses`` to ``lag_s`` are those of ``MotionBatch``. Rows that are no horses have NaN.

    velocities_mps: float32 (N, 2), right and down in the picture (with a ground calibration: along
    its axes). profiles: float32 (N,) in 0..1, 1 seen from the side, 0 from the front or behind.
    withers_heights_m: float32 (N,), of the withers over the ground, low in a lying horse.
    trunk_degs: float32 (N,), slope of the back against the horizontal, 0 is level. ground_m:
    float32 (N, 2), where the horse stands, NaN without a ground calibration.
    """

    poses: PoseBatch | None
    issues: tuple[tuple[str, ...], ...]
    scales_px_m: FloatArray
    speeds_mps: FloatArray
    angles_deg: FloatArray
    head_heights_m: FloatArray
    centres_px: FloatArray
    lag_s: float
    velocities_mps: FloatArray
    profiles: FloatArray
    withers_heights_m: FloatArray
    trunk_degs: FloatArray
    ground_m: FloatArray

    def __post_init__(self) -> None:
        count = len(self.issues)
        single = (
            self.scales_px_m, self.speeds_mps, self.head_heights_m, self.profiles,
            self.withers_heights_m, self.trunk_degs,
        )  # fmt: skip
        double = (self.centres_px, self.velocities_mps, self.ground_m)
        if any(c.shape != (count,) for c in single) or any(c.shape != (count, 2) for c in double):
            raise Bug("pose columns have different lengths")
        if self.angles_deg.shape != (count, len(ANGLES)):
            raise Bug(f"angles {self.angles_deg.shape} do not fit {count} rows")
        for column in (*single, *double, self.angles_deg):
            read_only(column)

    def __len__(self) -> int:
        return len(self.issues)

    @classmethod
    def unknown(cls, poses: PoseBatch | None, count: int) -> PoseColumns:
        """Columns of ``count`` rows that tell nothing."""

        def nan(*shape: int) -> FloatArray:
            return np.full((count, *shape), np.nan, np.float32)

        return cls(
            poses, ((),) * count, nan(), nan(), nan(len(ANGLES)), nan(), nan(2), 0.0,
            nan(2), nan(), nan(), nan(), nan(2),
        )  # fmt: skip
