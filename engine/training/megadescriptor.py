"""MegaDescriptor-T from its published torch weights to the ONNX file that the product serves.

Its authors publish the weights of a Swin-T under timm's names. torchvision has the same network
under other names, so no further library is needed: the weights are renamed and exported.
"""

from __future__ import annotations

import importlib
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.domain.errors import ModelInvalid
from engine.models.torchvision_operators import ensure_torchvision
from engine.training.export import export_onnx

SIDE_PX = 224
LENGTH = 768
"""Numbers in a vector."""

_STAGES = 4
_NAMES = (
    (r"^patch_embed\.proj\.", "features.0.0."),
    (r"^patch_embed\.norm\.", "features.0.2."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
)
"""timm's names -> torchvision's, besides the stages."""
_UNREADABLE = (
    RuntimeError, ValueError, TypeError, KeyError, AttributeError, ImportError, EOFError, OSError,
    pickle.UnpicklingError,
)  # fmt: skip
"""What torch raises for files that are none of its own."""


def torchvision_names(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a Swin-T by timm's names, under torchvision's.

    Before timm 0.9 a stage halved the picture at its end, since then at its beginning; both are
    understood. Buffers that every Swin computes for itself and a classifier are left out.
    """
    at_end = "layers.0.downsample.reduction.weight" in stored
    renamed: dict[str, Tensor] = {}
    for name, value in stored.items():
        if name.startswith("head.") or name.endswith(("relative_position_index", "attn_mask")):
            continue
        found = re.match(r"^layers\.(\d+)\.(blocks\.(\d+)|downsample)\.(.*)$", name)
        if found is not None and found[3] is not None:
            name = f"features.{2 * int(found[1]) + 1}.{found[3]}.{found[4]}"
        elif found is not None:
            name = f"features.{2 * int(found[1]) + (2 if at_end else 0)}.{found[4]}"
        for pattern, to in _NAMES:
            name = re.sub(pattern, to, name)
        if name.endswith("relative_position_bias_table"):
            value = value.reshape(-1, value.shape[-1])
        renamed[name] = value
    return renamed


class MegaDescriptor(nn.Module):
    """Swin-T without a classifier: normalised (B, 3, 224, 224) in, vectors (B, 768) out."""

    def __init__(self) -> None:
        super().__init__()
        ensure_torchvision()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            models: Any = importlib.import_module("torchvision.models")
            self.swin: Any = models.swin_t(weights=None)
        self.swin.head = nn.Identity()

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 768), not normalised."""
        vectors: Tensor = self.swin(pictures)
        return vectors


def load_megadescriptor(path: Path) -> MegaDescriptor:
    """The network with the weights of a file, read without running anything in it.

    ModelInvalid when the file is no torch file or not of a Swin-T.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else "unreadable"
        raise ModelInvalid(
            f"{path} is damaged or is no torch file: {reason}", "Fetch it again."
        ) from error
    for key in ("model", "state_dict"):
        stored = stored.get(key, stored) if isinstance(stored, dict) else {}
    tensors = {k: v for k, v in stored.items() if isinstance(v, Tensor)}
    network = MegaDescriptor().eval()
    own = network.swin.state_dict()
    computed = {name for name in own if name.endswith("relative_position_index")}
    renamed = torchvision_names(tensors)
    wrong = sorted(
        (set(own) - computed) ^ set(renamed)
        | {n for n in renamed if n in own and own[n].shape != renamed[n].shape}
    )
    if wrong:
        raise ModelInvalid(
            f"{path.name} holds no MegaDescriptor-T: {len(wrong)} weights do not fit, such as "
            f"{wrong[0]}."
        )
    network.swin.load_state_dict(renamed, strict=False)
    return network


def convert_megadescriptor(weights: Path, target: Path) -> float:
    """Write the ONNX file for published weights; the largest difference from torch. ModelInvalid as
    ``load_megadescriptor``."""
    return export_onnx(load_megadescriptor(weights), target, SIDE_PX, SIDE_PX)
