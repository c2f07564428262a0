"""Changes of alert rules as undoable commands."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from PySide6.QtCore import QCoreApplication

from engine.behaviour.rule_catalogue import check_rule
from engine.domain.behaviour import AlertRepository, AlertRule, RuleId
from ui.commands import Command


def _tr(text: str) -> str:
    return QCoreApplication.translate("Alerts", text)


class SaveRule(Command):
    """Stores a new rule (``before`` None) or a changed one."""

    def __init__(self, before: AlertRule | None, after: AlertRule, alerts: AlertRepository) -> None:
        words = _tr("add the rule {0}") if before is None else _tr("change the rule {0}")
        self.text = words.format(after.name)
        self._before = before
        self._after = after
        self._alerts = alerts

    def do(self) -> None:
        check_rule(self._after)
        version = 1 if self._before is None else self._before.version
        self._after = self._alerts.save_rule(replace(self._after, version=version))

    def undo(self) -> None:
        if self._before is None:
            self._alerts.remove_rule(self._after.id)
            return
        self._before = self._alerts.save_rule(replace(self._before, version=self._after.version))


class RemoveRule(Command):
    """Forgets a rule; undo stores it again (its alerts stay either way)."""

    def __init__(self, rule: AlertRule, alerts: AlertRepository) -> None:
        self.text = _tr("remove the rule {0}").format(rule.name)
        self._rule = rule
        self._alerts = alerts

    def do(self) -> None:
        self._alerts.remove_rule(self._rule.id)

    def undo(self) -> None:
        self._rule = self._alerts.save_rule(replace(self._rule, version=1))


def fresh_rule_id() -> RuleId:
    """An id for a new rule."""
    return RuleId(uuid4())
