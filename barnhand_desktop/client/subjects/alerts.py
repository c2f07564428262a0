"""Alerts and the rules that raise them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypedDict, Unpack
from uuid import UUID

from ..answers import Alert, AlertRule, QuietHours
from ..connection import given
from .base import Subject

Kind = Literal[
    "cast",
    "rolling",
    "restless",
    "long_recumbency",
    "no_recumbency",
    "foaling",
    "missing",
    "too_many",
    "person",
    "camera_down",
    "model_degraded",
]
Severity = Literal["info", "warning", "critical"]


class RuleOptions(TypedDict, total=False):
    """What can be left out of a rule. No horses or cameras: all of the farm's."""

    enabled: bool
    parameters: Mapping[str, float]
    horse_ids: Sequence[UUID]
    stream_ids: Sequence[UUID]
    quiet: QuietHours
    cooldown_s: float
    sound: bool
    notify: bool


class Alerts(Subject):
    """Alerts: ``for alert in barn.alerts.list(open_only=True): print(alert.message)``."""

    def list(
        self,
        farm_id: UUID | None = None,
        horse_id: UUID | None = None,
        open_only: bool = False,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int = 100,
    ) -> Iterator[Alert]:
        """Those that nobody acknowledged first, then the newest first; ``limit`` a page."""
        query = {
            "farm_id": farm_id,
            "horse_id": horse_id,
            "open_only": open_only,
            "start_time": start_time,
            "end_time": end_time,
            "limit": limit,
        }
        return self._api.pages(Alert, "/alerts", query)

    def get(self, alert_id: UUID) -> Alert:
        """One alert."""
        return self._api.get(Alert, f"/alerts/{alert_id}")

    def picture(self, alert_id: UUID) -> bytes:
        """The moment as JPEG."""
        return self._api.content(f"/alerts/{alert_id}/picture")

    def acknowledge(self, alert_id: UUID, note: str = "") -> Alert:
        """Say that somebody has seen it."""
        return self._api.send(Alert, "POST", f"/alerts/{alert_id}/acknowledge", {"note": note})


class AlertRules(Subject):
    """Rules: ``barn.alert_rules.add("cast", "Cast in a box", "critical", cooldown_s=600)``."""

    def list(self, farm_id: UUID | None = None) -> tuple[AlertRule, ...]:
        """The rules by name."""
        return self._api.get(tuple[AlertRule, ...], "/alert-rules", {"farm_id": farm_id})

    def add(
        self,
        kind: Kind,
        name: str,
        severity: Severity,
        farm_id: UUID | None = None,
        **options: Unpack[RuleOptions],
    ) -> AlertRule:
        """Make a rule."""
        body = given(kind=kind, name=name, severity=severity, farm_id=farm_id, **options)
        return self._api.send(AlertRule, "POST", "/alert-rules", body)

    def change(
        self,
        rule_id: UUID,
        kind: Kind,
        name: str,
        severity: Severity,
        version: int,
        **options: Unpack[RuleOptions],
    ) -> AlertRule:
        """A rule as it shall be; ``version`` is the one that was read."""
        body = given(kind=kind, name=name, severity=severity, version=version, **options)
        return self._api.send(AlertRule, "PUT", f"/alert-rules/{rule_id}", body)

    def remove(self, rule_id: UUID) -> None:
        """Remove a rule; its alerts stay."""
        self._api.do("DELETE", f"/alert-rules/{rule_id}")
