"""The models the engine runs with, chosen from settings and from what this machine has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.domain.errors import BarnhandError, EnvironmentFault, ModelInvalid
from engine.domain.notices import Notice, Severity
from engine.domain.ports import Clock, Detector, Embedder, PoseEstimator
from engine.domain.results import Degradation
from engine.models.detectors import DetectorOptions, GridDetector, grid_detector
from engine.models.download import Progress
from engine.models.embedders import OnnxEmbedder
from engine.models.manifest import ModelEntry, Task
from engine.models.motion_detector import MotionDetector
from engine.models.pose_estimators import TopDownPose, pose_estimator
from engine.models.sessions import Device, Execution, RuntimeMissing, Session, open_session
from engine.models.store import FileState, ModelStore
from engine.models.verification import SpeciesVerifier
from engine.settings import EngineSettings

AUTO = "auto"
NONE = "none"
"""Setting that asks for no model: motion boxes, no skeletons, no appearance."""

Model = TypeVar("Model")
Build = Callable[[ModelEntry, Callable[[Device], Session], Device], Model]


@dataclass(frozen=True, slots=True)
class ModelSet:
    """What the engine analyses with. ``detector`` is the motion fallback when no model works;
    ``degradation`` is what was missing when loading; ``notices`` tell a person about it."""

    detector: Detector
    pose: PoseEstimator | None
    embedder: Embedder | None
    degradation: Degradation
    notices: tuple[Notice, ...]
    licences: Mapping[str, str] = field(default_factory=dict)
    """Licence of the weights by task."""
    devices: Mapping[str, str] = field(default_factory=dict)
    """What executes the model (cpu, cuda, ...) by task."""

    @property
    def verified(self) -> bool:
        """Whether a second model has looked at every animal, so that what the detector calls a dog
        is one."""
        return isinstance(self.detector, GridDetector) and self.detector.verifier_id is not None

    def current_degradation(self) -> Degradation:
        """``degradation`` and what the models had to give up since then (memory, device)."""
        now = self.degradation
        for model in (self.detector, self.pose, self.embedder):
            if isinstance(model, GridDetector | TopDownPose | OnnxEmbedder):
                now |= model.degradation
        return now

    def close(self) -> None:
        """Close every session."""
        for model in (self.detector, self.pose, self.embedder):
            if model is not None:
                model.close()


def load_models(
    settings: EngineSettings,
    store: ModelStore,
    clock: Clock,
    progress: Progress | None = None,
) -> ModelSet:
    """Load a detector, a pose model and an embedder by the settings.

    ``auto`` takes the best of what is on this machine and downloads nothing; a model that is named
    is downloaded when it must be. A file that does not work is told in a notice and the next best
    is taken; with no detector at all, boxes mark what moves. Never raises for a missing or damaged
    model.
    """
    loader = _Loader(settings, store, clock, progress)
    detector = loader.detector()
    pose = loader.pose()
    embedder = loader.embedder()
    notices = tuple(loader.notices.values())
    return ModelSet(
        detector, pose, embedder, loader.degradation, notices, loader.licences, loader.devices
    )


def open_chosen(
    entry: ModelEntry, path: Path, settings: EngineSettings, store: ModelStore, clock: Clock
) -> GridDetector | TopDownPose:
    """A detector or pose model that was chosen for a camera, opened and tried once.

    Raises ModelInvalid when the file is not what the entry says, EnvironmentFault when the device
    cannot take it; on the CPU when the graphics card does not.
    """
    return _Loader(settings, store, clock, None).chosen(entry, path)


@dataclass
class _Loader:
    settings: EngineSettings
    store: ModelStore
    clock: Clock
    progress: Progress | None
    degradation: Degradation = Degradation.NONE
    notices: dict[str, Notice] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)

    def chosen(self, entry: ModelEntry, path: Path) -> GridDetector | TopDownPose:
        if entry.task is Task.DETECTOR:
            return self._build(entry, path, self._grid_detector)
        if entry.task is Task.POSE:
            return self._build(entry, path, pose_estimator)
        raise ModelInvalid(f"{entry.id} is a model for {entry.task}: cameras choose no such model.")

    def _grid_detector(
        self, entry: ModelEntry, open_on: Callable[[Device], Session], device: Device
    ) -> GridDetector:
        wanted = self.settings.detection
        options = DetectorOptions(
            nms_iou=wanted.nms_iou,
            minimum_box_px=wanted.minimum_box_px,
            lookalikes_are_horses=wanted.lookalikes_are_horses,
            batch_limit=self.settings.analysis.batch_size,
        )
        verifier = self._verifier(entry)
        try:
            return grid_detector(entry, open_on, device, options, verifier)
        except BaseException:
            if verifier is not None:
                verifier.close()
            raise

    def detector(self) -> Detector:
        wanted = self.settings.detection
        if wanted.model != NONE:
            loaded = self._first_working(Task.DETECTOR, wanted.model, self._grid_detector)
            if loaded is not None:
                return loaded
            self._tell(
                "model.detector.missing",
                Severity.CRITICAL,
                "No detector model could be loaded: horses are not recognised, boxes mark whatever "
                "moves.",
                self._how_to_get(Task.DETECTOR),
            )
        self.degradation |= Degradation.NO_DETECTOR
        return MotionDetector(wanted.minimum_box_px)

    def _verifier(self, detector: ModelEntry) -> SpeciesVerifier | None:
        """The model that looks at the detector's animals again, where one is named and works."""
        how = detector.verification
        if how is None or not self.settings.detection.verify:
            return None
        found = [entry for entry in self.store.manifest.model if entry.name == how.model]
        if not found or self.store.status_of(found[0]).state is FileState.ABSENT:
            return None
        return self._try(how.model, partial(self._local, found[0]), SpeciesVerifier)

    def pose(self) -> PoseEstimator | None:
        wanted = self.settings.pose
        if not wanted.enabled or wanted.model == NONE:
            return None
        loaded = self._first_working(Task.POSE, wanted.model, pose_estimator)
        if loaded is None:
            self.degradation |= Degradation.NO_POSE
            self._tell(
                "model.pose.missing",
                Severity.WARNING,
                "No pose model could be loaded: there are no skeletons, and no gait.",
                self._how_to_get(Task.POSE),
            )
        return loaded

    def embedder(self) -> Embedder | None:
        wanted = self.settings.tracking.embedder
        if wanted == NONE:
            return None
        loaded = self._first_working(Task.EMBEDDER, wanted, OnnxEmbedder)
        if loaded is None:
            self.degradation |= Degradation.NO_EMBEDDER
            self._tell(
                "model.embedder.missing",
                Severity.WARNING,
                "No appearance model could be loaded: horses are followed by position alone and "
                "not recognised again.",
                self._how_to_get(Task.EMBEDDER),
            )
        return loaded

    # --- choosing ------------------------------------------------------------------------------

    def _first_working(self, task: Task, wanted: str, build: Build[Model]) -> Model | None:
        tried: set[str] = set()
        if wanted != AUTO:
            loaded = self._try(wanted, partial(self._resolve, wanted, task), build)
            if loaded is not None:
                return loaded
            tried.add(wanted)
        for entry in self.store.manifest.for_task(task):
            if entry.name in tried or self.store.status_of(entry).state is FileState.ABSENT:
                continue
            loaded = self._try(entry.name, partial(self._local, entry), build)
            if loaded is not None:
                return loaded
        return None

    def _resolve(self, wanted: str, task: Task) -> tuple[ModelEntry, Path]:
        return self.store.resolve(wanted, task, self._execution(), self.progress)

    def _local(self, entry: ModelEntry) -> tuple[ModelEntry, Path]:
        return entry, self.store.locate(entry, may_download=False)

    def _try(
        self, name: str, find: Callable[[], tuple[ModelEntry, Path]], build: Build[Model]
    ) -> Model | None:
        try:
            entry, path = find()
            loaded = self._build(entry, path, build)
            self.licences[entry.task.value] = entry.licence
            return loaded
        except RuntimeMissing as error:
            self._tell(f"model.{name}.runtime", Severity.INFO, error.message, error.advice)
        except ModelInvalid as error:
            self._tell(f"model.{name}.damaged", Severity.WARNING, error.message, error.advice)
        except BarnhandError as error:
            self._tell(f"model.{name}.unavailable", Severity.WARNING, error.message, error.advice)
        return None

    def _build(self, entry: ModelEntry, path: Path, build: Build[Model]) -> Model:
        def open_on(device: Device) -> Session:
            session = open_session(path, entry.runtime, entry.input, self._execution(device))
            self.devices[entry.task.value] = session.device
            return session

        device = self.settings.analysis.device
        try:
            return build(entry, open_on, device)
        except EnvironmentFault as error:
            if device == "cpu":
                raise
            self.degradation |= Degradation.ON_CPU
            self._tell(
                "model.device.cpu",
                Severity.WARNING,
                f"The graphics card is not used: {error.message} Models run on the CPU.",
                error.advice,
            )
            return build(entry, open_on, "cpu")

    def _execution(self, device: Device | None = None) -> Execution:
        analysis = self.settings.analysis
        cache = self.store.user_cache / "engines"
        return Execution(device or analysis.device, analysis.threads, cache)

    # --- telling -------------------------------------------------------------------------------

    def _how_to_get(self, task: Task) -> str:
        fetchable = [
            entry.name
            for entry in self.store.manifest.for_task(task)
            if all(file.urls for file in entry.files)
        ]
        folders = "put model files into a folder named in BARNHAND_MODELS"
        if not fetchable:
            return f"{folders[0].upper()}{folders[1:]}."
        return f"Run `barnhand models fetch {fetchable[0]}`, or {folders}."

    def _tell(self, key: str, severity: Severity, message: str, advice: str) -> None:
        self.notices[key] = Notice(key, severity, message, advice, self.clock.now())
