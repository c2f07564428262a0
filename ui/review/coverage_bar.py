"""What is recorded around the cursor, a row a camera: click to jump, drag to scrub, drag with Shift
to mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from engine.domain.ids import StreamId
from engine.domain.recording import Chunk, ChunkState
from ui.review.words import exact_time
from ui.theme import Theme
from ui.timeline.axis import SECOND_US, tick_step_us, ticks
from ui.timeline.cursor import TimeCursor, instant, micros

ROW_PX, TOP_PX = 8, 18
SPANS_US = tuple(s * SECOND_US for s in (20, 60, 180, 600, 1800, 7200))
"""How much time the bar can show."""
EDGE = 0.12
"""The cursor is kept this share of the width away from the ends while it plays."""


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One camera's recordings, by their begin."""

    stream_id: StreamId
    name: str
    chunks: tuple[Chunk, ...]


class CoverageBar(QWidget):
    """``moved_window`` follows every change of what stretch of time it shows."""

    moved_window = Signal()

    def __init__(self, head: TimeCursor, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("coverage")
        self._head = head
        self._theme = theme
        self._rows: tuple[CoverageRow, ...] = ()
        self._zoom = 2
        self._start_us = head.at_us - self.span_us // 2
        self._anchor_us: int | None = None
        self._marking = False
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Recordings around the cursor"))
        self._fit()
        head.moved.connect(lambda _at: self._on_head())
        head.range_changed.connect(lambda _range: self.update())

    @property
    def span_us(self) -> int:
        """How much time it shows."""
        return SPANS_US[self._zoom]

    @property
    def start_us(self) -> int:
        """The instant of its left end."""
        return self._start_us

    def show_rows(self, rows: Sequence[CoverageRow]) -> None:
        """Show these cameras."""
        self._rows = tuple(rows)
        self._fit()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        self.update()

    def x_of(self, at_us: int) -> float:
        """Where an instant is."""
        return (at_us - self._start_us) / self.span_us * self.width()

    def at_x(self, x: float) -> int:
        """The instant at a place."""
        return self._start_us + round(x / max(self.width(), 1) * self.span_us)

    def zoom(self, by: int) -> None:
        """Show more (1) or less (-1) time around the cursor."""
        zoom = min(max(self._zoom + by, 0), len(SPANS_US) - 1)
        if zoom != self._zoom:
            share = min(max(self.x_of(self._head.at_us) / max(self.width(), 1), 0.0), 1.0)
            self._zoom = zoom
            self._start_us = self._head.at_us - round(share * self.span_us)
            self._changed()

    def _fit(self) -> None:
        self.setFixedHeight(TOP_PX + max(len(self._rows), 1) * (ROW_PX + 3) + 5)

    def _on_head(self) -> None:
        at_us, span_us = self._head.at_us, self.span_us
        inside = self._start_us + EDGE * span_us <= at_us <= self._start_us + (1 - EDGE) * span_us
        if not inside and self._anchor_us is None:
            share = EDGE if self._head.playing else 0.5
            self._start_us = at_us - round(share * span_us)
            self._changed()
        self.update()

    def _changed(self) -> None:
        self.update()
        self.moved_window.emit()

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("surface"))
        self._paint_ticks(painter)
        for place, row in enumerate(self._rows):
            self._paint_row(painter, row, TOP_PX + place * (ROW_PX + 3))
        self._paint_range(painter)
        x = self.x_of(self._head.at_us)
        painter.setPen(QPen(self._theme.colour("text"), 1))
        painter.drawLine(QPointF(x, 2), QPointF(x, self.height()))
        painter.setBrush(self._theme.colour("text"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRect(QRectF(x - 3, 0, 6, 4))

    def _paint_ticks(self, painter: QPainter) -> None:
        end_us = self._start_us + self.span_us
        step_us = tick_step_us(self.span_us, self.width(), 84)
        painter.setFont(self._theme.font(11))
        for tick in ticks(self._start_us, end_us, step_us):
            x = self.x_of(tick.at_us)
            painter.setPen(self._theme.colour("line"))
            painter.drawLine(QPointF(x, TOP_PX - 5), QPointF(x, self.height()))
            painter.setPen(self._theme.colour("muted"))
            painter.drawText(QPointF(x + 4, TOP_PX - 5), tick.words)

    def _paint_row(self, painter: QPainter, row: CoverageRow, y: int) -> None:
        colours = self._theme
        hatch = QBrush(colours.timeline_colour("no_data"), Qt.BrushStyle.BDiagPattern)
        painter.fillRect(QRectF(0, y, self.width(), ROW_PX), hatch)
        for chunk in row.chunks:
            left = self.x_of(micros(chunk.start_at))
            right = self.x_of(micros(chunk.end_at))
            rect = QRectF(left, y, max(right - left, 1.0), ROW_PX)
            painter.fillRect(rect, colours.timeline_colour("ground"))
            if chunk.state in (ChunkState.REMOVED, ChunkState.DAMAGED):
                painter.fillRect(rect, QBrush(colours.colour("warning"), _CROSSED))
                continue
            colour = QColor(colours.timeline_colour("locked" if chunk.locked else "recorded"))
            painter.fillRect(rect, colour)
            if chunk.final:
                done = QRectF(left, y + ROW_PX - 2, max(right - left - 1, 1.0), 2)
                painter.fillRect(done, colours.colour("accent"))

    def _paint_range(self, painter: QPainter) -> None:
        marked = self._head.range
        if marked is None:
            return
        left, right = self.x_of(micros(marked.start_at)), self.x_of(micros(marked.end_at))
        band = QColor(self._theme.colour("accent"))
        band.setAlpha(50)
        painter.fillRect(QRectF(left, 0, right - left, self.height()), band)
        painter.setPen(QPen(self._theme.colour("accent"), 1))
        for x in (left, right):
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))

    # --- the hand -------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        self._anchor_us = self.at_x(event.position().x())
        self._marking = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if not self._marking:
            self._head.move_to(instant(self._anchor_us))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at_us = self.at_x(event.position().x())
        if self._anchor_us is None:
            QToolTip.showText(event.globalPosition().toPoint(), self._tip(at_us), self)
        elif self._marking:
            self._head.mark(instant(self._anchor_us), instant(at_us))
        else:
            self._head.move_to(instant(at_us))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        del event
        self._anchor_us = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().y():
            self.zoom(-1 if event.angleDelta().y() > 0 else 1)
            event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        QToolTip.hideText()

    def _tip(self, at_us: int) -> str:
        seen = [row.name for row in self._rows if _covers(row, at_us)]
        what = ", ".join(seen) if seen else self.tr("nothing recorded")
        return f"{exact_time(at_us)} · {what}"


_CROSSED = Qt.BrushStyle.DiagCrossPattern


def _covers(row: CoverageRow, at_us: int) -> bool:
    return any(
        micros(chunk.start_at) <= at_us < micros(chunk.end_at)
        for chunk in row.chunks
        if chunk.state not in (ChunkState.REMOVED, ChunkState.DAMAGED)
    )


def rows_of(
    cameras: Mapping[StreamId, str], shown: Sequence[StreamId], chunks: Sequence[Chunk]
) -> tuple[CoverageRow, ...]:
    """Chunks sorted to the cameras on show."""
    return tuple(
        CoverageRow(
            stream_id,
            cameras.get(stream_id, ""),
            tuple(
                sorted(
                    (chunk for chunk in chunks if chunk.stream_id == stream_id),
                    key=lambda chunk: chunk.start_at,
                )
            ),
        )
        for stream_id in dict.fromkeys(shown)
    )
