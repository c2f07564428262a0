"""Horses that look alike, with how much; a click looks at one, a button compares."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine.domain.identity import Similar
from ui.registry.context import RegistryContext
from ui.registry.words import ago
from ui.theme import qcolor
from ui.widgets import button, label

ROW_PX = 40


class SimilarRow(QWidget):
    """One horse: picture, name, a bar and a number, and the threshold as a mark on the bar."""

    opened = Signal(object)
    compared = Signal(object)

    def __init__(self, context: RegistryContext, similar: Similar) -> None:
        super().__init__()
        self._context = context
        self.similar = similar
        self.setFixedHeight(ROW_PX)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.compare = button(self.tr("Compare"), "link")
        self.compare.clicked.connect(lambda: self.compared.emit(similar.horse))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(self.compare)
        self.setAccessibleName(f"{similar.horse.title} {similar.similarity:.2f}")

    def sizeHint(self) -> QSize:
        return QSize(240, ROW_PX)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.opened.emit(self.similar.horse)

    def paintEvent(self, event: QPaintEvent) -> None:
        context, theme, horse = self._context, self._context.theme, self.similar.horse
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        pixmap = context.shelf.avatar_pixmap(horse, 44, 34, self.devicePixelRatioF(), theme)
        painter.translate(0, 3)
        painter.setBrush(QBrush(pixmap))
        painter.drawRoundedRect(QRectF(0, 0, 44, 34), 4, 4)
        painter.setBrush(qcolor(horse.colour_hex))
        painter.drawEllipse(QRectF(54, 6, 7, 7))
        painter.setFont(theme.font(theme.measures.font, bold=True))
        painter.setPen(theme.colour("text"))
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        name = painter.fontMetrics().elidedText(horse.title, Qt.TextElideMode.ElideRight, 130)
        painter.drawText(QRectF(67, 0, 132, 19), flags, name)
        painter.setFont(theme.font(theme.measures.font_small))
        painter.setPen(theme.colour("muted"))
        painter.drawText(QRectF(54, 18, 150, 16), flags, ago(horse.last_seen_at))
        self._bar(painter, QRectF(208, 14, max(self.width() - 208 - 120, 30), 6))
        painter.end()

    def _bar(self, painter: QPainter, place: QRectF) -> None:
        theme, context = self._context.theme, self._context
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("well"))
        painter.drawRoundedRect(place, 3, 3)
        share = min(max(self.similar.similarity, 0.0), 1.0)
        sure = share >= context.similarity_threshold
        painter.setBrush(theme.colour("accent" if sure else "faint"))
        painter.drawRoundedRect(
            QRectF(place.left(), place.top(), place.width() * share, place.height()), 3, 3
        )
        x = place.left() + place.width() * context.similarity_threshold
        painter.fillRect(QRectF(x - 0.5, place.top() - 3, 1.5, 12), theme.colour("muted"))
        painter.setFont(theme.font())
        painter.setPen(theme.colour("text"))
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(
            QRectF(place.right() + 2, 4, 34, 26), flags, f"{self.similar.similarity:.2f}"
        )


class SimilarList(QWidget):
    """At most five rows, or why there are none."""

    opened = Signal(object)
    compared = Signal(object)

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.rows: list[SimilarRow] = []
        self._none = label("", "muted", wrap=True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._column.addWidget(self._none)
        context.shelf.arrived.connect(self._on_arrived)

    def show_similar(self, similar: Sequence[Similar]) -> None:
        """The most similar first."""
        for row in self.rows:
            row.hide()
            row.deleteLater()
        self.rows = [SimilarRow(self._context, one) for one in similar]
        for row in self.rows:
            row.opened.connect(self.opened)
            row.compared.connect(self.compared)
            self._column.addWidget(row)
        self._none.setVisible(not self.rows)
        self._none.setText(
            self.tr("Nobody to compare with yet: pictures are compared once a track was sure.")
        )

    def _on_arrived(self) -> None:
        for row in self.rows:
            row.update()
