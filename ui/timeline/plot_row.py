"""One plot under the lanes: a line with its band, in step with the lanes above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF, QWheelEvent
from PySide6.QtWidgets import (
    QGraphicsObject,
    QHBoxLayout,
    QSizePolicy,
    QStyleOptionGraphicsItem,
    QVBoxLayout,
    QWidget,
)

from ui.theme import Theme
from ui.timeline.lane_paint import NAMES_PX, RIGHT_PX
from ui.timeline.series_tiles import Curve
from ui.widgets import label

AXIS_PX = 44
LEAST_PX = 66
BAND_ALPHA = 52
SECOND_US = 1e6
DRAG_PX = 4.0


class BandCurve(QGraphicsObject):
    """A mean with its least and greatest, in seconds from an origin; gaps stay gaps."""

    def __init__(self, colour: QColor, dash: bool = False) -> None:
        super().__init__()
        self._pen = QPen(colour, 1.4)
        self._pen.setCosmetic(True)
        if dash:
            self._pen.setStyle(Qt.PenStyle.DashLine)
        self._fill = QColor(colour)
        self._fill.setAlpha(BAND_ALPHA)
        self._bands: list[QPolygonF] = []
        self._lines: list[QPolygonF] = []
        self._bounds = QRectF()

    def set_curve(self, x_s: NDArray[np.float64], curve: Curve) -> None:
        """Show other values."""
        self.prepareGeometryChange()
        self._bands, self._lines = [], []
        known = np.isfinite(curve.mean)
        edges = np.flatnonzero(np.diff(np.r_[False, known, False].astype(np.int8)))
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            part = slice(first, last)
            x, mean = x_s[part], curve.mean[part].astype(np.float64)
            if last - first == 1:
                half = (x_s[1] - x_s[0]) / 2 if len(x_s) > 1 else 0.5
                x, mean = np.array([x[0] - half, x[0] + half]), np.repeat(mean, 2)
            low = np.resize(np.nan_to_num(curve.low[part], nan=0.0), len(x)).astype(np.float64)
            high = np.resize(np.nan_to_num(curve.high[part], nan=0.0), len(x)).astype(np.float64)
            self._lines.append(_polygon(x, mean))
            self._bands.append(_polygon(np.r_[x, x[::-1]], np.r_[high, low[::-1]]))
        finite = np.concatenate([curve.low[known], curve.high[known], [0.0]])
        if known.any():
            left, right = float(x_s[0]) - 1.0, float(x_s[-1]) + 1.0
            self._bounds = QRectF(left, float(np.nanmin(finite)), right - left,
                                  float(np.nanmax(finite) - np.nanmin(finite)) or 1.0)  # fmt: skip
        else:
            self._bounds = QRectF()
        self.update()

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._fill)
        for band in self._bands:
            painter.drawPolygon(band)
        painter.setPen(self._pen)
        for points in self._lines:
            painter.drawPolyline(points)


def _polygon(x: NDArray[np.float64], y: NDArray[np.float64]) -> QPolygonF:
    polygon: QPolygonF = pg.functions.arrayToQPolygonF(x, y)
    return polygon


class _PlotMouse(QObject):
    """Takes wheel and mouse from a plot, so that time moves as it does on the lanes. ``turned``
    carries notches and where, ``dragged`` pixels, ``pressed`` where."""

    turned = Signal(float, float)
    dragged = Signal(float)
    pressed = Signal(float)

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._x: float | None = None
        self._far = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent):
            self.turned.emit(event.angleDelta().y() / 120, event.position().x())
            return True
        if not isinstance(event, QMouseEvent):
            return False
        x = event.position().x()
        if event.type() == QEvent.Type.MouseButtonPress:
            self._x, self._far = x, False
        elif event.type() == QEvent.Type.MouseMove and self._x is not None:
            if self._far or abs(x - self._x) >= DRAG_PX:
                self._far = True
                self.dragged.emit(x - self._x)
                self._x = x
        elif event.type() == QEvent.Type.MouseButtonRelease:
            if self._x is not None and not self._far:
                self.pressed.emit(x)
            self._x = None
        return True


class PlotRow(QWidget):
    """``turned`` carries wheel notches and the share of the width where, ``dragged`` a share of the
    width moved, ``pressed`` a share of the width."""

    turned = Signal(float, float)
    dragged = Signal(float)
    pressed = Signal(float)

    def __init__(
        self,
        title: str,
        unit: str,
        colours: Mapping[str, str],
        theme: Theme,
        floor: float | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.floor = floor
        self._unit = unit
        self._colours = dict(colours)
        self.setMinimumHeight(LEAST_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._value = label("")
        self._band = label("", "small")
        self._note = label("", "muted", wrap=True)
        self._note.setParent(self)
        self._note.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._note.hide()
        left = QVBoxLayout()
        left.setContentsMargins(12, 6, 0, 4)
        left.setSpacing(0)
        left.addWidget(label(title, "section"))
        left.addWidget(self._value)
        left.addWidget(self._band)
        left.addStretch(1)
        side = QWidget()
        side.setFixedWidth(NAMES_PX - AXIS_PX)
        side.setLayout(left)
        self.canvas = pg.PlotWidget(enableMenu=False)
        mouse = _PlotMouse(self.canvas)
        self.canvas.viewport().installEventFilter(mouse)
        self.canvas.setAccessibleName(title)
        self.canvas.setToolTip(self.tr("Mean as a line, least and greatest as a band"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, RIGHT_PX, 0)
        row.setSpacing(0)
        row.addWidget(side)
        row.addWidget(self.canvas, 1)
        self._curves: dict[str, BandCurve] = {}
        self._line = pg.InfiniteLine(angle=90)
        self._dress(theme)
        mouse.turned.connect(lambda n, x: self.turned.emit(n, self._share(x)))
        mouse.dragged.connect(lambda dx: self.dragged.emit(dx / self._room()))
        mouse.pressed.connect(lambda x: self.pressed.emit(self._share(x)))

    def _room(self) -> float:
        return max(float(self.canvas.width()) - AXIS_PX, 1.0)

    def _share(self, x: float) -> float:
        return (x - AXIS_PX) / self._room()

    def _dress(self, theme: Theme) -> None:
        canvas, item = self.canvas, self.canvas.getPlotItem()
        canvas.setBackground(theme.colour("background"))
        canvas.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        item.setContentsMargins(0, 4, 0, 2)
        item.layout.setSpacing(0)
        item.hideButtons()
        item.hideAxis("bottom")
        item.getViewBox().setMouseEnabled(False, False)
        item.getViewBox().disableAutoRange()
        item.getViewBox().setBackgroundColor(theme.colour("well"))
        axis = item.getAxis("left")
        axis.setWidth(AXIS_PX)
        axis.setTickFont(theme.font(theme.measures.font_small - 1))
        axis.setPen(theme.colour("line"))
        axis.setTextPen(theme.colour("muted"))
        axis.setStyle(tickLength=-3, autoExpandTextSpace=False, tickTextWidth=AXIS_PX - 8,
                      maxTickLevel=0)  # fmt: skip
        item.showGrid(y=True, alpha=0.25)
        for curve in self._curves.values():
            item.removeItem(curve)
        self._curves = {}
        for place, (name, token) in enumerate(self._colours.items()):
            known = hasattr(theme.colours, token)
            colour = theme.colour(token) if known else theme.timeline_colour(token)
            curve = BandCurve(colour, dash=place % 2 == 1)
            self._curves[name] = curve
            item.addItem(curve, ignoreBounds=True)
        self._line.setPen(pg.mkPen(theme.colour("text"), width=1.5))
        item.removeItem(self._line)
        item.addItem(self._line, ignoreBounds=True)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look; the curves are to be given again."""
        self._dress(theme)

    # --- what is shown --------------------------------------------------------------------------

    def show_curves(self, origin_us: int, curves: Mapping[str, Curve]) -> None:
        """Show values, at seconds from an origin."""
        for name, item in self._curves.items():
            curve = curves.get(name)
            if curve is None:
                empty = np.zeros(0, np.float32)
                curve = Curve(np.zeros(0, np.int64), empty, empty, empty)
            item.set_curve((curve.at_us - origin_us) / SECOND_US, curve)

    def show_window(self, start_s: float, end_s: float) -> None:
        """The part of time on show, seconds from the origin."""
        self.canvas.getPlotItem().getViewBox().setXRange(start_s, end_s, padding=0)

    def fit(self, low: float, high: float) -> None:
        """The values on show."""
        if self.floor is not None:
            low = min(low, self.floor)
        room = (high - low) * 0.08 or 0.5
        bottom = low if low == self.floor else low - room
        self.canvas.getPlotItem().getViewBox().setYRange(bottom, high + room, padding=0)

    def show_cursor(self, at_s: float, value: str, band: str) -> None:
        """The cursor, with the value there and what it lies between, in words."""
        self._line.setValue(at_s)
        self._value.setText(f"{value} {self._unit}")
        self._band.setText(band)

    @property
    def note(self) -> str:
        """Why nothing is on show."""
        return self._note.text() if not self._note.isHidden() else ""

    @property
    def value(self) -> str:
        """The value at the cursor, in words."""
        return " ".join(part for part in (self._value.text(), self._band.text()) if part)

    def say(self, words: str) -> None:
        """Say why nothing is on show; empty when something is."""
        self._note.setText(words)
        self._note.setVisible(bool(words))
        self._note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._note.setGeometry(
            NAMES_PX + 8, 0, max(self.width() - NAMES_PX - 24, 40), self.height()
        )
        self._note.raise_()


def joined(parts: Sequence[tuple[Curve, int, int]]) -> Curve | None:
    """Curves of tiles, each cut to the part it is shown for, made one; a gap lies between them
    where they do not touch."""
    cut = []
    for curve, start_us, end_us in parts:
        which = slice(*np.searchsorted(curve.at_us, [start_us, end_us]).tolist())
        cut.append((curve.at_us[which], curve.mean[which], curve.low[which], curve.high[which]))
    if not cut:
        return None
    return Curve(*(np.concatenate(column) for column in zip(*cut, strict=True)))
