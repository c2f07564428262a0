"""One camera's picture with what was seen in it, painted; and the hand that corrects it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.domain.ids import HorseId, TrackId
from engine.domain.recording import Edit
from engine.recording.overlay import OverlayEntry
from ui.live.overlay_match import Overlay
from ui.live.overlay_paint import DEFAULT_SWITCHES, OverlayPainter, Placement, Switch
from ui.review.edit_marks import outline, paint_edits, paint_grips
from ui.review.frames import Absence, ReviewFrame
from ui.review.pending import Edited, with_edits
from ui.review.picture_overlay import columns
from ui.theme import Theme
from ui.timeline.cursor import instant

GRIP_PX = 8.0
"""A corner is taken within so many pixels."""
LEAST_BOX_PX = 6.0
CORNERS = ((0, 1), (2, 1), (0, 3), (2, 3))
"""Corners as places in a box: x index, y index."""

Box = tuple[float, float, float, float]


@dataclass
class _Drag:
    """A box under the hand, in picture pixels. ``track_id`` None: a new one."""

    track_id: TrackId | None
    box: list[float]
    corner: tuple[int, int]
    moved: bool = False


class PictureArea(QWidget):
    """``picked`` carries the TrackId under a click (or None), ``hovered`` the one under the mouse;
    ``box_moved`` a TrackId and its new box, ``box_drawn`` a new box; ``jumped`` asks for the
    nearest recording (True: the next). ``edits_of`` tells what edits a chunk's pictures show."""

    picked = Signal(object)
    hovered = Signal(object)
    box_moved = Signal(object, object)
    box_drawn = Signal(object)
    jumped = Signal(bool)
    opened = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._painter = OverlayPainter(theme, self.devicePixelRatioF())
        self.switches: frozenset[Switch] = DEFAULT_SWITCHES
        self.edits_of: Callable[[ReviewFrame], Sequence[Edit]] = lambda _frame: ()
        self.frame: ReviewFrame | None = None
        self.absence: Absence | None = None
        self.words: tuple[str, ...] = ()
        self.editing = False
        self.stale = False
        self.selected: TrackId | None = None
        self._hover: TrackId | None = None
        self._image: QImage | None = None
        self._edited: Edited | None = None
        self._overlay: Overlay | None = None
        self._drag: _Drag | None = None
        self._links: list[tuple[QRect, bool]] = []
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(240, 135))

    @property
    def theme(self) -> Theme:
        """The look."""
        return self._theme

    # --- what is shown --------------------------------------------------------------------------

    @property
    def size_px(self) -> tuple[int, int]:
        """How large pictures should be, in device pixels."""
        ratio = self.devicePixelRatioF()
        return max(round(self.width() * ratio), 2), max(round(self.height() * ratio), 2)

    @property
    def entry(self) -> OverlayEntry | None:
        """What is drawn on the picture, with edits done."""
        return None if self._edited is None else self._edited.entry

    @property
    def edited(self) -> Edited | None:
        """The same with what edits touched."""
        return self._edited

    @property
    def names(self) -> Mapping[HorseId, str]:
        """What horses are called."""
        return self._painter.names

    @names.setter
    def names(self, names: Mapping[HorseId, str]) -> None:
        self._painter.names = names
        self.update()

    def show_frame(self, frame: ReviewFrame) -> None:
        """Show a picture."""
        self.absence, self.words, self.stale = None, (), False
        self.update()
        if frame is self.frame:
            return
        self.frame = frame
        height, width = frame.bgra.shape[:2]
        self._image = QImage(frame.bgra.data, width, height, width * 4, QImage.Format.Format_RGB32)
        self._drag = None
        self.refresh()

    def refresh(self) -> None:
        """Edits changed: draw them."""
        frame = self.frame
        self._edited = self._overlay = None
        if frame is not None:
            edits = self.edits_of(frame)
            entry = frame.entry
            if entry is None and edits:
                entry = OverlayEntry(frame.pts_s, instant(frame.at_us), (), analysed=True)
            if entry is not None:
                self._edited = with_edits(entry, edits)
                skeletons = {} if frame.overlay is None else frame.overlay.skeletons
                self._overlay = columns(self._edited.entry, frame.picture_px, skeletons)
        self.update()

    def show_stale(self) -> None:
        """The cursor is elsewhere, and its picture is still being fetched."""
        if not self.stale and self.frame is not None:
            self.stale = True
            self.update()

    def show_nothing(self, words: Sequence[str], absence: Absence | None) -> None:
        """Say why there is no picture."""
        if self.frame is None and self.words == tuple(words) and self.absence == absence:
            return
        self.frame = self._image = self._edited = self._overlay = self._drag = None
        self.stale = False
        self.words, self.absence = tuple(words), absence
        self.update()

    def select(self, track_id: TrackId | None) -> None:
        """Highlight a track."""
        if track_id != self.selected:
            self.selected = track_id
            self.update()

    def hover(self, track_id: TrackId | None) -> None:
        """Highlight a track lightly."""
        if track_id != self._hover:
            self._hover = track_id
            self.update()

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        names = self._painter.names
        self._theme = theme
        self._painter = OverlayPainter(theme, self.devicePixelRatioF())
        self.names = names

    # --- geometry -------------------------------------------------------------------------------

    def picture_rect(self) -> QRectF:
        """Where the picture lies."""
        if self.frame is None:
            return QRectF()
        height, width = self.frame.bgra.shape[:2]
        scale = min(self.width() / width, self.height() / height)
        w, h = width * scale, height * scale
        return QRectF(round((self.width() - w) / 2), round((self.height() - h) / 2), w, h)

    def placement(self) -> Placement:
        """From picture pixels to the widget."""
        rect, frame = self.picture_rect(), self.frame
        wide, high = frame.picture_px if frame is not None else (1, 1)
        return Placement(rect.width() / wide, rect.height() / high, rect.x(), rect.y())

    def box_of(self, track_id: TrackId | None) -> Box | None:
        """A track's box in picture pixels."""
        entry = self.entry
        tracks = () if entry is None else entry.tracks
        return next((t.box_xyxy_px for t in tracks if t.id == track_id), None)

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("well"))
        if self.frame is None or self._image is None:
            self._paint_words(painter)
            return
        self.paint_picture(painter, self._image, self.picture_rect(), self.placement())
        if self.stale:
            painter.fillRect(self.picture_rect(), self._theme.overlay_colour("dim"))
            painter.setFont(self._theme.font(bold=True))
            painter.setPen(self._theme.overlay_colour("text"))
            words = self.tr("Opening the recording…")
            painter.drawText(self.picture_rect(), Qt.AlignmentFlag.AlignCenter, words)

    def paint_picture(
        self, painter: QPainter, image: QImage, rect: QRectF, placement: Placement
    ) -> None:
        """The picture with everything switched on."""
        ratio = self.devicePixelRatioF()
        if round(rect.width() * ratio) == image.width():
            painter.drawImage(rect, image)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(rect, image)
        painter.save()
        painter.setClipRect(rect)
        self.paint_overlay(painter, placement)
        painter.restore()

    def paint_overlay(self, painter: QPainter, placement: Placement) -> None:
        """Boxes, bones and words; what edits touched; what is under the hand."""
        accent = self._theme.colour("accent")
        if self._edited is not None:
            faint = self._theme.overlay_colour("muted")
            paint_edits(painter, self._edited, placement, accent, faint)
        if self._overlay is not None:
            chosen = self._number_of(self.selected)
            self._painter.paint(painter, self._overlay, (), placement, self.switches, chosen)
        hovered = self.box_of(self._hover)
        if hovered is not None:
            outline(painter, placement.box(hovered), QColor("white"), 1.0)
        if self._drag is not None and self._drag.moved:
            outline(painter, placement.box(self._drag.box), accent, 2.0)
        elif self.editing and (box := self.box_of(self.selected)) is not None:
            paint_grips(painter, placement.box(box), accent)

    def _number_of(self, track_id: TrackId | None) -> int | None:
        entry = self.entry
        tracks = () if entry is None else entry.tracks
        return next((t.number for t in tracks if t.id == track_id), None)

    def _paint_words(self, painter: QPainter) -> None:
        self._links = []
        centre = self.rect().center()
        y = centre.y() - 12 * max(len(self.words), 1) - (14 if self.absence else 0)
        for place, text in enumerate(self.words):
            font = self._theme.font(bold=place == 0)
            painter.setFont(font)
            painter.setPen(self._theme.colour("text" if place == 0 else "muted"))
            lines = QRect(12, y, self.width() - 24, 44 if place else 22)
            flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
            painter.drawText(lines, flags | int(Qt.TextFlag.TextWordWrap), text)
            y += 24
        if self.absence is not None:
            self._paint_links(painter, y + 10)

    def _paint_links(self, painter: QPainter, y: int) -> None:
        font = self._theme.font()
        painter.setFont(font)
        painter.setPen(self._theme.colour("accent"))
        texts = ((self.tr("‹ previous recording"), False), (self.tr("next recording ›"), True))
        widths = [QFontMetricsF(font).horizontalAdvance(text) + 24 for text, _ in texts]
        x = (self.width() - sum(widths)) / 2
        for (text, later), width in zip(texts, widths, strict=True):
            rect = QRect(round(x), y, round(width), 26)
            painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
            self._links.append((rect, later))
            x += width

    # --- the hand -------------------------------------------------------------------------------

    def track_at(self, point: QPointF) -> TrackId | None:
        """The smallest box under a point of the widget."""
        if self._overlay is None:
            return None
        row = self._overlay.row_at(*self.placement().to_picture(point.x(), point.y()))
        return None if row is None else self._overlay.track_ids[row]

    def link_rect(self, later: bool) -> QRect:
        """Where the words are that lead to the next or the previous recording."""
        return next((rect for rect, is_later in self._links if is_later is later), QRect())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        point = event.position()
        for rect, later in self._links if self.frame is None else ():
            if rect.contains(point.toPoint()):
                self.jumped.emit(later)
                return
        corner = self._corner_at(point)
        if corner is not None and (box := self.box_of(self.selected)) is not None:
            self._drag = _Drag(self.selected, list(box), corner)
            return
        track_id = self.track_at(point)
        self.picked.emit(track_id)
        if track_id is None and self.editing and self.picture_rect().contains(point):
            x, y = self.placement().to_picture(point.x(), point.y())
            self._drag = _Drag(None, [x, y, x, y], (2, 3))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position()
        drag, frame = self._drag, self.frame
        if drag is not None and frame is not None:
            x, y = self.placement().to_picture(point.x(), point.y())
            drag.box[drag.corner[0]] = min(max(x, 0.0), float(frame.picture_px[0]))
            drag.box[drag.corner[1]] = min(max(y, 0.0), float(frame.picture_px[1]))
            drag.moved = True
            self.update()
            return
        self._show_shape(point)
        self.hover(self.track_at(point))
        self.hovered.emit(self._hover)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        drag, self._drag = self._drag, None
        if event.button() is not Qt.MouseButton.LeftButton or drag is None:
            return
        self.update()
        x1, x2 = sorted((drag.box[0], drag.box[2]))
        y1, y2 = sorted((drag.box[1], drag.box[3]))
        if not drag.moved or min(x2 - x1, y2 - y1) < LEAST_BOX_PX:
            return
        box = (x1, y1, x2, y2)
        if drag.track_id is None:
            self.box_drawn.emit(box)
        else:
            self.box_moved.emit(drag.track_id, box)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and not self.editing:
            self.opened.emit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hover(None)
        self.hovered.emit(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.update()

    def _corner_at(self, point: QPointF) -> tuple[int, int] | None:
        box = self.box_of(self.selected) if self.editing else None
        if box is None:
            return None
        rect = self.placement().box(box)
        xy = {0: rect.left(), 2: rect.right(), 1: rect.top(), 3: rect.bottom()}
        near = partial(_near, point)
        return next((c for c in CORNERS if near(xy[c[0]], xy[c[1]])), None)

    def _show_shape(self, point: QPointF) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self.frame is None:
            over = any(rect.contains(point.toPoint()) for rect, _ in self._links)
            shape = Qt.CursorShape.PointingHandCursor if over else shape
        elif self._corner_at(point) is not None:
            shape = Qt.CursorShape.SizeAllCursor
        elif self.track_at(point) is not None:
            shape = Qt.CursorShape.PointingHandCursor
        elif self.editing and self.picture_rect().contains(point):
            shape = Qt.CursorShape.CrossCursor
        self.setCursor(shape)


def _near(point: QPointF, x: float, y: float) -> bool:
    return abs(point.x() - x) <= GRIP_PX and abs(point.y() - y) <= GRIP_PX
