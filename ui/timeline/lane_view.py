"""The lanes: painted from tiles at hand, zoomed by the wheel, moved and marked by the mouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from uuid import UUID

from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip, QWidget

from engine.domain.recording import Bookmark
from engine.runtime.meters import Distribution
from ui.theme import Theme
from ui.timeline.axis import Tick, TickShelf, day_words, tick_step_us, zone_words
from ui.timeline.cursor import TimeCursor, micros
from ui.timeline.lane_hand import LaneHand
from ui.timeline.lane_paint import NAMES_PX, RIGHT_PX, RULER_PX, LanePainter, Place, place_of
from ui.timeline.lane_picture import Frame, LanePicture, draw
from ui.timeline.lane_tile import LaneTile, Runs
from ui.timeline.lanes import LaneRow, row_at, total_px
from ui.timeline.raster import Paints
from ui.timeline.stacks import Stack
from ui.timeline.tile_grid import TileKey, level_for
from ui.timeline.tile_loader import TileLoader
from ui.timeline.time_view import TimeView
from ui.timeline.words import cursor_words, length_words

TICK_ROOM_PX = 76.0
ZOOM_STEP = 0.8
SCROLL_PX = 40
HIT_PX = 4.0
FLAG_PX = 12.0
TILES_JOINED = 32


@dataclass(frozen=True, slots=True)
class Hit:
    """What is at a place of a lane: from when to when, and where in which row of which tile."""

    start_us: int
    end_us: int
    runs: Runs | Stack
    index: int
    tile: TileKey

    def goes_on(self, other: Hit) -> bool:
        """Whether both are runs of the same mark."""
        mine, theirs = self.runs, other.runs
        if isinstance(mine, Stack) or isinstance(theirs, Stack):
            return False
        return bool(mine.mark[self.index] == theirs.mark[other.index])

    def cut_at(self, at_us: int) -> bool:
        """Whether it meets the edge of its tile at an instant."""
        return at_us in (self.start_us, self.end_us) and at_us in (
            self.tile.start_us,
            self.tile.end_us,
        )


class LaneView(QAbstractScrollArea):
    """``chosen`` carries the subject clicked or reached by key (None: none); ``toggled`` one whose
    lane is to open or close; ``moved_lane`` a subject and the one it is put before (None: last);
    ``menu_asked`` where, with the bookmark there (or None)."""

    chosen = Signal(object)
    toggled = Signal(object)
    moved_lane = Signal(object, object)
    menu_asked = Signal(QPoint, object)

    def __init__(
        self,
        view: TimeView,
        cursor: TimeCursor,
        tiles: TileLoader[LaneTile],
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.view, self.head, self.tiles = view, cursor, tiles
        self.zone: tzinfo | None = None
        self.zone_name = ""
        self.tell: Callable[[LaneRow, int], str] = lambda _row, _at_us: ""
        self.rows: list[LaneRow] = []
        self.selected: UUID | None = None
        self.bookmarks: tuple[Bookmark, ...] = ()
        self.paint_ms = Distribution(keep=4096)
        self._picture: LanePicture | None = None
        self._made_of: tuple[object, ...] = ()
        self._ticks = TickShelf()
        self._names = QPixmap()
        self._names_of: tuple[object, ...] = ()
        self._arranged = 0
        self.hand = LaneHand(self)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Timeline lanes"))
        self.set_theme(theme)
        for changed in (view.changed, tiles.arrived, cursor.moved, cursor.range_changed):
            changed.connect(self.repaint_soon)

    # --- what is shown --------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self.painter = LanePainter(theme)
        self.paints = Paints(theme)
        self._arranged += 1
        self.repaint_soon()

    def set_rows(self, rows: Sequence[LaneRow]) -> None:
        """Show other lanes."""
        self.rows = list(rows)
        self._arranged += 1
        self._set_scroll()
        self.repaint_soon()

    def select(self, subject: UUID | None) -> None:
        """Mark a lane as the one that plots and keys are about."""
        if subject != self.selected:
            self.selected = subject
            self.chosen.emit(subject)
        row = next((r for r in self.rows if r.subject and r.subject.id == subject), None)
        if row is not None:
            self._show_row(row)
        self.repaint_soon()

    def set_bookmarks(self, bookmarks: Sequence[Bookmark]) -> None:
        """Show other bookmarks on the ruler."""
        self.bookmarks = tuple(bookmarks)
        self.repaint_soon()

    def bookmark_at(self, x: float) -> Bookmark | None:
        """The bookmark under a place of the ruler, the shortest of several."""
        place = self.place()
        hits = (
            b
            for b in self.bookmarks
            if place.x(micros(b.start_at)) - 2
            <= x
            <= max(place.x(micros(b.end_at)), place.x(micros(b.start_at)) + FLAG_PX)
        )
        return min(hits, key=lambda b: b.end_at - b.start_at, default=None)

    def repaint_soon(self, *_what: object) -> None:
        """Paint with the next frame."""
        self.viewport().update()

    @property
    def scroll_y(self) -> int:
        """How far the lanes are scrolled down, pixels."""
        return self.verticalScrollBar().value()

    def place(self) -> Place:
        """Where time lies in the viewport."""
        right = max(self.width() - RIGHT_PX, NAMES_PX + 1)
        return place_of(self.view.start_us, self.view.span_us, float(NAMES_PX), float(right))

    def row_at(self, y: float) -> LaneRow | None:
        """The row at a height of the viewport."""
        if y < RULER_PX:
            return None
        return row_at(self.rows, round(y) - RULER_PX + self.scroll_y)

    def hit(self, row: LaneRow, at_us: int) -> Hit | None:
        """The run of a row at an instant; very short ones are hit a few pixels beside them. One
        that tiles cut is told whole."""
        near = round(HIT_PX * self.place().us_per_px)
        found = (self._hit(row, at_us + offset) for offset in (0, -near, near))
        hit = next((one for one in found if one is not None), None)
        if hit is None or isinstance(hit.runs, Stack):
            return hit
        start_us, end_us = hit.start_us, hit.end_us
        for _ in range(TILES_JOINED):
            before, after = self._hit(row, start_us - 1), self._hit(row, end_us)
            if before is not None and before.goes_on(hit) and before.cut_at(start_us):
                start_us = before.start_us
            elif after is not None and after.goes_on(hit) and after.cut_at(end_us):
                end_us = after.end_us
            else:
                break
        return replace(hit, start_us=start_us, end_us=end_us)

    def _hit(self, row: LaneRow, at_us: int) -> Hit | None:
        if row.subject is None:
            return None
        level = level_for(self.place().us_per_px)
        for piece in self.tiles.pieces(level, at_us, at_us + 1):
            runs = piece.value.rows.get((row.subject.id, row.row))
            index = runs.at(at_us) if runs is not None else None
            if runs is not None and index is not None:
                bounds = (int(runs.start_us[index]), int(runs.end_us[index]))
                return Hit(*bounds, runs, index, piece.key)
        return None

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        began_s = time.perf_counter()
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint(painter)
        painter.end()
        self.paint_ms.add((time.perf_counter() - began_s) * 1000.0)

    def _paint(self, painter: QPainter) -> None:
        place, theme, own = self.place(), self.painter.theme, self.painter
        port = self.viewport().rect()
        own.right, own.ratio = place.right, self.devicePixelRatioF()
        painter.fillRect(port, theme.colour("background"))
        bottom = float(min(port.height(), RULER_PX + total_px(self.rows) - self.scroll_y))
        dy = RULER_PX - self.scroll_y
        shown = [r for r in self.rows if r.y + r.height + dy > RULER_PX and r.y + dy < bottom]
        step_us = tick_step_us(self.view.span_us, place.right - place.left, TICK_ROOM_PX)
        marks = self._ticks.of(self.view.start_us, self.view.end_us, step_us, self.zone)
        painter.setClipRect(0, RULER_PX, port.width(), port.height() - RULER_PX)
        own.wells(painter, shown, place, dy)
        picture = self._current_picture(place, shown)
        painter.drawImage(QPointF(place.left, RULER_PX), picture.image)
        painter.setClipRect(
            round(place.left), RULER_PX, round(place.right - place.left), port.height() - RULER_PX
        )
        own.grid(painter, place, marks, RULER_PX, bottom)
        own.words(painter, picture, place, RULER_PX)
        own.markers(painter, picture.markers, place.left, RULER_PX)
        now_x = place.x(self.view.now_us)
        if now_x < place.right:
            own.now(painter, max(now_x, place.left), place.right, bottom)
        painter.setClipping(False)
        painter.drawPixmap(0, RULER_PX, self._current_names(shown, dy))
        self._paint_ruler(painter, place, marks, bottom)
        self.hand.paint(painter)

    def _paint_ruler(
        self, painter: QPainter, place: Place, marks: Sequence[Tick], bottom: float
    ) -> None:
        own, view = self.painter, self.view
        day = day_words(view.start_us + view.span_us // 2, self.zone)
        zone = zone_words(view.start_us, view.end_us, self.zone, self.zone_name)
        own.ruler(painter, place, marks, day, zone)
        painter.setPen(own.theme.colour("line"))
        painter.drawLine(0, RULER_PX - 1, self.viewport().width(), RULER_PX - 1)
        flags = []
        for mark in self.bookmarks:
            left, right = (place.x(micros(at)) for at in (mark.start_at, mark.end_at))
            if right > place.left and left < place.right:
                left, right = max(left, place.left), min(right, place.right)
                flags.append((left, right, mark.title, mark.locked))
        own.flags(painter, flags)
        marked = self.head.range
        if marked is not None:
            left, right = (place.x(micros(at)) for at in (marked.start_at, marked.end_at))
            if right > place.left and left < place.right:
                left, right = max(left, place.left), min(max(right, left + 1), place.right)
                words = length_words(round(marked.seconds * 1e6))
                own.marked(painter, left, right, bottom, words)
        x = place.x(self.head.at_us)
        if place.left <= x <= place.right:
            words = cursor_words(self.head.at_us, place.us_per_px, self.zone)
            own.cursor(painter, x, bottom, words)

    def _current_names(self, shown: Sequence[LaneRow], dy: int) -> QPixmap:
        """The column of names, painted again only when something about it changed."""
        port, ratio = self.viewport(), self.devicePixelRatioF()
        size = QSize(NAMES_PX, max(port.height() - RULER_PX, 1))
        made_of = (size, dy, self.selected, self.hand.pointed, self._arranged, ratio)
        if made_of != self._names_of:
            self._names_of = made_of
            self._names = QPixmap(size * ratio)
            self._names.setDevicePixelRatio(ratio)
            self._names.fill(self.painter.theme.colour("background"))
            painter = QPainter(self._names)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self.painter.names(painter, shown, dy - RULER_PX, self.selected, self.hand.pointed)
            painter.end()
        return self._names

    def _current_picture(self, place: Place, shown: Sequence[LaneRow]) -> LanePicture:
        """The lanes of the window, drawn again only when something about them changed."""
        port = self.viewport()
        frame = Frame(
            place.start_us,
            place.us_per_px,
            round(place.right - place.left),
            port.height() - RULER_PX,
            self.scroll_y,
            self.devicePixelRatioF(),
        )
        made_of = (frame, self.tiles.version, self._arranged)
        if self._picture is None or made_of != self._made_of:
            level = level_for(place.us_per_px)
            pieces = self.tiles.pieces(level, self.view.start_us, self.view.end_us)
            self._picture = draw(frame, shown, pieces, self.paints)
            self._made_of = made_of
        return self._picture

    # --- scrolling ------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_scroll()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.repaint_soon()

    def sizeHint(self) -> QSize:
        return QSize(900, RULER_PX + max(total_px(self.rows), 120))

    def _set_scroll(self) -> None:
        room = max(self.viewport().height() - RULER_PX, 1)
        bar = self.verticalScrollBar()
        bar.setRange(0, max(total_px(self.rows) - room, 0))
        bar.setPageStep(room)
        bar.setSingleStep(SCROLL_PX)

    def _show_row(self, row: LaneRow) -> None:
        bar, room = self.verticalScrollBar(), self.viewport().height() - RULER_PX
        if row.y < bar.value():
            bar.setValue(row.y)
        elif row.y + row.height > bar.value() + room:
            bar.setValue(row.y + row.height - room)

    # --- mouse ----------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the mouse; over the names scroll; sideways, or with Shift, move in time."""
        turned, point = event.angleDelta(), event.position()
        if point.x() < NAMES_PX or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            bar = self.verticalScrollBar()
            bar.setValue(bar.value() - round(turned.y() / 120 * SCROLL_PX))
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier or (
            abs(turned.x()) > abs(turned.y())
        ):
            notches = (turned.x() or turned.y()) / 120
            self.view.pan(-round(notches * self.view.span_us * 0.1))
        else:
            self.view.zoom(ZOOM_STEP ** (turned.y() / 120), self.place().at_us(point.x()))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.hand.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.hand.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.hand.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.hand.double_click(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_asked.emit(event.globalPos(), self._mark_on_ruler(event.pos()))

    def _mark_on_ruler(self, point: QPoint) -> Bookmark | None:
        return self.bookmark_at(point.x()) if point.y() < RULER_PX else None

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.hand.leave()
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            row = self.row_at(event.pos().y())
            words = ""
            mark = self._mark_on_ruler(event.pos())
            if mark is not None:
                words = "\n".join(part for part in (mark.title, mark.note) if part)
            if row is not None and event.pos().x() >= NAMES_PX:
                words = self.tell(row, self.place().at_us(event.pos().x()))
            QToolTip.showText(event.globalPos(), words, self.viewport())
            return True
        return super().viewportEvent(event)
