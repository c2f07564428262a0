"""Columns of exported tables: names with their units, types, and how they come from stored rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from db import keypoints
from db.batches import SCORE_SCALE
from db.live.protocol import class_name
from engine.domain.motion import Action, Gait, Lead, Posture
from engine.domain.skeletons import LIMBS

Row = Mapping[str, Any]
INSTANT = pa.timestamp("us", tz="UTC")
NUMBER, WHOLE, WORD, TRUTH = pa.float64(), pa.int64(), pa.string(), pa.bool_()
_CORRECTED, _INTERPOLATED = 2, 1


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name (ending in its unit where it has one), type, and value in a row."""

    name: str
    type: Any
    value: Callable[[Row], Any]


def columns_of(table: str) -> tuple[Column, ...]:
    """The columns of a table by its name in ``db.repositories.export_rows.TABLES``."""
    return _COLUMNS[table]


def _plain(name: str, kind: Any, field: str = "", scale: float = 1.0) -> Column:
    source = field or name

    def value(row: Row) -> Any:
        given = row[source]
        if given is None or kind is not NUMBER:
            return given
        number = float(given) / scale
        return None if math.isnan(number) else number

    return Column(name, kind, value)


def _text(name: str, field: str = "") -> Column:
    source = field or name
    return Column(name, WORD, lambda row: None if row[source] is None else str(row[source]))


def _word(name: str, words: type[Gait] | type[Lead] | type[Action] | type[Posture]) -> Column:
    return Column(name, WORD, lambda row: words(row[name]).label)


def _of_list(name: str, field: str, index: int) -> Column:
    def value(row: Row) -> float | None:
        number = float(row[field][index])
        return None if math.isnan(number) else number

    return Column(name, NUMBER, value)


def _flag(name: str, bit: int) -> Column:
    return Column(name, TRUTH, lambda row: bool(row["flags"] & bit))


def _keypoints(row: Row) -> str | None:
    if row["keypoints"] is None or row["landmarks"] is None:
        return None
    box = np.array([[row["x1"], row["y1"], row["x2"], row["y2"]]], np.int16)
    packed = np.frombuffer(row["keypoints"], np.uint8)[None, :]
    points, scores = keypoints.unpack(packed, box)
    return json.dumps(
        {
            name: [round(float(x), 2), round(float(y), 2), round(float(score), 3)]
            for name, (x, y), score in zip(row["landmarks"], points[0], scores[0], strict=False)
            if score > 0.0
        }
    )


_WHERE = (_text("camera"), _text("stream_id"), _text("track_id"), _plain("track_number", WHOLE))
_WHO = (_text("horse_id"), _text("horse"))
_ANGLES = tuple(
    _plain(f"{joint}_{side}_deg", NUMBER, scale=100.0)
    for joint in ("shoulder", "elbow", "hip", "knee")
    for side in ("left", "right")
)

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "detections": (
        _plain("time_utc", INSTANT, "time"), *_WHO, *_WHERE,
        Column("class", WORD, lambda row: class_name(row["class_id"])),
        _plain("score", NUMBER, scale=float(SCORE_SCALE)),
        *(_plain(f"{corner}_px", WHOLE, corner) for corner in ("x1", "y1", "x2", "y2")),
        _flag("corrected", _CORRECTED), _flag("interpolated", _INTERPOLATED),
        _text("model"), _text("skeleton"), Column("keypoints_px_json", WORD, _keypoints),
    ),
    "bouts": (
        _plain("start_utc", INSTANT, "start_at"), _plain("end_utc", INSTANT, "end_at"),
        Column("duration_s", NUMBER, lambda r: (r["end_at"] - r["start_at"]).total_seconds()),
        *_WHO, _text("kind"), _text("value"), _plain("confidence", NUMBER),
        _plain("provisional", TRUTH), *_WHERE,
    ),
    "strides": (
        _plain("start_utc", INSTANT, "start_at"), _plain("end_utc", INSTANT, "end_at"), *_WHO,
        _word("gait", Gait), _word("lead", Lead), _plain("stride_hz", NUMBER),
        _plain("length_m", NUMBER), _plain("speed_mps", NUMBER), _plain("symmetry", NUMBER),
        *(_plain(name, NUMBER) for name in ("hd_min_mm", "hd_max_mm", "pd_min_mm", "pd_max_mm")),
        *(_of_list(f"duty_{limb}_share", "duty", i) for i, limb in enumerate(LIMBS)),
        *(_of_list(f"landing_{limb}_share", "phases", i) for i, limb in enumerate(LIMBS)),
        _of_list("dissociation_left_front_share", "dissociation", 0),
        _of_list("dissociation_right_front_share", "dissociation", 1),
        _plain("straight", TRUTH), _plain("quality", NUMBER), _plain("provisional", TRUTH), *_WHERE,
    ),
    "metrics": (
        _plain("time_utc", INSTANT, "time"), *_WHO, _word("gait", Gait), _word("lead", Lead),
        _word("action", Action), _word("posture", Posture),
        _plain("speed_mps", NUMBER, scale=1000.0), _plain("stride_hz", NUMBER, scale=1000.0),
        _plain("stride_m", NUMBER, scale=1000.0), _plain("head_height_m", NUMBER, scale=1000.0),
        _plain("back_deg", NUMBER, scale=100.0), _plain("symmetry", NUMBER, scale=10_000.0),
        *_ANGLES, *_WHERE,
    ),
    "alerts": (
        _plain("raised_utc", INSTANT, "raised_at"), _plain("started_utc", INSTANT, "started_at"),
        _plain("ended_utc", INSTANT, "ended_at"), _text("severity"), _text("kind"),
        _text("message"), *_WHO, _text("camera"), _text("stream_id"),
        _plain("acknowledged_utc", INSTANT, "acknowledged_at"), _text("acknowledged_by"),
        _text("note"), Column("evidence_json", WORD, lambda row: json.dumps(row["evidence"])),
        _text("alert_id", "id"),
    ),
}  # fmt: skip
