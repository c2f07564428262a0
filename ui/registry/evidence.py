"""Pictures and times that speak for or against two horses being one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from engine.domain.horses import Horse
from engine.domain.identity import TrackStrip
from engine.domain.ids import TrackId
from ui.registry.context import RegistryContext
from ui.registry.presence import Interval, Presence, shared
from ui.registry.strip_axis import tick_step_s, tick_words, ticks
from ui.registry.words import strip_words
from ui.theme import qcolor
from ui.widgets import label

THUMB_PX, THUMBS = 56, 6
PICTURE_ASPECT = 0.74


class Picture(QWidget):
    """A horse's avatar or a track's crop, as wide as there is room, with round corners."""

    def __init__(
        self,
        context: RegistryContext,
        aspect: float = PICTURE_ASPECT,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._aspect = aspect
        self._horse: Horse | None = None
        self._track: TrackId | None = None
        self._colour = context.theme.colours.muted
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        context.shelf.arrived.connect(self.update)

    def show_horse(self, horse: Horse | None) -> None:
        """Show a horse's picture."""
        self._horse, self._track = horse, None
        self._colour = horse.colour_hex if horse is not None else self._context.theme.colours.muted
        self.update()

    def show_track(self, strip: TrackStrip, colour_hex: str) -> None:
        """Show a track's best picture."""
        self._horse, self._colour = None, colour_hex
        self._track = strip.track_id if strip.has_crop else None
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, round(200 * self._aspect))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setFixedHeight(round(self.width() * self._aspect))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        pixmap = self._pixmap()
        brush = QBrush(pixmap)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(brush)
        radius = self._context.theme.measures.radius
        painter.drawRoundedRect(QRectF(self.rect()), radius, radius)
        painter.end()

    def _pixmap(self) -> QPixmap:
        shelf, theme, ratio = self._context.shelf, self._context.theme, self.devicePixelRatioF()
        size = (self.width(), self.height(), ratio, theme)
        if self._track is not None:
            return shelf.crop_pixmap(self._track, self._colour, *size)
        if self._horse is not None:
            return shelf.avatar_pixmap(self._horse, *size)
        return shelf.blank(self._colour, *size)


class CropRow(QWidget):
    """The best pictures of a horse's tracks, small, side by side."""

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._strips: tuple[TrackStrip, ...] = ()
        self._colour = ""
        self.setFixedHeight(THUMB_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        context.shelf.arrived.connect(self.update)

    def show_strips(self, strips: Sequence[TrackStrip], colour_hex: str) -> None:
        """The surest tracks that have a picture."""
        self._strips, self._colour = best_crops(strips), colour_hex
        self.setToolTip("\n".join(strip_words(s) for s in self._strips))
        self.setVisible(bool(self._strips))
        self.update()

    @property
    def shown(self) -> tuple[TrackStrip, ...]:
        """Whose pictures are on show."""
        return self._strips

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        context, ratio = self._context, self.devicePixelRatioF()
        step = THUMB_PX + 6
        for place, strip in enumerate(self._strips[: max(self.width() // step, 1)]):
            pixmap = context.shelf.crop_pixmap(
                strip.track_id, self._colour, THUMB_PX, THUMB_PX, ratio, context.theme
            )
            painter.setBrush(QBrush(pixmap))
            painter.save()
            painter.translate(place * step, 0)
            painter.drawRoundedRect(QRectF(0, 0, THUMB_PX, THUMB_PX), 4, 4)
            painter.restore()
        painter.end()


def best_crops(strips: Sequence[TrackStrip], most: int = THUMBS) -> tuple[TrackStrip, ...]:
    """The surest tracks that have a picture, each track once."""
    by_track = {s.track_id: s for s in reversed(strips) if s.has_crop}
    return tuple(sorted(by_track.values(), key=lambda s: -s.confidence)[:most])


class Side(QWidget):
    """One side of the evidence: picture, name, a line about it, more pictures."""

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture = Picture(context)
        self.name = label("", "strong", wrap=True)
        self.about = label("", "small", wrap=True)
        self.crops = CropRow(context)
        self.crops.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.picture)
        column.addSpacing(4)
        column.addWidget(self.name)
        column.addWidget(self.about)
        column.addWidget(self.crops)
        column.addStretch(1)


def side_by_side(left: QWidget, right: QWidget) -> QHBoxLayout:
    """Two equal halves."""
    row = QHBoxLayout()
    row.setSpacing(12)
    row.addWidget(left, 1)
    row.addWidget(right, 1)
    return row


class TwoLanes(QWidget):
    """When two horses were seen, one above the other; what both share is hatched across."""

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._first, self._second = Presence(), Presence()
        self._colours = ("#ffffff", "#ffffff")
        self._limits: Interval | None = None
        self.setFixedHeight(62)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def both(self) -> tuple[Interval, ...]:
        """When both were seen."""
        return shared(self._first.intervals, self._second.intervals)

    def show_presence(
        self, first: Presence, second: Presence, colours: tuple[str, str], limits: Interval | None
    ) -> None:
        """Two lanes in two colours between two instants."""
        self._first, self._second, self._colours, self._limits = first, second, colours, limits
        self.setVisible(limits is not None)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._limits is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = self._context.theme
        start, end = self._limits
        self._ruler(painter, start, end)
        for row, (presence, colour) in enumerate(
            zip((self._first, self._second), self._colours, strict=True)
        ):
            top = 20 + row * 20
            painter.fillRect(QRectF(0, top, self.width(), 16), theme.colour("well"))
            for first, last in presence.intervals:
                painter.fillRect(self._span(first, last, top, 16), qcolor(colour))
        for first, last in self.both:
            place = self._span(first, last, 18, 40)
            painter.fillRect(place, QBrush(theme.colour("warning"), Qt.BrushStyle.BDiagPattern))
            painter.setPen(QPen(theme.colour("warning"), 1.0))
            painter.drawRect(place)
        painter.end()

    def _ruler(self, painter: QPainter, start: datetime, end: datetime) -> None:
        theme = self._context.theme
        painter.setFont(theme.font(theme.measures.font_small))
        step_s = tick_step_s((end - start).total_seconds(), self.width(), 72.0)
        for at in ticks(start, end, step_s):
            x = self._x(at)
            if x > self.width() - 44:
                break
            painter.setPen(QPen(theme.colour("line"), 1.0))
            painter.drawLine(QPointF(x, 4), QPointF(x, self.height()))
            painter.setPen(theme.colour("muted"))
            painter.drawText(QPointF(x + 4, 13), tick_words(at, step_s))

    def _x(self, at: datetime) -> float:
        start, end = self._limits or (at, at)
        return self.width() * ((at - start) / (end - start))

    def _span(self, first: datetime, last: datetime, top: float, height: float) -> QRectF:
        left = self._x(first)
        return QRectF(left, top, max(self._x(last) - left, 2.0), height)
