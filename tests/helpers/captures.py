"""Running captures with what they deliver."""

from __future__ import annotations

from typing import Any

from engine.domain.frames import AnalysisFrame
from engine.domain.streams import Stream, StreamState, StreamStatusChanged
from engine.pipeline.capture import Capture
from engine.runtime.clock import SystemClock
from engine.settings import AnalysisSettings, CaptureSettings
from tests.helpers.streams import QUICK, stream_of
from tests.helpers.waiting import wait_until


class Outputs:
    """Keeps what a capture delivers."""

    def __init__(self) -> None:
        self.frames: list[AnalysisFrame] = []
        self.changes: list[StreamStatusChanged] = []

    def on_analysis_frame(self, frame: AnalysisFrame) -> None:
        """Keep it."""
        self.frames.append(frame)

    def on_status(self, change: StreamStatusChanged) -> None:
        """Keep it."""
        self.changes.append(change)

    def states(self) -> list[StreamState]:
        """The states in the order they came."""
        return [change.state for change in self.changes]


class RunningCapture:
    """A capture with its outputs."""

    def __init__(
        self,
        stream: Stream,
        settings: CaptureSettings = QUICK,
        analysis: AnalysisSettings | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        self.outputs = outputs or Outputs()
        self.capture = Capture(
            stream,
            settings,
            analysis or AnalysisSettings(),
            SystemClock(),
            self.outputs,
            lambda: (160, 160),
        )

    def reaches(self, state: StreamState, within_s: float = 20.0) -> None:
        """Wait for a state, looking as often as the engine's health tick would."""
        wait_until(lambda: self.capture.health().state is state, within_s)

    def sees_more(self, pictures: int = 5) -> None:
        """Wait for more pictures than now."""
        aim = self.capture.health().decoded + pictures
        wait_until(lambda: self.capture.health().decoded >= aim)


class Captures:
    """The captures of a test; ``stop`` names those that would not end."""

    def __init__(self) -> None:
        self._running: list[RunningCapture] = []

    def start(
        self, address: object, settings: CaptureSettings = QUICK, **changes: Any
    ) -> RunningCapture:
        """Start capturing an address."""
        analysis, outputs = changes.pop("analysis", None), changes.pop("outputs", None)
        changes.setdefault("name", f"camera {len(self._running)}")
        running = RunningCapture(stream_of(address, **changes), settings, analysis, outputs)
        running.capture.start()
        self._running.append(running)
        return running

    def stop(self) -> list[str]:
        """Stop all; the names of survivors."""
        for one in self._running:
            one.capture.ask_to_stop()
        return [one.capture.name for one in self._running if not one.capture.join(5.0)]
