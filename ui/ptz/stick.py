"""The on-screen stick and the zoom rocker."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHideEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from engine.domain.ptz import Motion
from ui.ptz.curve import DEAD_ZONE, axis_share, stick_share
from ui.theme import Theme

STICK_PX, ROCKER_PX = 176, 48
_KNOB_PX = 44


class _Held(QWidget):
    """Something that is pressed, moved and let go; ``steered`` carries a Motion in shares of the
    greatest speed, a still one when it is let go. ``pressed`` comes first."""

    steered = Signal(object)
    pressed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._at: QPointF | None = None
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    @property
    def held(self) -> bool:
        """True while the mouse holds it."""
        return self._at is not None

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        self.update()

    def let_go(self) -> None:
        """Spring back; the mouse has to be pressed anew."""
        if self._at is not None:
            self._at = None
            self.setCursor(Qt.CursorShape.OpenHandCursor)
            self.update()
            self.steered.emit(Motion())

    def _motion(self, at: QPointF) -> Motion:
        raise NotImplementedError

    def _take(self, at: QPointF) -> None:
        self._at = at
        self.update()
        self.steered.emit(self._motion(at))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.isEnabled():
            self.pressed.emit()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self._take(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._at is None:
            return
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._take(event.position())
        else:
            self.let_go()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.let_go()

    def hideEvent(self, event: QHideEvent) -> None:
        self.let_go()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.EnabledChange and not self.isEnabled():
            self.let_go()

    def _colour(self, name: str) -> QColor:
        return self._theme.colour(name if self.isEnabled() else "line")


class Stick(_Held):
    """A round pad: how far the knob is from the middle is the speed, where it is the direction."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.setFixedSize(STICK_PX, STICK_PX)
        self.setAccessibleName(self.tr("Stick: drag to turn the camera"))
        self.setToolTip(self.tr("Drag to turn the camera; let go to stop"))

    @property
    def reach_px(self) -> float:
        """How far from the middle full speed is, logical pixels."""
        return (STICK_PX - _KNOB_PX) / 2.0 - 4.0

    def _offset(self, at: QPointF) -> QPointF:
        """From the middle, at most the reach; y down, pixels."""
        away = at - QPointF(self.rect().center())
        length = math.hypot(away.x(), away.y())
        return away * (self.reach_px / length) if length > self.reach_px else away

    def _motion(self, at: QPointF) -> Motion:
        away = self._offset(at) / self.reach_px
        pan, tilt = stick_share(away.x(), -away.y())
        return Motion(min(max(pan, -1.0), 1.0), min(max(tilt, -1.0), 1.0))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.rect().center())
        away = self._offset(self._at) if self._at is not None else QPointF()
        painter.setPen(QPen(self._theme.colour("line"), 1))
        painter.setBrush(self._theme.colour("well"))
        radius = STICK_PX / 2.0 - 2.0
        painter.drawEllipse(middle, radius, radius)
        self._paint_arrows(painter, middle, away)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._theme.colour("line"), 1, Qt.PenStyle.DotLine))
        painter.drawEllipse(middle, self.reach_px / 2.0, self.reach_px / 2.0)
        dead = self.reach_px * DEAD_ZONE
        painter.drawEllipse(middle, dead, dead)
        if self._at is not None:
            painter.setPen(QPen(self._theme.colour("accent"), 2))
            painter.drawLine(middle, middle + away)
        painter.setPen(QPen(self._colour("accent"), 2))
        painter.setBrush(self._theme.colour("accent" if self.held else "raised"))
        knob = _KNOB_PX / 2.0 - 2.0
        painter.drawEllipse(middle + away, knob, knob)
        painter.end()

    def _paint_arrows(self, painter: QPainter, middle: QPointF, away: QPointF) -> None:
        """Eight marks on the rim; those the stick points to are lit."""
        painter.setPen(Qt.PenStyle.NoPen)
        pointed = math.atan2(away.y(), away.x()) if self.held else None
        for index in range(8):
            angle = index * math.pi / 4.0
            lit = pointed is not None and math.cos(angle - pointed) > math.cos(math.pi / 8.0)
            painter.setBrush(
                self._colour("accent" if lit else "muted" if index % 2 == 0 else "faint")
            )
            size = 6.0 if index % 2 == 0 else 4.0
            painter.save()
            painter.translate(middle)
            painter.rotate(math.degrees(angle))
            painter.translate(STICK_PX / 2.0 - 12.0, 0.0)
            painter.drawPolygon(
                QPolygonF(
                    [
                        QPointF(size * 0.8, 0),
                        QPointF(-size * 0.4, -size),
                        QPointF(-size * 0.4, size),
                    ]
                )
            )
            painter.restore()


class ZoomRocker(_Held):
    """An upright rocker: above the middle zooms in, below out, the farther the faster."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.setFixedSize(ROCKER_PX, STICK_PX)
        self.setAccessibleName(self.tr("Zoom: drag up to zoom in, down to zoom out"))
        self.setToolTip(self.tr("Drag up to zoom in, down to zoom out; let go to stop"))

    def sizeHint(self) -> QSize:
        return QSize(ROCKER_PX, STICK_PX)

    @property
    def reach_px(self) -> float:
        """How far from the middle full speed is, logical pixels."""
        return STICK_PX / 2.0 - 24.0

    def _motion(self, at: QPointF) -> Motion:
        return Motion(zoom=axis_share(-self._offset(at) / self.reach_px))

    def _offset(self, at: QPointF) -> float:
        return min(max(at.y() - self.rect().center().y(), -self.reach_px), self.reach_px)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.rect().center())
        away = self._offset(self._at) if self._at is not None else 0.0
        painter.setPen(QPen(self._theme.colour("line"), 1))
        painter.setBrush(self._theme.colour("well"))
        frame = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        painter.drawRoundedRect(frame, frame.width() / 2, frame.width() / 2)
        painter.setPen(QPen(self._colour("accent" if away < 0 else "muted"), 2))
        plus = QPointF(middle.x(), 18.0)
        painter.drawLine(plus - QPointF(6, 0), plus + QPointF(6, 0))
        painter.drawLine(plus - QPointF(0, 6), plus + QPointF(0, 6))
        painter.setPen(QPen(self._colour("accent" if away > 0 else "muted"), 2))
        minus = QPointF(middle.x(), self.height() - 18.0)
        painter.drawLine(minus - QPointF(6, 0), minus + QPointF(6, 0))
        painter.setPen(QPen(self._colour("accent"), 2))
        painter.setBrush(self._theme.colour("accent" if self.held else "raised"))
        knob = QRectF(0, 0, ROCKER_PX - 16.0, 22.0)
        knob.moveCenter(QPointF(middle.x(), middle.y() + away))
        painter.drawRoundedRect(knob, 11, 11)
        painter.end()
