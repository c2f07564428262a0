"""Makes torchvision importable beside a torch build it was not compiled for.

The registry's torchvision wheel wants CUDA libraries; beside the CPU build of torch its compiled
part does not load and its import fails with "operator torchvision::nms does not exist", and with it
the import of ultralytics. A working torchvision is always tried first and left alone; only when it
fails are the two operators that its import needs defined here, in plain torch.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Literal

import torch

_library: Any = None


def non_maximum_suppression(
    boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float
) -> torch.Tensor:
    """Greedy suppression: indices of the kept rows by falling score, int64.

    boxes: (N, 4) x1, y1, x2, y2. scores: (N,). A box goes when its overlap with a kept one is
    above the threshold (torchvision's own rule).
    """
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = scores.argsort(descending=True, stable=True)
    kept: list[torch.Tensor] = []
    while order.numel():
        best, order = order[0], order[1:]
        kept.append(best)
        top_left = torch.maximum(boxes[order, :2], boxes[best, :2])
        bottom_right = torch.minimum(boxes[order, 2:], boxes[best, 2:])
        sides = (bottom_right - top_left).clamp(min=0)
        overlap = sides[:, 0] * sides[:, 1]
        order = order[overlap <= iou_threshold * (areas[order] + areas[best] - overlap)]
    return torch.stack(kept) if kept else order.new_zeros((0,), dtype=torch.int64)


def ensure_torchvision() -> Literal["compiled", "substituted"]:
    """Import torchvision, substituting its operators when its own do not load.

    Returns which one is in use. Raises ImportError when torchvision is not installed.
    """
    global _library
    if _library is not None:
        return "substituted"
    try:
        importlib.import_module("torchvision")
        return "compiled"
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    make_library: Any = torch.library.Library
    library = make_library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl(name, non_maximum_suppression, "CPU")
    _library = library
    importlib.import_module("torchvision")
    extension = importlib.import_module("torchvision.extension")
    vars(extension)["_has_ops"] = lambda: True
    return "substituted"
