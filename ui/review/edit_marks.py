"""What edits touched in a picture, and what the hand takes hold of."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from ui.live.overlay_paint import Placement
from ui.review.pending import Edited

AROUND_PX, GRIP_PX = 4.0, 8.0
UNDER = QColor(0, 0, 0, 170)
"""Drawn a little wider below every mark, so that it reads on any picture."""


def paint_edits(
    painter: QPainter, edited: Edited, placement: Placement, accent: QColor, faint: QColor
) -> None:
    """Dashes around what was changed, a crossed box where something was taken away."""
    for track in edited.entry.tracks:
        if track.id in edited.changed:
            rect = placement.box(track.box_xyxy_px)
            around = rect.adjusted(-AROUND_PX, -AROUND_PX, AROUND_PX, AROUND_PX)
            outline(painter, around, accent, 1.5, dashed=True)
    for track in edited.gone:
        rect = placement.box(track.box_xyxy_px)
        outline(painter, rect, faint, 1.5, dashed=True)
        painter.drawLine(rect.topLeft(), rect.bottomRight())
        painter.drawLine(rect.topRight(), rect.bottomLeft())


def outline(
    painter: QPainter, rect: QRectF, colour: QColor, width: float, dashed: bool = False
) -> None:
    """A box with a dark edge."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(UNDER, width + 2))
    painter.drawRect(rect)
    pen = QPen(colour, width)
    if dashed:
        pen.setDashPattern([4.0, 3.0])
    painter.setPen(pen)
    painter.drawRect(rect)


def paint_grips(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """Squares on the corners of a box that can be dragged."""
    painter.setPen(QPen(UNDER, 1))
    painter.setBrush(colour)
    half = GRIP_PX / 2
    for corner in (rect.topLeft(), rect.topRight(), rect.bottomLeft(), rect.bottomRight()):
        painter.drawRect(QRectF(corner.x() - half, corner.y() - half, GRIP_PX, GRIP_PX))
