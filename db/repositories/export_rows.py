"""Rows to hand out, streamed from the store: any number of them in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.ids import FarmId, HorseId, StreamId

Row = dict[str, Any]
TABLES = ("detections", "bouts", "strides", "metrics", "alerts")
BATCH_ROWS = 5000


@dataclass(frozen=True, slots=True)
class ExportScope:
    """Whose rows, checked: cameras with their names, the horse's record if one was asked for, and
    from when (inclusive) to when (exclusive)."""

    farm_id: FarmId
    cameras: tuple[tuple[StreamId, str], ...]
    horse: Row | None
    start: datetime
    end: datetime

    @property
    def stream_ids(self) -> list[StreamId]:
        """The cameras' ids."""
        return [stream_id for stream_id, _ in self.cameras]

    @property
    def horse_id(self) -> HorseId | None:
        """The horse, the one it was merged into where it was."""
        return None if self.horse is None else HorseId(UUID(str(self.horse["id"])))


class ExportRows:
    """Streams rows of the named queries of ``export.sql``."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("export")

    def scope(
        self,
        farm_id: FarmId,
        stream_ids: Sequence[StreamId],
        horse_id: HorseId | None,
        start: datetime,
        end: datetime,
    ) -> ExportScope:
        """What an export is about. Raises NotFound for cameras or a horse that are not the farm's,
        OperatorMistake for an empty time."""
        if start >= end:
            raise OperatorMistake("The end of an export must be after its start.")
        asked = {"farm_id": farm_id, "stream_ids": list(stream_ids), "horse_id": horse_id}
        with transaction(self._pool, "looking what to export") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            cameras = cursor.execute(self._sql["scope"], asked).fetchall()
            horse = None
            if horse_id is not None:
                horse = cursor.execute(self._sql["horse"], asked).fetchone()
        if set(stream_ids) - {StreamId(row["id"]) for row in cameras}:
            raise NotFound("That farm has no such camera.")
        if horse_id is not None and horse is None:
            raise NotFound(f"That farm has no horse {horse_id}.")
        named = tuple((StreamId(row["id"]), str(row["name"])) for row in cameras)
        return ExportScope(farm_id, named, horse, start, end)

    def rows(self, table: str, scope: ExportScope) -> Iterator[Sequence[Row]]:
        """Batches of a table's rows, oldest first. Raises OperatorMistake for an unknown table."""
        if table not in TABLES:
            raise OperatorMistake(f"Tables to export are {', '.join(TABLES)}, not {table!r}.")
        with (
            transaction(self._pool, f"exporting {table}") as connection,
            connection.cursor(f"export_{table}", row_factory=dict_row) as cursor,
        ):
            cursor.itersize = BATCH_ROWS
            cursor.execute(self._sql[table], self._asked(scope))
            while batch := cursor.fetchmany(BATCH_ROWS):
                yield batch

    def models(self, scope: ExportScope) -> Sequence[Row]:
        """Detector and skeleton names with how many detections each made."""
        with transaction(self._pool, "looking which models saw this") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return cursor.execute(self._sql["models"], self._asked(scope)).fetchall()

    @staticmethod
    def _asked(scope: ExportScope) -> Row:
        return {
            "farm_id": scope.farm_id,
            "stream_ids": scope.stream_ids,
            "horse_id": scope.horse_id,
            "start": scope.start,
            "end": scope.end,
        }
