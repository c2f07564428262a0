"""One plot under the lanes: a line with its band, in step with the lanes above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import internals
from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
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
        self._pen = QPen(colour, 1.0)
        self._pen.setCosmetic(True)
        if dash:
            self._pen.setStyle(Qt.PenStyle.DashLine)
        self._fill = QColor(colour)
        self._fill.setAlpha(BAND_ALPHA)
        self._rects = internals.PrimitiveArray(QRectF, 4)
        self._path = QPainterPath()
        self._bounds = QRectF()

    def set_curve(self, x_s: NDArray[np.float64], curve: Curve) -> None:
        """Show other values."""
        self.prepareGeometryChange()
        known = np.isfinite(curve.mean)
        self._bounds, self._path = QRectF(), QPainterPath()
        count = int(known.sum())
        self._rects.resize(count)
        if count:
            step_s = float(np.median(np.diff(x_s))) if len(x_s) > 1 else 1.0
            low = np.where(np.isfinite(curve.low), curve.low, curve.mean)[known]
            high = np.where(np.isfinite(curve.high), curve.high, curve.mean)[known]
            rects = self._rects.ndarray()
            rects[:, 0], rects[:, 1] = x_s[known], low
            rects[:, 2], rects[:, 3] = step_s, high - low
            self._path = _steps(x_s, curve.mean, step_s)
            bottom, top = float(low.min()), float(high.max())
            left, right = float(x_s[0]) - step_s, float(x_s[-1]) + 2 * step_s
            self._bounds = QRectF(left, bottom, right - left, (top - bottom) or 1.0)
        self.update()

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._fill)
        painter.drawRects(*self._rects.drawargs())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(self._pen)
        painter.drawPath(self._path)


def _steps(x_s: NDArray[np.float64], mean: NDArray[np.float32], step_s: float) -> QPainterPath:
    """A line through the middles of the steps; one that stands alone is as long as its step."""
    known = np.isfinite(mean)
    before = np.concatenate([[False], known[:-1]])
    after = np.concatenate([known[1:], [False]])
    alone = known & ~before & ~after
    middle = np.where(alone, x_s, x_s + step_s / 2)
    x = np.stack([middle, np.where(alone, x_s + step_s, np.nan)], axis=1).ravel()
    y = np.stack([mean, np.where(alone, mean, np.nan)], axis=1).ravel()
    keep = np.stack([np.ones(len(x_s), bool), alone | ~known], axis=1).ravel()
    path: QPainterPath = pg.functions.arrayToQPath(x[keep], y[keep], connect="finite")
    return path


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
        key: str = "",
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
        if key:
            left.addWidget(label(key, "small"))
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
        axis.enableAutoSIPrefix(False)
        axis.setWidth(AXIS_PX)
        axis.setTickFont(theme.font(theme.measures.font_small - 1))
        axis.setPen(theme.colour("line"))
        axis.setTextPen(theme.colour("muted"))
        axis.setStyle(tickLength=-3, autoExpandTextSpace=False, tickTextWidth=AXIS_PX - 8,
                      maxTickLevel=0)  # fmt: skip
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
        box = self.canvas.getPlotItem().getViewBox()
        box.setXRange(start_s, end_s, padding=0)
        box.prepareForPaint()  # else the plot is painted twice: what follows asks for it again

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
        if words == self.note and words == self._note.text():
            return
        self._note.setText(words)
        self._note.setVisible(bool(words))
        self.canvas.getPlotItem().getAxis("left").setStyle(showValues=not words)
        self._note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._note.raise_()
        self._place_note()

    def _place_note(self) -> None:
        room = max(self.width() - NAMES_PX - 24, 40)
        self._note.setGeometry(NAMES_PX + 8, 0, room, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_note()


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
