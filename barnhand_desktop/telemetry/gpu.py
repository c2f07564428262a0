"""How busy and how full the GPUs are; nothing where there is none."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """One GPU. ``busy_ratio`` 0..1, None where the driver does not say."""

    number: int
    model: str
    busy_ratio: float | None
    used_bytes: int
    total_bytes: int


class GpuMeter:
    """Asks the driver's management library, or torch where only that reaches the GPU."""

    def __init__(self) -> None:
        self._library = _library()

    def read(self) -> Sequence[GpuFigures]:
        """Every GPU now; empty without one."""
        if self._library is None:
            return _of_torch()
        try:
            count = self._library.nvmlDeviceGetCount()
            return tuple(self._one(number) for number in range(count))
        except self._library.NVMLError as error:
            log.debug("the GPU could not be looked at: %s", error)
            return ()

    def _one(self, number: int) -> GpuFigures:
        library = self._library
        device = library.nvmlDeviceGetHandleByIndex(number)
        memory = library.nvmlDeviceGetMemoryInfo(device)
        try:
            busy = library.nvmlDeviceGetUtilizationRates(device).gpu / 100.0
        except library.NVMLError:  # a part of a GPU has no use of its own
            busy = None
        name = library.nvmlDeviceGetName(device)
        return GpuFigures(
            number=number,
            model=name.decode() if isinstance(name, bytes) else str(name),
            busy_ratio=busy,
            used_bytes=int(memory.used),
            total_bytes=int(memory.total),
        )


def _library() -> Any:
    """The driver's management library, started; None where it or the GPU is absent."""
    try:
        library: Any = importlib.import_module("pynvml")
    except ImportError:
        log.debug("the management library of NVIDIA GPUs is not installed")
        return None
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        log.debug("no NVIDIA GPU to look at: %s", error)
        return None
    return library


def _of_torch() -> Sequence[GpuFigures]:
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ()
    found = []
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        model = torch.cuda.get_device_name(number)
        found.append(GpuFigures(number, model, None, total - free, total))
    return tuple(found)
