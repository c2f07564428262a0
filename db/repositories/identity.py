"""Corrections of identity (port IdentityRepository): one transaction and one record each.

Corrections wait for each other and for the engine's decisions that are being stored
(``hold_identities``), so what a correction was computed on is what it changes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool
from pydantic import TypeAdapter

from db.pool import transaction
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
    Accept,
    CommandId,
    CommandRecord,
    Correction,
    Effect,
    Merge,
    Reassign,
    Reject,
    Rename,
    Review,
    ReviewId,
    ReviewKind,
    Split,
    Swap,
    Verdict,
)
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from engine.identity.changes import AlreadySo, Change, Correcting, IdentityState
from engine.identity.corrections import change_of
from engine.identity.merging import TWO_HORSES_ADVICE, merged_records
from engine.identity.wording import summary
from engine.tracking.colours import colour_index

KINDS: Mapping[str, type[Correction]] = {
    "merge": Merge,
    "split": Split,
    "swap": Swap,
    "reassign": Reassign,
    "reject": Reject,
    "rename": Rename,
    "accept": Accept,
}
_ADAPTERS = {kind: TypeAdapter(cls) for kind, cls in KINDS.items()}
MAX_LIMIT = 1000


def correction_to_json(correction: Correction) -> tuple[str, dict[str, Any]]:
    """Kind and arguments of a correction, as the history stores them."""
    kind = type(correction).__name__.lower()
    arguments: dict[str, Any] = _ADAPTERS[kind].dump_python(correction, mode="json")
    return kind, arguments


def correction_from_json(kind: str, arguments: Mapping[str, Any]) -> Correction:
    """The correction that was stored so."""
    correction: Correction = _ADAPTERS[kind].validate_python(arguments)
    return correction


class PostgresIdentityRepository:
    """Spans, horses' records and the history of corrections in PostgreSQL."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    # --- asking ------------------------------------------------------------------------------

    def preview(self, correction: Correction) -> Effect:
        """What it would change, counted. Raises NotFound for unknown horses and tracks; what
        makes no sense is said in ``forbidden``."""
        with transaction(self._pool, "looking at what a correction would change") as connection:
            return _Attempt(connection, "").preview(correction)

    def history(
        self,
        farm_id: FarmId | None = None,
        horse_id: HorseId | None = None,
        limit: int = 100,
        before: CommandId | None = None,
    ) -> Sequence[CommandRecord]:
        """Newest first; ``before`` continues after a record of an earlier page."""
        fields = {
            "farm_id": farm_id,
            "horse_id": horse_id,
            "limit": _limited(limit),
            "before": before,
        }
        with transaction(self._pool, "reading the history of corrections") as connection:
            return tuple(map(_record, ChangeWriter(connection).execute("history", fields)))

    def reviews(self, farm_id: FarmId | None = None, limit: int = 50) -> Sequence[Review]:
        """Open questions, oldest first, those put off last."""
        fields = {"farm_id": farm_id, "limit": _limited(limit)}
        with transaction(self._pool, "reading the open questions") as connection:
            return tuple(map(_review, ChangeWriter(connection).execute("reviews", fields)))

    # --- doing -------------------------------------------------------------------------------

    def apply(
        self,
        correction: Correction,
        actor: str,
        reason: str = "",
        expected: Mapping[HorseId, int] | None = None,
    ) -> CommandRecord:
        """Do it. Raises NotFound; OperatorMistake when it makes no sense (it says why); Conflict
        naming the other person's change when a horse is not of the ``expected`` version."""
        with transaction(self._pool, "correcting an identity") as connection:
            return _Attempt(connection, actor).apply(correction, reason, expected or {})

    def undo(self, command_id: CommandId, actor: str) -> CommandRecord:
        """Put everything back as it was before the command.

        What the engine decided about its tracks since then stays, as if the command had never
        been. Raises NotFound; Conflict naming the later command that depends on it, or saying that
        it is undone already.
        """
        with transaction(self._pool, "undoing a correction") as connection:
            return _Attempt(connection, actor).undo(command_id)

    def redo(self, command_id: CommandId, actor: str) -> CommandRecord:
        """Do an undone command again, under its own id. Raises NotFound; Conflict when it is not
        undone, or what it changes is no longer as it was."""
        with transaction(self._pool, "doing a correction again") as connection:
            return _Attempt(connection, actor).redo(command_id)

    def decide(self, review_id: ReviewId, verdict: Verdict, actor: str) -> CommandRecord | None:
        """Answer one; the correction it led to, if any.

        A match: SAME gives the track to the horse and approves its vectors, DIFFERENT rejects it.
        A crossing: SAME says that both kept their places, DIFFERENT that they changed them, which
        swaps the two tracks from the crossing on. Raises NotFound, Conflict when it is answered.
        """
        with transaction(self._pool, "answering a question") as connection:
            return _Attempt(connection, actor).decide(review_id, verdict)


class _Attempt:
    """One transaction's work on identities."""

    def __init__(self, connection: Connection, actor: str) -> None:
        self._reader = StateReader(connection)
        self._writer = ChangeWriter(connection)
        self._actor = actor

    # --- preview -----------------------------------------------------------------------------

    def preview(self, correction: Correction) -> Effect:
        state = self._reader.state_for(correction)
        expected = {one: state.horses[one].version for one in named_horses(correction)}
        overlap_s = 0.0
        try:
            if isinstance(correction, Merge):
                merged_records(state, correction)
                overlap_s, words = self._seen_at_once(state, correction)
                words = f"{words} {TWO_HORSES_ADVICE}" if words else ""
                row = self._writer.execute("counts_of_horse", {"id": correction.absorbed})[0]
                return Effect(
                    2, row["tracks"], row["spans"], row["detections"], row["seen_s"], overlap_s,
                    words, expected,
                )  # fmt: skip
            farm_id = _farm_of(state, correction)
            fresh = self._fresh(state, farm_id, "a new horse") if _makes_horse(correction) else None
            change = change_of(state, correction, Correcting(self._actor, fresh))
        except NotFound:
            raise
        except OperatorMistake as mistake:
            return Effect(0, 0, 0, 0, 0.0, overlap_s, str(mistake), expected)
        moved = change.moved
        row = self._writer.execute("counts_of_stretches", stretches(moved))[0]
        touched = change.horse_ids - set(change.created)
        return Effect(
            len(change.horse_ids), row["tracks"], len(moved), row["detections"], row["seen_s"],
            0.0, "", {one: state.horses[one].version for one in touched},
        )  # fmt: skip

    def _seen_at_once(self, state: IdentityState, merge: Merge) -> tuple[float, str]:
        return self._reader.seen_at_once(state.horses[merge.kept], state.horses[merge.absorbed])

    # --- apply -------------------------------------------------------------------------------

    def apply(
        self, correction: Correction, reason: str, expected: Mapping[HorseId, int]
    ) -> CommandRecord:
        self._writer.execute("hold", {})
        state = self._reader.state_for(correction)
        self._refuse_stale(state, expected)
        return self._do(CommandId(uuid4()), state, correction, reason)

    def _refuse_stale(self, state: IdentityState, expected: Mapping[HorseId, int]) -> None:
        missing = [one for one in expected if one not in state.horses]
        horses = {**state.horses, **(self._reader.horses(missing) if missing else {})}
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
        rows = self._writer.execute("last_change_of_horse", {"horse_id": horse_id})
        if not rows:
            return "its record was written anew"
        row = rows[0]
        if row["undone_at"] is not None:
            at = row["undone_at"]
            return f"{row['undone_by']} undid that {row['actor']} {row['summary']} ({_clock(at)})"
        return f"{row['actor']} {row['summary']} ({_clock(row['effect_at'])})"

    def _do(
        self,
        command_id: CommandId,
        state: IdentityState,
        correction: Correction,
        reason: str,
        again: Row | None = None,
    ) -> CommandRecord:
        farm_id = _farm_of(state, correction)
        fresh = None
        if _makes_horse(correction):
            fresh = self._fresh_again(again) if again else self._numbered(state, farm_id)
        if isinstance(correction, Merge):
            change = Change(horses=merged_records(state, correction))
            words = self._seen_at_once(state, correction)[1]
            if words:
                raise OperatorMistake(words, TWO_HORSES_ADVICE)
            touched = {correction.kept, correction.absorbed}
            counts = self._writer.execute("counts_of_horse", {"id": correction.absorbed})[0]
            spans = counts["spans"]
        else:
            change = change_of(state, correction, Correcting(self._actor, fresh))
            touched = set(change.horse_ids) | set(named_horses(correction))
            moved = change.moved
            counts = self._writer.execute("counts_of_stretches", stretches(moved))[0]
            spans = len(moved)
        before = self._writer.rows_of(touched)
        if fresh is not None:
            self._writer.add_horse(fresh, int(fresh.label.rpartition("_")[2]))
        kind, arguments = correction_to_json(correction)
        self._writer.execute(
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
                "spans": spans,
                "detections": counts["detections"],
                "actor": self._actor,
                "reason": reason,
            },
        )
        if isinstance(correction, Merge):
            self._writer.write_merge(command_id, correction, change)
        else:
            self._writer.write(command_id, change, touched)
        self._writer.execute(
            "grow_versions", {"ids": sorted(touched), "created": list(change.created)}
        )
        self._notify("applied", command_id, farm_id, touched)
        return _record(self._command(command_id))

    # --- horses that a correction makes --------------------------------------------------------

    def _numbered(self, state: IdentityState, farm_id: FarmId) -> Horse:
        number = self._writer.execute("next_number", {"farm_id": farm_id})[0]["number"]
        return self._fresh(state, farm_id, f"horse_{number:03d}")

    def _fresh(self, state: IdentityState, farm_id: FarmId, label: str) -> Horse:
        horse_id = HorseId(uuid4())
        taken = self._writer.execute(
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
        if not self._writer.execute("number_is_free", asked)[0]["free"]:
            number = self._writer.execute("next_number", {"farm_id": farm_id})[0]["number"]
            label = f"horse_{number:03d}"
        return Horse(
            HorseId(command["created"][0]), farm_id, label, None, row["colour_hex"],
            HorseStatus.GUEST, None, None, 1,
        )  # fmt: skip

    # --- undo and redo -----------------------------------------------------------------------

    def undo(self, command_id: CommandId) -> CommandRecord:
        self._writer.execute("hold", {})
        command = self._command(command_id)
        if command["undone_at"] is not None:
            raise Conflict(
                f"{command['undone_by']} undid that already ({_clock(command['undone_at'])})."
            )
        disturbed = self._writer.disturbed(command)
        refuse_dependents(self._writer, command, disturbed)
        self._writer.take_back(command, disturbed)
        created = command["created"]
        self._writer.execute("grow_versions", {"ids": command["horse_ids"], "created": created})
        self._writer.execute("mark_undone", {"id": command_id, "actor": self._actor})
        self._notify("undone", command_id, command["farm_id"], command["horse_ids"])
        return _record(self._command(command_id))

    def redo(self, command_id: CommandId) -> CommandRecord:
        self._writer.execute("hold", {})
        command = self._command(command_id)
        if command["undone_at"] is None:
            raise Conflict("That correction is in effect already.")
        correction = correction_from_json(command["kind"], command["arguments"])
        try:
            state = self._reader.state_for(correction)
            changed = changed_since(self._writer, command["horses_before"], command["horses_after"])
            if changed:
                raise Conflict(
                    f"{state.horses[changed[0]].title} was changed meanwhile: "
                    f"{self._last_change(changed[0])}."
                )
            actor, self._actor = self._actor, command["actor"]
            try:
                return self._do(command_id, state, correction, command["reason"], command)
            finally:
                self._actor = actor
        except Conflict:
            raise
        except OperatorMistake as mistake:
            raise Conflict(
                f"It cannot be done again: {mistake.message}", mistake.advice
            ) from mistake

    def _command(self, command_id: CommandId) -> Row:
        rows = self._writer.execute("command", {"id": command_id})
        if not rows:
            raise NotFound(f"There is no correction {command_id}.")
        return rows[0]

    def _notify(
        self, change: str, command_id: CommandId | None, farm_id: object, horses: Any
    ) -> None:
        payload = {
            "change": change,
            "command_id": None if command_id is None else str(command_id),
            "farm_id": str(farm_id),
            "horse_ids": sorted(map(str, horses)),
        }
        self._writer.execute("notify", {"payload": json.dumps(payload)})

    # --- reviews -----------------------------------------------------------------------------

    def decide(self, review_id: ReviewId, verdict: Verdict) -> CommandRecord | None:
        self._writer.execute("hold", {})
        rows = self._writer.execute("review", {"id": review_id})
        if not rows:
            raise NotFound(f"There is no question {review_id}.")
        review = rows[0]
        if review["state"] != "open":
            raise Conflict(f"{review['decided_by']} answered that already.")
        if verdict is Verdict.LATER:
            self._writer.execute("defer_review", {"id": review_id})
            self._notify("deferred", None, review["farm_id"], [review["horse_id"]])
            return None
        record = None
        correction = self._correction_of(review, verdict)
        if correction is not None:
            state = self._reader.state_for(correction)
            with contextlib.suppress(AlreadySo):  # said before, in answer to another question
                record = self._do(CommandId(uuid4()), state, correction, "review")
        if record is None:
            self._notify("decided", None, review["farm_id"], [review["horse_id"]])
        self._writer.execute(
            "settle_review",
            {
                "id": review_id,
                "state": verdict.value,
                "actor": self._actor,
                "command": None if record is None else record.id,
            },
        )
        return record

    def _correction_of(self, review: Row, verdict: Verdict) -> Correction | None:
        track_id, horse_id = TrackId(review["track_id"]), HorseId(review["horse_id"])
        if review["kind"] == ReviewKind.MATCH:
            if verdict is Verdict.SAME:
                return Reassign(track_id, horse_id)
            return Reject(track_id, horse_id)
        if verdict is Verdict.SAME:
            return None
        other = TrackId(review["other_track_id"])
        asked = {"tracks": [track_id, other], "at": review["at"]}
        owners = {
            row["track_id"]: HorseId(row["horse_id"])
            for row in self._writer.execute("owners_after", asked)
        }
        if len(owners) < 2 or owners[track_id] == owners[other]:
            raise Conflict(
                "The two tracks of that crossing are no longer of two horses.",
                "Put them right by hand.",
            )
        return Swap(
            owners[track_id], owners[other], review["at"], StreamId(review["stream_id"]),
            (track_id, other),
        )  # fmt: skip


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


def _limited(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
    return limit


def _clock(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _record(row: Row) -> CommandRecord:
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


def _review(row: Row) -> Review:
    other = row["other_track_id"]
    return Review(
        id=ReviewId(row["id"]),
        kind=ReviewKind(row["kind"]),
        track_id=TrackId(row["track_id"]),
        other_track_id=None if other is None else TrackId(other),
        horse_id=HorseId(row["horse_id"]),
        similarity=row["similarity"],
        at=row["at"],
        stream_id=StreamId(row["stream_id"]),
        deferred=row["deferred"],
    )
