"""``Engine``: the one door to capture, analysis and results."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2

from engine.domain.frames import FrameStamp, Picture, WallFrame
from engine.domain.health import (
    CameraSummary,
    EngineHealth,
    EngineHistograms,
    ModelHealth,
    StageHealth,
)
from engine.domain.identity import RegistrySnapshot
from engine.domain.ids import ModelId, StreamId
from engine.domain.notices import Notice, Severity
from engine.domain.ports import Clock, Detector, Embedder, EngineSink, PoseEstimator
from engine.domain.results import Degradation, FrameResult
from engine.domain.streams import Stream
from engine.models.model_set import ModelSet
from engine.models.motion_detector import MotionDetector
from engine.pipeline.chosen_models import StreamModels
from engine.pipeline.fan_out import FanOut
from engine.pipeline.graph import Pipeline
from engine.pipeline.tap import Tap
from engine.ptz.control import CameraControl
from engine.ptz.eyes import EngineEyes
from engine.ptz.guardian import GuardianProcess
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from engine.sources.probe import ProbeReport, probe

CAMERA_STOP_SHARE = 0.6
"""Share of the time to stop that moving cameras may take to be told."""


class Engine:
    """Watches cameras. Methods may be called from any thread; only ``start``, ``stop`` and
    ``probe`` block. ``recordings``: where scans keep their recordings. ``tap``: the recorder, which
    gets what cameras send as they send it."""

    def __init__(
        self,
        settings: EngineSettings,
        models: ModelSet,
        sinks: Sequence[EngineSink],
        clock: Clock | None = None,
        recordings: Path | None = None,
        tap: Tap | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._models = models
        self._tap = tap
        self._fan_out = FanOut(sinks)
        self._pipeline = Pipeline(settings, models, self._fan_out, self._clock, tap)
        folder = recordings or Path(tempfile.gettempdir()) / "barnhand-recordings"
        self._ptz = CameraControl(
            settings.ptz,
            self._clock,
            lambda stream_id: EngineEyes(
                stream_id, self.latest_picture, self.results, folder, self._clock
            ),
            self.results,
            GuardianProcess(further=settings.ptz.dialects_file) if settings.ptz.guardian else None,
        )

        self._pipeline.analysis.view_moving = self._ptz.suspended
        self._pipeline.analysis.view_new = self._ptz.new_view

    @property
    def settings(self) -> EngineSettings:
        """The settings in force."""
        return self._pipeline.settings

    @property
    def ptz(self) -> CameraControl:
        """Control of the cameras that can be steered (port PtzControl)."""
        return self._ptz

    def start(self) -> None:
        """Start the workers and every enabled camera; tells what models are missing."""
        cv2.setNumThreads(1)  # every camera and model already has threads of its own
        for notice in self._models.notices:
            self._fan_out.on_notice(notice)
        self._pipeline.start()
        self._ptz.start()

    def stop(self, deadline_s: float = 5.0) -> tuple[str, ...]:
        """Stop in order; returns the names of threads still alive at the deadline."""
        end_s = self._clock.mono_s() + deadline_s
        steering = self._ptz.shut_down(deadline_s * CAMERA_STOP_SHARE)
        survivors = self._pipeline.stop(max(end_s - self._clock.mono_s(), 0.0))
        if not survivors:
            self._pipeline.analysis.chosen.close()
            self._models.close()
        return steering + survivors

    def set_streams(
        self, streams: Sequence[Stream], elsewhere: Mapping[StreamId, str] | None = None
    ) -> None:
        """Make these the engine's cameras; only what differs is started or stopped. ``elsewhere``
        names the nodes that hold some of them: those are only shown here."""
        others = elsewhere or {}
        self._pipeline.set_streams(streams, others)
        self._steer([stream for stream in streams if stream.id not in others])

    def start_stream(self, stream_id: StreamId) -> None:
        """Start one camera. Raises NotFound."""
        self._pipeline.start_stream(stream_id)

    def stop_stream(self, stream_id: StreamId) -> None:
        """Stop one camera. Raises NotFound."""
        self._pipeline.stop_stream(stream_id)

    def streams(self) -> tuple[Stream, ...]:
        """The cameras the engine knows."""
        return self._pipeline.streams()

    def elsewhere(self) -> Mapping[StreamId, str]:
        """The cameras that other nodes hold, with those nodes' names."""
        return self._pipeline.elsewhere()

    def looked_on(self) -> tuple[StreamId, ...]:
        """The cameras of other nodes that are shown here now."""
        return self._pipeline.looked_on()

    def follow(self, result: FrameResult) -> None:
        """Show another node's result over its camera; its ``captured_mono_s`` is of this machine's
        clock. Nothing is stored or told."""
        self._pipeline.follow(result)

    def show(self, stream_id: StreamId, size_px: tuple[int, int] | None) -> None:
        """Ask for wall pictures that fit this size in px; None stops making them."""
        self._pipeline.show(stream_id, size_px)

    def wall_frames(self, stream_id: StreamId) -> tuple[WallFrame, ...]:
        """Wall pictures of about the last 0.7 s, oldest first."""
        capture = self._pipeline.capture(stream_id)
        return () if capture is None else capture.wall_frames()

    def results(self, stream_id: StreamId) -> tuple[FrameResult, ...]:
        """Results of about the last 3 s, oldest first."""
        return self._fan_out.results(stream_id)

    def latest_picture(self, stream_id: StreamId) -> tuple[FrameStamp, Picture] | None:
        """The newest picture, None before the first."""
        capture = self._pipeline.capture(stream_id)
        return None if capture is None else capture.latest()

    def load_registry(self, snapshot: RegistrySnapshot) -> None:
        """Know these horses from now on, instead of those before.

        Before the first call no track is identified. What people corrected shows on live tracks
        with the next picture; tracks of cameras that start afterwards are numbered on.
        """
        self._pipeline.analysis.identify.load(snapshot)

    def choose_models(self, chosen: Mapping[StreamId, StreamModels]) -> None:
        """Use these models for these cameras from the next picture on, the workstation's own for
        the others. Opened models are the engine's from then on; it closes what is not named any
        more. One that fails at work gives way to the workstation's own."""
        self._pipeline.analysis.chosen.assign(chosen)

    def failed_choices(self) -> frozenset[ModelId]:
        """Chosen models that failed at work."""
        return self._pipeline.analysis.chosen.given_up()

    def notify(self, notice: Notice) -> None:
        """Add a standing condition of a part outside the engine (stores, servers), or end it."""
        self._fan_out.on_notice(notice)

    def apply(self, settings: EngineSettings) -> None:
        """Use new settings: thresholds and rates of analysis at once, capture settings from a
        camera's next start, models and devices from the next start of the program."""
        self._pipeline.settings = settings
        self._ptz.settings = settings.ptz
        self._pipeline.analysis.settings = settings
        if self._tap is not None:
            self._tap.apply(settings.recording)

    def health(self) -> EngineHealth:
        """Everything a person or a monitor may want to know now."""
        analysis, inbox = self._pipeline.analysis, self._pipeline.inbox
        sizes = analysis.meters.batch_sizes.quantiles()
        return EngineHealth(
            running=self._pipeline.running,
            analysed_fps=self._pipeline.tally.analysed.per_second(self._clock.mono_s()),
            queue_depth=len(inbox),
            mean_batch=0.0 if sizes is None else sizes.p50,
            streams=self._pipeline.health(),
            stages=self._stages(),
            models=self._model_health(),
            notices=self._fan_out.notices(),
            failed_workers=self._pipeline.failed_workers,
            identity_threshold=analysis.identify.threshold,
        )

    def histograms(self) -> EngineHistograms:
        """How long cameras' pictures and the stages took since the start, for monitors."""
        meters, tally = self._pipeline.analysis.meters, self._pipeline.tally
        return EngineHistograms(
            latency_s={stream.id: tally.latency_s(stream.id) for stream in self.streams()},
            stage_s={name: times.counts() for name, times in meters.time_s.items()},
            batch=meters.batches.counts(),
        )

    def summary(self) -> tuple[CameraSummary, ...]:
        """What each camera did since the start."""
        healths = {health.stream_id: health for health in self._pipeline.health()}
        return tuple(
            self._pipeline.tally.summary(stream, healths[stream.id])
            for stream in self._pipeline.streams()
            if stream.id in healths
        )

    @staticmethod
    def probe(stream: Stream, settings: EngineSettings) -> ProbeReport:
        """Open a source, take one picture and close it; blocks up to the capture time-outs."""
        return probe(stream, settings.capture)

    def _steer(self, streams: Sequence[Stream]) -> None:
        wrong = {stream.id: error for stream, error in self._ptz.set_streams(streams)}
        for stream in streams:
            error = wrong.get(stream.id)
            self._fan_out.on_notice(
                Notice(
                    key=f"ptz.config:{stream.id}",
                    severity=Severity.WARNING,
                    message=f"{stream.name} cannot be steered: {error.message}" if error else "",
                    advice=error.advice if error else "",
                    at=self._clock.now(),
                    stream_id=stream.id,
                    active=error is not None,
                )
            )

    def _stages(self) -> tuple[StageHealth, ...]:
        meters, inbox = self._pipeline.analysis.meters, self._pipeline.inbox
        now_s = self._clock.mono_s()
        stages = []
        for name, times in meters.time_ms.items():
            spread = times.quantiles()
            first = name == "gate"
            stages.append(
                StageHealth(
                    name=name,
                    per_s=meters.rate[name].per_second(now_s),
                    p50_ms=None if spread is None else spread.p50,
                    p95_ms=None if spread is None else spread.p95,
                    queued=len(inbox) if first else 0,
                    capacity=len(self._pipeline.streams()) if first else 0,
                    dropped=inbox.dropped_total if first else 0,
                )
            )
        return tuple(stages)

    def _model_health(self) -> tuple[ModelHealth, ...]:
        models = self._models
        slots: tuple[tuple[str, Detector | PoseEstimator | Embedder | None], ...] = (
            ("detector", models.detector),
            ("pose", models.pose),
            ("embedder", models.embedder),
        )
        care = self._pipeline.analysis.care
        degradation = models.current_degradation() | care.degradation
        return tuple(
            ModelHealth(task, "none", "", "", "failing", degraded=True)
            if care.rests(task)
            else _slot(task, model, models, degradation)
            for task, model in slots
        )


def _slot(
    task: str,
    model: Detector | PoseEstimator | Embedder | None,
    models: ModelSet,
    degradation: Degradation,
) -> ModelHealth:
    if model is None:
        return ModelHealth(task, "none", "", "", "absent", degraded=True)
    if isinstance(model, MotionDetector):
        return ModelHealth(task, "motion boxes", "", "cpu", "no detector model", degraded=True)
    squeezed = bool(degradation & (Degradation.ON_CPU | Degradation.SMALLER_BATCH))
    where = models.devices.get(task, "")
    licence = models.licences.get(task, "")
    state = "reduced" if squeezed else "ok"
    return ModelHealth(task, str(model.model_id), licence, where, state, degraded=squeezed)
