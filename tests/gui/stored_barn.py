"""A farm in a real database for the registry's tests: cameras, horses, their tracks and pictures.

Rows are put in directly, as the writer would have left them; everything the tests then do goes
through the real repositories.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import cv2
import numpy as np
from pgvector.psycopg import register_vector
from psycopg import Connection
from psycopg_pool import ConnectionPool

from db.repositories.farms import DEFAULT_FARM
from db.repositories.horses import PostgresHorseRepository
from db.repositories.identity import PostgresIdentityRepository
from engine.domain.ids import HorseId, StreamId, TrackId, new_stream_id, new_track_id
from engine.domain.streams import SourceKind, Stream
from ui.theme import load_theme

DIMENSION = 32
MODEL = "bench-embedder@1"


def jpeg(bgr: np.ndarray) -> bytes:
    """A picture as the store keeps it."""
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return bytes(data.tobytes())


def plain_picture(number: int) -> bytes:
    """A small picture of one colour."""
    shade = np.full((60, 80, 3), (40 + 17 * number % 180, 90, 60 + 11 * number % 180), np.uint8)
    return jpeg(shade)


def looks(number: int, noise: float = 0.05) -> np.ndarray:
    """A unit vector, near those of the same number and far from others."""
    rng = np.random.default_rng(number)
    base = rng.standard_normal(DIMENSION)
    vector = base + noise * np.random.default_rng(number + 999).standard_normal(DIMENSION)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class StoredBarn:
    """What is in the database, by the names the tests use."""

    pool: ConnectionPool
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    cameras: dict[str, Stream] = field(default_factory=dict)
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.horses = PostgresHorseRepository(self.pool)
        self.identity = PostgresIdentityRepository(self.pool)

    def on_changed(self, heard: Callable[[], None]) -> None:
        """What the feed does: remembers who wants to hear of changes."""
        self.listeners.append(heard)

    def announce(self) -> None:
        """Tell of a change that another process made."""
        for heard in self.listeners:
            heard()

    def camera(self, name: str) -> Stream:
        """A stored camera, made when first asked for."""
        if name not in self.cameras:
            stream = Stream(new_stream_id(), name, SourceKind.RTSP, f"rtsp://camera/{name}")
            with self.pool.connection() as connection:
                connection.execute(
                    "INSERT INTO streams (id, farm_id, name, kind, address) "
                    "VALUES (%s, %s, %s, 'rtsp', %s)",
                    (stream.id, DEFAULT_FARM, name, stream.address),
                )
            self.cameras[name] = stream
        return self.cameras[name]

    def horse(
        self,
        name: str | None = None,
        status: str = "active",
        avatar: bytes | None = None,
        seen_at: datetime | None = None,
        camera: str | None = None,
        **profile: object,
    ) -> HorseId:
        """A known horse; the next number is its label."""
        horse_id = HorseId(uuid4())
        stream = self.camera(camera).id if camera else None
        columns = ["id", "farm_id", "name", "status", "avatar", "last_seen_at", *profile]
        values: list[object] = [horse_id, DEFAULT_FARM, name, status, avatar, seen_at]
        with self.pool.connection() as connection:
            row = connection.execute("SELECT next_tracking_number(%s)", (DEFAULT_FARM,)).fetchone()
            assert row is not None
            number = int(row[0])
            columns += ["tracking_number", "label", "colour_hex", "first_seen_at"]
            values += [*profile.values(), number, f"horse_{number:03d}"]
            values += [load_theme("dark").tracks.hex[(number - 1) % 10]]
            values += [(seen_at or self.now) - timedelta(days=12)]
            columns += ["first_stream_id", "last_stream_id"]
            values += [stream, stream]
            marks = ", ".join(["%s"] * len(values))
            connection.execute(
                f"INSERT INTO horses ({', '.join(columns)}) VALUES ({marks})", values
            )
        return horse_id

    def track(
        self,
        horse_id: HorseId | None,
        camera: str,
        start: datetime,
        minutes: float,
        *,
        crop: bytes | None = None,
        confidence: float = 0.9,
        decided_by: str = "engine",
        look: int | None = None,
        detections: int | None = None,
    ) -> TrackId:
        """A finished track of one camera, and whose it is."""
        track_id, stream = new_track_id(), self.camera(camera)
        end = start + timedelta(minutes=minutes)
        count = detections if detections is not None else round(minutes * 60 * 5)
        with self.pool.connection() as connection:
            connection.execute(
                "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, "
                "detections, confidence, crop) SELECT %s, s.key, "
                "(SELECT count(*) + 1 FROM tracks t WHERE t.stream_key = s.key), 0, %s, %s, %s, "
                "%s, %s FROM streams s WHERE s.id = %s",
                (track_id, start, end, count, confidence, crop, stream.id),
            )
            if horse_id is not None:
                self._give(connection, track_id, horse_id, confidence, decided_by)
                self._seen(connection, horse_id, stream.id, end, count)
            connection.execute(
                "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, "
                "class_id, model_key, skeleton_key, flags) SELECT t, %s, s.key, 100, 100, 300, "
                "260, 9000, 0, 0, 0, 0 FROM streams s, generate_series(%s::timestamptz, "
                "%s::timestamptz, interval '10 s') t WHERE s.id = %s",
                (track_id, start, end, stream.id),
            )
            if look is not None:
                self._look(connection, track_id, end, look)
        return track_id

    @staticmethod
    def _give(
        connection: Connection,
        track_id: TrackId,
        horse_id: HorseId,
        confidence: float,
        decided_by: str,
    ) -> None:
        connection.execute(
            "INSERT INTO identity_spans (track_id, horse_id, confidence, decided_by) "
            "VALUES (%s, %s, %s, %s)",
            (track_id, horse_id, confidence, decided_by),
        )

    @staticmethod
    def _seen(
        connection: Connection, horse_id: HorseId, stream: StreamId, at: datetime, count: int
    ) -> None:
        connection.execute(
            "UPDATE horses SET last_seen_at = greatest(last_seen_at, %s), last_stream_id = CASE "
            "WHEN last_seen_at IS NULL OR last_seen_at <= %s THEN %s ELSE last_stream_id END, "
            "total_detections = total_detections + %s WHERE id = %s",
            (at, at, stream, count, horse_id),
        )

    @staticmethod
    def _look(connection: Connection, track_id: TrackId, at: datetime, look: int) -> None:
        register_vector(connection)
        connection.execute("INSERT INTO models (name) VALUES (%s) ON CONFLICT DO NOTHING", (MODEL,))
        connection.execute(
            "INSERT INTO horse_features (id, track_id, at, model_key, quality, approved, "
            "embedding) SELECT %s, %s, %s, key, 0.9, true, %s FROM models WHERE name = %s",
            (uuid4(), track_id, at, looks(look), MODEL),
        )

    def review(
        self,
        kind: str,
        track_id: TrackId,
        horse_id: HorseId,
        at: datetime,
        other: TrackId | None = None,
        similarity: float | None = None,
    ) -> UUID:
        """An open question."""
        review_id = uuid4()
        with self.pool.connection() as connection:
            connection.execute(
                "INSERT INTO reviews (id, farm_id, kind, track_id, other_track_id, horse_id, "
                "similarity, at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (review_id, DEFAULT_FARM, kind, track_id, other, horse_id, similarity, at),
            )
        return review_id

    def owner(self, track_id: TrackId) -> Sequence[HorseId]:
        """Whose a track is now, part by part."""
        with self.pool.connection() as connection:
            rows = connection.execute(
                "SELECT horse_id FROM identity_spans WHERE track_id = %s "
                "AND superseded_at IS NULL ORDER BY valid_from",
                (track_id,),
            ).fetchall()
        return [HorseId(row[0]) for row in rows]
