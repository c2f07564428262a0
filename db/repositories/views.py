"""Saved wall views (port ViewRepository)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound
from engine.domain.ids import StreamId
from engine.domain.ports import WallView


class PostgresViewRepository:
    """Views in the table of that name."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("views")

    def list(self) -> Sequence[WallView]:
        """All views, those on a number key first."""
        with transaction(self._pool, "listing the wall views") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            rows = cursor.execute(self._sql["list"]).fetchall()
        return tuple(
            WallView(
                id=row["id"],
                name=row["name"],
                layout=row["layout"],
                tiles=tuple(None if tile is None else StreamId(tile) for tile in row["tiles"]),
                overlays=tuple(row["overlays"]),
                slot=row["slot"],
            )
            for row in rows
        )

    def save(self, view: WallView) -> None:
        """Store a new view or the changes of one; it takes its slot from the view that had it."""
        with transaction(self._pool, f"saving the view {view.name!r}") as connection:
            if view.slot is not None:
                connection.execute(self._sql["free_slot"], {"slot": view.slot, "id": view.id})
            connection.execute(
                self._sql["save"],
                {
                    "id": view.id,
                    "name": view.name,
                    "layout": view.layout,
                    "tiles": list(view.tiles),
                    "overlays": list(view.overlays),
                    "slot": view.slot,
                },
            )

    def remove(self, view_id: UUID) -> None:
        """Forget a view; NotFound when there is none."""
        with transaction(self._pool, "removing a view") as connection:
            if not connection.execute(self._sql["remove"], {"id": view_id}).rowcount:
                raise NotFound(f"There is no view {view_id}.")
