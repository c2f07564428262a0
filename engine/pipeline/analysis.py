"""The analysis worker's body: batch, gate, detect, pose, embed, track, identify, analyse, hand on.

One thread owns every model session and every tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.domain.frames import AnalysisFrame, Picture
from engine.domain.geometry import FloatArray
from engine.domain.ids import StreamId
from engine.domain.ports import Clock, TrackSummary
from engine.domain.poses import PoseBatch
from engine.domain.results import FrameResult
from engine.domain.tracks import TrackBatch
from engine.models.model_set import ModelSet
from engine.models.motion_detector import MotionDetector
from engine.pipeline.alignment import poses_of_rows
from engine.pipeline.barn_prior import with_barn_prior
from engine.pipeline.chosen_models import ChosenModels
from engine.pipeline.fan_out import FanOut
from engine.pipeline.identify import Identify
from engine.pipeline.inbox import AnalysisInbox
from engine.pipeline.model_care import ModelCare
from engine.pipeline.motion import MotionStage
from engine.pipeline.motion_gate import MotionGate
from engine.pipeline.stages import StageMeters
from engine.runtime.worker import StopToken
from engine.settings import EngineSettings
from engine.tracking.tracker import Tracker

Rows = NDArray[np.bool_]
IDLE_S = 0.2
SILENT_S = 10.0
"""A camera that sent nothing for so long has no horses that still do what they did."""


class Analysis:
    """Turns waiting pictures into results. ``settings`` may be replaced while it runs.

    ``view_moving`` says that a steered camera turns now, so that its results are marked and
    nothing is told from a background; ``view_new`` also that it came to rest only just, so that
    the gate lets every picture through. Both are set before the start.
    """

    def __init__(
        self,
        settings: EngineSettings,
        models: ModelSet,
        inbox: AnalysisInbox,
        fan_out: FanOut,
        clock: Clock,
        confidence_of: Callable[[StreamId], float | None],
        on_analysed: Callable[[FrameResult], None],
    ) -> None:
        self.settings = settings
        self.models = models
        self.chosen = ChosenModels(models, clock, fan_out.on_notice)
        self.meters = StageMeters(clock)
        self.identify = Identify(fan_out, clock, lambda: self.models.embedder)
        self.motion = MotionStage(settings.motion, fan_out.on_motion)
        self.motion.height_of = self.identify.height_m
        self.care = ModelCare(clock, fan_out.on_notice)
        self._stand_in = MotionDetector(settings.detection.minimum_box_px)
        self._inbox = inbox
        self._fan_out = fan_out
        self._clock = clock
        self._confidence_of = confidence_of
        self._on_analysed = on_analysed
        self._gate = MotionGate(settings.analysis.still_interval_s)
        self._trackers: dict[StreamId, Tracker] = {}
        self._last: dict[StreamId, FrameResult] = {}
        self._heard_s: dict[StreamId, float] = {}
        self._removed: list[StreamId] = []
        self.view_moving: Callable[[StreamId], bool] = _never
        self.view_new: Callable[[StreamId], bool] = _never

    def run(self, token: StopToken) -> None:
        """Worker body: until stopped or the inbox is closed."""
        while not token.stopping:
            analysis = self.settings.analysis
            fill_s = analysis.batch_wait_ms / 1000.0 if len(self._trackers) > 1 else 0.0
            frames = self._inbox.take(analysis.batch_size, fill_s, IDLE_S)
            while self._removed:
                self._drop(self._removed.pop())
            if frames:
                self.process(frames)
            self._silence(self._clock.mono_s())

    def remove(self, stream_id: StreamId) -> None:
        """Close a camera's tracks soon, on the analysis thread."""
        self._removed.append(stream_id)

    def finish(self) -> None:
        """Close all tracks; called after the worker has ended."""
        for stream_id in list(self._trackers):
            self._drop(stream_id)

    def process(self, frames: Sequence[AnalysisFrame]) -> list[FrameResult]:
        """Analyse one batch of pictures of different cameras and hand the results on."""
        with self.meters.batch([frame.stamp for frame in frames], self._inbox.dropped_total):
            return self._process(frames)

    def _process(self, frames: Sequence[AnalysisFrame]) -> list[FrameResult]:
        self.chosen.take_over()
        with self.meters.measure("gate"):
            moving = [self._moving(frame) for frame in frames]
        results = [self._held(f) for f, moves in zip(frames, moving, strict=True) if not moves]
        active = [frame for frame, moves in zip(frames, moving, strict=True) if moves]
        if active:
            results += self._analyse(active)
            self.care.look(self.models.current_degradation() & ~self.models.degradation)
        now_s = self._clock.mono_s()
        with self.meters.measure("fan_out"):
            for result in results:
                self._heard_s[result.stamp.stream_id] = now_s
                self._last[result.stamp.stream_id] = result
                self._on_analysed(result)
                self._fan_out.on_result(result)
        return results

    # --- stages -------------------------------------------------------------------------------

    def _moving(self, frame: AnalysisFrame) -> bool:
        self._gate.still_interval_s = self.settings.analysis.still_interval_s
        known = frame.stamp.stream_id in self._last
        wanted = self._gate.wants(frame) or self.view_new(frame.stamp.stream_id)
        return not self.settings.analysis.motion_gate or wanted or not known

    def _analyse(self, frames: list[AnalysisFrame]) -> list[FrameResult]:
        with self.meters.measure("detect"):
            detections = [
                found
                if self.chosen.verified(frame.stamp.stream_id)
                else with_barn_prior(found, frame.picture.height_px, self.settings.detection)
                for frame, found in zip(frames, self._detect(frames), strict=True)
            ]
        early: list[PoseBatch | None] = [None] * len(frames)
        if self.models.embedder is not None and self._poses_wanted:
            with self.meters.measure("pose"):
                early = self._pose(
                    frames, [self._strong(f, d) for f, d in zip(frames, detections, strict=True)]
                )
        with self.meters.measure("embed"):
            embeddings = self._embed(frames, detections, early)
        with self.meters.measure("track"):
            tracks = [
                self._tracker(frame.stamp.stream_id).update(
                    found, frame.stamp, self._confidence(frame.stamp.stream_id), vectors
                )
                for frame, found, vectors in zip(frames, detections, embeddings, strict=True)
            ]
        with self.meters.measure("identify"):
            tracks = [
                self.identify.run(
                    frame,
                    vectors,
                    self._tracker(frame.stamp.stream_id),
                    seen,
                    self.settings.tracking,
                )
                for frame, vectors, seen in zip(frames, embeddings, tracks, strict=True)
            ]
        poses = self._poses_of(frames, tracks, early)
        self.motion.settings = self.settings.motion
        with self.meters.measure("analyse"):
            return [
                self.motion.run(self._result(frame, seen, pose))
                for frame, seen, pose in zip(frames, tracks, poses, strict=True)
            ]

    def _detect(self, frames: list[AnalysisFrame]) -> list[DetectionBatch]:
        weakest = min(self._confidence(frame.stamp.stream_id) for frame in frames)
        lowest = min(weakest, self.settings.tracking.weak_confidence)
        return self.chosen.detect(frames, lambda rest: self._detect_own(rest, lowest), lowest)

    def _detect_own(self, frames: list[AnalysisFrame], lowest: float) -> list[DetectionBatch]:
        pictures = [frame.detector_bgr for frame in frames]
        scales = [frame.scale for frame in frames]
        detector = self.models.detector
        if isinstance(detector, MotionDetector):
            return self._detect_motion(detector, frames, lowest)
        return self.care.run(
            "detector",
            lambda: list(detector.detect(pictures, scales, lowest)),
            lambda: self._detect_motion(self._stand_in, frames, lowest),
        )

    def _detect_motion(
        self, detector: MotionDetector, frames: list[AnalysisFrame], lowest: float
    ) -> list[DetectionBatch]:
        ids = [frame.stamp.stream_id for frame in frames]
        for stream_id in filter(self.view_moving, ids):
            detector.forget(stream_id)
        pictures = [frame.detector_bgr for frame in frames]
        return detector.detect_streams(pictures, [frame.scale for frame in frames], ids, lowest)

    def _embed(
        self,
        frames: list[AnalysisFrame],
        detections: list[DetectionBatch],
        poses: list[PoseBatch | None],
    ) -> list[FloatArray | None]:
        """Vectors of every detection, the background suppressed where a pose tells the horse."""
        embedder = self.models.embedder
        if embedder is None:
            return [None] * len(frames)
        jobs = [(f.picture, d.boxes_xyxy_px) for f, d in zip(frames, detections, strict=True)]
        return self.care.run(
            "embedder", lambda: list(embedder.embed(jobs, poses)), lambda: [None] * len(frames)
        )

    @property
    def _poses_wanted(self) -> bool:
        return self.settings.pose.enabled and self.chosen.draws_poses

    def _strong(self, frame: AnalysisFrame, found: DetectionBatch) -> tuple[FloatArray, Rows]:
        """Boxes, and which of them are horses that will surely be tracked."""
        strong = found.scores >= self._confidence(frame.stamp.stream_id)
        return found.boxes_xyxy_px, (found.class_ids == SubjectClass.HORSE) & strong

    def _pose(
        self, frames: list[AnalysisFrame], wanted: list[tuple[FloatArray, Rows]]
    ) -> list[PoseBatch | None]:
        """Poses of the wanted boxes of each picture, among rows of score 0 for the others."""
        if not self._poses_wanted:
            return [None] * len(frames)
        jobs = [
            (frame.picture, boxes[mask])
            for frame, (boxes, mask) in zip(frames, wanted, strict=True)
        ]
        found = self.chosen.estimate(frames, jobs, self._pose_own)
        return [
            None if pose is None else _spread(pose, mask)
            for pose, (_, mask) in zip(found, wanted, strict=True)
        ]

    def _pose_own(self, jobs: list[tuple[Picture, FloatArray]]) -> list[PoseBatch | None]:
        estimator = self.models.pose
        nothing: list[PoseBatch | None] = [None] * len(jobs)
        if estimator is None:
            return nothing
        return self.care.run("pose", lambda: list(estimator.estimate(jobs)), lambda: nothing)

    def _poses_of(
        self,
        frames: list[AnalysisFrame],
        tracks: list[TrackBatch],
        early: list[PoseBatch | None],
    ) -> list[PoseBatch | None]:
        """A pose for every horse of the tracks: those known already, and the rest estimated."""
        if not self._poses_wanted:
            return [None] * len(frames)
        known: list[PoseBatch | None] = []
        missing: list[tuple[FloatArray, Rows]] = []
        for seen, pose in zip(tracks, early, strict=True):
            horses = seen.class_ids == SubjectClass.HORSE
            have = None
            if pose is not None:
                have, posed = poses_of_rows(seen, pose)
                horses = horses & ~posed
            known.append(have)
            missing.append((seen.boxes_xyxy_px, horses))
        if all(pose is not None for pose in known) and not any(m.any() for _, m in missing):
            return known
        with self.meters.measure("pose"):
            fresh = self._pose(frames, missing)
        return [_joined(one, other) for one, other in zip(known, fresh, strict=True)]

    # --- results ------------------------------------------------------------------------------

    def _result(
        self, frame: AnalysisFrame, tracks: TrackBatch, poses: PoseBatch | None
    ) -> FrameResult:
        stream_id = frame.stamp.stream_id
        pose, detector = self.chosen.pose_of(stream_id), self.chosen.detector_of(stream_id)
        rests = self.chosen.is_own_detector(stream_id) and self.care.rests("detector")
        moving_only = rests or isinstance(detector, MotionDetector)
        own = self.models.current_degradation() | self.care.degradation
        return FrameResult(
            stamp=frame.stamp,
            width_px=frame.picture.width_px,
            height_px=frame.picture.height_px,
            tracks=tracks,
            poses=poses,
            detector_id=None if moving_only else detector.model_id,
            pose_id=pose.model_id if pose is not None and poses is not None else None,
            degradation=self.chosen.degradation_of(stream_id, own),
            completed_mono_s=self._clock.mono_s(),
            view_moving=self.view_moving(stream_id),
        )

    def _held(self, frame: AnalysisFrame) -> FrameResult:
        last = self._last[frame.stamp.stream_id]
        still = replace(last.tracks, velocities_px_s=np.zeros((len(last.tracks), 4), np.float32))
        held = replace(
            last,
            stamp=frame.stamp,
            tracks=still,
            completed_mono_s=self._clock.mono_s(),
            held=True,
            view_moving=False,
        )
        return self.motion.hold(held)

    def _silence(self, now_s: float) -> None:
        """End what was going on before cameras that have fallen silent."""
        for stream_id in [s for s, at_s in self._heard_s.items() if now_s - at_s > SILENT_S]:
            del self._heard_s[stream_id]
            self.motion.silence(stream_id)

    def _confidence(self, stream_id: StreamId) -> float:
        own = self._confidence_of(stream_id)
        return self.settings.detection.confidence if own is None else own

    def _tracker(self, stream_id: StreamId) -> Tracker:
        tracker = self._trackers.get(stream_id)
        if tracker is None:
            first = self.identify.first_number(stream_id)
            tracker = Tracker(stream_id, self.settings.tracking, self._on_track_closed, first)
            self._trackers[stream_id] = tracker
        tracker.settings = self.settings.tracking
        return tracker

    def _on_track_closed(self, summary: TrackSummary) -> None:
        self.identify.closed(summary.track_id)
        self.motion.closed(summary.stream_id, summary.track_id)
        self._fan_out.on_track_closed(summary)

    def _drop(self, stream_id: StreamId) -> None:
        tracker = self._trackers.pop(stream_id, None)
        if tracker is not None:
            tracker.finish()
        self.motion.forget(stream_id)
        self._heard_s.pop(stream_id, None)
        self._last.pop(stream_id, None)
        self._gate.forget(stream_id)


def _never(_stream_id: StreamId) -> bool:
    return False


def _spread(pose: PoseBatch, mask: Rows) -> PoseBatch:
    """Rows of the posed boxes put back among all tracks; the others get score 0."""
    landmarks = len(pose.skeleton.landmarks)
    keypoints = np.zeros((len(mask), landmarks, 2), np.float32)
    scores = np.zeros((len(mask), landmarks), np.float32)
    keypoints[mask] = pose.keypoints_px
    scores[mask] = pose.scores
    return PoseBatch(keypoints, scores, pose.skeleton)


def _joined(known: PoseBatch | None, fresh: PoseBatch | None) -> PoseBatch | None:
    """Two batches of the same rows, of which each row is set in one at most."""
    if known is None or fresh is None or known.skeleton is not fresh.skeleton:
        return fresh  # of two skeletons when a chosen model gave up between them
    return PoseBatch(
        known.keypoints_px + fresh.keypoints_px, known.scores + fresh.scores, known.skeleton
    )
