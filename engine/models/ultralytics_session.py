"""Ultralytics checkpoints (.pt) through torch, on the CPU or a CUDA card.

Only the network is used: preparation, decoding and suppression are ours, so nothing of the
library's prediction loop (which may look for updates, install packages or send statistics) ever
runs. Checkpoints are unpickled with ``weights_only``, so a malicious file cannot execute code.
"""

from __future__ import annotations

import importlib
import logging
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

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
)
from engine.models.torchvision_operators import ensure_torchvision

QUIET_ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "1",
}
"""What keeps the library from the network, from pip and from unpickling code."""


def ultralytics_tasks() -> Any:
    """The library's module of networks, imported offline; RuntimeMissing if not installed."""
    os.environ.update(QUIET_ENVIRONMENT)
    try:
        ensure_torchvision()
        tasks = importlib.import_module("ultralytics.nn.tasks")
        utils = importlib.import_module("ultralytics.utils")
        events = importlib.import_module("ultralytics.utils.events")
    except ImportError as error:
        raise RuntimeMissing(
            f"Torch weights (.pt) cannot run: {error}.", "Install the package ultralytics."
        ) from error
    # Another part of the program may have imported the library before the environment was set.
    vars(utils)["ONLINE"] = False
    events.events.enabled = False
    logging.getLogger("ultralytics").setLevel(logging.WARNING)
    return tasks


class UltralyticsSession:
    """A Session on a detection checkpoint; any batch, sides that are multiples of 32."""

    def __init__(
        self, path: Path, spec: InputSpec, execution: Execution = DEFAULT_EXECUTION
    ) -> None:
        require_file(path)
        self._path = path
        self._device = _torch_device(execution)
        self.device = self._device.type
        if self.device == "cpu":
            torch.set_num_threads(execution.cpu_threads)
        self._half = self.device == "cuda"
        network, names = load_network(path)
        try:
            network = network.fuse(verbose=False).eval().to(self._device)
            self._network: Any = network.half() if self._half else network.float()
        except RuntimeError as error:
            raise self._translated(error) from error
        kind = torch.float16 if self._half else torch.float32
        self._mean = torch.tensor(spec.mean, dtype=kind, device=self._device).view(1, 3, 1, 1)
        self._gain = 1.0 / torch.tensor(spec.std, dtype=kind, device=self._device).view(1, 3, 1, 1)
        self._flip = spec.colour == "rgb"
        self.input = TensorSpec("images", (None, 3, None, None))
        self.outputs = (TensorSpec("output", (None, None, None)),)
        self.metadata: Mapping[str, str] = {"names": str(names)}

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        """See Session. Pictures travel as bytes and are normalised on the device."""
        try:
            with torch.inference_mode():
                tensor = torch.from_numpy(np.ascontiguousarray(pictures_bgr)).to(self._device)
                tensor = tensor.permute(0, 3, 1, 2)
                if self._flip:
                    tensor = tensor.flip(1)
                tensor = tensor.to(self._gain.dtype).sub_(self._mean).mul_(self._gain)
                output = self._network(tensor.contiguous())
                while isinstance(output, list | tuple):
                    output = output[0]
                return [output.float().cpu().numpy()]
        except (RuntimeError, MemoryError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> BarnhandError:
        text = str(error)
        if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or any(
            words in text.lower() for words in ("out of memory", "can't allocate memory")
        ):
            return OutOfMemory(f"No memory left on {self.device} for {self._path.name}.")
        return EnvironmentFault(f"{self._path.name} could not be run: {text[:300]}")

    def close(self) -> None:
        """Give the memory back."""
        self._network = None
        if self.device == "cuda":
            torch.cuda.empty_cache()


def _torch_device(execution: Execution) -> torch.device:
    if execution.device == "cpu" or (execution.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise EnvironmentFault(
            "This torch cannot use the graphics card.",
            "Install the CUDA build of torch and the NVIDIA driver, or set the device to auto.",
        )
    return torch.device("cuda")


def load_network(path: Path) -> tuple[Any, dict[int, str]]:
    """The network of a checkpoint (float32) and its class names. Nothing is downloaded: the file is
    there already. Raises ModelInvalid, RuntimeMissing."""
    tasks = ultralytics_tasks()
    checks = importlib.import_module("ultralytics.utils.checks")
    if checks.check_yolov5u_filename(str(path), verbose=False) != str(path):
        raise ModelInvalid(
            f"{path.name} carries the name of an old YOLOv5 release, which the library would "
            "replace by a download.",
            "Give the file another name.",
        )
    try:
        checkpoint, _ = tasks.torch_safe_load(str(path), safe_only=True)
    except (TypeError, RuntimeError, EOFError, KeyError, ImportError, AttributeError) as error:
        raise _refused(path, error) from error
    except (pickle.UnpicklingError, ValueError, OSError) as error:
        raise _refused(path, error) from error
    network = (checkpoint.get("ema") or checkpoint.get("model")) if checkpoint else None
    if not isinstance(network, torch.nn.Module):
        raise ModelInvalid(f"{path} holds no network: it is not an ultralytics checkpoint.")
    task = getattr(network, "task", None) or tasks.guess_model_task(network)
    if task != "detect":
        raise ModelInvalid(f"{path.name} is a model for the task {task!r}, not a detector.")
    names = getattr(network, "names", None) or {}
    return network.float(), {int(k): str(v) for k, v in dict(names).items()}


def _refused(path: Path, error: Exception) -> ModelInvalid:
    reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else "unreadable"
    return ModelInvalid(
        f"{path} is damaged or is not an ultralytics checkpoint: {reason}",
        "Fetch or copy the file again.",
    )
