"""Running an uploaded network once, by the very code that will run it at a camera."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from barnhand_desktop.model_inspection.verdict import ModelRefused
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.models.detectors import GridDetector, grid_detector
from engine.models.embedders import OnnxEmbedder
from engine.models.manifest import ModelEntry, Task
from engine.models.pose_estimators import TopDownPose, pose_estimator
from engine.models.sessions import Device, Execution, Session, open_session
from engine.sources.pictures import ArrayPicture

SLOW_MS = 20_000.0
"""A model that needs longer for one picture on one CPU thread is of no use at a camera."""
_SEED = 20261121

Model = GridDetector | TopDownPose | OnnxEmbedder


def try_out(path: Path, description: dict[str, Any]) -> dict[str, object]:
    """Open the file as the task and layout that the description states, and look at pictures.

    Figures: cpu_ms, input_px, outputs. Raises ModelRefused, ModelInvalid.
    """
    entry = _entry(path, description)
    sessions: list[_Watched] = []

    def open_on(device: Device) -> Session:
        opened = open_session(path, entry.runtime, entry.input, Execution("cpu", threads=1))
        sessions.append(_Watched(opened))
        return sessions[-1]

    model = _build(entry, open_on)
    try:
        _fits(entry, sessions[0])
        took_ms = _look(model, entry)
    finally:
        model.close()
    if took_ms > SLOW_MS:
        raise ModelRefused(
            "model_too_complex",
            f"One picture takes {took_ms / 1000:.0f} s on one CPU thread.",
            "Use a smaller network or a smaller input.",
        )
    shapes = {out.name[:80]: list(out.shape) for out in sessions[0].outputs}
    return {"cpu_ms": round(took_ms, 1), "outputs": shapes}


def _entry(path: Path, description: dict[str, Any]) -> ModelEntry:
    fields = {name: value for name, value in description.items() if name != "format"}
    try:
        return ModelEntry.model_validate(fields | {"files": [{"name": path.name}]})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelRefused(
            "model_description", f"The description is wrong at {where}: {first['msg']}.",
            "Correct it and send the file again.",
        ) from error  # fmt: skip


def _build(entry: ModelEntry, open_on: Any) -> Model:
    if entry.task is Task.DETECTOR:
        return grid_detector(entry, open_on, "cpu")
    if entry.task is Task.POSE:
        return pose_estimator(entry, open_on, "cpu")
    return OnnxEmbedder(entry, open_on, "cpu")


def _fits(entry: ModelEntry, session: Session) -> None:
    """The stated input size is the file's, where the file has one."""
    _, _, height, width = session.input.shape
    stated = (entry.input.height_px, entry.input.width_px)
    if (height or stated[0], width or stated[1]) != stated:
        raise ModelRefused(
            "model_layout",
            f"The file takes pictures of {width} x {height} px, the description says "
            f"{stated[1]} x {stated[0]} px.",
            "State the size that the file was exported for.",
        )


def _look(model: Model, entry: ModelEntry) -> float:
    """Milliseconds for one picture, the longest of some that have little in common."""
    width, height = entry.input.width_px, entry.input.height_px
    noise = np.random.default_rng(_SEED).integers(0, 256, (height, width, 3), np.uint8)
    pictures = [np.zeros_like(noise), np.full_like(noise, 255), noise]
    if entry.input.dynamic_size and entry.task is Task.DETECTOR:
        pictures.append(np.ascontiguousarray(noise[: max(height * 9 // 16, 32)]))
    longest_ms = 0.0
    for picture in pictures:
        began_s = time.perf_counter()
        _require_numbers(_answers(model, picture))
        longest_ms = max(longest_ms, (time.perf_counter() - began_s) * 1000.0)
    return longest_ms


class _Watched:
    """A session whose answers must be numbers; boxes that are none would be dropped silently."""

    def __init__(self, opened: Session) -> None:
        self._opened = opened
        self.device, self.metadata = opened.device, opened.metadata
        self.input, self.outputs = opened.input, opened.outputs

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        """See Session; ModelRefused for answers that are no numbers."""
        answers = self._opened.run(pictures_bgr)
        _require_numbers(answers)
        return answers

    def close(self) -> None:
        """See Session."""
        self._opened.close()


def _require_numbers(answers: list[FloatArray]) -> None:
    if not all(np.isfinite(answer).all() for answer in answers):
        raise ModelRefused(
            "model_answers", "It answers some pictures with values that are no numbers.",
            "Check the export with the network's own program.",
        )  # fmt: skip


def _answers(model: Model, picture: Image) -> list[FloatArray]:
    height, width = picture.shape[:2]
    if isinstance(model, GridDetector):
        (found,) = model.detect([picture], [1.0], 0.05)
        return [found.boxes_xyxy_px, found.scores]
    whole = np.array([[0, 0, width, height]], np.float32)
    if isinstance(model, TopDownPose):
        (pose,) = model.estimate([(ArrayPicture(picture), whole)])
        return [pose.keypoints_px, pose.scores]
    return model.embed([(ArrayPicture(picture), whole)])
