"""The list of alerts: one painted row each, unacknowledged ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from engine.domain.behaviour import Alert, AlertId
from ui.alerts.words import severity_word, state_words
from ui.notices import COLOURS, ICONS
from ui.registry.words import ago
from ui.theme import Theme, icon_pixmap

ROW_PX, BAR_PX = 64, 3
ALERT = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex
Subject = Callable[[Alert], str]
"""Horse and camera of an alert in words."""


class AlertModel(QAbstractListModel):
    """Alerts as rows; the ALERT role gives the value."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._subject = subject
        self._alerts: tuple[Alert, ...] = ()

    def show_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take these; rows that stay keep their place in the view."""
        fresh = tuple(alerts)
        if [a.id for a in fresh] == [a.id for a in self._alerts]:
            self._alerts = fresh
            if fresh:
                self.dataChanged.emit(self.index(0), self.index(len(fresh) - 1))
            return
        self.beginResetModel()
        self._alerts = fresh
        self.endResetModel()

    def row_of(self, alert_id: AlertId | None) -> int:
        """Its row, -1 if it is not here."""
        ids = [alert.id for alert in self._alerts]
        return ids.index(alert_id) if alert_id in ids else -1

    def alert(self, index: Index) -> Alert | None:
        """The value of a row."""
        return self._alerts[index.row()] if 0 <= index.row() < len(self._alerts) else None

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._alerts)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        alert = self.alert(index)
        if alert is None:
            return None
        if role == ALERT:
            return alert
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            seen = "" if alert.acknowledged_at is None else ", acknowledged"
            return f"{severity_word(alert.severity)}: {alert.message} {self._subject(alert)}{seen}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return alert.message
        return None


class AlertDelegate(QStyledItemDelegate):
    """Paints a row: severity by bar and icon, the sentence, where and when."""

    def __init__(self, theme: Theme, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._subject = subject

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(240, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        alert = index.data(ALERT)
        if not isinstance(alert, Alert):
            return
        painter.save()
        self._paint(painter, QRect(option.rect), option.state, alert)
        painter.restore()

    def _paint(self, painter: QPainter, area: QRect, state: QStyle.StateFlag, alert: Alert) -> None:
        theme, waiting = self.theme, alert.acknowledged_at is None
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.colour("selection"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.colour("hover"))
        colour = COLOURS[alert.severity] if waiting else "faint"
        painter.fillRect(area.x(), area.y(), BAR_PX, area.height() - 1, theme.colour(colour))
        painter.fillRect(area.x(), area.bottom(), area.width(), 1, theme.colour("line"))
        ratio = painter.device().devicePixelRatio()
        mark = icon_pixmap(ICONS[alert.severity], theme.colour(colour), 20, ratio)
        painter.drawPixmap(QPointF(area.x() + 16, area.y() + 12), mark)
        left, width = area.x() + 48, area.width() - 60
        painter.setFont(theme.font(bold=waiting))
        painter.setPen(theme.colour("text" if waiting else "muted"))
        self._line(painter, QRect(left, area.y() + 8, width, 22), alert.message)
        painter.setFont(theme.font(12))
        painter.setPen(theme.colour("muted"))
        words = [
            self._subject(alert),
            state_words(alert, ago(alert.raised_at), ago(alert.ended_at)),
        ]
        below = QRect(left, area.y() + 32, width, 20)
        self._line(painter, below, " · ".join(word for word in words if word))

    @staticmethod
    def _line(painter: QPainter, area: QRect, text: str) -> None:
        shown = QFontMetrics(painter.font()).elidedText(
            text, Qt.TextElideMode.ElideRight, area.width()
        )
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
