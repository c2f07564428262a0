"""The chunk lane over a real recording and a real store: final results on the stored tracks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import av
import numpy as np
import pytest

from barnhand_desktop.jobs.reanalysis import Reanalysis
from barnhand_desktop.model_store import open_model_store
from barnhand_desktop.settings.folders import folders_of
from barnhand_desktop.settings.schema import Settings
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.edits import PostgresEditRepository
from db.repositories.farms import DEFAULT_FARM
from db.repositories.motion import PostgresMotionRepository
from db.repositories.stored_past import PostgresStoredPast
from engine.domain.frames import FrameStamp
from engine.domain.ids import new_track_id
from engine.domain.recording import (
    Chunk,
    DeleteBox,
    Extent,
    Job,
    JobCancelled,
    JobId,
    JobKind,
    JobState,
)
from engine.models.model_set import ModelSet, load_models
from engine.reanalysis.sightings import RecordedPicture, Sighting, Watcher
from engine.recording.layout import overlay_file, video_file
from engine.recording.overlay import read_overlay
from engine.recording.reader import ChunkReader
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from tests.fixtures_identity import IdentityBarn
from tests.helpers.recordings import RecordedBarn

START = datetime(2025, 6, 1, 12, tzinfo=UTC)
PICTURES = 60


class Context:
    """A job's context that may be cancelled from the start."""

    def __init__(self, cancelled: bool = False) -> None:
        self.cancelled = cancelled

    def progress(self, share: float, message: str = "") -> None:
        assert 0.0 <= share <= 1.0


def first_pictures(clip: Path, into: Path) -> Path:
    """The first ``PICTURES`` of a clip, encoded again."""
    with av.open(str(clip)) as source, av.open(str(into), "w") as out:
        given = source.streams.video[0]
        stream = out.add_stream("libx264", rate=30, options={"g": "15", "bf": "0"})
        stream.width, stream.height = given.codec_context.width, given.codec_context.height
        stream.pix_fmt = "yuv420p"
        for index, frame in enumerate(source.decode(given)):
            if index == PICTURES:
                break
            bgr = frame.to_ndarray(format="bgr24")
            out.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, "bgr24")))
        out.mux(stream.encode())
    return into


@pytest.fixture(scope="module")
def recorded(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Chunk]:
    folder = tmp_path_factory.mktemp("lane")
    media = folder / "media"
    media.mkdir()
    clip = shared / "data" / "video" / "corral_two_horses_walk.mp4"
    movie = first_pictures(clip, folder / "clip.mp4")
    barn = RecordedBarn(media).start()
    chunk = barn.record_whole(movie)[0]
    assert not barn.stop()
    return media, replace(chunk, start_at=START, end_at=START + timedelta(seconds=chunk.duration_s))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelSet]:
    data = tmp_path_factory.mktemp("data")
    folders = folders_of(Settings(), {"BARNHAND_DATA_DIR": str(data)})
    loaded = load_models(_settings(), open_model_store(folders), SystemClock())
    yield loaded
    loaded.close()


def _settings() -> EngineSettings:
    settings = EngineSettings()
    tracking = settings.tracking.model_copy(update={"embedder": "none"})
    return settings.model_copy(update={"tracking": tracking})


@pytest.fixture(scope="module")
def seen(recorded: tuple[Path, Chunk], models: ModelSet) -> list[Sighting]:
    """What the live lane would have seen."""
    media, chunk = recorded
    watcher = Watcher(models, _settings(), chunk.stream_id, None, 10.0)
    with ChunkReader(video_file(media, chunk)) as reader:
        pictures = [
            RecordedPicture(
                FrameStamp(chunk.stream_id, n, START + timedelta(seconds=one.pts_s), one.pts_s,
                           one.pts_s),
                one.picture,
            )
            for n, one in enumerate(reader.pictures())
            if n % 3 == 0
        ]  # fmt: skip
    return watcher.watch(pictures, lambda _count: None)


class Lane(IdentityBarn):
    """A camera with the recording and the live lane's rows of it."""

    def __init__(
        self, dsn: str, media: Path, chunk: Chunk, models: ModelSet, seen: list[Sighting]
    ) -> None:
        super().__init__(dsn)
        self.media = media
        self.chunks = PostgresChunkRepository(self.pool)
        self.motion = PostgresMotionRepository(self.pool)
        self.told: list[Chunk] = []
        self.chunk = replace(chunk, stream_id=self.camera("corral"), moving=True)
        self.chunks.put(self.chunk)
        self.tracks = {int(n): new_track_id() for one in seen for n in one.numbers}
        self._store(seen)
        self.work = Reanalysis(
            media, self.chunks, self.streams, PostgresStoredPast(self.pool), self.motion,
            EngineSettings, lambda _settings: _Kept(models), self.told.append,
        )  # fmt: skip

    def _store(self, seen: list[Sighting]) -> None:
        key = self.ask("SELECT key FROM streams WHERE id = %s", self.chunk.stream_id)[0]["key"]
        for number, track in self.tracks.items():
            self.run(
                "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at) "
                "VALUES (%s, %s, %s, 0, %s, %s)",
                track, key, number, START, self.chunk.end_at,
            )  # fmt: skip
        for one in seen:
            for row, number in enumerate(one.numbers.tolist()):
                self.run(
                    "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, "
                    "class_id, model_key, skeleton_key, flags) "
                    "VALUES (%s, %s, %s, %s, %s, %s, %s, 9000, 0, 0, 0, 0)",
                    one.stamp.captured_at, self.tracks[number], key,
                    *(int(v) for v in np.clip(one.boxes_xyxy_px[row], 0, 32_000)),
                )  # fmt: skip

    def job(self) -> Job:
        return Job(
            JobId(uuid4()), DEFAULT_FARM, JobKind.REANALYSE, "x", JobState.RUNNING, 0.0, "",
            "Anna", START, {"chunk_id": str(self.chunk.id)},
        )  # fmt: skip


class _Kept(ModelSet):
    """Models that outlive one test."""

    def __init__(self, models: ModelSet) -> None:
        super().__init__(models.detector, models.pose, None, models.degradation, ())

    def close(self) -> None:
        """They are closed with the module."""


@pytest.fixture
def lane(
    postgres_dsn: str, recorded: tuple[Path, Chunk], models: ModelSet, seen: list[Sighting]
) -> Iterator[Lane]:
    lane = Lane(postgres_dsn, *recorded, models, seen)
    yield lane
    lane.close()


def test_every_picture_gets_final_results_on_the_stored_tracks(lane: Lane) -> None:
    result = lane.work.reanalyse(lane.job(), Context())
    assert result["pictures"] == PICTURES
    final = lane.chunks.get(lane.chunk.id)
    assert final.final and final.horses == 2 and lane.told == [final]
    with ChunkReader(video_file(lane.media, final)) as reader:
        times = reader.times_s
    overlay = read_overlay(overlay_file(lane.media, final))
    assert [entry.pts_s for entry in overlay.entries] == pytest.approx(list(times))
    ids = {track.id for entry in overlay.entries for track in entry.tracks}
    assert ids and ids <= set(lane.tracks.values())
    posed = [track for entry in overlay.entries for track in entry.tracks if track.keypoints]
    assert len(posed) >= PICTURES
    assert not lane.chunks.unfinal()


def test_doing_it_twice_changes_nothing_and_edits_are_obeyed(lane: Lane) -> None:
    def stored() -> tuple[str, str]:
        rows = lane.ask("SELECT * FROM bouts ORDER BY id")
        strides = lane.ask("SELECT * FROM strides ORDER BY id")
        return json.dumps(rows, default=str), json.dumps(strides, default=str)

    lane.work.reanalyse(lane.job(), Context())
    once = stored()
    lane.work.reanalyse(lane.job(), Context())
    assert stored() == once
    track = next(iter(lane.tracks.values()))
    edits = PostgresEditRepository(lane.pool)
    edits.apply(lane.chunk.id, [DeleteBox(track, START, Extent.CHUNK)], "Anna")
    lane.work.reanalyse(lane.job(), Context())
    overlay = read_overlay(overlay_file(lane.media, lane.chunks.get(lane.chunk.id)))
    assert track not in {one.id for entry in overlay.entries for one in entry.tracks}


def test_a_cancelled_analysis_stores_nothing(lane: Lane) -> None:
    with pytest.raises(JobCancelled):
        lane.work.reanalyse(lane.job(), Context(cancelled=True))
    assert not lane.chunks.get(lane.chunk.id).final and not lane.told
