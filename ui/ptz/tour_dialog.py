"""A simple editor of tours: ordered presets with how long to stay, and a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.ids import StreamId
from engine.domain.ptz import Preset, Tour, TourStep
from ui.ptz.number_field import inset
from ui.ptz.schedule_field import ScheduleField
from ui.widgets import button, label

DWELL_LEAST_S, DWELL_MOST_S, DWELL_S = 2.0, 3600.0, 20.0


class TourDialog(QDialog):
    """``submitted`` carries the finished Tour, ``remove_asked`` the one to forget. The caller
    stores it and calls ``accept`` or ``show_problem``."""

    submitted = Signal(object)
    remove_asked = Signal(object)

    def __init__(
        self,
        camera: StreamId,
        presets: Sequence[Preset],
        existing: Tour | None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Change tour") if existing else self.tr("New tour"))
        self._camera, self._existing = camera, existing
        self._names = {preset.number: preset.name for preset in presets}
        self.name = QLineEdit(existing.name if existing else "")
        self.name.setPlaceholderText(self.tr("Night round"))
        self.name.setAccessibleName(self.tr("Name"))
        self.steps = QTableWidget(0, 2)
        self.schedule = ScheduleField(self.tr("without pause"))
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        self.add = button(self.tr("Add preset"))
        self.take_out = button(self.tr("Take out"))
        self.up, self.down = button(self.tr("Earlier")), button(self.tr("Later"))
        self.remove = button(self.tr("Remove tour"), "danger")
        self.save = button(self.tr("Save"), "primary")
        self._build()
        self._connect()
        steps = existing.steps if existing else ()
        for step in steps or [TourStep(number, DWELL_S) for number in sorted(self._names)]:
            self._add_row(step)
        self.schedule.show_schedule(existing.schedule if existing else None)

    def _build(self) -> None:
        self.setMinimumWidth(480)
        self.steps.setHorizontalHeaderLabels([self.tr("Preset"), self.tr("Stay")])
        self.steps.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.steps.setColumnWidth(1, 132)
        self.steps.verticalHeader().setDefaultSectionSize(40)
        self.steps.verticalHeader().hide()
        self.steps.setShowGrid(False)
        self.steps.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.steps.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.steps.setMinimumHeight(240)
        self.steps.setAccessibleName(self.tr("Presets in order"))
        acts = QHBoxLayout()
        acts.setSpacing(8)
        for one in (self.add, self.take_out, self.up, self.down):
            acts.addWidget(one)
        acts.addStretch(1)
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.remove)
        foot.addStretch(1)
        foot.addWidget(cancel)
        foot.addWidget(self.save)
        self.remove.setVisible(self._existing is not None)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(self.windowTitle(), "title"))
        column.addWidget(self.name)
        column.addWidget(self.steps, 1)
        column.addLayout(acts)
        column.addWidget(self.schedule)
        column.addWidget(self.problem)
        column.addLayout(foot)

    def _connect(self) -> None:
        self.add.clicked.connect(self._on_add)
        self.take_out.clicked.connect(self._on_take_out)
        self.up.clicked.connect(lambda: self._move(-1))
        self.down.clicked.connect(lambda: self._move(1))
        self.save.clicked.connect(self._on_save)
        self.remove.clicked.connect(lambda: self.remove_asked.emit(self._existing))

    # --- steps ------------------------------------------------------------------------------------
    def _add_row(self, step: TourStep, row: int | None = None) -> None:
        row = self.steps.rowCount() if row is None else row
        preset = QComboBox()
        for number in range(1, 9):
            name = self._names.get(number, self.tr("empty"))
            preset.addItem(f"{number} · {name}", number)
        preset.setCurrentIndex(step.preset - 1)
        dwell = inset(QDoubleSpinBox())
        dwell.setRange(DWELL_LEAST_S, DWELL_MOST_S)
        dwell.setDecimals(0)
        dwell.setSuffix(self.tr(" s"))
        dwell.setValue(step.dwell_s)
        self.steps.insertRow(row)
        self.steps.setItem(row, 0, QTableWidgetItem())
        self.steps.setCellWidget(row, 0, preset)
        self.steps.setCellWidget(row, 1, dwell)
        self.steps.selectRow(row)

    def shown_steps(self) -> tuple[TourStep, ...]:
        """The steps as the table shows them."""
        found = []
        for row in range(self.steps.rowCount()):
            preset, dwell = self.steps.cellWidget(row, 0), self.steps.cellWidget(row, 1)
            if isinstance(preset, QComboBox) and isinstance(dwell, QDoubleSpinBox):
                found.append(TourStep(int(preset.currentData()), dwell.value()))
        return tuple(found)

    def _on_add(self) -> None:
        steps = self.shown_steps()
        after = steps[-1].preset % 8 + 1 if steps else 1
        self._add_row(TourStep(after, steps[-1].dwell_s if steps else DWELL_S))

    def _on_take_out(self) -> None:
        if self.steps.currentRow() >= 0:
            self.steps.removeRow(self.steps.currentRow())

    def _move(self, by: int) -> None:
        row, steps = self.steps.currentRow(), self.shown_steps()
        if row < 0 or not 0 <= row + by < len(steps):
            return
        self.steps.removeRow(row)
        self._add_row(steps[row], row + by)

    # --- end --------------------------------------------------------------------------------------
    def _on_save(self) -> None:
        steps = self.shown_steps()
        name = self.name.text().strip()
        schedule = self.schedule.schedule()
        if not steps:
            self.show_problem(OperatorMistake(self.tr("A tour needs at least one preset.")))
        elif not name:
            self.show_problem(OperatorMistake(self.tr("A tour needs a name.")))
            self.name.setFocus()
        elif schedule is not None and not schedule.weekdays:
            self.show_problem(OperatorMistake(self.tr("A schedule needs at least one weekday.")))
        else:
            self.save.setEnabled(False)
            identity = self._existing.id if self._existing is not None else uuid4()
            self.submitted.emit(Tour(identity, self._camera, name, steps, schedule))

    def show_problem(self, error: BarnhandError) -> None:
        """Say what is wrong and let the person go on."""
        self.problem.setText(str(error))
        self.problem.show()
        self.save.setEnabled(True)
