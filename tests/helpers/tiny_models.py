"""Tiny ONNX networks whose answers are known exactly, built for a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine.models.manifest import ModelEntry
from engine.models.sessions import DEFAULT_EXECUTION, Device, Execution, Session, open_session

Side = int | str
"""A dimension: a number, or a name for a free one."""


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, Sequence[Side]],
    input_shape: Sequence[Side],
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a checked model with the float input ``images``."""
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, list(input_shape))],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
            for name, shape in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def constant_model(
    path: Path,
    outputs: Mapping[str, NDArray[np.float32]],
    input_shape: Sequence[Side],
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A network that answers every picture of any batch with these outputs (without batch)."""
    constants: dict[str, NDArray[Any]] = {
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Shape", ["images"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["batch"]),
    ]
    shapes: dict[str, Sequence[Side]] = {}
    for name, value in outputs.items():
        constants[f"{name}_value"] = value[None].astype(np.float32)
        constants[f"{name}_tail"] = np.array(value.shape, np.int64)
        nodes += [
            helper.make_node("Concat", ["batch", f"{name}_tail"], [f"{name}_shape"], axis=0),
            helper.make_node("Expand", [f"{name}_value", f"{name}_shape"], [name]),
        ]
        shapes[name] = [input_shape[0], *value.shape]
    return save(path, nodes, constants, shapes, input_shape, metadata)


def bright_cell_yolox(path: Path, input_shape: Sequence[Side], classes: int = 1) -> Path:
    """A YOLOX-shaped network that finds bright 32 px cells, for any input size.

    Objectness is the cell's mean brightness over 255 (0 on the two finer levels), all class
    probabilities are 1 for class 0 and 0 else, and each box is centred on its cell, 64 wide and
    32 high.
    """
    row = np.zeros((1, 1, 5 + classes), np.float32)
    row[0, 0, :4] = 0.5, 0.5, np.log(2.0), 0.0
    row[0, 0, 5] = 1.0
    only_objectness = np.zeros((1, 1, 5 + classes), np.float32)
    only_objectness[0, 0, 4] = 1.0 / 255.0
    constants: dict[str, NDArray[Any]] = {
        "row": row,
        "gain": only_objectness,
        "none": np.zeros((1, 1, 1), np.float32),
        "flat": np.array([0, 1, -1], np.int64),
        "axes": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1),
    ]
    levels = []
    for stride in (8, 16, 32):
        brightness, flat, tall = (f"{kind}{stride}" for kind in ("pool", "flat", "tall"))
        nodes += [
            helper.make_node(
                "AveragePool",
                ["grey"],
                [brightness],
                kernel_shape=[stride, stride],
                strides=[stride, stride],
            ),
            helper.make_node("Reshape", [brightness, "flat"], [flat]),
            helper.make_node("Transpose", [flat], [tall], perm=[0, 2, 1]),
        ]
        if stride != 32:
            nodes.append(helper.make_node("Mul", [tall, "none"], [f"{tall}off"]))
            tall = f"{tall}off"
        levels.append(tall)
    nodes += [
        helper.make_node("Concat", levels, ["brightness"], axis=1),
        helper.make_node("Mul", ["brightness", "gain"], ["objectness"]),
        helper.make_node("Add", ["objectness", "row"], ["output"]),
    ]
    constants.pop("axes")
    return save(
        path, nodes, constants, {"output": [input_shape[0], "cells", 5 + classes]}, input_shape
    )


def mean_colour_embedder(path: Path, input_shape: Sequence[Side]) -> Path:
    """A network that answers with the mean of each input channel: (B, 3)."""
    nodes = [helper.make_node("ReduceMean", ["images"], ["output"], axes=[2, 3], keepdims=0)]
    return save(path, nodes, {}, {"output": [input_shape[0], 3]}, input_shape)


def entry_of(path: Path, **fields: Any) -> ModelEntry:
    """A manifest entry for a generated file; fields override."""
    base: dict[str, Any] = {
        "name": path.stem.replace("_", "-"),
        "files": [{"name": path.name}],
        "input": {"width_px": 64, "height_px": 64},
        "licence": "test",
        "origin": "test",
        "classes": {"0": "horse"},
    }
    return ModelEntry.model_validate(base | fields)


class Opener:
    """Opens one file on the device asked for, and remembers the devices."""

    def __init__(
        self, entry: ModelEntry, path: Path, execution: Execution = DEFAULT_EXECUTION
    ) -> None:
        self._entry, self._path, self._execution = entry, path, execution
        self.devices: list[Device] = []

    def __call__(self, device: Device) -> Session:
        """See open_session."""
        self.devices.append(device)
        return open_session(self._path, self._entry.runtime, self._entry.input, self._execution)
