"""The model manifest: what each model is, where its files come from and how good it is."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.domain.errors import OperatorMistake
from engine.domain.ids import ModelId


class Task(StrEnum):
    """What a model does."""

    DETECTOR = "detector"
    POSE = "pose"
    EMBEDDER = "embedder"
    VERIFIER = "verifier"


class Layout(StrEnum):
    """How a model's outputs are read.

    YOLOX: (B, A, 5+C) raw grid outputs, strides 8/16/32. YOLO: (B, 4+C, A) of v8/v11 or
    (B, A, 5+C) decoded of v5, told apart by shape. SIMCC: x and y classification logits
    (B, K, W*split), (B, K, H*split). HEATMAP: (B, K, h, w). EMBEDDING: (B, D). SPECIES: (B, C)
    class logits.
    """

    YOLOX = "yolox"
    YOLO = "yolo"
    SIMCC = "simcc"
    HEATMAP = "heatmap"
    EMBEDDING = "embedding"
    SPECIES = "species"


class Runtime(StrEnum):
    """What executes the file."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    ULTRALYTICS = "ultralytics"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFile(_Strict):
    """One file of a model. ``name`` is relative to the folder that is searched."""

    name: str
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    size_bytes: int | None = Field(None, gt=0)
    urls: tuple[str, ...] = ()


class PublishedWeights(_Strict):
    """Torch weights that a model's file is made from on this machine, because its authors publish
    no file that can be run as it is. ``kind`` says which network they belong to."""

    kind: Literal["megadescriptor"]
    file: ModelFile


class InputSpec(_Strict):
    """How pictures become the input tensor: (value - mean) / std per channel after ``colour``
    order, on 0..255 values; float32 NCHW."""

    width_px: int = Field(gt=0, le=4096)
    height_px: int = Field(gt=0, le=4096)
    colour: Literal["bgr", "rgb"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    dynamic_size: bool = False
    """Detectors: other sizes (multiples of 32) are accepted, so 16:9 pictures cost less."""


class Verification(_Strict):
    """How a verifier's opinion and a detector's score become the final score.

    ``model``: the verifier's name. Final log odds: ``detector_weight`` times those of the
    detector's best animal score, plus ``odds_weight`` times those it gives a horse against its
    look-alikes and dogs, plus ``verifier_weight`` times the verifier's for a horse, plus ``bias``
    (a logistic regression fitted for this pair). ``candidates_from``: animals of a lower detector
    score are not looked at. ``certain_from``: from this detector score on a horse without any
    likeness to another animal is not looked at either; the verifier counts as certain of it.
    """

    model: str
    detector_weight: float = Field(gt=0)
    odds_weight: float = Field(0.0, ge=0)
    verifier_weight: float = Field(gt=0)
    bias: float = 0.0
    candidates_from: float = Field(0.03, gt=0, lt=1)
    certain_from: float = Field(1.0, gt=0, le=1)


class ModelEntry(_Strict):
    """One model. ``files[0]`` is what is loaded; the others lie beside it.

    ``classes`` maps a model's class index (as text) to horse, person or dog; ``lookalikes`` to
    classes that count as horse candidates when the setting allows, ``candidates`` to classes that
    do so only where a verifier looks at them, ``rivals`` to further animals that are taken for
    horses. ``padding`` is the box
    expansion of top-down crops. ``threshold`` is the calibrated acceptance threshold of the task.
    ``verification`` names the verifier that looks at this detector's animals again.
    ``measured`` holds figures with the data they were measured on, as free text keys.
    ``commercial_use`` False: the licence forbids it, so a person must accept it before a download.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str = "1"
    task: Task
    layout: Layout
    runtime: Runtime = Runtime.ONNX
    files: tuple[ModelFile, ...] = Field(min_length=1)
    input: InputSpec
    licence: str
    commercial_use: bool = True
    origin: str
    weights: PublishedWeights | None = None
    skeleton: str | None = None
    classes: dict[str, Literal["horse", "person", "dog"]] = {}
    lookalikes: tuple[int, ...] = ()
    candidates: tuple[int, ...] = ()
    rivals: tuple[int, ...] = ()
    padding: float = Field(1.25, ge=1.0, le=2.0)
    threshold: float | None = Field(None, ge=0.0, le=1.0)
    verification: Verification | None = None
    measured: dict[str, str | float | int] = {}
    rank: int = 100
    """Preference among models of a task when the setting is ``auto``; lower is tried first."""

    @property
    def downloads(self) -> tuple[ModelFile, ...]:
        """What is fetched for this model: its files, or the weights they are made from."""
        return (self.weights.file,) if self.weights is not None else self.files

    @property
    def id(self) -> ModelId:
        """``name@version``."""
        return ModelId(f"{self.name}@{self.version}")


class Manifest(_Strict):
    """All models the product knows."""

    model: tuple[ModelEntry, ...] = ()

    def named(self, name: str) -> ModelEntry:
        """The entry of that name; OperatorMistake listing the known ones otherwise."""
        for entry in self.model:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.model)
        raise OperatorMistake(f"No model is named {name!r}.", f"Known models: {known}.")

    def for_task(self, task: Task) -> tuple[ModelEntry, ...]:
        """Entries of a task, preferred first."""
        return tuple(sorted((m for m in self.model if m.task is task), key=lambda m: m.rank))


def read_manifest(path: Path) -> Manifest:
    """Parse a TOML manifest; OperatorMistake naming the field when it is wrong."""
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise OperatorMistake(f"The model manifest {path} cannot be used: {error}") from error
