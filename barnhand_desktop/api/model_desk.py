"""Takes uploaded models in: one look at a time, then into the server, or a refusal."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from barnhand_desktop.api.model_uploads import Received, sweep
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.model_catalogue import known_models
from barnhand_desktop.model_inspection.inspector import Inspector, never
from barnhand_desktop.model_inspection.verdict import InspectionCancelled, ModelRefused
from engine.domain.errors import Conflict
from engine.domain.ids import FarmId
from engine.domain.models import (
    PART_BYTES,
    ModelFormat,
    ModelRegistry,
    ModelState,
    RegisteredId,
    RegisteredModel,
)
from engine.domain.ports import Clock

__all__ = ["MODELS_MAX", "UPLOADS_AT_ONCE", "ModelDesk", "never"]

UPLOADS_AT_ONCE = 2
MODELS_MAX = 100
"""Registered models, at most: they fill the server's disk."""


class ModelDesk:
    """Meets the routes about models. ``folder`` holds uploads while they are looked at;
    ``limit_bytes`` is the longest file."""

    def __init__(
        self,
        registry: ModelRegistry,
        folder: Path,
        limit_bytes: int,
        clock: Clock,
        inspector: Inspector | None = None,
    ) -> None:
        self.registry = registry
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._clock = clock
        self._inspector = inspector or Inspector(folder)
        self._free = threading.BoundedSemaphore(UPLOADS_AT_ONCE)
        sweep(folder)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """One of the few places for uploads; Problem 503 while all are taken."""
        if not self._free.acquire(blocking=False):
            raise Problem(503, "busy", "Other models are being looked at; try again in a minute.")
        try:
            yield
        finally:
            self._free.release()

    def take_in(
        self,
        upload: Received,
        uploaded_by: str,
        farm_id: FarmId | None,
        cancelled: Callable[[], bool] = never,
    ) -> RegisteredModel:
        """Inspect and store an upload. Raises ModelRefused, Conflict, StoreUnavailable, and
        InspectionCancelled as soon as ``cancelled`` says so, which leaves nothing behind."""
        said = upload.description
        self._require_room(f"{said.name}@{said.version}")
        if said.sha256 is not None and said.sha256 != upload.sha256:
            raise ModelRefused(
                "model_hash",
                "The file is not the one that was described: its SHA-256 is another.",
                "Send it again.",
            )
        entry = said.entry()
        verdict = self._inspector.inspect(
            upload.path, {**entry, "format": said.format.value}, upload.file_name, cancelled
        )
        model = self._model(upload, entry, uploaded_by, farm_id, dict(verdict.figures))
        with upload.path.open("rb") as file:
            self.registry.add(model, _parts(file, cancelled))
        return model

    def _require_room(self, model_id: str) -> None:
        """Refuse early what the store would refuse after all the work."""
        if any(known.model_id == model_id for known in known_models()):
            raise Conflict(f"{model_id} is a model of the product.", "Give it another name.")
        stored = self.registry.list()
        if any(model.model_id == model_id for model in stored):
            raise Conflict(f"There is a model {model_id} already.", "Give it another version.")
        if len(stored) >= MODELS_MAX:
            raise Conflict(f"{MODELS_MAX} models are registered.", "Remove some that are not used.")

    def _model(
        self,
        upload: Received,
        entry: dict[str, Any],
        uploaded_by: str,
        farm_id: FarmId | None,
        figures: dict[str, Any],
    ) -> RegisteredModel:
        said = upload.description
        ready = said.format is ModelFormat.ONNX
        file = {
            "name": f"registered/{upload.sha256}.{said.format.value}",
            "sha256": upload.sha256,
            "size_bytes": upload.size_bytes,
        }
        return RegisteredModel(
            id=RegisteredId(uuid4()),
            name=said.name,
            version=said.version,
            task=said.task,
            format=said.format,
            sha256=upload.sha256,
            size_bytes=upload.size_bytes,
            licence=said.licence,
            description={**entry, "files": [file]},
            state=ModelState.READY if ready else ModelState.NEEDS_EXPORT,
            uploaded_by=uploaded_by,
            created_at=self._clock.now(),
            farm_id=farm_id,
            skeleton=said.skeleton,
            input=entry.get("input", {}),
            threshold=said.threshold,
            measured={**said.measured, **_figures(figures)},
        )


def _parts(file: IO[bytes], cancelled: Callable[[], bool]) -> Iterator[bytes]:
    while part := file.read(PART_BYTES):
        if cancelled():
            raise InspectionCancelled
        yield part


def _figures(found: dict[str, Any]) -> dict[str, object]:
    """What the inspection measured, in the words of a card."""
    words = {
        "parameters": "parameters",
        "opset": "operator set",
        "cpu_ms": "ms for one picture on one CPU thread, at the upload",
    }
    return {words[name]: found[name] for name in words if name in found}
