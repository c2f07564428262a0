"""What live identification costs: matching, a crowded picture, loading the registry.

* matching one track against 5,000 stored vectors; bar: p99 under 1 ms;
* the same for herds of 100 to 1,000 horses: the time stays flat;
* a picture of 100 tracked horses among 100 known ones; bar: under 10 ms;
* reading 50 horses with their vectors from PostgreSQL and making them ready; bar: under 500 ms.

    python -m benchmarks.identity_matching [--dimension 256] [--runs 1000]

Two times are printed: what passed on the wall, which on a shared machine contains other programs'
turns, and what this thread computed. The peer is the plain matrix product over every vector,
interleaved. Vectors are random directions: time does not depend on what they show.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import psycopg

from benchmarks.pairs import measure
from engine.domain.detections import SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.geometry import FloatArray
from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import KnownHorse, RegistrySnapshot
from engine.domain.ids import FarmId, HorseId, ModelId, new_stream_id, new_track_id
from engine.domain.tracks import TrackBatch, TrackState
from engine.identity.gallery import HorseGallery
from engine.identity.registry import Registry
from engine.identity.resolver import Resolver, Sight
from engine.identity.rules import Rules

MODEL = ModelId("benchmark@1")
BARS_MS = {"match p99": 1.0, "picture of 100 horses": 10.0, "load 50 horses": 500.0}


def units(rng: np.random.Generator, count: int, dimension: int) -> FloatArray:
    """Random unit vectors float32 (count, dimension)."""
    vectors = rng.normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def spread(work: Callable[[], object], runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Median and p99 in ms, on the wall and of this thread."""
    times = np.zeros((runs, 2))
    for run in range(runs):
        wall, own = time.perf_counter(), time.thread_time()
        work()
        times[run] = time.perf_counter() - wall, time.thread_time() - own
    points = np.percentile(times * 1e3, (50, 99), axis=0)
    return points[:, 0], points[:, 1]


def say(what: str, work: Callable[[], object], runs: int) -> None:
    """Print one line."""
    wall, own = spread(work, runs)
    print(
        f"{what:52s} wall p50 {wall[0]:7.3f} p99 {wall[1]:7.3f} ms, "
        f"own p50 {own[0]:7.3f} p99 {own[1]:7.3f} ms"
    )


def herd(rng: np.random.Generator, horses: int, dimension: int) -> dict[HorseId, FloatArray]:
    """Horses with 16 vectors each."""
    return {HorseId(uuid4()): units(rng, 16, dimension) for _ in range(horses)}


def matching(dimension: int, runs: int) -> None:
    """One track against herds of growing size."""
    rng = np.random.default_rng(1)
    for horses in (100, 313, 1000):
        known = herd(rng, horses, dimension)
        gallery = HorseGallery(dimension)
        gallery.load(known)
        one, eight = units(rng, 1, dimension), units(rng, 8, dimension)
        name = f"{horses * 16:,} vectors of {horses} horses"
        say(f"match, 1 vector, {name}", lambda g=gallery, q=one: g.rank(q), runs)
        say(f"match, 8 vectors, {name}", lambda g=gallery, q=eight: g.rank(q), runs)
        every = np.concatenate(list(known.values()))
        print(
            "    against the plain matrix product:",
            measure(lambda g=gallery, q=eight: g.rank(q), lambda m=every, q=eight: q @ m.T),
        )


def crowded(dimension: int, runs: int) -> None:
    """The resolver's work for a picture of 100 known horses."""
    rng = np.random.default_rng(2)
    known = herd(rng, 100, dimension)
    snapshot = RegistrySnapshot(
        MODEL,
        tuple(KnownHorse(_horse(horse), 1, vectors, {}) for horse, vectors in known.items()),
        {},
        frozenset(),
        {},
    )
    resolver = Resolver(Rules(), lambda _event: None)
    resolver.load(Registry.of(snapshot, MODEL, dimension), MODEL, 0.0, datetime.now(UTC))
    stream, tracks = new_stream_id(), tuple(new_track_id() for _ in known)
    corners = np.stack(np.meshgrid(np.arange(10) * 190, np.arange(10) * 105), -1).reshape(-1, 2)
    boxes = np.concatenate([corners, corners + np.array([180, 95])], axis=1).astype(np.float32)
    batch = TrackBatch(
        boxes, np.zeros((100, 4), np.float32), np.full(100, 0.9, np.float32),
        np.full(100, 0.9, np.float32), np.full(100, SubjectClass.HORSE, np.int16),
        np.full(100, TrackState.ACTIVE, np.int8), np.arange(100), np.zeros(100, np.int8), tracks,
        (None,) * 100,
    )  # fmt: skip
    first = np.stack([vectors[0] for vectors in known.values()])
    state = {"now": 0.0}

    def picture() -> None:
        state["now"] += 0.1
        stamp = FrameStamp(stream, 0, datetime.now(UTC), state["now"], None)
        resolver.observe(Sight(stamp, (1920, 1080), batch, first, np.full(100, 0.9, np.float32)))

    for _ in range(50):
        picture()
    say("picture of 100 horses, all identified", picture, min(runs, 300))


def loading(dimension: int) -> None:
    """50 horses with 16 vectors each, from the database to a gallery that answers."""
    from barnhand_desktop.servers.postgres import EmbeddedPostgres
    from db.batches import build_batch
    from db.detection_store import DetectionStore
    from db.identity_feed import SnapshotReader
    from db.migrate import migrate

    folder = Path(tempfile.mkdtemp(prefix="barnhand-bench-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "postgres", {"fsync": "off"})
    try:
        migrate(server.start())
        stream = new_stream_id()
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO streams (id, farm_id, name, kind, address) "
                "SELECT %s, id, 'camera', 'file', 'x' FROM farms",
                (stream,),
            )
        store = DetectionStore(server.dsn)
        rng = np.random.default_rng(3)
        for _ in range(50):
            store.write(build_batch([], *_met(rng, stream, dimension)))
        store.close()
        times = []
        for _ in range(9):
            with psycopg.connect(server.dsn, autocommit=True) as connection:
                began = time.perf_counter()
                (snapshot,) = SnapshotReader(MODEL).read(connection)
                registry = Registry.of(snapshot, MODEL, dimension)
                times.append((time.perf_counter() - began) * 1e3)
            assert registry.gallery is not None and len(registry.gallery) == 50
            assert sum(len(known.vectors) for known in snapshot.horses) == 800
        print(f"load 50 horses with 800 vectors: median {np.median(times):.0f} ms of 9")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _met(rng: np.random.Generator, stream: UUID, dimension: int) -> tuple[object, ...]:
    from engine.domain.identity import FeaturesSeen, HorseFound, Span, SpanDecided, SpanId
    from engine.domain.ids import StreamId
    from engine.domain.ports import TrackSummary

    at = datetime.now(UTC) - timedelta(hours=1)
    track, horse, camera = new_track_id(), HorseId(uuid4()), StreamId(stream)
    span = Span(SpanId(uuid4()), track, horse, None, None, 0.9, "engine")
    qualities = np.full(16, 0.8, np.float32)
    events = [
        HorseFound(horse, camera, 1, at),
        SpanDecided(span, camera, 0.9),
        FeaturesSeen(track, MODEL, units(rng, 16, dimension), qualities, True, at),
    ]
    ended = TrackSummary(track, camera, 1, 0, at, at + timedelta(seconds=30), 300, 0.9)
    return [ended], (), events


def _horse(horse_id: HorseId) -> Horse:
    farm = FarmId(UUID(int=1))
    return Horse(horse_id, farm, "horse", None, "#3E63DD", HorseStatus.ACTIVE, None, None, 1)


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--runs", type=int, default=1000)
    wanted = parser.parse_args()
    print(f"vectors of {wanted.dimension} numbers; bars in ms: {BARS_MS}")
    matching(wanted.dimension, wanted.runs)
    crowded(wanted.dimension, wanted.runs)
    loading(wanted.dimension)


if __name__ == "__main__":
    main()
