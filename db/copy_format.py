"""PostgreSQL's binary COPY format, built as one structured array per group of rows.

Every row of a group has the same length, so that numpy writes all rows of a column at once; the
format is that of the server's manual, section COPY, "Binary Format".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from db.batches import DetectionGroup
from db.motion_rows import UNKNOWN, MetricArray
from engine.domain.behaviour import METRICS

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"

_FIXED: tuple[tuple[str, str, int], ...] = (
    ("time", ">i8", 8),
    ("track_id", "V16", 16),
    ("stream_key", ">i4", 4),
    ("x1", ">i2", 2),
    ("y1", ">i2", 2),
    ("x2", ">i2", 2),
    ("y2", ">i2", 2),
    ("score", ">i2", 2),
    ("class_id", ">i2", 2),
    ("model_key", ">i2", 2),
    ("skeleton_key", ">i2", 2),
    ("flags", ">i2", 2),
)
COLUMNS = (*(name for name, _, _ in _FIXED), "keypoints")
"""Column order of the buffers; the COPY statement names the same."""

IntArray = NDArray[np.int64]


@cache
def _row_type(packed_bytes: int) -> np.dtype[np.void]:
    fields: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [("fields", ">i2")]
    for name, kind, _ in _FIXED:
        fields += [(f"{name}_length", ">i4"), (name, kind)]
    fields.append(("keypoints_length", ">i4"))
    if packed_bytes:
        fields.append(("keypoints", "u1", (packed_bytes,)))
    return np.dtype(fields)


@cache
def _blank_row(packed_bytes: int) -> NDArray[np.void]:
    row = np.zeros(1, _row_type(packed_bytes))
    row["fields"] = len(COLUMNS)
    for name, _, length in _FIXED:
        row[f"{name}_length"] = length
    row["keypoints_length"] = packed_bytes or -1  # -1 is null
    return row


def detection_rows(
    group: DetectionGroup,
    stream_keys: IntArray,
    model_keys: IntArray,
    skeleton_keys: IntArray,
) -> bytes:
    """A group's rows as COPY data, without header and trailer.

    The key arrays translate the batch's positions into the server's keys; their last entry is for
    position -1 (none).
    """
    rows = group.rows
    width = int(group.packed.shape[1])
    out = np.repeat(_blank_row(width), len(rows))
    out["time"] = rows["time_us"]
    out["track_id"] = rows["track"]
    out["stream_key"] = stream_keys[rows["stream"]]
    for column, name in enumerate(("x1", "y1", "x2", "y2")):
        out[name] = rows["box"][:, column]
    for name in ("score", "class_id", "flags"):
        out[name] = rows[name]
    out["model_key"] = model_keys[rows["model"]]
    out["skeleton_key"] = skeleton_keys[rows["skeleton"]]
    if width:
        out["keypoints"] = group.packed
    return out.tobytes()


METRIC_COLUMNS = ("time", "track_id", "gait", "lead", "action", "posture", *METRICS)
"""Column order of pose metrics; the COPY statement names the same."""
_STATES = 4


@cache
def _metric_type() -> np.dtype[np.void]:
    fields: list[tuple[str, str] | tuple[str, list[tuple[str, str]], tuple[int, ...]]] = [
        ("fields", ">i2"), ("time_length", ">i4"), ("time", ">i8"), ("track_length", ">i4"),
        ("track", "V16"),
        ("numbers", [("length", ">i4"), ("value", ">i2")], (_STATES + len(METRICS),)),
    ]  # fmt: skip
    return np.dtype(fields)


def metric_rows(rows: MetricArray) -> bytes:
    """Pose metrics as COPY data, without header and trailer; what is not known becomes null."""
    out = np.zeros(len(rows), _metric_type())
    out["fields"] = len(METRIC_COLUMNS)
    out["time_length"], out["track_length"] = 8, 16
    out["time"], out["track"] = rows["time_us"], rows["track"]
    numbers = np.concatenate([rows["state"], rows["values"]], axis=1)
    known = np.ones(numbers.shape, bool)
    known[:, _STATES:] = rows["values"] != UNKNOWN
    out["numbers"]["length"] = np.where(known, 2, -1)
    out["numbers"]["value"] = numbers
    # A null has a length and no bytes: those of its value are left out.
    cells = out.view(np.uint8).reshape(len(rows), out.dtype.itemsize)
    keep = np.ones(cells.shape, bool)
    first = out.dtype.itemsize - 6 * numbers.shape[1]
    for place in (4, 5):
        keep[:, first + place :: 6] = known
    return cells[keep].tobytes()


def copy_buffer(parts: Sequence[bytes]) -> bytes:
    """Row data of all groups between header and trailer."""
    return b"".join((HEADER, *parts, TRAILER))
