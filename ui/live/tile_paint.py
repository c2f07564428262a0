"""Draws one tile: picture, overlay, header, or the words that stand in for a missing picture."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap

from engine.domain.ids import TrackId
from engine.domain.streams import StreamState
from ui.live.arrangement import Rect
from ui.live.overlay_paint import OverlayPainter, Switch
from ui.live.tile import Tile
from ui.theme import Theme, icon_pixmap
from ui.wording import duration, milliseconds, offline_lines, state_word, watched_line

CHIP_HEIGHT = 22
CHIP_CACHE = 256
MARGIN = 8


def _tr(text: str) -> str:
    return QCoreApplication.translate("Wall", text)


@dataclass(frozen=True, slots=True)
class TileLook:
    """How a tile is to be drawn besides its own state."""

    switches: Collection[Switch]
    selected: bool = False
    focused: bool = False
    drop_target: bool = False
    lifted: bool = False
    selected_track: TrackId | None = None


class TilePainter:
    """Draws tiles with one theme at one device pixel ratio."""

    def __init__(self, theme: Theme, ratio: float = 1.0) -> None:
        self._theme = theme
        self._ratio = ratio
        self._overlay = OverlayPainter(theme, ratio)
        self._chips: OrderedDict[tuple[str, ...], QPixmap] = OrderedDict()
        self._small = theme.font(theme.measures.font_small)
        self._plain = theme.font(theme.measures.font)
        self._bold = theme.font(theme.measures.font, bold=True)
        self._corners = _corner_masks(theme.colour("background"), theme.measures.radius, ratio)

    @property
    def overlay(self) -> OverlayPainter:
        """The painter of boxes and skeletons, for colours and labels used elsewhere."""
        return self._overlay

    def paint(self, painter: QPainter, tile: Tile, look: TileLook) -> None:
        """Draw a tile that has a camera."""
        rect = _qrect(tile.rect)
        if tile.has_picture:
            visible = tile.visible_rect(self._ratio)
            chips = self._header(tile, visible)
            self._picture(painter, tile, look, [place for place, _ in chips])
            for place, chip in chips:
                painter.drawPixmap(place.topLeft(), chip)
            rect = _qrect(visible)
        else:
            painter.fillRect(rect, self._theme.colour("well"))
            self._words(painter, tile, rect)
        if look.lifted:
            painter.fillRect(rect, self._theme.colour("scrim"))
        self._round_corners(painter, rect)
        self._frame(painter, rect, look)

    def paint_empty(self, painter: QPainter, rect: Rect, look: TileLook, invite: bool) -> None:
        """Draw an empty place; one of them invites to add a camera."""
        area = _qrect(rect)
        painter.fillRect(area, self._theme.colour("well"))
        if invite:
            line = QRect(area.x(), area.center().y() - 24, area.width(), 20)
            self._line(painter, line, _tr("Drop a camera here"), self._plain, "muted")
            line.translate(0, 24)
            self._line(painter, line, _tr("Add camera…"), self._plain, "accent")
        self._round_corners(painter, area)
        self._frame(painter, area, look)

    def link_rect(self, rect: Rect, has_camera: bool) -> QRect:
        """Where the clickable words of a place without a picture are."""
        area = _qrect(rect)
        offset = 30 if has_camera else 0
        return QRect(area.center().x() - 80, area.center().y() - 4 + offset, 160, 28)

    def link_words(self, tile: Tile) -> str:
        """What a person can do about a camera without a picture; empty if nothing here."""
        if tile.health is not None and tile.health.watched_by:
            return ""
        return {
            StreamState.INACTIVE: _tr("Start"),
            StreamState.ERROR: _tr("Edit camera…"),
            StreamState.ENDED: _tr("Play again"),
        }.get(tile.state, "")

    def _picture(
        self, painter: QPainter, tile: Tile, look: TileLook, reserved: Sequence[QRectF]
    ) -> None:
        placement = tile.placement(self._ratio)
        image, frame = tile.image, tile.frame
        if placement is None or image is None or frame is None:
            return
        rect = _qrect(tile.covered_rect(self._ratio))
        painter.save()
        painter.setClipRect(rect, Qt.ClipOperation.IntersectClip)
        width = placement.scale_x * frame.picture_width_px
        height = placement.scale_y * frame.picture_height_px
        if round(width * self._ratio) == image.width():
            image.setDevicePixelRatio(self._ratio)
            painter.drawImage(QPointF(placement.x, placement.y), image)
        else:
            painter.drawImage(QRectF(placement.x, placement.y, width, height), image)
        if tile.stale:
            painter.fillRect(rect, self._theme.overlay_colour("dim"))
        elif tile.overlay is not None:
            track = look.selected_track
            overlay = tile.overlay
            number = None
            if track in overlay.track_ids:
                number = int(overlay.numbers[overlay.track_ids.index(track)])
            self._overlay.paint(
                painter, overlay, tile.trails, placement, look.switches, number, reserved
            )
        painter.restore()

    # --- header ---------------------------------------------------------------------------------

    def _header(self, tile: Tile, rect: Rect) -> list[tuple[QRectF, QPixmap]]:
        """The chips of a tile and their places: name on the left, numbers on the right; what does
        not fit beside each other gives way in order: the state word, the latency, the numbers."""
        name = tile.stream.name
        word = watched_line(tile.health) or state_word(tile.state, tile.stream)
        room = rect.width - 3 * MARGIN
        if tile.stale and tile.age_s is not None:
            warning = _tr("no new picture for {0}").format(duration(tile.age_s))
            lefts = [self._name_chip(name, w, tile.state, room) for w in (word, "")]
            rights = [self._text_chip(warning, "warning")]
        else:
            lefts = [self._name_chip(name, w, tile.state, room) for w in (word, "")]
            rights = [self._text_chip(text, "text") for text in self._numbers(tile)]
        top = float(rect.y + MARGIN)
        for right in rights:
            for left in lefts:
                if (left.width() + right.width()) / self._ratio <= room:
                    x = rect.x + rect.width - MARGIN - right.width() / self._ratio
                    return [self._placed(left, rect.x + MARGIN, top), self._placed(right, x, top)]
        below = self._placed(rights[-1], rect.x + MARGIN, top + CHIP_HEIGHT + 4)
        first = self._placed(lefts[0], rect.x + MARGIN, top)
        return [first, below] if tile.stale else [first]

    def _placed(self, chip: QPixmap, x: float, y: float) -> tuple[QRectF, QPixmap]:
        return QRectF(QPointF(x, y), chip.deviceIndependentSize()), chip

    @staticmethod
    def _numbers(tile: Tile) -> tuple[str, ...]:
        """Whether it is recorded, rate and latency; less and less for narrow tiles."""
        health = tile.health
        if health is None:
            return _tr("– fps · – ms"), _tr("– fps")
        rate = f"{health.fps:.0f} fps"
        if health.watched_by:
            return (rate,)
        both = f"{rate} · {milliseconds(health.latency_ms)}"
        if health.recording in ("on", "motion"):
            return f"REC · {both}", both, rate
        return both, rate

    def _name_chip(self, name: str, word: str, state: StreamState, room: int) -> QPixmap:
        key = ("name", name, word, state.value, str(room))
        known = self._cached(key)
        if known is not None:
            return known
        metrics = QFontMetricsF(self._small)
        name = metrics.elidedText(name, Qt.TextElideMode.ElideRight, max(room - 90.0, 40.0))
        name_w, word_w = metrics.horizontalAdvance(name), metrics.horizontalAdvance(word)
        width = 22 + name_w + (6 + word_w if word else 0) + 8
        pixmap, painter = self._blank_chip(width)
        self._state_mark(painter, state, QPointF(12, CHIP_HEIGHT / 2))
        painter.setFont(self._small)
        painter.setPen(self._theme.overlay_colour("text"))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(22, 0, name_w + 2, CHIP_HEIGHT), flags, name)
        painter.setPen(self._theme.overlay_colour("muted"))
        painter.drawText(QRectF(28 + name_w, 0, word_w + 2, CHIP_HEIGHT), flags, word)
        painter.end()
        return self._keep(key, pixmap)

    def _text_chip(self, text: str, colour: str) -> QPixmap:
        key = ("text", text, colour)
        known = self._cached(key)
        if known is not None:
            return known
        metrics = QFontMetricsF(self._small)
        usual = "00 fps · 000 ms" if "·" in text else "00 fps"
        widest = max(metrics.horizontalAdvance(text), metrics.horizontalAdvance(usual))
        pixmap, painter = self._blank_chip(widest + 16)
        painter.setFont(self._small)
        painter.setPen(self._theme.overlay_colour(colour))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(8, 0, widest, CHIP_HEIGHT), flags, text)
        painter.end()
        return self._keep(key, pixmap)

    def _blank_chip(self, width: float) -> tuple[QPixmap, QPainter]:
        pixmap = QPixmap(round(width * self._ratio), round(CHIP_HEIGHT * self._ratio))
        pixmap.setDevicePixelRatio(self._ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.overlay_colour("chip"))
        painter.drawRoundedRect(QRectF(0, 0, width, CHIP_HEIGHT), 4, 4)
        return pixmap, painter

    def _state_mark(self, painter: QPainter, state: StreamState, centre: QPointF) -> None:
        """A filled dot when live, a ring when connecting, a square when stopped, a cross else."""
        if state is StreamState.ACTIVE:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.overlay_colour("live"))
            painter.drawEllipse(centre, 4, 4)
        elif state is StreamState.CONNECTING:
            painter.setPen(QPen(self._theme.overlay_colour("warning"), 1.6))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(centre, 3.4, 3.4)
        elif state in (StreamState.INACTIVE, StreamState.ENDED):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.overlay_colour("muted"))
            painter.drawRect(QRectF(centre.x() - 3.5, centre.y() - 3.5, 7, 7))
        else:
            painter.setPen(QPen(self._theme.overlay_colour("warning"), 1.8))
            for sign in (1, -1):
                painter.drawLine(
                    QPointF(centre.x() - 3.5, centre.y() - 3.5 * sign),
                    QPointF(centre.x() + 3.5, centre.y() + 3.5 * sign),
                )

    # --- places without a picture ---------------------------------------------------------------

    def _words(self, painter: QPainter, tile: Tile, rect: QRect) -> None:
        health = tile.health
        marks = {StreamState.OFFLINE: "offline", StreamState.ERROR: "warning"}
        mark = marks.get(tile.state)
        middle = rect.center().y()
        if mark is not None and rect.height() >= 180:
            pixmap = icon_pixmap(mark, self._theme.colour("warning"), 24, self._ratio)
            painter.drawPixmap(QPointF(rect.center().x() - 12, middle - 76), pixmap)
        line = QRect(rect.x() + MARGIN, middle - 42, rect.width() - 2 * MARGIN, 20)
        self._line(painter, line, tile.stream.name, self._bold, "text")
        first, second = _tr("CONNECTING"), ""
        if health is not None:
            first, second = offline_lines(health, tile.age_s)
        line.translate(0, 22)
        fits = QFontMetricsF(self._plain).horizontalAdvance(first) <= line.width()
        self._line(painter, line, first, self._plain if fits else self._small, "muted")
        line.translate(0, 20)
        line.setHeight(36)
        self._line(painter, line, second, self._small, "muted", wrap=True)
        link = self.link_words(tile)
        if link:
            self._line(painter, self.link_rect(tile.rect, True), link, self._plain, "accent")

    def _line(
        self,
        painter: QPainter,
        rect: QRect,
        text: str,
        font: QFont,
        colour: str,
        wrap: bool = False,
    ) -> None:
        painter.setFont(font)
        painter.setPen(self._theme.colour(colour))
        flags = int(Qt.AlignmentFlag.AlignHCenter)
        if wrap:
            flags |= int(Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(rect, flags, text)
            return
        elided = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, flags | int(Qt.AlignmentFlag.AlignVCenter), elided)

    # --- frame ----------------------------------------------------------------------------------

    def _round_corners(self, painter: QPainter, rect: QRect) -> None:
        side = self._corners[0].width() / self._ratio
        right, bottom = rect.x() + rect.width() - side, rect.y() + rect.height() - side
        places = ((rect.x(), rect.y()), (right, rect.y()), (rect.x(), bottom), (right, bottom))
        for (x, y), mask in zip(places, self._corners, strict=True):
            painter.drawPixmap(QPointF(x, y), mask)

    def _frame(self, painter: QPainter, rect: QRect, look: TileLook) -> None:
        if not (look.selected or look.drop_target or look.focused):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(self._theme.colour("accent"), 2.0)
        if look.drop_target:
            pen.setDashPattern([3.0, 2.0])
        elif not look.selected:
            pen.setColor(self._theme.colour("faint"))
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        radius = self._theme.measures.radius
        painter.drawRoundedRect(QRectF(rect).adjusted(1, 1, -1, -1), radius - 1, radius - 1)
        painter.restore()

    def _cached(self, key: tuple[str, ...]) -> QPixmap | None:
        pixmap = self._chips.get(key)
        if pixmap is not None:
            self._chips.move_to_end(key)
        return pixmap

    def _keep(self, key: tuple[str, ...], pixmap: QPixmap) -> QPixmap:
        self._chips[key] = pixmap
        if len(self._chips) > CHIP_CACHE:
            self._chips.popitem(last=False)
        return pixmap


def _qrect(rect: Rect) -> QRect:
    return QRect(rect.x, rect.y, rect.width, rect.height)


def _corner_masks(colour: QColor, radius: int, ratio: float) -> tuple[QPixmap, ...]:
    """Four small masks in the wall's colour that make square pictures look rounded: far cheaper
    than clipping the picture by a path."""
    masks = []
    for right, bottom in ((False, False), (True, False), (False, True), (True, True)):
        pixmap = QPixmap(round(radius * ratio), round(radius * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        path, circle = QPainterPath(), QPainterPath()
        path.addRect(QRectF(0, 0, radius, radius))
        circle.addEllipse(
            QPointF(0 if right else radius, 0 if bottom else radius), float(radius), float(radius)
        )
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(path.subtracted(circle), colour)
        painter.end()
        masks.append(pixmap)
    return tuple(masks)
