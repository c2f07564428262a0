"""The fields of one alert rule, made from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import time

from PySide6.QtCore import Qt, QTime, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTimeEdit,
    QVBoxLayout,
    QWidget,
)

from engine.behaviour.rule_catalogue import CATALOGUE, RuleParameter, Subject
from engine.domain.behaviour import AlertRule, QuietHours
from engine.domain.ids import HorseId, StreamId
from engine.domain.notices import Severity
from ui.alerts.words import severity_word
from ui.ptz.number_field import inset
from ui.widgets import button, label, weekday_chip

LIST_PX = 132


class RuleForm(QWidget):
    """``saved`` carries the rule as the fields say; ``removed`` asks to forget it."""

    saved = Signal(object)
    removed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rule: AlertRule | None = None
        self._horses: Mapping[HorseId, str] = {}
        self._cameras: Mapping[StreamId, str] = {}
        self.parameters: dict[str, QDoubleSpinBox] = {}
        self.text = label("", "muted", wrap=True)
        self.name = QLineEdit()
        self.enabled = QCheckBox(self.tr("Watch for it"))
        self.severity = QComboBox()
        for severity in Severity:
            self.severity.addItem(severity_word(severity), severity)
        self.cooldown_min = self._number(0.0, 10_080.0, " min")
        self.sound = QCheckBox(self.tr("Sound"))
        self.notify = QCheckBox(self.tr("Desktop notification"))
        self.quiet = QCheckBox(self.tr("Quiet hours (critical alerts are never quiet)"))
        self.quiet_from, self.quiet_to = self._clock(22), self._clock(6)
        self.days = tuple(weekday_chip(day) for day in range(7))
        self.subjects = QListWidget()
        self.subjects.setFixedHeight(LIST_PX)
        self.subjects_title = label("", "section")
        self.problem = label("", "problem", wrap=True)
        self.save = button(self.tr("Save"), "primary")
        self.remove = button(self.tr("Remove rule"), "danger")
        self._grid = QGridLayout()
        self._build()

    # --- layout ---------------------------------------------------------------------------------

    @staticmethod
    def _number(low: float, high: float, suffix: str) -> QDoubleSpinBox:
        field = inset(QDoubleSpinBox())
        field.setRange(low, high)
        field.setDecimals(2 if high <= 24 else 1)
        field.setSuffix(suffix)
        return field

    @staticmethod
    def _clock(hour: int) -> QTimeEdit:
        field = inset(QTimeEdit(QTime(hour, 0)))
        field.setDisplayFormat("HH:mm")
        return field

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(self.text)
        column.addWidget(self.enabled)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(1, 1)
        column.addLayout(self._grid)
        column.addWidget(self.subjects_title)
        column.addWidget(self.subjects)
        told = QHBoxLayout()
        told.setSpacing(20)
        for box in (self.sound, self.notify):
            told.addWidget(box)
        told.addStretch(1)
        column.addLayout(told)
        quiet = QHBoxLayout()
        quiet.setSpacing(8)
        for widget in (self.quiet, self.quiet_from, label(self.tr("to"), "muted"), self.quiet_to):
            quiet.addWidget(widget)
        quiet.addStretch(1)
        column.addLayout(quiet)
        evenings = QHBoxLayout()
        evenings.setSpacing(4)
        evenings.addWidget(label(self.tr("beginning on"), "muted"))
        for chip in self.days:
            evenings.addWidget(chip)
            self.quiet.toggled.connect(chip.setEnabled)
        evenings.addStretch(1)
        column.addLayout(evenings)
        column.addWidget(self.problem)
        foot = QHBoxLayout()
        foot.addWidget(self.remove)
        foot.addStretch(1)
        foot.addWidget(self.save)
        column.addLayout(foot)
        column.addStretch(1)
        self.quiet.toggled.connect(self.quiet_from.setEnabled)
        self.quiet.toggled.connect(self.quiet_to.setEnabled)
        self.save.clicked.connect(self._on_save)
        self.remove.clicked.connect(self.removed)

    # --- values ---------------------------------------------------------------------------------

    @property
    def rule(self) -> AlertRule | None:
        """The rule on show as it is stored."""
        return self._rule

    def follow(self, horses: Mapping[HorseId, str], cameras: Mapping[StreamId, str]) -> None:
        """What a rule may be about."""
        self._horses, self._cameras = horses, cameras

    def show_rule(self, rule: AlertRule, new: bool = False) -> None:
        """Put a rule into the fields."""
        self._rule = rule
        spec = CATALOGUE[rule.kind]
        self.text.setText(spec.text)
        self.name.setText(rule.name)
        self.enabled.setChecked(rule.enabled)
        self.severity.setCurrentIndex(self.severity.findData(rule.severity))
        self.cooldown_min.setValue(rule.cooldown_s / 60.0)
        self.sound.setChecked(rule.sound)
        self.notify.setChecked(rule.notify)
        quiet = rule.quiet
        self.quiet.setChecked(quiet is not None)
        if quiet is not None:
            self.quiet_from.setTime(QTime(quiet.start.hour, quiet.start.minute))
            self.quiet_to.setTime(QTime(quiet.end.hour, quiet.end.minute))
            for day, chip in enumerate(self.days):
                chip.setChecked(day in quiet.weekdays)
        for field in (self.quiet_from, self.quiet_to, *self.days):
            field.setEnabled(quiet is not None)
        self.remove.setVisible(not new)
        self.problem.setText("")
        self._show_parameters(spec.parameters, rule.parameters)
        self._show_subjects(rule, spec.subject, spec.needs_horses)

    def _show_parameters(
        self, parameters: tuple[RuleParameter, ...], values: Mapping[str, float]
    ) -> None:
        kept = (self.name, self.severity, self.cooldown_min)
        while (item := self._grid.takeAt(0)) is not None:
            old = item.widget()
            if old is not None and old not in kept:
                old.deleteLater()
        self.parameters = {}
        rows: list[tuple[str, QWidget]] = [
            (self.tr("Name"), self.name), (self.tr("Severity"), self.severity),
        ]  # fmt: skip
        for parameter in parameters:
            field = self._number(parameter.minimum, parameter.maximum, f" {parameter.unit}")
            field.setValue(values.get(parameter.name, parameter.default))
            field.setToolTip(
                self.tr("{0} to {1}, usually {2}").format(
                    f"{parameter.minimum:g}", f"{parameter.maximum:g}", f"{parameter.default:g}"
                )
            )
            self.parameters[parameter.name] = field
            rows.append((parameter.title, field))
        rows.append((self.tr("Then say nothing for"), self.cooldown_min))
        for row, (text, widget) in enumerate(rows):
            words = label(text, "muted")
            words.setBuddy(widget)
            widget.setAccessibleName(text)
            self._grid.addWidget(words, row, 0)
            self._grid.addWidget(widget, row, 1)

    def _show_subjects(self, rule: AlertRule, subject: Subject, needs: bool) -> None:
        horses = subject is Subject.HORSE
        choices: Mapping[HorseId, str] | Mapping[StreamId, str] = (
            self._horses if horses else self._cameras
        )
        chosen = rule.horse_ids if horses else rule.stream_ids
        title = self.tr("Horses") if horses else self.tr("Cameras")
        rest = self.tr("at least one must be ticked") if needs else self.tr("none ticked: all")
        self.subjects_title.setText(f"{title} ({rest})")
        self.subjects.clear()
        for one, name in choices.items():
            item = QListWidgetItem(name)
            item.setData(Qt.ItemDataRole.UserRole, one)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            ticked = one in chosen
            item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            self.subjects.addItem(item)
        for widget in (self.subjects, self.subjects_title):
            widget.setVisible(subject is not Subject.FARM)

    def changed_rule(self) -> AlertRule | None:
        """The rule as the fields say."""
        rule = self._rule
        if rule is None:
            return None
        items = [self.subjects.item(row) for row in range(self.subjects.count())]
        ticked = frozenset(
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.checkState() is Qt.CheckState.Checked
        )
        horses = CATALOGUE[rule.kind].subject is Subject.HORSE
        quiet = None
        if self.quiet.isChecked():
            days = frozenset(day for day, chip in enumerate(self.days) if chip.isChecked())
            quiet = QuietHours(_time(self.quiet_from), _time(self.quiet_to), days)
        return replace(
            rule,
            name=self.name.text().strip(),
            enabled=self.enabled.isChecked(),
            severity=Severity(self.severity.currentData()),
            parameters={name: field.value() for name, field in self.parameters.items()},
            horse_ids=ticked if horses else frozenset(),
            stream_ids=frozenset() if horses else ticked,
            quiet=quiet,
            cooldown_s=self.cooldown_min.value() * 60.0,
            sound=self.sound.isChecked(),
            notify=self.notify.isChecked(),
        )

    def show_problem(self, words: str) -> None:
        """Say what is wrong and let the person go on."""
        self.problem.setText(words)
        self.save.setEnabled(True)

    def _on_save(self) -> None:
        changed = self.changed_rule()
        if changed is not None:
            self.save.setEnabled(False)
            self.saved.emit(changed)


def _time(field: QTimeEdit) -> time:
    at = field.time()
    return time(at.hour(), at.minute())
