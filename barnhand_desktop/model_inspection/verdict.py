"""What an inspection says: the model's figures, or why it is refused and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.domain.errors import OperatorMistake


class ModelRefused(OperatorMistake):
    """An uploaded file is no model that this product runs. ``code`` never changes its meaning."""

    def __init__(self, code: str, message: str, advice: str) -> None:
        super().__init__(message, advice)
        self.code = code


class InspectionCancelled(OperatorMistake):
    """Whoever asked for it does not want it any more."""

    def __init__(self) -> None:
        super().__init__("Cancelled; nothing was stored.")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of an accepted file. ``figures``: parameters, nodes, opset, outputs, cpu_ms
    (one picture on one CPU thread) of ONNX; tensors and parameters of weights."""

    figures: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


EXPORT_ADVICE = (
    "Export it to ONNX where it was trained (torch.onnx.export, `yolo export format=onnx`, "
    "`barnhand train` does it by itself) and upload the .onnx file."
)

CODES = (
    "model_answers",
    "model_control_flow",
    "model_description",
    "model_external_data",
    "model_format",
    "model_functions",
    "model_hash",
    "model_inspection_failed",
    "model_layout",
    "model_nested",
    "model_operators",
    "model_opset",
    "model_pickle",
    "model_tensor",
    "model_too_complex",
    "model_unbounded",
    "model_unreadable",
    "model_weights",
)
"""Every code that a refused file is answered with."""
