"""The table of metrics in the manual, which is the contract."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "operation.md"
_ROW = re.compile(r"^\| `(barnhand_\w+)`( °)? \|([\w, ]*)\| .+ \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One metric; ``always`` False where it has no series until there is something to tell."""

    labels: frozenset[str]
    always: bool


def metrics_table() -> dict[str, Row]:
    """Every metric of the manual by its name, ``_total`` included."""
    return {
        name: Row(frozenset(filter(None, re.split(r", *", labels.strip()))), not later)
        for name, later, labels in _ROW.findall(PAGE.read_text("utf-8"))
    }


def metric_of(series: str, table: dict[str, Row]) -> str:
    """The table's metric of a series as queries name it (``..._bucket``)."""
    return series if series in table else re.sub(r"_(bucket|sum|count)$", "", series)
