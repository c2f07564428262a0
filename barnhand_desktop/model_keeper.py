"""Brings the models that were chosen for cameras to this machine and into the engine."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from engine.domain.errors import BarnhandError, EnvironmentFault, ModelInvalid, StoreUnavailable
from engine.domain.ids import ModelId, StreamId
from engine.domain.models import ModelRegistry, ModelTask, RegisteredId, RegisteredModel
from engine.domain.notices import Notice, Severity
from engine.domain.ports import Clock
from engine.domain.streams import Stream
from engine.models.detectors import GridDetector
from engine.models.integrity import sha256_of
from engine.models.manifest import ModelEntry
from engine.models.pose_estimators import TopDownPose
from engine.pipeline.chosen_models import StreamModels
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""Choices are read so often even when nobody tells of a change: the live-state server may be away,
and another workstation may have handed over a camera."""
TRY_AGAIN_S = 60.0
"""A model that could not be had or failed at work is tried again after so long."""

Opened = GridDetector | TopDownPose
Open = Callable[[ModelEntry, Path], Opened]
Wanted = Mapping[StreamId, Mapping[ModelTask, RegisteredId]]


class ChoosingEngine(Protocol):
    """What of the engine is used here."""

    def streams(self) -> tuple[Stream, ...]: ...

    def choose_models(self, chosen: Mapping[StreamId, StreamModels]) -> None: ...

    def failed_choices(self) -> frozenset[ModelId]: ...

    def notify(self, notice: Notice) -> None: ...


class ModelKeeper:
    """Follows the stored choices: fetches, checks and opens models on a thread of its own, and
    hands them to the engine opened, so that no camera waits for another's model.

    ``cache``: the folder of fetched files, named by their SHA-256. A model that cannot be used is
    told in a notice; its cameras keep the workstation's own.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        engine: ChoosingEngine,
        open_model: Open,
        cache: Path,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._open = open_model
        self._cache = cache
        self._clock = clock
        self._wake = threading.Event()
        self._opened: dict[RegisteredId, Opened] = {}
        self._again_s: dict[RegisteredId, float] = {}
        self._told: dict[RegisteredId, Notice] = {}
        self._given: Wanted = {}
        self._away = False
        self._worker = Worker("model keeper", self._run, restart_budget=100)

    def start(self) -> None:
        """Begin to follow."""
        self._worker.start()

    def refresh(self) -> None:
        """Somebody changed a choice: look now."""
        self._wake.set()

    def stop(self, deadline_s: float) -> tuple[str, ...]:
        """Stop following; the name of the thread if it did not end in time."""
        self._worker.ask_to_stop()
        self._wake.set()
        return () if self._worker.join(deadline_s) else (self._worker.name,)

    def _run(self, token: StopToken) -> None:
        while not token.stopping:
            self._wake.clear()
            try:
                self.follow()
                self._away = False
            except StoreUnavailable as error:
                if not self._away:
                    log.warning("the choice of models is not read now: %s", error)
                self._away = True
            self._wake.wait(LOOK_EVERY_S)

    def follow(self) -> None:
        """Make the engine use what is chosen now. Raises StoreUnavailable; choices stay then."""
        here = {stream.id for stream in self._engine.streams()}
        wanted = {s: models for s, models in self._registry.active().items() if s in here}
        ids = {model_id for models in wanted.values() for model_id in models.values()}
        self._drop_failed(ids)
        due = {
            model_id
            for model_id in ids - self._opened.keys()
            if self._clock.mono_s() >= self._again_s.get(model_id, 0.0)
        }
        if wanted == self._given and not due:
            return
        for model_id in due:
            self._bring(model_id)
        self._engine.choose_models(
            {stream_id: self._of(models) for stream_id, models in wanted.items()}
        )
        self._given = wanted
        self._forget_but(ids)

    def _of(self, models: Mapping[ModelTask, RegisteredId]) -> StreamModels:
        found = {task: self._opened.get(model_id) for task, model_id in models.items()}
        detector, pose = found.get(ModelTask.DETECTOR), found.get(ModelTask.POSE)
        return StreamModels(
            detector if isinstance(detector, GridDetector) else None,
            pose if isinstance(pose, TopDownPose) else None,
        )

    def _drop_failed(self, ids: Iterable[RegisteredId]) -> None:
        """What failed at work is opened anew after a while."""
        failed, now_s = self._engine.failed_choices(), self._clock.mono_s()
        for model_id in ids:
            opened = self._opened.get(model_id)
            if opened is None or opened.model_id not in failed:
                continue
            again_s = self._again_s.setdefault(model_id, now_s + TRY_AGAIN_S)
            if now_s >= again_s:
                del self._opened[model_id], self._again_s[model_id]

    def _forget_but(self, ids: set[RegisteredId]) -> None:
        """The engine closes what it was not given again."""
        for model_id in self._opened.keys() - ids:
            del self._opened[model_id]
        for model_id in self._again_s.keys() - ids:
            del self._again_s[model_id]
        for model_id in self._told.keys() - ids:
            self._end_notice(model_id)
        self._tidy()

    # --- one model ----------------------------------------------------------------------------

    def _bring(self, model_id: RegisteredId) -> None:
        self._again_s.pop(model_id, None)
        try:
            model = self._registry.get(model_id)
            self._opened[model_id] = self._open(_entry(model), self._fetched(model))
            self._end_notice(model_id)
        except StoreUnavailable:
            raise
        except BarnhandError as error:
            self._cannot(model_id, error)
        except Exception as error:  # a stranger's file may make a library raise anything
            log.exception("the chosen model %s cannot be opened", model_id)
            self._cannot(model_id, ModelInvalid(f"It cannot be opened ({type(error).__name__})."))

    def _cannot(self, model_id: RegisteredId, error: BarnhandError) -> None:
        self._again_s[model_id] = self._clock.mono_s() + TRY_AGAIN_S
        notice = Notice(
            key=f"model.choice:{model_id}",
            severity=Severity.WARNING,
            message=f"A model that was chosen for cameras cannot be used here: {error.message} "
            "They use the workstation's own.",
            advice=error.advice or "It is tried again by itself; or choose another one.",
            at=self._clock.now(),
        )
        log.warning("%s", notice.message)
        self._told[model_id] = notice
        self._engine.notify(notice)

    def _end_notice(self, model_id: RegisteredId) -> None:
        told = self._told.pop(model_id, None)
        if told is not None:
            self._engine.notify(
                Notice(told.key, Severity.INFO, "", "", self._clock.now(), active=False)
            )

    def _fetched(self, model: RegisteredModel) -> Path:
        """The model's file here, whole and of its hash; fetched when it is not."""
        path = self._cache / f"{model.sha256}.{model.format.value}"
        try:
            if path.is_file() and sha256_of(path) == model.sha256:
                return path
            self._cache.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            try:
                _write(part, self._registry.parts(model.id), model)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise EnvironmentFault(
                f"{model.model_id} cannot be stored in {self._cache}: {error.strerror}.",
                "Free some space.",
            ) from error
        return path

    def _tidy(self) -> None:
        """Remove fetched files of models that are no longer registered."""
        kept = {model.sha256 for model in self._registry.list()}
        for path in self._cache.glob("*.onnx"):
            if path.stem not in kept:
                with contextlib.suppress(OSError):
                    path.unlink()


def _write(part: Path, parts: Iterable[bytes], model: RegisteredModel) -> None:
    digest = hashlib.sha256()
    with part.open("wb") as file:
        for piece in parts:
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != model.sha256:
        raise ModelInvalid(
            f"{model.model_id} came from the server damaged.", "Remove it and upload it again."
        )


def _entry(model: RegisteredModel) -> ModelEntry:
    try:
        return ModelEntry.model_validate(dict(model.description))
    except ValidationError as error:
        raise ModelInvalid(
            f"{model.model_id} is described for another version of this program.",
            "Update the program, or upload the model again.",
        ) from error
