"""The pipeline, top down: captures feed the inbox, one analysis worker empties it, results fan out.

Start goes downstream first (listeners before talkers), stop goes upstream first: captures, then
the inbox, then the analysis worker, then its trackers.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from engine.domain.errors import NotFound
from engine.domain.frames import AnalysisFrame
from engine.domain.ids import StreamId
from engine.domain.notices import Notice, Severity
from engine.domain.ports import Clock
from engine.domain.results import FrameResult
from engine.domain.streams import Stream, StreamHealth, StreamState, StreamStatusChanged
from engine.models.model_set import ModelSet
from engine.pipeline.analysis import Analysis
from engine.pipeline.capture import Capture
from engine.pipeline.fan_out import FanOut
from engine.pipeline.inbox import AnalysisInbox
from engine.pipeline.onlooker import Onlooker, nearest, watched
from engine.pipeline.tally import Tally
from engine.pipeline.tap import Tap
from engine.runtime.clock import ahead_s
from engine.runtime.worker import StopToken, Worker
from engine.settings import EngineSettings

HEALTH_EVERY_S = 1.0
CLOCK_TOLD_FROM_S = 5.0
"""A clock that was set back by less needs nobody."""
CAPTURE_PATIENCE_S = 4.0
"""How long a removed camera's thread may take to leave a network time-out."""


class Pipeline:
    """Owns every worker of the engine. Methods may be called from any thread."""

    def __init__(
        self,
        settings: EngineSettings,
        models: ModelSet,
        fan_out: FanOut,
        clock: Clock,
        tap: Tap | None = None,
    ) -> None:
        self.settings = settings
        self._tap = tap
        self.inbox = AnalysisInbox()
        self.tally = Tally(clock)
        self.analysis = Analysis(
            settings, models, self.inbox, fan_out, clock, self._confidence_of, self.tally.on_result
        )
        self.analysis.motion.stream_of = self._stream_or_none
        self._models = models
        self._fan_out = fan_out
        self._clock = clock
        self._lock = threading.RLock()
        self._streams: dict[StreamId, Stream] = {}
        self._elsewhere: dict[StreamId, str] = {}
        self._onlooker = Onlooker()
        self._captures: dict[StreamId, Capture] = {}
        self._leaving: list[Capture] = []
        self._sequences: dict[StreamId, int] = {}
        self._tiles: dict[StreamId, tuple[int, int] | None] = {}
        self._failed: list[str] = []
        self._running = False
        self._workers = (
            Worker("analysis", self.analysis.run, on_failed=self._on_failed),
            Worker("crops", self.analysis.identify.crops.run, on_failed=self._on_failed),
            Worker("engine-health", self._watch, on_failed=self._on_failed),
        )

    @property
    def running(self) -> bool:
        """True between start and stop."""
        return self._running

    @property
    def failed_workers(self) -> tuple[str, ...]:
        """Threads that spent their restart budget."""
        return tuple(self._failed)

    def start(self) -> None:
        """Start the analysis and then every enabled camera."""
        with self._lock:
            self._running = True
            for worker in self._workers:
                worker.start()
            for stream in self._streams.values():
                if stream.enabled:
                    self._begin(stream)

    def stop(self, deadline_s: float) -> tuple[str, ...]:
        """Stop upstream first; returns the names of threads that did not end by the deadline."""
        end_s = self._clock.mono_s() + deadline_s
        with self._lock:
            self._running = False
            captures = [*self._captures.values(), *self._leaving]
            for capture in captures:
                capture.ask_to_stop()
        self.inbox.close()
        self.analysis.identify.crops.stop()
        for worker in self._workers:
            worker.ask_to_stop()
        every: list[Capture | Worker] = [*captures, *self._workers]
        alive = [t.name for t in every if not t.join(max(end_s - self._clock.mono_s(), 0.0))]
        if "analysis" not in alive:
            self.analysis.finish()
        return tuple(alive)

    # --- cameras ------------------------------------------------------------------------------

    def streams(self) -> tuple[Stream, ...]:
        """The cameras the engine knows."""
        with self._lock:
            return tuple(self._streams.values())

    def set_streams(
        self, streams: Sequence[Stream], elsewhere: Mapping[StreamId, str] | None = None
    ) -> None:
        """Make these the cameras: new ones start, changed ones start again, others end.

        ``elsewhere`` names the nodes that hold some of them: those are shown here when a tile asks
        for them, and neither analysed nor recorded.
        """
        others = elsewhere or {}
        with self._lock:
            wanted = {stream.id: stream for stream in streams}
            for stream_id in [known for known in self._streams if known not in wanted]:
                self._end(stream_id)
                del self._streams[stream_id]
                self._elsewhere.pop(stream_id, None)
                self._forget(stream_id)
            for stream in streams:
                self._set_stream(stream, others.get(stream.id))

    def _set_stream(self, stream: Stream, node: str | None) -> None:
        before, held_before = self._streams.get(stream.id), stream.id not in self._elsewhere
        if node is not None:
            self._elsewhere[stream.id] = node
        if before == stream and held_before == (node is None):
            return
        self._end(stream.id)
        self._streams[stream.id] = stream
        if node is None:
            self._elsewhere.pop(stream.id, None)
        if before is not None and held_before != (node is None):
            self._change_hands(stream, node)
        if self._running and stream.enabled:
            self._begin(stream)

    def _change_hands(self, stream: Stream, node: str | None) -> None:
        """This node lost or got a camera: nothing of the other's time stays."""
        self._fan_out.forget(stream.id)
        if node is None:
            return
        self.analysis.remove(stream.id)
        if self._tap is not None:
            self._tap.forget(stream.id)
        now = self._clock.now()
        gone = StreamStatusChanged(
            stream.id, StreamState.INACTIVE, f"Watched by {node} from now on.", now
        )
        self._fan_out.on_status(gone)
        self._fan_out.on_notice(_away_notice(stream, gone, away=False))

    def start_stream(self, stream_id: StreamId) -> None:
        """Start one camera's capture; nothing happens if it runs or another node has it. Raises
        NotFound."""
        with self._lock:
            stream = self._stream(stream_id)
            if stream_id in self._elsewhere:
                return
            capture = self._captures.get(stream_id)
            ended = capture is not None and capture.state in (StreamState.ENDED, StreamState.ERROR)
            if capture is not None and not ended:
                return
            self._end(stream_id)
            if self._running:
                self._begin(stream)

    def stop_stream(self, stream_id: StreamId) -> None:
        """Stop one camera's capture unless another node has it. Raises NotFound."""
        with self._lock:
            self._stream(stream_id)
            if stream_id in self._elsewhere:
                return
            self._end(stream_id)
        reason = "Stopped by an operator."
        change = StreamStatusChanged(stream_id, StreamState.INACTIVE, reason, self._clock.now())
        self.on_status(change)

    def capture(self, stream_id: StreamId) -> Capture | None:
        """The running capture of a camera."""
        with self._lock:
            return self._captures.get(stream_id)

    def show(self, stream_id: StreamId, size_px: tuple[int, int] | None) -> None:
        """Ask for wall pictures of this size, or for none."""
        with self._lock:
            self._tiles[stream_id] = size_px
            if stream_id in self._elsewhere:
                self._look_on(self._stream(stream_id), size_px)
            capture = self._captures.get(stream_id)
        if capture is not None:
            capture.show(size_px)

    def _look_on(self, stream: Stream, size_px: tuple[int, int] | None) -> None:
        """Fetch another node's camera only while a tile shows it."""
        if size_px is None:
            self._end(stream.id)
        elif stream.id not in self._captures and self._running and stream.enabled:
            self._begin(stream)

    def elsewhere(self) -> Mapping[StreamId, str]:
        """The cameras that other nodes hold, with those nodes' names."""
        with self._lock:
            return dict(self._elsewhere)

    def looked_on(self) -> tuple[StreamId, ...]:
        """The cameras of other nodes that are shown here."""
        with self._lock:
            return tuple(known for known in self._elsewhere if known in self._captures)

    def follow(self, result: FrameResult) -> None:
        """Take another node's result for the wall: it belongs to the picture here that was taken
        when its own was, so it gets that picture's number."""
        stream_id = result.stamp.stream_id
        with self._lock:
            capture = self._captures.get(stream_id) if stream_id in self._elsewhere else None
        fitting = None if capture is None else nearest(capture.wall_frames(), result)
        if fitting is None:
            return
        known = self._fan_out.results(stream_id)[-1:]
        if not known or known[0].stamp.sequence < fitting.stamp.sequence:
            self._fan_out.remember(replace(result, stamp=fitting.stamp))

    def health(self) -> tuple[StreamHealth, ...]:
        """How every camera is doing, capture and analysis together."""
        with self._lock:
            pairs = [(stream, self._captures.get(stream.id)) for stream in self._streams.values()]
        return tuple(self._health(stream, capture) for stream, capture in pairs)

    def _health(self, stream: Stream, capture: Capture | None) -> StreamHealth:
        idle = StreamHealth(stream.id, StreamState.INACTIVE, "Not started.")
        health = self.tally.health(
            idle if capture is None else capture.health(), self.inbox.dropped(stream.id)
        )
        node = self._elsewhere.get(stream.id)
        if node is not None:
            return watched(health, node)
        return (
            health
            if self._tap is None
            else replace(health, recording=self._tap.state_of(stream.id))
        )

    # --- what the capture threads call (CaptureOutputs) -----------------------------------------

    def on_analysis_frame(self, frame: AnalysisFrame) -> None:
        """A picture for analysis: newest wins for live ones, recordings at any speed wait."""
        with self._lock:
            stream = self._streams.get(frame.stamp.stream_id)
        if stream is not None and stream.id not in self._elsewhere:
            self.inbox.put(frame, wait=not stream.realtime)

    def on_status(self, change: StreamStatusChanged) -> None:
        """A camera changed state: told to everyone, and noted while it is away."""
        if change.stream_id in self._elsewhere:
            return  # the last words of a capture that this node has given up
        self.tally.on_status(change)
        self._fan_out.on_status(change)
        away = change.state in (StreamState.OFFLINE, StreamState.ERROR)
        with self._lock:
            stream = self._streams.get(change.stream_id)
        if stream is not None:
            self._fan_out.on_notice(_away_notice(stream, change, away))

    # --- inside ---------------------------------------------------------------------------------

    def _stream(self, stream_id: StreamId) -> Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            raise NotFound("There is no such camera.", "It may have been removed meanwhile.")
        return stream

    def _stream_or_none(self, stream_id: StreamId) -> Stream | None:
        with self._lock:
            return self._streams.get(stream_id)

    def _begin(self, stream: Stream) -> None:
        held = stream.id not in self._elsewhere
        if not held and self._tiles.get(stream.id) is None:
            return
        capture = Capture(
            stream if held else replace(stream, realtime=True),
            self.settings.capture,
            self.settings.analysis,
            self._clock,
            self if held else self._onlooker,
            lambda: self.analysis.chosen.detector_of(stream.id).input_size_px,
            self._sequences.get(stream.id, 0),
            self._tap if held else None,
            analysed=held,
        )
        capture.show(self._tiles.get(stream.id))
        self._captures[stream.id] = capture
        capture.start()

    def _end(self, stream_id: StreamId) -> None:
        capture = self._captures.pop(stream_id, None)
        if capture is None:
            return
        capture.ask_to_stop()
        self._sequences[stream_id] = capture.next_sequence
        self.inbox.forget(stream_id)
        self._tidy()
        self._leaving.append(capture)

    def _tidy(self) -> None:
        """Let go of captures that have left: they keep their last pictures."""
        with self._lock:
            self._leaving = [capture for capture in self._leaving if not capture.join(0.0)]

    def _forget(self, stream_id: StreamId) -> None:
        self.analysis.remove(stream_id)
        self._fan_out.forget(stream_id)
        if self._tap is not None:
            self._tap.forget(stream_id)
        self.tally.forget(stream_id)
        self._tiles.pop(stream_id, None)
        self._sequences.pop(stream_id, None)

    def _confidence_of(self, stream_id: StreamId) -> float | None:
        with self._lock:
            stream = self._streams.get(stream_id)
        return None if stream is None else stream.confidence

    def _watch(self, token: StopToken) -> None:
        while not token.wait(HEALTH_EVERY_S):
            self._tidy()
            self._fan_out.on_health([one for one in self.health() if not one.watched_by])
            self._fan_out.on_notice(_clock_notice(self._clock.now()))

    def _on_failed(self, name: str, error: BaseException) -> None:
        self._failed.append(name)
        self._fan_out.on_notice(
            Notice(
                key=f"worker.failed:{name}",
                severity=Severity.CRITICAL,
                message=f"The part {name} of the engine failed again and again: {error}",
                advice="Restart the program and send the log to the makers.",
                at=datetime.now(UTC),
            )
        )


def _clock_notice(now: datetime) -> Notice:
    return Notice(
        key="clock.set_back",
        severity=Severity.WARNING,
        message="The computer's clock was set back; new rows carry a time that is too late until "
        "it has caught up.",
        advice="Restart Barnhand to take over the clock's time at once.",
        at=now,
        active=ahead_s() > CLOCK_TOLD_FROM_S,
    )


def _away_notice(stream: Stream, change: StreamStatusChanged, away: bool) -> Notice:
    wrong = change.state is StreamState.ERROR
    return Notice(
        key=f"stream.away:{stream.id}",
        severity=Severity.WARNING,
        message=f"{stream.name}: {change.reason or change.state.value}",
        advice="Correct the camera's address." if wrong else "It is tried again by itself.",
        at=change.at,
        stream_id=stream.id,
        active=away,
    )
