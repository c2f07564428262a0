"""Alerts and their evidence as people read them."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QCoreApplication

from engine.domain.behaviour import Alert
from engine.domain.notices import Severity

UNITS = {"_an_hour": "an hour", "_min": "min", "_mps": "m/s", "_s": "s", "_h": "h", "_m": "m"}
"""Endings of names and the units they stand for, the longest first."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Alerts", text)


def severity_word(severity: Severity) -> str:
    """Information, Warning, Critical."""
    return {
        Severity.INFO: _tr("Information"),
        Severity.WARNING: _tr("Warning"),
        Severity.CRITICAL: _tr("Critical"),
    }[severity]


def state_words(alert: Alert, ago: str, over: str) -> str:
    """``lasting · 4 min ago``; ``over since …``; who acknowledged it."""
    parts = [ago, _tr("over since {0}").format(over) if alert.ended_at else _tr("lasting")]
    if alert.acknowledged_at is not None:
        parts.append(_tr("seen by {0}").format(alert.acknowledged_by))
    return " · ".join(parts)


def evidence_lines(evidence: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """(name, value with its unit) of every figure: ``down_min`` becomes Down, 4.2 min."""
    lines = []
    for name, value in evidence.items():
        ending = next((end for end in UNITS if name.endswith(end)), "")
        title = name.removesuffix(ending).replace("_", " ")
        shown = f"{value:g}" if isinstance(value, int | float) else str(value)
        lines.append((title[:1].upper() + title[1:], f"{shown} {UNITS.get(ending, '')}".strip()))
    return tuple(lines)
