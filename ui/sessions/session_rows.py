"""The list of sessions: one painted row each, with how far its analysis is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from engine.domain.ids import HorseId
from engine.domain.sessions import Session, SessionId, SessionState
from ui.registry.words import when
from ui.sessions.words import kind_word, source_word, state_line, state_word
from ui.theme import Theme, icon_pixmap
from ui.wording import duration

ROW_PX, BAR_PX = 76, 3
SESSION = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex
HorseTitle = Callable[[HorseId | None], str]
MARKS = {
    SessionState.OPEN: ("live", "accent"),
    SessionState.QUEUED: ("jobs", "muted"),
    SessionState.RUNNING: ("sync", "accent"),
    SessionState.DONE: ("ok", "accent"),
    SessionState.FAILED: ("critical", "critical"),
    SessionState.CANCELLED: ("stop", "muted"),
}


class SessionModel(QAbstractListModel):
    """Sessions as rows; the SESSION role gives the value."""

    def __init__(self, horse: HorseTitle, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._horse = horse
        self._sessions: tuple[Session, ...] = ()

    def show_sessions(self, sessions: Sequence[Session]) -> None:
        """Take these; rows that stay keep their place in the view."""
        fresh = tuple(sessions)
        if [s.id for s in fresh] == [s.id for s in self._sessions]:
            self._sessions = fresh
            if fresh:
                self.dataChanged.emit(self.index(0), self.index(len(fresh) - 1))
            return
        self.beginResetModel()
        self._sessions = fresh
        self.endResetModel()

    def row_of(self, session_id: SessionId | None) -> int:
        """Its row, -1 if it is not here."""
        ids = [session.id for session in self._sessions]
        return ids.index(session_id) if session_id in ids else -1

    def session(self, index: Index) -> Session | None:
        """The session of a row."""
        row = index.row()
        return self._sessions[row] if index.isValid() and row < len(self._sessions) else None

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._sessions)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        session = self.session(index)
        if session is None:
            return None
        if role == SESSION:
            return session
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            horse = self._horse(session.horse_id)
            return f"{session.title} {horse} {when(session.start_at)}, {state_word(session.state)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{session.title}\n{state_line(session)}"
        return None


def about_words(session: Session, horse: str) -> str:
    """``Bella · Trot up · 12 Mar 09:14 · 2 min 04 s``."""
    length = duration(session.duration_s) if session.duration_s is not None else ""
    parts = (horse, kind_word(session.kind), when(session.start_at), length)
    return " · ".join(part for part in parts if part)


class SessionDelegate(QStyledItemDelegate):
    """Paints a row: state by icon and words, title, whose and when, progress."""

    def __init__(self, theme: Theme, horse: HorseTitle, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._horse = horse

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(240, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        session = index.data(SESSION)
        if not isinstance(session, Session):
            return
        painter.save()
        self._paint(painter, QRect(option.rect), option.state, session)
        painter.restore()

    def _paint(
        self, painter: QPainter, area: QRect, state: QStyle.StateFlag, session: Session
    ) -> None:
        theme = self.theme
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.colour("selection"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.colour("hover"))
        painter.fillRect(area.x(), area.bottom(), area.width(), 1, theme.colour("line"))
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
        _line(painter, QRect(left, area.y() + 6, width, 22), session.title)
        painter.setFont(theme.font(12))
        painter.setPen(theme.colour("muted"))
        about = about_words(session, self._horse(session.horse_id))
        _line(painter, QRect(left, area.y() + 28, width, 20), about)
        failed = session.state is SessionState.FAILED
        painter.setPen(theme.colour("critical" if failed else "muted"))
        told = f"{source_word(session.source)} · {state_line(session)}"
        _line(painter, QRect(left, area.y() + 48, width, 20), told)
        if session.state is SessionState.RUNNING:
            groove = QRect(left, area.bottom() - BAR_PX - 2, width, BAR_PX)
            painter.fillRect(groove, theme.colour("well"))
            groove.setWidth(round(width * min(max(session.progress, 0.0), 1.0)))
            painter.fillRect(groove, theme.colour("accent"))


def _line(painter: QPainter, area: QRect, text: str) -> None:
    shown = QFontMetrics(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
