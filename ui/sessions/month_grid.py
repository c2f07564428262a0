"""A month as six weeks of days, painted; arrow keys choose a day, Page Up and Down the month."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from PySide6.QtCore import QDate, QEvent, QLocale, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from engine.domain.sessions import CalendarEntry
from ui.theme import Theme

HEAD_PX, LINE_PX, WEEKS, DAYS = 26.0, 20.0, 6, 7

EntryWords = Callable[[CalendarEntry], str]
EntryColour = Callable[[CalendarEntry], QColor | None]
"""The horse's own colour; None where it is everybody's."""


def today() -> date:
    """The day it is here."""
    return datetime.now(UTC).astimezone().date()


class MonthGrid(QWidget):
    """``chosen`` carries a day that became the chosen one, ``activated`` one that was double
    clicked or chosen with Enter, ``turned`` the first day on show after another month came."""

    chosen = Signal(object)
    activated = Signal(object)
    turned = Signal(object)

    def __init__(
        self, theme: Theme, words: EntryWords, colour: EntryColour, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme, self._words, self._colour = theme, words, colour
        self._entries: Mapping[date, Sequence[CalendarEntry]] = {}
        self.day = today()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(420, 300))
        self._name()

    # --- what is shown --------------------------------------------------------------------------

    @property
    def first(self) -> date:
        """The first day on show, which may be of the month before."""
        begin = self.day.replace(day=1)
        week_begins = QLocale().firstDayOfWeek().value
        return begin - timedelta(days=(begin.isoweekday() - week_begins) % DAYS)

    @property
    def after(self) -> date:
        """The day after the last one on show."""
        return self.first + timedelta(days=WEEKS * DAYS)

    def show_entries(self, entries: Mapping[date, Sequence[CalendarEntry]]) -> None:
        """What is on each day."""
        self._entries = entries
        self._name()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        self.update()

    def choose(self, day: date) -> None:
        """Choose a day; its month is shown."""
        before, self.day = self.first, day
        self._name()
        self.update()
        self.chosen.emit(day)
        if self.first != before:
            self.turned.emit(self.first)

    def turn(self, months: int) -> None:
        """So many months on or back, on the same day or the last one there is."""
        there = QDate(self.day.year, self.day.month, self.day.day).addMonths(months)
        self.choose(date(there.year(), there.month(), there.day()))

    def cell(self, day: date) -> QRectF:
        """Where a day is painted; empty for one that is not on show."""
        place = (day - self.first).days
        if not 0 <= place < WEEKS * DAYS:
            return QRectF()
        wide, high = self.width() / DAYS, (self.height() - HEAD_PX) / WEEKS
        row, column = divmod(place, DAYS)
        return QRectF(column * wide, HEAD_PX + row * high, wide, high)

    def day_at(self, at: QPointF) -> date | None:
        """The day at a place, None over the names of weekdays."""
        if at.y() < HEAD_PX or not self.rect().contains(at.toPoint()):
            return None
        column = int(at.x() * DAYS / self.width())
        row = int((at.y() - HEAD_PX) * WEEKS / (self.height() - HEAD_PX))
        return self.first + timedelta(days=row * DAYS + column)

    def _name(self) -> None:
        entries = self._entries.get(self.day, ())
        day = QLocale().toString(QDate(self.day.year, self.day.month, self.day.day))
        words = [self._words(entry) for entry in entries] or [self.tr("nothing")]
        self.setAccessibleName(f"{day}: {', '.join(words)}")

    # --- hands ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        day = self.day_at(event.position())
        if day is not None:
            self.choose(day)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        day = self.day_at(event.position())
        if day is not None:
            self.choose(day)
            self.activated.emit(day)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        days = {
            Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -DAYS, Qt.Key.Key_Down: DAYS,
        }  # fmt: skip
        if key in days:
            self.choose(self.day + timedelta(days=days[key]))
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self.turn(-1 if key == Qt.Key.Key_PageUp else 1)
        elif key == Qt.Key.Key_Home:
            self.choose(today())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.activated.emit(self.day)
        else:
            event.ignore()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            day = self.day_at(QPointF(event.pos()))
            entries = self._entries.get(day, ()) if day is not None else ()
            words = "\n".join(self._words(entry) for entry in entries)
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    # --- paint ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, theme = QPainter(self), self._theme
        painter.setFont(theme.font(12, bold=True))
        painter.setPen(theme.colour("muted"))
        for column in range(DAYS):
            day = self.first + timedelta(days=column)
            name = QLocale().dayName(day.isoweekday(), QLocale.FormatType.ShortFormat)
            wide = self.width() / DAYS
            head = QRectF(column * wide + 8, 0, wide - 8, HEAD_PX)
            painter.drawText(head, Qt.AlignmentFlag.AlignVCenter, name)
        for place in range(WEEKS * DAYS):
            self._paint_day(painter, self.first + timedelta(days=place))
        painter.end()

    def _paint_day(self, painter: QPainter, day: date) -> None:
        theme, cell = self._theme, self.cell(day)
        inside = cell.adjusted(0, 0, -1, -1)
        own = day.month == self.day.month
        painter.fillRect(inside, theme.colour("surface" if own else "background"))
        painter.setPen(QPen(theme.colour("line"), 1.0))
        painter.drawLine(inside.topLeft(), inside.topRight())
        is_today = day == today()
        painter.setFont(theme.font(12, bold=is_today))
        painter.setPen(theme.colour("accent" if is_today else "text" if own else "faint"))
        text = self.tr("{0} today").format(day.day) if is_today else str(day.day)
        number = QRectF(cell.x() + 8, cell.y() + 2, cell.width() - 12, LINE_PX)
        painter.drawText(number, Qt.AlignmentFlag.AlignVCenter, text)
        self._paint_entries(painter, cell, self._entries.get(day, ()))
        if day == self.day:
            colour = "accent" if self.hasFocus() else "muted"
            painter.setPen(QPen(theme.colour(colour), 2.0))
            painter.drawRect(inside.adjusted(1, 1, -1, -1))

    def _paint_entries(
        self, painter: QPainter, cell: QRectF, entries: Sequence[CalendarEntry]
    ) -> None:
        theme = self._theme
        room = max(int((cell.height() - LINE_PX - 4) // LINE_PX), 1)
        shown = entries if len(entries) <= room else entries[: max(room - 1, 0)]
        painter.setFont(theme.font(12))
        metrics = QFontMetricsF(painter.font())
        for number, entry in enumerate(shown):
            top = cell.y() + LINE_PX + 2 + number * LINE_PX
            strip = QRectF(cell.x() + 4, top, cell.width() - 9, LINE_PX - 2)
            painter.fillRect(strip, theme.colour("accent_quiet" if entry.done else "raised"))
            colour = self._colour(entry) or theme.colour("muted")
            painter.fillRect(QRectF(strip.x(), strip.y(), 3, strip.height()), colour)
            painter.setPen(theme.colour("text"))
            words = metrics.elidedText(
                self._words(entry), Qt.TextElideMode.ElideRight, strip.width() - 12
            )
            painter.drawText(strip.adjusted(8, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, words)
        if len(shown) < len(entries):
            top = cell.y() + LINE_PX + 2 + len(shown) * LINE_PX
            painter.setPen(theme.colour("muted"))
            rest = QRectF(cell.x() + 8, top, cell.width() - 12, LINE_PX)
            more = self.tr("{0} more").format(len(entries) - len(shown))
            painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, more)
