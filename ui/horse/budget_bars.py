"""Time budgets as stacked bars, a day each; time that was not seen stays hatched."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from ui.horse.reading import DayBudget
from ui.theme import Theme
from ui.timeline.marks import Mark, mark_word
from ui.timeline.raster import CELL, Paints
from ui.wording import duration

HEIGHT_PX, FOOT_PX, GAP_PX = 132, 18, 4.0
DAY_S = 86_400.0


class BudgetBars(QWidget):
    """``chosen`` carries the index of the day that was clicked; arrow keys choose too."""

    chosen = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._days: tuple[DayBudget, ...] = ()
        self._chosen = -1
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(self.tr("Time budgets by day"))
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        paints = Paints(theme)
        self._brushes: dict[Mark, QBrush] = {mark: _brush(paints, mark) for mark in Mark}
        self.update()

    def show_days(self, days: Sequence[DayBudget]) -> None:
        """Show these, the newest at the right and chosen."""
        self._days = tuple(days)
        self.choose(len(self._days) - 1)

    @property
    def day(self) -> DayBudget | None:
        """The chosen day."""
        return self._days[self._chosen] if 0 <= self._chosen < len(self._days) else None

    def choose(self, index: int) -> None:
        """Choose a day."""
        if self._days:
            self._chosen = min(max(index, 0), len(self._days) - 1)
            self.update()
            self.chosen.emit(self._chosen)

    def sizeHint(self) -> QSize:
        return QSize(320, HEIGHT_PX)

    def bar(self, index: int) -> QRectF:
        """Where a day is drawn."""
        width = (self.width() + GAP_PX) / max(len(self._days), 1)
        return QRectF(index * width, 2.0, width - GAP_PX, self.height() - FOOT_PX - 4.0)

    # --- hands ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.choose(self._at(event.position()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            event.ignore()
        else:
            self.choose(self._chosen + step)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._days:
            day = self._days[self._at(QPointF(event.pos()))]
            QToolTip.showText(event.globalPos(), self.words_of(day), self)
            return True
        return super().event(event)

    def _at(self, at: QPointF) -> int:
        share = at.x() / max(self.width(), 1)
        return min(max(int(share * len(self._days)), 0), max(len(self._days) - 1, 0))

    def words_of(self, day: DayBudget) -> str:
        """A day's budget in lines."""
        lines = [
            day.start_at.astimezone().strftime("%a %d %b"),
            self.tr("seen {0} of {1}").format(duration(day.seen_s), duration(day.whole_s)),
        ]
        lines += [f"{mark_word(mark)}: {duration(seconds)}" for mark, seconds in day.parts]
        return "\n".join(lines)

    # --- paint ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        for index, day in enumerate(self._days):
            self._paint_day(painter, self.bar(index), day, index == self._chosen)
        painter.end()

    def _paint_day(self, painter: QPainter, bar: QRectF, day: DayBudget, chosen: bool) -> None:
        theme = self._theme
        tall = bar.height() * min(day.whole_s / DAY_S, 1.0)
        painter.fillRect(bar, theme.timeline_colour("ground"))
        lived = QRectF(bar.x(), bar.bottom() - tall, bar.width(), tall)
        painter.fillRect(lived, self._brushes[Mark.NO_DATA])
        bottom = bar.bottom()
        for mark, seconds in day.parts:
            height = bar.height() * seconds / DAY_S
            painter.fillRect(
                QRectF(bar.x(), bottom - height, bar.width(), height), self._brushes[mark]
            )
            bottom -= height
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if chosen:
            painter.setPen(QPen(theme.colour("accent" if self.hasFocus() else "text"), 1.5))
            painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.setFont(theme.font(11))
        painter.setPen(theme.colour("text" if chosen else "muted"))
        foot = QRectF(bar.x() - GAP_PX, bar.bottom() + 2, bar.width() + 2 * GAP_PX, FOOT_PX)
        name = day.start_at.astimezone().strftime("%d")
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, name)


def _brush(paints: Paints, mark: Mark) -> QBrush:
    patch = paints.swatch(mark, CELL, CELL)
    image = QImage(patch.tobytes(), CELL, CELL, 4 * CELL, QImage.Format.Format_ARGB32_Premultiplied)
    return QBrush(image.copy())
