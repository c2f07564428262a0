"""Cameras that another node holds: shown while a tile asks for them, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.domain.detections import DetectionBatch
from engine.domain.frames import FrameStamp
from engine.domain.ids import ModelId
from engine.domain.results import Degradation
from engine.domain.streams import Stream, StreamState
from engine.facade import Engine
from engine.models.model_set import ModelSet
from engine.settings import EngineSettings, PtzSettings
from tests.helpers.frame_results import START, frame_result
from tests.helpers.movies import write_movie
from tests.helpers.streams import stream_of
from tests.helpers.waiting import wait_until


class Sink:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda value: self.told.append((name, value))

    def heard(self, name: str) -> list[Any]:
        return [value for told, value in self.told if told == name]


class OneHorse:
    """Finds the same horse in every picture."""

    model_id = ModelId("scripted@1")
    input_size_px = (320, 180)

    def detect(self, pictures: Any, scales: Any, min_score: float) -> list[DetectionBatch]:
        box = np.array([[40, 40, 160, 160]], np.float32)
        return [DetectionBatch(box, np.full(1, 0.9, np.float32), np.zeros(1, np.int16))] * len(
            pictures
        )

    def close(self) -> None: ...


@pytest.fixture
def camera(tmp_path: Path) -> Stream:
    return stream_of(write_movie(tmp_path / "movie.mp4", frames=100))


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def engine(sink: Sink) -> Iterator[Engine]:
    made = Engine(
        EngineSettings(ptz=PtzSettings(guardian=False)),
        ModelSet(OneHorse(), None, None, Degradation.NONE, ()),
        (sink,),
    )
    made.start()
    yield made
    assert made.stop() == ()


def test_another_nodes_camera_is_fetched_only_for_a_tile(
    engine: Engine, sink: Sink, camera: Stream
) -> None:
    engine.set_streams([camera], {camera.id: "north"})
    assert engine.streams() == (camera,) and engine.looked_on() == ()
    (health,) = engine.health().streams
    assert (health.watched_by, health.state) == ("north", StreamState.INACTIVE)
    assert health.reason == "Watched by north."
    engine.show(camera.id, (160, 90))
    assert engine.looked_on() == (camera.id,)
    wait_until(lambda: len(engine.wall_frames(camera.id)) > 5)
    assert engine.health().streams[0].state is StreamState.ACTIVE
    wait_until(lambda: len(sink.heard("on_health")) > 1)
    assert all(list(healths) == [] for healths in sink.heard("on_health"))
    for silent in ("on_result", "on_status", "on_notice", "on_track_closed"):
        assert sink.heard(silent) == []
    engine.show(camera.id, None)
    assert engine.looked_on() == () and engine.wall_frames(camera.id) == ()


def test_a_camera_changes_hands_both_ways(engine: Engine, sink: Sink, camera: Stream) -> None:
    engine.set_streams([camera])
    wait_until(lambda: len(sink.heard("on_result")) > 5)
    engine.set_streams([camera], {camera.id: "north"})
    assert engine.results(camera.id) == ()
    wait_until(lambda: bool(sink.heard("on_track_closed")))
    last = sink.heard("on_status")[-1]
    assert (last.state, last.reason) == (StreamState.INACTIVE, "Watched by north from now on.")
    before = len(sink.heard("on_result"))
    sequence = max(result.stamp.sequence for result in sink.heard("on_result"))
    engine.set_streams([camera], {camera.id: "south"})
    assert engine.health().streams[0].watched_by == "south"
    engine.set_streams([camera])
    assert engine.health().streams[0].watched_by == ""
    wait_until(lambda: len(sink.heard("on_result")) > before + 2)
    fresh = sink.heard("on_result")[before + 1 :]
    assert all(result.stamp.sequence > sequence for result in fresh)
    assert sink.heard("on_status")[-1].state is StreamState.ACTIVE


def test_commands_for_anothers_camera_are_for_the_other(
    engine: Engine, sink: Sink, camera: Stream
) -> None:
    engine.set_streams([camera], {camera.id: "north"})
    engine.start_stream(camera.id)
    engine.stop_stream(camera.id)
    assert engine.looked_on() == () and sink.heard("on_status") == []


def test_anothers_result_lies_on_the_picture_of_its_time(
    engine: Engine, sink: Sink, camera: Stream
) -> None:
    engine.set_streams([camera], {camera.id: "north"})
    result = frame_result(camera.id, 7, 2)

    def taken_at(mono_s: float) -> None:
        stamp = FrameStamp(camera.id, 7, START, mono_s, None)
        engine.follow(replace(result, stamp=stamp, completed_mono_s=time.monotonic()))

    taken_at(time.monotonic())
    assert engine.results(camera.id) == (), "nobody looks"
    engine.show(camera.id, (160, 90))
    wait_until(lambda: len(engine.wall_frames(camera.id)) > 5)
    shown = engine.wall_frames(camera.id)[2].stamp
    taken_at(shown.captured_mono_s + 0.004)
    taken_at(shown.captured_mono_s - 9.0)
    (kept,) = engine.results(camera.id)
    assert kept.stamp == shown and kept.tracks is result.tracks
    taken_at(engine.wall_frames(camera.id)[-1].stamp.captured_mono_s)
    first, second = engine.results(camera.id)
    assert first.stamp.sequence < second.stamp.sequence
    assert sink.heard("on_result") == []


def test_what_is_not_anothers_is_not_followed(engine: Engine, camera: Stream) -> None:
    engine.set_streams([replace(camera, enabled=False)])
    engine.follow(frame_result(camera.id))
    assert engine.results(camera.id) == ()
