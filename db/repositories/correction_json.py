"""Corrections as the history stores them: a kind and JSON arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from engine.domain.identity import (
    Accept,
    Correction,
    Merge,
    Reassign,
    Reject,
    Rename,
    Split,
    Swap,
)

KINDS: Mapping[str, type[Correction]] = {
    "merge": Merge,
    "split": Split,
    "swap": Swap,
    "reassign": Reassign,
    "reject": Reject,
    "rename": Rename,
    "accept": Accept,
}
_ADAPTERS = {kind: TypeAdapter(cls) for kind, cls in KINDS.items()}


def correction_to_json(correction: Correction) -> tuple[str, dict[str, Any]]:
    """Kind and arguments of a correction, as the history stores them."""
    kind = type(correction).__name__.lower()
    arguments: dict[str, Any] = _ADAPTERS[kind].dump_python(correction, mode="json")
    return kind, arguments


def correction_from_json(kind: str, arguments: Mapping[str, Any]) -> Correction:
    """The correction that was stored so."""
    correction: Correction = _ADAPTERS[kind].validate_python(arguments)
    return correction
