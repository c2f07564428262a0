"""Reads what a correction is about: horses, tracks, spans, negative pairs, cameras."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import Connection
from psycopg.rows import dict_row

from db.queries import queries
from db.repositories.horse_rows import horse_of
from engine.domain.errors import NotFound
from engine.domain.horses import Horse
from engine.domain.identity import (
    Accept,
    Correction,
    Merge,
    Reassign,
    Reject,
    Rename,
    Span,
    SpanId,
    Split,
    Swap,
)
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.identity.changes import IdentityState
from engine.identity.merging import proof
from engine.identity.spans import Presences, SeenTrack, meetings

Row = Mapping[str, Any]


def named_horses(correction: Correction) -> tuple[HorseId, ...]:
    """Horses that the correction names."""
    match correction:
        case Merge():
            ids: Sequence[HorseId | None] = (correction.kept, correction.absorbed)
        case Split():
            ids = (correction.horse_id, correction.into)
        case Swap():
            ids = (correction.first, correction.second)
        case Reassign() | Reject() | Rename() | Accept():
            ids = (correction.horse_id,)
    return tuple(horse_id for horse_id in ids if horse_id is not None)


def named_tracks(correction: Correction) -> tuple[TrackId, ...]:
    """Tracks that the correction names."""
    match correction:
        case Reassign() | Reject():
            return (correction.track_id,)
        case Split(track_id=track_id) if track_id is not None:
            return (track_id,)
        case Swap():
            return correction.track_ids
    return ()


class StateReader:
    """Reads on one connection, within the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._cursor = connection.cursor(row_factory=dict_row, binary=True)
        self._sql = queries("identity")

    def state_for(self, correction: Correction) -> IdentityState:
        """What the correction has to know. Raises NotFound for horses and tracks it names that do
        not exist. Of a merge the spans are left out: they are moved without being read."""
        horse_ids, track_ids = named_horses(correction), named_tracks(correction)
        tracks = self._tracks(track_ids)
        spans: set[Span] = set()
        if isinstance(correction, (Split, Swap)):
            spans |= self._spans("spans_of_horses", horse_ids, tracks)
        elif isinstance(correction, (Reassign, Reject)):
            spans |= self._spans("spans_of_tracks", track_ids, tracks)
        owners = {span.horse_id for span in spans}
        horses = self.horses([*horse_ids, *owners])
        for horse_id in horse_ids:
            if horse_id not in horses:
                raise NotFound(f"There is no horse {horse_id}.")
        for track_id in track_ids:
            if track_id not in tracks:
                raise NotFound(f"There is no track {track_id}.")
        pairs = self._execute("rejected", {"horses": list(horse_ids), "tracks": list(track_ids)})
        return IdentityState(
            frozenset(spans),
            tracks,
            horses,
            frozenset((TrackId(row["track_id"]), HorseId(row["horse_id"])) for row in pairs),
        )

    def horses(self, ids: Iterable[HorseId]) -> dict[HorseId, Horse]:
        """Horses by id, with those that merged ones point at."""
        rows = self._execute("horses", {"ids": list(set(ids))})
        return {HorseId(row["id"]): horse_of(row) for row in rows}

    def seen_at_once(self, first: Horse, second: Horse) -> tuple[float, str]:
        """Seconds that both were in view at once on cameras that do not overlap, and in words why
        that makes them two horses."""
        rows = self._execute("presences", {"ids": [first.id, second.id]})
        found = {row["horse_id"]: _presences(row) for row in rows}
        if len(found) < 2:
            return 0.0, ""
        ours, theirs = found[first.id], found[second.id]
        met = meetings(ours, theirs, self._overlapping_keys())
        if not met:
            return 0.0, ""
        keys = [int(ours.cameras[met[0].first]), int(theirs.cameras[met[0].second])]
        names = self._execute("camera_names", {"keys": keys})
        by_key = {row["key"]: row["name"] for row in names}
        return proof((first.title, second.title), met, ours, theirs, by_key)

    def _overlapping_keys(self) -> set[frozenset[int]]:
        rows = self._execute("overlapping_cameras", {})
        return {frozenset((row["first"], row["second"])) for row in rows}

    def _tracks(self, ids: Sequence[TrackId]) -> dict[TrackId, SeenTrack]:
        if not ids:
            return {}
        rows = self._execute("tracks", {"ids": list(ids)})
        return {TrackId(row["id"]): _track(row, row["id"]) for row in rows}

    def _spans(
        self, statement: str, ids: Sequence[UUID], tracks: dict[TrackId, SeenTrack]
    ) -> set[Span]:
        spans = set()
        for row in self._execute(statement, {"ids": list(ids)}):
            track_id = TrackId(row["track_id"])
            if track_id not in tracks:
                tracks[track_id] = _track(row, track_id)
            spans.add(
                Span(
                    SpanId(row["id"]),
                    track_id,
                    HorseId(row["horse_id"]),
                    row["valid_from"],
                    row["valid_to"],
                    row["confidence"],
                    row["decided_by"],
                )
            )
        return spans

    def _execute(self, name: str, fields: Mapping[str, object]) -> list[dict[str, Any]]:
        return self._cursor.execute(self._sql[name], fields).fetchall()


def _track(row: Row, track_id: UUID) -> SeenTrack:
    started: datetime = row["started_at"]
    return SeenTrack(
        TrackId(track_id),
        FarmId(row["farm_id"]),
        StreamId(row["stream_id"]),
        started,
        row["ended_at"],
        row["number"],
        row["camera"],
    )


def _presences(row: Row) -> Presences:
    return Presences(
        np.array(row["cameras"], np.int64),
        np.array(row["starts_s"], np.float64),
        np.array(row["ends_s"], np.float64),
    )
