"""Networks to ONNX, checked against torch on random pictures."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from engine.domain.errors import Bug

OPSET = 17
TOLERANCE = 1e-3
"""Largest difference allowed between torch and ONNX Runtime (float32)."""


def export_onnx(
    network: nn.Module, path: Path, height_px: int, width_px: int, dynamic_size: bool = False,
    outputs: Sequence[str] = ("output",),
) -> float:  # fmt: skip
    """Write ``network`` (float (B, 3, H, W) in, one tensor or a tuple out) to ``path``; any batch.

    ``outputs`` names the tensors that come out. ``dynamic_size``: other heights and widths are
    accepted too. Returns the largest difference found between torch and ONNX Runtime; Bug (and no
    file) when it is above TOLERANCE.
    """
    network = network.cpu().eval()
    axes: dict[str, dict[int, str]] = {"images": {0: "batch"}}
    axes |= {name: {0: "batch"} for name in outputs}
    if dynamic_size:
        axes["images"] |= {2: "height", 3: "width"}
        axes[outputs[0]] |= {1: "cells"}
    beside = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The exporter that needs no further package is the older one, and says so each time.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(1, 3, height_px, width_px),), str(beside), dynamo=False,
            opset_version=OPSET, input_names=["images"], output_names=list(outputs),
            dynamic_axes=axes,
        )  # fmt: skip
    sizes = [(1, height_px, width_px), (3, height_px, width_px)]
    if dynamic_size:
        sizes.append((2, max(32, height_px // 64 * 32), width_px))
    difference = max(_difference(network, beside, size) for size in sizes)
    if not difference <= TOLERANCE:
        beside.unlink()
        raise Bug(f"the exported model differs from torch by {difference:.2g}")
    beside.replace(path)
    return difference


def _difference(network: nn.Module, path: Path, size: tuple[int, int, int]) -> float:
    batch, height, width = size
    rng = np.random.default_rng(1)
    picture = rng.uniform(-1, 1, size=(batch, 3, height, width)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    served = session.run(None, {"images": picture})
    with torch.no_grad():
        wanted = network(torch.from_numpy(picture))
    both = wanted if isinstance(wanted, tuple) else (wanted,)
    return max(
        float(np.abs(one - other.numpy()).max()) for one, other in zip(served, both, strict=True)
    )


HALF_TOLERANCE = 0.15
"""Largest change of a logit allowed when weights are stored in half precision."""


def halve_weights(path: Path, shape: tuple[int, int, int, int]) -> float:
    """Store the float32 weights of an ONNX file as float16, each followed by a Cast that runtimes
    fold when they load the file, so inference stays float32 and the file is half the size.

    ``shape`` of the input that both files are tried on. Returns the largest change of an output;
    Bug (and the file as it was) when it is above HALF_TOLERANCE.
    """
    import onnx

    before = path.read_bytes()
    model = onnx.load_from_string(before)
    casts = []
    for weights in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < 64:
            continue
        name = weights.name
        weights.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    picture = np.random.default_rng(1).uniform(-1, 1, size=shape).astype(np.float32)
    after = model.SerializeToString()
    wanted, served = (_answer(content, picture) for content in (before, after))
    change = float(np.abs(wanted - served).max())
    if not change <= HALF_TOLERANCE:
        raise Bug(f"weights in half precision change the answer by {change:.2g}")
    beside = path.with_suffix(".part")
    beside.write_bytes(after)
    beside.replace(path)
    return change


def store_metadata(path: Path, stored: Mapping[str, str]) -> None:
    """Write free text into an ONNX file, under names."""
    import onnx

    model = onnx.load_from_string(path.read_bytes())
    onnx.helper.set_model_props(model, dict(stored))
    beside = path.with_suffix(".part")
    beside.write_bytes(model.SerializeToString())
    beside.replace(path)


def _answer(content: bytes, picture: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"images": picture})[0])


def sha256_of_file(path: Path) -> str:
    """Hash for the manifest."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
