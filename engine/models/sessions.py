"""Sessions: one opened model file and the runtime that executes it.

A session takes pictures as they come from a decoder (uint8 BGR) and owns their normalisation,
because some runtimes do it inside the compiled graph or on the graphics card for less.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from engine.domain.errors import EnvironmentFault, ModelInvalid, OperatorMistake
from engine.domain.frames import Image
from engine.domain.geometry import FloatArray
from engine.models.manifest import InputSpec, Runtime

Device = Literal["auto", "cpu", "cuda"]


class OutOfMemory(EnvironmentFault):
    """The device had no room for a batch; a smaller one may fit."""


class RuntimeMissing(OperatorMistake):
    """The optional library that executes this kind of file is not installed."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name and shape of one model input or output; None stands for a free dimension."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Execution:
    """Where and how models run.

    ``threads``: CPU threads of one model, 0 leaves one core to the rest of the program.
    ``cache``: folder for engines that a runtime compiles for this machine (TensorRT), or None.
    """

    device: Device = "auto"
    threads: int = 0
    cache: Path | None = None

    @property
    def cpu_threads(self) -> int:
        """The number of CPU threads, at least 1."""
        return self.threads or max(usable_cores() - 1, 1)


DEFAULT_EXECUTION = Execution()
"""Any device, one core left to the rest."""


def usable_cores() -> int:
    """CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Session(Protocol):
    """An opened model with one picture input. Used by one thread."""

    @property
    def device(self) -> str:
        """``cpu``, ``cuda``, ... where it really runs."""
        ...

    @property
    def input(self) -> TensorSpec:
        """The model's picture input as (batch, channels, height, width)."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """Free text stored in the file by whoever exported it."""
        ...

    def run(self, pictures_bgr: Image) -> list[FloatArray]:
        """Execute on uint8 ``(B, H, W, 3)`` BGR; the outputs in order, float32.

        Raises OutOfMemory, EnvironmentFault when the device is lost, ModelInvalid when the file
        does not accept such pictures.
        """
        ...

    def close(self) -> None: ...


def require_file(path: Path) -> None:
    """ModelInvalid when there is no such file, or nothing in it."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelInvalid(
            f"The model file {path} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    if not path.is_file():
        raise ModelInvalid(f"{path} is not a file.", "Name the model file itself.")
    if size == 0:
        raise ModelInvalid(f"The model file {path} is empty.", "Fetch or copy it again.")


def require_picture_input(shape: tuple[int | None, ...], path: Path) -> None:
    """ModelInvalid unless the shape is (batch, 3, height, width) or has free dimensions there."""
    if len(shape) != 4 or shape[1] not in (3, None):
        raise ModelInvalid(
            f"{path.name} takes {_readable(shape)} and not pictures (batch x 3 x height x width)."
        )


def _readable(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if side is None else str(side) for side in shape) or "a single number"


def open_session(
    path: Path, runtime: Runtime, spec: InputSpec, execution: Execution = DEFAULT_EXECUTION
) -> Session:
    """Open a model file; the runtime's library is imported only now.

    Raises ModelInvalid (damaged, not of that kind), RuntimeMissing (library not installed),
    EnvironmentFault (device asked for is absent), OutOfMemory.
    """
    require_file(path)
    if runtime is Runtime.ONNX:
        from engine.models.onnx_session import OnnxSession

        return OnnxSession(path, spec, execution)
    if runtime is Runtime.OPENVINO:
        from engine.models.openvino_session import OpenVinoSession

        return OpenVinoSession(path, spec, execution)
    from engine.models.ultralytics_session import UltralyticsSession

    return UltralyticsSession(path, spec, execution)
