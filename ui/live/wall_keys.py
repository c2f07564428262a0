"""The keyboard on the wall: digits, arrows, pages, Enter and Escape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from ui.live.arrangement import Layout

if TYPE_CHECKING:
    from ui.live.wall import Wall


class WallKeys:
    """Reads keys for one wall. 1..9 select a place and, pressed again, maximise it; arrows move
    the selection, with Shift the camera (free layout: Shift moves, Ctrl sizes the place); page
    keys turn pages; Enter maximises and Escape goes back."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall

    def handle(self, event: QKeyEvent) -> bool:
        """Act on a key; False if it means nothing here."""
        return (
            self._digit_key(event)
            or self._arrow_key(event)
            or self._page_key(event)
            or self._maximise_key(event)
        )

    def _digit_key(self, event: QKeyEvent) -> bool:
        number = event.key() - Qt.Key.Key_0
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        if not (plain and 1 <= number <= 9):
            return False
        position = self._wall.arrangement.first + number - 1
        if self._wall.maximised is not None:
            stream_id = self._wall.arrangement.stream_at(position)
            if stream_id is not None:
                self._wall.select(position)
                self._wall.maximise(stream_id)
        elif position in self._wall.rects:
            tile = self._wall.tile_at(position)
            if position == self._wall.selection and tile is not None:
                self._wall.maximise(tile.stream.id)
            self._wall.select(position)
        return True

    def _arrow_key(self, event: QKeyEvent) -> bool:
        steps: dict[int, tuple[int, int]] = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
        }
        step = steps.get(event.key())
        if step is None or self._wall.maximised is not None:
            return False
        if self._wall.selection is None:
            self._wall.select(self._wall.arrangement.first)
            return True
        if self._wall.arrangement.layout is Layout.FREE and event.modifiers() & (
            Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier
        ):
            resize = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self._wall.nudge(self._wall.selection, step, resize)
            return True
        target = self._neighbour(self._wall.selection, step)
        if target is None:
            return True
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._wall.apply_by_hand(self._wall.arrangement.swapped(self._wall.selection, target))
        self._wall.select(target)
        return True

    def _neighbour(self, position: int, step: tuple[int, int]) -> int | None:
        """The nearest place in a direction, by the middles of the places."""
        here = self._wall.rects[position]
        x, y = here.x + here.width / 2, here.y + here.height / 2
        best: tuple[float, int] | None = None
        for other, rect in self._wall.rects.items():
            dx, dy = rect.x + rect.width / 2 - x, rect.y + rect.height / 2 - y
            along, across = dx * step[0] + dy * step[1], abs(dx * step[1]) + abs(dy * step[0])
            if other != position and along > 1 and across <= along:
                best = min(best or (float("inf"), -1), (along + 2 * across, other))
        return best[1] if best is not None else None

    def _page_key(self, event: QKeyEvent) -> bool:
        steps: dict[int, int] = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}
        step = steps.get(event.key())
        if step is None or self._wall.arrangement.layout is Layout.FREE:
            return False
        self._wall.set_page(self._wall.arrangement.page + step)
        return True

    def _maximise_key(self, event: QKeyEvent) -> bool:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            stream = self._wall.selected_stream
            if self._wall.maximised is not None:
                self._wall.maximise(None)
            elif stream is not None:
                self._wall.maximise(stream.id)
            else:
                empty = self._wall.first_empty()
                if self._wall.selection is not None and self._wall.selection == empty:
                    self._wall.add_requested.emit()
            return True
        if event.key() == Qt.Key.Key_Escape:
            if self._wall.cancel_drag():
                return True
            if self._wall.maximised is not None:
                self._wall.maximise(None)
            else:
                self._wall.select(None)
            self._wall.nothing_clicked.emit()
            return True
        return False
