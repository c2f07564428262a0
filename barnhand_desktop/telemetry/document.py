"""Figures as they travel between processes: JSON that a newer or damaged sender cannot break."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

from barnhand_desktop.telemetry.catalogue import BY_NAME, Family, Figures, Kind, Value
from engine.domain.health import HistogramCounts

_LABEL_LENGTH = 200


def encode(figures: Figures) -> bytes:
    """Figures as JSON bytes; numbers that are not finite are left out."""
    document = {
        name: [
            [list(labels), _plain(value)]
            for labels, value in values.items()
            if isinstance(value, HistogramCounts) or math.isfinite(value)
        ]
        for name, values in figures.items()
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def decode(payload: bytes) -> dict[str, dict[tuple[str, ...], Value]]:
    """The figures in JSON bytes; whatever is not as the catalogue says is left out."""
    try:
        document = json.loads(payload)
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    figures: dict[str, dict[tuple[str, ...], Value]] = {}
    for name, rows in document.items():
        family = BY_NAME.get(name)
        if family is None or not isinstance(rows, list):
            continue
        found = figures.setdefault(name, {})
        for row in rows:
            sample = _sample(family, row)
            if sample is not None:
                found[sample[0]] = sample[1]
    return figures


def _plain(value: Value) -> object:
    if isinstance(value, HistogramCounts):
        return [list(value.bounds), list(value.counts), value.total]
    return value


def _sample(family: Family, row: Any) -> tuple[tuple[str, ...], Value] | None:
    if not (isinstance(row, list) and len(row) == 2 and isinstance(row[0], list)):
        return None
    labels = tuple(str(label)[:_LABEL_LENGTH] for label in row[0])
    if len(labels) != len(family.labels):
        return None
    value = _counts(row[1]) if family.kind is Kind.HISTOGRAM else _number(row[1])
    return None if value is None else (labels, value)


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def _counts(value: Any) -> HistogramCounts | None:
    if not (isinstance(value, list) and len(value) == 3):
        return None
    bounds, counts, total = value
    if not (isinstance(bounds, list) and isinstance(counts, list)):
        return None
    numbers = [_number(v) for v in (*bounds, *counts, total)]
    if len(counts) != len(bounds) + 1 or None in numbers:
        return None
    if any(low >= high for low, high in pairwise(bounds)):
        return None
    return HistogramCounts(
        tuple(float(b) for b in bounds), tuple(int(c) for c in counts), float(total)
    )
