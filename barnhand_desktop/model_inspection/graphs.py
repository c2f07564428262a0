"""ONNX files before they are run: sound tables, known operators, and work that is bounded.

Nothing of the file is executed here. A graph that passes names no other file, holds no tensor that
is larger than its bytes, has no loop, and makes no tensor whose size depends on the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from barnhand_desktop.model_inspection.verdict import EXPORT_ADVICE, ModelRefused

DecodeError: type[Exception] = import_module("google.protobuf.message").DecodeError

NODES = 20_000
TENSORS = 20_000
DEPTH = 3
RANK = 8
TEXT_BYTES = 256 * 1024
OLDEST_OPSET = 7
NEWEST_OPSET = 26

_STANDARD = ("", "ai.onnx")
_DOMAINS = (*_STANDARD, "ai.onnx.ml", "com.microsoft")
_MICROSOFT = frozenset(
    (
        "BiasGelu", "BiasSoftmax", "BiasSplitGelu", "ConvTransposeWithDynamicPads",
        "DequantizeLinear", "DynamicQuantizeMatMul", "FastGelu", "FusedConv", "FusedGemm",
        "FusedMatMul", "Gelu", "GroupNorm", "Inverse", "LayerNormalization", "MatMulInteger16",
        "MatMulIntegerToFloat", "MatMulNBits", "MultiHeadAttention", "NhwcConv", "NhwcFusedConv",
        "NhwcMaxPool", "Attention", "QAttention", "QGemm", "QLinearAdd", "QLinearAveragePool",
        "QLinearConcat", "QLinearConv", "QLinearGlobalAveragePool", "QLinearLeakyRelu",
        "QLinearMul", "QLinearReduceMean", "QLinearSigmoid", "QLinearSoftmax", "QuantizeLinear",
        "QuickGelu", "SkipLayerNormalization", "SkipGroupNorm", "TransposeMatMul",
    )
)  # fmt: skip
"""Fused and quantised layers that exporters write. The others of that domain load files, run
searches of open length or name other runtimes."""
_ENDLESS = frozenset({"Loop", "Scan", "SequenceMap"})
_FOREIGN = frozenset({"ImageDecoder", "Optional", "OptionalGetElement", "OptionalHasElement"})

_SIZE_INPUTS: dict[str, tuple[int, ...]] = {
    "AffineGrid": (1,), "BlackmanWindow": (0,), "CenterCropPad": (1,), "Col2Im": (1, 2),
    "ConstantOfShape": (0,), "DFT": (1, 2), "Expand": (1,), "HammingWindow": (0,),
    "HannWindow": (0,), "MaxUnpool": (2,), "MelWeightMatrix": (0, 1, 2, 3, 4), "OneHot": (1,),
    "Pad": (1, 3), "Range": (0, 1, 2), "Resize": (1, 2, 3), "STFT": (1, 3), "Tile": (1, 2),
    "Upsample": (1,),
}  # fmt: skip
"""Operators that can make a tensor larger than what they take, and the inputs that say how large:
those must not depend on the picture."""
_CUT_INPUTS: dict[str, tuple[int, ...]] = {
    "Reshape": (1,), "Slice": (1, 2, 3, 4), "Split": (1,), "TopK": (1,), "ReduceSum": (1,),
}  # fmt: skip
"""The same of operators that only make it smaller: their shape depends on the picture then."""
_RAGGED = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique", "StringSplit"})

_WIDTHS: dict[int, int] = {
    TensorProto.FLOAT: 4, TensorProto.DOUBLE: 8, TensorProto.FLOAT16: 2, TensorProto.BFLOAT16: 2,
    TensorProto.INT8: 1, TensorProto.UINT8: 1, TensorProto.INT16: 2, TensorProto.UINT16: 2,
    TensorProto.INT32: 4, TensorProto.UINT32: 4, TensorProto.INT64: 8, TensorProto.UINT64: 8,
    TensorProto.BOOL: 1,
}  # fmt: skip


def look_at_graph(path: Path) -> dict[str, object]:
    """Figures (nodes, parameters, opset) of a sound file. Raises ModelRefused."""
    model = ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise _unreadable("it is damaged, cut short, or no ONNX file") from error
    if not model.HasField("graph") or not model.graph.node or not model.ir_version:
        raise _unreadable("there is no network in it")
    _check_frame(model)
    tally = _walk(model.graph)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0][:300]
        raise _unreadable(f"the ONNX checker says: {reason}") from error
    opset = next(entry.version for entry in model.opset_import if entry.domain in _STANDARD)
    return {"nodes": tally.nodes, "parameters": tally.elements, "opset": opset}


def _check_frame(model: ModelProto) -> None:
    """What stands around the graph."""
    if model.functions:
        raise ModelRefused(
            "model_functions",
            "The file defines functions of its own.",
            "Inline them before the upload (onnx.inliner.inline_local_functions).",
        )
    if model.training_info:
        raise ModelRefused("model_operators", "The file holds a training run.", EXPORT_ADVICE)
    notes = [model.doc_string, model.graph.doc_string]
    notes += [text for prop in model.metadata_props for text in (prop.key, prop.value)]
    if sum(map(len, notes)) > TEXT_BYTES:
        raise _complex(f"more than {TEXT_BYTES // 1024} KiB of notes")
    versions: dict[str, int] = {}
    for entry in model.opset_import:
        if entry.domain not in _DOMAINS:
            raise _operators(f"It uses operators of the domain {entry.domain[:80]!r}.")
        if entry.domain in _STANDARD and "" in versions:
            raise _opset("names its operator set twice")
        versions["" if entry.domain in _STANDARD else entry.domain] = entry.version
    opset = versions.get("", 0)
    if not OLDEST_OPSET <= opset <= min(NEWEST_OPSET, onnx.defs.onnx_opset_version()):
        raise _opset(f"is written for operator set {opset}")


@dataclass
class _Tally:
    nodes: int = 0
    tensors: int = 0
    elements: int = 0


@dataclass
class _Scope:
    """Names whose values (``data``) and whose shapes (``ragged``) depend on the picture."""

    data: set[str] = field(default_factory=set)
    ragged: set[str] = field(default_factory=set)


def _walk(graph: GraphProto) -> _Tally:
    """Every node and tensor of the graph and of graphs inside it, checked."""
    tally = _Tally()
    constants = {tensor.name for tensor in graph.initializer}
    scope = _Scope(data={value.name for value in graph.input} - constants)
    _walk_graph(graph, tally, scope, depth=0)
    return tally


def _walk_graph(graph: GraphProto, tally: _Tally, scope: _Scope, depth: int) -> None:
    if depth > DEPTH:
        raise ModelRefused(
            "model_nested",
            f"Its graphs are nested more than {DEPTH} deep.",
            "Export it without branches (for a fixed input size, in evaluation mode).",
        )
    if graph.sparse_initializer:
        raise _tensor("sparse tensors are not taken")
    for tensor in graph.initializer:
        _count(tensor, tally)
    for node in graph.node:
        tally.nodes += 1
        if tally.nodes > NODES:
            raise _complex(f"more than {NODES} nodes")
        _check_operator(node)
        for attribute in node.attribute:
            for tensor in _tensors(attribute):
                _count(tensor, tally)
            for inner in _graphs(attribute):
                inside = _Scope(set(scope.data), set(scope.ragged))
                _walk_graph(inner, tally, inside, depth + 1)
        _follow(node, scope)
        if any(True for attribute in node.attribute for _ in _graphs(attribute)):
            # Which branch is taken, and so what it makes, may depend on the picture.
            scope.data.update(node.output)
            scope.ragged.update(node.output)


def _check_operator(node: NodeProto) -> None:
    name = node.op_type[:80]
    if node.domain not in _DOMAINS:
        raise _operators(f"It uses {name!r} of the domain {node.domain[:80]!r}.")
    if node.domain == "com.microsoft" and node.op_type not in _MICROSOFT:
        raise _operators(f"It uses {name!r} of com.microsoft, which is no plain layer.")
    if node.op_type in _ENDLESS:
        raise ModelRefused(
            "model_control_flow",
            f"It holds a {name}: nobody can say how long it runs.",
            "Export it without post-processing (no NMS, no loops); Barnhand does that itself.",
        )
    if node.op_type in _FOREIGN:
        raise _operators(f"It uses {name!r}.")
    for attribute in node.attribute:
        if len(attribute.s) + sum(map(len, attribute.strings)) > TEXT_BYTES:
            raise _complex("an operator with an overlong text")
        if attribute.sparse_tensor.values.dims or attribute.sparse_tensors:
            raise _tensor("sparse tensors are not taken")


def _follow(node: NodeProto, scope: _Scope) -> None:
    """What of the node's outputs depends on the picture; refuses sizes that do."""
    data = any(name in scope.data for name in _reads(node))
    ragged = any(name in scope.ragged for name in _reads(node))
    if node.op_type in ("Shape", "Size"):
        if ragged:
            scope.data.update(node.output)
        return
    if _depends(node, _SIZE_INPUTS, scope):
        raise ModelRefused(
            "model_unbounded",
            f"Its {node.op_type} makes tensors as large as the picture says: a picture could fill "
            "the memory.",
            "Export it without post-processing and for a fixed input size.",
        )
    if data:
        scope.data.update(node.output)
    if ragged or node.op_type in _RAGGED or _depends(node, _CUT_INPUTS, scope):
        scope.ragged.update(node.output)


def _reads(node: NodeProto) -> Iterator[str]:
    """Names that a node takes, those of graphs inside it included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in _graphs(attribute):
            for inner in graph.node:
                yield from _reads(inner)


def _depends(node: NodeProto, table: dict[str, tuple[int, ...]], scope: _Scope) -> bool:
    places = table.get(node.op_type, ())
    return any(len(node.input) > place and node.input[place] in scope.data for place in places)


def _graphs(attribute: AttributeProto) -> Iterable[GraphProto]:
    return (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs)


def _tensors(attribute: AttributeProto) -> Iterable[TensorProto]:
    return (*([attribute.t] if attribute.HasField("t") else ()), *attribute.tensors)


def _count(tensor: TensorProto, tally: _Tally) -> None:
    """Check one tensor against its bytes."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ModelRefused(
            "model_external_data",
            "Its weights lie in another file, and no other file is ever read.",
            "Save it as one file (onnx.save with save_as_external_data=False).",
        )
    tally.tensors += 1
    if tally.tensors > TENSORS:
        raise _complex(f"more than {TENSORS} tensors")
    if tensor.HasField("segment"):
        raise _tensor("a tensor is cut into segments")
    width = _WIDTHS.get(tensor.data_type)
    if width is None:
        raise _tensor("a tensor holds text or numbers of an unusual kind")
    if len(tensor.dims) > RANK or any(side < 0 for side in tensor.dims):
        raise _tensor("a tensor has impossible sides")
    elements = math.prod(tensor.dims)
    stored = len(tensor.raw_data) if tensor.HasField("raw_data") else width * _typed(tensor)
    if stored != elements * width:
        raise _tensor(f"a tensor of {elements} numbers has {stored} bytes")
    tally.elements += elements


def _typed(tensor: TensorProto) -> int:
    return (
        len(tensor.float_data)
        + len(tensor.int32_data)
        + len(tensor.int64_data)
        + len(tensor.double_data)
        + len(tensor.uint64_data)
    )


def _unreadable(why: str) -> ModelRefused:
    return ModelRefused("model_unreadable", f"The file cannot be read: {why}.", EXPORT_ADVICE)


def _complex(what: str) -> ModelRefused:
    return ModelRefused(
        "model_too_complex", f"The model holds {what}.", "Simplify or shrink it before the upload."
    )


def _operators(what: str) -> ModelRefused:
    return ModelRefused(
        "model_operators",
        f"{what} Only operators of ai.onnx, ai.onnx.ml and plain layers of com.microsoft are run.",
        "Export it with standard operators.",
    )


def _opset(what: str) -> ModelRefused:
    return ModelRefused(
        "model_opset",
        f"The model {what}; {OLDEST_OPSET} to {NEWEST_OPSET} are run.",
        "Export it again with opset_version=17.",
    )


def _tensor(what: str) -> ModelRefused:
    return ModelRefused("model_tensor", f"The weights are not sound: {what}.", EXPORT_ADVICE)
