"""What colours, patterns and signs of the lanes mean."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QFontMetricsF, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.theme import Theme
from ui.timeline.lane_paint import paint_marker
from ui.timeline.marks import LEGEND, Mark, mark_word
from ui.timeline.raster import Paints

HEIGHT_PX = 26
SWATCH_PX = (16, 12)
GAP_PX = 16.0
SIGNS = (Mark.INFO, Mark.WARNING, Mark.CRITICAL)


class Legend(QWidget):
    """One line of swatches; those that have no room are left out from the end."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Legend"))
        self._words = ""
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        paints = Paints(theme)
        self._swatches: dict[Mark, QImage] = {}
        for mark in LEGEND:
            patch = paints.swatch(mark, *SWATCH_PX)
            image = QImage(
                patch.data,
                patch.shape[1],
                patch.shape[0],
                patch.strides[0],
                QImage.Format.Format_ARGB32_Premultiplied,
            )
            self._swatches[mark] = image.copy()
        self.update()

    def say(self, words: str) -> None:
        """A remark at the right, about how the lanes are to be read just now."""
        if words != self._words:
            self._words = words
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(400, HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(theme.measures.font_small))
        metrics = QFontMetricsF(painter.font())
        x, middle = 12.0, HEIGHT_PX / 2
        wide = metrics.horizontalAdvance(self._words)
        end = self.width() - 12 - wide
        if self._words:
            painter.setPen(theme.colour("text"))
            baseline = middle + (metrics.ascent() - metrics.descent()) / 2
            painter.drawText(QPointF(end, baseline), self._words)
        for mark in (*LEGEND, *SIGNS):
            words = mark_word(mark)
            room = SWATCH_PX[0] + 6 + metrics.horizontalAdvance(words)
            if x + room > end - GAP_PX:
                break
            if mark in SIGNS:
                paint_marker(painter, theme, QPointF(x + 8, middle), mark)
            else:
                painter.drawImage(QPointF(x, middle - SWATCH_PX[1] / 2), self._swatches[mark])
            painter.setPen(theme.colour("muted"))
            baseline = middle + (metrics.ascent() - metrics.descent()) / 2
            painter.drawText(QPointF(x + SWATCH_PX[0] + 6, baseline), words)
            x += room + GAP_PX
        painter.end()
