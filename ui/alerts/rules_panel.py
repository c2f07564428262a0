"""The farm's alert rules: a list with switches, and the form of the chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from engine.behaviour.rule_catalogue import CATALOGUE
from engine.domain.behaviour import AlertRepository, AlertRule, RuleId, RuleKind
from engine.domain.errors import BarnhandError
from engine.domain.ids import FarmId, HorseId, StreamId
from ui.alerts.commands import RemoveRule, SaveRule, fresh_rule_id
from ui.alerts.rule_form import RuleForm
from ui.commands import CommandLog
from ui.requests import RequestRunner
from ui.widgets import button, label

LIST_PX = 300


class RulesPanel(QWidget):
    """``read`` carries the rules as they are stored, after every change; ``failed`` why they could
    not be read."""

    read = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        alerts: AlertRepository,
        farm_id: FarmId,
        requests: RequestRunner,
        log: CommandLog,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._alerts = alerts
        self._farm_id = farm_id
        self._requests = requests
        self._log = log
        self._rules: tuple[AlertRule, ...] = ()
        self._wanted: RuleId | None = None
        self.list = QListWidget()
        self.list.setFixedWidth(LIST_PX)
        self.list.setAccessibleName(self.tr("Rules"))
        self.form = RuleForm()
        self.add = button(self.tr("Add rule"))
        self._build()
        self.list.currentItemChanged.connect(lambda *_: self._on_chosen())
        self.list.itemChanged.connect(self._on_switched)
        self.form.saved.connect(self._on_save)
        self.form.removed.connect(self._on_remove)
        log.changed.connect(self.refresh)

    def _build(self) -> None:
        menu = QMenu(self)
        for kind, spec in CATALOGUE.items():
            act = menu.addAction(spec.title)
            act.setToolTip(spec.text)
            act.triggered.connect(lambda _checked=False, of=kind: self.begin(of))
        self.add.setMenu(menu)
        left = QVBoxLayout()
        left.setContentsMargins(12, 12, 0, 12)
        left.setSpacing(8)
        left.addWidget(label(self.tr("Tick what to watch for"), "section"))
        left.addWidget(self.list, 1)
        left.addWidget(self.add)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.form)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addLayout(left)
        across.addWidget(scroll, 1)

    # --- following ------------------------------------------------------------------------------

    def follow(self, horses: Mapping[HorseId, str], cameras: Mapping[StreamId, str]) -> None:
        """What rules may be about."""
        self.form.follow(horses, cameras)

    def refresh(self) -> None:
        """Read the rules on a worker."""
        self._requests.submit(
            "alert rules",
            lambda: tuple(self._alerts.rules(self._farm_id)),
            self.show_rules,
            self.failed.emit,
            owner=self,
        )

    def show_rules(self, rules: Sequence[AlertRule]) -> None:
        """Show these, and keep the one that was chosen."""
        self._rules = tuple(rules)
        chosen = self.chosen
        if self._wanted in {rule.id for rule in rules}:
            chosen, self._wanted = self._wanted, None
        with QSignalBlocker(self.list):
            self.list.clear()
            for rule in self._rules:
                item = QListWidgetItem(rule.name)
                item.setData(Qt.ItemDataRole.UserRole, rule.id)
                item.setToolTip(CATALOGUE[rule.kind].text)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                ticked = Qt.CheckState.Checked if rule.enabled else Qt.CheckState.Unchecked
                item.setCheckState(ticked)
                self.list.addItem(item)
        self.choose(chosen if chosen in {r.id for r in rules} else None)
        self.read.emit(self._rules)

    @property
    def chosen(self) -> RuleId | None:
        """The rule in the form."""
        rule = self.form.rule
        return None if rule is None else rule.id

    def choose(self, rule_id: RuleId | None) -> None:
        """Show a rule, the first one by default."""
        ids = [rule.id for rule in self._rules]
        row = ids.index(rule_id) if rule_id in ids else 0
        if self._rules:
            with QSignalBlocker(self.list):
                self.list.setCurrentRow(row)
            self.form.show_rule(self._rules[row])
            self.form.save.setEnabled(True)

    def begin(self, kind: RuleKind) -> None:
        """A new rule of this kind, not stored before Save."""
        spec = CATALOGUE[kind]
        draft = AlertRule(
            fresh_rule_id(), self._farm_id, kind, spec.title, spec.severity,
            cooldown_s=spec.cooldown_s,
        )  # fmt: skip
        with QSignalBlocker(self.list):
            self.list.setCurrentRow(-1)
        self.form.show_rule(draft, new=True)
        self.form.save.setEnabled(True)
        self.form.name.setFocus()
        self.form.name.selectAll()

    # --- acts -----------------------------------------------------------------------------------

    def _stored(self, rule_id: object) -> AlertRule | None:
        return next((rule for rule in self._rules if rule.id == rule_id), None)

    def _on_chosen(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.choose(item.data(Qt.ItemDataRole.UserRole))

    def _on_switched(self, item: QListWidgetItem) -> None:
        rule = self._stored(item.data(Qt.ItemDataRole.UserRole))
        on = item.checkState() is Qt.CheckState.Checked
        if rule is not None and rule.enabled != on:
            self._run(rule, replace(rule, enabled=on))

    def _on_save(self, changed: AlertRule) -> None:
        self._wanted = changed.id
        with QSignalBlocker(self.list):
            self.list.setFocus()  # so that Ctrl+Z takes the change back, not what was typed
        self._run(self._stored(changed.id), changed)

    def _on_remove(self) -> None:
        rule = self._stored(self.chosen)
        if rule is not None:
            self._log.run(RemoveRule(rule, self._alerts), failed=self._on_refused)

    def _run(self, before: AlertRule | None, after: AlertRule) -> None:
        self._log.run(SaveRule(before, after, self._alerts), failed=self._on_refused)

    def _on_refused(self, error: BarnhandError) -> None:
        self.form.show_problem(str(error))
        with QSignalBlocker(self.list):
            for row, rule in enumerate(self._rules):
                ticked = Qt.CheckState.Checked if rule.enabled else Qt.CheckState.Unchecked
                self.list.item(row).setCheckState(ticked)
