"""A barn scan over real pictures: the simulated camera shows them, the bundled detector looks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.frames import FrameStamp, Image
from engine.domain.ids import StreamId, new_track_id
from engine.domain.ports import Detector
from engine.domain.ptz import ScanPhase, ScanPlan
from engine.domain.results import Degradation, FrameResult
from engine.domain.tracks import TrackBatch, TrackState
from engine.models.manifest import read_manifest
from engine.models.model_set import load_models
from engine.models.store import ModelStore
from engine.ptz.control import CameraControl
from engine.ptz.eyes import EngineEyes
from engine.ptz.pictures import decoded
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings, PoseSettings, PtzSettings, TrackingSettings
from engine.simulation.ptz_camera import ptz_simulator
from engine.simulation.ptz_view import MovingView, panorama_of
from engine.sources.pictures import ArrayPicture
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import ANNA, stream_of

MODELS = Path(__file__).resolve().parents[3] / "resources" / "models"
HORSES = {
    2: "looks/scenes/horse_1.jpg",
    4: "looks/scenes/horse_11.jpg",
    7: "looks/scenes/horse_111.jpg",
}
EMPTY = {1: "004", 3: "025", 5: "038", 6: "057", 8: "121"}


class QuickClock:
    """Time that passes four times as fast as the machine's."""

    FACTOR = 4.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def mono_s(self) -> float:
        return time.monotonic() * self.FACTOR

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.FACTOR)


class Watcher:
    """The engine's part, in the scan's own thread: the camera's picture and what is in it."""

    def __init__(self, detector: Detector, clock: QuickClock) -> None:
        self.detector, self.clock = detector, clock
        self.control: CameraControl | None = None

    def latest(self, stream_id: StreamId) -> tuple[FrameStamp, ArrayPicture]:
        assert self.control is not None
        picture = decoded(self.control.snapshot(stream_id).result(20.0))
        stamp = FrameStamp(stream_id, 1, self.clock.now(), self.clock.mono_s(), None)
        return stamp, ArrayPicture(picture)

    def results(self, stream_id: StreamId) -> list[FrameResult]:
        stamp, picture = self.latest(stream_id)
        bgr = picture.scaled_bgr(picture.width_px, picture.height_px)
        return [self._result(stamp, bgr)] * 5

    def _result(self, stamp: FrameStamp, bgr: Image) -> FrameResult:
        width, height = self.detector.input_size_px
        scale = min(width / bgr.shape[1], height / bgr.shape[0])
        size = round(bgr.shape[1] * scale), round(bgr.shape[0] * scale)
        small = np.asarray(cv2.resize(bgr, size), np.uint8)
        found = self.detector.detect([small], [scale], 0.35)[0]
        return FrameResult(
            stamp, bgr.shape[1], bgr.shape[0], tracks_of(found), None, None, None,
            Degradation.NONE, self.clock.mono_s(),
        )  # fmt: skip


def tracks_of(found: DetectionBatch) -> TrackBatch:
    count = len(found)
    return TrackBatch(
        found.boxes_xyxy_px,
        np.zeros((count, 4), np.float32),
        found.scores,
        found.scores,
        found.class_ids,
        np.full((count,), TrackState.ACTIVE, np.int8),
        np.arange(count, dtype=np.int64),
        np.zeros((count,), np.int8),
        tuple(new_track_id() for _ in range(count)),
        (None,) * count,
    )


def barn_view(shared: Path, clock: QuickClock) -> MovingView:
    """Eight presets: three with horses, five empty."""
    files = {preset: f"empty_barns/{name}.jpg" for preset, name in EMPTY.items()} | HORSES
    pictures = [cv2.imread(str(shared / "data" / files[preset])) for preset in range(1, 9)]
    large, views = panorama_of([np.asarray(p, np.uint8) for p in pictures], columns=4)
    view = MovingView(large, clock.mono_s, size_px=(960, 540))
    for number, state in enumerate(views, 1):
        view.store(number, state)
    return view


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    settings = EngineSettings(
        pose=PoseSettings(model="none"), tracking=TrackingSettings(embedder="none")
    )
    cache = tmp_path_factory.mktemp("models")
    store = ModelStore(read_manifest(MODELS / "manifest.toml"), cache, (), MODELS)
    return load_models(settings, store, SystemClock()).detector


def test_a_scan_over_eight_presets_finds_those_with_horses(
    shared: Path, detector: Detector, tmp_path: Path
) -> None:
    clock = QuickClock()
    watcher = Watcher(detector, clock)
    with ptz_simulator(barn_view(shared, clock), clock) as camera:
        control = CameraControl(
            PtzSettings(),
            clock,
            lambda stream_id: EngineEyes(
                stream_id, watcher.latest, watcher.results, tmp_path, clock
            ),
            watcher.results,
        )
        watcher.control = control
        stream = stream_of(camera, home_preset=3)
        control.set_streams([stream])
        control.start()
        try:
            plan = ScanPlan(stream.id, tuple(range(1, 9)), settle_s=4.0, record_s=5.0)
            scan_id = control.start_scan(plan, ANNA)
            ends = (ScanPhase.DONE, ScanPhase.FAILED, ScanPhase.STOPPED)
            wait_until(lambda: control.scan(stream.id).phase in ends, 90.0)
            end = control.scan(stream.id)
            assert end is not None and end.scan_id == scan_id
            assert end.phase is ScanPhase.DONE, end.message
            found = {view.preset for view in end.views if view.horses}
            assert found == set(HORSES), end.views
            wait_until(lambda: not camera.view.moving)
            assert camera.view.state == camera.view.presets[3]
            for view in end.views:
                assert view.picture is not None and decoded(view.picture).shape[1] == 320
                assert bool(view.recording) == (view.preset in HORSES)
                if view.recording:
                    with av.open(str(tmp_path / view.recording)) as movie:
                        shown = [frame.width for frame in movie.decode(video=0)]
                    assert len(shown) >= 3 and set(shown) == {960}
        finally:
            assert control.shut_down(5.0) == ()


def test_the_classes_that_count() -> None:
    found = DetectionBatch(
        np.array([[0, 0, 50, 50], [0, 0, 60, 60]], np.float32),
        np.array([0.9, 0.8], np.float32),
        np.array([SubjectClass.PERSON, SubjectClass.HORSE], np.int16),
    )
    clock = QuickClock()
    stamp = FrameStamp(StreamId(new_track_id()), 1, clock.now(), 10.0, None)
    result = FrameResult(
        stamp, 100, 100, tracks_of(found), None, None, None, Degradation.NONE, 10.0
    )
    eyes = EngineEyes(stamp.stream_id, lambda _: None, lambda _: [result] * 2, Path(), clock)
    assert eyes.horses(9.0) == (1, 2)
    assert eyes.horses(10.5) == (0, 0)
    assert eyes.small() is None and eyes.picture() is None
