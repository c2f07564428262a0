"""The strip above the lanes: where the window lies among the days around it, with a brush."""

from __future__ import annotations

from datetime import tzinfo
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.domain.behaviour import LaneKind
from ui.theme import Theme
from ui.timeline.axis import DAY_US, SECOND_US, tick_step_us, ticks
from ui.timeline.lane_paint import MIDDLE_LEFT, NAMES_PX, RIGHT_PX, Place, place_of
from ui.timeline.lane_tile import LaneTile
from ui.timeline.marks import Mark
from ui.timeline.raster import Columns, codes, columns_of, presence
from ui.timeline.tile_grid import TileKey, covering, level_for
from ui.timeline.tile_loader import TileLoader
from ui.timeline.time_view import MOST_US, TimeView

HEIGHT_PX = 52
TICKS_PX = 16
BRUSH_PX = 8.0
GRIP_PX = 6.0
CONTEXTS_US = (DAY_US, 7 * DAY_US, 30 * DAY_US, MOST_US)
AROUND = 8
"""The strip shows at least so many times what the window shows, where it can."""
ZOOM_STEP = 0.8
ALERT_PX = 7
AREA_OPACITY = 0.6


class _Grip(Enum):
    NOTHING = auto()
    MIDDLE = auto()
    LEFT = auto()
    RIGHT = auto()


def context_of(start_us: int, end_us: int, now_us: int) -> tuple[int, int]:
    """What the strip shows around a window: the newest day, week, month or three months that is
    long enough, further back where the window lies further back."""
    length = end_us - start_us
    context = next((c for c in CONTEXTS_US if c >= length * AROUND), CONTEXTS_US[-1])
    last = now_us + context // 50
    if start_us >= last - context:
        return last - context, last
    middle = (start_us + end_us) // 2
    first = min(middle - context // 2, last - context)
    return first, first + context


class Overview(QWidget):
    """Drag the brush to move the window, its edges to widen it; press beside it to go there."""

    def __init__(
        self,
        view: TimeView,
        tiles: TileLoader[LaneTile],
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.view, self.tiles, self.theme = view, tiles, theme
        self.zone: tzinfo | None = None
        self._context = context_of(view.start_us, view.end_us, view.now_us)
        self._grip = _Grip.NOTHING
        self._press_x = 0.0
        self._pressed = (view.start_us, view.end_us)
        self._made_of: tuple[object, ...] = ()
        self._heights = np.zeros(0)
        self._alerts: list[tuple[int, Mark]] = []
        self._dark: NDArray[np.bool_] = np.zeros(0, bool)
        self._most = 0
        self._painted = QPixmap()
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Overview"))
        self.setToolTip(self.tr("Drag the frame to move in time, its edges to see more or less."))
        view.changed.connect(self._on_view)
        tiles.arrived.connect(self.update)

    # --- what is shown --------------------------------------------------------------------------

    @property
    def context(self) -> tuple[int, int]:
        """What the strip shows, microseconds since 1970 UTC."""
        return self._context

    def keys(self) -> list[TileKey]:
        """The tiles it is drawn from."""
        start_us, end_us = self._context
        return covering(level_for(self.place().us_per_px), start_us, end_us)

    def place(self) -> Place:
        """Where time lies in the strip."""
        start_us, end_us = self._context
        right = max(self.width() - RIGHT_PX, NAMES_PX + 1)
        return place_of(start_us, end_us - start_us, float(NAMES_PX), float(right))

    def brush(self) -> QRectF:
        """The frame around what the lanes show; wide enough to take hold of."""
        place = self.place()
        left, right = place.x(self.view.start_us), place.x(self.view.end_us)
        if right - left < BRUSH_PX:
            middle = (left + right) / 2
            left, right = middle - BRUSH_PX / 2, middle + BRUSH_PX / 2
        left, right = max(left, place.left - 2), min(right, place.right + 2)
        return QRectF(left, 1, max(right - left, BRUSH_PX), HEIGHT_PX - TICKS_PX - 2)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self.theme = theme
        self.update()

    def _on_view(self) -> None:
        if self._grip is _Grip.NOTHING:
            self._context = self._fitting()
        self.update()

    def _fitting(self) -> tuple[int, int]:
        """What to show around the window: the same as before while the window lies well in it."""
        view, (first, last) = self.view, self._context
        wanted = context_of(view.start_us, view.end_us, view.now_us)
        length, room = last - first, (last - first) // 200
        same = abs(wanted[1] - wanted[0] - length) < SECOND_US
        newest = abs(wanted[1] - last) <= room or view.end_us < last - 20 * room
        if same and newest and first <= view.start_us and view.end_us <= last + room:
            return self._context
        return wanted

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        place = self.place()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._strip(place))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_brush(painter, place)
        painter.end()

    def _strip(self, place: Place) -> QPixmap:
        """Everything but the brush, painted again only when it changed."""
        ratio = self.devicePixelRatioF()
        looks = (self.size(), self.theme.name, ratio, self.zone)
        made_of = (self._context, self.tiles.version, looks)
        if made_of != self._made_of:
            self._made_of = made_of
            self._sum_up(place)
            self._painted = QPixmap(self.size() * ratio)
            self._painted.setDevicePixelRatio(ratio)
            painter = QPainter(self._painted)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_ground(painter, place)
            self._paint_presence(painter, place)
            painter.end()
        return self._painted

    def _paint_ground(self, painter: QPainter, place: Place) -> None:
        theme, bottom = self.theme, HEIGHT_PX - TICKS_PX
        painter.fillRect(self.rect(), theme.colour("background"))
        wide = place.right - place.left
        painter.fillRect(QRectF(place.left, 2, wide, bottom - 4), theme.colour("well"))
        start_us, end_us = self._context
        painter.setFont(theme.font(theme.measures.font_small))
        painter.setPen(theme.colour("muted"))
        days = _days(end_us - start_us)
        words = self.tr("seen in {0} days").format(days) if days > 1 else self.tr("seen in 24 h")
        painter.drawText(QRectF(12, 2, NAMES_PX - 20, bottom - 4), MIDDLE_LEFT, words)
        metrics = QFontMetricsF(painter.font())
        step_us = tick_step_us(end_us - start_us, wide, 72.0)
        last = place.left - 8
        for tick in ticks(start_us, end_us, step_us, self.zone):
            x = place.x(tick.at_us)
            room = metrics.horizontalAdvance(tick.words)
            left = min(max(x - room / 2, place.left), place.right - room)
            painter.setPen(QPen(theme.colour("line"), 1.0))
            painter.drawLine(QPointF(x, 2), QPointF(x, bottom))
            if left > last + 6:
                painter.setPen(theme.colour("muted"))
                painter.drawText(QRectF(left, bottom, room + 2, TICKS_PX), MIDDLE_LEFT, tick.words)
                last = left + room

    def _paint_presence(self, painter: QPainter, place: Place) -> None:
        """How many horses were seen, as an area; hatched where no camera gave a picture."""
        theme, bottom = self.theme, HEIGHT_PX - TICKS_PX - 2.0
        painter.setPen(Qt.PenStyle.NoPen)
        hatch = QBrush(theme.timeline_colour("no_data"), Qt.BrushStyle.BDiagPattern)
        for first, last in _stretches(self._dark):
            wide = max(last - first, 1)
            painter.fillRect(QRectF(place.left + first, 2, wide, bottom - 2), hatch)
        canvas = self._drawn(round(bottom - 2))
        image = QImage(
            canvas.data,
            canvas.shape[1],
            canvas.shape[0],
            canvas.strides[0],
            QImage.Format.Format_ARGB32_Premultiplied,
        )
        painter.drawImage(QPointF(place.left, 2), image)

    def _drawn(self, height: int) -> NDArray[np.uint32]:
        """The area of horses with alerts over it, premultiplied ARGB (height, W)."""
        theme = self.theme
        canvas = np.zeros((height, max(len(self._heights), 1)), np.uint32)
        if self._most:
            tall = np.rint(self._heights / self._most * (height - ALERT_PX))
            area = np.arange(height, 0, -1)[:, None] <= tall[None, :]
            canvas[area] = _packed(theme.colour("information"), AREA_OPACITY)
        for mark, colour in ((Mark.WARNING, "warning"), (Mark.CRITICAL, "critical")):
            columns = [column for column, of in self._alerts if of is mark]
            canvas[:ALERT_PX, columns] = _packed(theme.timeline_colour(colour), 1.0)
        return canvas

    def _paint_brush(self, painter: QPainter, place: Place) -> None:
        theme, brush = self.theme, self.brush()
        veil = QColor(theme.colour("background"))
        veil.setAlpha(130)
        painter.fillRect(QRectF(place.left, 2, brush.left() - place.left, brush.height()), veil)
        painter.fillRect(
            QRectF(brush.right(), 2, place.right - brush.right(), brush.height()), veil
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.colour("accent"), 1.5))
        painter.drawRoundedRect(brush, 3, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("accent"))
        for x in (brush.left(), brush.right()):
            grip = QRectF(x - 2, brush.center().y() - 7, 4, 14)
            painter.drawRoundedRect(grip, 2, 2)

    def _sum_up(self, place: Place) -> None:
        """Count horses by pixel column."""
        start_us, end_us = self._context
        width = max(round(place.right - place.left), 1)
        columns: Columns = columns_of(start_us, place.us_per_px, width)
        level = level_for(place.us_per_px)
        pieces = self.tiles.pieces(level, start_us, end_us)
        seen, alerts = np.zeros(width), np.zeros(width, np.uint8)
        horses = set()
        for piece in pieces:
            for (subject, row), runs in piece.value.rows.items():
                part = [(runs, piece.start_us, piece.end_us)]
                if row is LaneKind.SEEN and subject not in piece.value.cameras:
                    seen += presence(part, columns)
                    horses.add(subject)
                elif row is LaneKind.ALERT:
                    alerts = np.maximum(alerts, codes(part, columns))
        dark = codes([(p.value.dark, p.start_us, p.end_us) for p in pieces], columns)
        self._heights, self._most, self._dark = seen, len(horses), dark != 0
        firsts = np.flatnonzero(np.diff(np.r_[0, alerts]) > 0)
        self._alerts = [(int(f), Mark(int(alerts[f]))) for f in firsts]

    # --- mouse ----------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(900, HEIGHT_PX)

    def _grip_at(self, x: float) -> _Grip:
        brush = self.brush()
        inside = brush.width() > 3 * GRIP_PX
        if abs(x - brush.left()) <= GRIP_PX and (inside or x < brush.left()):
            return _Grip.LEFT
        if abs(x - brush.right()) <= GRIP_PX and (inside or x > brush.right()):
            return _Grip.RIGHT
        return _Grip.MIDDLE if brush.left() <= x <= brush.right() else _Grip.NOTHING

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        grip = self._grip_at(x)
        if grip is _Grip.NOTHING:
            half = self.view.span_us // 2
            middle = self.place().at_us(x)
            self._grip = _Grip.MIDDLE
            self.view.show(middle - half, middle + half)
        self._grip = grip if grip is not _Grip.NOTHING else _Grip.MIDDLE
        self._press_x = x
        self._pressed = (self.view.start_us, self.view.end_us)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._grip is _Grip.NOTHING:
            shapes = {
                _Grip.MIDDLE: Qt.CursorShape.OpenHandCursor,
                _Grip.LEFT: Qt.CursorShape.SizeHorCursor,
                _Grip.RIGHT: Qt.CursorShape.SizeHorCursor,
            }
            self.setCursor(shapes.get(self._grip_at(x), Qt.CursorShape.PointingHandCursor))
            return
        by_us = round((x - self._press_x) * self.place().us_per_px)
        start_us, end_us = self._pressed
        if self._grip is _Grip.MIDDLE:
            self.view.show(start_us + by_us, end_us + by_us)
        elif self._grip is _Grip.LEFT:
            self.view.show(min(start_us + by_us, end_us - 1), end_us)
        else:
            self.view.show(start_us, max(end_us + by_us, start_us + 1))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = _Grip.NOTHING
        self._on_view()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom the window about its middle."""
        middle = self.view.start_us + self.view.span_us // 2
        self.view.zoom(ZOOM_STEP ** (event.angleDelta().y() / 120), middle)
        event.accept()


def _stretches(on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[False, on, False].astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _packed(colour: QColor, opacity: float) -> int:
    """Premultiplied ARGB."""
    red, green, blue = (round(c * opacity) for c in (colour.red(), colour.green(), colour.blue()))
    return round(255 * opacity) << 24 | red << 16 | green << 8 | blue


def _days(length_us: int) -> int:
    """Whole days, without the room after now."""
    return min(length_us // DAY_US, 90)
