"""Barns, stalls and paddocks of a farm, who is expected where, and how many live there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NewType
from uuid import UUID

import numpy as np
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.identity import Area
from engine.domain.ids import FarmId, HorseId, StreamId

AreaId = NewType("AreaId", UUID)
AREA_KINDS = ("barn", "stall", "aisle", "paddock", "arena", "other")
MAX_RESIDENTS = 10_000


@dataclass(frozen=True, slots=True)
class StoredArea:
    """An area with its place in the store. ``version`` grows with every change."""

    id: AreaId
    farm_id: FarmId
    version: int
    area: Area


class PostgresAreaRepository:
    """Areas in the table of that name. Every change wakes the engines that read them."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("areas")

    def list(self, farm_id: FarmId | None = None) -> Sequence[StoredArea]:
        """Areas of a farm, or of all farms, by name."""
        with transaction(self._pool, "listing the areas") as connection:
            return tuple(map(_stored, self._rows(connection, "list", {"farm_id": farm_id})))

    def get(self, area_id: AreaId) -> StoredArea:
        """One area; NotFound."""
        with transaction(self._pool, "reading an area") as connection:
            return self._get(connection, area_id)

    def add(self, area: Area, farm_id: FarmId | None = None) -> StoredArea:
        """Store a new area. Raises Conflict when the farm has one of that name, NotFound for a
        camera or horse of another farm, OperatorMistake for values that are none."""
        fields = _fields(area) | {"farm_id": farm_id or DEFAULT_FARM}
        with transaction(self._pool, f"adding the area {area.name!r}") as connection:
            self._refuse_strangers(connection, fields)
            added = self._rows(connection, "add", fields)[0]["id"]
            self._rows(connection, "notify", {})
            return self._get(connection, AreaId(added))

    def update(self, stored: StoredArea) -> StoredArea:
        """Store a change made to version ``stored.version``; raises like ``add``, Conflict too if
        that is not current. The farm cannot be changed."""
        fields = _fields(stored.area) | {"id": stored.id}
        with transaction(self._pool, f"changing the area {stored.area.name!r}") as connection:
            locked = self._rows(connection, "lock", {"id": stored.id})
            if not locked:
                raise _missing(stored.id)
            if locked[0]["version"] != stored.version:
                raise Conflict(
                    f"The area {locked[0]['name']!r} was changed meanwhile (version "
                    f"{locked[0]['version']}, you changed version {stored.version}).",
                    "Load it again and repeat your change.",
                )
            farm_id = self._get(connection, stored.id).farm_id
            self._refuse_strangers(connection, fields | {"farm_id": farm_id})
            self._rows(connection, "update", fields)
            self._rows(connection, "notify", {})
            return self._get(connection, stored.id)

    def remove(self, area_id: AreaId) -> None:
        """Remove an area; NotFound when there is none."""
        with transaction(self._pool, "removing an area") as connection:
            if not connection.execute(self._sql["remove"], {"id": area_id}).rowcount:
                raise _missing(area_id)
            self._rows(connection, "notify", {})

    # --- how many live there -------------------------------------------------------------------

    def expected_residents(self, farm_id: FarmId | None = None) -> int | None:
        """How many horses live on a farm, None where nobody said. Raises NotFound."""
        fields = {"farm_id": farm_id or DEFAULT_FARM}
        with transaction(self._pool, "reading the number of residents") as connection:
            rows = self._rows(connection, "expected_residents", fields)
        if not rows:
            raise NotFound(f"There is no farm {farm_id}.")
        count: int | None = rows[0]["expected_residents"]
        return count

    def expect_residents(self, count: int | None, farm_id: FarmId | None = None) -> None:
        """Say how many horses live on a farm. Raises NotFound, OperatorMistake."""
        if count is not None and not 0 <= count <= MAX_RESIDENTS:
            raise OperatorMistake(f"A farm has between 0 and {MAX_RESIDENTS} residents.")
        fields = {"farm_id": farm_id or DEFAULT_FARM, "count": count}
        with transaction(self._pool, "noting the number of residents") as connection:
            if not connection.execute(self._sql["expect_residents"], fields).rowcount:
                raise NotFound(f"There is no farm {farm_id}.")
            self._rows(connection, "notify", {})

    # --- parts ---------------------------------------------------------------------------------

    def _get(self, connection: Connection, area_id: AreaId) -> StoredArea:
        rows = self._rows(connection, "get", {"id": area_id})
        if not rows:
            raise _missing(area_id)
        return _stored(rows[0])

    def _refuse_strangers(self, connection: Connection, fields: dict[str, Any]) -> None:
        found = self._rows(connection, "strangers", fields)[0]
        if found["stream"]:
            raise NotFound(f"That farm has no camera {fields['stream_id']}.")
        if found["horse"]:
            raise NotFound(f"That farm has no horse {fields['expected']}.")

    def _rows(
        self, connection: Connection, name: str, fields: dict[str, Any]
    ) -> Sequence[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        cursor.execute(self._sql[name], fields)
        return [] if cursor.description is None else cursor.fetchall()


def _fields(area: Area) -> dict[str, Any]:
    name = " ".join(area.name.split())
    if not name or "\0" in name:
        raise OperatorMistake("An area needs a name.")
    if area.kind not in AREA_KINDS:
        raise OperatorMistake(f"An area is one of {', '.join(AREA_KINDS)}.")
    region = None
    if area.region is not None:
        corners = np.asarray(area.region, np.float64)
        inside = corners.ndim == 2 and corners.shape[1:] == (2,) and 3 <= len(corners) <= 1000
        if not inside or not bool(((corners >= 0) & (corners <= 1)).all()):
            raise OperatorMistake(
                "The region of an area has at least three corners, each from 0 to 1 across and "
                "down the picture."
            )
        if area.stream_id is None:
            raise OperatorMistake("A region needs the camera whose picture it is on.")
        region = Jsonb([[round(float(x), 6), round(float(y), 6)] for x, y in corners])
    return {
        "name": name,
        "kind": area.kind,
        "stream_id": area.stream_id,
        "region": region,
        "expected": area.expected,
    }


def _stored(row: dict[str, Any]) -> StoredArea:
    region, stream_id, expected = row["region"], row["stream_id"], row["expected"]
    return StoredArea(
        AreaId(row["id"]),
        FarmId(row["farm_id"]),
        row["version"],
        Area(
            row["name"],
            row["kind"],
            None if stream_id is None else StreamId(stream_id),
            None if region is None else np.array(region, np.float32).reshape(-1, 2),
            None if expected is None else HorseId(expected),
        ),
    )


def _missing(area_id: AreaId) -> NotFound:
    return NotFound(f"There is no area {area_id}.")
