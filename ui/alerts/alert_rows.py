"""The list of alerts: one painted row each, unacknowledged ones first."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from engine.domain.behaviour import Alert
from ui.alerts.words import severity_word, state_words
from ui.notices import COLOURS, ICONS
from ui.registry.words import ago
from ui.row_list import RowDelegate, RowModel, paint_line
from ui.theme import Theme, icon_pixmap

BAR_PX = 3
Subject = Callable[[Alert], str]
"""Horse and camera of an alert in words."""


class AlertModel(RowModel[Alert]):
    """Alerts as rows."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._subject = subject

    def words(self, value: Alert) -> str:
        seen = "" if value.acknowledged_at is None else ", acknowledged"
        return f"{severity_word(value.severity)}: {value.message} {self._subject(value)}{seen}"

    def hint(self, value: Alert) -> str:
        return value.message


class AlertDelegate(RowDelegate[Alert]):
    """Paints a row: severity by bar and icon, the sentence, where and when."""

    def __init__(self, theme: Theme, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._subject = subject

    def paint_value(self, painter: QPainter, area: QRect, value: Alert) -> None:
        theme, alert, waiting = self.theme, value, value.acknowledged_at is None
        colour = COLOURS[alert.severity] if waiting else "faint"
        painter.fillRect(area.x(), area.y(), BAR_PX, area.height() - 1, theme.colour(colour))
        ratio = painter.device().devicePixelRatio()
        mark = icon_pixmap(ICONS[alert.severity], theme.colour(colour), 20, ratio)
        painter.drawPixmap(QPointF(area.x() + 16, area.y() + 12), mark)
        left, width = area.x() + 48, area.width() - 60
        painter.setFont(theme.font(bold=waiting))
        painter.setPen(theme.colour("text" if waiting else "muted"))
        paint_line(painter, QRect(left, area.y() + 8, width, 22), alert.message)
        painter.setFont(theme.font(12))
        painter.setPen(theme.colour("muted"))
        words = [
            self._subject(alert),
            state_words(alert, ago(alert.raised_at), ago(alert.ended_at)),
        ]
        below = QRect(left, area.y() + 32, width, 20)
        paint_line(painter, below, " · ".join(word for word in words if word))
