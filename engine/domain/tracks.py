"""Tracklets of one picture, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import SubjectClass
from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only
from engine.domain.ids import HorseId, TrackId


class TrackState(IntEnum):
    """TENTATIVE until 3 hits; LOST after the first miss; CLOSED after 10 s without a hit."""

    TENTATIVE = 0
    ACTIVE = 1
    LOST = 2
    CLOSED = 3


@dataclass(frozen=True, slots=True)
class TrackBatch:
    """Tracks visible in one picture, N rows.

    boxes_xyxy_px: float32 (N, 4), where the subject is by its detection and by how it moved before.
    velocities_px_s: float32 (N, 4),
    rate of change of the box's x1, y1, x2, y2 in pixels per second (for drawing predicted boxes).
    scores: float32 (N,), the detection's score. confidences: float32 (N,) of the track, 0..1.
    class_ids: int16 (N,) of SubjectClass. states: int8 (N,) of TrackState.
    numbers: int64 (N,), small per-camera numbers for people to read. colours: int8 (N,), index 0..9
    into the ten track colours. track_ids, horse_ids (None while unidentified): N entries each.
    detection_rows: intp (N,), which of the picture's detections each row continues; None where the
    rows come from elsewhere. Raises Bug on mismatched lengths.
    """

    boxes_xyxy_px: FloatArray
    velocities_px_s: FloatArray
    scores: FloatArray
    confidences: FloatArray
    class_ids: NDArray[np.int16]
    states: NDArray[np.int8]
    numbers: NDArray[np.int64]
    colours: NDArray[np.int8]
    track_ids: tuple[TrackId, ...]
    horse_ids: tuple[HorseId | None, ...]
    detection_rows: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        count = len(self.track_ids)
        if self.boxes_xyxy_px.shape != (count, 4) or self.velocities_px_s.shape != (count, 4):
            raise Bug(f"track boxes {self.boxes_xyxy_px.shape} do not fit {count} ids")
        columns: tuple[NDArray[np.generic], ...] = (
            self.scores,
            self.confidences,
            self.class_ids,
            self.states,
            self.numbers,
            self.colours,
        )
        for column in columns:
            if column.shape != (count,):
                raise Bug("track columns have different lengths")
            read_only(column)
        if len(self.horse_ids) != count:
            raise Bug("track columns have different lengths")
        if self.detection_rows is not None and self.detection_rows.shape != (count,):
            raise Bug("the detections of tracks do not fit them")
        read_only(self.boxes_xyxy_px)
        read_only(self.velocities_px_s)

    def __len__(self) -> int:
        return len(self.track_ids)

    @property
    def confirmed_horses(self) -> NDArray[np.bool_]:
        """Which rows are horses past the tentative stage, bool (N,)."""
        mask: NDArray[np.bool_] = (self.class_ids == SubjectClass.HORSE) & (
            self.states == TrackState.ACTIVE
        )
        return mask

    @classmethod
    def empty(cls) -> TrackBatch:
        """A batch of no rows."""
        none = np.zeros((0,), np.float32)
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros((0, 4), np.float32),
            none,
            none.copy(),
            np.zeros((0,), np.int16),
            np.zeros((0,), np.int8),
            np.zeros((0,), np.int64),
            np.zeros((0,), np.int8),
            (),
            (),
        )
