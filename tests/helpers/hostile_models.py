"""Model files that mean harm, made by the tests."""

from __future__ import annotations

import io
import itertools
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

BOXES = (1, 84, 7)
SIDE_PX = 64


def model_of(
    nodes: Sequence[NodeProto],
    initializers: Sequence[TensorProto] = (),
    opset: int = 17,
    domains: Mapping[str, int] | None = None,
) -> ModelProto:
    """A model from ``images`` to ``output``; nothing of it is checked."""
    graph = helper.make_graph(
        list(nodes),
        "hostile",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE_PX, SIDE_PX])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["a", "b", "c"])],
        list(initializers),
    )
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(name, version) for name, version in (domains or {}).items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def node(kind: str, inputs: Sequence[str], output: str = "output", **named: Any) -> NodeProto:
    """One operator."""
    return helper.make_node(kind, list(inputs), [output], **named)


def numbers(name: str, *values: float, kind: Any = np.float32) -> TensorProto:
    """A constant."""
    return numpy_helper.from_array(np.array(values, kind), name)


def saved(model: ModelProto, path: Path) -> Path:
    """The bytes as they are; onnx.save would read and write what they name."""
    path.write_bytes(model.SerializeToString())
    return path


def external(location: str) -> ModelProto:
    """Weights that are said to lie in another file."""
    weights = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[4])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "16"}.items():
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    return model_of([node("Add", ["images", "weights"])], [weights])


def nested_ifs(depth: int) -> ModelProto:
    """Branches in branches."""

    def branch(left: int) -> GraphProto:
        name = f"deep{left}"
        if left == 0:
            made = node("Identity", ["images"], name)
        else:
            made = node("If", ["yes"], name, then_branch=branch(left - 1), else_branch=branch(0))
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([made], name, [], [value])

    yes = numpy_helper.from_array(np.array(True), "yes")
    first = node("If", ["yes"], then_branch=branch(depth - 1), else_branch=branch(0))
    return model_of([first], [yes])


def deep_message(levels: int) -> bytes:
    """Wire bytes of a model whose graphs are nested that often; no library would write them."""
    body = b""
    for _ in range(levels):
        attribute = _field(6, body)  # AttributeProto.g
        graph = _field(1, _field(5, attribute))  # GraphProto.node, NodeProto.attribute
        body = graph
    return b"\x08\x09" + _field(7, body)  # ir_version 9, graph


def _field(number: int, payload: bytes) -> bytes:
    length, sizes = len(payload), bytearray()
    while length > 0x7F:
        sizes.append(length & 0x7F | 0x80)
        length >>= 7
    sizes.append(length)
    return bytes([number << 3 | 2]) + bytes(sizes) + payload


class Bomb:
    """Leaves a mark wherever it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def checkpoint(mark: Path, zipped: bool) -> bytes:
    """What torch.save writes, old or new, with a bomb in it."""
    pickled = pickle.dumps({"state": Bomb(mark)}, protocol=2)
    if not zipped:
        return pickled
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    return buffer.getvalue()


def zip_bomb() -> bytes:
    """64 MiB of nothing in 64 KiB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.onnx", bytes(64 << 20))
    return buffer.getvalue()


def safetensors(table: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with that header, which may state a length of its own."""
    header = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(begin: int, end: int, *shape: int, dtype: str = "F32") -> dict[str, object]:
    """One row of its table."""
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def cyclic() -> ModelProto:
    """Two nodes that wait for each other."""
    return model_of(
        [node("Add", ["images", "b"], "a"), node("Relu", ["a"], "b"), node("Relu", ["b"])]
    )


def self_calling() -> ModelProto:
    """A function that calls itself."""
    model = model_of([node("Again", ["images"], domain="own")], domains={"own": 1})
    model.functions.append(
        helper.make_function(
            "own", "Again", ["x"], ["y"], [helper.make_node("Again", ["x"], ["y"], domain="own")],
            [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
        )
    )  # fmt: skip
    return model


def endless_loop() -> ModelProto:
    """Counts to 2 ** 62."""
    step = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on_"]),
            helper.make_node("Identity", ["x"], ["x_"]),
        ],
        "step",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on_", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x_", TensorProto.FLOAT, None),
        ],
    )
    often = numpy_helper.from_array(np.array(2**62, np.int64), "often")
    yes = numpy_helper.from_array(np.array(True), "yes")
    return model_of([node("Loop", ["often", "yes", "images"], body=step)], [often, yes])


def grows_with_the_picture() -> ModelProto:
    """Passes on a dark picture and fills the memory on a bright one."""
    return model_of(
        [
            node("ReduceMax", ["images"], "bright", keepdims=0),
            node("Cast", ["bright"], "side", to=TensorProto.INT64),
            node("Reshape", ["side", "one"], "shape"),
            node("ConstantOfShape", ["shape"]),
        ],
        [numbers("one", 1, kind=np.int64)],
    )


def grows_with_the_count() -> ModelProto:
    """The same by the number of bright pixels, over the shape of a list of them."""
    return model_of(
        [
            node("NonZero", ["images"], "where"),
            node("Shape", ["where"], "count"),
            node("Concat", ["count", "count"], "sides", axis=0),
            node("ConstantOfShape", ["sides"]),
        ]
    )


def enormous() -> ModelProto:
    """A tensor of a terabyte, from a shape of 16 bytes."""
    return model_of(
        [node("ConstantOfShape", ["sides"], "large"), node("ReduceSum", ["large"])],
        [numbers("sides", 1 << 19, 1 << 19, kind=np.int64)],
    )


def many_nodes(count: int) -> ModelProto:
    """A chain of nothing."""
    names = ["images", *(f"n{i}" for i in range(count - 1)), "output"]
    return model_of([node("Relu", [a], b) for a, b in itertools.pairwise(names)])
