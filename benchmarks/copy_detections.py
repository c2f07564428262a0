"""COPY of detections: ours against psycopg's text COPY and against raw binary.

Every round writes the same analysed pictures five ways into an emptied table, interleaved, and the
ratios of rows per second are taken within the round:

- ours: engine results to rows in the table, as the writer does it (columns, packing, binary COPY)
- ours, columns: the same from finished columns: what the writer does when it replays its spool
- raw binary: only sends a buffer that was made before (the bound set by the server)
- text: psycopg's ``write_row`` with text COPY into the same table, keypoints packed beforehand
- text with JSON: psycopg's ``write_row`` with text COPY, keypoints as JSON (the usual design)

Also prints bytes a row, with and without indexes. Run: python -m benchmarks.copy_detections
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg

from barnhand_desktop.servers.postgres import EmbeddedPostgres
from db.batches import WriteBatch, build_batch
from db.copy_format import COLUMNS, copy_buffer, detection_rows
from db.detection_store import DetectionStore
from db.migrate import migrate
from db.queries import queries
from db.timeseries import maintain
from engine.domain.frames import FrameStamp
from engine.domain.ids import ModelId, StreamId, new_track_id
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import EQUINE26
from engine.domain.tracks import TrackBatch

HORSES, STREAMS, SLICE = 8, 8, 512


def make_results(streams: list[StreamId], frames: int) -> list[FrameResult]:
    """``frames`` pictures of every stream, 8 horses with 26 landmarks in each."""
    rng = np.random.default_rng(1)
    tracks = {stream: tuple(new_track_id() for _ in range(HORSES)) for stream in streams}
    started = datetime.now(UTC)
    results = []
    for index in range(frames):
        for stream in streams:
            corner = rng.uniform(0, 900, (HORSES, 2)).astype(np.float32)
            boxes = np.concatenate([corner, corner + 400], axis=1)
            points = corner[:, None] + rng.uniform(0, 400, (HORSES, 26, 2)).astype(np.float32)
            scores = rng.uniform(0.1, 1, (HORSES, 26)).astype(np.float32)
            at = started.replace(microsecond=0) + (index * 0.1) * _SECOND
            results.append(
                FrameResult(
                    FrameStamp(stream, index, at, index * 0.1, index * 0.1),
                    1920,
                    1080,
                    TrackBatch(
                        boxes,
                        np.zeros((HORSES, 4), np.float32),
                        scores[:, 0].copy(),
                        scores[:, 1].copy(),
                        np.zeros(HORSES, np.int16),
                        np.ones(HORSES, np.int8),
                        np.arange(HORSES, dtype=np.int64),
                        np.zeros(HORSES, np.int8),
                        tracks[stream],
                        (None,) * HORSES,
                    ),
                    PoseBatch(points, scores, EQUINE26),
                    ModelId("bench@1"),
                    ModelId("bench-pose@1"),
                    Degradation.NONE,
                    index * 0.1,
                )
            )
    return results


_SECOND = datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)


class Contest:
    """The ways to write, each returning nothing and writing all rows."""

    def __init__(self, dsn: str, frames: int) -> None:
        migrate(dsn)
        self.connection = psycopg.connect(dsn, autocommit=True)
        maintain(self.connection, datetime.now(UTC))
        streams = [StreamId(uuid4()) for _ in range(STREAMS)]
        for number, stream in enumerate(streams):
            self.connection.execute(
                "INSERT INTO streams (id, farm_id, name, kind, address) "
                "SELECT %s, id, %s, 'file', 'x' FROM farms",
                (stream, f"camera {number}"),
            )
        self.connection.execute(
            "CREATE TABLE detections_json (time timestamptz, track_id uuid, stream_key int, "
            "x1 real, y1 real, x2 real, y2 real, score real, class_id smallint, keypoints jsonb)"
        )
        for columns in ("stream_key, time", "track_id, time"):
            self.connection.execute(f"CREATE INDEX ON detections_json ({columns})")
        self.results = make_results(streams, frames)
        self.rows = sum(len(result.tracks) for result in self.results)
        self.store = DetectionStore(dsn)
        self.store.connect()
        batch = build_batch(self.results)
        self.store.write(batch)
        found = self.connection.execute("SELECT id, key FROM streams").fetchall()
        self.keys: dict[StreamId, int] = dict(found)
        self.slices = [
            self.results[start : start + SLICE] for start in range(0, len(self.results), SLICE)
        ]
        self.raw = [self._buffer(build_batch(part)) for part in self.slices]
        self.text_rows = self._text_rows(batch)

    def _buffer(self, batch: WriteBatch) -> bytes:
        keys = np.array([self.keys[stream] for stream in batch.streams] + [0], np.int64)
        ones = np.array([1, 0], np.int64)
        return copy_buffer([detection_rows(group, keys, ones, ones) for group in batch.groups])

    def _text_rows(self, batch: WriteBatch) -> list[tuple[object, ...]]:
        packed = iter(np.concatenate([g.packed for g in batch.groups if g.packed.shape[1]]))
        rows: list[tuple[object, ...]] = []
        for result in self.results:
            key, at = self.keys[result.stamp.stream_id], result.stamp.captured_at
            for index, track in enumerate(result.tracks.track_ids):
                box = [int(v) for v in result.tracks.boxes_xyxy_px[index]]
                score = int(result.tracks.scores[index] * 10_000)
                rows.append((at, track, key, *box, score, 0, 1, 1, 0, bytes(next(packed))))
        return rows

    def empty(self) -> None:
        """Make every round start from the same table."""
        self.connection.execute("TRUNCATE detections, detections_json, spool_batches")
        known = self.store.known_tracks
        self.batches = [build_batch(part, (), known) for part in self.slices]
        self.connection.execute("CHECKPOINT")

    def ours(self) -> None:
        """Results to table, in transactions of 512 pictures like every other way."""
        for part in self.slices:
            self.store.write(build_batch(part, (), self.store.known_tracks))

    def columns(self) -> None:
        """Finished columns to table."""
        for batch in self.batches:
            self.store.write(batch)

    def raw_binary(self) -> None:
        """A finished buffer."""
        with self.connection.cursor() as cursor:
            for buffer in self.raw:
                with cursor.copy(queries("writer")["copy_detections"]) as copy:
                    copy.write(buffer)

    def text(self) -> None:
        """psycopg text COPY of finished Python rows."""
        statement = f"COPY detections ({', '.join(COLUMNS)}) FROM STDIN"
        with self.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in self.text_rows:
                copy.write_row(row)

    def text_json(self) -> None:
        """psycopg text COPY from results, keypoints as JSON."""
        names = EQUINE26.landmarks
        statement = "COPY detections_json FROM STDIN"
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for result in self.results:
                key, at = self.keys[result.stamp.stream_id], result.stamp.captured_at
                poses = result.poses
                assert poses is not None
                for index, track in enumerate(result.tracks.track_ids):
                    points = poses.keypoints_px[index].tolist()
                    scores = poses.scores[index].tolist()
                    named = {n: [*p, s] for n, p, s in zip(names, points, scores, strict=True)}
                    box = result.tracks.boxes_xyxy_px[index].tolist()
                    score = float(result.tracks.scores[index])
                    copy.write_row((at, track, key, *box, score, 0, json.dumps(named)))

    def sizes(self) -> tuple[float, float]:
        """Heap bytes a row, and all bytes a row with the indexes."""
        row = self.connection.execute(
            "SELECT sum(pg_relation_size(c.oid)), sum(pg_total_relation_size(c.oid)), "
            "(SELECT count(*) FROM detections) FROM pg_inherits i "
            "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'detections'::regclass"
        ).fetchone()
        assert row is not None
        return float(row[0]) / row[2], float(row[1]) / row[2]


def timed(contest: Contest, write: Callable[[], None]) -> float:
    """Rows per second of one way."""
    contest.empty()
    started = time.perf_counter()
    write()
    return contest.rows / (time.perf_counter() - started)


def main() -> None:
    """Print medians with their 5 and 95 % points."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--frames", type=int, default=400)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="barnhand-bench-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres")
    try:
        contest = Contest(server.start(), arguments.frames)
        ways = {
            "ours": contest.ours,
            "ours, columns": contest.columns,
            "raw binary": contest.raw_binary,
            "text": contest.text,
            "text with JSON": contest.text_json,
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, write in ways.items():
                found[name].append(timed(contest, write))
        contest.empty()
        contest.ours()
        heap, total = contest.sizes()
        ours = np.array(found["ours"])
        print(f"{contest.rows} rows a round, {arguments.rounds} rounds, 26 landmarks a row")
        for name, rates in found.items():
            rate = np.array(rates)
            low, middle, high = np.percentile(ours / rate, (5, 50, 95))
            print(
                f"{name:16s} {np.median(rate):10.0f} rows/s   ours is {middle:5.2f} times "
                f"(5 %: {low:.2f}, 95 %: {high:.2f})"
            )
        print(f"bytes a row: {heap:.0f} heap, {total:.0f} with all indexes")
        contest.store.close()
        contest.connection.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
