"""Edits of detections within chunks (port EditRepository)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from db.repositories.edit_transaction import EditTransaction, edit_record
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.identity import CommandRecord
from engine.domain.recording import ChunkId, Edit, EditEffect, EditId, EditRecord

Corrected = Callable[[CommandRecord, str], object]
"""Hears of a correction of identity and of the act, ``applied`` or ``undone``."""


class PostgresEditRepository:
    """Each set of edits is one transaction over detections, tracks and identities.

    ``on_corrected`` hears of the corrections of identity that were part of it, after the commit.
    """

    def __init__(self, pool: ConnectionPool, on_corrected: Corrected | None = None) -> None:
        self._pool = pool
        self._told = on_corrected
        self._sql = queries("edits")

    def preview(self, chunk_id: ChunkId, edits: Sequence[Edit]) -> EditEffect:
        """What they would change. Raises NotFound."""
        with (
            transaction(self._pool, "looking at what edits would change") as connection,
            connection.transaction(force_rollback=True),
        ):
            done = EditTransaction(connection, "").perform(chunk_id, edits)
            return EditEffect(
                done.detections, len(done.tracks), len(done.horses), dict(done.refused)
            )

    def apply(
        self, chunk_id: ChunkId, edits: Sequence[Edit], actor: str, reason: str = ""
    ) -> EditRecord:
        """Do them all or none. Raises NotFound; OperatorMistake saying what is wrong."""
        with transaction(self._pool, "editing detections") as connection:
            work = EditTransaction(connection, actor, reason)
            done = work.perform(chunk_id, edits)
            if done.refused:
                index, words = min(done.refused.items())
                which = f"Edit {index + 1} of {len(edits)}: " if len(edits) > 1 else ""
                raise OperatorMistake(f"{which}{words}", "Nothing was changed.")
            record = work.record(chunk_id, edits)
        self._tell(done.commands, "applied")
        return record

    def undo(self, edit_id: EditId, actor: str) -> EditRecord:
        """Put everything back. Raises NotFound; Conflict naming the later act in the way."""
        with transaction(self._pool, "undoing edits") as connection:
            record, commands = EditTransaction(connection, actor).undo(edit_id)
        self._tell(commands, "undone")
        return record

    def history(self, chunk_id: ChunkId) -> Sequence[EditRecord]:
        """Newest first."""
        with transaction(self._pool, "reading the history of edits") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            rows = cursor.execute(self._sql["history"], {"chunk_id": chunk_id}).fetchall()
        return tuple(map(edit_record, rows))

    def chunk_of(self, edit_id: EditId) -> ChunkId:
        """The chunk that an edit is of. Raises NotFound."""
        with transaction(self._pool, "reading an edit") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            row: dict[str, Any] | None = cursor.execute(
                self._sql["edit"], {"id": edit_id}
            ).fetchone()
        if row is None:
            raise NotFound(f"There is no edit {edit_id}.")
        return ChunkId(UUID(str(row["chunk_id"])))

    def _tell(self, commands: Sequence[CommandRecord], act: str) -> None:
        if self._told is not None:
            for command in commands:
                self._told(command, act)
