"""The immutable result of analysing one picture: what leaves the engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from engine.domain.errors import Bug
from engine.domain.frames import FrameStamp
from engine.domain.ids import ModelId
from engine.domain.motion import MotionBatch
from engine.domain.poses import PoseBatch
from engine.domain.tracks import TrackBatch


class Degradation(IntFlag):
    """What did not run as configured for this result."""

    NONE = 0
    NO_DETECTOR = 1
    NO_POSE = 2
    NO_EMBEDDER = 4
    ON_CPU = 8
    SMALLER_BATCH = 16


@dataclass(frozen=True, slots=True)
class FrameResult:
    """One analysed picture.

    ``poses`` has one row per track row (score 0 where a row got no pose: people, dogs), or is None
    when no pose model is loaded. ``completed_mono_s`` is when the result became available;
    latency is ``completed_mono_s - stamp.captured_mono_s``. ``held`` marks a still scene: the
    motion gate skipped the models and the tracks of the last analysed picture are repeated for
    display; held results are not stored as detections. ``view_moving`` marks a picture of a steered
    camera that was moving: analysis that needs a still camera leaves it out. ``motion`` has a row
    per track row: what the horses do, and smoothed poses; ``poses`` stay as the model gave them.
    """

    stamp: FrameStamp
    width_px: int
    height_px: int
    tracks: TrackBatch
    poses: PoseBatch | None
    detector_id: ModelId | None
    pose_id: ModelId | None
    degradation: Degradation
    completed_mono_s: float
    held: bool = False
    view_moving: bool = False
    motion: MotionBatch | None = None

    def __post_init__(self) -> None:
        if self.poses is not None and len(self.poses) != len(self.tracks):
            raise Bug(f"{len(self.poses)} poses for {len(self.tracks)} tracks")
        if self.motion is not None and len(self.motion) != len(self.tracks):
            raise Bug(f"{len(self.motion)} rows of motion for {len(self.tracks)} tracks")

    @property
    def latency_ms(self) -> float:
        """Capture to result available, milliseconds."""
        return (self.completed_mono_s - self.stamp.captured_mono_s) * 1000.0
