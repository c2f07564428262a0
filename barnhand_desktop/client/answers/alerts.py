"""Alerts and their rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from .base import Answer


class Alert(Answer):
    """Something a person should look at. ``evidence``: the figures behind it."""

    id: UUID
    farm_id: UUID
    rule_id: UUID | None
    kind: str
    severity: str
    message: str
    started_at: datetime
    raised_at: datetime
    ended_at: datetime | None
    horse_id: UUID | None
    track_id: UUID | None
    stream_id: UUID | None
    evidence: dict[str, Any]
    quiet: bool
    has_picture: bool
    acknowledged_at: datetime | None
    acknowledged_by: str
    note: str


class QuietHours(Answer):
    """Quiet hours in local time."""

    start: str
    end: str
    weekdays: tuple[int, ...]


class AlertRule(Answer):
    """A rule as it is in force."""

    id: UUID
    farm_id: UUID
    kind: str
    name: str
    severity: str
    enabled: bool
    parameters: dict[str, float]
    horse_ids: tuple[UUID, ...]
    stream_ids: tuple[UUID, ...]
    quiet: QuietHours | None
    cooldown_s: float
    sound: bool
    notify: bool
    version: int
