"""Safetensors: a table of tensors and their bytes. Weights without a network, so nothing is run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from barnhand_desktop.model_inspection.verdict import ModelRefused

_HEADER_BYTES = 16 << 20
_TENSORS = 20_000
_RANK = 8
_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip


def look_at_weights(path: Path) -> dict[str, object]:
    """Check the table against the file: every byte belongs to one tensor, and every tensor is as
    long as its shape says. Figures: tensors, parameters. Raises ModelRefused."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or length > min(_HEADER_BYTES, size - 8):
            raise _wrong("its header is longer than the file, or than 16 MiB")
        try:
            table = json.loads(file.read(length), object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise _wrong("its header is no table of tensors") from error
    if not isinstance(table, dict):
        raise _wrong("its header is no table of tensors")
    notes = table.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise _wrong("its notes are no text")
    if not 1 <= len(table) <= _TENSORS:
        raise _wrong(f"it holds {len(table)} tensors")
    spans = sorted(_span(name, entry) for name, entry in table.items())
    end = 0
    for begin, past, _ in spans:
        if begin != end:
            raise _wrong("its tensors overlap or leave gaps")
        end = past
    if end != size - 8 - length:
        raise _wrong("its tensors do not fill the file")
    return {"tensors": len(table), "parameters": sum(count for _, _, count in spans)}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError where a name stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _span(name: str, entry: Any) -> tuple[int, int, int]:
    """(first byte, past the last, elements) of a tensor."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _wrong(f"its tensor {name[:80]!r} is described wrongly")
    shape, offsets = entry["shape"], entry["data_offsets"]
    width = _SIZES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if width is None:
        raise _wrong(f"its tensor {name[:80]!r} has numbers of an unknown kind")
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2 or len(shape) > _RANK:
        raise _wrong(f"its tensor {name[:80]!r} has no sound shape or place")
    begin, past = offsets
    count = math.prod(shape)
    if past - begin != count * width:
        raise _wrong(f"its tensor {name[:80]!r} is not as long as its shape says")
    return begin, past, count


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62
        for value in values
    )


def _wrong(what: str) -> ModelRefused:
    return ModelRefused(
        "model_weights",
        f"This is no sound safetensors file: {what}.",
        "Save it again with the safetensors library, or export the model to ONNX.",
    )
