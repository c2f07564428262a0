"""Sessions and what was found in them, to and from rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.recording import JobId
from engine.domain.sessions import (
    HeatMap,
    HeatMapUnit,
    MetricValue,
    ScaleKind,
    Session,
    SessionId,
    SessionKind,
    SessionMetrics,
    SessionMode,
    SessionScale,
    SessionSource,
    SessionState,
)

MAX_TITLE = 200
MAX_NOTE = 4000
Row = Mapping[str, Any]


def session_fields(session: Session) -> dict[str, Any]:
    """Columns of a session. Raises OperatorMistake for a title, note or time that is none."""
    title = " ".join(session.title.split())
    if not title or "\0" in title + session.note or len(title) > MAX_TITLE:
        raise OperatorMistake(f"A session needs a title of at most {MAX_TITLE} letters.")
    if len(session.note) > MAX_NOTE:
        raise OperatorMistake(f"A note has at most {MAX_NOTE} letters.")
    instants = [session.start_at, session.created_at]
    instants += [] if session.end_at is None else [session.end_at]
    if any(at.tzinfo is None for at in instants):
        raise OperatorMistake("The times of a session need their time zone.")
    if session.end_at is not None and session.end_at < session.start_at:
        raise OperatorMistake("The end of a session must not be before its start.")
    waits = session.state is SessionState.RUNNING
    return {
        "id": session.id,
        "farm_id": session.farm_id,
        "horse_id": session.horse_id,
        "title": title,
        "kind": session.kind.value,
        "source": session.source.value,
        "mode": session.mode.value,
        "state": SessionState.QUEUED.value if waits else session.state.value,
        "stream_ids": list(session.stream_ids),
        "note": session.note,
        "start_at": session.start_at,
        "end_at": session.end_at,
        "video": session.video,
        "video_name": session.video_name,
        "size_bytes": session.size_bytes,
        "sha256": session.sha256,
        "locked": session.locked,
        "created_by": session.created_by,
        "created_at": session.created_at,
    }


def session_of(row: Row) -> Session:
    """A session from its row."""
    return Session(
        id=SessionId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        title=row["title"],
        kind=SessionKind(row["kind"]),
        source=SessionSource(row["source"]),
        mode=SessionMode(row["mode"]),
        state=SessionState(row["state"]),
        start_at=row["start_at"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        end_at=row["end_at"],
        horse_id=None if row["horse_id"] is None else HorseId(row["horse_id"]),
        stream_ids=tuple(StreamId(one) for one in row["stream_ids"]),
        note=row["note"],
        video=row["video"],
        video_name=row["video_name"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        report=row["report"],
        job_id=None if row["job_id"] is None else JobId(row["job_id"]),
        progress=float(row["progress"]),
        message=row["message"],
        locked=row["locked"],
        archived_at=row["archived_at"],
        version=row["version"],
    )


def result_fields(metrics: SessionMetrics) -> dict[str, Any]:
    """Columns of what an analysis rests on."""
    return {
        "id": metrics.session_id,
        "analysed_at": metrics.analysed_at,
        "provisional": metrics.provisional,
        "duration_s": metrics.duration_s,
        "seen_s": metrics.seen_s,
        "fps": metrics.fps,
        "pictures": metrics.pictures,
        "tracks": metrics.tracks,
        "horses": metrics.horses,
        "scale": metrics.scale.kind.value,
        "scale_uncertainty": metrics.scale.uncertainty,
        "height_m": metrics.scale.height_m,
        "models": list(metrics.models),
        "remarks": list(metrics.remarks),
    }


def metric_fields(metrics: SessionMetrics) -> list[dict[str, Any]]:
    """Columns of every figure; one that is no finite number is none."""
    rows = []
    for position, value in enumerate(metrics.values.values()):
        known = value.value is not None and math.isfinite(value.value)
        spread = value.spread
        rows.append(
            {
                "id": metrics.session_id,
                "name": value.name,
                "value": value.value if known else None,
                "unit": value.unit,
                "count": value.count,
                "coverage": value.coverage,
                "spread": spread if spread is not None and math.isfinite(spread) else None,
                "reason": "" if known else value.reason or "It cannot be told.",
                "position": position,
            }
        )
    return rows


def metrics_of(row: Row, values: Sequence[Row]) -> SessionMetrics:
    """What an analysis found, from its rows."""
    return SessionMetrics(
        session_id=SessionId(row["session_id"]),
        values=MappingProxyType(
            {
                one["name"]: MetricValue(
                    one["name"], one["value"], one["unit"], one["count"], one["coverage"],
                    one["spread"], one["reason"],
                )
                for one in values
            }
        ),
        scale=SessionScale(ScaleKind(row["scale"]), row["scale_uncertainty"], row["height_m"]),
        duration_s=row["duration_s"],
        seen_s=row["seen_s"],
        analysed_at=row["analysed_at"],
        pictures=row["pictures"],
        fps=row["fps"],
        tracks=row["tracks"],
        horses=row["horses"],
        provisional=row["provisional"],
        models=tuple(row["models"]),
        remarks=tuple(row["remarks"]),
    )  # fmt: skip


def heat_map_fields(session_id: SessionId, position: int, one: HeatMap) -> dict[str, Any]:
    """Columns of a heat map."""
    return {
        "id": session_id,
        "position": position,
        "stream_id": one.stream_id,
        "unit": one.unit.value,
        "bounds": list(one.bounds),
        "grid_rows": one.seconds.shape[0],
        "grid_columns": one.seconds.shape[1],
        "seconds": np.ascontiguousarray(one.seconds, "<f4").tobytes(),
    }


def heat_map_of(row: Row) -> HeatMap:
    """A heat map from its row."""
    grid = np.frombuffer(bytes(row["seconds"]), "<f4").astype(np.float32)
    x0, y0, x1, y1 = row["bounds"]
    return HeatMap(
        None if row["stream_id"] is None else StreamId(row["stream_id"]),
        HeatMapUnit(row["unit"]),
        (x0, y0, x1, y1),
        grid.reshape(row["grid_rows"], row["grid_columns"]),
    )
