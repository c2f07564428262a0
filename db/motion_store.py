"""Writes bouts, strides and cameras' states inside somebody's transaction.

Whoever writes provisional bouts shares the identities' lock, whoever makes them final holds it
alone (``hold_identities`` of the schema): so a telling never overtakes what replaces it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

import psycopg
from psycopg.rows import dict_row

from db.queries import queries
from db.stride_rows import stride_fields
from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Bout, BoutId, BoutKind, Stride, TrackMotion
from engine.domain.streams import StreamState, StreamStatusChanged

log = logging.getLogger(__name__)

SILENT_S = 90.0
"""A stream without a sign of life for so long gave no pictures since that sign."""
Stretch = tuple[datetime, datetime]


class MotionStore:
    """Used by one thread on one connection. ``refused`` counts what names a track that has no
    row."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._sql = queries("motion_writer")
        self._reading = queries("motion")
        self.refused = 0

    # --- what is told --------------------------------------------------------------------------

    def tell(self, bouts: Sequence[Bout], strides: Sequence[Stride]) -> None:
        """Store bouts (of each its last telling) and strides. Provisional ones yield to what the
        chunk lane has decided."""
        told = {bout.track_id for bout in bouts if bout.provisional}
        final = self._final_stretches(told | {one.track_id for one in strides if one.provisional})
        plain: list[tuple[Bout, BoutId | None]] = []
        cut: list[Bout] = []
        for bout in bouts:
            if bout.provisional and _overlaps(bout, final.get(bout.track_id, ())):
                cut.append(bout)
            else:
                plain.append((bout, None))
        if cut:
            self._connection.execute(self._sql["forget_told"], {"ids": [b.id for b in cut]})
            plain += [part for bout in cut for part in _outside(bout, final[bout.track_id])]
        self._put_bouts(plain)
        self._put_strides(
            stride
            for stride in strides
            if not stride.provisional
            or not any(a <= stride.start_at < b for a, b in final.get(stride.track_id, ()))
        )

    def _final_stretches(self, tracks: Iterable[TrackId]) -> dict[TrackId, list[Stretch]]:
        found: dict[TrackId, list[Stretch]] = {}
        ids = list(tracks)
        if ids:
            rows = self._connection.execute(self._sql["final_stretches"], {"ids": ids})
            for track_id, start, end in rows:
                found.setdefault(TrackId(track_id), []).append((start, end))
        return found

    def _put_bouts(self, parts: Sequence[tuple[Bout, BoutId | None]]) -> None:
        if not parts:
            return
        bouts = [bout for bout, _ in parts]
        fields: dict[str, list[object]] = {
            "id": [b.id for b in bouts],
            "track_id": [b.track_id for b in bouts],
            "start_at": [b.start_at for b in bouts],
            "end_at": [max(b.start_at, b.end_at) for b in bouts],
            "confidence": [b.confidence for b in bouts],
            "provisional": [b.provisional for b in bouts],
            "open": [b.open for b in bouts],
            "kind": [b.kind.value for b in bouts],
            "value": [b.value for b in bouts],
            "told_id": [told for _, told in parts],
        }
        self._connection.execute(self._sql["put_bouts"], fields)

    def _put_strides(self, strides: Iterable[Stride]) -> None:
        rows = [stride_fields(stride) for stride in strides]
        if rows:
            with self._connection.cursor() as cursor:
                cursor.executemany(self._sql["put_strides"], rows)

    # --- what is final -------------------------------------------------------------------------

    def replace(self, motions: Sequence[TrackMotion]) -> None:
        """Take final bouts and strides for what is stored of each track's stretch. The caller
        holds the identities alone."""
        ids = list({motion.track_id for motion in motions})
        rows = self._connection.execute(self._reading["known_tracks"], {"ids": ids})
        known = {row[0] for row in rows}
        for motion in motions:
            if motion.track_id not in known or motion.start_at >= motion.end_at:
                self.refused += 1
                about = {"track_id": motion.track_id}
                log.warning("final motion of track %s has no place", motion.track_id, extra=about)
                continue
            self._replace(motion)

    def _replace(self, motion: TrackMotion) -> None:
        stretch = {"track_id": motion.track_id, "start": motion.start_at, "end": motion.end_at}
        cursor = self._connection.cursor(row_factory=dict_row)
        stored = cursor.execute(self._reading["reaching_bouts"], stretch).fetchall()
        rest: list[tuple[Bout, BoutId | None]] = []
        for row in stored:
            told = row.pop("told_id")
            kind = BoutKind(row.pop("kind"))
            bout = Bout(**row, kind=kind, track_id=motion.track_id, stream_id=motion.stream_id)
            rest += [
                (part, told or mark)
                for part, mark in _outside(bout, [(motion.start_at, motion.end_at)])
            ]
        self._connection.execute(self._reading["remove_bouts"], {"ids": [r["id"] for r in stored]})
        self._connection.execute(self._reading["remove_strides"], stretch)
        own = [
            _within(bout, motion)
            for bout in motion.bouts
            if bout.start_at < motion.end_at and bout.end_at > motion.start_at
        ]
        rows = self._connection.execute(self._reading["stored_bouts"], {"ids": [b.id for b in own]})
        elsewhere = {row[0] for row in rows}
        self._put_bouts(
            rest
            + [(_renamed(b, b.start_at), b.id) if b.id in elsewhere else (b, None) for b in own]
        )
        self._put_strides(
            replace(stride, provisional=False)
            for stride in motion.strides
            if motion.start_at <= stride.start_at < motion.end_at
        )
        self._connection.execute(self._reading["settle_stretch"], stretch)

    # --- cameras -------------------------------------------------------------------------------

    def note_states(
        self,
        changes: Sequence[StreamStatusChanged],
        beats: Mapping[StreamId, datetime],
        key_of: Callable[[StreamId], int | None],
    ) -> None:
        """Store since when cameras give pictures or none; streams without a row are left out."""
        for change in changes:
            key = key_of(change.stream_id)
            if key is None:
                continue
            fields = {"stream_key": key, "at": change.at}
            if change.state is StreamState.ACTIVE:
                self._connection.execute(self._sql["stream_active"], fields)
            else:
                fields |= {
                    "state": change.state.value,
                    "reason": change.reason,
                    "silent_s": SILENT_S,
                }
                self._connection.execute(self._sql["stream_quiet"], fields)
        for stream_id, at in beats.items():
            key = key_of(stream_id)
            if key is not None:
                fields = {"stream_key": key, "at": at}
                self._connection.execute(self._sql["stream_active"], fields)


def _overlaps(bout: Bout, stretches: Sequence[Stretch]) -> bool:
    return any(start < bout.end_at and end > bout.start_at for start, end in stretches)


def _within(bout: Bout, motion: TrackMotion) -> Bout:
    return replace(
        bout,
        start_at=max(bout.start_at, motion.start_at),
        end_at=min(bout.end_at, motion.end_at),
        provisional=False,
        open=False,
    )


def _renamed(bout: Bout, at: datetime) -> Bout:
    """A part of a bout under an id of its own, the same whenever it is cut there."""
    return replace(bout, id=BoutId(uuid5(UUID(str(bout.id)), at.isoformat())))


def _outside(bout: Bout, stretches: Sequence[Stretch]) -> list[tuple[Bout, BoutId | None]]:
    """What of a bout lies outside some stretches (by start), each part with the id it was told
    under where that is not its own. The first part keeps the id if it keeps the start."""
    parts: list[tuple[Bout, BoutId | None]] = []
    at = bout.start_at
    for start, end in [*stretches, (bout.end_at, bout.end_at)]:
        until = min(start, bout.end_at)
        if at < until:
            last = until == bout.end_at
            part = replace(bout, start_at=at, end_at=until, open=bout.open and last)
            if at == bout.start_at:
                parts.append((part, None))
            else:
                parts.append((_renamed(part, at), bout.id))
        at = max(at, end)
    return parts
