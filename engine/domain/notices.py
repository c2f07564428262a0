"""Conditions a person should know about: raised once, cleared when they end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.domain.ids import StreamId


class Severity(StrEnum):
    """How urgently a person is needed."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Notice:
    """A standing condition: ``key`` identifies it (``model.pose.missing``, ``stream.offline:ID``).

    ``active`` False says that the condition has ended. ``advice`` says what to do.
    """

    key: str
    severity: Severity
    message: str
    advice: str
    at: datetime
    stream_id: StreamId | None = None
    active: bool = True
