"""Strips of a horse's tracks: a lane for every camera, a playhead with a handle that cuts.

Drag a strip out to give it to another horse; click the handle to split at the playhead; the wheel
zooms, dragging the ruler moves the playhead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

from engine.domain.identity import TrackStrip
from ui.registry.strip_axis import tick_step_s, tick_words, ticks, zoomed
from ui.registry.words import clock, counted, decided_word
from ui.theme import Theme, icon_pixmap, qcolor

NAMES_PX, RULER_PX, LANE_PX, BAR_PX = 92, 30, 30, 20
HANDLE_PX = 22
LEAST_BAR_PX = 3.0
KEY_STEP = 0.01


class StripView(QWidget):
    """``selected`` carries a strip or None; ``lifted`` a strip, its picture and where the mouse
    is (``carried`` and ``let_go`` follow); ``cut`` the instant of the playhead; ``moved`` the
    playhead's new place; ``reject_asked`` and ``assign_asked`` the selected strip."""

    selected = Signal(object)
    lifted = Signal(object, QPixmap, QPoint)
    carried = Signal(QPoint)
    let_go = Signal(QPoint)
    cut = Signal(object)
    moved = Signal(object)
    reject_asked = Signal(object)
    assign_asked = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.colour_hex = theme.tracks.hex[0]
        self._strips: tuple[TrackStrip, ...] = ()
        self._lanes: list[str] = []
        now = datetime.now(UTC)
        self._start, self._end = now - timedelta(hours=24), now
        self._playhead = now
        self._selected: TrackStrip | None = None
        self._pressed: TrackStrip | None = None
        self._press_at = QPoint()
        self._moving_head = False
        self._on_handle = False
        self._carrying = False
        self._zoomed = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumHeight(RULER_PX + LANE_PX)
        self.setAccessibleName(self.tr("Tracks of this horse"))

    # --- what is shown --------------------------------------------------------------------------

    @property
    def strips(self) -> tuple[TrackStrip, ...]:
        """What is on show, newest first."""
        return self._strips

    @property
    def playhead(self) -> datetime:
        """Where a cut would be."""
        return self._playhead

    @property
    def selection(self) -> TrackStrip | None:
        """The strip last clicked or reached by key."""
        return self._selected

    def show_strips(
        self, strips: Sequence[TrackStrip], start: datetime, end: datetime, colour_hex: str
    ) -> None:
        """Show tracks between two instants; a selection that is still there stays, and so does a
        window that a person zoomed to (until ``forget_zoom``)."""
        self._strips = tuple(strips)
        self.colour_hex = colour_hex
        self._lanes = sorted({s.stream_name for s in strips}, key=str.casefold)
        if not self._zoomed:
            self._start, self._end = start, max(end, start + timedelta(seconds=10))
        self._playhead = min(max(self._playhead, self._start), self._end)
        self._select(self._same(self._selected))
        self.setMinimumHeight(RULER_PX + max(len(self._lanes), 1) * LANE_PX + 4)
        self.update()

    def forget_zoom(self) -> None:
        """Show the whole window again with the next strips."""
        self._zoomed = False

    def _same(self, strip: TrackStrip | None) -> TrackStrip | None:
        """What a strip is called now: it may have grown, or been cut."""
        if strip is None:
            return None
        parts = [s for s in self._strips if s.track_id == strip.track_id]
        starting = (s for s in parts if s.start == strip.start)
        return next(starting, parts[0] if parts else None)

    def select(self, strip: TrackStrip | None) -> None:
        """Select a strip and bring the playhead into it."""
        self._select(strip)
        if strip is not None and not strip.start <= self._playhead <= strip.end:
            self.move_playhead(strip.start + (strip.end - strip.start) / 2)

    def _select(self, strip: TrackStrip | None) -> None:
        if strip != self._selected:
            self._selected = strip
            self.selected.emit(strip)
        self.update()

    def move_playhead(self, at: datetime) -> None:
        """Put the playhead at an instant of the window."""
        self._playhead = min(max(at, self._start), self._end)
        self.moved.emit(self._playhead)
        self.update()

    # --- places ---------------------------------------------------------------------------------

    def x_of(self, at: datetime) -> float:
        """Where an instant is, logical pixels."""
        share = (at - self._start) / (self._end - self._start)
        return NAMES_PX + share * (self.width() - NAMES_PX - HANDLE_PX / 2)

    def at_x(self, x: float) -> datetime:
        """The instant at a place."""
        share = (x - NAMES_PX) / max(self.width() - NAMES_PX - HANDLE_PX / 2, 1)
        return self._start + (self._end - self._start) * share

    def bar_of(self, strip: TrackStrip) -> QRectF:
        """The bar of a strip, cut to the window."""
        lane = self._lanes.index(strip.stream_name)
        left = max(self.x_of(strip.start), float(NAMES_PX))
        right = min(self.x_of(strip.end), self.width() - HANDLE_PX / 2)
        top = RULER_PX + lane * LANE_PX + (LANE_PX - BAR_PX) / 2
        return QRectF(left, top, max(right - left, LEAST_BAR_PX), BAR_PX)

    def handle(self) -> QRect:
        """The grip of the playhead."""
        x = round(self.x_of(self._playhead))
        return QRect(x - HANDLE_PX // 2, 4, HANDLE_PX, HANDLE_PX)

    def strip_at(self, point: QPoint) -> TrackStrip | None:
        """The strip under a point; short ones can be hit two pixels beside them."""
        hits = [s for s in self._visible() if _grown(self.bar_of(s)).contains(QPointF(point))]
        return min(hits, key=lambda s: s.end - s.start, default=None)

    def _visible(self) -> list[TrackStrip]:
        return [s for s in self._strips if s.end >= self._start and s.start <= self._end]

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ruler(painter)
        self._paint_lanes(painter)
        for strip in self._visible():
            self._paint_bar(painter, strip)
        if self._strips:
            self._paint_playhead(painter)
        painter.end()

    def _paint_ruler(self, painter: QPainter) -> None:
        theme = self.theme
        painter.setFont(theme.font(theme.measures.font_small))
        metrics = QFontMetricsF(painter.font())
        width = self.width() - NAMES_PX - HANDLE_PX / 2
        step_s = tick_step_s((self._end - self._start).total_seconds(), width, 64.0)
        for at in ticks(self._start, self._end, step_s):
            x = self.x_of(at)
            painter.setPen(QPen(theme.colour("line"), 1.0))
            painter.drawLine(QPointF(x, RULER_PX - 4), QPointF(x, self.height()))
            words = tick_words(at, step_s)
            half = metrics.horizontalAdvance(words) / 2 + 1
            place = QRectF(min(max(x - half, NAMES_PX), self.width() - 2 * half), 6, 2 * half, 18)
            if self._strips and place.intersects(QRectF(self.handle())):
                continue
            painter.setPen(theme.colour("muted"))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)

    def _paint_lanes(self, painter: QPainter) -> None:
        theme = self.theme
        metrics = QFontMetricsF(painter.font())
        for row, name in enumerate(self._lanes):
            top = RULER_PX + row * LANE_PX
            painter.setPen(QPen(theme.colour("line"), 1.0))
            painter.drawLine(QPointF(0, top), QPointF(self.width(), top))
            painter.setPen(theme.colour("muted"))
            place = QRectF(0, top, NAMES_PX - 8, LANE_PX)
            cut = metrics.elidedText(name, Qt.TextElideMode.ElideRight, place.width())
            flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(place, flags, cut)

    def _paint_bar(self, painter: QPainter, strip: TrackStrip) -> None:
        """Confidence is how full the colour is; what a person decided has a solid outline and a
        tick where there is room, what the computer decided has none."""
        theme, bar = self.theme, self.bar_of(strip)
        colour = qcolor(self.colour_hex)
        fill = QColor(colour)
        fill.setAlphaF(0.25 + 0.6 * min(max(strip.confidence, 0.0), 1.0))
        chosen = strip == self._selected
        person = strip.decided_by != "engine"
        painter.setBrush(fill)
        edge = theme.colour("text") if chosen else colour
        pen = QPen(edge, 2.0 if chosen else 1.0) if chosen or person else QPen(Qt.PenStyle.NoPen)
        painter.setPen(pen)
        radius = min(4.0, bar.width() / 2)
        painter.drawRoundedRect(bar, radius, radius)
        words = f"{strip.confidence:.2f}"
        painter.setFont(theme.font(theme.measures.font_small))
        room = bar.width() - (20 if person else 6)
        if person and bar.width() > 18:
            mark = icon_pixmap("check", theme.colour("text"), 12, self.devicePixelRatioF())
            painter.drawPixmap(QPointF(bar.left() + 4, bar.top() + 4), mark)
        if QFontMetricsF(painter.font()).horizontalAdvance(words) < room:
            painter.setPen(theme.colour("text"))
            place = bar.adjusted(18 if person else 2, 0, -2, 0)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)

    def _paint_playhead(self, painter: QPainter) -> None:
        theme, grip = self.theme, QRectF(self.handle())
        x = self.x_of(self._playhead)
        painter.setPen(QPen(theme.colour("accent"), 1.5))
        painter.drawLine(QPointF(x, grip.bottom()), QPointF(x, self.height()))
        painter.setBrush(theme.colour("accent"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(grip)
        mark = icon_pixmap("cut", theme.colour("accent_text"), 14, self.devicePixelRatioF())
        painter.drawPixmap(QPointF(grip.left() + 4, grip.top() + 4), mark)

    # --- mouse ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        point = event.position().toPoint()
        self._press_at, self._carrying = point, False
        self._on_handle = bool(self._strips) and self.handle().contains(point)
        self._pressed = None if self._on_handle else self.strip_at(point)
        self._moving_head = self._pressed is None and point.x() >= NAMES_PX - 4
        if self._pressed is not None:
            self.move_playhead(self.at_x(point.x()))
            self._select(self._pressed)
        elif self._moving_head and not self._on_handle:
            self.move_playhead(self.at_x(point.x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point, at = event.position().toPoint(), event.globalPosition().toPoint()
        if not event.buttons() & Qt.MouseButton.LeftButton:
            self._hover(point)
            return
        if self._carrying:
            self.carried.emit(at)
            return
        far = (point - self._press_at).manhattanLength() >= QApplication.startDragDistance()
        if self._pressed is not None and far:
            self._carrying = True
            self.lifted.emit(self._pressed, self._ghost(self._pressed), at)
        elif self._moving_head and (far or not self._on_handle):
            self._on_handle = False
            self.setCursor(Qt.CursorShape.SizeHorCursor)
            self.move_playhead(self.at_x(point.x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        carrying, on_handle = self._carrying, self._on_handle
        self._pressed, self._carrying = None, False
        self._moving_head = self._on_handle = False
        if carrying:
            self.let_go.emit(event.globalPosition().toPoint())
        elif on_handle:
            self.cut.emit(self._playhead)
        self._hover(event.position().toPoint())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The wheel zooms around the mouse; sideways it moves the window."""
        if not self._strips:
            return
        turned = event.angleDelta()
        self._zoomed = True
        if abs(turned.x()) > abs(turned.y()):
            step = (self._end - self._start) * (-turned.x() / 120 * 0.1)
            self._start, self._end = self._start + step, self._end + step
        else:
            around = self.at_x(event.position().x())
            factor = 0.8 ** (turned.y() / 120)
            self._start, self._end = zoomed(self._start, self._end, around, factor)
        self._playhead = min(max(self._playhead, self._start), self._end)
        self.update()
        event.accept()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            strip = self.strip_at(event.pos())
            words = self.words_of(strip) if strip is not None else ""
            if self._strips and self.handle().contains(event.pos()):
                words = self.tr("Split at {0}").format(clock(self._playhead))
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)

    def words_of(self, strip: TrackStrip) -> str:
        """Everything about a strip, for tooltip, caption and screen readers."""
        return " · ".join(
            (
                strip.stream_name,
                self.tr("track {0}").format(strip.number),
                f"{clock(strip.start)}–{clock(strip.end)}",
                counted(strip.detections, self.tr("detection"), self.tr("detections")),
                self.tr("confidence {0}").format(f"{strip.confidence:.2f}"),
                decided_word(strip.decided_by),
            )
        )

    def _hover(self, point: QPoint) -> None:
        if self._strips and self.handle().contains(point):
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        elif self.strip_at(point) is not None:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.unsetCursor()

    def _ghost(self, strip: TrackStrip) -> QPixmap:
        """A strip as it follows the mouse: its camera and time on its colour."""
        theme, ratio = self.theme, self.devicePixelRatioF()
        words = f"{strip.stream_name} {clock(strip.start, False)}–{clock(strip.end, False)}"
        font = theme.font(bold=True)
        width = round(QFontMetricsF(font).horizontalAdvance(words)) + 24
        pixmap = QPixmap(round(width * ratio), round(28 * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(theme.colour("raised"))
        painter = QPainter(pixmap)
        painter.fillRect(QRectF(0, 0, 4, 28), qcolor(self.colour_hex))
        painter.setFont(font)
        painter.setPen(theme.colour("text"))
        painter.drawText(QRectF(4, 0, width - 4, 28), Qt.AlignmentFlag.AlignCenter, words)
        painter.end()
        return pixmap

    # --- keyboard -------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = (self._end - self._start) * KEY_STEP
        match event.key():
            case Qt.Key.Key_Left:
                self.move_playhead(self._playhead - step)
            case Qt.Key.Key_Right:
                self.move_playhead(self._playhead + step)
            case Qt.Key.Key_Up | Qt.Key.Key_Down:
                self._step_selection(1 if event.key() == Qt.Key.Key_Down else -1)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self._selected is not None:
                self.assign_asked.emit(self._selected)
            case Qt.Key.Key_Delete if self._selected is not None:
                self.reject_asked.emit(self._selected)
            case Qt.Key.Key_X if self._strips:
                self.cut.emit(self._playhead)
            case _:
                super().keyPressEvent(event)

    def _step_selection(self, step: int) -> None:
        if not self._strips:
            return
        row = self._strips.index(self._selected) + step if self._selected in self._strips else 0
        self.select(self._strips[min(max(row, 0), len(self._strips) - 1)])


def _grown(bar: QRectF) -> QRectF:
    return bar.adjusted(-2, -2, 2, 2)
