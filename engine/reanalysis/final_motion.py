"""Final bouts and strides of one track over one chunk, from its poses at full frame rate.

Gait and strides are measured anew: that is what the frame rate is for. What needs minutes to be
known (resting on its feet, postures, company) was told by the live lane, which saw them; those
bouts are kept, cut to the chunk, and an action that says how the horse moves follows the final
gait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import (
    Action,
    Bout,
    BoutId,
    BoutKind,
    Gait,
    PoseSeries,
    Stride,
    StrideId,
    TrackMotion,
)
from engine.domain.poses import PoseBatch
from engine.motion.gait import GaitSegment, analyse
from engine.motion.strides import StrideClock, strides_of
from engine.reanalysis.whole_poses import unbroken

_LEAST_BOUT_S = 0.6
_NAMES = UUID("6f1c9a36-3d1c-4d57-9b5e-2f0f3e2a9b11")
_MOVES = {
    Gait.WALK: Action.WALKING, Gait.TROT: Action.RUNNING, Gait.CANTER: Action.RUNNING,
    Gait.GALLOP: Action.RUNNING,
}  # fmt: skip
_FOLLOWS_GAIT = {Action.WALKING.label, Action.RUNNING.label, Action.STANDING.label}


@dataclass(frozen=True, slots=True)
class Whole:
    """The chunk that a track is measured in: its instants, and whose the results are."""

    track_id: TrackId
    stream_id: StreamId
    start_at: datetime
    end_at: datetime

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return (self.end_at - self.start_at).total_seconds()

    def at(self, t_s: float) -> datetime:
        """The instant of a second of the stretch's clock, whose 0 is the chunk's start."""
        return self.start_at + timedelta(seconds=t_s)


def final_motion(
    whole: Whole,
    series: PoseSeries,
    speeds_mps: NDArray[np.float64] | None,
    known: Sequence[Bout],
) -> TrackMotion:
    """Everything final about the track in the chunk. ``series``: t_s on the stretch's clock,
    reaching over the chunk's ends where the recording goes on. speeds_mps: (T,) over the ground
    where a calibration tells them. ``known``: the track's stored bouts."""
    segments: list[GaitSegment] = []
    strides: list[Stride] = []
    clock = StrideClock(whole.track_id, whole.stream_id, whole.start_at)
    for piece, speeds in pieces(series, speeds_mps):
        found = analyse(piece, speeds)
        segments += found
        strides += strides_of(piece, found, clock, provisional=False, speeds_mps=speeds)
    gaits = _gait_bouts(whole, segments)
    kept = [bout for bout in known if bout.kind is not BoutKind.GAIT]
    return TrackMotion(
        whole.track_id,
        whole.stream_id,
        whole.start_at,
        whole.end_at,
        (*gaits, *_others(whole, kept, gaits)),
        tuple(
            replace(stride, id=StrideId(_name(whole, "stride", stride.start_at)))
            for stride in strides
            if whole.start_at <= stride.start_at < whole.end_at
        ),
    )


def pieces(
    series: PoseSeries, speeds_mps: NDArray[np.float64] | None
) -> Iterator[tuple[PoseSeries, NDArray[np.float64] | None]]:
    """Parts of the series without gaps."""
    for rows in unbroken(series.t_s):
        if len(rows) < 2:
            continue
        poses = PoseBatch(
            _part(series.poses.keypoints_px, rows),
            _part(series.poses.scores, rows),
            series.poses.skeleton,
        )
        piece = PoseSeries(
            series.t_s[rows], poses, _part(series.boxes_xyxy_px, rows),
            _part(series.scales_px_m, rows), _part(series.camera_px, rows),
        )  # fmt: skip
        yield piece, None if speeds_mps is None else speeds_mps[rows]


def _part(column: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    return np.asarray(column[rows], np.float32)


def _gait_bouts(whole: Whole, segments: Sequence[GaitSegment]) -> list[Bout]:
    bouts: list[Bout] = []
    for segment in segments:
        start_s, end_s = max(segment.start_s, 0.0), min(segment.end_s, whole.duration_s)
        if segment.gait is Gait.UNKNOWN or end_s <= start_s:
            continue
        last = bouts[-1] if bouts else None
        start_at, end_at = whole.at(start_s), whole.at(end_s)
        if last is not None and last.value == segment.gait.label and last.end_at == start_at:
            both = last.duration_s + (end_s - start_s)
            sure = last.confidence * last.duration_s + segment.confidence * (end_s - start_s)
            bouts[-1] = replace(last, end_at=end_at, confidence=sure / both)
        else:
            sure = min(max(segment.confidence, 0.0), 1.0)
            bouts.append(_bout(whole, BoutKind.GAIT, segment.gait.label, start_at, end_at, sure))
    return [bout for bout in bouts if bout.duration_s >= _LEAST_BOUT_S]


def _others(whole: Whole, known: Sequence[Bout], gaits: Sequence[Bout]) -> list[Bout]:
    """What the live lane told of the rest, cut to the chunk; movement as the final gait says."""
    moves = [
        (bout.start_at, bout.end_at, _MOVES[gait].label, bout.confidence)
        for bout in gaits
        if (gait := Gait[bout.value.upper()]) in _MOVES
    ]
    told: list[Bout] = []
    taken: list[tuple[datetime, datetime]] = []
    for bout in known:
        start_at, end_at = max(bout.start_at, whole.start_at), min(bout.end_at, whole.end_at)
        if end_at <= start_at:
            continue
        if bout.kind is BoutKind.ACTION and bout.value in _FOLLOWS_GAIT:
            for a, b in _outside(start_at, end_at, [(m[0], m[1]) for m in moves]):
                told.append(_bout(whole, bout.kind, _still(bout.value, gaits, a, b), a, b,
                                  bout.confidence))  # fmt: skip
            continue
        if bout.kind is BoutKind.ACTION:
            taken.append((start_at, end_at))
        told.append(_bout(whole, bout.kind, bout.value, start_at, end_at, bout.confidence))
    for start_at, end_at, value, sure in moves:
        for a, b in _outside(start_at, end_at, taken):
            told.append(_bout(whole, BoutKind.ACTION, value, a, b, sure))
    return sorted(told, key=lambda bout: (bout.kind, bout.start_at))


def _still(value: str, gaits: Sequence[Bout], start_at: datetime, end_at: datetime) -> str:
    """Walking that the final gait calls standing was none."""
    stands = any(
        bout.value == Gait.STANDING.label and bout.start_at < end_at and bout.end_at > start_at
        for bout in gaits
    )
    return Action.STANDING.label if stands else value


def _outside(
    start_at: datetime, end_at: datetime, taken: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[datetime, datetime]]:
    """The parts of an interval that no other covers."""
    for a, b in sorted(taken):
        if b <= start_at or a >= end_at:
            continue
        if a > start_at:
            yield start_at, a
        start_at = max(start_at, b)
    if start_at < end_at:
        yield start_at, end_at


def _bout(
    whole: Whole, kind: BoutKind, value: str, start_at: datetime, end_at: datetime, sure: float
) -> Bout:
    return Bout(
        BoutId(_name(whole, f"{kind.value}:{value}", start_at)), whole.track_id, whole.stream_id,
        kind, value, start_at, end_at, sure, provisional=False,
    )  # fmt: skip


def _name(whole: Whole, what: str, start_at: datetime) -> UUID:
    """The same every time, so that doing it again stores the same rows."""
    return uuid5(_NAMES, f"{whole.track_id}/{what}/{start_at.isoformat()}")
