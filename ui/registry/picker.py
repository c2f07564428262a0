"""Choosing a horse: a search field over a short list, most similar first; or a new horse."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QLineEdit, QListView, QVBoxLayout, QWidget

from engine.domain.horses import Horse
from engine.domain.ids import HorseId
from ui.registry.context import RegistryContext
from ui.registry.horse_delegate import ROW_PX, RowDelegate
from ui.registry.horse_model import HorseFilter

ROWS = 5


class HorsePicker(QWidget):
    """``picked`` follows every change of the choice, ``accepted`` a double click or Enter."""

    picked = Signal()
    accepted = Signal()

    def __init__(
        self,
        context: RegistryContext,
        left_out: Collection[HorseId] = (),
        *,
        new_horse: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._horses = HorseFilter(context.model, self)
        self._horses.leave_out(frozenset(left_out))
        self.new_horse = QCheckBox(self.tr("A new horse"))
        self.new_horse.setVisible(new_horse)
        self.search = QLineEdit(placeholderText=self.tr("Search name, label, stall"))
        self.search.setClearButtonEnabled(True)
        self.list = QListView()
        self.list.setObjectName("picker")
        self.list.setModel(self._horses)
        self._delegate = RowDelegate(context.shelf, context.theme, self.list)
        self.list.setItemDelegate(self._delegate)
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setFixedHeight(ROWS * ROW_PX + 2)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.list.setAccessibleName(self.tr("Horses"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for widget in (self.new_horse, self.search, self.list):
            column.addWidget(widget)
        self.search.textChanged.connect(self._on_search)
        self.search.installEventFilter(self)
        self.new_horse.toggled.connect(self._on_new)
        self.list.selectionModel().currentChanged.connect(lambda *_: self.picked.emit())
        self.list.doubleClicked.connect(lambda _index: self.accepted.emit())
        context.shelf.arrived.connect(self.list.viewport().update)

    @property
    def horse(self) -> Horse | None:
        """The horse chosen; None for a new one and while nothing is chosen."""
        if self.wants_new:
            return None
        return self._horses.horse(self.list.currentIndex().row())

    @property
    def wants_new(self) -> bool:
        """True when it shall be a horse that is not in the registry."""
        return self.new_horse.isVisibleTo(self) and self.new_horse.isChecked()

    @property
    def decided(self) -> bool:
        """True once something is chosen."""
        return self.wants_new or self.horse is not None

    def choose(self, horse_id: HorseId | None) -> None:
        """Choose a horse, or (None) a new one."""
        self.new_horse.setChecked(horse_id is None)
        if horse_id is not None:
            index = self._horses.index_of(horse_id)
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)

    def show_similar(self, similarity: Mapping[HorseId, float]) -> None:
        """Say how alike they are and put the most similar first."""
        chosen = self.horse
        self._delegate.similarity = dict(similarity)
        self._horses.alike_first(similarity)
        if chosen is not None:
            self.list.scrollTo(self._horses.index_of(chosen.id))
        else:
            self.list.scrollToTop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up, down and Enter in the search field act on the list."""
        if (
            watched is self.search
            and event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
        ):
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None and self._horses.rowCount():
                row = self.list.currentIndex().row() + step
                row = min(max(row, 0), self._horses.rowCount() - 1)
                self.list.setCurrentIndex(self._horses.index(row, 0))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                if self.horse is None and self._horses.rowCount():
                    self.list.setCurrentIndex(self._horses.index(0, 0))
                if self.decided:
                    self.accepted.emit()
                return True
        return super().eventFilter(watched, event)

    def _on_search(self, text: str) -> None:
        self._horses.search(text)
        if text and self._horses.rowCount():
            self.list.setCurrentIndex(self._horses.index(0, 0))

    def _on_new(self, on: bool) -> None:
        self.search.setDisabled(on)
        self.list.setDisabled(on)
        self.picked.emit()
