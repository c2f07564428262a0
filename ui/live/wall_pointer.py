"""The mouse on the wall: selecting, clicking horses and links, maximising; drags are WallDrag's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QMouseEvent

from engine.domain.streams import Stream, StreamState
from ui.live.overlay_match import Overlay
from ui.live.tile import Tile
from ui.live.wall_drag import WallDrag

if TYPE_CHECKING:
    from ui.live.wall import Wall


@dataclass(frozen=True, slots=True)
class HorseHit:
    """A click on a box: which camera, which overlay and row, and where the box is on the wall."""

    stream: Stream
    overlay: Overlay
    row: int
    box: QRect


class WallPointer:
    """Reads the left button for one wall."""

    def __init__(self, wall: Wall, drag: WallDrag) -> None:
        self._wall = wall
        self._drag = drag
        self._after_double_click = False

    def press(self, event: QMouseEvent) -> None:
        """Select the place, and be ready to drag it."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        point = event.position().toPoint()
        position = self._wall.position_at(point)
        self._wall.select(position)
        if position is not None and self._wall.maximised is None:
            self._drag.press(position, point)

    def release(self, event: QMouseEvent) -> None:
        """End a drag, or click."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        point = event.position().toPoint()
        dragged, second = self._drag.release(point), self._after_double_click
        self._after_double_click = False
        if not dragged and not second:
            self._click(point)

    def double_click(self, event: QMouseEvent) -> None:
        """Maximise, or go back."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        self._drag.cancel()
        self._after_double_click = True
        tile = self._tile_at(event.position().toPoint())
        if tile is not None:
            self._wall.nothing_clicked.emit()
            back = self._wall.maximised is not None
            self._wall.maximise(None if back else tile.stream.id)

    def _tile_at(self, point: QPoint) -> Tile | None:
        position = self._wall.position_at(point)
        return self._wall.tile_at(position) if position is not None else None

    def _click(self, point: QPoint) -> None:
        tile = self._tile_at(point)
        if tile is None:
            position = self._wall.position_at(point)
            if position is not None and position == self._wall.first_empty():
                self._wall.add_requested.emit()
        elif tile.has_picture:
            hit = self._hit(tile, point)
            if hit is not None:
                self._wall.horse_clicked.emit(hit)
                return
        elif self._wall.link_at(tile, point):
            self._follow_link(tile)
        self._wall.nothing_clicked.emit()

    def _hit(self, tile: Tile, point: QPoint) -> HorseHit | None:
        placement = tile.placement(self._wall.devicePixelRatioF())
        if placement is None or tile.overlay is None:
            return None
        row = tile.overlay.row_at(*placement.to_picture(point.x(), point.y()))
        if row is None:
            return None
        box = placement.box(tile.overlay.boxes_xyxy_px[row].tolist()).toRect()
        return HorseHit(tile.stream, tile.overlay, row, box)

    def _follow_link(self, tile: Tile) -> None:
        if tile.health is not None and tile.health.watched_by:
            return
        if tile.state is StreamState.ERROR:
            self._wall.edit_requested.emit(tile.stream)
        elif tile.state in (StreamState.INACTIVE, StreamState.ENDED):
            self._wall.start_requested.emit(tile.stream)
