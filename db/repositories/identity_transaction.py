"""One transaction's work on identities: preview, apply, undo, redo."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

from db.repositories.correction_json import correction_from_json, correction_to_json
from db.repositories.identity_changes import (
    ChangeWriter,
    Row,
    changed_since,
    refuse_dependents,
    stretches,
)
from db.repositories.identity_state import StateReader, named_horses
from db.track_colours import colour_hex, colour_of_hex
from engine.domain.errors import Bug, Conflict, NotFound, OperatorMistake
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import (
    CommandId,
    CommandRecord,
    Correction,
    Effect,
    Merge,
    Reassign,
    Reject,
    Split,
)
from engine.domain.ids import FarmId, HorseId
from engine.identity.changes import Change, Correcting, IdentityState
from engine.identity.corrections import change_of
from engine.identity.merging import TWO_HORSES_ADVICE, merged_records
from engine.identity.wording import summary
from engine.tracking.colours import colour_index


@dataclass(frozen=True, slots=True)
class Plan:
    """What a correction will do: spans and detections that change hands, horses that it touches,
    and the record of the one it makes. A merge's spans are not in ``change``."""

    change: Change
    spans: int
    detections: int
    touched: frozenset[HorseId]
    fresh: Horse | None


class IdentityTransaction:
    """One transaction's work on identities."""

    def __init__(self, connection: Connection, actor: str) -> None:
        self.reader = StateReader(connection)
        self.writer = ChangeWriter(connection)
        self.actor = actor

    # --- preview -----------------------------------------------------------------------------

    def preview(self, correction: Correction) -> Effect:
        state = self.reader.state_for(correction)
        expected = {one: state.horses[one].version for one in named_horses(correction)}
        overlap_s = 0.0
        try:
            if isinstance(correction, Merge):
                merged_records(state, correction)
                overlap_s, words = self._seen_at_once(state, correction)
                words = f"{words} {TWO_HORSES_ADVICE}" if words else ""
                row = self.writer.execute("counts_of_horse", {"id": correction.absorbed})[0]
                return Effect(
                    2, row["tracks"], row["spans"], row["detections"], row["seen_s"], overlap_s,
                    words, expected,
                )  # fmt: skip
            farm_id = _farm_of(state, correction)
            fresh = self._fresh(state, farm_id, "a new horse") if _makes_horse(correction) else None
            change = change_of(state, correction, Correcting(self.actor, fresh))
        except NotFound:
            raise
        except OperatorMistake as mistake:
            return Effect(0, 0, 0, 0, 0.0, overlap_s, str(mistake), expected)
        moved = change.moved
        row = self.writer.execute("counts_of_stretches", stretches(moved))[0]
        touched = change.horse_ids - set(change.created)
        return Effect(
            len(change.horse_ids), row["tracks"], len(moved), row["detections"], row["seen_s"],
            0.0, "", {one: state.horses[one].version for one in touched},
        )  # fmt: skip

    def _seen_at_once(self, state: IdentityState, merge: Merge) -> tuple[float, str]:
        return self.reader.seen_at_once(state.horses[merge.kept], state.horses[merge.absorbed])

    # --- apply -------------------------------------------------------------------------------

    def apply(
        self, correction: Correction, reason: str, expected: Mapping[HorseId, int]
    ) -> CommandRecord:
        self.writer.execute("hold", {})
        state = self.reader.state_for(correction)
        self._refuse_stale(state, expected)
        return self.do(CommandId(uuid4()), state, correction, reason)

    def _refuse_stale(self, state: IdentityState, expected: Mapping[HorseId, int]) -> None:
        missing = [one for one in expected if one not in state.horses]
        horses = {**state.horses, **(self.reader.horses(missing) if missing else {})}
        for horse_id, version in expected.items():
            horse = horses.get(horse_id)
            if horse is None:
                raise Conflict("A horse of this correction was taken back meanwhile.")
            if horse.version != version:
                raise Conflict(
                    f"{horse.title} was changed meanwhile: {self._last_change(horse_id)}.",
                    "Look at it again and repeat your correction.",
                )

    def _last_change(self, horse_id: HorseId) -> str:
        rows = self.writer.execute("last_change_of_horse", {"horse_id": horse_id})
        if not rows:
            return "its record was written anew"
        row = rows[0]
        if row["undone_at"] is not None:
            at = row["undone_at"]
            return f"{row['undone_by']} undid that {row['actor']} {row['summary']} ({_clock(at)})"
        return f"{row['actor']} {row['summary']} ({_clock(row['effect_at'])})"

    def do(
        self,
        command_id: CommandId,
        state: IdentityState,
        correction: Correction,
        reason: str,
        again: Row | None = None,
    ) -> CommandRecord:
        """Carry out a correction of ``state``; ``again`` is its record when it was undone."""
        farm_id = _farm_of(state, correction)
        plan = self._plan(state, correction, farm_id, again)
        change, touched = plan.change, plan.touched
        before = self.writer.rows_of(touched)
        if plan.fresh is not None:
            self.writer.add_horse(plan.fresh, int(plan.fresh.label.rpartition("_")[2]))
        kind, arguments = correction_to_json(correction)
        self.writer.execute(
            "add_command",
            {
                "id": command_id,
                "farm_id": farm_id,
                "kind": kind,
                "arguments": Jsonb(arguments),
                "summary": summary(state, correction, change),
                "horses_before": Jsonb(list(before.values())),
                "horse_ids": sorted(touched),
                "created": list(change.created),
                "spans": plan.spans,
                "detections": plan.detections,
                "actor": self.actor,
                "reason": reason,
            },
        )
        if isinstance(correction, Merge):
            self.writer.write_merge(command_id, correction, change)
        else:
            self.writer.write(command_id, change, touched)
        grown = {"ids": sorted(touched), "created": list(change.created)}
        self.writer.execute("grow_versions", grown)
        self.notify("applied" if again is None else "redone", command_id, farm_id, touched)
        return record_of(self.command(command_id))

    def _plan(
        self, state: IdentityState, correction: Correction, farm_id: FarmId, again: Row | None
    ) -> Plan:
        if isinstance(correction, Merge):
            change = Change(horses=merged_records(state, correction))
            words = self._seen_at_once(state, correction)[1]
            if words:
                raise OperatorMistake(words, TWO_HORSES_ADVICE)
            both = frozenset((correction.kept, correction.absorbed))
            row = self.writer.execute("counts_of_horse", {"id": correction.absorbed})[0]
            return Plan(change, row["spans"], row["detections"], both, None)
        fresh = None
        if _makes_horse(correction):
            fresh = self._fresh_again(again) if again else self._numbered(state, farm_id)
        change = change_of(state, correction, Correcting(self.actor, fresh))
        row = self.writer.execute("counts_of_stretches", stretches(change.moved))[0]
        touched = change.horse_ids | set(named_horses(correction))
        return Plan(change, len(change.moved), row["detections"], touched, fresh)

    # --- horses that a correction makes --------------------------------------------------------

    def _numbered(self, state: IdentityState, farm_id: FarmId) -> Horse:
        number = self.writer.execute("next_number", {"farm_id": farm_id})[0]["number"]
        return self._fresh(state, farm_id, f"horse_{number:03d}")

    def _fresh(self, state: IdentityState, farm_id: FarmId, label: str) -> Horse:
        horse_id = HorseId(uuid4())
        taken = self.writer.execute(
            "camera_colours", {"farm_id": farm_id, "horses": list(state.horses)}
        )
        colour = colour_index(horse_id, {colour_of_hex(row["colour_hex"]) for row in taken})
        return Horse(
            horse_id, farm_id, label, None, colour_hex(colour), HorseStatus.GUEST, None, None, 1
        )

    def _fresh_again(self, command: Row) -> Horse:
        """The record of the horse that the undone command had made."""
        made = [row for row in command["horses_after"] if row["id"] in map(str, command["created"])]
        if not made:
            raise Bug(f"command {command['id']} made no horse")
        row, farm_id = made[0], FarmId(command["farm_id"])
        label, number = row["label"], row["tracking_number"]
        asked = {"farm_id": farm_id, "label": label, "number": number}
        if not self.writer.execute("number_is_free", asked)[0]["free"]:
            number = self.writer.execute("next_number", {"farm_id": farm_id})[0]["number"]
            label = f"horse_{number:03d}"
        return Horse(
            HorseId(command["created"][0]), farm_id, label, None, row["colour_hex"],
            HorseStatus.GUEST, None, None, 1,
        )  # fmt: skip

    # --- undo and redo -----------------------------------------------------------------------

    def undo(self, command_id: CommandId) -> CommandRecord:
        self.writer.execute("hold", {})
        command = self.command(command_id)
        if command["undone_at"] is not None:
            raise Conflict(
                f"{command['undone_by']} undid that already ({_clock(command['undone_at'])})."
            )
        disturbed = self.writer.disturbed(command)
        refuse_dependents(self.writer, command, disturbed)
        touched = self.writer.take_back(command, disturbed)
        self.writer.execute("grow_versions", {"ids": sorted(touched), "created": []})
        self.writer.execute("mark_undone", {"id": command_id, "actor": self.actor})
        self.notify("undone", command_id, command["farm_id"], touched.union(command["horse_ids"]))
        return record_of(self.command(command_id))

    def redo(self, command_id: CommandId) -> CommandRecord:
        self.writer.execute("hold", {})
        command = self.command(command_id)
        if command["undone_at"] is None:
            raise Conflict("That correction is in effect already.")
        correction = correction_from_json(command["kind"], command["arguments"])
        try:
            state = self.reader.state_for(correction)
            changed = changed_since(self.writer, command["horses_before"], command["horses_after"])
            if changed:
                raise Conflict(
                    f"{state.horses[changed[0]].title} was changed meanwhile: "
                    f"{self._last_change(changed[0])}."
                )
            actor, self.actor = self.actor, command["actor"]
            try:
                return self.do(command_id, state, correction, command["reason"], command)
            finally:
                self.actor = actor
        except Conflict:
            raise
        except OperatorMistake as mistake:
            raise Conflict(
                f"It cannot be done again: {mistake.message}", mistake.advice
            ) from mistake

    def command(self, command_id: CommandId) -> Row:
        """The row of a correction. Raises NotFound."""
        rows = self.writer.execute("command", {"id": command_id})
        if not rows:
            raise NotFound(f"There is no correction {command_id}.")
        return rows[0]

    def notify(
        self,
        change: str,
        command_id: CommandId | None,
        farm_id: object,
        horses: Collection[object],
    ) -> None:
        """Tell every listener, at the end of the transaction."""
        payload = {
            "change": change,
            "command_id": None if command_id is None else str(command_id),
            "farm_id": str(farm_id),
            "horse_ids": sorted(map(str, horses)),
        }
        self.writer.execute("notify", {"payload": json.dumps(payload)})


def _makes_horse(correction: Correction) -> bool:
    match correction:
        case Split(into=None) | Reassign(horse_id=None):
            return True
    return False


def _farm_of(state: IdentityState, correction: Correction) -> FarmId:
    match correction:
        case Reassign() | Reject():
            return state.track(correction.track_id).farm_id
    return state.horses[named_horses(correction)[0]].farm_id


def _clock(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def record_of(row: Row) -> CommandRecord:
    """A record of the history from its row."""
    return CommandRecord(
        id=CommandId(row["id"]),
        farm_id=FarmId(row["farm_id"]),
        kind=row["kind"],
        summary=row["summary"],
        horse_ids=tuple(HorseId(one) for one in row["horse_ids"]),
        created=tuple(HorseId(one) for one in row["created"]),
        spans=row["spans"],
        detections=row["detections"],
        actor=row["actor"],
        reason=row["reason"],
        at=row["at"],
        undone_at=row["undone_at"],
        undone_by=row["undone_by"],
    )
