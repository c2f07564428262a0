"""Paints horse cards in the gallery and horse rows in pickers; a thousand of them cost nothing
until they are on show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import (
    QCoreApplication,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from engine.domain.horses import Horse, HorseStatus
from engine.domain.ids import HorseId
from ui.registry.horse_model import CAMERA_ROLE, HORSE_ROLE, PRESENCE_ROLE, HorseModel
from ui.registry.pictures import PictureShelf
from ui.registry.presence import Presence
from ui.registry.words import ago, status_word
from ui.theme import Theme, qcolor

Index = QModelIndex | QPersistentModelIndex
CAPTION_PX = 52
BAR_PX = 4
CARD_GAP_PX = 12
CARD_MIN_PX = 172
PICTURE_ASPECT = 0.74
ROW_PX = 44


def _tr(text: str) -> str:
    return QCoreApplication.translate("HorseCards", text)


@dataclass(slots=True)
class Handling:
    """What is being done to horses by hand: the ones lifted and the one a drop would hit."""

    lifted: frozenset[HorseId] = frozenset()
    target: HorseId | None = None


class CardDelegate(QStyledItemDelegate):
    """A card: picture, the day's presence, name, camera and age."""

    def __init__(
        self, model: HorseModel, shelf: PictureShelf, theme: Theme, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._shelf = shelf
        self.theme = theme
        self.handling = Handling()
        self.cell = QSize(CARD_MIN_PX + CARD_GAP_PX, 200)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self.cell

    def set_cell_width(self, width: int) -> None:
        """Make the cards fill a row."""
        picture = round((width - CARD_GAP_PX) * PICTURE_ASPECT)
        self.cell = QSize(width, picture + BAR_PX + CAPTION_PX + CARD_GAP_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        horse = index.data(HORSE_ROLE)
        if not isinstance(horse, Horse):
            return
        half = CARD_GAP_PX // 2
        card = QRectF(option.rect).adjusted(half, half, -half, -half)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if horse.id in self.handling.lifted:
            painter.setOpacity(0.35)
        self._ground(painter, card, bool(option.state & QStyle.StateFlag.State_MouseOver))
        self._picture(painter, card, horse, index)
        self._caption(painter, card, horse, str(index.data(CAMERA_ROLE) or ""))
        painter.setOpacity(1.0)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        self._frame(painter, card, horse, selected, bool(option.state & _FOCUS))
        painter.restore()

    def _ground(self, painter: QPainter, card: QRectF, hover: bool) -> None:
        radius = self.theme.measures.radius
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.colour("raised" if hover else "surface"))
        painter.drawRoundedRect(card, radius, radius)

    def _picture(self, painter: QPainter, card: QRectF, horse: Horse, index: Index) -> None:
        width, height = round(card.width()), round(card.height()) - CAPTION_PX - BAR_PX
        ratio = painter.device().devicePixelRatio()
        pixmap = self._shelf.avatar_pixmap(horse, width, height, ratio, self.theme)
        radius = self.theme.measures.radius
        clip = QPainterPath()
        clip.addRoundedRect(card.adjusted(0, 0, 0, 0), radius, radius)
        painter.save()
        painter.setClipPath(clip)
        gone = horse.status in (HorseStatus.MERGED, HorseStatus.ARCHIVED)
        if gone:
            painter.setOpacity(painter.opacity() * 0.4)
        painter.drawPixmap(card.topLeft(), pixmap)
        painter.restore()
        bar = QRectF(card.left(), card.top() + height, card.width(), BAR_PX)
        day = self._model.day
        paint_presence(painter, bar, index.data(PRESENCE_ROLE), day.start, day.end, self.theme)
        if horse.status is not HorseStatus.ACTIVE:
            self._chip(painter, card, status_word(horse.status), "text")
        elif not self._model.day.saw(horse.last_seen_at):
            self._chip(painter, card, _tr("missing today"), "warning")

    def _chip(self, painter: QPainter, card: QRectF, text: str, colour: str) -> None:
        painter.setFont(self.theme.font(self.theme.measures.font_small))
        width = QFontMetricsF(painter.font()).horizontalAdvance(text) + 12
        chip = QRectF(card.right() - width - 6, card.top() + 6, width, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.overlay_colour("chip"))
        painter.drawRoundedRect(chip, 4, 4)
        painter.setPen(self.theme.overlay_colour(colour))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)

    def _caption(self, painter: QPainter, card: QRectF, horse: Horse, camera: str) -> None:
        left, width = card.left() + 10, card.width() - 20
        top = card.bottom() - CAPTION_PX
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(qcolor(horse.colour_hex))
        painter.drawEllipse(QRectF(left, top + 12.5, 7, 7))
        bold = self.theme.font(self.theme.measures.font, bold=True)
        name = QRectF(left + 13, top + 6, width - 13, 20)
        _text(painter, name, horse.title, bold, self.theme.colour("text"))
        small = self.theme.font(self.theme.measures.font_small)
        line = QRectF(left, top + 26, width, 18)
        age = ago(horse.last_seen_at)
        if camera:  # a long camera name gives way, the age never does
            metrics = QFontMetricsF(small)
            room = width - metrics.horizontalAdvance(f" · {age}") - 1
            cut = metrics.elidedText(camera, Qt.TextElideMode.ElideRight, max(room, 24.0))
            age = f"{cut} · {age}"
        _text(painter, line, age, small, self.theme.colour("muted"))

    def _frame(
        self, painter: QPainter, card: QRectF, horse: Horse, selected: bool, focus: bool
    ) -> None:
        target = horse.id == self.handling.target
        colour = "accent" if target or selected else "line"
        pen = QPen(self.theme.colour(colour), 2.0 if target or selected else 1.0)
        if target:
            pen.setDashPattern([3.0, 2.0])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        radius = self.theme.measures.radius
        out = 3.0 if target else 0.0
        painter.drawRoundedRect(card.adjusted(-out, -out, out, out), radius, radius)
        if focus and not selected:
            painter.setPen(QPen(self.theme.colour("faint"), 1.0))
            painter.drawRoundedRect(card.adjusted(-2, -2, 2, 2), radius, radius)


class RowDelegate(QStyledItemDelegate):
    """A row of a picker: small picture, name, where and when, and how alike."""

    def __init__(self, shelf: PictureShelf, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._shelf = shelf
        self.theme = theme
        self.similarity: dict[HorseId, float] = {}

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        horse = index.data(HORSE_ROLE)
        if not isinstance(horse, Horse):
            return
        theme, row = self.theme, QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state = option.state
        if not state & QStyle.StateFlag.State_Enabled:
            painter.setOpacity(0.4)
        elif state & QStyle.StateFlag.State_Selected:
            painter.fillRect(row, theme.colour("selection"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(row, theme.colour("hover"))
        ratio = painter.device().devicePixelRatio()
        pixmap = self._shelf.avatar_pixmap(horse, 44, 34, ratio, theme)
        painter.drawPixmap(row.topLeft() + QPointF(8, 5), pixmap)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(qcolor(horse.colour_hex))
        painter.drawEllipse(QRectF(row.left() + 62, row.top() + 11, 7, 7))
        alike = self.similarity.get(horse.id)
        right = 56.0 if alike is not None else 8.0
        width = row.width() - 76 - right
        bold = theme.font(theme.measures.font, bold=True)
        name = QRectF(row.left() + 76, row.top() + 5, width, 18)
        _text(painter, name, horse.title, bold, theme.colour("text"))
        small = theme.font(theme.measures.font_small)
        camera = str(index.data(CAMERA_ROLE) or "")
        words = [status_word(horse.status), *([camera] if camera else []), ago(horse.last_seen_at)]
        where = QRectF(row.left() + 62, row.top() + 22, width + 14, 17)
        _text(painter, where, " · ".join(words), small, theme.colour("muted"))
        if alike is not None:
            place = QRectF(row.right() - 52, row.top(), 44, row.height())
            plain = theme.font(theme.measures.font)
            _text(painter, place, f"{alike:.2f}", plain, theme.colour("text"), right=True)
        painter.restore()


class NameDelegate(QStyledItemDelegate):
    """The table's first column: small picture, colour and name."""

    def __init__(self, shelf: PictureShelf, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._shelf = shelf
        self.theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        horse = index.data(HORSE_ROLE)
        if not isinstance(horse, Horse):
            return
        theme, row = self.theme, QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ratio = painter.device().devicePixelRatio()
        picture = self._shelf.avatar_pixmap(horse, 38, 28, ratio, theme)
        painter.drawPixmap(QPointF(row.left() + 12, row.center().y() - 14), picture)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(qcolor(horse.colour_hex))
        painter.drawEllipse(QRectF(row.left() + 60, row.center().y() - 3.5, 7, 7))
        name = QRectF(row.left() + 74, row.top(), row.width() - 82, row.height())
        _text(painter, name, horse.title, theme.font(bold=True), theme.colour("text"))
        painter.restore()

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        option.text = ""


_FOCUS = QStyle.StateFlag.State_HasFocus


def _text(
    painter: QPainter,
    place: QRectF,
    text: str,
    font: QFont,
    colour: QColor,
    right: bool = False,
) -> None:
    """One line, cut with an ellipsis where it does not fit."""
    painter.setFont(font)
    painter.setPen(colour)
    text = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width())
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, text)


def paint_presence(
    painter: QPainter,
    place: QRectF,
    presence: object,
    start: datetime,
    end: datetime,
    theme: Theme,
) -> None:
    """A day as a bar: what was seen is bright, noon is marked."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.fillRect(place, theme.colour("well"))
    whole_s = (end - start).total_seconds()
    if isinstance(presence, Presence):
        colour = theme.colour("accent")
        for first, last in presence.intervals:
            x = place.left() + place.width() * (first - start).total_seconds() / whole_s
            width = place.width() * (last - first).total_seconds() / whole_s
            painter.fillRect(QRectF(x, place.top(), max(width, 1.5), place.height()), colour)
    painter.restore()
