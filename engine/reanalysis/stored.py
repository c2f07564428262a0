"""What the store knows about a stretch of one camera: the port the chunk lane reads from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import Bug
from engine.domain.geometry import FloatArray, read_only
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Bout

INTERPOLATED, CORRECTED, DELETED = 1, 2, 4
"""Flags of stored detections."""


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """A track of the camera: its small number and class."""

    id: TrackId
    number: int
    class_id: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a track is from ``start`` (inclusive) to ``end`` (exclusive); ``colour`` 0..9."""

    track_id: TrackId
    horse_id: HorseId
    start: datetime
    end: datetime
    colour: int


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Stored detections, N rows, by time. at_us: int64 (N,), microseconds since 1970 UTC. tracks:
    int64 (N,), index into the stretch's tracks. boxes_xyxy_px: float32 (N, 4). flags: int16 (N,).
    """

    at_us: NDArray[np.int64]
    tracks: NDArray[np.int64]
    boxes_xyxy_px: FloatArray
    flags: NDArray[np.int16]

    def __post_init__(self) -> None:
        count = len(self.at_us)
        if (len(self.tracks), len(self.flags)) != (count, count) or (
            self.boxes_xyxy_px.shape != (count, 4)
        ):
            raise Bug("columns of stored rows have different lengths")
        for column in (self.at_us, self.tracks, self.boxes_xyxy_px, self.flags):
            read_only(column)

    def __len__(self) -> int:
        return len(self.at_us)


@dataclass(frozen=True, slots=True)
class StoredStretch:
    """Everything the lane needs to know of a camera between two instants. ``heights_m``: of horses
    whose height somebody said."""

    tracks: tuple[StoredTrack, ...]
    rows: StoredRows
    owners: tuple[Owner, ...] = ()
    bouts: Sequence[Bout] = ()
    heights_m: Mapping[HorseId, float] = field(default_factory=dict)

    def owner(self, track_id: TrackId, at: datetime) -> Owner | None:
        """Whose the track is at an instant."""
        for owner in self.owners:
            if owner.track_id == track_id and owner.start <= at < owner.end:
                return owner
        return None


class StoredPast(Protocol):
    """Reads stretches; meets the store."""

    def stretch(self, stream_id: StreamId, start: datetime, end: datetime) -> StoredStretch:
        """What is stored of a camera in [start, end), deleted rows included."""
        ...
