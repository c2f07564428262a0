"""A barn in a real database for tests of identities: cameras, horses, tracks with rows, spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
from psycopg.rows import dict_row

from db.credentials import CredentialBox
from db.pool import open_pool
from db.repositories.farms import DEFAULT_FARM
from db.repositories.horses import PostgresHorseRepository
from db.repositories.identity import PostgresIdentityRepository
from db.repositories.recomputation import recompute
from db.repositories.streams import PostgresStreamRepository
from db.track_colours import colour_hex
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId, new_stream_id, new_track_id
from engine.domain.streams import SourceKind, Stream
from tests.helpers.frame_results import START

TABLES = (
    "horses", "tracks", "identity_commands", "identity_command_avatars", "identity_spans",
    "not_same", "horse_features", "reviews", "areas",
)  # fmt: skip
MODEL = "test-embedder@1"


def at(seconds: float) -> datetime:
    """An instant of the test's day."""
    return START + timedelta(seconds=seconds)


class IdentityBarn:
    """Writes what the engine would have stored, and holds the repositories under test."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.pool = open_pool(dsn, max_size=4)
        self._line = psycopg.connect(
            dsn, autocommit=True, row_factory=dict_row, options="-c timezone=UTC"
        )
        self.identity = PostgresIdentityRepository(self.pool)
        self.horses = PostgresHorseRepository(self.pool)
        self.streams = PostgresStreamRepository(self.pool, CredentialBox.new_key())
        self.cameras: list[StreamId] = []
        self._numbers = 0

    def close(self) -> None:
        self._line.close()
        self.pool.close()

    def save(self) -> None:
        """Remember everything about identities, for ``reset``."""
        self.run("CREATE SCHEMA saved")
        for table in TABLES:
            self.run(f"CREATE TABLE saved.{table} AS SELECT * FROM public.{table}")

    def reset(self) -> None:
        """Make everything about identities as it was at ``save``."""
        with self._line.transaction():
            self.run("SET LOCAL session_replication_role TO replica")
            for table in TABLES:
                self.run(f"DELETE FROM {table}")
                self.run(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM saved.{table}")

    # --- what the engine stores ----------------------------------------------------------------

    def camera(self, name: str, farm_id: FarmId = DEFAULT_FARM, **extra: object) -> StreamId:
        stream = Stream(new_stream_id(), name, SourceKind.FILE, f"{name}.mp4", extra=extra)
        self.cameras.append(self.streams.add(stream, farm_id).id)
        return self.cameras[-1]

    def horse(
        self,
        name: str | None = None,
        status: str = "guest",
        farm_id: FarmId = DEFAULT_FARM,
        **columns: object,
    ) -> HorseId:
        number = self.ask("SELECT next_tracking_number(%s) AS number", farm_id)[0]["number"]
        values: dict[str, object] = {
            "id": uuid4(),
            "farm_id": farm_id,
            "tracking_number": number,
            "label": f"horse_{number:03d}",
            "name": name,
            "status": status,
            "colour_hex": colour_hex(number % 10),
            **columns,
        }
        self._insert("horses", values)
        return HorseId(UUID(str(values["id"])))

    def track(
        self,
        camera: StreamId,
        start_s: float,
        end_s: float | None,
        horse_id: HorseId | None = None,
        rows: int = 5,
        crop: bytes | None = None,
        crop_score: float = 0.0,
    ) -> TrackId:
        """A track with ``rows`` detections spread over its time; open where ``end_s`` is None."""
        self._numbers += 1
        track_id = new_track_id()
        key = self.ask("SELECT key FROM streams WHERE id = %s", camera)[0]["key"]
        last_s = start_s + 60.0 if end_s is None else end_s
        self._insert(
            "tracks",
            {
                "id": track_id,
                "stream_key": key,
                "number": self._numbers,
                "class_id": 0,
                "started_at": at(start_s),
                "ended_at": None if end_s is None else at(end_s),
                "detections": 0 if end_s is None else rows,
                "confidence": 0.8,
                "crop": crop,
                "crop_score": crop_score,
            },
        )
        self.run(
            "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, class_id, "
            "model_key, skeleton_key, flags) SELECT t, %s, %s, 0, 0, 9, 9, 5000, 0, 0, 0, 0 "
            "FROM unnest(%s::timestamptz[]) t",
            track_id,
            key,
            [at(float(s)) for s in np.linspace(start_s, last_s, rows)],
        )
        if horse_id is not None:
            self.engine_decides(track_id, horse_id)
        return track_id

    def engine_decides(self, track_id: TrackId, horse_id: HorseId, confidence: float = 0.7) -> None:
        """What the writer does with a decision of the engine."""
        self.run(
            "INSERT INTO identity_spans (track_id, horse_id, confidence) VALUES (%s, %s, %s)",
            track_id,
            horse_id,
            confidence,
        )

    def features(
        self,
        track_id: TrackId,
        vectors: Sequence[Sequence[float]],
        approved: bool = False,
        at_s: Sequence[float] | None = None,
        model: str = MODEL,
    ) -> None:
        self.run("INSERT INTO models (name) VALUES (%s) ON CONFLICT DO NOTHING", model)
        for index, vector in enumerate(vectors):
            self.run(
                "INSERT INTO horse_features (id, track_id, at, model_key, quality, approved, "
                "embedding) SELECT gen_random_uuid(), %s, coalesce(%s, started_at), "
                "(SELECT key FROM models WHERE name = %s), 0.9, %s, %s::vector "
                "FROM tracks WHERE id = %s",
                track_id,
                None if at_s is None else at(at_s[index]),
                model,
                approved,
                str([float(value) for value in vector]),
                track_id,
            )

    def settle(self) -> None:
        """Make the figures of all horses those that follow from the spans."""
        ids = [row["id"] for row in self.ask("SELECT id FROM horses WHERE status <> 'merged'")]
        with self.pool.connection() as connection:
            recompute(connection, [HorseId(one) for one in ids])

    # --- looking -------------------------------------------------------------------------------

    def ask(self, question: str, *values: object) -> list[dict[str, Any]]:
        return self._line.execute(question.encode(), values).fetchall()

    def run(self, statement: str, *values: object) -> None:
        self._line.execute(statement.encode(), values)

    def _insert(self, table: str, values: Mapping[str, object]) -> None:
        places = ", ".join(["%s"] * len(values))
        self.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values())

    def owners(self, track_id: TrackId) -> list[tuple[datetime | None, HorseId]]:
        """Current owners of a track in order of time, with where each begins."""
        rows = self.ask(
            "SELECT nullif(valid_from, '-infinity') AS since, horse_id FROM identity_spans "
            "WHERE track_id = %s AND superseded_at IS NULL ORDER BY valid_from",
            track_id,
        )
        return [(row["since"], HorseId(row["horse_id"])) for row in rows]

    def dump(self) -> dict[str, list[str]]:
        """The current state of every identity table, but what grows by design."""
        questions = {
            "horses": "SELECT (to_jsonb(h) - 'version' - 'updated_at')::text AS row FROM horses h",
            "spans": "SELECT concat_ws('|', id, track_id, horse_id, valid_from, valid_to, "
            "confidence, decided_by, created_at, begun_by, moved_by) AS row FROM identity_spans "
            "WHERE superseded_at IS NULL",
            "pairs": "SELECT n::text AS row FROM not_same n",
            "features": "SELECT concat_ws('|', id, approved) AS row FROM horse_features",
            "reviews": "SELECT (to_jsonb(r))::text AS row FROM reviews r",
            "avatars": "SELECT a::text AS row FROM identity_command_avatars a",
        }
        return {name: sorted(r["row"] for r in self.ask(q)) for name, q in questions.items()}
