"""Models that people registered with the server: what they are, and which camera uses which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NewType, Protocol
from uuid import UUID

from engine.domain.ids import FarmId, ModelId, StreamId

RegisteredId = NewType("RegisteredId", UUID)

PART_BYTES = 1 << 20
"""Longest part in which the bytes of a model travel and are stored."""


class ModelTask(StrEnum):
    """What a registered model does. Only detectors and pose models are chosen per camera: vectors
    of different embedders are never compared, so a farm has one."""

    DETECTOR = "detector"
    POSE = "pose"
    EMBEDDER = "embedder"


PER_STREAM = (ModelTask.DETECTOR, ModelTask.POSE)


class ModelFormat(StrEnum):
    """ONNX can be run; SAFETENSORS are weights, to be exported to ONNX first."""

    ONNX = "onnx"
    SAFETENSORS = "safetensors"


class ModelState(StrEnum):
    """READY: inspected, can be activated. NEEDS_EXPORT: weights only."""

    READY = "ready"
    NEEDS_EXPORT = "needs_export"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model whose bytes the server keeps.

    ``farm_id`` None: every farm's. ``input`` and ``description`` are plain JSON, the latter the
    manifest entry as ``engine.models.manifest`` reads it. ``threshold``: calibrated acceptance
    threshold, 0..1. ``measured``: figures by free text.
    """

    id: RegisteredId
    name: str
    version: str
    task: ModelTask
    format: ModelFormat
    sha256: str
    size_bytes: int
    licence: str
    description: Mapping[str, object]
    state: ModelState
    uploaded_by: str
    created_at: datetime
    farm_id: FarmId | None = None
    skeleton: str | None = None
    input: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    threshold: float | None = None
    measured: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def model_id(self) -> ModelId:
        """``name@version``: what detections that it made are stored under."""
        return ModelId(f"{self.name}@{self.version}")


@dataclass(frozen=True, slots=True)
class Activation:
    """A camera, a task and the registered model that does it there; ``model_id`` None takes the
    workstation's own. ``stream_id`` None stands for the cameras of the farm that have no choice of
    their own."""

    farm_id: FarmId
    stream_id: StreamId | None
    task: ModelTask
    model_id: RegisteredId | None


class ModelRegistry(Protocol):
    """Registered models, their bytes, and which camera uses which."""

    def list(self, farm_id: FarmId | None = None) -> Sequence[RegisteredModel]:
        """Models a farm may use (None: all), by name and version."""
        ...

    def get(self, model_id: RegisteredId) -> RegisteredModel:
        """Raises NotFound."""
        ...

    def add(self, model: RegisteredModel, parts: Iterable[bytes]) -> None:
        """Store it with its bytes, all or nothing.

        Raises Conflict when its name and version are taken, or were by another file;
        OperatorMistake when the parts are not as long as it says.
        """
        ...

    def remove(self, model_id: RegisteredId) -> None:
        """Remove it with its bytes. Raises NotFound; Conflict while a camera uses it."""
        ...

    def parts(self, model_id: RegisteredId) -> Iterator[bytes]:
        """Its bytes in order, in parts of at most PART_BYTES. Raises NotFound."""
        ...

    def activate(self, activation: Activation) -> None:
        """Store a choice. One for all cameras of a farm takes the place of their own choices.

        Raises NotFound for a model or camera that is not the farm's; OperatorMistake when the model
        is for another task or cannot be run.
        """
        ...

    def deactivate(self, model_id: RegisteredId, farm_id: FarmId | None = None) -> int:
        """Take the workstation's own model again wherever this one is used (in that farm, None: in
        all); the number of choices that ended. Raises NotFound."""
        ...

    def choices(self, farm_id: FarmId | None = None) -> Sequence[Activation]:
        """The stored choices as they were made."""
        ...

    def active(self) -> Mapping[StreamId, Mapping[ModelTask, RegisteredId]]:
        """What each camera uses that does not use the workstation's own."""
        ...
