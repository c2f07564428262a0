"""What an unlisted model file is, read off its shapes and the text stored in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.domain.errors import ModelInvalid
from engine.domain.geometry import FloatArray
from engine.domain.skeletons import SKELETONS
from engine.models.integrity import sha256_of
from engine.models.manifest import InputSpec, Layout, ModelEntry, ModelFile, Runtime, Task
from engine.models.sessions import DEFAULT_EXECUTION, Execution, Session, open_session
from engine.models.yolo_decoding import OutputForm, class_count, grid_cells, output_form

RUNTIMES = {".onnx": Runtime.ONNX, ".xml": Runtime.OPENVINO, ".pt": Runtime.ULTRALYTICS}
SUBJECT_NAMES = {"horse": "horse", "pony": "horse", "foal": "horse", "person": "person"} | {
    "human": "person",
    "people": "person",
    "dog": "dog",
}
LOOKALIKE_NAMES = frozenset({"cow", "sheep", "cattle", "donkey", "zebra"})
COCO_CLASSES = {"0": "person", "16": "dog", "17": "horse"}
COCO_LOOKALIKES = (18, 19)
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
DETECTOR_SIDE_PX = 640
POSE_SIDE_PX = 256
_LICENCE = "unknown: not in the manifest"


def runtime_of(path: Path) -> Runtime:
    """By the file's ending; ModelInvalid naming the endings that are understood."""
    runtime = RUNTIMES.get(path.suffix.lower())
    if runtime is None:
        raise ModelInvalid(
            f"{path.name} is no model file this program can open.",
            f"It opens {', '.join(sorted(RUNTIMES))}.",
        )
    return runtime


def describe_file(path: Path, task: Task, execution: Execution = DEFAULT_EXECUTION) -> ModelEntry:
    """An entry for a file that no manifest lists, as a model for ``task``.

    The file is run once on a picture of its size. Its id carries the first letters of its hash, so
    that what it computes is never confused with another file's. Raises ModelInvalid when it is
    damaged or its outputs fit no layout of the task.
    """
    runtime = runtime_of(path)
    side = DETECTOR_SIDE_PX if task is Task.DETECTOR else POSE_SIDE_PX
    probe = InputSpec(width_px=side, height_px=side)
    session = open_session(path, runtime, probe, execution)
    try:
        _, _, height, width = session.input.shape
        size = (height or side, width or side)
        grey = np.full((session.input.shape[0] or 1, *size, 3), 114, np.uint8)
        outputs = session.run(grey)
        base = _Base(path, runtime, session, size)
        if task is Task.DETECTOR:
            return _detector(base, outputs)
        if task is Task.POSE:
            return _pose(base, outputs)
        return _embedder(base, outputs)
    finally:
        session.close()


class _Base:
    """What every task needs to know about the file."""

    def __init__(
        self, path: Path, runtime: Runtime, session: Session, size: tuple[int, int]
    ) -> None:
        self.path = path
        self.runtime = runtime
        self.metadata: Mapping[str, str] = session.metadata
        self.height_px, self.width_px = size
        self.free = session.input.shape[2] is None and session.input.shape[3] is None
        digest = sha256_of(path)
        self.version = digest[:12]
        files = [ModelFile(name=path.name, sha256=digest)]
        if runtime is Runtime.OPENVINO:
            weights = path.with_suffix(".bin")
            files.append(ModelFile(name=weights.name, sha256=sha256_of(weights)))
        self.files = tuple(files)
        self.name = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._") or "model"

    def input(
        self, colour: str, mean: tuple[float, float, float], std: tuple[float, float, float]
    ) -> InputSpec:
        return InputSpec(
            width_px=self.width_px,
            height_px=self.height_px,
            colour="bgr" if colour == "bgr" else "rgb",
            mean=mean,
            std=std,
            dynamic_size=self.free,
        )


def _detector(base: _Base, outputs: list[FloatArray]) -> ModelEntry:
    shape = outputs[0].shape
    if len(shape) != 3:
        raise ModelInvalid(
            f"{base.path.name} answers with {_text(outputs)}, which is no detector's table."
        )
    form = output_form(shape[1:], base.height_px, base.width_px)
    cells = len(grid_cells(base.height_px, base.width_px)[1])
    anchor_free = form is OutputForm.ANCHORS_FIRST and shape[1] == cells
    # Raw YOLOX centres are offsets of a few cells; decoded ones reach over the whole input.
    raw = anchor_free and float(np.abs(outputs[0][..., :2]).max()) < base.width_px / 4
    layout = Layout.YOLOX if raw else Layout.YOLO
    classes, lookalikes = _classes(base, class_count(shape[1:], form))
    spec = (
        base.input("bgr", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        if anchor_free
        else base.input("rgb", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
    )
    return ModelEntry.model_validate(
        {
            "name": base.name,
            "version": base.version,
            "task": Task.DETECTOR,
            "layout": layout,
            "runtime": base.runtime,
            "files": base.files,
            "input": spec,
            "licence": _LICENCE,
            "origin": str(base.path),
            "classes": classes,
            "lookalikes": lookalikes,
        }
    )


def class_names(metadata: Mapping[str, str]) -> dict[int, str]:
    """The ``names`` that ultralytics stores ({0: 'person', ...}); empty where there are none."""
    try:
        names = ast.literal_eval(metadata.get("names", "{}"))
    except (ValueError, SyntaxError):
        return {}
    pairs = enumerate(names) if isinstance(names, list | tuple) else dict(names).items()
    return {int(index): str(name).lower() for index, name in pairs}


def _classes(base: _Base, count: int | None) -> tuple[dict[str, str], tuple[int, ...]]:
    names = class_names(base.metadata)
    kept = {str(i): SUBJECT_NAMES[name] for i, name in names.items() if name in SUBJECT_NAMES}
    if kept:
        return kept, tuple(i for i, name in names.items() if name in LOOKALIKE_NAMES)
    if names:
        raise ModelInvalid(
            f"{base.path.name} knows {', '.join(list(names.values())[:8])} and no horse, person "
            "or dog."
        )
    if count in (80, None):
        return dict(COCO_CLASSES), COCO_LOOKALIKES
    if count == 1:
        return {"0": "horse"}, ()
    raise ModelInvalid(
        f"{base.path.name} has {count} classes and does not say what they are.",
        "Store their names in the file's metadata (names), or list it in a manifest.toml.",
    )


def _pose(base: _Base, outputs: list[FloatArray]) -> ModelEntry:
    shapes = [out.shape for out in outputs]
    if len(shapes) == 2 and all(len(s) == 3 for s in shapes) and shapes[0][1] == shapes[1][1]:
        layout = Layout.SIMCC
    elif len(shapes) == 1 and len(shapes[0]) == 4:
        layout = Layout.HEATMAP
    else:
        raise ModelInvalid(f"{base.path.name} answers with {_text(outputs)}: no pose layout.")
    count = shapes[0][1]
    fitting = [s.name for s in SKELETONS.values() if len(s.landmarks) == count]
    if not fitting:
        known = ", ".join(f"{s.name} ({len(s.landmarks)})" for s in SKELETONS.values())
        raise ModelInvalid(
            f"{base.path.name} has {count} landmarks, which is no known skeleton.",
            f"Known: {known}.",
        )
    return ModelEntry(
        name=base.name,
        version=base.version,
        task=Task.POSE,
        layout=layout,
        runtime=base.runtime,
        files=base.files,
        input=base.input("rgb", IMAGENET_MEAN, IMAGENET_STD),
        licence=_LICENCE,
        origin=str(base.path),
        skeleton=fitting[0],
        padding=1.25,
        threshold=None,
    )


def _embedder(base: _Base, outputs: list[FloatArray]) -> ModelEntry:
    if len(outputs) != 1 or outputs[0].ndim != 2:
        raise ModelInvalid(f"{base.path.name} answers with {_text(outputs)} and not one vector.")
    return ModelEntry(
        name=base.name,
        version=base.version,
        task=Task.EMBEDDER,
        layout=Layout.EMBEDDING,
        runtime=base.runtime,
        files=base.files,
        input=base.input("rgb", IMAGENET_MEAN, IMAGENET_STD),
        licence=_LICENCE,
        origin=str(base.path),
        padding=1.0,
        threshold=None,
    )


def _text(outputs: list[FloatArray]) -> str:
    return "; ".join(" x ".join(map(str, out.shape)) for out in outputs)
