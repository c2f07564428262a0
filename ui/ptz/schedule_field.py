"""When something runs by itself: weekdays, two times and a repetition."""

from __future__ import annotations

from datetime import time

from PySide6.QtCore import Qt, QTime, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QSpinBox,
    QTimeEdit,
    QVBoxLayout,
    QWidget,
)

from engine.domain.ptz import Schedule
from ui.ptz.number_field import inset
from ui.widgets import label, weekday_chip

EVERY_DAY = frozenset(range(7))


class ScheduleField(QWidget):
    """``changed`` follows every edit. ``repeats`` words what the number of minutes means."""

    changed = Signal()

    def __init__(self, once: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.on = QCheckBox(self.tr("By itself"))
        self.days = tuple(weekday_chip(day) for day in range(7))
        self.start, self.end = inset(QTimeEdit(QTime(22, 0))), inset(QTimeEdit(QTime(6, 0)))
        self.every = inset(QSpinBox())
        self.every.setRange(0, 24 * 60)
        self.every.setSuffix(self.tr(" min"))
        self.every.setSpecialValueText(once)
        self._details = QWidget()
        self._build()
        self.on.toggled.connect(self._details.setVisible)
        self.on.toggled.connect(lambda _on: self.changed.emit())
        for day in self.days:
            day.toggled.connect(lambda _on: self.changed.emit())
        self._details.hide()

    def _build(self) -> None:
        days = QHBoxLayout()
        days.setSpacing(4)
        for day in self.days:
            days.addWidget(day)
        days.addStretch(1)
        times = QHBoxLayout()
        times.setSpacing(8)
        for edit, name in ((self.start, self.tr("From")), (self.end, self.tr("Until"))):
            edit.setDisplayFormat("HH:mm")
            edit.setAccessibleName(name)
            edit.setFixedWidth(80)
        self.every.setAccessibleName(self.tr("Every"))
        times.addWidget(label(self.tr("from"), "muted"))
        times.addWidget(self.start)
        times.addWidget(label(self.tr("until"), "muted"))
        times.addWidget(self.end)
        times.addSpacing(8)
        times.addWidget(label(self.tr("every"), "muted"))
        times.addWidget(self.every)
        times.addStretch(1)
        inner = QVBoxLayout(self._details)
        inner.setContentsMargins(24, 0, 0, 0)
        inner.setSpacing(8)
        inner.addLayout(days)
        inner.addLayout(times)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.on, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._details)

    def schedule(self) -> Schedule | None:
        """What is set, None when it runs by hand only."""
        if not self.on.isChecked():
            return None
        days = frozenset(day for day, one in enumerate(self.days) if one.isChecked())
        return Schedule(days, _time(self.start), _time(self.end), self.every.value())

    def show_schedule(self, schedule: Schedule | None) -> None:
        """Fill the fields."""
        self.on.setChecked(schedule is not None)
        if schedule is None:
            return
        for day, one in enumerate(self.days):
            one.setChecked(day in schedule.weekdays)
        self.start.setTime(QTime(schedule.start.hour, schedule.start.minute))
        self.end.setTime(QTime(schedule.end.hour, schedule.end.minute))
        self.every.setValue(schedule.every_min)


def _time(edit: QTimeEdit) -> time:
    return time(edit.time().hour(), edit.time().minute())
