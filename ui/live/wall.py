"""The camera wall: one widget that paints all tiles from ready-made pictures.

A timer asks the engine for what is due (pictures are pulled, never signalled) and repaints only
the tiles that changed. The mouse and the keyboard rearrange, select and maximise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDropEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.streams import Stream, StreamHealth
from engine.runtime.meters import Distribution
from ui.engine_port import EngineBridge
from ui.live.arrangement import Arrangement, Layout, Rect
from ui.live.overlay_paint import DEFAULT_SWITCHES, Switch
from ui.live.sightings import SightingBook
from ui.live.tile import Tile
from ui.live.tile_paint import TileLook, TilePainter
from ui.live.wall_drag import WallDrag
from ui.live.wall_keys import WallKeys
from ui.live.wall_pointer import WallPointer
from ui.theme import Theme

TICK_MS = 33
GAP_PX = 4


class Wall(QWidget):
    """All tiles. ``arranged`` carries (before, after) of a change made by hand."""

    selected = Signal(object)
    arranged = Signal(object, object)
    layout_changed = Signal()
    maximised_changed = Signal(bool)
    horse_clicked = Signal(object)
    nothing_clicked = Signal()
    add_requested = Signal()
    edit_requested = Signal(object)
    start_requested = Signal(object)
    menu_requested = Signal(object, QPoint)
    files_dropped = Signal(object)

    def __init__(
        self,
        bridge: EngineBridge,
        theme: Theme,
        parent: QWidget | None = None,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._theme = theme
        self._mono_s = mono_s
        self._painter = TilePainter(theme, self.devicePixelRatioF())
        self._streams: dict[StreamId, Stream] = {}
        self._health: dict[StreamId, StreamHealth] = {}
        self._tiles: dict[int, Tile] = {}
        self._rects: dict[int, Rect] = {}
        self._shown: set[StreamId] = set()
        self._selection: int | None = None
        self._maximised: StreamId | None = None
        self._arrangement = Arrangement()
        self._switches: frozenset[Switch] = DEFAULT_SWITCHES
        self._synchronised = True
        self._fill = False
        self._aspect = 16 / 9
        self.selected_track: TrackId | None = None
        self.sightings = SightingBook()
        self.paint_ms = Distribution(keep=1024)
        self._drag = WallDrag(self)
        self._keys = WallKeys(self)
        self._pointer = WallPointer(self, self._drag)
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(320, 200)
        self.setAccessibleName(self.tr("Camera wall"))

    # --- what is shown --------------------------------------------------------------------------

    @property
    def arrangement(self) -> Arrangement:
        """Layout, page and places."""
        return self._arrangement

    @property
    def theme(self) -> Theme:
        """The look in force."""
        return self._theme

    @property
    def switches(self) -> frozenset[Switch]:
        """The overlays that are on."""
        return self._switches

    @property
    def rects(self) -> dict[int, Rect]:
        """The places on show and where they are."""
        return self._rects

    @property
    def selection(self) -> int | None:
        """The selected position, None when nothing is selected."""
        return self._selection

    @property
    def selected_stream(self) -> Stream | None:
        """The camera of the selected place."""
        if self._selection is None:
            return None
        stream_id = self._arrangement.stream_at(self._selection)
        return self._streams.get(stream_id) if stream_id is not None else None

    @property
    def maximised(self) -> StreamId | None:
        """The camera that fills the wall for now."""
        return self._maximised

    def set_streams(self, streams: Sequence[Stream]) -> None:
        """The cameras that exist; new ones take empty places."""
        self._streams = {s.id: s for s in streams}
        if self._maximised not in self._streams:
            self._maximised = None
        self._set(self._arrangement.with_streams(self._streams))
        if self._selection is not None:
            self.selected.emit(self.selected_stream)

    def set_health(self, healths: Sequence[StreamHealth]) -> None:
        """The newest health of every camera; words on tiles follow it."""
        self._health = {h.stream_id: h for h in healths}
        for tile in self._tiles.values():
            fresh = self._health.get(tile.stream.id)
            if fresh != tile.health:
                tile.health = fresh
                self._update_rect(tile.rect)
        if abs(self._common_aspect() - self._aspect) > 0.02 and not self._drag.going:
            self._lay_out()

    def set_arrangement(self, arrangement: Arrangement) -> None:
        """Show another arrangement, completed by cameras it does not name."""
        self._set(arrangement.with_streams(self._streams))

    def set_layout(self, layout: Layout) -> None:
        """Another number of places; the selected camera stays in view."""
        stream = self.selected_stream
        self._maximised = None
        self._set(self._arrangement.with_layout(layout, stream.id if stream else None))
        self.maximised_changed.emit(False)

    def set_page(self, page: int) -> None:
        """Another page of places."""
        self._set(self._arrangement.with_page(page))

    def set_switches(self, switches: Collection[Switch]) -> None:
        """Which overlays are drawn."""
        self._switches = frozenset(switches)
        self.update()

    def set_refresh_fps(self, fps: float) -> None:
        """How often the wall looks for new pictures, at most."""
        self._timer.setInterval(max(round(1000.0 / fps), 8))

    def set_synchronised(self, on: bool) -> None:
        """Delay pictures so that their overlay is known (see ``overlay_match``)."""
        self._synchronised = on

    def set_fill(self, on: bool) -> None:
        """Cover tiles with the picture (cut at the edges) instead of showing the whole."""
        self._fill = on
        self._lay_out()

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        self._rebuild_painter()

    def set_keypoint_confidence(self, confidence: float) -> None:
        """Draw keypoints from this score on."""
        self._painter.overlay.keypoint_confidence = confidence
        self.update()

    def set_names(self, names: Mapping[HorseId, str]) -> None:
        """What known horses are called, on their boxes."""
        self._painter.overlay.names = names
        self.update()

    def select(self, position: int | None) -> None:
        """Select a place (None: nothing) and say so."""
        if position == self._selection:
            return
        self._selection = position
        self.update()
        self.selected.emit(self.selected_stream)

    def maximise(self, stream_id: StreamId | None) -> None:
        """Let one camera fill the wall; None goes back."""
        if stream_id == self._maximised:
            return
        self._maximised = stream_id
        self._lay_out()
        self.maximised_changed.emit(stream_id is not None)

    def tile_of(self, stream_id: StreamId) -> Tile | None:
        """The tile that shows a camera now."""
        return next((t for t in self._tiles.values() if t.stream.id == stream_id), None)

    def link_at(self, tile: Tile, point: QPoint) -> bool:
        """True if the clickable words of a tile without a picture are under a point."""
        return self._painter.link_rect(tile.rect, True).contains(point)

    def tile_at(self, position: int) -> Tile | None:
        """The tile of a place on show, None for an empty place."""
        return self._tiles.get(position)

    def apply_by_hand(self, arrangement: Arrangement) -> None:
        """Show an arrangement the person made and report the change, so that it can be undone."""
        before = self._arrangement
        self._set(arrangement)
        self.arranged.emit(before, self._arrangement)

    def _set(self, arrangement: Arrangement) -> None:
        self._arrangement = arrangement
        if self._selection is not None and self._selection not in arrangement.positions():
            self._selection = None
            self.selected.emit(None)
        self._lay_out()
        self.layout_changed.emit()

    # --- layout ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        whole = Rect(GAP_PX, GAP_PX, self.width() - 2 * GAP_PX, self.height() - 2 * GAP_PX)
        if self._maximised is not None:
            position = self._arrangement.position_of(self._maximised) or 0
            self._rects = {position: whole}
        else:
            self._aspect = self._common_aspect()
            self._rects = self._arrangement.rects(
                self.width(), self.height(), GAP_PX, None if self._fill else self._aspect
            )
        known = {tile.stream.id: tile for tile in self._tiles.values()}
        self._tiles = {}
        for position, rect in self._rects.items():
            stream_id = self._arrangement.stream_at(position)
            stream = self._streams.get(stream_id) if stream_id is not None else None
            if stream is None:
                continue
            tile = known.get(stream.id) or Tile(stream, rect)
            tile.stream, tile.rect = stream, rect
            tile.health = self._health.get(stream.id)
            self._tiles[position] = tile
        self._ask_for_pictures()
        self.update()

    def _common_aspect(self) -> float:
        """Width to height of most pictures on this page; 16 to 9 until one is known."""
        on_page = (self._arrangement.stream_at(p) for p in self._arrangement.positions())
        known = [self._health[s] for s in on_page if s is not None and s in self._health]
        aspects = sorted(h.width_px / h.height_px for h in known if h.width_px and h.height_px)
        return aspects[len(aspects) // 2] if aspects else 16 / 9

    def _ask_for_pictures(self) -> None:
        visible = {tile.stream.id for tile in self._tiles.values()} if self.isVisible() else set()
        for stream_id in self._shown - visible:
            self._bridge.show(stream_id, None)
        self._shown = visible
        for tile in self._tiles.values():
            if tile.stream.id in visible:
                self._ask_for(tile, fresh=False)

    def _ask_for(self, tile: Tile, fresh: bool) -> None:
        wanted = tile.wanted_px(self.devicePixelRatioF(), self._fill)
        if wanted != tile.asked_px or not fresh:
            tile.asked_px = wanted
            self._bridge.show(tile.stream.id, wanted)

    def _rebuild_painter(self) -> None:
        before = self._painter.overlay
        self._painter = TilePainter(self._theme, self.devicePixelRatioF())
        self._painter.overlay.keypoint_confidence = before.keypoint_confidence
        self._painter.overlay.names = before.names
        self._ask_for_pictures()
        self.update()

    # --- pictures -------------------------------------------------------------------------------

    def tick(self) -> None:
        """Fetch what is due and ask for a repaint of the tiles that changed."""
        now = self._mono_s()
        trails = Switch.TRAILS in self._switches
        dirty = QRect()
        for tile in self._tiles.values():
            self.sightings.note(tile.stream.id, self._bridge.results(tile.stream.id))
            if tile.update(self._bridge, now, self._synchronised, trails):
                self._ask_for(tile, fresh=True)
                dirty |= _qrect(tile.rect)
        if not dirty.isEmpty():
            # One rectangle: painting through a clip of many is slower than painting more.
            self.update(dirty)

    def paintEvent(self, event: QPaintEvent) -> None:
        started_s = time.thread_time()
        painter = QPainter(self)
        region = event.region()
        self._fill_gaps(painter, region)
        invite = self.first_empty()
        for position, rect in self._drawing_order():
            if not region.intersects(_qrect(rect)):
                continue
            look = self._look(position)
            tile = self._tiles.get(position)
            if tile is None:
                self._painter.paint_empty(painter, rect, look, position == invite)
            else:
                self._painter.paint(painter, tile, look)
        self._drag.paint(painter)
        painter.end()
        self.paint_ms.add((time.thread_time() - started_s) * 1000.0)

    def _fill_gaps(self, painter: QPainter, region: QRegion) -> None:
        """Background wherever no picture will cover it."""
        ratio = self.devicePixelRatioF()
        for tile in self._tiles.values():
            if tile.has_picture:
                region = region.subtracted(_qrect(tile.covered_rect(ratio)))
        painter.save()
        painter.setClipRegion(region)
        painter.fillRect(region.boundingRect(), self._theme.colour("background"))
        painter.restore()

    def _drawing_order(self) -> list[tuple[int, Rect]]:
        """The selected place last, so that it is on top where free places overlap."""
        return sorted(self._rects.items(), key=lambda item: item[0] == self._selection)

    def _look(self, position: int) -> TileLook:
        return TileLook(
            switches=self._switches,
            selected=position == self._selection and self._maximised is None,
            drop_target=position == self._drag.target,
            lifted=position == self._drag.lifted,
            selected_track=self.selected_track,
        )

    def _update_rect(self, rect: Rect) -> None:
        self.update(_qrect(rect))

    # --- mouse ----------------------------------------------------------------------------------

    def position_at(self, point: QPoint) -> int | None:
        """The place under a point of the wall, topmost first."""
        for position, rect in reversed(self._drawing_order()):
            if rect.contains(point.x(), point.y()):
                return position
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pointer.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag.move(event.position().toPoint(), bool(event.buttons()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pointer.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._pointer.double_click(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        position = self.position_at(event.pos())
        self.select(position)
        tile = self._tiles.get(position) if position is not None else None
        self.menu_requested.emit(tile.stream if tile else None, event.globalPos())

    # --- files dropped from outside -------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [u.toLocalFile() for u in event.mimeData().urls() if u.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.files_dropped.emit(paths)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._keys.handle(event):
            super().keyPressEvent(event)

    def cancel_drag(self) -> bool:
        """Put back what is being dragged; True if there was something."""
        return self._drag.cancel()

    def nudge(self, position: int, step: tuple[int, int], resize: bool) -> None:
        """Move or size a place of the free layout by one cell."""
        self._drag.nudge(position, step, resize)

    def first_empty(self) -> int | None:
        """The first place on show without a camera: the one that invites to add one."""
        return next((p for p in self._rects if p not in self._tiles), None)

    # --- window ---------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ask_for_pictures()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()
        self._ask_for_pictures()

    def stop(self) -> None:
        """Ask for no more pictures (the window is closing)."""
        self._timer.stop()
        for stream_id in self._shown:
            self._bridge.show(stream_id, None)
        self._shown = set()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._rebuild_painter()

    def drag_distance(self) -> int:
        """How far the mouse moves before a press becomes a drag, logical pixels."""
        return QApplication.startDragDistance()


def _qrect(rect: Rect) -> QRect:
    return QRect(rect.x, rect.y, rect.width, rect.height)
