"""Figures and strides of a session as tables; both are models, so rows cost nothing unseen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from engine.domain.motion import Stride
from engine.domain.sessions import MetricValue
from ui.sessions.words import basis_words, gait_word, lead_word, metric_word, value_words
from ui.theme import Theme

ROW_PX = 28
SORT = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class FigureModel(QAbstractTableModel):
    """Figure, value, what it rests on; one that is not told says why, and is dim."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._figures: tuple[MetricValue, ...] = ()
        self.dim = QColor(theme.colour("muted"))

    def show_figures(self, figures: Sequence[MetricValue]) -> None:
        """Show these, told ones first, each in its order."""
        self.beginResetModel()
        self._figures = tuple(sorted(figures, key=lambda one: one.value is None))
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._figures)

    def columnCount(self, parent: Index | None = None) -> int:
        return 3

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Figure"), self.tr("Value"), self.tr("Rests on"))[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        one = self._figures[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return (metric_word(one.name), value_words(one), basis_words(one))[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{metric_word(one.name)}: {value_words(one)}\n{basis_words(one)}"
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == 1:
            return _RIGHT
        if role == Qt.ItemDataRole.ForegroundRole and (one.value is None or index.column() == 2):
            return self.dim
        return None


class StrideModel(QAbstractTableModel):
    """One row a stride; the SORT role gives numbers to sort by."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._strides: tuple[Stride, ...] = ()
        self._start: datetime | None = None

    def show_strides(self, strides: Sequence[Stride], start: datetime) -> None:
        """Show these; times are counted from ``start``."""
        self.beginResetModel()
        self._strides, self._start = tuple(strides), start
        self.endResetModel()

    def stride(self, row: int) -> Stride:
        """The stride of a row."""
        return self._strides[row]

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._strides)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(self._heads())

    def _heads(self) -> tuple[str, ...]:
        return (
            self.tr("At\n(s)"), self.tr("Gait\n"), self.tr("Lead\n"), self.tr("Rate\n(Hz)"),
            self.tr("Length\n(m)"), self.tr("Speed\n(m/s)"), self.tr("Sym-\nmetry"),
            self.tr("Head\nmin (mm)"), self.tr("Head\nmax (mm)"), self.tr("Pelvis\nmin (mm)"),
            self.tr("Pelvis\nmax (mm)"), self.tr("Straight\n"), self.tr("Quality\n"),
        )  # fmt: skip

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._heads()[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() not in (1, 2, 11):
            return _RIGHT
        if role not in (Qt.ItemDataRole.DisplayRole, SORT):
            return None
        value, digits = self._value(self._strides[index.row()], index.column())
        if isinstance(value, str):
            return value
        if role == SORT:
            return value if math.isfinite(value) else -math.inf
        return f"{value:.{digits}f}" if math.isfinite(value) else "–"

    def _value(self, one: Stride, column: int) -> tuple[float | str, int]:
        lean = one.asymmetry
        start = self._start or one.start_at
        values: tuple[tuple[float | str, int], ...] = (
            ((one.start_at - start).total_seconds(), 2),
            (gait_word(one.gait), 0), (lead_word(one.lead), 0), (one.stride_hz, 2),
            (one.length_m, 2), (one.speed_mps, 2), (one.symmetry, 2), (lean.hd_min_mm, 1),
            (lean.hd_max_mm, 1), (lean.pd_min_mm, 1), (lean.pd_max_mm, 1),
            (self.tr("yes") if one.straight else self.tr("no"), 0), (one.quality, 2),
        )  # fmt: skip
        return values[column]


class FigureTable(QTableView):
    """The figures; rows are as high as what they say needs."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.figures = FigureModel(theme, self)
        self.setModel(self.figures)
        plain_table(self)
        self.setWordWrap(True)
        head = self.horizontalHeader()
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setAccessibleName(self.tr("Figures of the session"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resizeRowsToContents()

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self.figures.dim = QColor(theme.colour("muted"))
        self.viewport().update()


class StrideTable(QTableView):
    """The strides; a click on a head sorts."""

    def __init__(self) -> None:
        super().__init__()
        self.strides = StrideModel(self)
        self.sorted = QSortFilterProxyModel(self)
        self.sorted.setSortRole(SORT)
        self.sorted.setSourceModel(self.strides)
        self.setModel(self.sorted)
        plain_table(self)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setMinimumSectionSize(64)
        self.setAccessibleName(self.tr("Strides of the session"))


def plain_table(table: QTableView) -> None:
    """Rows to read: chosen whole, not edited, no grid."""
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setShowGrid(False)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW_PX)
    table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
