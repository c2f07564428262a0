"""Corrections and look-ups of identity at scale, on an embedded server as it is in use.

Ten million detections over two horses, in daily partitions with their indexes, plus fifty other
horses with five thousand vectors. Measured, each with median and maximum: merging the two and
undoing it, splitting one in the middle and undoing it, the previews, the lists of the registry,
similar horses, and what the engine reads at its start. The writes are durable (fsync is on).
A correction moves spans and no detection: the merge is also measured on a hundredth of the
detections in as many tracks, which shows what it costs by track and what by row.

Run: python -m benchmarks.identity_corrections [--detections 10000000] [--pairs 15]
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import numpy as np
import psycopg

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.identity_feed import SnapshotReader
from db.migrate import migrate
from db.pool import open_pool
from db.repositories.detections import PostgresDetectionRepository
from db.repositories.horses import PostgresHorseRepository
from db.repositories.identity import PostgresIdentityRepository
from db.repositories.recomputation import recompute
from db.timeseries import maintain
from engine.domain.identity import Merge, Scope, Split
from engine.domain.ids import HorseId, ModelId, StreamId

MODEL = ModelId("benchmark@1")
CAMERAS, OTHERS, DIMENSION, VECTORS = 8, 50, 256, 5000
FPS, TRACK_ROWS = 10.0, 3000
LIMIT_MS = {"registry": 500.0}
DEFAULT_LIMIT_MS = 100.0


Result = TypeVar("Result")


@dataclass
class Figures:
    """Times in milliseconds by name."""

    found: dict[str, list[float]] = field(default_factory=dict)

    def time(self, name: str, work: Callable[[], Result]) -> Result:
        """Run and note."""
        began = time.perf_counter()
        result = work()
        self.found.setdefault(name, []).append((time.perf_counter() - began) * 1e3)
        return result

    def show(self) -> bool:
        """Print them; False when a median is over its limit."""
        good = True
        for name, times in self.found.items():
            limit = LIMIT_MS.get(name.split(",")[0], DEFAULT_LIMIT_MS)
            middle = float(np.median(times))
            good &= middle < limit
            print(
                f"{name:44s} median {middle:7.1f} ms   max {max(times):7.1f} ms   "
                f"n {len(times):3d}   bar {limit:.0f} ms{'' if middle < limit else '   MISSED'}"
            )
        return good


class ScaleBarn:
    """A database with two horses that share the detections, and fifty others."""

    def __init__(self, dsn: str, detections: int, track_rows: int) -> None:
        migrate(dsn)
        self.dsn = dsn
        self.connection = psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC")
        self.streams = [StreamId(uuid4()) for _ in range(CAMERAS)]
        for number, stream in enumerate(self.streams):
            self.connection.execute(
                "INSERT INTO streams (id, farm_id, name, kind, address) "
                "SELECT %s, id, %s, 'file', 'x' FROM farms",
                (stream, f"camera {number}"),
            )
        self.pair = [self.horse() for _ in range(2)]
        tracks = detections // track_rows
        span = timedelta(seconds=TRACK_ROWS / FPS)
        self.start = datetime.now(UTC).replace(microsecond=0) - (tracks + 2) * span
        self._partitions(self.start, tracks * span)
        self._tracks(tracks, track_rows, span)
        self._detections(tracks, track_rows, span)
        self._others()
        ids = self.connection.execute("SELECT id FROM horses").fetchall()
        recompute(self.connection, [HorseId(row[0]) for row in ids])
        self.connection.execute("VACUUM (ANALYZE)")
        self.connection.execute("CHECKPOINT")

    def horse(self) -> HorseId:
        horse_id = HorseId(uuid4())
        self.connection.execute(
            "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex) "
            "SELECT %s, id, n, 'horse_' || n, '#E5484D' "
            "FROM farms, LATERAL (SELECT next_tracking_number(farms.id) AS n) l",
            (horse_id,),
        )
        return horse_id

    def _partitions(self, start: datetime, length: timedelta) -> None:
        for day in range(length.days + 3):
            maintain(self.connection, start + timedelta(days=day))

    def _tracks(self, tracks: int, rows: int, span: timedelta) -> None:
        self.connection.execute(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, "
            "detections, confidence, crop, crop_score) "
            "SELECT gen_random_uuid(), 1 + n %% %s, n, 0, %s::timestamptz + n * %s, "
            "%s::timestamptz + n * %s + %s, %s, 0.9, "
            "CASE WHEN n %% 100 < 2 THEN decode(repeat('ff', 20000), 'hex') END, n "
            "FROM generate_series(0, %s) n",
            (CAMERAS, self.start, span, self.start, span,
             timedelta(seconds=(rows - 1) / FPS), rows, tracks - 1),
        )  # fmt: skip
        self.connection.execute(
            "INSERT INTO identity_spans (track_id, horse_id, confidence) "
            "SELECT id, CASE number %% 2 WHEN 0 THEN %s::uuid ELSE %s END, 0.8 FROM tracks",
            self.pair,
        )

    def _detections(self, tracks: int, rows: int, span: timedelta) -> None:
        part = max(1, 300_000 // rows)
        for first in range(0, tracks, part):
            self.connection.execute(
                "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, "
                "class_id, model_key, skeleton_key, flags) "
                "SELECT t.started_at + n * interval '1 s' / %s, t.id, t.stream_key, 100, 100, 400, "
                "400, 9000, 0, 1, 0, 0 FROM generate_series(0, %s) n, tracks t "
                "WHERE t.number >= %s AND t.number < %s ORDER BY n, t.number",
                (FPS, rows - 1, first, first + part),
            )

    def _others(self) -> None:
        """Fifty horses with a hundred approved vectors each, in tracks of ten."""
        rng = np.random.default_rng(4)
        self.connection.execute("INSERT INTO models (name) VALUES (%s)", (MODEL,))
        looks = rng.normal(size=(OTHERS + 2, DIMENSION))
        horses = [self.horse() for _ in range(OTHERS)]
        for place, horse_id in enumerate([*self.pair, *horses]):
            tracks = self._small_tracks(place, horse_id)
            count = VECTORS // OTHERS
            vectors = looks[place] + 0.6 * rng.normal(size=(count, DIMENSION))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            with (
                self.connection.cursor() as cursor,
                cursor.copy(
                    "COPY horse_features (id, track_id, at, model_key, quality, approved, "
                    "embedding) FROM STDIN"
                ) as copy,
            ):
                for row, vector in enumerate(vectors.astype(np.float32)):
                    copy.write_row(
                        (uuid4(), tracks[row % len(tracks)], self.start, 1, 0.9, True,
                         str(vector.tolist()))
                    )  # fmt: skip
        self.connection.execute(
            f"CREATE INDEX ON horse_features USING hnsw "
            f"((embedding::vector({DIMENSION})) vector_cosine_ops) WHERE model_key = 1"
        )
        self.others = horses

    def _small_tracks(self, place: int, horse_id: HorseId) -> list[UUID]:
        """Ten one-second tracks before everything else."""
        rows = self.connection.execute(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, "
            "detections, confidence) SELECT gen_random_uuid(), 1 + n %% %s, 1000000 + n, 0, t, "
            "t + interval '1 s', 10, 0.9 FROM generate_series(1, 10) n, "
            "LATERAL (SELECT %s::timestamptz - interval '1 h' - (%s * 10 + n) * interval '2 s' "
            "AS t) l RETURNING id",
            (CAMERAS, self.start, place),
        ).fetchall()
        ids = [row[0] for row in rows]
        self.connection.execute(
            "INSERT INTO identity_spans (track_id, horse_id, confidence) "
            "SELECT unnest(%s::uuid[]), %s, 0.8",
            (ids, horse_id),
        )
        return ids


def measure(barn: ScaleBarn, pairs: int, words: str, figures: Figures) -> None:
    """Everything that is measured, on one barn."""
    pool = open_pool(barn.dsn, max_size=2)
    identity = PostgresIdentityRepository(pool)
    horses = PostgresHorseRepository(pool)
    detections = PostgresDetectionRepository(pool)
    kept, absorbed = barn.pair
    merge = Merge(kept, absorbed)
    before = [(horse.id, horse.total_detections) for horse in horses.list()]
    for _ in range(pairs):
        effect = figures.time(f"preview of the merge, {words}", lambda: identity.preview(merge))
        record = figures.time(f"merge, {words}", lambda: identity.apply(merge, "me"))
        assert effect.detections == record.detections
        figures.time(f"undo of the merge, {words}", partial(identity.undo, record.id, "me"))
    assert [(horse.id, horse.total_detections) for horse in horses.list()] == before
    middle = barn.start + (datetime.now(UTC) - barn.start) / 2 + timedelta(seconds=7)
    split = Split(kept, middle, Scope.EVERYWHERE)
    for _ in range(pairs):
        figures.time(f"preview of a split, {words}", lambda: identity.preview(split))
        record = figures.time(f"split, {words}", lambda: identity.apply(split, "me"))
        figures.time(f"undo of the split, {words}", partial(identity.undo, record.id, "me"))
    assert [(horse.id, horse.total_detections) for horse in horses.list()] == before
    for turn in range(pairs):
        figures.time(f"list of horses, {words}", horses.list)
        figures.time(f"strips of a horse, {words}", lambda: horses.strips(kept))
        camera = barn.streams[turn % CAMERAS]
        figures.time(f"strips of a camera, {words}", partial(horses.strips, stream_id=camera))
        figures.time(f"avatar, {words}", lambda: horses.avatar(kept))
        other = barn.others[turn % OTHERS]
        figures.time(f"similar horses, {words}", partial(horses.similar, other))
        figures.time(f"history, {words}", lambda: identity.history(horse_id=kept))
        figures.time(f"100 detections of a horse, {words}", lambda: detections.query(horse_id=kept))
        reader = SnapshotReader(MODEL)
        figures.time(
            f"registry, {OTHERS + 2} horses with vectors, {words}",
            partial(read_all, reader, barn),
        )
    pool.close()


def read_all(reader: SnapshotReader, barn: ScaleBarn) -> None:
    """What the engine reads at its start."""
    for _ in reader.read(barn.connection):
        pass


def main() -> None:
    """Build both barns, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=10_000_000)
    parser.add_argument("--track-rows", type=int, default=TRACK_ROWS)
    parser.add_argument("--pairs", type=int, default=15)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="barnhand-bench-"))
    folder.chmod(0o711)
    figures = Figures()
    try:
        for detections in (arguments.detections // 100, arguments.detections):
            rows = max(1, arguments.track_rows * detections // arguments.detections)
            server = EmbeddedPostgres(folder / f"postgres-{detections}")
            try:
                barn = ScaleBarn(server.start(), detections, rows)
                measure(barn, arguments.pairs, f"{detections / 1e6:g} M rows", figures)
                barn.connection.close()
            finally:
                server.stop()
                shutil.rmtree(folder / f"postgres-{detections}", ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"load over the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    figures.show()


if __name__ == "__main__":
    main()
