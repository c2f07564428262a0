"""Lists of stored values, one painted row each: what their models and delegates share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ui.theme import Theme

VALUE = Qt.ItemDataRole.UserRole
"""The role that gives a row's value."""
Index = QModelIndex | QPersistentModelIndex


class Stored(Protocol):
    """What has an id by which it is known again."""

    @property
    def id(self) -> UUID: ...


Value = TypeVar("Value", bound=Stored)


class RowModel(QAbstractListModel, Generic[Value]):
    """Values as rows; a kind of list says by ``words`` and ``hint`` what a row tells."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.values: tuple[Value, ...] = ()

    def show_values(self, values: Sequence[Value]) -> None:
        """Take these; rows that stay keep their place in the view."""
        fresh = tuple(values)
        if [one.id for one in fresh] == [one.id for one in self.values]:
            self.values = fresh
            if fresh:
                self.dataChanged.emit(self.index(0), self.index(len(fresh) - 1))
            return
        self.beginResetModel()
        self.values = fresh
        self.endResetModel()

    def add_values(self, values: Sequence[Value]) -> None:
        """More below."""
        if values:
            first = len(self.values)
            self.beginInsertRows(QModelIndex(), first, first + len(values) - 1)
            self.values += tuple(values)
            self.endInsertRows()

    def row_of(self, value_id: UUID | None) -> int:
        """Its row, -1 if it is not here."""
        return next((row for row, one in enumerate(self.values) if one.id == value_id), -1)

    def value(self, index: Index) -> Value | None:
        """The value of a row."""
        row = index.row()
        return self.values[row] if index.isValid() and row < len(self.values) else None

    def words(self, value: Value) -> str:
        """A row in one sentence, for search by letters and screen readers."""
        raise NotImplementedError

    def hint(self, value: Value) -> str:
        """What is said while the mouse rests on a row."""
        raise NotImplementedError

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.values)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        value = self.value(index)
        if value is None:
            return None
        if role == VALUE:
            return value
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.words(value)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.hint(value)
        return None


class RowDelegate(QStyledItemDelegate, Generic[Value]):
    """Paints what all rows have, a ground for what is chosen or hovered and a line below, and lets
    ``paint_value`` paint the rest."""

    row_px = 64

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme

    def paint_value(self, painter: QPainter, area: QRect, value: Value) -> None:
        """Paint a row's own words and marks; the painter is restored afterwards."""
        raise NotImplementedError

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(240, self.row_px)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        value = index.data(VALUE)
        if value is None:
            return
        area, theme = QRect(option.rect), self.theme
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.colour("selection"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.colour("hover"))
        painter.fillRect(area.x(), area.bottom(), area.width(), 1, theme.colour("line"))
        self.paint_value(painter, area, value)
        painter.restore()


def paint_line(painter: QPainter, area: QRect, text: str) -> None:
    """One line of text in the painter's font, cut where it is too long."""
    shown = QFontMetrics(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
