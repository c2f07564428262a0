"""Asks which horse a detection is, and how far that reaches."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from engine.domain.ids import HorseId
from engine.domain.recording import Extent
from ui.registry.context import RegistryContext
from ui.registry.picker import HorsePicker
from ui.review.words import extent_word
from ui.widgets import button, label


class HorseDialog(QDialog):
    """``chosen`` carries the HorseId (None: a new guest) and the Extent."""

    chosen = Signal(object, object)

    def __init__(
        self,
        context: RegistryContext,
        now: HorseId | None,
        extent: Extent | None,
        parent: QWidget,
    ) -> None:
        """``extent`` None: it is about one picture, there is nothing to choose."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Which horse is it?"))
        self.setMinimumWidth(420)
        self.picker = HorsePicker(context, () if now is None else (now,), new_horse=True)
        self.picker.new_horse.setText(self.tr("A new guest"))
        self.extent = QComboBox()
        for one in Extent:
            self.extent.addItem(extent_word(one), one)
        self.extent.setCurrentIndex(list(Extent).index(extent or Extent.FRAME))
        self.extent.setAccessibleName(self.tr("How far it reaches"))
        self.confirm = button(self.tr("That one"), "primary")
        self.confirm.setEnabled(False)
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        foot = QHBoxLayout()
        if extent is not None:
            foot.addWidget(self.extent)
        foot.addStretch(1)
        foot.addWidget(cancel)
        foot.addWidget(self.confirm)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(self.windowTitle(), "large"))
        column.addWidget(self.picker)
        column.addLayout(foot)
        self.picker.picked.connect(lambda: self.confirm.setEnabled(self.picker.decided))
        self.picker.accepted.connect(self._on_confirmed)
        self.confirm.clicked.connect(self._on_confirmed)
        self.picker.search.setFocus()

    def _on_confirmed(self) -> None:
        if not self.picker.decided:
            return
        horse = self.picker.horse
        extent = self.extent.currentData()
        self.accept()
        self.chosen.emit(None if horse is None else horse.id, Extent(extent))
