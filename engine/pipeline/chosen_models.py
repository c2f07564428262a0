"""Which model looks at which camera: the workstation's own, or one that was chosen for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from engine.domain.detections import DetectionBatch
from engine.domain.errors import BarnhandError, ModelInvalid
from engine.domain.frames import AnalysisFrame, Picture
from engine.domain.geometry import FloatArray
from engine.domain.ids import ModelId, StreamId
from engine.domain.notices import Notice, Severity
from engine.domain.ports import Clock, Detector, PoseEstimator
from engine.domain.poses import PoseBatch
from engine.domain.results import Degradation
from engine.models.detectors import GridDetector
from engine.models.model_set import ModelSet
from engine.models.pose_estimators import TopDownPose
from engine.pipeline.selection import fitted

log = logging.getLogger(__name__)

Either = Detector | PoseEstimator
Model = TypeVar("Model", bound=Either)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class StreamModels:
    """What was chosen for a camera; None takes the workstation's own."""

    detector: Detector | None = None
    pose: PoseEstimator | None = None


NOTHING: Mapping[StreamId, StreamModels] = MappingProxyType({})
OWN = StreamModels()


class ChosenModels:
    """Models of cameras beside the workstation's own ones.

    Models are opened elsewhere and handed over by ``assign``; from the next batch on the analysis
    thread owns them, and closes those that no camera uses any more. A model that fails is given up
    for all its cameras at once: the workstation's own one takes the same pictures, and a notice
    stands until another choice is made. Nothing a chosen model does reaches the other cameras.
    """

    def __init__(self, own: ModelSet, clock: Clock, tell: Callable[[Notice], None]) -> None:
        self._own = own
        self._clock = clock
        self._tell = tell
        self._now = NOTHING
        self._next: Mapping[StreamId, StreamModels] | None = None
        self._handed: list[Either] = []
        self._held: list[Either] = []
        self._failed: list[tuple[Either, Notice]] = []
        self._lock = threading.Lock()

    # --- any thread ---------------------------------------------------------------------------

    def assign(self, chosen: Mapping[StreamId, StreamModels]) -> None:
        """Use these from the next batch on; the models in them are the analysis thread's then. One
        that failed at work stays out of use until another instance of it is assigned."""
        with self._lock:
            self._next = MappingProxyType(dict(chosen))
            self._handed += _models_of(chosen)

    def detector_of(self, stream_id: StreamId) -> Detector:
        """What looks for horses at this camera."""
        return self._now.get(stream_id, OWN).detector or self._own.detector

    def pose_of(self, stream_id: StreamId) -> PoseEstimator | None:
        """What draws skeletons at this camera."""
        return self._now.get(stream_id, OWN).pose or self._own.pose

    @property
    def draws_poses(self) -> bool:
        """Whether any camera has a pose model."""
        return self._own.pose is not None or any(one.pose for one in self._now.values())

    def is_own_detector(self, stream_id: StreamId) -> bool:
        """Whether the workstation's detector looks at this camera."""
        return self._now.get(stream_id, OWN).detector is None

    def given_up(self) -> frozenset[ModelId]:
        """Models that failed at work since they were chosen."""
        return frozenset(model.model_id for model, _ in self._failed)

    def verified(self, stream_id: StreamId) -> bool:
        """Whether a second model has looked at every animal of this camera."""
        detector = self.detector_of(stream_id)
        return isinstance(detector, GridDetector) and detector.verifier_id is not None

    def degradation_of(self, stream_id: StreamId, own: Degradation) -> Degradation:
        """``own`` of the workstation's models, as it is for this camera."""
        chosen = self._now.get(stream_id)
        if chosen is None:
            return own
        if chosen.detector is not None:
            own &= ~Degradation.NO_DETECTOR
        if chosen.pose is not None:
            own &= ~Degradation.NO_POSE
        for model in (chosen.detector, chosen.pose):
            if isinstance(model, GridDetector | TopDownPose):
                own |= model.degradation
        return own

    # --- the analysis thread ------------------------------------------------------------------

    def take_over(self) -> None:
        """Adopt the newest assignment and close what nobody uses any more."""
        with self._lock:
            wanted, self._next = self._next, None
            known, self._handed = _distinct([*self._held, *self._handed]), []
        if wanted is None:
            self._held = known
            return
        used = _models_of(wanted)
        failed, self._failed = self._failed, []
        for model, notice in failed:
            if any(model is kept for kept in used):
                self._failed.append((model, notice))
                wanted = _without(model, wanted)
            else:
                self._tell(_ended(notice))
        self._now = wanted
        for model in known:
            if not any(model is kept for kept in used):
                model.close()
        self._held = used

    def close(self) -> None:
        """Close every chosen model; after the analysis has ended."""
        self.take_over()
        self._now = NOTHING
        for model in self._held:
            model.close()
        self._held = []

    def detect(
        self,
        frames: Sequence[AnalysisFrame],
        own: Callable[[list[AnalysisFrame]], list[DetectionBatch]],
        min_score: float,
    ) -> list[DetectionBatch]:
        """Detections of each picture by its camera's detector; ``own`` runs the workstation's."""

        def by(detector: Detector, rows: list[int]) -> list[DetectionBatch]:
            ready = [fitting(frames[row], detector.input_size_px) for row in rows]
            pictures, scales = [f.detector_bgr for f in ready], [f.scale for f in ready]
            return _sound(detector.detect(pictures, scales, min_score), detector)

        def own_fitting(rows: list[int]) -> list[DetectionBatch]:
            into_px = self._own.detector.input_size_px
            return own([fitting_own(frames[row], into_px) for row in rows])

        chosen = [self._now.get(frame.stamp.stream_id, OWN).detector for frame in frames]
        return self._each(chosen, by, own_fitting)

    def estimate(
        self,
        frames: Sequence[AnalysisFrame],
        jobs: Sequence[tuple[Picture, FloatArray]],
        own: Callable[[list[tuple[Picture, FloatArray]]], Sequence[PoseBatch | None]],
    ) -> list[PoseBatch | None]:
        """Poses for each (picture, boxes (N, 4)) by its camera's model; ``own`` runs the
        workstation's, None where there is none."""

        def by(pose: PoseEstimator, rows: list[int]) -> Sequence[PoseBatch | None]:
            return _sound_poses(pose.estimate([jobs[row] for row in rows]), pose)

        chosen = [self._now.get(frame.stamp.stream_id, OWN).pose for frame in frames]
        return self._each(chosen, by, lambda rows: own([jobs[row] for row in rows]))

    def _each(
        self,
        models: Sequence[Model | None],
        by: Callable[[Model, list[int]], Sequence[Answer]],
        own: Callable[[list[int]], Sequence[Answer]],
    ) -> list[Answer]:
        """An answer for each row, rows of one model together; what fails goes to ``own``."""
        answers: dict[int, Answer] = {}
        left = [row for row, model in enumerate(models) if model is None]
        for model in _distinct(models):
            rows = [row for row, one in enumerate(models) if one is model]
            try:
                answers |= dict(zip(rows, by(model, rows), strict=True))
            except Exception as error:  # a stranger's model must not stop the analysis of others
                self._give_up(model, error)
                left += rows
        if left:
            left.sort()
            answers |= dict(zip(left, own(left), strict=True))
        return [answers[row] for row in range(len(models))]

    def _give_up(self, model: Either, error: Exception) -> None:
        why = error.message if isinstance(error, BarnhandError) else type(error).__name__
        log.warning("the chosen model %s failed and is not used: %s", model.model_id, error)
        self._now = _without(model, self._now)
        notice = Notice(
            key=f"model.chosen:{model.model_id}",
            severity=Severity.WARNING,
            message=f"The model {model.model_id} failed at work: {why} Its cameras use the "
            "workstation's own model.",
            advice="Choose another model for these cameras.",
            at=self._clock.now(),
        )
        self._failed.append((model, notice))
        self._tell(notice)


def fitting(frame: AnalysisFrame, into_px: tuple[int, int]) -> AnalysisFrame:
    """The frame with its detector picture as large as that detector takes it: pictures on their
    way were scaled for the one before."""
    size, scale = fitted(frame.picture.width_px, frame.picture.height_px, into_px)
    if frame.detector_bgr.shape[1::-1] == size:
        return frame
    return AnalysisFrame(frame.stamp, frame.picture, frame.picture.scaled_bgr(*size), scale)


def fitting_own(frame: AnalysisFrame, into_px: tuple[int, int]) -> AnalysisFrame:
    """``fitting`` where the detector picture is too large."""
    height, width = frame.detector_bgr.shape[:2]
    return fitting(frame, into_px) if width > into_px[0] or height > into_px[1] else frame


def _sound(found: list[DetectionBatch], detector: Detector) -> list[DetectionBatch]:
    """ModelInvalid for numbers that are none: a tracker would go on computing with them."""
    for one in found:
        if not (np.isfinite(one.boxes_xyxy_px).all() and np.isfinite(one.scores).all()):
            raise ModelInvalid(f"{detector.model_id} answered with numbers that are none.")
    return found


def _sound_poses(found: list[PoseBatch], pose: PoseEstimator) -> list[PoseBatch]:
    for one in found:
        if not (np.isfinite(one.keypoints_px).all() and np.isfinite(one.scores).all()):
            raise ModelInvalid(f"{pose.model_id} answered with numbers that are none.")
    return found


def _distinct(models: Iterable[Model | None]) -> list[Model]:
    """Each model once, in order; models are told apart by identity."""
    found: list[Model] = []
    for model in models:
        if model is not None and not any(model is one for one in found):
            found.append(model)
    return found


def _models_of(chosen: Mapping[StreamId, StreamModels]) -> list[Either]:
    return _distinct(model for one in chosen.values() for model in (one.detector, one.pose))


def _without(
    model: Either, chosen: Mapping[StreamId, StreamModels]
) -> Mapping[StreamId, StreamModels]:
    """The same with the workstation's own model wherever this one stands."""
    return MappingProxyType(
        {
            stream_id: StreamModels(
                None if one.detector is model else one.detector,
                None if one.pose is model else one.pose,
            )
            for stream_id, one in chosen.items()
        }
    )


def _ended(notice: Notice) -> Notice:
    return Notice(
        notice.key, Severity.INFO, "Another choice was made.", "", notice.at, active=False
    )
