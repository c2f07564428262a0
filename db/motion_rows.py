"""What the engine tells of motion, as it travels in a batch and waits in the spool: pose metrics as
columns, bouts, strides and cameras' states as values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from engine.domain.behaviour import METRICS
from engine.domain.detections import SubjectClass
from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import (
    ANGLES,
    Asymmetry,
    Bout,
    BoutId,
    BoutKind,
    Gait,
    Lead,
    MotionBatch,
    MotionEvent,
    Stride,
    StrideId,
)
from engine.domain.results import FrameResult
from engine.domain.streams import StreamState, StreamStatusChanged
from engine.domain.tracks import TrackState

METRIC_STEP_US = 100_000
"""At most one row of a track in each step of this length."""
UNKNOWN = -32_768
"""Stands for a value that is not known."""
SCALES: Mapping[str, float] = {
    name: 100.0 if name.endswith("_deg") else 10_000.0 if name == "symmetry" else 1000.0
    for name in METRICS
}
"""Stored steps per unit: hundredths of a degree, ten-thousandths, mm, mm/s and mHz."""

METRIC_ROW = np.dtype(
    [
        ("time_us", np.int64),  # since STORE_EPOCH
        ("track", "V16"),
        ("stream", np.int16),  # index into the batch's streams
        ("state", np.int16, (4,)),  # gait, lead, action, posture
        ("values", np.int16, (len(METRICS),)),  # by METRICS, UNKNOWN where not known
    ]
)
MetricArray = NDArray[np.void]
NO_METRICS: MetricArray = np.zeros(0, METRIC_ROW)


class MetricThinner:
    """Remembers when a row of each track was taken last; used by one thread."""

    def __init__(self, tracks: int = 4096) -> None:
        self._limit = tracks
        self._last: OrderedDict[TrackId, int] = OrderedDict()

    def takes(self, track_id: TrackId, time_us: int) -> bool:
        """Whether a row of that time is the first of its step."""
        step = time_us // METRIC_STEP_US
        before = self._last.get(track_id)
        if before is not None and step <= before:
            return False
        self._last[track_id] = step
        self._last.move_to_end(track_id)
        if len(self._last) > self._limit:
            self._last.popitem(last=False)
        return True


def metric_rows(
    result: FrameResult, time_us: int, stream: int, thinner: MetricThinner
) -> MetricArray:
    """The rows of one picture: horses of which something is known, at most ten a second."""
    motion, tracks = result.motion, result.tracks
    if motion is None:
        return NO_METRICS
    values = _values(motion)
    states = np.stack([motion.gaits, motion.leads, motion.actions, motion.postures], axis=1)
    told = (
        (tracks.class_ids == SubjectClass.HORSE)
        & (tracks.states <= TrackState.ACTIVE)
        & ((states > 0).any(axis=1) | (values != UNKNOWN).any(axis=1))
    )
    chosen = [
        int(row) for row in np.flatnonzero(told) if thinner.takes(tracks.track_ids[row], time_us)
    ]
    rows = np.zeros(len(chosen), METRIC_ROW)
    rows["time_us"] = time_us
    ids = b"".join(tracks.track_ids[row].bytes for row in chosen)
    rows["track"] = np.frombuffer(ids, "V16") if ids else rows["track"]
    rows["stream"] = stream
    rows["state"] = states[chosen]
    rows["values"] = values[chosen]
    return rows


def _values(motion: MotionBatch) -> NDArray[np.int16]:
    angles = {f"{name}_deg": motion.angles_deg[:, n] for n, name in enumerate(ANGLES)}
    columns = {
        "speed_mps": motion.speeds_mps,
        "stride_hz": motion.stride_hz,
        "stride_m": motion.stride_m,
        "head_height_m": motion.head_heights_m,
        "symmetry": motion.symmetries,
        **angles,
    }
    scaled = np.stack([columns[name] * np.float32(SCALES[name]) for name in METRICS], axis=1)
    known = np.isfinite(scaled)
    whole = np.rint(np.clip(np.where(known, scaled, 0.0), UNKNOWN + 1, -UNKNOWN - 1))
    return np.where(known, whole, UNKNOWN).astype(np.int16)


# --- bouts, strides, states ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MotionRows:
    """Of each bout its last telling; changes of cameras' states in order, and when cameras that
    need no change were last known to give pictures."""

    bouts: tuple[Bout, ...] = ()
    strides: tuple[Stride, ...] = ()
    states: tuple[StreamStatusChanged, ...] = ()
    beats: Mapping[StreamId, datetime] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.bouts or self.strides or self.states or self.beats)

    @property
    def stream_ids(self) -> set[StreamId]:
        """Cameras whose states are told."""
        return {change.stream_id for change in self.states} | set(self.beats)


NO_MOTION_ROWS = MotionRows()


def motion_rows(
    events: Iterable[MotionEvent],
    states: Sequence[StreamStatusChanged] = (),
    beats: Mapping[StreamId, datetime] | None = None,
) -> MotionRows:
    """The rows of some events in their order."""
    bouts: dict[BoutId, Bout] = {}
    strides: dict[StrideId, Stride] = {}
    for event in events:
        if isinstance(event, Stride):
            strides[event.id] = event
            continue
        before = bouts.get(event.id)
        if before is None or before.provisional or not event.provisional:
            bouts[event.id] = event
    return MotionRows(
        tuple(bouts.values()), tuple(strides.values()), tuple(states), dict(beats or {})
    )


# --- on disk -------------------------------------------------------------------------------------


def rows_to_json(rows: MotionRows) -> dict[str, Any]:
    """The rows as plain JSON values, empty when there are none; what is not known is null."""
    if not rows:
        return {}
    return {
        "bouts": [
            [str(b.id), str(b.track_id), str(b.stream_id), b.kind.value, b.value,
             b.start_at.isoformat(), b.end_at.isoformat(), float(b.confidence), b.provisional,
             b.open]
            for b in rows.bouts
        ],
        "strides": [_stride_to_json(stride) for stride in rows.strides],
        "states": [
            [str(s.stream_id), s.state.value, s.reason, s.at.isoformat()] for s in rows.states
        ],
        "beats": [[str(stream), at.isoformat()] for stream, at in rows.beats.items()],
    }  # fmt: skip


def rows_from_json(stored: dict[str, Any]) -> MotionRows:
    """The rows in such values; ValueError, KeyError or TypeError when they are damaged."""
    if not stored:
        return MotionRows()
    return MotionRows(
        bouts=tuple(
            Bout(
                BoutId(UUID(bout)), TrackId(UUID(track)), StreamId(UUID(stream)), BoutKind(kind),
                value, _instant(start), _instant(end), confidence, provisional, open_,
            )
            for bout, track, stream, kind, value, start, end, confidence, provisional, open_
            in stored["bouts"]
        ),
        strides=tuple(_stride_from_json(fields) for fields in stored["strides"]),
        states=tuple(
            StreamStatusChanged(
                stream_id=StreamId(UUID(stream)), state=StreamState(state), reason=reason,
                at=_instant(at),
            )
            for stream, state, reason, at in stored["states"]
        ),
        beats={StreamId(UUID(stream)): _instant(at) for stream, at in stored["beats"]},
    )  # fmt: skip


def _stride_to_json(s: Stride) -> list[Any]:
    a = s.asymmetry
    numbers = [
        s.stride_hz, s.length_m, s.speed_mps, *s.duty, *s.phases, *s.dissociation, s.symmetry,
        a.hd_min_mm, a.hd_max_mm, a.pd_min_mm, a.pd_max_mm, s.quality,
    ]  # fmt: skip
    return [
        str(s.id), str(s.track_id), str(s.stream_id), s.start_at.isoformat(), s.end_at.isoformat(),
        int(s.gait), int(s.lead), s.straight, s.provisional,
        [float(n) if np.isfinite(n) else None for n in numbers],
    ]  # fmt: skip


def _stride_from_json(fields: list[Any]) -> Stride:
    stride, track, stream, start, end, gait, lead, straight, provisional, stored = fields
    numbers = [float("nan") if n is None else float(n) for n in stored]
    hz, length, speed, d0, d1, d2, d3, p0, p1, p2, p3, l0, l1, symmetry, *rest = numbers
    hd_min, hd_max, pd_min, pd_max, quality = rest
    return Stride(
        StrideId(UUID(stride)), TrackId(UUID(track)), StreamId(UUID(stream)), _instant(start),
        _instant(end), Gait(gait), Lead(lead), hz, length, speed, (d0, d1, d2, d3),
        (p0, p1, p2, p3), (l0, l1), symmetry, Asymmetry(hd_min, hd_max, pd_min, pd_max), straight,
        quality, provisional,
    )  # fmt: skip


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
