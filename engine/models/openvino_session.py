"""OpenVINO models (.xml with .bin beside it), the quickest way on Intel and AMD processors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.domain.errors import BarnhandError, EnvironmentFault, ModelInvalid
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.models.manifest import InputSpec
from engine.models.sessions import (
    DEFAULT_EXECUTION,
    Execution,
    OutOfMemory,
    RuntimeMissing,
    TensorSpec,
    require_file,
    require_picture_input,
)


def _library() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise RuntimeMissing(
            "OpenVINO is not installed, so OpenVINO models cannot run.",
            "Install the extra: pip install 'barnhand-desktop[openvino]'.",
        ) from error
    return openvino


class OpenVinoSession:
    """A Session on an OpenVINO model. It runs on the CPU; normalisation is part of the graph."""

    device = "cpu"

    def __init__(
        self, path: Path, spec: InputSpec, execution: Execution = DEFAULT_EXECUTION
    ) -> None:
        require_file(path)
        require_file(path.with_suffix(".bin"))
        self._path = path
        openvino = _library()
        core = openvino.Core()
        try:
            model = core.read_model(str(path))
            if len(model.inputs) != 1:
                raise ModelInvalid(f"{path.name} has {len(model.inputs)} inputs and not one.")
            self.input = TensorSpec("input", _shape(model.inputs[0].partial_shape))
            require_picture_input(self.input.shape, path)
            self.outputs = tuple(
                TensorSpec(f"output{index}", _shape(out.partial_shape))
                for index, out in enumerate(model.outputs)
            )
            self.metadata: Mapping[str, str] = _metadata(model)
            compiled = core.compile_model(
                _with_normalisation(openvino, model, spec),
                "CPU",
                {
                    "INFERENCE_NUM_THREADS": execution.cpu_threads,
                    "PERFORMANCE_HINT": "LATENCY",
                    "NUM_STREAMS": 1,
                },
            )
        except RuntimeError as error:
            raise self._unreadable(error) from error
        self._request: Any = compiled.create_infer_request()

    def _unreadable(self, error: RuntimeError) -> BarnhandError:
        if "memory" in str(error).lower():
            return OutOfMemory(f"No memory left to open {self._path.name}.")
        reason = str(error).strip().splitlines()[-1][:300]
        return ModelInvalid(
            f"{self._path} is damaged or is not an OpenVINO model: {reason}",
            "Fetch or copy the .xml and the .bin file again.",
        )

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        """See Session. The outputs are copies, because the request reuses its own memory."""
        fixed = self.input.shape[0], *self.input.shape[2:]
        if any(s not in (None, n) for s, n in zip(fixed, pictures_bgr.shape[:3], strict=True)):
            raise ModelInvalid(
                f"{self._path.name} takes {fixed} and was given {pictures_bgr.shape[:3]} "
                "(batch, height, width)."
            )
        try:
            self._request.infer({0: np.ascontiguousarray(pictures_bgr)}, share_inputs=True)
        except (RuntimeError, MemoryError) as error:
            text = str(error)
            if isinstance(error, MemoryError) or "memory" in text.lower():
                raise OutOfMemory("No memory left for the model.") from error
            raise EnvironmentFault(f"{self._path.name} could not be run: {text[:300]}") from error
        return [
            np.array(self._request.get_output_tensor(index).data, np.float32)
            for index in range(len(self.outputs))
        ]

    def close(self) -> None:
        """Give the memory back."""
        self._request = None


def _with_normalisation(openvino: Any, model: Any, spec: InputSpec) -> Any:
    from openvino.preprocess import ColorFormat, PrePostProcessor

    steps = PrePostProcessor(model)
    tensor = steps.input().tensor()
    tensor.set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    tensor.set_color_format(ColorFormat.BGR)
    work = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    if spec.colour == "rgb":
        work = work.convert_color(ColorFormat.RGB)
    if any(spec.mean):
        work = work.mean(list(spec.mean))
    if any(std != 1.0 for std in spec.std):
        work.scale(list(spec.std))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    return steps.build()


def _metadata(model: Any) -> dict[str, str]:
    """What the exporter stored; the word list of ultralytics becomes its usual ``names``."""
    if not model.has_rt_info(["model_info", "labels"]):
        return {}
    labels = str(model.get_rt_info(["model_info", "labels"]).value).split()
    return {"names": str({i: label.replace("_", " ") for i, label in enumerate(labels)})}


def _shape(sides: Any) -> tuple[int | None, ...]:
    if sides.rank.is_dynamic:
        return ()
    return tuple(None if side.is_dynamic else int(side.get_length()) for side in sides)
