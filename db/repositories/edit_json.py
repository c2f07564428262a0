"""Edits of detections as JSON, for their history."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from engine.domain.recording import Edit

_NAMES = {"DeleteBox": "delete", "MoveBox": "move", "AddBox": "add", "AssignTrack": "assign"}


def edit_to_json(edit: Edit) -> dict[str, Any]:
    """Plain values, with the kind of edit under ``edit``."""
    values = {name: _plain(value) for name, value in asdict(edit).items()}
    return {"edit": _NAMES[type(edit).__name__], **values}


def _plain(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def summary_of(edits: list[str]) -> str:
    """A sentence from the words of single edits ("moved a box"), the same ones counted."""
    counts: dict[str, int] = {}
    for words in edits:
        counts[words] = counts.get(words, 0) + 1
    return ", ".join(f"{words} ({n} times)" if n > 1 else words for words, n in counts.items())
