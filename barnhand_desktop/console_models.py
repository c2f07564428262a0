"""Registered models as the console keeps them: the acts of the API's administrators, done at the
machine, for the console's farm."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from barnhand_desktop.api.audit import CONSOLE, AuditTrail, local_operator
from barnhand_desktop.model_inspection.verdict import InspectionCancelled
from engine.domain.errors import Conflict, EnvironmentFault, OperatorMistake
from engine.domain.ids import FarmId
from engine.domain.model_desk import RegisteredModels, UploadProgress
from engine.domain.models import (
    PART_BYTES,
    PER_STREAM,
    Activation,
    ModelRegistry,
    ModelState,
    RegisteredId,
    RegisteredModel,
)
from engine.domain.ports import Clock, StreamRepository
from engine.models.integrity import sha256_of
from engine.models.manifest import ModelEntry, read_manifest
from engine.models.model_folders import MANIFEST_NAME

if TYPE_CHECKING:
    from barnhand_desktop.api.model_acts import ModelActs
    from barnhand_desktop.api.model_schemas import ModelDescription
    from barnhand_desktop.api.model_uploads import Received

_COPIED = 0.4
_FIELDS = frozenset(
    {
        "name", "version", "task", "layout", "input", "licence", "commercial_use", "origin",
        "skeleton", "classes", "lookalikes", "candidates", "rivals", "padding", "threshold",
        "measured",
    }
)  # fmt: skip


class ConsoleModelDesk:
    """Meets ``engine.domain.model_desk.ModelDesk``.

    ``folder`` holds a file while it is looked at; ``limit_bytes`` is the longest one; ``told`` is
    called after a choice was stored, so that the cameras here follow at once.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        streams: StreamRepository,
        audit: AuditTrail,
        folder: Path,
        limit_bytes: Callable[[], int],
        farm_id: FarmId,
        clock: Clock,
        told: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._streams = streams
        self._audit = audit
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._farm_id = farm_id
        self._clock = clock
        self._told = told

    def look(self) -> RegisteredModels:
        """See the port."""
        return RegisteredModels(
            self._registry.list(self._farm_id),
            self._registry.choices(self._farm_id),
            {stream.id: stream.name for stream in self._streams.list(self._farm_id)},
        )

    def described(self, path: Path) -> Mapping[str, object] | None:
        """See the port."""
        try:
            digest = sha256_of(path)
            for beside in (path.with_suffix(".toml"), path.with_name(MANIFEST_NAME)):
                for entry in read_manifest(beside).model if beside.is_file() else ():
                    if entry.files[0].sha256 == digest:
                        return _description_of(entry)
        except OSError as error:
            raise _unreadable(path, error) from error
        return None

    def take_in(
        self,
        path: Path,
        description: Mapping[str, object],
        progress: UploadProgress,
        cancelled: Callable[[], bool],
    ) -> RegisteredModel | None:
        """See the port."""
        said = _read_description(description)
        with (
            contextlib.suppress(InspectionCancelled),
            self._copied(path, said, progress, cancelled) as upload,
        ):
            progress(_COPIED, "a process of its own looks at it")
            model = self._acts().take_in(local_operator(), CONSOLE, upload, None, cancelled)
            progress(1.0, "registered")
            return model
        return None

    def remove(self, model_id: RegisteredId) -> None:
        """See the port."""
        model = self._registry.get(model_id)
        try:
            self._acts().remove(local_operator(), CONSOLE, model)
        except Conflict as error:
            found = self.look()
            users = list(found.used_by(model))
            users += ["every camera without a choice of its own"] if found.for_all(model) else []
            if not users:
                raise
            raise Conflict(
                f"{model.model_id} is in use: {', '.join(users)}.",
                "Take the default again first, or give them another model.",
            ) from error

    def use_everywhere(self, model_id: RegisteredId) -> None:
        """See the port."""
        model = self._registry.get(model_id)
        if model.task not in PER_STREAM:
            raise OperatorMistake(
                "Appearance models are not chosen per camera: vectors of different models are "
                "never compared.",
                "Set engine.tracking.embedder on every workstation instead.",
            )
        if model.state is not ModelState.READY:
            raise OperatorMistake(
                f"{model.model_id} is weights only.", "Export it to ONNX and upload that."
            )
        self._registry.activate(Activation(self._farm_id, None, model.task, model.id))
        self._acts().note(local_operator(), CONSOLE, "model.activate", model, {"stream_id": None})
        self._told()

    def use_own(self, model_id: RegisteredId) -> None:
        """See the port."""
        model = self._registry.get(model_id)
        ended = self._registry.deactivate(model.id, self._farm_id)
        self._acts().note(local_operator(), CONSOLE, "model.deactivate", model, {"choices": ended})
        self._told()

    # --- inside ---------------------------------------------------------------------------------

    def _acts(self) -> ModelActs:
        # Only who keeps models here pays for what the API is made of.
        from barnhand_desktop.api.model_acts import ModelActs
        from barnhand_desktop.api.model_desk import ModelDesk

        desk = ModelDesk(self._registry, self._folder, self._limit_bytes(), self._clock)
        return ModelActs(desk, self._audit)

    @contextlib.contextmanager
    def _copied(
        self,
        path: Path,
        said: ModelDescription,
        progress: UploadProgress,
        cancelled: Callable[[], bool],
    ) -> Iterator[Received]:
        """A private copy while the block runs, so that what was looked at is what is stored."""
        from barnhand_desktop.api.model_uploads import PREFIX
        from barnhand_desktop.api.upload_form import ReceivedFile

        copy: Path | None = None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            size, limit = path.stat().st_size, self._limit_bytes()
            if size > limit:
                raise OperatorMistake(
                    f"Models of at most {limit >> 20} MiB are taken; this has {size >> 20} MiB.",
                    "Export a smaller one, or raise api.model_upload_mb.",
                )
            number, name = tempfile.mkstemp(prefix=PREFIX, suffix=".part", dir=self._folder)
            copy, digest, done = Path(name), hashlib.sha256(), 0
            with os.fdopen(number, "wb") as target, path.open("rb") as source:
                while part := source.read(PART_BYTES):
                    if cancelled():
                        raise InspectionCancelled
                    digest.update(part)
                    target.write(part)
                    done += len(part)
                    progress(_COPIED * done / max(size, 1), "being read")
            yield ReceivedFile(copy, said, path.name, digest.hexdigest(), done)
        except OSError as error:
            raise _unreadable(path, error) from error
        finally:
            if copy is not None:
                copy.unlink(missing_ok=True)


def _description_of(entry: ModelEntry) -> Mapping[str, object]:
    told = entry.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in told.items() if name in _FIELDS}


def _read_description(description: Mapping[str, object]) -> ModelDescription:
    from barnhand_desktop.api.model_schemas import ModelDescription

    try:
        return ModelDescription.model_validate(dict(description))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "The description"
        raise OperatorMistake(f"{where}: {first['msg']}.", "Correct it and try again.") from error


def _unreadable(path: Path, error: OSError) -> EnvironmentFault | OperatorMistake:
    if error.filename is not None and Path(str(error.filename)) == path:
        return OperatorMistake(f"{path} cannot be read: {error.strerror}.")
    return EnvironmentFault(f"{path.name} cannot be taken in: {error.strerror}.")
