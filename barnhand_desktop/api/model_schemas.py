"""Bodies of the routes about models."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from barnhand_desktop.api.schemas import Request
from barnhand_desktop.model_catalogue import KnownModel
from engine.domain.models import Activation, ModelFormat, ModelState, ModelTask, RegisteredModel

Text = Annotated[str, Field(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
Side = Annotated[int, Field(ge=32, le=2048)]
Level = Annotated[float, Field(ge=0.0, le=255.0)]
Spread = Annotated[float, Field(ge=0.001, le=255.0)]
ClassNumber = Annotated[str, Field(pattern=r"^[0-9]{1,4}$")]
ClassIndex = Annotated[int, Field(ge=0, le=9999)]
Classes = Annotated[list[ClassIndex], Field(max_length=100)]
Figures = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=120)], Text | float | int],
    Field(max_length=50),
]


class ModelInput(Request):
    """How pictures become the input: (value - mean) / std per channel on 0..255, float32 NCHW."""

    width_px: Side
    height_px: Side
    colour: Literal["bgr", "rgb"] = "rgb"
    mean: tuple[Level, Level, Level] = (0.0, 0.0, 0.0)
    std: tuple[Spread, Spread, Spread] = (255.0, 255.0, 255.0)
    dynamic_size: bool = False


class ModelDescription(Request):
    """What an uploaded file is: the fields of a manifest entry. ``layout`` and ``input`` may be
    left out for weights (safetensors). ``sha256``: refused when the file has another one.
    ``farm_id`` null makes it every farm's."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,39}$")
    task: ModelTask
    format: ModelFormat = ModelFormat.ONNX
    layout: Literal["yolox", "yolo", "simcc", "heatmap", "embedding"] | None = None
    input: ModelInput | None = None
    licence: Text = Field(min_length=1)
    commercial_use: bool = True
    origin: Text = "uploaded"
    skeleton: str | None = Field(None, max_length=40)
    classes: dict[ClassNumber, Literal["horse", "person", "dog"]] = Field(
        default_factory=dict, max_length=100
    )
    lookalikes: Classes = Field(default_factory=list)
    candidates: Classes = Field(default_factory=list)
    rivals: Classes = Field(default_factory=list)
    padding: float = Field(1.25, ge=1.0, le=2.0)
    threshold: float | None = Field(None, ge=0.0, le=1.0)
    measured: Figures = Field(default_factory=dict)
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    farm_id: UUID | None = None

    @model_validator(mode="after")
    def _graphs_say_how_they_are_read(self) -> Self:
        if self.format is ModelFormat.ONNX and (self.layout is None or self.input is None):
            raise ValueError("an ONNX file needs layout and input")
        return self

    def entry(self) -> dict[str, Any]:
        """The fields of a manifest entry, as plain JSON."""
        return self.model_dump(
            mode="json", exclude_none=True, exclude={"format", "sha256", "farm_id"}
        )


class ModelUse(Request):
    """Where a model is (or is no longer) used: one stream, or with null all streams of the
    caller's farm; accounts of all farms may name one."""

    stream_id: UUID | None = None
    farm_id: UUID | None = None


class ModelOut(BaseModel):
    """A model. ``source``: ``registered`` with this server, or of the ``manifest`` that every
    workstation has and chooses from by itself (state ``workstation``). ``active_streams``: which of
    the streams the caller sees were given it; ``active_for_all``: it is the choice for every stream
    of the farm that has no other."""

    id: UUID
    source: Literal["registered", "manifest"]
    name: str
    version: str
    model_id: str
    task: str
    format: ModelFormat
    state: Literal["ready", "needs_export", "workstation"]
    layout: str | None
    licence: str
    commercial_use: bool
    origin: str
    sha256: str | None
    size_bytes: int | None
    skeleton: str | None
    input: dict[str, Any]
    threshold: float | None
    measured: dict[str, Any]
    farm_id: UUID | None = None
    uploaded_by: str | None = None
    created_at: datetime | None = None
    active_for_all: bool = False
    active_streams: list[UUID] = Field(default_factory=list)


class ModelUsed(BaseModel):
    """The model after a change of its use. ``engine_notified``: an engine heard of it at once;
    otherwise they find out within seconds."""

    model: ModelOut
    engine_notified: bool


def known_out(known: KnownModel) -> ModelOut:
    """A model of the manifest."""
    return ModelOut(
        id=known.id,
        source="manifest",
        name=known.name,
        version=known.version,
        model_id=known.model_id,
        task=known.task,
        format=ModelFormat.ONNX,
        state="workstation",
        layout=known.layout,
        licence=known.licence,
        commercial_use=known.commercial_use,
        origin=known.origin,
        sha256=known.sha256,
        size_bytes=known.size_bytes,
        skeleton=known.skeleton,
        input=dict(known.input),
        threshold=known.threshold,
        measured=dict(known.measured),
    )


def registered_out(
    model: RegisteredModel, choices: Collection[Activation], visible: Collection[UUID]
) -> ModelOut:
    """A registered model with where it is used, as far as the caller sees that."""
    of_it = [choice for choice in choices if choice.model_id == model.id]
    entry = dict(model.description)
    return ModelOut(
        id=model.id,
        source="registered",
        name=model.name,
        version=model.version,
        model_id=model.model_id,
        task=model.task.value,
        format=model.format,
        state="ready" if model.state is ModelState.READY else "needs_export",
        layout=str(entry["layout"]) if "layout" in entry else None,
        licence=model.licence,
        commercial_use=bool(entry.get("commercial_use", True)),
        origin=str(entry.get("origin", "")),
        sha256=model.sha256,
        size_bytes=model.size_bytes,
        skeleton=model.skeleton,
        input=dict(model.input),
        threshold=model.threshold,
        measured=dict(model.measured),
        farm_id=model.farm_id,
        uploaded_by=model.uploaded_by,
        created_at=model.created_at,
        active_for_all=any(choice.stream_id is None for choice in of_it),
        active_streams=[
            choice.stream_id
            for choice in of_it
            if choice.stream_id is not None and choice.stream_id in visible
        ],
    )
