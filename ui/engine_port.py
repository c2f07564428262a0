"""What the console asks of the engine, as values and one protocol.

``ui.engine_bridge`` meets the protocol with the engine's facade; nothing else in the console
knows that facade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.domain.frames import Image, WallFrame
from engine.domain.ids import StreamId
from engine.domain.notices import Notice
from engine.domain.ptz import PtzControl
from engine.domain.results import FrameResult
from engine.domain.streams import Stream, StreamHealth
from engine.ptz.probing import ProbeFinding
from engine.settings import PushSettings


@dataclass(frozen=True, slots=True)
class StageReport:
    """How one stage of the pipeline is doing. Times are None before the first measurement;
    ``queued`` and ``capacity`` describe the mailbox in front of it (0 and 0 where there is none).
    """

    name: str
    per_s: float
    p50_ms: float | None
    p95_ms: float | None
    queued: int
    capacity: int
    dropped: int


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model task. ``name`` is empty and ``degraded`` True when no model does it;
    ``state`` says in words what that means."""

    task: str
    name: str
    licence: str
    runs_on: str
    state: str
    degraded: bool


@dataclass(frozen=True, slots=True)
class EngineReport:
    """One look at the whole engine. ``identity_threshold``: see ``EngineHealth``."""

    streams: tuple[StreamHealth, ...] = ()
    stages: tuple[StageReport, ...] = ()
    models: tuple[ModelReport, ...] = ()
    notices: tuple[Notice, ...] = ()
    identity_threshold: float | None = None


@dataclass(frozen=True, slots=True)
class ProbePicture:
    """What a test of an address brought back: uint8 (h, w, 4) BGRA, scaled to at most 640 px
    wide; the sizes are those of the source. ``fps`` is None and ``codec`` empty if unstated."""

    bgra: Image
    width_px: int
    height_px: int
    fps: float | None
    codec: str


class EngineBridge(Protocol):
    """The running engine. Every method but ``probe`` and those of camera
    set-up (``..._ptz``) returns at once; all are
    thread-safe."""

    @property
    def ptz(self) -> PtzControl:
        """Control of cameras that can be steered."""
        ...

    def streams(self) -> tuple[Stream, ...]:
        """The streams the engine works on."""
        ...

    def set_streams(self, streams: Sequence[Stream]) -> None:
        """Make the engine work on exactly these, reconciled by id."""
        ...

    def start_stream(self, stream_id: StreamId) -> None: ...

    def stop_stream(self, stream_id: StreamId) -> None: ...

    def show(self, stream_id: StreamId, size_px: tuple[int, int] | None) -> None:
        """Ask for wall pictures of this size in device pixels; None asks for none."""
        ...

    def wall_frames(self, stream_id: StreamId) -> tuple[WallFrame, ...]:
        """Pictures of the last 0.7 s or so, oldest first; empty when none are known."""
        ...

    def results(self, stream_id: StreamId) -> tuple[FrameResult, ...]:
        """Results of the last 3 s or so, oldest first."""
        ...

    def report(self) -> EngineReport: ...

    def push_rules(self) -> PushSettings:
        """Where cameras may push to."""
        ...

    def probe(self, stream: Stream) -> ProbePicture:
        """Open an address and fetch one picture. Blocks; call it on a worker.

        Raises OperatorMistake or EnvironmentFault with a message fit for a person.
        """
        ...

    def ptz_dialects(self) -> Mapping[str, str]:
        """The dialects of steered cameras: name to title."""
        ...

    def probe_ptz(self, stream: Stream) -> bytes:
        """Reach a camera over its camera control and fetch a snapshot (JPEG). Blocks; call it on
        a worker.

        Raises OperatorMistake or EnvironmentFault with a message fit for a person.
        """
        ...

    def find_ptz(self, stream: Stream) -> ProbeFinding:
        """Find out which dialect and log-in a steered camera takes, without moving it. Blocks
        some seconds for each way that is tried; call it on a worker. Raises OperatorMistake."""
        ...

    def turn_ptz(self, stream: Stream) -> ProbeFinding:
        """Turn a steered camera a little and back, and compare its pictures. Blocks; call it on
        a worker. Raises OperatorMistake or EnvironmentFault with a message fit for a person."""
        ...
