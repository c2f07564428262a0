"""A console on a bench: the window's real parts, with an engine whose pictures and results a test
sets itself. The pictures and their true boxes come from the simulated barn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import cv2
import numpy as np
from pydantic import BaseModel

from barnhand_desktop.settings.schema import Settings
from engine.domain.detections import SubjectClass
from engine.domain.errors import Conflict, NotFound, OperatorMistake, StoreUnavailable
from engine.domain.frames import FrameStamp, Image, WallFrame
from engine.domain.horses import Horse
from engine.domain.identity import (
    CommandId,
    CommandRecord,
    Correction,
    Effect,
    Review,
    ReviewId,
    Similar,
    TrackStrip,
    Verdict,
)
from engine.domain.ids import (
    FarmId,
    HorseId,
    StreamId,
    TrackId,
    new_stream_id,
    new_track_id,
)
from engine.domain.ports import WallView
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation, FrameResult
from engine.domain.skeletons import EQUINE26
from engine.domain.streams import SourceKind, Stream, StreamHealth, StreamState
from engine.domain.tracks import TrackBatch, TrackState
from engine.ptz.control import CameraControl
from engine.ptz.eyes import Eyes
from engine.ptz.probing import ProbeFinding
from engine.runtime.clock import SystemClock
from engine.settings import PtzSettings, PushSettings
from engine.simulation.barn import SimulatedBarn
from ui.engine_bridge import found_ptz, known_dialects, snapshot_of, turned_ptz
from ui.engine_port import EngineReport, ModelReport, ProbePicture, StageReport
from ui.services import ConsoleServices, Level, PartState, SystemStatus
from ui.settings.schema import problems_with

FPS = 25.0


@dataclass
class BenchCamera:
    """One camera on the bench."""

    stream: Stream
    health: StreamHealth
    frames: list[WallFrame] = field(default_factory=list)
    results: list[FrameResult] = field(default_factory=list)
    size_px: tuple[int, int] | None = None


class BenchEngine:
    """Meets ``EngineBridge``; a test fills ``cameras`` and reads what was asked of it."""

    def __init__(self) -> None:
        self.cameras: dict[StreamId, BenchCamera] = {}
        self.extra = EngineReport()
        self.calls: list[tuple[str, object]] = []
        self.probe_answer: Callable[[Stream], ProbePicture] = self._no_probe
        self.eyes: Eyes | None = None
        self.push = PushSettings()
        self.ptz = CameraControl(PtzSettings(), SystemClock(), self._eyes, self.results)
        """The real control; a test that steers starts and stops it."""

    def add(self, name: str, kind: SourceKind = SourceKind.RTSP, **health: object) -> BenchCamera:
        """A camera that is active unless told otherwise."""
        stream = Stream(new_stream_id(), name, kind, f"rtsp://camera/{name}")
        state = StreamHealth(stream.id, StreamState.ACTIVE, width_px=960, height_px=540, fps=25.0)
        camera = BenchCamera(stream, replace(state, **health))
        self.cameras[stream.id] = camera
        return camera

    def push_rules(self) -> PushSettings:
        return self.push

    def streams(self) -> tuple[Stream, ...]:
        return tuple(c.stream for c in self.cameras.values())

    def set_streams(self, streams: Sequence[Stream]) -> None:
        self.calls.append(("set_streams", tuple(s.name for s in streams)))
        fresh = {}
        for stream in streams:
            known = self.cameras.get(stream.id)
            if known is not None:
                known.stream = stream
            fresh[stream.id] = known or BenchCamera(
                stream, StreamHealth(stream.id, StreamState.CONNECTING)
            )
        self.cameras = fresh
        self.ptz.set_streams(streams)

    def start_stream(self, stream_id: StreamId) -> None:
        self.calls.append(("start", stream_id))
        camera = self.cameras[stream_id]
        camera.health = replace(camera.health, state=StreamState.ACTIVE)

    def stop_stream(self, stream_id: StreamId) -> None:
        self.calls.append(("stop", stream_id))
        camera = self.cameras[stream_id]
        camera.health = replace(camera.health, state=StreamState.INACTIVE)

    def show(self, stream_id: StreamId, size_px: tuple[int, int] | None) -> None:
        if stream_id in self.cameras:
            self.cameras[stream_id].size_px = size_px

    def wall_frames(self, stream_id: StreamId) -> tuple[WallFrame, ...]:
        camera = self.cameras.get(stream_id)
        return tuple(camera.frames) if camera is not None else ()

    def results(self, stream_id: StreamId) -> tuple[FrameResult, ...]:
        camera = self.cameras.get(stream_id)
        return tuple(camera.results) if camera is not None else ()

    def report(self) -> EngineReport:
        return replace(self.extra, streams=tuple(c.health for c in self.cameras.values()))

    def ptz_dialects(self) -> Mapping[str, str]:
        return known_dialects()

    def probe_ptz(self, stream: Stream) -> bytes:
        return snapshot_of(stream)

    def find_ptz(self, stream: Stream) -> ProbeFinding:
        return found_ptz(stream)

    def turn_ptz(self, stream: Stream) -> ProbeFinding:
        return turned_ptz(stream)

    def _eyes(self, _stream_id: StreamId) -> Eyes:
        if self.eyes is None:
            raise NotFound("This bench has no eyes.")
        return self.eyes

    def probe(self, stream: Stream) -> ProbePicture:
        return self.probe_answer(stream)

    @staticmethod
    def _no_probe(stream: Stream) -> ProbePicture:
        raise OperatorMistake(f"{stream.address} is not on the bench.")


class BenchStreams:
    """A StreamRepository in a dict; ``away`` makes every call fail like a lost server."""

    def __init__(self) -> None:
        self.rows: dict[StreamId, Stream] = {}
        self.away = False

    def list(self, farm_id: FarmId | None = None) -> Sequence[Stream]:
        self._check()
        return tuple(self.rows.values())

    def get(self, stream_id: StreamId) -> Stream:
        self._check()
        if stream_id not in self.rows:
            raise NotFound("There is no such camera.")
        return self.rows[stream_id]

    def add(self, stream: Stream, farm_id: FarmId | None = None) -> Stream:
        self._check()
        if any(s.name == stream.name for s in self.rows.values()):
            raise Conflict(f"There is already a camera called {stream.name}.")
        self.rows[stream.id] = stream
        return stream

    def update(self, stream: Stream) -> Stream:
        known = self.get(stream.id)
        if known.version != stream.version:
            raise Conflict(f"{stream.name} was changed by someone else.")
        self.rows[stream.id] = replace(stream, version=stream.version + 1)
        return self.rows[stream.id]

    def remove(self, stream_id: StreamId) -> None:
        self.get(stream_id)
        del self.rows[stream_id]

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("The database does not answer.")


class BenchViews:
    """A ViewRepository in a dict."""

    def __init__(self) -> None:
        self.rows: dict[UUID, WallView] = {}

    def list(self) -> Sequence[WallView]:
        return tuple(self.rows.values())

    def save(self, view: WallView) -> None:
        self.rows[view.id] = view

    def remove(self, view_id: UUID) -> None:
        self.rows.pop(view_id, None)


class BenchHorses:
    """A HorseRepository that knows nobody, or ``rows``."""

    def __init__(self) -> None:
        self.rows: list[Horse] = []

    def list(self, farm_id: FarmId | None = None) -> Sequence[Horse]:
        return tuple(self.rows)

    def get(self, horse_id: HorseId) -> Horse:
        found = next((horse for horse in self.rows if horse.id == horse_id), None)
        if found is None:
            raise NotFound("There is no such horse.")
        return found

    def avatar(self, horse_id: HorseId) -> bytes | None:
        return None

    def similar(self, horse_id: HorseId, limit: int = 5) -> Sequence[Similar]:
        return ()

    def strips(
        self,
        horse_id: HorseId | None = None,
        stream_id: StreamId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 500,
    ) -> Sequence[TrackStrip]:
        return ()

    def crop(self, track_id: TrackId) -> bytes | None:
        return None


class BenchIdentity:
    """An IdentityRepository whose store is away: corrections are tested on the real one."""

    def preview(self, correction: Correction) -> Effect:
        raise self._away()

    def apply(
        self,
        correction: Correction,
        actor: str,
        reason: str = "",
        expected: Mapping[HorseId, int] | None = None,
    ) -> CommandRecord:
        raise self._away()

    def undo(self, command_id: CommandId, actor: str) -> CommandRecord:
        raise self._away()

    def redo(self, command_id: CommandId, actor: str) -> CommandRecord:
        raise self._away()

    def history(
        self,
        farm_id: FarmId | None = None,
        horse_id: HorseId | None = None,
        limit: int = 100,
        before: CommandId | None = None,
    ) -> Sequence[CommandRecord]:
        return ()

    def reviews(self, farm_id: FarmId | None = None, limit: int = 50) -> Sequence[Review]:
        return ()

    def decide(self, review_id: ReviewId, verdict: Verdict, actor: str) -> CommandRecord | None:
        raise self._away()

    @staticmethod
    def _away() -> StoreUnavailable:
        return StoreUnavailable("The database does not answer.")


class BenchSettings:
    """SettingsAccess over a model in memory, validated as the real one is."""

    def __init__(self, folder: Path) -> None:
        self.current: BaseModel = Settings()
        self.path = folder / "settings.toml"
        self.refuse = ""

    def save(self, changes: Mapping[str, object]) -> None:
        if self.refuse:
            raise OperatorMistake(self.refuse)
        problems = problems_with(self.current, changes)
        if problems:
            name, message = next(iter(problems.items()))
            raise OperatorMistake(f"{name}: {message}")
        data = self.current.model_dump()
        for path, value in changes.items():
            *sections, last = path.split(".")
            place = data
            for section in sections:
                place = place[section]
            place[last] = value
        self.current = type(self.current).model_validate(data)


def good_system() -> SystemStatus:
    """Everything well."""
    ok = PartState(Level.OK, "ok")
    return SystemStatus(
        database=PartState(Level.OK, "barn-db · TimescaleDB"),
        live=ok,
        api=ok,
        disk=PartState(Level.OK, "21 days"),
        writer=ok,
        api_url="",
        rows_written=128_402,
        rows_spooled=0,
        media_free_bytes=612_000_000_000,
        cpu_percent=41.0,
    )


@dataclass
class Bench:
    """All parts and the services made of them."""

    engine: BenchEngine
    streams: BenchStreams
    views: BenchViews
    settings: BenchSettings
    services: ConsoleServices
    horses: BenchHorses
    listeners: list[Callable[[], None]]


def make_bench(folder: Path, admin_notice: str | None = None) -> Bench:
    """A bench without cameras; ``folder`` takes the console's own file."""
    engine, streams, views = BenchEngine(), BenchStreams(), BenchViews()
    settings, horses = BenchSettings(folder), BenchHorses()
    listeners: list[Callable[[], None]] = []
    services = ConsoleServices(
        engine=engine,
        streams=streams,
        views=views,
        settings=settings,
        system=good_system,
        log_lines=lambda: ("12:00:00 INFO engine started", "12:00:01 INFO camera Yard is live"),
        version="0.1.0",
        horses=horses,
        identity=BenchIdentity(),
        on_registry_changed=listeners.append,
        admin_notice=admin_notice,
    )
    return Bench(engine, streams, views, settings, services, horses, listeners)


class Scene:
    """A simulated camera played onto a bench camera: pictures at 25 fps, results every n-th."""

    def __init__(self, place: str, seed: int = 0, horses: int | None = None) -> None:
        self.barn = SimulatedBarn(place, seed, horses)
        self._tracks: dict[int, TrackId] = {}

    def play(
        self,
        camera: BenchCamera,
        from_s: float,
        pictures: int,
        every: int = 2,
        latency_s: float = 0.12,
        size_px: tuple[int, int] | None = None,
        began_mono_s: float | None = None,
        pose: bool = True,
    ) -> None:
        """Fill the camera with pictures that end now (or began at a monotonic instant)."""
        began = time.monotonic() - pictures / FPS if began_mono_s is None else began_mono_s
        for index in range(pictures):
            at_s = from_s + index / FPS
            sequence = round(at_s * FPS)
            stamp = FrameStamp(
                camera.stream.id, sequence, datetime.now(UTC), began + index / FPS, at_s
            )
            wanted = size_px or camera.size_px or (480, 270)
            camera.frames.append(wall_frame(stamp, self.barn.picture_at(at_s), wanted))
            if sequence % every == 0:
                camera.results.append(self.result(stamp, latency_s, pose))

    def result(self, stamp: FrameStamp, latency_s: float, pose: bool = True) -> FrameResult:
        """The truth as the engine would report it."""
        at_s = stamp.pts_s or 0.0
        now, soon = self.barn.truth_at(at_s), self.barn.truth_at(at_s + 0.1)
        count = len(now.ids)
        speeds = np.zeros((count, 4), np.float32)
        for row, horse in enumerate(now.ids):
            if horse in soon.ids:
                there = soon.boxes_xyxy_px[soon.ids.index(horse)]
                speeds[row] = (there - now.boxes_xyxy_px[row]) / 0.1
        ids = tuple(self._tracks.setdefault(h, new_track_id()) for h in now.ids)
        tracks = TrackBatch(
            now.boxes_xyxy_px.copy(),
            speeds,
            np.linspace(0.93, 0.81, count, dtype=np.float32),
            np.full((count,), 0.9, np.float32),
            np.full((count,), SubjectClass.HORSE, np.int16),
            np.full((count,), TrackState.ACTIVE, np.int8),
            np.array(now.ids, np.int64),
            np.array([h % 10 for h in now.ids], np.int8),
            ids,
            tuple(None for _ in ids),
        )
        scores = np.where(now.visible, 0.9, 0.1).astype(np.float32)
        poses = PoseBatch(now.keypoints_px.copy(), scores, EQUINE26) if pose else None
        return FrameResult(
            stamp,
            960,
            540,
            tracks,
            poses,
            None,
            None,
            Degradation.NONE,
            stamp.captured_mono_s + latency_s,
        )


def wall_frame(stamp: FrameStamp, bgr: Image, size_px: tuple[int, int]) -> WallFrame:
    """A picture scaled to a tile as the engine hands it over."""
    scaled = cv2.resize(bgr, size_px, interpolation=cv2.INTER_AREA)
    bgra = np.ascontiguousarray(cv2.cvtColor(scaled, cv2.COLOR_BGR2BGRA))
    bgra.setflags(write=False)
    return WallFrame(stamp, bgra.astype(np.uint8, copy=False), bgr.shape[1], bgr.shape[0])


def busy_report() -> EngineReport:
    """Stages and models of a machine at work."""
    return EngineReport(
        stages=(
            StageReport("detect", 41.0, 21.3, 33.0, 3, 32, 12),
            StageReport("track", 41.0, 0.8, 1.4, 0, 0, 0),
            StageReport("pose", 38.2, 14.9, 22.7, 0, 0, 0),
        ),
        models=(
            ModelReport("detector", "yolox_nano@1", "Apache-2.0", "CPU", "ready", False),
            ModelReport("pose", "", "", "", "no pose model found: skeletons are not drawn", True),
        ),
    )
