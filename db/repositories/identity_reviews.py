"""Answers to the engine's questions, and the corrections they lead to."""

from __future__ import annotations

import contextlib
from uuid import uuid4

from db.repositories.identity_changes import Row
from db.repositories.identity_transaction import IdentityTransaction
from engine.domain.errors import Conflict, NotFound
from engine.domain.identity import (
    CommandId,
    CommandRecord,
    Correction,
    Reassign,
    Reject,
    Review,
    ReviewId,
    ReviewKind,
    Swap,
    Verdict,
)
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.identity.changes import AlreadySo


def decide(
    work: IdentityTransaction, review_id: ReviewId, verdict: Verdict
) -> CommandRecord | None:
    """Answer a question; see the port."""
    work.writer.execute("hold", {})
    rows = work.writer.execute("review", {"id": review_id})
    if not rows:
        raise NotFound(f"There is no question {review_id}.")
    review = rows[0]
    if review["state"] != "open":
        raise Conflict(f"{review['decided_by']} answered that already.")
    if verdict is Verdict.LATER:
        work.writer.execute("defer_review", {"id": review_id})
        work.notify("deferred", None, review["farm_id"], [review["horse_id"]])
        return None
    record = None
    correction = _correction_of(work, review, verdict)
    if correction is not None:
        state = work.reader.state_for(correction)
        with contextlib.suppress(AlreadySo):  # said before, in answer to another question
            record = work.do(CommandId(uuid4()), state, correction, "review")
    if record is None:
        work.notify("decided", None, review["farm_id"], [review["horse_id"]])
    work.writer.execute(
        "settle_review",
        {
            "id": review_id,
            "state": verdict.value,
            "actor": work.actor,
            "command": None if record is None else record.id,
        },
    )
    return record


def _correction_of(work: IdentityTransaction, review: Row, verdict: Verdict) -> Correction | None:
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
        for row in work.writer.execute("owners_after", asked)
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


def review_of(row: Row) -> Review:
    """A question from its row."""
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
