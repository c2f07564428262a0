"""Known horses (port HorseRepository)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from db.pool import transaction
from db.queries import queries
from db.repositories.horse_rows import horse_of
from db.repositories.track_strips import (
    Stretch,
    partial,
    stretch_of_span,
    stretches_of_track,
)
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import Similar, TrackStrip
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId

MAX_STRIPS = 10_000
_SAMPLES = 8
_NEIGHBOURS = 64
_FIRST = datetime(1, 1, 2, tzinfo=UTC)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)


class PostgresHorseRepository:
    """Horses in the table of that name."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sql = queries("horses")

    def list(self, farm_id: FarmId | None = None) -> Sequence[Horse]:
        """Horses of a farm, or of all farms, by number; merged and archived ones included."""
        statement = self._sql["list_all" if farm_id is None else "list"]
        with transaction(self._pool, "listing the horses") as connection:
            return tuple(map(horse_of, _rows(connection, statement, {"farm_id": farm_id})))

    def get(self, horse_id: HorseId) -> Horse:
        """One horse, the merged record itself where it was merged; NotFound."""
        with transaction(self._pool, "reading a horse") as connection:
            return self._get(connection, horse_id)

    def _get(self, connection: Connection, horse_id: HorseId) -> Horse:
        rows = _rows(connection, self._sql["some"], {"ids": [horse_id]})
        if not rows:
            raise NotFound(f"There is no horse {horse_id}.")
        return horse_of(rows[0])

    def avatar(self, horse_id: HorseId) -> bytes | None:
        """JPEG of at most 100 KB; None while there is none. Raises NotFound."""
        with transaction(self._pool, "reading a horse's picture") as connection:
            rows = _rows(connection, self._sql["avatar"], {"id": horse_id})
        if not rows:
            raise NotFound(f"There is no horse {horse_id}.")
        return _bytes(rows[0]["avatar"])

    def crop(self, track_id: TrackId) -> bytes | None:
        """JPEG of a track's best picture; None while there is none. Raises NotFound."""
        with transaction(self._pool, "reading a track's picture") as connection:
            rows = _rows(connection, self._sql["crop"], {"id": track_id})
        if not rows:
            raise NotFound(f"There is no track {track_id}.")
        return _bytes(rows[0]["crop"])

    # --- strips ------------------------------------------------------------------------------

    def strips(
        self,
        horse_id: HorseId | None = None,
        stream_id: StreamId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 500,
    ) -> Sequence[TrackStrip]:
        """Stretches of horses' tracks, newest first: of a horse, or of a camera (or all of them)
        with what is nobody's. Raises OperatorMistake for a limit that is none."""
        if not 1 <= limit <= MAX_STRIPS:
            raise OperatorMistake(f"The limit must be between 1 and {MAX_STRIPS}.")
        fields = {
            "horse_id": horse_id,
            "stream_id": stream_id,
            "start": _FIRST if start is None else start,
            "end": _LAST if end is None else end,
            "limit": limit,
        }
        with transaction(self._pool, "reading the tracks") as connection:
            if horse_id is not None:
                rows = _rows(connection, self._sql["strips_of_horse"], fields)
                stretches = [stretch_of_span(row) for row in rows]
            else:
                rows = _rows(connection, self._sql["tracks_of_camera"], fields)
                stretches = [one for row in rows for one in stretches_of_track(row)]
                stretches.sort(key=lambda one: one.start, reverse=True)
                del stretches[limit:]
            return self._finished(connection, stretches)

    def _finished(
        self, connection: Connection, stretches: Sequence[Stretch]
    ) -> tuple[TrackStrip, ...]:
        asked = partial(stretches)
        counted: dict[int, Mapping[str, Any]] = {}
        if asked["places"]:
            rows = _rows(connection, self._sql["seen_in_parts"], asked)
            counted = {row["place"]: row for row in rows}
        return tuple(
            one.strip(counted[place]["rows"], counted[place]["last_at"])
            if place in counted
            else one.strip(one.row["detections"], None)
            for place, one in enumerate(stretches)
        )

    # --- similar -----------------------------------------------------------------------------

    def similar(self, horse_id: HorseId, limit: int = 5) -> Sequence[Similar]:
        """Other horses of the farm that look like it, most similar first; merged ones are not
        asked. Only approved vectors of one model are compared. Raises NotFound.

        The similarity is that of the most alike pair of vectors, 0..1.
        """
        with transaction(self._pool, "looking for similar horses") as connection:
            horse = self._get(connection, horse_id)
            sample = {"id": horse_id, "samples": _SAMPLES}
            vectors = _rows(connection, self._sql["sample_vectors"], sample)
            best = self._nearest(connection, horse_id, vectors)
            rows = _rows(connection, self._sql["some"], {"ids": list(best)})
        found = [
            Similar(other, best[other.id])
            for other in map(horse_of, rows)
            if other.farm_id == horse.farm_id and other.status is not HorseStatus.MERGED
        ]
        found.sort(key=lambda one: (-one.similarity, one.horse.label))
        return tuple(found[: max(limit, 0)])

    def _nearest(
        self, connection: Connection, horse_id: HorseId, vectors: Sequence[Mapping[str, Any]]
    ) -> dict[HorseId, float]:
        """The best similarity of every horse that is near one of the vectors."""
        models = [row["model_key"] for row in vectors]
        if not models:
            return {}
        model = max(set(models), key=lambda key: (models.count(key), key))
        own = [row for row in vectors if row["model_key"] == model][:_SAMPLES]
        # The types and the model are written out so that the model's own HNSW index is used.
        kind = sql.SQL("vector({})").format(sql.Literal(own[0]["dimension"]))
        statement = sql.SQL(_NEAREST).format(kind=kind, model=sql.Literal(model))
        connection.execute("SET LOCAL hnsw.iterative_scan = 'strict_order'")
        fields = {
            "id": horse_id,
            "vectors": [row["embedding"] for row in own],
            "neighbours": _NEIGHBOURS,
        }
        cursor = connection.cursor(row_factory=dict_row)
        rows = cursor.execute(statement, fields).fetchall()
        return {
            HorseId(row["horse_id"]): min(max(float(row["similarity"]), 0.0), 1.0) for row in rows
        }


_NEAREST = """
SELECT n.horse_id, max(1 - n.distance) AS similarity
FROM unnest(%(vectors)s::vector[]) AS v (embedding)
CROSS JOIN LATERAL (
    SELECT i.horse_id, f.embedding::{kind} <=> v.embedding::{kind} AS distance
    FROM horse_features f
    JOIN identity_spans i ON i.track_id = f.track_id AND i.superseded_at IS NULL
         AND f.at >= i.valid_from AND f.at < i.valid_to AND i.horse_id <> %(id)s
    WHERE f.model_key = {model} AND f.approved
    ORDER BY f.embedding::{kind} <=> v.embedding::{kind}
    LIMIT %(neighbours)s
) n
GROUP BY n.horse_id
"""


def _rows(connection: Connection, statement: bytes, fields: Mapping[str, Any]) -> Any:
    return connection.cursor(row_factory=dict_row).execute(statement, fields).fetchall()


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
