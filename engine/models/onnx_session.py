"""ONNX files through ONNX Runtime, on whatever processor it can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from engine.domain.errors import BarnhandError, EnvironmentFault, ModelInvalid
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.models.manifest import InputSpec
from engine.models.normalisation import Normaliser
from engine.models.sessions import (
    DEFAULT_EXECUTION,
    Device,
    Execution,
    OutOfMemory,
    TensorSpec,
    require_file,
    require_picture_input,
)

ACCELERATORS = {
    "TensorrtExecutionProvider": "cuda",
    "CUDAExecutionProvider": "cuda",
    "DmlExecutionProvider": "directml",
    "CoreMLExecutionProvider": "coreml",
}
"""Providers in order of preference and the device each stands for."""

_DAMAGED = (
    states.InvalidProtobuf,
    states.InvalidGraph,
    states.NoSuchFile,
    states.NotImplemented,
    states.ModelLoaded,
    states.Fail,
)
_MEMORY_WORDS = ("out of memory", "failed to allocate", "bad_alloc", "bad allocation")

Provider = tuple[str, dict[str, str]]


def choose_providers(
    device: Device, present: Sequence[str], cache: Path | None = None
) -> list[Provider]:
    """The providers to try, best first, always ending with the CPU.

    TensorRT compiles an engine for minutes at first use, so it is taken only when the graphics
    card was asked for by name and there is a folder to keep the engines in.
    Raises EnvironmentFault when ``cuda`` was asked for and this runtime cannot use it.
    """
    chosen: list[Provider] = []
    for name, kind in ACCELERATORS.items():
        if name not in present or device == "cpu" or (device == "cuda" and kind != "cuda"):
            continue
        if name == "TensorrtExecutionProvider":
            if device == "cuda" and cache is not None:
                chosen.append((name, _tensorrt_options(cache)))
            continue
        chosen.append((name, {}))
    if device == "cuda" and not chosen:
        raise EnvironmentFault(
            "This ONNX Runtime cannot use the graphics card.",
            "Install onnxruntime-gpu and the NVIDIA driver, or set the device to auto.",
        )
    return [*chosen, ("CPUExecutionProvider", {})]


def _tensorrt_options(cache: Path) -> dict[str, str]:
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(cache),
        "trt_fp16_enable": "1",
    }


class OnnxSession:
    """A Session on an .onnx file."""

    def __init__(
        self, path: Path, spec: InputSpec, execution: Execution = DEFAULT_EXECUTION
    ) -> None:
        require_file(path)
        self._path = path
        present = onnxruntime.get_available_providers()
        providers = choose_providers(execution.device, present, execution.cache)
        if len(providers) > 1 and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        self._session: Any = self._open(providers, execution)
        self.device = ACCELERATORS.get(self._session.get_providers()[0], "cpu")
        if execution.device == "cuda" and self.device == "cpu":
            raise EnvironmentFault(
                f"The graphics card could not be used for {path.name}.",
                "Check the NVIDIA driver and the CUDA libraries with `barnhand doctor`.",
            )
        first = self._only_input()
        self.input = TensorSpec(first.name, _shape(first.shape))
        require_picture_input(self.input.shape, path)
        self.outputs = tuple(
            TensorSpec(out.name, _shape(out.shape)) for out in self._session.get_outputs()
        )
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        self._half = first.type == "tensor(float16)"
        self._normalise = Normaliser(spec)

    def _open(self, providers: list[Provider], execution: Execution) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = execution.cpu_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Several models share the machine with decoding and the console: waiting threads sleep.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(
                str(self._path), sess_options=options, providers=providers
            )
        except _DAMAGED as error:
            raise ModelInvalid(
                f"{self._path} is damaged or is not an ONNX model: {_first_line(error)}",
                "Fetch or copy the file again.",
            ) from error
        except (RuntimeError, ValueError) as error:
            raise self._translated(error) from error

    def _only_input(self) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(i.name for i in inputs) or "none"
            raise ModelInvalid(f"{self._path.name} should have one input and has: {names}.")
        if inputs[0].type not in ("tensor(float)", "tensor(float16)"):
            raise ModelInvalid(f"{self._path.name} takes {inputs[0].type}, not float pictures.")
        return inputs[0]

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        """See Session."""
        tensor: Any = self._normalise(pictures_bgr)
        if self._half:
            tensor = tensor.astype(np.float16)
        try:
            outputs = self._session.run(None, {self.input.name: tensor})
        except (states.InvalidArgument, states.Fail, RuntimeError, MemoryError) as error:
            raise self._translated(error, pictures_bgr.shape) from error
        return [np.asarray(out, np.float32) for out in outputs]

    def _translated(self, error: Exception, shape: tuple[int, ...] = ()) -> BarnhandError:
        text = str(error).lower()
        if isinstance(error, MemoryError) or any(word in text for word in _MEMORY_WORDS):
            return OutOfMemory(f"No memory left on {getattr(self, 'device', 'the device')}.")
        if isinstance(error, states.InvalidArgument) and shape:
            return ModelInvalid(
                f"{self._path.name} does not accept pictures of {shape[2]}x{shape[1]} px "
                f"in batches of {shape[0]}: {_first_line(error)}"
            )
        return EnvironmentFault(f"{self._path.name} could not be run: {_first_line(error)}")

    def close(self) -> None:
        """Give the memory back."""
        self._session = None


def _shape(sides: Sequence[object]) -> tuple[int | None, ...]:
    return tuple(side if isinstance(side, int) and side > 0 else None for side in sides)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
