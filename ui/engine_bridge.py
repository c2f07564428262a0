"""The one file of the console that touches the engine's facade."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from engine.domain.errors import OperatorMistake
from engine.domain.frames import WallFrame
from engine.domain.ids import StreamId
from engine.domain.ptz import PtzConfig, PtzControl
from engine.domain.results import FrameResult
from engine.domain.streams import Stream
from engine.facade import Engine
from engine.ptz.cgi import Credentials
from engine.ptz.config import ptz_of
from engine.ptz.dialects import dialects
from engine.ptz.drivers import open_driver
from engine.ptz.probing import ProbeFinding, probe_camera, try_camera
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings, PushSettings
from ui.engine_port import EngineReport, ModelReport, ProbePicture, StageReport

PROBE_WIDTH_PX = 640


class CameraDesk(Protocol):
    """Who decides which cameras this engine works on, where several share them."""

    def set_streams(self, streams: Sequence[Stream]) -> None: ...

    def start_camera(self, stream_id: StreamId) -> None: ...

    def stop_camera(self, stream_id: StreamId) -> None: ...


class FacadeBridge:
    """Meets ``EngineBridge`` with a running engine. ``settings`` gives those now in force.
    ``desk``: who is asked for other cameras; None: the engine itself."""

    def __init__(
        self,
        engine: Engine,
        settings: Callable[[], EngineSettings],
        desk: CameraDesk | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._desk = desk

    @property
    def ptz(self) -> PtzControl:
        """See ``EngineBridge``."""
        return self._engine.ptz

    def streams(self) -> tuple[Stream, ...]:
        """See ``EngineBridge``."""
        return self._engine.streams()

    def set_streams(self, streams: Sequence[Stream]) -> None:
        """See ``EngineBridge``."""
        (self._desk or self._engine).set_streams(streams)

    def start_stream(self, stream_id: StreamId) -> None:
        """See ``EngineBridge``."""
        if self._desk is None:
            self._engine.start_stream(stream_id)
        else:
            self._desk.start_camera(stream_id)

    def stop_stream(self, stream_id: StreamId) -> None:
        """See ``EngineBridge``."""
        if self._desk is None:
            self._engine.stop_stream(stream_id)
        else:
            self._desk.stop_camera(stream_id)

    def show(self, stream_id: StreamId, size_px: tuple[int, int] | None) -> None:
        """See ``EngineBridge``."""
        self._engine.show(stream_id, size_px)

    def wall_frames(self, stream_id: StreamId) -> tuple[WallFrame, ...]:
        """See ``EngineBridge``."""
        return self._engine.wall_frames(stream_id)

    def results(self, stream_id: StreamId) -> tuple[FrameResult, ...]:
        """See ``EngineBridge``."""
        return self._engine.results(stream_id)

    def report(self) -> EngineReport:
        """See ``EngineBridge``."""
        health = self._engine.health()
        return EngineReport(
            streams=tuple(health.streams),
            stages=tuple(
                StageReport(
                    name=stage.name,
                    per_s=stage.per_s,
                    p50_ms=stage.p50_ms,
                    p95_ms=stage.p95_ms,
                    queued=stage.queued,
                    capacity=stage.capacity,
                    dropped=stage.dropped,
                )
                for stage in health.stages
            ),
            models=tuple(
                ModelReport(
                    task=model.task,
                    name=model.name,
                    licence=model.licence,
                    runs_on=model.runs_on,
                    state=model.state,
                    degraded=model.degraded,
                )
                for model in health.models
            ),
            notices=tuple(health.notices),
            identity_threshold=health.identity_threshold,
        )

    def push_rules(self) -> PushSettings:
        """See ``EngineBridge``."""
        return self._settings().capture.push

    def probe(self, stream: Stream) -> ProbePicture:
        """See ``EngineBridge``."""
        found = Engine.probe(stream, self._settings())
        width_px = min(found.width, PROBE_WIDTH_PX)
        height_px = max(round(found.height * width_px / found.width), 1)
        return ProbePicture(
            bgra=found.picture.scaled_bgra(width_px, height_px),
            width_px=found.width,
            height_px=found.height,
            fps=found.fps,
            codec=found.codec,
        )

    def ptz_dialects(self) -> Mapping[str, str]:
        """See ``EngineBridge``. A file of further dialects that is wrong is left out here; a
        camera that needs it says what is wrong with it."""
        return known_dialects(self._settings().ptz.dialects_file)

    def probe_ptz(self, stream: Stream) -> bytes:
        """See ``EngineBridge``."""
        return snapshot_of(stream, self._settings().ptz.dialects_file)

    def find_ptz(self, stream: Stream) -> ProbeFinding:
        """See ``EngineBridge``."""
        return found_ptz(stream, self._settings().ptz.dialects_file)

    def turn_ptz(self, stream: Stream) -> ProbeFinding:
        """See ``EngineBridge``."""
        return turned_ptz(stream, self._settings().ptz.dialects_file)


def known_dialects(further: str = "") -> Mapping[str, str]:
    """Dialects by name with their titles; ``further`` names a file with more of them."""
    try:
        known = dialects(Path(further).expanduser() if further else None)
    except OperatorMistake:
        known = dialects()
    return {name: dialect.title for name, dialect in known.items()}


def snapshot_of(stream: Stream, further: str = "") -> bytes:
    """One JPEG over a stream's camera control. Blocks up to 5 s."""
    driver = open_driver(*_control_of(stream), further)
    try:
        return driver.snapshot()
    finally:
        driver.close()


def found_ptz(stream: Stream, further: str = "") -> ProbeFinding:
    """What a stream's camera control answers to; nothing moves. Blocks."""
    return probe_camera(*_control_of(stream), further)


def turned_ptz(stream: Stream, further: str = "") -> ProbeFinding:
    """What came of turning a stream's camera a little and back. Blocks."""
    return try_camera(*_control_of(stream), SystemClock(), further)


def _control_of(stream: Stream) -> tuple[PtzConfig, Credentials]:
    config = ptz_of(stream)
    if config is None:
        raise OperatorMistake(f"{stream.name} is not set up to be steered.")
    return config, Credentials(stream.username, stream.password)
