"""Poses of one camera over time: corrected, smoothed, and measured in metres and degrees."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only
from engine.domain.ids import TrackId
from engine.domain.motion import ANGLES
from engine.domain.poses import PoseBatch
from engine.domain.results import FrameResult
from engine.motion.calibration import Ground
from engine.settings import MotionSettings

STILL_PX: FloatArray = np.zeros(2, np.float32)
"""``camera_px`` of a fixed camera."""


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


class PoseChain:
    """One camera's poses over time. Used by one thread; ``settings`` and ``ground`` may be
    replaced between pictures (``ground`` comes from ``engine.motion.calibration.read_ground``)."""

    def __init__(self, settings: MotionSettings, ground: Ground | None = None) -> None:
        self.settings = settings
        self.ground = ground

    def update(
        self,
        result: FrameResult,
        heights_m: FloatArray | None = None,
        camera_px: FloatArray | None = STILL_PX,
    ) -> PoseColumns:
        """Take in one result, later than the one before.

        heights_m: float32 (N,), height at the withers by track row, NaN where nobody said it.
        camera_px: float32 (2,), where a fixed point of the ground lies in this picture (only its
        changes count); None where that is unknown, then speeds are NaN. A ``view_moving`` result
        counts as unknown if it says zero.
        """
        del heights_m, camera_px
        count = len(result.tracks)
        nothing: NDArray[np.float32] = np.full(count, np.nan, np.float32)
        pairs: NDArray[np.float32] = np.full((count, 2), np.nan, np.float32)
        boxes = result.tracks.boxes_xyxy_px
        centres = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float32)
        return PoseColumns(
            poses=result.poses,
            issues=((),) * count,
            scales_px_m=nothing.copy(),
            speeds_mps=nothing.copy(),
            angles_deg=np.full((count, len(ANGLES)), np.nan, np.float32),
            head_heights_m=nothing.copy(),
            centres_px=centres,
            lag_s=0.0,
            velocities_mps=pairs.copy(),
            profiles=nothing.copy(),
            withers_heights_m=nothing.copy(),
            trunk_degs=nothing.copy(),
            ground_m=pairs.copy(),
        )

    def forget(self, track_ids: Collection[TrackId]) -> None:
        """These tracks are closed."""
        del track_ids

    def reset(self) -> None:
        """Forget everything: the camera looks elsewhere now, or was away."""
