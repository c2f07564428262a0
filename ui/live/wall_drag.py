"""Rearranging the wall by hand: swapping places, or moving and sizing free ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QPainter, QPixmap

from ui.live.arrangement import FREE_CELLS, Arrangement, Layout, Rect

if TYPE_CHECKING:
    from ui.live.wall import Wall

HANDLE_PX = 18


class WallDrag:
    """One drag at a time. ``lifted`` is the place being dragged, ``target`` the one under it."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._pressed: int | None = None
        self._from = QPoint()
        self._at = QPoint()
        self._active = False
        self._resize = False
        self._before: Arrangement | None = None
        self._ghost: QPixmap | None = None

    @property
    def going(self) -> bool:
        """True while something is being dragged."""
        return self._active

    @property
    def lifted(self) -> int | None:
        """The place that is being dragged in a square layout."""
        return self._pressed if self._active and not self._free else None

    @property
    def target(self) -> int | None:
        """The place a drop would exchange with."""
        if not self._active or self._free:
            return None
        target = self._wall.position_at(self._at)
        return target if target != self._pressed else None

    @property
    def _free(self) -> bool:
        return self._wall.arrangement.layout is Layout.FREE

    def press(self, position: int, point: QPoint) -> None:
        """The button went down on a place."""
        self._pressed, self._from, self._at = position, point, point
        self._resize = self._free and self._on_handle(position, point)

    def move(self, point: QPoint, pressed: bool) -> None:
        """The mouse moved; starts the drag once it went far enough."""
        self._at = point
        if not pressed:
            self._hover(point)
            return
        if self._pressed is None:
            return
        if not self._active:
            distance = (point - self._from).manhattanLength()
            if distance < self._wall.drag_distance() or not self._may_start():
                return
            self._start()
        if self._free:
            self._wall.set_arrangement(self._dragged_free(self._pressed))
        else:
            self._wall.update()

    def release(self, point: QPoint) -> bool:
        """The button went up; True if this ended a drag (so it was no click)."""
        self._at = point
        active, pressed, target, before = self._active, self._pressed, self.target, self._before
        self._reset()
        if not active or pressed is None or before is None:
            return False
        if self._free:
            after = self._wall.arrangement
            self._wall.set_arrangement(before)
            self._wall.apply_by_hand(after)
        elif target is not None:
            self._wall.apply_by_hand(before.swapped(pressed, target))
            self._wall.select(target)
        self._wall.update()
        return True

    def cancel(self) -> bool:
        """Put everything back; True if a drag was going on."""
        active, before = self._active, self._before
        self._reset()
        if active and before is not None:
            self._wall.set_arrangement(before)
        return active

    def nudge(self, position: int, step: tuple[int, int], resize: bool) -> None:
        """Move or size a free place by one cell (keyboard)."""
        arrangement = self._wall.arrangement
        if position >= len(arrangement.free):
            return
        cell = arrangement.free[position]
        dx, dy = step
        moved = (
            Rect(cell.x, cell.y, cell.width + dx, cell.height + dy)
            if resize
            else Rect(cell.x + dx, cell.y + dy, cell.width, cell.height)
        )
        self._wall.apply_by_hand(arrangement.with_free_rect(position, moved))

    def paint(self, painter: QPainter) -> None:
        """Draw the picture that follows the mouse, and the handle of a free place."""
        if self._active and self._ghost is not None:
            painter.setOpacity(0.85)
            size = self._ghost.deviceIndependentSize().toSize()
            painter.drawPixmap(
                self._at - QPoint(size.width() // 2, size.height() // 2), self._ghost
            )
            painter.setOpacity(1.0)
        selection = self._wall.selection
        if self._free and selection in self._wall.rects and self._wall.maximised is None:
            corner = self._handle(self._wall.rects[selection]).bottomRight()
            painter.setPen(self._wall.theme.colour("accent"))
            for inset in (4, 8, 12):
                painter.drawLine(
                    corner.x() - inset - 3, corner.y() - 4, corner.x() - 4, corner.y() - inset - 3
                )

    def _may_start(self) -> bool:
        return self._pressed is not None and self._wall.tile_at(self._pressed) is not None

    def _start(self) -> None:
        self._active = True
        self._before = self._wall.arrangement
        if not self._free and self._pressed is not None:
            rect = self._wall.rects[self._pressed]
            picture = self._wall.grab(QRect(rect.x, rect.y, rect.width, rect.height))
            self._ghost = picture.scaledToWidth(
                round(min(rect.width, 260) * self._wall.devicePixelRatioF()),
                Qt.TransformationMode.SmoothTransformation,
            )
        self._wall.setCursor(Qt.CursorShape.ClosedHandCursor)

    def _dragged_free(self, position: int) -> Arrangement:
        before = self._before or self._wall.arrangement
        moved = self._at - self._from
        dx = round(moved.x() * FREE_CELLS / max(self._wall.width(), 1))
        dy = round(moved.y() * FREE_CELLS / max(self._wall.height(), 1))
        cell = before.free[position]
        if self._resize:
            rect = Rect(cell.x, cell.y, cell.width + dx, cell.height + dy)
        else:
            rect = Rect(cell.x + dx, cell.y + dy, cell.width, cell.height)
        return before.with_free_rect(position, rect)

    def _hover(self, point: QPoint) -> None:
        position = self._wall.position_at(point)
        if self._free and position is not None and self._on_handle(position, point):
            self._wall.setCursor(Qt.CursorShape.SizeFDiagCursor)
        else:
            self._wall.unsetCursor()

    def _handle(self, rect: Rect) -> QRect:
        return QRect(
            rect.x + rect.width - HANDLE_PX, rect.y + rect.height - HANDLE_PX, HANDLE_PX, HANDLE_PX
        )

    def _on_handle(self, position: int, point: QPoint) -> bool:
        return self._handle(self._wall.rects[position]).contains(point)

    def _reset(self) -> None:
        self._pressed = None
        self._active = self._resize = False
        self._before = self._ghost = None
        self._wall.unsetCursor()
