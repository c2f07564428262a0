"""What the mouse does on the lanes: move the window, mark a range, move the cursor, reorder."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QApplication

from ui.timeline.cursor import instant, micros
from ui.timeline.lane_paint import CHEVRON_PX, NAMES_PX, RULER_PX
from ui.timeline.lanes import LaneRow

if TYPE_CHECKING:
    from ui.timeline.lane_view import LaneView

EDGE_PX = 5.0
PUSH_PX = 48


class _Doing(Enum):
    NOTHING = auto()
    PRESSED = auto()
    PANNING = auto()
    MARKING = auto()
    SCRUBBING = auto()
    LIFTING = auto()


class LaneHand:
    """Dragging on the lanes moves the window; on the ruler, with Shift, or while ``marks`` is on,
    it marks a range; an edge of the range is taken by dragging it; a name is dragged to another
    place."""

    def __init__(self, lanes: LaneView) -> None:
        self._lanes = lanes
        self.marks = False
        self.pointed: UUID | None = None
        self._doing = _Doing.NOTHING
        self._pressed = QPoint()
        self._start_us = 0
        self._anchor_us = 0
        self._lifted: LaneRow | None = None
        self._drop_y: int | None = None

    @property
    def busy(self) -> bool:
        """While something is dragged."""
        return self._doing not in (_Doing.NOTHING, _Doing.PRESSED)

    # --- press, move, release -------------------------------------------------------------------

    def press(self, event: QMouseEvent) -> None:
        """Begin whatever this may become."""
        lanes, point = self._lanes, event.position().toPoint()
        if event.button() is Qt.MouseButton.MiddleButton:
            self._begin_pan(point)
            return
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        self._pressed = point
        place = lanes.place()
        if point.x() < NAMES_PX:
            self._press_name(point)
            return
        edge = self._edge_at(point)
        if edge is not None:
            self._anchor_us, self._doing = edge, _Doing.MARKING
        elif point.y() < RULER_PX and abs(point.x() - place.x(lanes.head.at_us)) <= EDGE_PX:
            self._doing = _Doing.SCRUBBING
        else:
            self._doing = _Doing.PRESSED
            self._anchor_us = place.at_us(point.x())
            self._start_us = lanes.view.start_us

    def _press_name(self, point: QPoint) -> None:
        row = self._lanes.row_at(point.y())
        if row is None or row.subject is None:
            return
        if point.x() < CHEVRON_PX and not row.sub:
            self._lanes.toggled.emit(row.subject.id)
            return
        self._lifted = row
        self._lanes.select(row.subject.id)

    def move(self, event: QMouseEvent) -> None:
        """Go on with it."""
        lanes, point = self._lanes, event.position().toPoint()
        if not event.buttons() & (Qt.MouseButton.LeftButton | Qt.MouseButton.MiddleButton):
            self._hover(point)
            return
        far = (point - self._pressed).manhattanLength() >= QApplication.startDragDistance()
        if self._lifted is not None and far:
            self._doing = _Doing.LIFTING
        if self._doing is _Doing.PRESSED and far:
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            if shift or self.marks or self._pressed.y() < RULER_PX:
                self._doing = _Doing.MARKING
            else:
                self._begin_pan(self._pressed)
        place = lanes.place()
        x = min(max(float(point.x()), place.left), place.right)
        if self._doing is _Doing.PANNING:
            moved_us = round((point.x() - self._pressed.x()) * place.us_per_px)
            start_us = self._start_us - moved_us
            lanes.view.show(start_us, start_us + lanes.view.span_us)
        elif self._doing is _Doing.MARKING:
            self._push(point, place.left, place.right)
            lanes.head.mark(instant(self._anchor_us), instant(lanes.place().at_us(x)))
        elif self._doing is _Doing.SCRUBBING:
            lanes.head.move_to(instant(place.at_us(x)))
        elif self._doing is _Doing.LIFTING:
            self._drop_y = point.y()
            lanes.repaint_soon()

    def _push(self, point: QPoint, left: float, right: float) -> None:
        """Marking beyond the edge of the window moves the window."""
        view = self._lanes.view
        if point.x() > right:
            view.pan(view.span_us // PUSH_PX)
        elif point.x() < left:
            view.pan(-view.span_us // PUSH_PX)

    def _begin_pan(self, point: QPoint) -> None:
        self._doing = _Doing.PANNING
        self._pressed = point
        self._start_us = self._lanes.view.start_us
        self._lanes.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)

    def release(self, event: QMouseEvent) -> None:
        """End it; a press without a drag moves the cursor."""
        lanes, point, did = self._lanes, event.position().toPoint(), self._doing
        self._doing = _Doing.NOTHING
        lifted, self._lifted = self._lifted, None
        if did is _Doing.PRESSED:
            lanes.head.move_to(instant(lanes.place().at_us(point.x())))
            row = lanes.row_at(point.y())
            if row is not None and row.subject is not None:
                lanes.select(row.subject.id)
        elif did is _Doing.LIFTING and lifted is not None and lifted.subject is not None:
            before = self._before(point.y(), lifted)
            lanes.moved_lane.emit(lifted.subject.id, before)
        self._drop_y = None
        self._hover(point)
        lanes.repaint_soon()

    def double_click(self, event: QMouseEvent) -> None:
        """A name opens or closes its lane; a run is marked from its start to its end."""
        lanes, point = self._lanes, event.position()
        row = lanes.row_at(point.y())
        if point.y() < RULER_PX:
            bookmark = lanes.bookmark_at(point.x())
            if bookmark is not None:
                lanes.head.mark(bookmark.start_at, bookmark.end_at)
            return
        if row is None or row.subject is None:
            return
        if point.x() < NAMES_PX:
            if point.x() >= CHEVRON_PX:
                lanes.toggled.emit(row.subject.id)
            return
        hit = lanes.hit(row, lanes.place().at_us(point.x()))
        if hit is not None:
            lanes.head.mark(instant(hit.start_us), instant(hit.end_us))

    def leave(self) -> None:
        """The mouse is elsewhere."""
        if self.pointed is not None:
            self.pointed = None
            self._lanes.repaint_soon()

    # --- places ---------------------------------------------------------------------------------

    def _edge_at(self, point: QPoint) -> int | None:
        """The end of the marked range opposite to the one under the mouse."""
        marked, place = self._lanes.head.range, self._lanes.place()
        if marked is None:
            return None
        start_us, end_us = micros(marked.start_at), micros(marked.end_at)
        for here, there in ((start_us, end_us), (end_us, start_us)):
            if abs(place.x(here) - point.x()) <= EDGE_PX:
                return there
        return None

    def _before(self, y: int, lifted: LaneRow) -> UUID | None:
        """The subject that a dropped lane comes before: of its own kind, None for the end."""
        assert lifted.subject is not None
        rest = [
            row
            for row in self._lanes.rows
            if row.subject is not None
            and not row.sub
            and row.subject.camera == lifted.subject.camera
        ]
        inside = y - RULER_PX + self._lanes.scroll_y
        following = (r for r in rest if inside < r.y + r.height / 2)
        found = next(following, None)
        return found.subject.id if found is not None and found.subject is not None else None

    def _hover(self, point: QPoint) -> None:
        lanes = self._lanes
        row = lanes.row_at(point.y()) if point.x() < NAMES_PX else None
        pointed = row.subject.id if row is not None and row.subject is not None else None
        if pointed != self.pointed:
            self.pointed = pointed
            lanes.repaint_soon()
        shape = Qt.CursorShape.ArrowCursor
        if point.x() >= NAMES_PX:
            if self._edge_at(point) is not None:
                shape = Qt.CursorShape.SizeHorCursor
            elif point.y() < RULER_PX or self.marks:
                shape = Qt.CursorShape.IBeamCursor
        elif pointed is not None:
            shape = Qt.CursorShape.PointingHandCursor
        lanes.viewport().setCursor(shape)

    def paint(self, painter: QPainter) -> None:
        """Where a lifted lane would be put."""
        if self._drop_y is None or self._lifted is None:
            return
        lanes = self._lanes
        before = self._before(self._drop_y, self._lifted)
        rows = [r for r in lanes.rows if r.subject is not None and not r.sub]
        at = next((r.y for r in rows if r.subject and r.subject.id == before), None)
        if at is None:
            own = [r for r in lanes.rows if r.subject and self._lifted.subject
                   and r.subject.camera == self._lifted.subject.camera]  # fmt: skip
            at = own[-1].y + own[-1].height
        y = at + RULER_PX - lanes.scroll_y
        painter.setPen(QPen(lanes.painter.theme.colour("accent"), 2.0))
        painter.drawLine(QPointF(4, y), QPointF(NAMES_PX - 8, y))
