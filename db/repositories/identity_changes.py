"""Writes what a correction does, and takes it back, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from db.queries import queries
from db.repositories.recomputation import recompute
from engine.domain.errors import Bug, Conflict
from engine.domain.horses import Horse
from engine.domain.identity import CommandId, Merge, Span
from engine.domain.ids import HorseId
from engine.identity.changes import Change, HorseChange, Pair
from engine.identity.profiles import PROFILE_FIELDS

Row = dict[str, Any]
PERSON_COLUMNS = (*PROFILE_FIELDS, "status", "merged_into")
"""What corrections change in a horse's row."""
FIGURE_COLUMNS = (
    "last_stream_id",
    "first_seen_at",
    "last_seen_at",
    "total_detections",
)
"""What follows from its spans."""


class ChangeWriter:
    """Statements on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sql = queries("identity")

    def execute(self, name: str, fields: Mapping[str, object]) -> list[Row]:
        """Run a named statement; its rows, none for a statement without."""
        cursor = self._connection.cursor(row_factory=dict_row)
        cursor.execute(self._sql[name], fields)
        return [] if cursor.description is None else cursor.fetchall()

    def rows_of(self, horse_ids: Iterable[HorseId]) -> dict[HorseId, Row]:
        """Locked rows of horses as they are recorded with a command."""
        found = self.execute("horse_rows", {"ids": sorted(set(horse_ids))})
        return {HorseId(row["id"]): row["row"] for row in found}

    # --- doing -------------------------------------------------------------------------------

    def write(self, command_id: CommandId, change: Change, touched: Collection[HorseId]) -> None:
        """Everything of a change but the made horses and the record of the command."""
        self._end_spans(command_id, change.ended)
        self._begin_spans(command_id, change.begun)
        if change.created:
            self.execute("place_horses", {"created": list(change.created)})
        self._change_horses(change.horses)
        removed = self._remove_pairs(change.pairs_removed)
        if change.pairs_added:
            self.execute("add_pairs", {"command": command_id, **_pair_columns(change.pairs_added)})
        approved = self._approve(change.approved, True)
        unapproved = self._approve(change.unapproved, False)
        self._complete(command_id, touched, removed, approved, unapproved)

    def write_merge(self, command_id: CommandId, merge: Merge, change: Change) -> None:
        """The same for a merge, moving the spans without reading them."""
        ids = {"command": command_id, "kept": merge.kept, "absorbed": merge.absorbed}
        self.execute("move_spans", ids)
        self._change_horses(change.horses)
        removed = [row["row"] for row in self.execute("remove_pairs_of_merge", ids)]
        self._complete(command_id, {merge.kept, merge.absorbed}, removed, [], [])

    def _complete(
        self,
        command_id: CommandId,
        horse_ids: Collection[HorseId],
        removed: Sequence[Row],
        approved: Sequence[object],
        unapproved: Sequence[object],
    ) -> None:
        recompute(self._connection, horse_ids, command_id)
        fields = {
            "id": command_id,
            "horses_after": Jsonb(list(self.rows_of(horse_ids).values())),
            "approved": list(approved),
            "unapproved": list(unapproved),
            "pairs_removed": Jsonb(list(removed)),
        }
        self.execute("complete_command", fields)

    def add_horse(self, horse: Horse, number: int) -> None:
        """Store the record of a horse that a correction makes."""
        fields = {
            "id": horse.id,
            "farm_id": horse.farm_id,
            "number": number,
            "label": horse.label,
            "colour_hex": horse.colour_hex,
            "status": horse.status.value,
        }
        self.execute("add_horse", fields)

    def _end_spans(self, command_id: CommandId, spans: Collection[Span]) -> None:
        if not spans:
            return
        statement = self._sql["end_spans"]
        fields = {"command": command_id, "ids": [span.id for span in spans]}
        if self._connection.execute(statement, fields).rowcount != len(spans):
            raise Bug("a span ended while identities were held")

    def _begin_spans(self, command_id: CommandId, spans: Collection[Span]) -> None:
        if not spans:
            return
        ordered = list(spans)
        fields = {
            "command": command_id,
            "ids": [span.id for span in ordered],
            "horses": [span.horse_id for span in ordered],
            "confidences": [span.confidence for span in ordered],
            "deciders": [span.decided_by for span in ordered],
            **stretches(ordered),
        }
        self.execute("begin_spans", fields)

    def _change_horses(self, changes: Iterable[HorseChange]) -> None:
        for change in changes:
            if change.before is None or change.after is None:
                continue
            after = change.after
            fields: Row = {name: getattr(after.profile, name) for name in PROFILE_FIELDS}
            fields |= {"id": after.id, "status": after.status, "merged_into": after.merged_into}
            self.execute("change_horse", fields)

    def _remove_pairs(self, pairs: Collection[Pair]) -> list[Row]:
        if not pairs:
            return []
        return [row["row"] for row in self.execute("remove_pairs", _pair_columns(pairs))]

    def _approve(self, spans: Collection[Span], approved: bool) -> list[object]:
        if not spans:
            return []
        fields = {"approved": approved, **stretches(spans)}
        return [row["id"] for row in self.execute("approve", fields)]

    # --- undoing -----------------------------------------------------------------------------

    def disturbed(self, command: Row) -> list[Row]:
        """Spans that the command ended and about whose tracks something was decided since."""
        return self.execute("disturbed", {"id": command["id"], "effect_at": command["effect_at"]})

    def take_back(self, command: Row, disturbed: Sequence[Row]) -> set[HorseId]:
        """Undo a command that nothing depends on (see ``refuse_dependents``); the horses whose
        spans or records changed."""
        command_id = CommandId(command["id"])
        touched = [HorseId(one) for one in command["horse_ids"] if one not in command["created"]]
        rows = self.rows_of(touched)
        moved_on = self._put_back_spans(command, disturbed)
        self._put_back_pairs(command)
        for ids, approved in ((command["approved"], False), (command["unapproved"], True)):
            if ids:
                self.execute("set_approval", {"ids": ids, "approved": approved})
        moved_on |= self._drop_created(command)
        again = self._put_back_horses(command, rows, moved_on)
        joined = self._join_merges()
        recompute(self._connection, again | joined)
        self.execute("reopen_reviews", {"id": command_id})
        return joined.union(touched)

    def _put_back_spans(self, command: Row, disturbed: Sequence[Row]) -> bool:
        """True when not all came back as it was."""
        fields: Row = {"id": command["id"]}
        self.execute("take_back_spans", fields)
        parted = [span for span in disturbed if not span["untouched"]]
        for span in parted:
            part = {"id": span["id"], "command": command["id"], "free": span["free"]}
            self.execute("revive_parts", part)
            self.execute("leave_ended", part)
        if disturbed:
            self.execute("yield_to_person", fields)
        self.execute("revive_spans", fields)
        if command["kind"] == "merge":
            fields["absorbed"] = command["arguments"]["absorbed"]
            back = self.execute("hand_back_spans", fields)[0]
            if back["replaced"] or back["current"] != command["spans"]:
                return True
        return bool(disturbed)

    def _join_merges(self) -> set[HorseId]:
        """Spans that came back to horses merged meanwhile follow the merges; who has them now."""
        joined: set[HorseId] = set()
        while rows := self.execute("join_merges", {}):
            joined |= {HorseId(row["horse_id"]) for row in rows}
        return joined

    def _put_back_pairs(self, command: Row) -> None:
        self.execute("drop_pairs", {"id": command["id"]})
        if command["pairs_removed"]:
            self.execute("restore_pairs", {"rows": Jsonb(command["pairs_removed"])})

    def _drop_created(self, command: Row) -> bool:
        """Remove the horses that the command made; True when spans of theirs went elsewhere."""
        if not command["created"]:
            return False
        origin = _origin(command)
        fields = {"created": command["created"], "origin": origin}
        verb = "drop" if origin is None else "hand_back"
        statement = self._sql[f"{verb}_spans_of_created"]
        moved = self._connection.execute(statement, fields).rowcount > 0
        self.execute(f"{verb}_reviews_of_created", fields)
        self.execute("drop_horses", fields)
        return moved

    def _put_back_horses(
        self, command: Row, rows: Mapping[HorseId, Row], moved_on: bool
    ) -> set[HorseId]:
        """Restore records; those whose figures must be found anew, because more happened since
        than the command."""
        before = {row["id"]: row for row in command["horses_before"]}
        after = {row["id"]: row for row in command["horses_after"]}
        restored, again, untouched = [], set(), []
        for horse_id, row in rows.items():
            then, left = before[str(horse_id)], after[str(horse_id)]
            changed = [name for name in PERSON_COLUMNS if then[name] != left[name]]
            new = row | {name: then[name] for name in changed}
            if moved_on or any(row[name] != left[name] for name in FIGURE_COLUMNS):
                again.add(horse_id)
            else:
                new |= {name: then[name] for name in FIGURE_COLUMNS}
                if row["avatar_score"] == left["avatar_score"]:
                    untouched.append(horse_id)
            restored.append(new)
        self.execute("restore_horses", {"rows": Jsonb(restored)})
        self.execute("restore_avatars", {"id": command["id"], "horses": untouched})
        self.execute("forget_avatars", {"id": command["id"]})
        return again


def _origin(command: Row) -> object:
    """Whose spans a horse made by the command got, if they were one horse's."""
    others = [one for one in command["horse_ids"] if one not in command["created"]]
    return others[0] if len(others) == 1 else None


def stretches(spans: Iterable[Span]) -> dict[str, object]:
    """Spans as columns of tracks and bounds."""
    ordered = list(spans)
    return {
        "tracks": [span.track_id for span in ordered],
        "since": [span.start for span in ordered],
        "until": [span.end for span in ordered],
    }


def _pair_columns(pairs: Iterable[Pair]) -> dict[str, object]:
    ordered = sorted(pairs)
    return {"tracks": [pair[0] for pair in ordered], "horses": [pair[1] for pair in ordered]}


# --- what stands in the way ----------------------------------------------------------------------


def refuse_dependents(writer: ChangeWriter, command: Row, disturbed: Sequence[Row]) -> None:
    """Conflict naming the later command that depends on this one."""
    fields: Row = {
        "id": command["id"],
        "effect": command["effect"],
        "tracks": [span["track_id"] for span in disturbed],
        "free": [span["free"] for span in disturbed],
    }
    for name in ("command_on_spans", "command_on_stretches", "command_on_pairs"):
        found = writer.execute(name, fields)
        if found:
            raise _depends(found[0])
    mine, created = _changed_columns(command), set(command["created"])
    if not mine and not created:
        return
    asked = {"horses": [UUID(one) for one in mine] + list(created), "effect": command["effect"]}
    for later in writer.execute("later_commands", asked):
        theirs = _changed_columns(later)
        if created & set(later["horse_ids"]) or any(
            mine[one] & theirs.get(one, set()) for one in mine
        ):
            raise _depends(later)
    if changed_since(writer, command["horses_after"], command["horses_before"]):
        raise Conflict("The horse's record was changed since, and by no correction.")
    area = writer.execute("areas_of_horses", {"horses": list(created)})
    if area:
        raise Conflict(
            f"The horse that this made is expected in {area[0]['name']}.",
            "Expect another horse there first.",
        )


def _changed_columns(command: Row) -> dict[str, set[str]]:
    """What a command changed in the records of horses that were there before, by their ids."""
    before = {row["id"]: row for row in command["horses_before"]}
    pairs = [(before[row["id"]], row) for row in command["horses_after"] if row["id"] in before]
    changed = {
        then["id"]: {name for name in PERSON_COLUMNS if then[name] != left[name]}
        for then, left in pairs
    }
    return {horse: columns for horse, columns in changed.items() if columns}


def changed_since(
    writer: ChangeWriter, recorded: Sequence[Row], other: Sequence[Row]
) -> list[HorseId]:
    """Horses in both recordings that differ now from the first in what differs between the two."""
    rows = {
        str(key): row
        for key, row in writer.rows_of(HorseId(UUID(r["id"])) for r in recorded).items()
    }
    opposite = {row["id"]: row for row in other}
    changed: list[HorseId] = []
    for row in recorded:
        now, against = rows.get(row["id"]), opposite.get(row["id"])
        if against is None:
            continue
        differing = [name for name in PERSON_COLUMNS if row[name] != against[name]]
        if now is None or any(now[name] != row[name] for name in differing):
            changed.append(HorseId(UUID(row["id"])))
    return changed


def _depends(later: Row) -> Conflict:
    return Conflict(
        f"A later correction depends on it: {later['actor']} {later['summary']} "
        f"({later['at']:%Y-%m-%d %H:%M:%S} UTC).",
        "Undo that one first.",
    )
