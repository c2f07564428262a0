"""One transaction's edits of the detections of a chunk, and their undoing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NewType
from uuid import UUID, uuid4

import numpy as np
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from db import keypoints
from db.queries import queries
from db.repositories.edit_json import edit_to_json, summary_of
from db.repositories.identity_transaction import IdentityTransaction
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.identity import CommandId, CommandRecord, Reassign
from engine.domain.ids import HorseId, TrackId, new_track_id
from engine.domain.recording import (
    AddBox,
    AssignTrack,
    ChunkId,
    DeleteBox,
    Edit,
    EditId,
    EditRecord,
    Extent,
    MoveBox,
)

Row = dict[str, Any]
Box = tuple[float, float, float, float]

SAME_PICTURE_S = 0.02
"""Instants closer than half a picture at 25 a second are of the same picture."""
MOST_EDITS = 500
CORRECTED, DELETED = 2, 4
_SURE = 10_000
"""The score of what a person drew, in ten-thousandths."""
_SMALLEST_PX = 4.0
RowKey = NewType("RowKey", tuple[UUID, datetime])


@dataclass
class Outcome:
    """What edits did so far: rows by key as they were before (None: made here) and as they are,
    tracks and horses touched, corrections of identity and tracks made."""

    before: dict[RowKey, Row | None] = field(default_factory=dict)
    after: dict[RowKey, Row] = field(default_factory=dict)
    tracks: set[TrackId] = field(default_factory=set)
    commands: list[CommandRecord] = field(default_factory=list)
    made: list[TrackId] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def horses(self) -> set[HorseId]:
        """Every horse that a correction touched."""
        return {horse_id for command in self.commands for horse_id in command.horse_ids}

    @property
    def detections(self) -> int:
        """Rows that changed, and those that changed hands."""
        return len(self.after) + sum(command.detections for command in self.commands)


class EditTransaction:
    """Edits within one transaction. ``actor``: who does them."""

    def __init__(self, connection: Connection, actor: str, reason: str = "") -> None:
        self._connection = connection
        self._sql = queries("edits")
        self._actor = actor
        self._reason = reason
        self._done = Outcome()

    # --- doing ---------------------------------------------------------------------------------

    def perform(self, chunk_id: ChunkId, edits: Sequence[Edit]) -> Outcome:
        """Do all edits that can be done, in their order; the others are in ``refused``."""
        if not edits or len(edits) > MOST_EDITS:
            raise OperatorMistake(f"Between 1 and {MOST_EDITS} edits can be applied at once.")
        chunk = self._one("chunk", {"id": chunk_id}, f"There is no recording {chunk_id}.")
        for index, edit in enumerate(edits):
            saved = _copied(self._done)
            try:
                with self._connection.transaction():
                    self._edit(chunk, edit)
            except OperatorMistake as mistake:
                saved.refused[index] = str(mistake)
                self._done = saved
        return self._done

    def record(self, chunk_id: ChunkId, edits: Sequence[Edit]) -> EditRecord:
        """Note what ``perform`` did, so that it can be undone."""
        done, edit_id = self._done, uuid4()
        fields = {
            "id": edit_id,
            "chunk_id": chunk_id,
            "summary": summary_of(done.words),
            "actor": self._actor,
            "reason": self._reason,
            "edits": Jsonb([edit_to_json(edit) for edit in edits]),
            "detections": done.detections,
            "commands": [command.id for command in done.commands],
            "tracks": list(done.made),
        }
        row = self._rows("add_edit", fields)[0]
        for key, after in done.after.items():
            before = done.before[key]
            self._rows(
                "add_edit_row",
                {
                    "edit_id": edit_id,
                    "track_id": key[0],
                    "time": key[1],
                    "before_box": None if before is None else _box_of(before),
                    "before_flags": None if before is None else before["flags"],
                    "before_keypoints": None if before is None else before["keypoints"],
                    "before_score": None if before is None else before["score"],
                    "after_box": _box_of(after),
                    "after_flags": after["flags"],
                },
            )
        return edit_record(row)

    def _edit(self, chunk: Row, edit: Edit) -> None:
        if edit.at.tzinfo is None:
            raise OperatorMistake("The time of an edit needs its time zone.")
        if not chunk["start_at"] <= edit.at <= chunk["end_at"]:
            raise OperatorMistake("That instant is not within this recording.")
        match edit:
            case DeleteBox():
                self._delete(chunk, edit)
            case MoveBox():
                self._move(chunk, edit)
            case AddBox():
                self._add(chunk, edit)
            case AssignTrack():
                self._assign(chunk, edit)

    def _delete(self, chunk: Row, edit: DeleteBox) -> None:
        track = self._track(chunk, edit.track_id)
        start, end = _reach(chunk, edit.at, edit.extent)
        rows = [row for row in self._of(edit.track_id, start, end) if not row["flags"] & DELETED]
        if not rows and edit.extent is Extent.FRAME:
            # Between two stored pictures: the row says that there is nothing in this one.
            box = self._nearest_box(chunk, edit.track_id, edit.at)
            self._put(chunk, track, edit.at, box, CORRECTED | DELETED)
        elif not rows:
            raise OperatorMistake("That track has no detections there that are not deleted.")
        for row in rows:
            self._change(edit.track_id, row, {"flags": row["flags"] | CORRECTED | DELETED})
        self._done.words.append(f"deleted {_boxes(edit.extent)} of track {track['number']}")

    def _move(self, chunk: Row, edit: MoveBox) -> None:
        track = self._track(chunk, edit.track_id)
        box = _checked(chunk, edit.box_xyxy_px)
        start, end = _reach(chunk, edit.at, Extent.FRAME)
        rows = self._of(edit.track_id, start, end)
        if rows:
            row = min(rows, key=lambda one: abs(one["time"] - edit.at))
            changes = _boxed(box) | {
                "flags": (row["flags"] | CORRECTED) & ~DELETED,
                "keypoints": _kept_keypoints(row, box),
                "score": _SURE,
            }
            self._change(edit.track_id, row, changes)
        else:
            self._nearest_box(chunk, edit.track_id, edit.at)
            self._put(chunk, track, edit.at, box, CORRECTED)
        self._done.words.append(f"moved a box of track {track['number']}")

    def _add(self, chunk: Row, edit: AddBox) -> None:
        box = _checked(chunk, edit.box_xyxy_px)
        found: Sequence[Row] = ()
        if edit.horse_id is not None:
            asked = {"horse_id": edit.horse_id, "at": edit.at, "stream_key": chunk["stream_key"]}
            found = self._rows("track_of_horse", asked)
        if found:
            self._add_to(chunk, found[0], edit.at, box)
        else:
            self._add_new(chunk, edit, box)
        self._done.words.append("added a box")

    def _add_to(self, chunk: Row, track: Row, at: datetime, box: Box) -> None:
        start, end = _reach(chunk, at, Extent.FRAME)
        rows = self._of(track["id"], start, end)
        if any(not row["flags"] & DELETED for row in rows):
            raise OperatorMistake("That horse has a box in this picture; move it instead.")
        if not rows:
            self._put(chunk, track, at, box, CORRECTED)
            return
        changes = _boxed(box) | {
            "flags": (rows[0]["flags"] | CORRECTED) & ~DELETED,
            "keypoints": None,
            "score": _SURE,
        }
        self._change(track["id"], rows[0], changes)

    def _add_new(self, chunk: Row, edit: AddBox, box: Box) -> None:
        track_id = new_track_id()
        fields = {"track_id": track_id, "stream_key": chunk["stream_key"], "at": edit.at}
        self._rows("add_track", fields)
        self._done.made.append(track_id)
        self._put(chunk, {"id": track_id, "class_id": 0}, edit.at, box, CORRECTED)
        self._correct(Reassign(track_id, edit.horse_id))

    def _assign(self, chunk: Row, edit: AssignTrack) -> None:
        track = self._track(chunk, edit.track_id)
        start, end = _reach(chunk, edit.at, edit.extent)
        self._correct(Reassign(edit.track_id, edit.horse_id, start, end))
        self._done.tracks.add(edit.track_id)
        self._done.words.append(f"said whose track {track['number']} is")

    def _correct(self, correction: Reassign) -> None:
        identity = IdentityTransaction(self._connection, self._actor)
        self._done.commands.append(identity.apply(correction, self._reason, {}))

    # --- undoing -------------------------------------------------------------------------------

    def undo(self, edit_id: EditId) -> tuple[EditRecord, list[CommandRecord]]:
        """Put everything back; the record and the corrections that were taken back."""
        edit = self._one("hold_edit", {"id": edit_id}, f"There is no edit {edit_id}.")
        if edit["undone_at"] is not None:
            raise Conflict(f"{edit['undone_by']} undid that already ({_clock(edit['undone_at'])}).")
        later = self._rows("later_edit", {"id": edit_id})
        if later:
            raise Conflict(
                f"{later[0]['actor']} {later[0]['summary']} afterwards ({_clock(later[0]['at'])}).",
                "Undo that first.",
            )
        identity = IdentityTransaction(self._connection, self._actor)
        undone = []
        for command_id in reversed(edit["commands"]):
            command = identity.command(CommandId(command_id))
            if command["undone_at"] is None:
                undone.append(identity.undo(CommandId(command_id)))
        for row in self._rows("current_rows", {"id": edit_id}):
            self._restore(row)
        self._rows("empty_track", {"tracks": edit["tracks"]})
        record = self._rows("mark_undone", {"id": edit_id, "actor": self._actor})[0]
        return edit_record(record), undone

    def _restore(self, row: Row) -> None:
        if row["flags"] is None:
            return
        if row["box"] != row["after_box"] or row["flags"] != row["after_flags"]:
            raise Conflict("A detection of that edit was changed meanwhile.")
        key = {"track_id": row["track_id"], "time": row["time"]}
        if row["before_flags"] is None:
            self._rows("remove_row", key)
            return
        values = {
            "flags": row["before_flags"],
            "keypoints": row["before_keypoints"],
            "score": row["before_score"],
        }
        self._rows("change_row", key | values | _boxed(row["before_box"]))

    # --- rows ----------------------------------------------------------------------------------

    def _track(self, chunk: Row, track_id: TrackId) -> Row:
        fields = {"track_id": track_id, "stream_key": chunk["stream_key"]}
        return self._one("track", fields, "There is no such track on this camera.")

    def _of(self, track_id: TrackId, start: datetime, end: datetime) -> Sequence[Row]:
        fields = {"track_id": track_id, "start": start, "end": end}
        return self._rows("rows_of_track", fields)

    def _nearest_box(self, chunk: Row, track_id: TrackId, at: datetime) -> Box:
        rows = self._of(track_id, chunk["start_at"], chunk["end_at"])
        if not rows:
            raise OperatorMistake("That track has no detections in this recording.")
        x1, y1, x2, y2 = _box_of(min(rows, key=lambda row: abs(row["time"] - at)))
        return float(x1), float(y1), float(x2), float(y2)

    def _change(self, track_id: TrackId, row: Row, changes: Row) -> None:
        after = row | changes
        names = ("x1", "y1", "x2", "y2", "flags", "keypoints", "score")
        fields = {name: after[name] for name in names}
        self._rows("change_row", fields | {"track_id": track_id, "time": row["time"]})
        self._note(track_id, row["time"], row, after)

    def _put(self, chunk: Row, track: Row, at: datetime, box: Box, flags: int) -> None:
        row = _boxed(box) | {"flags": flags, "score": _SURE, "keypoints": None}
        fields = {"track_id": track["id"], "time": at, "stream_key": chunk["stream_key"]}
        self._rows("add_row", row | fields | {"class_id": track.get("class_id", 0)})
        self._note(track["id"], at, None, row)

    def _note(self, track_id: UUID, at: datetime, before: Row | None, after: Row) -> None:
        key = RowKey((track_id, at))
        self._done.before.setdefault(key, before)
        self._done.after[key] = after
        self._done.tracks.add(TrackId(track_id))

    def _one(self, name: str, fields: Row, missing: str) -> Row:
        rows = self._rows(name, fields)
        if not rows:
            raise NotFound(missing)
        return rows[0]

    def _rows(self, name: str, fields: Row) -> Sequence[Row]:
        cursor = self._connection.cursor(row_factory=dict_row)
        cursor.execute(self._sql[name], fields)
        return [] if cursor.description is None else cursor.fetchall()


def edit_record(row: Row) -> EditRecord:
    """A record of the history from its row."""
    return EditRecord(
        id=EditId(row["id"]),
        chunk_id=ChunkId(row["chunk_id"]),
        summary=row["summary"],
        actor=row["actor"],
        at=row["at"],
        detections=row["detections"],
        undone_at=row["undone_at"],
        undone_by=row["undone_by"],
    )


def _reach(chunk: Row, at: datetime, extent: Extent) -> tuple[datetime, datetime]:
    """From (inclusive) to (exclusive) of what an edit reaches."""
    half = timedelta(seconds=SAME_PICTURE_S)
    end = max(chunk["end_at"], at + half)
    if extent is Extent.FRAME:
        return at - half, at + half
    return (at - half if extent is Extent.FROM_HERE else chunk["start_at"]), end


def _checked(chunk: Row, box: Box) -> Box:
    """The box within the picture, in whole pixels; OperatorMistake for one that is none."""
    if not all(np.isfinite(box)):
        raise OperatorMistake("The corners of a box must be numbers.")
    wide, high = chunk["width_px"] or 32_767, chunk["height_px"] or 32_767
    x1, x2 = (min(max(x, 0.0), float(wide)) for x in (box[0], box[2]))
    y1, y2 = (min(max(y, 0.0), float(high)) for y in (box[1], box[3]))
    if x2 - x1 < _SMALLEST_PX or y2 - y1 < _SMALLEST_PX:
        raise OperatorMistake("That box is empty or lies outside of the picture.")
    return float(round(x1)), float(round(y1)), float(round(x2)), float(round(y2))


def _boxed(box: Sequence[float]) -> Row:
    return dict(zip(("x1", "y1", "x2", "y2"), map(int, box), strict=True))


def _box_of(row: Row) -> list[int]:
    return [row["x1"], row["y1"], row["x2"], row["y2"]]


def _kept_keypoints(row: Row, box: Box) -> bytes | None:
    """The keypoints that lie within the new box, stored relative to it; None where none do."""
    if row["keypoints"] is None:
        return None
    packed = np.frombuffer(row["keypoints"], np.uint8)[None, :]
    old = np.array([_box_of(row)], np.int16)
    points, scores = keypoints.unpack(packed, old)
    x1, y1, x2, y2 = box
    x, y = points[..., 0], points[..., 1]
    scores = np.where((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2), scores, 0.0)
    if not scores.any():
        return None
    new = np.array([box], np.int16)
    return keypoints.pack(points, scores.astype(np.float32), new).tobytes()


def _boxes(extent: Extent) -> str:
    return {Extent.FRAME: "a box", Extent.FROM_HERE: "the boxes from there on"}.get(
        extent, "all boxes"
    )


def _copied(done: Outcome) -> Outcome:
    return Outcome(
        dict(done.before), dict(done.after), set(done.tracks), list(done.commands),
        list(done.made), list(done.words), dict(done.refused),
    )  # fmt: skip


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
