"""Reads what is stored of a camera's past for the chunk lane (port StoredPast)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from db.track_colours import colour_of_hex
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.domain.motion import Bout, BoutId, BoutKind
from engine.reanalysis.stored import Owner, StoredRows, StoredStretch, StoredTrack

Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PostgresStoredPast:
    """Tracks, rows, owners and bouts of a stretch, as they are at one instant."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("stored_past")

    def stretch(self, stream_id: StreamId, start: datetime, end: datetime) -> StoredStretch:
        """What is stored of a camera in [start, end), deleted rows included."""
        asked: Row = {"stream_id": stream_id, "start": start, "end": end}
        with transaction(self._pool, "reading what was seen in a recording") as connection:
            rows = self._rows(connection, "rows", asked)
            asked["tracks"] = sorted({row["track_id"] for row in rows})
            tracks = self._rows(connection, "tracks", asked)
            owners = self._rows(connection, "owners", asked)
            bouts = self._rows(connection, "bouts", asked)
        order = {row["id"]: index for index, row in enumerate(tracks)}
        return StoredStretch(
            tracks=tuple(
                StoredTrack(TrackId(row["id"]), row["number"], row["class_id"]) for row in tracks
            ),
            rows=_columns([row for row in rows if row["track_id"] in order], order),
            owners=tuple(map(_owner, owners)),
            bouts=tuple(_bout(row, stream_id) for row in bouts),
            heights_m={
                HorseId(row["horse_id"]): row["height_cm"] / 100.0
                for row in owners
                if row["height_cm"] is not None
            },
        )

    def farm_of(self, stream_id: StreamId) -> FarmId | None:
        """The farm of a camera; None for one that was never stored."""
        with transaction(self._pool, "looking whose a camera is") as connection:
            rows = self._rows(connection, "farm", {"stream_id": stream_id})
        return FarmId(rows[0]["farm_id"]) if rows else None

    def _rows(self, connection: Connection, name: str, fields: Row) -> Sequence[Row]:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(self._sql[name], fields).fetchall()


def _columns(rows: Sequence[Row], order: dict[Any, int]) -> StoredRows:
    boxes = [[row["x1"], row["y1"], row["x2"], row["y2"]] for row in rows]
    return StoredRows(
        np.array([(row["time"] - _EPOCH) // _MICROSECOND for row in rows], np.int64),
        np.array([order[row["track_id"]] for row in rows], np.int64),
        np.array(boxes, np.float32).reshape(len(rows), 4),
        np.array([row["flags"] for row in rows], np.int16),
    )


def _owner(row: Row) -> Owner:
    return Owner(
        TrackId(row["track_id"]),
        HorseId(row["horse_id"]),
        row["valid_from"],
        row["valid_to"],
        colour_of_hex(row["colour_hex"]),
    )


def _bout(row: Row, stream_id: StreamId) -> Bout:
    return Bout(
        BoutId(row["id"]), TrackId(row["track_id"]), stream_id, BoutKind(row["kind"]),
        row["value"], row["start_at"], row["end_at"], row["confidence"], row["provisional"],
        row["open"],
    )  # fmt: skip
