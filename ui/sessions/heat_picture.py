"""Where the horse was: seconds by cell, with the frame they are counted in said in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from engine.domain.sessions import HeatMap, HeatMapUnit
from ui.theme import Theme
from ui.widgets import label

LEAST_PX = 150
PICTURE_RATIO = 16 / 9


class HeatCanvas(QWidget):
    """Paints one map, its proportions kept; the more time, the brighter (square root)."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._map: HeatMap | None = None
        self._image = QImage()
        self.setMinimumHeight(LEAST_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        self._draw()

    def show_map(self, one: HeatMap | None) -> None:
        """Show a map, or none."""
        self._map = one
        self._draw()

    def sizeHint(self) -> QSize:
        return QSize(320, LEAST_PX)

    def area(self) -> QRectF:
        """Where it is painted."""
        if self._map is None:
            return QRectF()
        x0, y0, x1, y1 = self._map.bounds
        metres = self._map.unit is HeatMapUnit.METRES
        ratio = (x1 - x0) / max(y1 - y0, 1e-6) if metres else PICTURE_RATIO
        wide = min(float(self.width()), self.height() * ratio)
        return QRectF(0.0, 0.0, wide, wide / ratio)

    def _draw(self) -> None:
        self._image = QImage()
        if self._map is not None:
            self._image = heat_image(self._map, self._theme)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._map is None:
            return
        painter, area = QPainter(self), self.area()
        painter.fillRect(area, self._theme.colour("well"))
        painter.drawImage(area, self._image)
        painter.setPen(QPen(self._theme.colour("line"), 1.0))
        painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
        if self._map.unit is HeatMapUnit.METRES:
            self._paint_scale(painter, area, self._map)
        painter.end()

    def _paint_scale(self, painter: QPainter, area: QRectF, one: HeatMap) -> None:
        """A bar of whole metres in the corner."""
        wide_m = one.bounds[2] - one.bounds[0]
        length_m = next((m for m in (50, 20, 10, 5, 2) if m <= 0.4 * wide_m), 1)
        length_px = area.width() * length_m / max(wide_m, 1e-6)
        end = QPointF(area.right() - 12, area.bottom() - 12)
        painter.setPen(QPen(self._theme.colour("text"), 2.0))
        painter.drawLine(QPointF(end.x() - length_px, end.y()), end)
        painter.setFont(self._theme.font(11))
        place = QRectF(end.x() - max(length_px, 48), end.y() - 20, max(length_px, 48), 16)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight, f"{length_m} m")


def heat_image(one: HeatMap, theme: Theme) -> QImage:
    """One pixel a cell, transparent where the horse never was. The far side of a ground, or the
    top of a picture, is above."""
    seconds = np.asarray(one.seconds, np.float64)
    if one.unit is HeatMapUnit.METRES:
        seconds = seconds[::-1]  # row 0 is the near side
    most = float(seconds.max())
    share = np.sqrt(np.clip(seconds / most, 0.0, 1.0)) if most > 0 else np.zeros_like(seconds)
    cold, hot = theme.timeline_colour("walking"), theme.timeline_colour("gallop")
    rgba = np.zeros((*seconds.shape, 4), np.uint8)
    for channel, (low, high) in enumerate(
        ((cold.red(), hot.red()), (cold.green(), hot.green()), (cold.blue(), hot.blue()))
    ):
        rgba[..., channel] = np.round(low + (high - low) * share)
    rgba[..., 3] = np.where(seconds > 0, np.round(70 + 185 * share), 0)
    rows, columns = seconds.shape
    return QImage(rgba.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888).copy()


class HeatPicture(QWidget):
    """The map of one camera, and which one where there are more."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._maps: tuple[HeatMap, ...] = ()
        self.which = QComboBox()
        self.which.setAccessibleName(self.tr("Camera of the map"))
        self.canvas = HeatCanvas(theme)
        self.note = label("", "small", wrap=True)
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Where the horse was"), "section"), 1)
        head.addWidget(self.which)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.note)
        self.which.currentIndexChanged.connect(self._show)

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self.canvas.set_theme(theme)

    def show_maps(self, maps: Sequence[HeatMap], names: Sequence[str], why_none: str) -> None:
        """Show these, called by their cameras."""
        self._maps = tuple(maps)
        self.which.blockSignals(True)
        self.which.clear()
        self.which.addItems(list(names))
        self.which.blockSignals(False)
        self.which.setVisible(len(self._maps) > 1)
        self.canvas.setVisible(bool(self._maps))
        self._why_none = why_none
        self._show(0)

    def _show(self, index: int) -> None:
        if not 0 <= index < len(self._maps):
            self.canvas.show_map(None)
            self.note.setText(self._why_none)
            return
        one = self._maps[index]
        self.canvas.show_map(one)
        self.canvas.setAccessibleName(self.frame_words(one, self.which.itemText(index)))
        self.note.setText(self.frame_words(one, self.which.itemText(index)))

    def frame_words(self, one: HeatMap, name: str) -> str:
        """The frame of a map, and what its brightest cell means."""
        x0, y0, x1, y1 = one.bounds
        most = self.tr("brightest: {0} s in one cell").format(f"{float(one.seconds.max()):.1f}")
        if one.unit is HeatMapUnit.METRES:
            frame = self.tr("{0}: metres on the ground, {1} by {2} m, the far side above").format(
                name, f"{x1 - x0:.1f}", f"{y1 - y0:.1f}"
            )
        else:
            frame = self.tr("{0}: places in the picture, as the camera sees it").format(name)
        return f"{frame}; {most}"
