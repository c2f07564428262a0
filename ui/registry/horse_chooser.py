"""A small dialog that asks for one other horse."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from engine.domain.horses import Horse
from engine.domain.identity import Similar
from ui.registry.context import RegistryContext
from ui.registry.merge_panel import SIMILAR_READ
from ui.registry.picker import HorsePicker
from ui.widgets import button, label


class HorseChooser(QDialog):
    """``chosen`` carries the horse."""

    chosen = Signal(object)

    def __init__(
        self, context: RegistryContext, asking: Horse, title: str, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setMinimumWidth(420)
        self.picker = HorsePicker(context, (asking.id,), parent=self)
        self.choose = button(self.tr("Compare"), "primary")
        self.choose.setEnabled(False)
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(cancel)
        foot.addWidget(self.choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(title, "large"))
        column.addWidget(self.picker)
        column.addLayout(foot)
        self.picker.picked.connect(lambda: self.choose.setEnabled(self.picker.horse is not None))
        self.picker.accepted.connect(self._on_chosen)
        self.choose.clicked.connect(self._on_chosen)
        context.requests.submit(
            "horses that look alike",
            lambda: tuple(context.services.horses.similar(asking.id, SIMILAR_READ)),
            self._on_similar,
            lambda _error: None,
            self,
        )
        self.picker.search.setFocus()

    def _on_similar(self, similar: tuple[Similar, ...]) -> None:
        self.picker.show_similar({one.horse.id: one.similarity for one in similar})

    def _on_chosen(self) -> None:
        horse = self.picker.horse
        if horse is not None:
            self.accept()
            self.chosen.emit(horse)
