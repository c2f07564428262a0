"""Corrections of identity (port IdentityRepository): one transaction and one record each.

Corrections wait for each other and for the engine's decisions that are being stored
(``hold_identities``), so what a correction was computed on is what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.repositories.identity_changes import ChangeWriter
from db.repositories.identity_reviews import decide, review_of
from db.repositories.identity_transaction import IdentityTransaction, record_of
from engine.domain.errors import OperatorMistake
from engine.domain.identity import (
    CommandId,
    CommandRecord,
    Correction,
    Effect,
    Review,
    ReviewId,
    Verdict,
)
from engine.domain.ids import FarmId, HorseId

MAX_LIMIT = 1000


class PostgresIdentityRepository:
    """Spans, horses' records and the history of corrections in PostgreSQL."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    # --- asking ------------------------------------------------------------------------------

    def preview(self, correction: Correction) -> Effect:
        """What it would change, counted. Raises NotFound for unknown horses and tracks; what
        makes no sense is said in ``forbidden``."""
        with transaction(self._pool, "looking at what a correction would change") as connection:
            return IdentityTransaction(connection, "").preview(correction)

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
            return tuple(map(record_of, ChangeWriter(connection).execute("history", fields)))

    def reviews(self, farm_id: FarmId | None = None, limit: int = 50) -> Sequence[Review]:
        """Open questions, oldest first, those put off last."""
        fields = {"farm_id": farm_id, "limit": _limited(limit)}
        with transaction(self._pool, "reading the open questions") as connection:
            return tuple(map(review_of, ChangeWriter(connection).execute("reviews", fields)))

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
            return IdentityTransaction(connection, actor).apply(correction, reason, expected or {})

    def undo(self, command_id: CommandId, actor: str) -> CommandRecord:
        """Put everything back as it was before the command.

        What the engine decided about its tracks since then stays, as if the command had never
        been. Raises NotFound; Conflict naming the later command that depends on it, or saying that
        it is undone already.
        """
        with transaction(self._pool, "undoing a correction") as connection:
            return IdentityTransaction(connection, actor).undo(command_id)

    def redo(self, command_id: CommandId, actor: str) -> CommandRecord:
        """Do an undone command again, under its own id. Raises NotFound; Conflict when it is not
        undone, or what it changes is no longer as it was."""
        with transaction(self._pool, "doing a correction again") as connection:
            return IdentityTransaction(connection, actor).redo(command_id)

    def decide(self, review_id: ReviewId, verdict: Verdict, actor: str) -> CommandRecord | None:
        """Answer one; the correction it led to, if any.

        A match: SAME gives the track to the horse and approves its vectors, DIFFERENT rejects it.
        A crossing: SAME says that both kept their places, DIFFERENT that they changed them, which
        swaps the two tracks from the crossing on. Raises NotFound, Conflict when it is answered.
        """
        with transaction(self._pool, "answering a question") as connection:
            return decide(IdentityTransaction(connection, actor), review_id, verdict)


def _limited(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise OperatorMistake(f"The limit must be between 1 and {MAX_LIMIT}.")
    return limit
