"""A farm with a recorded camera, a horse on it, and everything that can be exported of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from barnhand_desktop.exports.exporter import Exporter, ExportStores
from barnhand_desktop.exports.packet_facts import PacketStores
from db.repositories.alerts import PostgresAlertRepository
from db.repositories.audit import AuditRepository
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.export_rows import ExportRows
from db.repositories.farms import DEFAULT_FARM
from db.repositories.motion import PostgresMotionRepository
from db.repositories.stored_past import PostgresStoredPast
from engine.behaviour.rule_catalogue import default_rules
from engine.domain.behaviour import Alert, AlertId, RuleKind
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.job_arguments import export_arguments
from engine.domain.motion import (
    Asymmetry,
    Bout,
    BoutId,
    BoutKind,
    Gait,
    Lead,
    Stride,
    StrideId,
    TrackMotion,
)
from engine.domain.notices import Severity
from engine.domain.recording import (
    Chunk,
    ChunkId,
    ExportKind,
    ExportRequest,
    Job,
    JobId,
    JobKind,
    JobState,
)
from engine.recording.layout import overlay_file
from engine.recording.overlay import read_overlay
from tests.fixtures_identity import IdentityBarn
from tests.helpers.recordings import RecordedBarn, write_video

FPS, PICTURES = 25, 145
SIZE = (640, 360)


@dataclass
class Context:
    """A running job's context; ``cancel_at`` ends it at that share."""

    cancel_at: float = 2.0
    shares: tuple[float, ...] = ()

    @property
    def cancelled(self) -> bool:
        return bool(self.shares) and self.shares[-1] >= self.cancel_at

    def progress(self, share: float, message: str = "") -> None:
        self.shares = (*self.shares, share)


class ExportBarn(IdentityBarn):
    """Recorded chunks of one camera (a white square that moves 4 px a picture, found 10 times a
    second), a named horse on its track with bouts and strides, and an exporter over it all."""

    def __init__(self, dsn: str, media: Path, chunks: list[Chunk], track_of: TrackId) -> None:
        super().__init__(dsn)
        self.media = media
        self.repository = PostgresChunkRepository(self.pool)
        self.start = chunks[0].start_at
        self.end = chunks[-1].end_at
        self.stream_id: StreamId = self.camera("north")
        self.bella: HorseId = self.horse("Bella", "active", height_cm=158, breed="Hanoverian")
        self.chunks = [self.adopted(chunk, self.stream_id) for chunk in chunks]
        self.track_id = track_of
        self._track()
        self.motion = PostgresMotionRepository(self.pool)
        self.alerts = PostgresAlertRepository(self.pool, default_rules)
        rows = ExportRows(self.pool)
        self.exporter = Exporter(
            media,
            ExportStores(
                rows, self.repository, PostgresStoredPast(self.pool), self.horses,
                AuditRepository(self.pool),
                PacketStores(self.motion, self.alerts, rows, lambda: {"square@1": "ab" * 32},
                             "Barnhand test"),
            ),
            lambda: 0.3,
        )  # fmt: skip

    def adopted(self, chunk: Chunk, stream_id: StreamId) -> Chunk:
        """The chunk as a row of another camera, over the same files."""
        mine = replace(chunk, stream_id=stream_id)
        if stream_id != self.stream_id:
            copy = chunk.path.replace(".mp4", f"_{stream_id.hex[:4]}.mp4")
            for old, new in ((chunk.path, copy), (chunk.overlay_path, copy[:-4] + ".overlay.json")):
                shutil.copy(self.media / old, self.media / new)
            mine = replace(mine, id=ChunkId(uuid4()), path=copy,
                           overlay_path=copy[:-4] + ".overlay.json")  # fmt: skip
        self.repository.put(mine)
        return mine

    def _track(self) -> None:
        key = self.ask("SELECT key FROM streams WHERE id = %s", self.stream_id)[0]["key"]
        self.run(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, "
            "detections, confidence) VALUES (%s, %s, 1, 0, %s, %s, 40, 0.9)",
            self.track_id, key, self.start, self.end,
        )  # fmt: skip
        self.run("INSERT INTO models (name) VALUES ('square@1')")
        self.run("INSERT INTO skeletons (name, landmarks) VALUES ('two', ARRAY['nose', 'tail'])")
        for n in range(40):
            self.run(
                "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, "
                "class_id, model_key, skeleton_key, flags, keypoints) VALUES "
                "(%s, %s, %s, %s, 20, %s, 40, 9000, 0, 1, 1, 0, %s)",
                self.start + timedelta(seconds=n / 10), self.track_id, key, 10 * n, 10 * n + 20,
                bytes([64, 4, 0, 230, 64, 4, 0, 0]),
            )  # fmt: skip
        self.engine_decides(self.track_id, self.bella)

    def moves(self, strides: int = 12) -> None:
        """Bella walks, then trots ``strides`` strides, a little unevenly."""
        half = self.start + timedelta(seconds=2)
        bouts = [
            Bout(BoutId(uuid4()), self.track_id, self.stream_id, kind, value, a, b, 0.9, False)
            for kind, value, a, b in (
                (BoutKind.GAIT, "walk", self.start, half),
                (BoutKind.GAIT, "trot", half, self.end),
                (BoutKind.ACTION, "walking", self.start, half),
                (BoutKind.ACTION, "running", half, self.end),
                (BoutKind.POSTURE, "upright", self.start, self.end),
            )
        ]
        rng = np.random.default_rng(7)
        made = []
        for n in range(strides):
            at = half + timedelta(seconds=0.2 * n)
            uneven = Asymmetry(*(float(v) for v in rng.normal((9, 2, 1, 0), 2.0)))
            made.append(
                Stride(
                    StrideId(uuid4()), self.track_id, self.stream_id, at,
                    at + timedelta(seconds=0.7), Gait.TROT, Lead.NONE, 1.43, 2.4, 3.4,
                    (0.4, 0.4, 0.4, 0.4), (0.5, 0.0, 0.0, 0.5), (0.0, float("nan")), 0.9, uneven,
                    True, 0.8, provisional=False,
                )
            )  # fmt: skip
        whole = TrackMotion(self.track_id, self.stream_id, self.start, self.end, bouts, made)
        self.motion.replace([whole])

    def alert(self, message: str) -> None:
        """Something a person was told."""
        at = self.start + timedelta(seconds=3)
        self.alerts.raise_(
            Alert(AlertId(uuid4()), DEFAULT_FARM, None, RuleKind.RESTLESS, Severity.WARNING,
                  message, "k", at, at, self.bella, self.track_id, self.stream_id,
                  evidence={"lying_s": 3})
        )  # fmt: skip

    def export(
        self, kind: ExportKind, context: Context | None = None, **changes: object
    ) -> Mapping[str, object]:
        """Run an export as a node does; its result."""
        request = replace(
            ExportRequest(kind, self.start, self.end, (self.stream_id,)),
            **changes,  # type: ignore[arg-type]
        )
        job = Job(
            JobId(uuid4()), DEFAULT_FARM, JobKind.EXPORT, "x", JobState.RUNNING, 0.0, "", "Anna",
            datetime.now(UTC), export_arguments(request),
        )  # fmt: skip
        return self.exporter.export(job, context or Context())

    def file(self, result: Mapping[str, object]) -> Path:
        """The file that an export made."""
        return self.media / str(result["path"])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Chunk]]]:
    """A media folder with a recording of 6 s in two chunks."""
    folder = tmp_path_factory.mktemp("recorded")
    media = folder / "media"
    media.mkdir()
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25", "crf": "12"}
    movie = write_video(folder / "clip.mp4", PICTURES, FPS, SIZE, options=options)
    barn = RecordedBarn(media).start()
    chunks = list(barn.record_whole(movie))
    assert not barn.stop() and len(chunks) == 2
    start = datetime(2025, 5, 1, 12, tzinfo=UTC)
    placed = []
    for chunk in chunks:
        assert chunk.first_source_pts_s is not None
        at = start + timedelta(seconds=chunk.first_source_pts_s)
        seconds = timedelta(seconds=chunk.duration_s)
        placed.append(replace(chunk, start_at=at, end_at=at + seconds))
    yield media, placed


@pytest.fixture
def barn(
    postgres_dsn: str, recorded: tuple[Path, list[Chunk]], tmp_path: Path
) -> Iterator[ExportBarn]:
    media = tmp_path / "media"
    shutil.copytree(recorded[0], media)
    entries = read_overlay(overlay_file(media, recorded[1][0])).entries
    track_id = next(track.id for entry in entries for track in entry.tracks)
    barn = ExportBarn(postgres_dsn, media, recorded[1], track_id)
    yield barn
    barn.close()


@pytest.fixture
def need() -> Callable[[str], str]:
    """A program on this machine, or the test is skipped."""

    def found(program: str) -> str:
        path = shutil.which(program)
        if path is None:
            pytest.skip(f"{program} is not installed")
        return path

    return found
