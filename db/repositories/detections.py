"""Stored detections (port DetectionRepository)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import Cursor
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db import keypoints
from db.batches import SCORE_SCALE, STORE_EPOCH, store_time_us
from db.live.protocol import class_name
from db.pool import transaction
from db.queries import queries
from engine.domain.errors import OperatorMistake
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.ports import DetectionRecord

MAX_LIMIT = 10_000
_FIRST_SPANS = 16
_CURSOR = struct.Struct(">q16s")
_LAST_TRACK = UUID(int=2**128 - 1)
_FIRST = datetime(1, 1, 2, tzinfo=UTC)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)


def encode_cursor(at: datetime, track_id: TrackId | UUID) -> str:
    """The place of a record in the order (time, track), opaque to callers."""
    packed = _CURSOR.pack(store_time_us(at), track_id.bytes)
    return base64.urlsafe_b64encode(packed).decode("ascii")


def decode_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The place a cursor names; OperatorMistake for one this program did not make."""
    try:
        time_us, track = _CURSOR.unpack(base64.b64decode(cursor, b"-_", validate=True))
        return STORE_EPOCH + timedelta(microseconds=time_us), UUID(bytes=track)
    except (ValueError, struct.error, OverflowError) as error:
        raise OperatorMistake("The cursor is not one of an earlier page.") from error


class PostgresDetectionRepository:
    """Detections with the horse their track is known to be at that time."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("detections")

    def query(
        self,
        stream_id: StreamId | None = None,
        horse_id: HorseId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Sequence[DetectionRecord]:
        """Newest first; at most ``limit`` (1 to 10,000) of ``start <= time < end``.

        ``cursor`` continues after a record of an earlier page. Raises OperatorMistake for a limit
        or cursor that is none.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
        before = (_LAST, _LAST_TRACK) if cursor is None else decode_cursor(cursor)
        fields = {
            "stream_id": stream_id,
            "horse_id": horse_id,
            "start": _FIRST if start is None else start,
            "end": _LAST if end is None else end,
            "before_time": before[0],
            "before_track": before[1],
            "limit": limit,
        }
        with transaction(self._pool, "reading detections") as connection:
            rows_of = connection.cursor(row_factory=dict_row)
            if horse_id is None:
                rows = rows_of.execute(self._sql["of_streams"], fields).fetchall()
            else:
                rows = self._of_horse(rows_of, fields)
        return tuple(_record(row) for row in rows)

    def _of_horse(
        self, cursor: Cursor[dict[str, Any]], fields: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Look at as few of a horse's spans (thousands in a season) as decide the page."""
        spans = _FIRST_SPANS
        while True:
            fields["spans"] = spans
            rows = cursor.execute(self._sql["of_horse"], fields).fetchall()
            following = cursor.execute(self._sql["next_span_end"], fields).fetchone()
            if following is None:
                return rows
            if len(rows) == fields["limit"] and rows[-1]["time"] >= following["until"]:
                return rows
            spans *= 8

    def count(self, start: datetime | None = None, end: datetime | None = None) -> int:
        """Detections with ``start <= time < end``, counted one by one."""
        fields = {"start": start or _FIRST, "end": end or _LAST}
        with transaction(self._pool, "counting detections") as connection:
            row = connection.execute(self._sql["count"], fields).fetchone()
        return 0 if row is None else int(row[0])


def _record(row: Mapping[str, Any]) -> DetectionRecord:
    box = (row["x1"], row["y1"], row["x2"], row["y2"])
    return DetectionRecord(
        at=row["time"],
        stream_id=StreamId(row["stream_id"]),
        track_id=TrackId(row["track_id"]),
        horse_id=None if row["horse_id"] is None else HorseId(row["horse_id"]),
        bbox_xyxy_px=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        score=row["score"] / SCORE_SCALE,
        class_name=class_name(row["class_id"]),
        skeleton=row["skeleton"],
        keypoints=_keypoints(row, box),
        flags=row["flags"],
        cursor=encode_cursor(row["time"], row["track_id"]),
    )


def _keypoints(
    row: Mapping[str, Any], box: tuple[int, int, int, int]
) -> Mapping[str, tuple[float, float, float]]:
    if row["keypoints"] is None or row["landmarks"] is None:
        return MappingProxyType({})
    packed = np.frombuffer(row["keypoints"], np.uint8)[None, :]
    points, scores = keypoints.unpack(packed, np.array([box], np.int16))
    return MappingProxyType(
        {
            name: (round(float(x), 2), round(float(y), 2), round(float(score), 3))
            for name, (x, y), score in zip(row["landmarks"], points[0], scores[0], strict=False)
            if score > 0.0
        }
    )
