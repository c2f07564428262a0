"""The list of sessions: one painted row each, with how far its analysis is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from engine.domain.ids import HorseId
from engine.domain.sessions import Session, SessionState
from ui.registry.words import when
from ui.row_list import RowDelegate, RowModel, paint_line
from ui.sessions.words import kind_word, source_word, state_line, state_word
from ui.theme import Theme, icon_pixmap
from ui.wording import duration

BAR_PX = 3
HorseTitle = Callable[[HorseId | None], str]
MARKS = {
    SessionState.OPEN: ("live", "accent"),
    SessionState.QUEUED: ("jobs", "muted"),
    SessionState.RUNNING: ("sync", "accent"),
    SessionState.DONE: ("ok", "accent"),
    SessionState.FAILED: ("critical", "critical"),
    SessionState.CANCELLED: ("stop", "muted"),
}


class SessionModel(RowModel[Session]):
    """Sessions as rows."""

    def __init__(self, horse: HorseTitle, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._horse = horse

    def words(self, value: Session) -> str:
        horse = self._horse(value.horse_id)
        return f"{value.title} {horse} {when(value.start_at)}, {state_word(value.state)}"

    def hint(self, value: Session) -> str:
        return f"{value.title}\n{state_line(value)}"


def about_words(session: Session, horse: str) -> str:
    """``Bella · Trot up · 12 Mar 09:14 · 2 min 04 s``."""
    length = duration(session.duration_s) if session.duration_s is not None else ""
    parts = (horse, kind_word(session.kind), when(session.start_at), length)
    return " · ".join(part for part in parts if part)


class SessionDelegate(RowDelegate[Session]):
    """Paints a row: state by icon and words, title, whose and when, progress."""

    row_px = 76

    def __init__(self, theme: Theme, horse: HorseTitle, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._horse = horse

    def paint_value(self, painter: QPainter, area: QRect, value: Session) -> None:
        theme, session = self.theme, value
        name, colour = MARKS[session.state]
        ratio = painter.device().devicePixelRatio()
        mark = icon_pixmap(name, theme.colour(colour), 20, ratio)
        painter.drawPixmap(QPointF(area.x() + 14, area.y() + 10), mark)
        left, width = area.x() + 46, area.width() - 58
        if session.locked:
            lock = icon_pixmap("lock", theme.colour("muted"), 16, ratio)
            painter.drawPixmap(QPointF(area.right() - 24, area.y() + 10), lock)
            width -= 20
        painter.setFont(theme.font(bold=True))
        painter.setPen(theme.colour("text"))
        paint_line(painter, QRect(left, area.y() + 6, width, 22), session.title)
        painter.setFont(theme.font(12))
        painter.setPen(theme.colour("muted"))
        about = about_words(session, self._horse(session.horse_id))
        paint_line(painter, QRect(left, area.y() + 28, width, 20), about)
        failed = session.state is SessionState.FAILED
        painter.setPen(theme.colour("critical" if failed else "muted"))
        told = f"{source_word(session.source)} · {state_line(session)}"
        paint_line(painter, QRect(left, area.y() + 48, width, 20), told)
        if session.state is SessionState.RUNNING:
            groove = QRect(left, area.bottom() - BAR_PX - 2, width, BAR_PX)
            painter.fillRect(groove, theme.colour("well"))
            groove.setWidth(round(width * min(max(session.progress, 0.0), 1.0)))
            painter.fillRect(groove, theme.colour("accent"))
