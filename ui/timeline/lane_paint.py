"""What lies around the lanes' picture: ruler, names, words, alerts, the range and the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPixmap, QPolygonF, QStaticText

from ui.theme import Theme, icon_pixmap, qcolor
from ui.timeline.axis import Tick
from ui.timeline.lane_picture import LanePicture, Marker
from ui.timeline.lanes import LaneRow
from ui.timeline.marks import STYLES, Mark, mark_word
from ui.timeline.words import row_word

NAMES_PX, RULER_PX, RIGHT_PX = 168, 40, 12
CHIP_PX = 18
CHEVRON_PX = 22
SIGN_PX = 18
TEXTS_KEPT = 512
MIDDLE_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
MIDDLE_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Place:
    """Where time lies in a widget: the window on show and the pixels it takes."""

    start_us: int
    us_per_px: float
    left: float
    right: float

    def x(self, at_us: float) -> float:
        """Where an instant is."""
        return self.left + (at_us - self.start_us) / self.us_per_px

    def at_us(self, x: float) -> int:
        """The instant at a place."""
        return round(self.start_us + (x - self.left) * self.us_per_px)


def place_of(start_us: int, span_us: int, left: float, right: float) -> Place:
    """A window laid over pixels."""
    return Place(start_us, span_us / max(right - left, 1.0), left, right)


class LanePainter:
    """Paints one look; words are laid out once."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self._small = theme.font(theme.measures.font_small)
        self._small_bold = theme.font(theme.measures.font_small, bold=True)
        self._font = theme.font()
        self._metrics = QFontMetricsF(self._small)
        self._words: dict[Mark, tuple[QStaticText, float, QColor]] = {}
        self._elided: dict[tuple[str, int], str] = {}
        self._signs: dict[Mark, QPixmap] = {}
        self._texts: dict[tuple[str, bool], tuple[QStaticText, float]] = {}
        self.right = 0.0
        self.ratio = 1.0
        """Of the widget that is being painted: where time ends, device pixels per logical one."""

    # --- ruler and grid -------------------------------------------------------------------------

    def ruler(
        self, painter: QPainter, place: Place, ticks: Sequence[Tick], day: str, zone: str
    ) -> None:
        """Tick words under the day; the zone they are told in stands at the left."""
        theme = self.theme
        painter.setFont(self._small_bold)
        painter.setPen(theme.colour("text"))
        head = QRectF(12, 2, place.left - 20, 18)
        painter.drawText(head, MIDDLE_LEFT, self.elided(day, head.width()))
        painter.setFont(self._small)
        painter.setPen(theme.colour("muted"))
        below = QRectF(12, 20, place.left - 20, 16)
        painter.drawText(below, MIDDLE_LEFT, self.elided(zone, below.width()))
        last = place.left - 8.0
        for tick in ticks:
            x = place.x(tick.at_us)
            text, wide = self._text(tick.words, tick.major)
            left = min(max(x - wide / 2, place.left), place.right - wide)
            if left < last + 8:
                continue
            painter.setFont(self._small_bold if tick.major else self._small)
            painter.setPen(theme.colour("text" if tick.major else "muted"))
            painter.drawStaticText(QPointF(left, 20), text)
            last = left + wide

    def _text(self, words: str, bold: bool) -> tuple[QStaticText, float]:
        """Words laid out once, and how wide they are."""
        key = (words, bold)
        if key not in self._texts:
            if len(self._texts) > TEXTS_KEPT:
                self._texts.clear()
            font = self._small_bold if bold else self._small
            text = QStaticText(words)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=font)
            self._texts[key] = (text, QFontMetricsF(font).horizontalAdvance(words))
        return self._texts[key]

    def grid(
        self, painter: QPainter, place: Place, ticks: Sequence[Tick], top: float, bottom: float
    ) -> None:
        """Hairlines at the ticks, over the bars."""
        line, day = self.theme.colour("background"), self.theme.colour("faint")
        line.setAlpha(110)
        day.setAlpha(150)
        for tick in ticks:
            x = round(place.x(tick.at_us)) + 0.5
            if place.left <= x <= place.right:
                painter.setPen(QPen(day if tick.major else line, 1.0))
                painter.drawLine(QPointF(x, top), QPointF(x, bottom))

    # --- lanes ----------------------------------------------------------------------------------

    def wells(self, painter: QPainter, rows: Sequence[LaneRow], place: Place, dy: float) -> None:
        """The empty bars."""
        ground, edge = self.theme.colour("well"), self.theme.colour("line")
        for row in rows:
            if row.subject is None:
                continue
            bar = QRectF(place.left, row.bar_y + dy, place.right - place.left, row.bar_px)
            painter.fillRect(bar, ground)
            if not row.sub:
                painter.fillRect(QRectF(bar.left(), bar.bottom(), bar.width(), 1), edge)

    def words(self, painter: QPainter, picture: LanePicture, place: Place, top: float) -> None:
        """Words in the bars that have room for them."""
        painter.setFont(self._small)
        for stretch in picture.stretches:
            text, wide, colour = self._word(stretch.mark)
            if wide + 10 > stretch.width:
                continue
            painter.setPen(colour)
            y = top + stretch.y + (stretch.height - text.size().height()) / 2
            painter.drawStaticText(QPointF(place.left + stretch.x + 6, y), text)

    def _word(self, mark: Mark) -> tuple[QStaticText, float, QColor]:
        if mark not in self._words:
            text = QStaticText(mark_word(mark))
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=self._small)
            wide = self._metrics.horizontalAdvance(mark_word(mark))
            self._words[mark] = (text, wide, self._ink(mark))
        return self._words[mark]

    def _ink(self, mark: Mark) -> QColor:
        theme = self.theme
        if mark is Mark.NO_DATA:
            return theme.colour("muted")
        fill = theme.timeline_colour(STYLES[mark].colour)
        light = fill.redF() * 0.299 + fill.greenF() * 0.587 + fill.blueF() * 0.114 > 0.5
        ink = theme.overlay_colour("on_light" if light else "on_dark")
        ink.setAlpha(235 if light else 205)
        return ink

    def markers(
        self, painter: QPainter, markers: Sequence[Marker], left: float, top: float
    ) -> None:
        """Alerts: a disc, a triangle or a diamond by severity."""
        for marker in markers:
            at = QPointF(left + marker.x - SIGN_PX / 2, top + marker.y - SIGN_PX / 2)
            painter.drawPixmap(at, self._sign(marker.mark))

    def _sign(self, mark: Mark) -> QPixmap:
        if mark not in self._signs:
            pixmap = QPixmap(round(SIGN_PX * self.ratio), round(SIGN_PX * self.ratio))
            pixmap.setDevicePixelRatio(self.ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            paint_marker(painter, self.theme, QPointF(SIGN_PX / 2, SIGN_PX / 2), mark)
            painter.end()
            self._signs[mark] = pixmap
        return self._signs[mark]

    # --- names ----------------------------------------------------------------------------------

    def names(
        self,
        painter: QPainter,
        rows: Sequence[LaneRow],
        dy: float,
        selected: UUID | None,
        pointed: UUID | None,
    ) -> None:
        """Who each lane is of; a chevron opens it."""
        theme = self.theme
        for row in rows:
            y = row.y + dy
            if row.subject is None:
                painter.setFont(self._small_bold)
                painter.setPen(theme.colour("muted"))
                painter.drawText(QRectF(12, y, NAMES_PX, row.height), MIDDLE_LEFT, row.title)
                continue
            if row.sub:
                painter.setFont(self._small)
                painter.setPen(theme.colour("muted"))
                place = QRectF(0, y, NAMES_PX - 12, row.height)
                painter.drawText(place, MIDDLE_RIGHT, row_word(row.row))
                continue
            self._name(painter, row, y, row.subject.id == selected, row.subject.id == pointed)

    def _name(
        self, painter: QPainter, row: LaneRow, y: float, selected: bool, pointed: bool
    ) -> None:
        theme, subject = self.theme, row.subject
        assert subject is not None
        back = QRectF(4, y + 2, NAMES_PX - 10, row.height - 4)
        if selected or pointed:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("selection" if selected else "hover"))
            painter.drawRoundedRect(back, 4, 4)
        self._chevron(painter, QPointF(15, y + row.height / 2), row.open)
        middle = y + row.height / 2
        if subject.camera:
            mark = icon_pixmap("camera", theme.colour("muted"), 16, self.ratio)
            painter.drawPixmap(QPointF(26, middle - 8), mark)
        else:
            painter.setPen(QPen(theme.colour("background"), 1.0))
            painter.setBrush(
                qcolor(subject.colour_hex) if subject.colour_hex else theme.colour("faint")
            )
            painter.drawEllipse(QPointF(33, middle), 5.0, 5.0)
        painter.setFont(self._font)
        painter.setPen(theme.colour("muted" if subject.guest else "text"))
        words = QRectF(46, y, NAMES_PX - 58, row.height)
        painter.drawText(words, MIDDLE_LEFT, self.elided(subject.title, words.width(), small=False))

    def _chevron(self, painter: QPainter, at: QPointF, is_open: bool) -> None:
        painter.setPen(QPen(self.theme.colour("muted"), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        x, y = at.x(), at.y()
        points = (
            [QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)]
            if is_open
            else [QPointF(x - 2, y - 4), QPointF(x + 2, y), QPointF(x - 2, y + 4)]
        )
        painter.drawPolyline(QPolygonF(points))

    def elided(self, text: str, width: float, *, small: bool = True) -> str:
        """The words, cut where they do not fit."""
        key = (text, round(width) * 2 + small)
        if key not in self._elided:
            if len(self._elided) > 512:
                self._elided.clear()
            metrics = self._metrics if small else QFontMetricsF(self._font)
            self._elided[key] = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)
        return self._elided[key]

    def flags(self, painter: QPainter, bookmarks: Sequence[tuple[float, float, str, bool]]) -> None:
        """Bookmarks at the foot of the ruler: a strip as long as each, a flag where it begins, its
        title where there is room; locked ones are filled."""
        theme = self.theme
        colour = theme.colour("information")
        painter.setFont(self._small)
        for left, right, title, locked in bookmarks:
            painter.fillRect(QRectF(left, RULER_PX - 3, max(right - left, 2.0), 3), colour)
            painter.setPen(QPen(colour, 1.5))
            painter.setBrush(colour if locked else Qt.BrushStyle.NoBrush)
            points = [(0, 0), (9, 0), (6, 4), (9, 8), (0, 8)]
            painter.drawPolygon(
                QPolygonF([QPointF(left + x, RULER_PX - 14 + y) for x, y in points])
            )
            painter.drawLine(QPointF(left, RULER_PX - 14), QPointF(left, RULER_PX))
            room = right - left - 16
            if room > 40:
                painter.setPen(theme.colour("information"))
                words = QRectF(left + 13, RULER_PX - 18, room, 14)
                painter.drawText(words, MIDDLE_LEFT, self.elided(title, room))

    # --- range and cursor -----------------------------------------------------------------------

    def marked(
        self, painter: QPainter, left: float, right: float, bottom: float, words: str
    ) -> None:
        """The marked range, with how long it is."""
        theme = self.theme
        accent = theme.colour("accent")
        veil = QColor(accent)
        veil.setAlpha(38)
        painter.fillRect(QRectF(left, RULER_PX, right - left, bottom - RULER_PX), veil)
        painter.fillRect(QRectF(left, RULER_PX - 4, right - left, 4), accent)
        painter.setPen(QPen(accent, 1.5))
        for x in (left, right):
            painter.drawLine(QPointF(x, RULER_PX - 8), QPointF(x, bottom))
        self.chip(painter, (left + right) / 2, words, "accent", "accent_text")

    def cursor(self, painter: QPainter, x: float, bottom: float, words: str) -> None:
        """The shared instant."""
        painter.setPen(QPen(self.theme.colour("text"), 1.5))
        painter.drawLine(QPointF(x, CHIP_PX), QPointF(x, bottom))
        self.chip(painter, x, words, "text", "background")

    def now(self, painter: QPainter, x: float, right: float, bottom: float) -> None:
        """What has not happened yet is veiled."""
        veil = self.theme.colour("background")
        veil.setAlpha(200)
        painter.fillRect(QRectF(x, RULER_PX, right - x, bottom - RULER_PX), veil)
        pen = QPen(self.theme.colour("accent"), 1.0, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawLine(QPointF(x, RULER_PX - 2), QPointF(x, bottom))

    def chip(self, painter: QPainter, x: float, words: str, back: str, ink: str) -> QRectF:
        """A small label centred over a place of the ruler, kept within the window."""
        painter.setFont(self._small)
        wide = self._metrics.horizontalAdvance(words) + 12
        limit = self.right + RIGHT_PX / 2 - wide
        left = min(max(x - wide / 2, float(NAMES_PX) - 8), limit)
        place = QRectF(left, 1, wide, CHIP_PX - 1)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.colour(back))
        painter.drawRoundedRect(place, 3, 3)
        painter.setPen(self.theme.colour(ink))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)
        return place


def paint_marker(painter: QPainter, theme: Theme, at: QPointF, mark: Mark) -> None:
    """An alert's sign, its tip on ``at``: disc, triangle or diamond by severity."""
    painter.setPen(QPen(theme.colour("background"), 1.5))
    painter.setBrush(theme.timeline_colour(STYLES[mark].colour))
    x, y = at.x(), at.y()
    if mark is Mark.CRITICAL:
        painter.drawPolygon(
            QPolygonF([QPointF(x, y - 7), QPointF(x + 6, y), QPointF(x, y + 7), QPointF(x - 6, y)])
        )
    elif mark is Mark.WARNING:
        painter.drawPolygon(
            QPolygonF([QPointF(x, y - 6), QPointF(x + 6, y + 5), QPointF(x - 6, y + 5)])
        )
    else:
        painter.drawEllipse(QPointF(x, y), 4.5, 4.5)
