"""What the identity routes ask beside corrections: whose objects these are, counts, threshold."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId, HorseId, StreamId


class TrackingRepository:
    """Reads over identities in PostgreSQL. Raises StoreUnavailable when it does not answer."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("tracking")

    def farm_of(self, kind: str, object_id: UUID) -> FarmId | None:
        """The farm of a ``horse``, ``command`` or ``review``; None where there is none such."""
        with transaction(self._pool, f"looking for a {kind}") as connection:
            row = connection.execute(self._sql[f"farm_of_{kind}"], {"id": object_id}).fetchone()
        return None if row is None else FarmId(row[0])

    def place_of_track(self, track_id: UUID) -> tuple[FarmId, StreamId] | None:
        """Farm and camera of a track; None where there is none such."""
        with transaction(self._pool, "looking for a track") as connection:
            row = connection.execute(self._sql["place_of_track"], {"id": track_id}).fetchone()
        return None if row is None else (FarmId(row[0]), StreamId(row[1]))

    def vectors(self, horse_id: HorseId) -> Mapping[str, int]:
        """Approved appearance vectors of a horse by model name."""
        with transaction(self._pool, "counting a horse's vectors") as connection:
            rows = connection.execute(self._sql["vectors_of_horse"], {"id": horse_id}).fetchall()
        return {str(name): int(count) for name, count in rows}

    def threshold(self, farm_id: FarmId) -> float | None:
        """The similarity that people set for a farm, None where nobody did. Raises NotFound."""
        with transaction(self._pool, "reading the threshold") as connection:
            row = connection.execute(self._sql["threshold"], {"farm_id": farm_id}).fetchone()
        if row is None:
            raise NotFound("There is no such farm.")
        return None if row[0] is None else float(row[0])

    def set_threshold(self, farm_id: FarmId, threshold: float | None) -> None:
        """Set it, in 0..1, and wake the engines. Raises NotFound."""
        with transaction(self._pool, "setting the threshold") as connection:
            given = {"farm_id": farm_id, "threshold": threshold}
            if connection.execute(self._sql["set_threshold"], given).fetchone() is None:
                raise NotFound("There is no such farm.")
            connection.execute("SELECT pg_notify('barnhand_identity', 'threshold')")

    def identified_after_s(self, farm_id: FarmId) -> tuple[float, float] | None:
        """Seconds from tracks' first pictures to the engine's stored decisions of the last 7 days,
        median and 95th percentile; None without any."""
        with transaction(self._pool, "timing identities") as connection:
            row = connection.execute(self._sql["timings"], {"farm_id": farm_id}).fetchone()
        return None if row is None or row[0] is None else (float(row[0][0]), float(row[0][1]))

    def stats(self, farm_id: FarmId) -> Mapping[str, int]:
        """Counts by name, as the columns of the query ``stats``."""
        with transaction(self._pool, "counting identities") as connection:
            cursor = connection.cursor(row_factory=dict_row)
            row = cursor.execute(self._sql["stats"], {"farm_id": farm_id}).fetchone()
        return {} if row is None else {name: int(value) for name, value in row.items()}
