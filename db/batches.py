"""What the writer sends in one go: detections and pose metrics as columns, tracks, identities,
bouts and strides.

A batch names streams, models and skeletons by their own ids, not by a server's keys, so that it
can wait in the spool while no server answers.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from db import keypoints, motion_rows
from db.identity_rows import (
    NO_IDENTITY_ROWS,
    IdentityRows,
    identity_rows,
    rows_from_json,
    rows_to_json,
)
from db.motion_rows import (
    METRIC_ROW,
    NO_METRICS,
    NO_MOTION_ROWS,
    MetricArray,
    MetricThinner,
    MotionRows,
    metric_rows,
)
from engine.domain.errors import Bug
from engine.domain.identity import IdentityEvent
from engine.domain.ids import StreamId, TrackId
from engine.domain.ports import TrackSummary
from engine.domain.poses import PoseBatch
from engine.domain.results import FrameResult
from engine.domain.tracks import TrackState

STORE_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Where PostgreSQL's timestamps count from."""
SCORE_SCALE = 10_000

ROW = np.dtype(
    [
        ("time_us", np.int64),  # since STORE_EPOCH
        ("track", "V16"),
        ("stream", np.int16),  # index into the batch's streams
        ("box", np.int16, (4,)),
        ("score", np.int16),
        ("class_id", np.int16),
        ("model", np.int16),  # index into the batch's models, -1 for none
        ("skeleton", np.int16),  # index into the batch's skeletons, -1 for none
        ("flags", np.int16),
    ]
)
RowArray = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class DetectionGroup:
    """Rows with equally many landmarks: ``rows`` (N,) of ROW, ``packed`` uint8 (N, 4 K)."""

    rows: RowArray
    packed: keypoints.PackedKeypoints


@dataclass(frozen=True, slots=True)
class TrackRow:
    """A track to insert, or to complete when ``ended_at`` is set."""

    track_id: TrackId
    stream_id: StreamId
    number: int
    class_id: int
    started_at: datetime
    ended_at: datetime | None = None
    detections: int = 0
    confidence: float = 0.0

    @classmethod
    def of_summary(cls, summary: TrackSummary) -> TrackRow:
        """The row of a finished track."""
        return cls(
            summary.track_id,
            summary.stream_id,
            summary.number,
            summary.class_id,
            summary.started_at,
            summary.ended_at,
            summary.detections,
            summary.confidence,
        )


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """One transaction's worth. ``id`` makes writing it twice the same as writing it once."""

    id: UUID
    streams: tuple[StreamId, ...]
    models: tuple[str, ...]
    skeletons: tuple[tuple[str, tuple[str, ...]], ...]
    tracks: tuple[TrackRow, ...]
    groups: tuple[DetectionGroup, ...]
    identity: IdentityRows = NO_IDENTITY_ROWS
    metrics: MetricArray = field(default_factory=lambda: NO_METRICS, compare=False)
    motion: MotionRows = NO_MOTION_ROWS

    def __bool__(self) -> bool:
        return bool(
            self.row_count or self.tracks or self.identity or len(self.metrics) or self.motion
        )

    @property
    def row_count(self) -> int:
        """Detections in the batch."""
        return sum(len(group.rows) for group in self.groups)

    def without_detections(self) -> WriteBatch:
        """The same batch without what comes with every picture."""
        return replace(self, groups=(), metrics=NO_METRICS, identity=self.identity.reduced())


def store_time_us(instant: datetime) -> int:
    """Microseconds since STORE_EPOCH, exactly."""
    past = instant - STORE_EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


class _Names:
    """Gives each distinct name its position."""

    def __init__(self) -> None:
        self.positions: dict[Any, int] = {}

    def position(self, name: object) -> int:
        return -1 if name is None else self.positions.setdefault(name, len(self.positions))


def build_batch(
    results: Sequence[FrameResult],
    summaries: Sequence[TrackSummary] = (),
    known_tracks: Container[TrackId] = (),
    events: Sequence[IdentityEvent] = (),
    lost: Sequence[FrameResult] = (),
    motion: MotionRows = NO_MOTION_ROWS,
    thinner: MetricThinner | None = None,
) -> WriteBatch:
    """The rows of some results, finished tracks, identity events and motion.

    Tracks in ``known_tracks`` are in the database already; others get a row before their
    detections. Of ``lost`` results only the tracks are stored, for what refers to them. Lost tracks
    have no detection of their own in a picture and give no row. ``thinner`` knows which pose
    metrics were taken before.
    """
    streams, models, skeletons = _Names(), _Names(), _Names()
    groups: list[DetectionGroup] = []
    full = [result for result in results if len(result.tracks)]
    if full:
        rows, keep = _rows(full, streams, models)
        by_skeleton: dict[str | None, list[int]] = {}
        for index, result in enumerate(full):
            name = None if result.poses is None else result.poses.skeleton.name
            by_skeleton.setdefault(name, []).append(index)
        starts = np.cumsum([0, *(len(result.tracks) for result in full)])
        for name, frames in by_skeleton.items():
            here, here_keep = rows, keep
            if len(by_skeleton) > 1:
                picked = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in frames])
                here, here_keep = rows[picked], keep[picked]
            poses = [batch for i in frames if (batch := full[i].poses) is not None]
            key = (name, poses[0].skeleton.landmarks) if poses else None
            groups += _groups(here, here_keep, poses, skeletons.position(key))
    metrics = _metrics(full, streams, thinner or MetricThinner())
    return WriteBatch(
        id=uuid4(),
        streams=tuple(streams.positions),
        models=tuple(models.positions),
        skeletons=tuple(skeletons.positions),
        tracks=_track_rows([*lost, *full], summaries, known_tracks),
        groups=tuple(group for group in groups if len(group.rows)),
        identity=identity_rows(events, full),
        metrics=metrics,
        motion=motion,
    )


def _metrics(
    results: Sequence[FrameResult], streams: _Names, thinner: MetricThinner
) -> MetricArray:
    parts = [
        metric_rows(
            result,
            store_time_us(result.stamp.captured_at),
            streams.position(result.stamp.stream_id),
            thinner,
        )
        for result in results
        if result.motion is not None
    ]
    return np.concatenate(parts) if parts else NO_METRICS


def _rows(
    results: Sequence[FrameResult], streams: _Names, models: _Names
) -> tuple[RowArray, NDArray[np.bool_]]:
    tracks = [result.tracks for result in results]
    counts = [len(batch) for batch in tracks]
    rows = np.zeros(sum(counts), ROW)
    rows["time_us"] = np.repeat([store_time_us(r.stamp.captured_at) for r in results], counts)
    ids = b"".join([track.int.to_bytes(16, "big") for batch in tracks for track in batch.track_ids])
    rows["track"] = np.frombuffer(ids, "V16")
    rows["stream"] = np.repeat([streams.position(r.stamp.stream_id) for r in results], counts)
    rows["model"] = np.repeat([models.position(r.detector_id) for r in results], counts)
    boxes = np.concatenate([batch.boxes_xyxy_px for batch in tracks])
    finite = np.isfinite(boxes).all(axis=1)
    limits = np.iinfo(np.int16)
    rows["box"] = np.clip(np.rint(np.where(finite[:, None], boxes, 0)), limits.min, limits.max)
    scores = np.nan_to_num(np.concatenate([batch.scores for batch in tracks]))
    rows["score"] = np.rint(np.clip(scores, 0.0, 1.0) * SCORE_SCALE)
    rows["class_id"] = np.concatenate([batch.class_ids for batch in tracks])
    states = np.concatenate([batch.states for batch in tracks])
    return rows, finite & (states <= TrackState.ACTIVE)


def _groups(
    rows: RowArray, keep: NDArray[np.bool_], poses: Sequence[PoseBatch], skeleton: int
) -> list[DetectionGroup]:
    """Rows of one skeleton: those with a pose, and those without (people, dogs)."""
    rows["skeleton"] = -1
    if not poses:
        kept = rows[keep]
        return [DetectionGroup(kept, np.zeros((len(kept), 0), np.uint8))]
    points = np.concatenate([batch.keypoints_px for batch in poses])
    scores = np.concatenate([batch.scores for batch in poses])
    posed = keep & (scores > 0.0).any(axis=1)
    if posed.all():
        rows["skeleton"] = skeleton
        return [DetectionGroup(rows, keypoints.pack(points, scores, rows["box"]))]
    with_pose, without = rows[posed], rows[keep & ~posed]
    with_pose["skeleton"] = skeleton
    packed = keypoints.pack(points[posed], scores[posed], with_pose["box"])
    return [
        DetectionGroup(with_pose, packed),
        DetectionGroup(without, np.zeros((len(without), 0), np.uint8)),
    ]


def _track_rows(
    results: Sequence[FrameResult], summaries: Sequence[TrackSummary], known: Container[TrackId]
) -> tuple[TrackRow, ...]:
    found: dict[TrackId, TrackRow] = {}
    seen: set[TrackId] = set()
    for result in results:
        fresh = set(result.tracks.track_ids) - seen
        if not fresh:
            continue
        seen |= fresh
        tracks, stamp = result.tracks, result.stamp
        for row, track_id in enumerate(tracks.track_ids):
            if track_id in fresh and track_id not in known:
                found[track_id] = TrackRow(
                    track_id,
                    stamp.stream_id,
                    int(tracks.numbers[row]),
                    int(tracks.class_ids[row]),
                    stamp.captured_at,
                    confidence=float(tracks.confidences[row]),
                )
    for summary in summaries:
        found[summary.track_id] = TrackRow.of_summary(summary)
    return tuple(found.values())


# --- on disk -------------------------------------------------------------------------------------

_FORMAT = 3
_OLDER_FORMATS = (1, 2)
"""1 had no identities, 2 no motion."""
_LENGTHS = struct.Struct("<II")


def encode_batch(batch: WriteBatch) -> bytes:
    """The batch as bytes for the spool: check sum, JSON header, then the columns as they are."""
    header = {
        "format": _FORMAT,
        "id": str(batch.id),
        "streams": [str(stream) for stream in batch.streams],
        "models": list(batch.models),
        "skeletons": [[name, list(landmarks)] for name, landmarks in batch.skeletons],
        "tracks": [
            [
                str(t.track_id), str(t.stream_id), t.number, t.class_id, t.started_at.isoformat(),
                None if t.ended_at is None else t.ended_at.isoformat(), t.detections, t.confidence,
            ]
            for t in batch.tracks
        ],
        "groups": [[len(g.rows), int(g.packed.shape[1])] for g in batch.groups],
        "identity": rows_to_json(batch.identity),
        "metrics": len(batch.metrics),
        "motion": motion_rows.rows_to_json(batch.motion),
    }  # fmt: skip
    text = json.dumps(header, separators=(",", ":")).encode()
    columns = b"".join(
        part for g in batch.groups for part in (g.rows.tobytes(), g.packed.tobytes())
    )
    body = text + columns + batch.metrics.tobytes()
    return _LENGTHS.pack(zlib.crc32(body), len(text)) + body


def decode_batch(payload: bytes) -> WriteBatch:
    """The batch in the spool's bytes; Bug when they are damaged or of an unknown format."""
    try:
        check, length = _LENGTHS.unpack_from(payload)
        body = memoryview(payload)[_LENGTHS.size :]
        if zlib.crc32(body) != check:
            raise Bug("a stored batch is damaged: its check sum differs")
        header = json.loads(bytes(body[:length]))
        if header["format"] not in (_FORMAT, *_OLDER_FORMATS):
            raise Bug(f"a stored batch has the unknown format {header['format']}")
        groups, offset = _groups_from(body[length:], header["groups"])
        return WriteBatch(
            id=UUID(header["id"]),
            streams=tuple(StreamId(UUID(text)) for text in header["streams"]),
            models=tuple(header["models"]),
            skeletons=tuple((name, tuple(marks)) for name, marks in header["skeletons"]),
            tracks=tuple(_track_from(fields) for fields in header["tracks"]),
            groups=tuple(groups),
            identity=rows_from_json(header.get("identity", {})),
            metrics=np.frombuffer(body[length:], METRIC_ROW, header.get("metrics", 0), offset),
            motion=motion_rows.rows_from_json(header.get("motion", {})),
        )
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise Bug(f"a stored batch is damaged: {error}") from error


def _track_from(fields: list[Any]) -> TrackRow:
    track, stream, number, class_id, started, ended, detections, confidence = fields
    return TrackRow(
        TrackId(UUID(track)),
        StreamId(UUID(stream)),
        number,
        class_id,
        datetime.fromisoformat(started),
        None if ended is None else datetime.fromisoformat(ended),
        detections,
        confidence,
    )


def _groups_from(columns: memoryview, shapes: list[list[int]]) -> tuple[list[DetectionGroup], int]:
    """The groups, and where they end."""
    groups, offset = [], 0
    for count, width in shapes:
        rows = np.frombuffer(columns, ROW, count, offset)
        offset += rows.nbytes
        packed = np.frombuffer(columns, np.uint8, count * width, offset).reshape(count, width)
        offset += packed.nbytes
        groups.append(DetectionGroup(rows, packed))
    return groups, offset
