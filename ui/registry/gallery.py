"""Gallery and table of the horses: two views of one filtered model with one selection."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QListView, QTableView, QWidget

from engine.domain.horses import Horse
from engine.domain.ids import HorseId
from ui.registry.horse_delegate import CARD_GAP_PX, CARD_MIN_PX, CardDelegate, NameDelegate
from ui.registry.horse_model import HORSE_ROLE, Column, HorseFilter

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def _horse(index: QModelIndex) -> Horse | None:
    value = index.siblingAtColumn(0).data(HORSE_ROLE)
    return value if isinstance(value, Horse) else None


class HorseGallery(QListView):
    """Cards in rows that fill the width. ``opened`` carries a horse chosen with Enter or a
    double click."""

    opened = Signal(object)

    def __init__(
        self, horses: HorseFilter, delegate: CardDelegate, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._delegate = delegate
        self.setObjectName("gallery")
        self.setModel(horses)
        self.setItemDelegate(delegate)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setDragEnabled(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setViewportMargins(12, 6, 0, 0)
        self.verticalScrollBar().setSingleStep(40)
        self.setAccessibleName(self.tr("Horses"))
        self.doubleClicked.connect(self._on_double_click)

    def resizeEvent(self, event: QResizeEvent) -> None:
        room = self.viewport().width() - 1
        columns = max(room // (CARD_MIN_PX + CARD_GAP_PX), 1)
        self._delegate.set_cell_width(max(room // columns, 120))
        self.setGridSize(self._delegate.cell)
        super().resizeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        horse = _horse(self.currentIndex())
        if event.key() in ENTER and horse is not None:
            self.opened.emit(horse)
            return
        super().keyPressEvent(event)

    def selectionCommand(
        self, index: QModelIndex | QPersistentModelIndex, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        """Whole rows, because the table shares the selection."""
        flags = QItemSelectionModel.SelectionFlag
        command = super().selectionCommand(index, event)
        return command if command == flags.NoUpdate else command | flags.Rows

    def horse_at(self, point: QPoint) -> tuple[Horse, QRect] | None:
        """The horse under a point of the viewport and its card."""
        index = self.indexAt(point)
        horse = _horse(index)
        if horse is None:
            return None
        half = CARD_GAP_PX // 2
        card = self.visualRect(index).adjusted(half, half, -half, -half)
        return (horse, card) if card.contains(point) else None

    def card_of(self, horse_id: HorseId) -> QRect:
        """Where a horse's card is in the viewport; empty if it is not on show."""
        model = self.model()
        if not isinstance(model, HorseFilter):
            return QRect()
        index = model.index_of(horse_id)
        return self.visualRect(index) if index.isValid() else QRect()

    def _on_double_click(self, index: QModelIndex) -> None:
        horse = _horse(index)
        if horse is not None:
            self.opened.emit(horse)


class HorseTable(QTableView):
    """The same horses in rows; a click on a head orders both views."""

    opened = Signal(object)

    def __init__(
        self, horses: HorseFilter, names: NameDelegate, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("horses")
        self.setModel(horses)
        self.setItemDelegateForColumn(Column.NAME, names)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSortingEnabled(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setDragEnabled(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(38)
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        head.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        head.setMinimumSectionSize(64)
        for column, width in (
            (Column.LABEL, 92),
            (Column.STATUS, 96),
            (Column.LAST_SEEN, 128),
            (Column.CAMERA, 120),
            (Column.SEEN_TODAY, 104),
            (Column.FIRST_SEEN, 128),
            (Column.STALL, 88),
            (Column.DETECTIONS, 96),
        ):
            self.setColumnWidth(column, width)
        self.sortByColumn(Column.NAME, Qt.SortOrder.AscendingOrder)
        self.setAccessibleName(self.tr("Horses"))
        self.doubleClicked.connect(self._on_double_click)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        horse = _horse(self.currentIndex())
        if event.key() in ENTER and horse is not None:
            self.opened.emit(horse)
            return
        super().keyPressEvent(event)

    def horse_at(self, point: QPoint) -> tuple[Horse, QRect] | None:
        """The horse under a point of the viewport and its row."""
        index = self.indexAt(point)
        horse = _horse(index)
        if horse is None:
            return None
        row = self.visualRect(index.siblingAtColumn(0))
        row.setRight(self.viewport().width())
        row.setLeft(0)
        return horse, row

    def _on_double_click(self, index: QModelIndex) -> None:
        horse = _horse(index)
        if horse is not None:
            self.opened.emit(horse)
