"""A camera's picture with handles to put on the ground, and the ground that follows from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.domain.motion import DEFAULT_HEIGHT_M
from engine.motion.calibration import Ground
from ui.theme import Theme

HANDLE_PX, GRASP_PX = 9.0, 18.0
_NUDGE_PX, _LEAP_PX = 1.0, 10.0
_GRID_LINES_AT_MOST = 60
_STEPS_M = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
Point = tuple[float, float]


class GroundCanvas(QWidget):
    """``points`` are shares of the picture, x right and y down in 0..1, in the order of their
    numbers. ``moved`` follows every change. Tab chooses a handle, arrow keys move it by a pixel,
    with Shift by ten. With a ground, lines of whole metres and a horse's height at the pointer are
    drawn, for a person to see whether it fits."""

    moved = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._image: QImage | None = None
        self._points: list[Point] = []
        self._labels: tuple[str, ...] = ()
        self._closed = True
        self._ground: Ground | None = None
        self._chosen = 0
        self._held = False
        self._pointer: QPointF | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(480, 270)
        self.setAccessibleName(self.tr("Picture of the camera with the points to place"))

    def sizeHint(self) -> QSize:
        """Large enough to place a point within a few centimetres."""
        return QSize(800, 450)

    @property
    def points(self) -> tuple[Point, ...]:
        """Where the handles are."""
        return tuple(self._points)

    def show_picture(self, image: QImage) -> None:
        """Draw this picture."""
        self._image = image
        self.update()

    def show_points(self, points: Sequence[Point], labels: Sequence[str], closed: bool) -> None:
        """Put handles here; ``closed`` joins them to an area, else they are the ends of a line."""
        self._points = [(float(x), float(y)) for x, y in points]
        self._labels = tuple(labels)
        self._closed = closed
        self._chosen = min(self._chosen, max(len(self._points) - 1, 0))
        self.update()

    def show_ground(self, ground: Ground | None) -> None:
        """Draw whole metres of this ground, or none."""
        self._ground = ground
        self.update()

    def picture_rect(self) -> QRectF:
        """Where the picture is drawn."""
        if self._image is None or self._image.isNull():
            return QRectF(self.rect())
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        x, y = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        return QRectF(x, y, size.width(), size.height())

    def spot(self, index: int) -> QPointF:
        """Where a handle is in this widget."""
        return self._to_widget(self._points[index])

    # --- hands ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._points:
            return
        at = event.position()
        distances = [(self.spot(i) - at).manhattanLength() for i in range(len(self._points))]
        self._chosen = int(np.argmin(distances))
        self._held = distances[self._chosen] <= 2.0 * GRASP_PX
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position()
        if self._held:
            self._move_to(event.position())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = False

    def leaveEvent(self, event: object) -> None:
        self._pointer = None
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes from handle to handle before it leaves."""
        step = 1 if forward else -1
        if 0 <= self._chosen + step < len(self._points):
            self._chosen += step
            self.update()
            return True
        return super().focusNextPrevChild(forward)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (-1.0, 0.0),
            Qt.Key.Key_Right: (1.0, 0.0),
            Qt.Key.Key_Up: (0.0, -1.0),
            Qt.Key.Key_Down: (0.0, 1.0),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None or not self._points:
            super().keyPressEvent(event)
            return
        fast = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        length = _LEAP_PX if fast else _NUDGE_PX
        self._move_to(self.spot(self._chosen) + QPointF(step[0] * length, step[1] * length))

    def _move_to(self, at: QPointF) -> None:
        rect = self.picture_rect()
        x = (at.x() - rect.x()) / max(rect.width(), 1.0)
        y = (at.y() - rect.y()) / max(rect.height(), 1.0)
        self._points[self._chosen] = (min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0))
        self.moved.emit()
        self.update()

    def _to_widget(self, point: Point) -> QPointF:
        rect = self.picture_rect()
        return QPointF(rect.x() + point[0] * rect.width(), rect.y() + point[1] * rect.height())

    # --- paint ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), self._theme.colour("background"))
        rect = self.picture_rect()
        if self._image is not None:
            painter.drawImage(rect, self._image)
        painter.setClipRect(rect)
        self._paint_grid(painter)
        self._paint_points(painter)
        self._paint_horse(painter)
        painter.end()

    def _paint_grid(self, painter: QPainter) -> None:
        ground = self._ground
        if ground is None or ground.calibration is None or len(self._points) != 4:
            return
        corners = ground.place_m(np.array(self._points))
        back = np.asarray(np.linalg.inv(ground.calibration.homography), np.float64)
        low, high = corners.min(axis=0), corners.max(axis=0)
        step = next(
            (s for s in _STEPS_M if (high - low).sum() / s <= _GRID_LINES_AT_MOST), _STEPS_M[-1]
        )
        for x in np.arange(np.ceil(low[0] / step) * step, high[0] + 1e-6, step):
            self._line(painter, back, (float(x), float(low[1])), (float(x), float(high[1])))
        for y in np.arange(np.ceil(low[1] / step) * step, high[1] + 1e-6, step):
            self._line(painter, back, (float(low[0]), float(y)), (float(high[0]), float(y)))

    def _line(self, painter: QPainter, back: NDArray[np.float64], start: Point, end: Point) -> None:
        ends = []
        for place in (start, end):
            x, y, depth = back @ np.array([*place, 1.0])
            if abs(depth) < 1e-9:
                return
            ends.append(self._to_widget((float(x / depth), float(y / depth))))
        self._outlined(painter, self._theme.colour("accent"), 1.0)
        painter.drawLine(*ends)

    def _paint_points(self, painter: QPainter) -> None:
        if not self._points:
            return
        spots = [self._to_widget(point) for point in self._points]
        for colour, width in ((QColor(0, 0, 0, 180), 4.0), (self._theme.colour("accent"), 2.0)):
            painter.setPen(QPen(colour, width))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            if self._closed:
                painter.drawPolygon(QPolygonF(spots))
            else:
                painter.drawPolyline(QPolygonF(spots))
        painter.setFont(self._theme.font(12, bold=True))
        for index, (spot, text) in enumerate(zip(spots, self._labels, strict=True)):
            chosen = index == self._chosen and self.hasFocus()
            radius = HANDLE_PX + (3.0 if chosen else 0.0)
            painter.setPen(QPen(self._theme.colour("text"), 2.0 if chosen else 1.0))
            painter.setBrush(QColor(0, 0, 0, 200))
            painter.drawEllipse(spot, radius, radius)
            box = QRectF(spot.x() - 12, spot.y() - 12, 24, 24)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_horse(self, painter: QPainter) -> None:
        """How tall a horse would stand at the pointer."""
        ground, pointer = self._ground, self._pointer
        if ground is None or pointer is None or self._held:
            return
        rect = self.picture_rect()
        if not rect.contains(pointer) or rect.width() < 1 or rect.height() < 1:
            return
        place = np.array(
            [[(pointer.x() - rect.x()) / rect.width(), (pointer.y() - rect.y()) / rect.height()]]
        )
        scale = float(ground.scales_px_m(place, round(rect.width()), round(rect.height()))[0])
        if not np.isfinite(scale) or scale <= 0:
            return
        top = QPointF(pointer.x(), pointer.y() - DEFAULT_HEIGHT_M * scale)
        self._outlined(painter, self._theme.colour("warning"), 2.0)
        painter.drawLine(pointer, top)
        painter.drawLine(top - QPointF(6, 0), top + QPointF(6, 0))
        painter.setFont(self._theme.font(12))
        painter.setPen(self._theme.colour("text"))
        text = self.tr("{0} m at the withers").format(f"{DEFAULT_HEIGHT_M:.2f}")
        box = painter.fontMetrics().boundingRect(text).adjusted(-6, -3, 6, 3)
        box.moveTopLeft((top + QPointF(10, -4)).toPoint())
        painter.fillRect(box, QColor(0, 0, 0, 180))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    @staticmethod
    def _outlined(painter: QPainter, colour: QColor, width: float) -> None:
        faint = QColor(colour)
        faint.setAlphaF(0.8)
        painter.setPen(QPen(faint, width))
