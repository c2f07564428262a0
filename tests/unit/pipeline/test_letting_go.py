"""A camera that was removed leaves nothing behind, though no other one is removed after it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.domain.results import Degradation
from engine.facade import Engine
from engine.models.model_set import ModelSet
from engine.models.motion_detector import MotionDetector
from engine.settings import EngineSettings, PtzSettings
from tests.helpers.movies import write_movie
from tests.helpers.recordings import RecordedBarn
from tests.helpers.streams import stream_of
from tests.helpers.waiting import wait_until


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(
        EngineSettings(ptz=PtzSettings(guardian=False)),
        ModelSet(MotionDetector(20.0), None, None, Degradation.NO_DETECTOR, ()),
        (),
    )
    made.start()
    yield made
    assert made.stop() == ()


def _gone(what: Callable[[], object]) -> bool:
    gc.collect()
    return what() is None


def test_a_removed_cameras_pictures_are_let_go(engine: Engine, tmp_path: Path) -> None:
    camera = stream_of(write_movie(tmp_path / "movie.mp4", frames=100))
    engine.set_streams([camera])
    wait_until(lambda: engine.latest_picture(camera.id) is not None)
    newest = engine.latest_picture(camera.id)
    assert newest is not None
    capture = weakref.ref(engine._pipeline.capture(camera.id) or newest[1])
    del newest
    engine.set_streams([])
    wait_until(lambda: _gone(capture))


def test_a_removed_cameras_recorder_is_let_go(tmp_path: Path) -> None:
    barn = RecordedBarn(tmp_path / "media").start()
    try:
        camera = barn.camera(write_movie(tmp_path / "movie.mp4", frames=100))
        wait_until(lambda: bool(barn.of(camera)))
        recorder = weakref.ref(barn.recorder._cameras[camera.stream.id][0])
        camera.capture.ask_to_stop()
        assert camera.capture.join(5.0)
        barn.recorder.forget(camera.stream.id)
        wait_until(lambda: _gone(recorder))
    finally:
        assert barn.stop() == []
