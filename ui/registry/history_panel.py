"""What was corrected by whom, when and why; anything can be taken back or done again from here."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse
from engine.domain.identity import CommandRecord
from ui.registry.context import RegistryContext
from ui.registry.words import ago, clock, record_counts
from ui.requests import RequestId
from ui.row_list import VALUE, Index, RowModel
from ui.theme import Theme, icon_pixmap
from ui.widgets import button, icon_button, label, line

PAGE = 100
HEAD_PX, LINE_PX, SMALL_PX = 54, 18, 17
LINK_PX = 64
KIND_ICONS = {
    "merge": "merge",
    "split": "cut",
    "swap": "swap",
    "reassign": "swap",
    "reject": "close",
    "rename": "edit",
    "accept": "check",
}


class HistoryModel(RowModel[CommandRecord]):
    """Corrections, newest first."""

    def words(self, value: CommandRecord) -> str:
        return f"{value.actor} {value.summary}, {ago(value.at)}"

    def hint(self, value: CommandRecord) -> str:
        return "\n".join(part for part in (value.summary, value.reason) if part)


class RecordDelegate(QStyledItemDelegate):
    """Kind, what was done, who, when, why, how much; a link that takes it back or does it again."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        record, view = index.data(VALUE), self.parent()
        width = view.viewport().width() if isinstance(view, QListView) else 400
        two = isinstance(record, CommandRecord) and self._advance(record) > self._room(width)
        why = isinstance(record, CommandRecord) and bool(self._why(record))
        return QSize(240, HEAD_PX + (LINE_PX if two else 0) + (SMALL_PX if why else 0))

    def _advance(self, record: CommandRecord) -> float:
        return QFontMetricsF(self.theme.font(bold=True)).horizontalAdvance(record.summary)

    @staticmethod
    def _room(width: float) -> float:
        return width - 44 - LINK_PX - 16

    @staticmethod
    def _why(record: CommandRecord) -> str:
        parts = (f"“{record.reason}”" if record.reason else "", record_counts(record))
        return " · ".join(part for part in parts if part)

    @staticmethod
    def link(row: QRect) -> QRect:
        """Where the link of a row is."""
        return QRect(row.right() - LINK_PX - 4, row.top() + 8, LINK_PX, 24)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        record = index.data(VALUE)
        if not isinstance(record, CommandRecord):
            return
        theme, row = self.theme, QRect(option.rect)
        painter.save()
        state = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(row, theme.colour("selection"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(row, theme.colour("raised"))
        painter.setPen(QPen(theme.colour("line"), 1.0))
        painter.drawLine(row.bottomLeft(), row.bottomRight())
        undone = record.undone_at is not None
        colour = theme.colour("faint" if undone else "text")
        mark = icon_pixmap(
            KIND_ICONS.get(record.kind, "edit"),
            theme.colour("faint" if undone else "accent"),
            16,
            painter.device().devicePixelRatio(),
        )
        painter.drawPixmap(row.left() + 16, row.top() + 12, mark)
        left, width = row.left() + 44, self._room(row.width())
        bold = theme.font(bold=True)
        bold.setStrikeOut(undone)
        summary = record.summary[:1].upper() + record.summary[1:]
        two = self._advance(record) > width
        place = QRectF(left, row.top() + 9, width, 2 * LINE_PX if two else LINE_PX)
        painter.setFont(bold)
        painter.setPen(colour)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        painter.drawText(place, int(flags) | int(Qt.TextFlag.TextWordWrap), summary)
        small = theme.font(theme.measures.font_small)
        muted = theme.colour("faint" if undone else "muted")
        who = f"{record.actor} · {ago(record.at)}"
        if undone and record.undone_at is not None:
            who += " · " + self.tr("undone by {0} {1}").format(
                record.undone_by or "?", clock(record.undone_at, False)
            )
        whole = row.width() - 44 - 16
        below = place.bottom() + 2
        self._line(painter, QRectF(left, below, whole, SMALL_PX), who, small, muted)
        why = self._why(record)
        self._line(painter, QRectF(left, below + SMALL_PX, whole, SMALL_PX), why, small, muted)
        painter.setFont(theme.font())
        painter.setPen(theme.colour("accent"))
        words = self.tr("Redo") if undone else self.tr("Undo")
        painter.drawText(self.link(row), Qt.AlignmentFlag.AlignCenter, words)
        painter.restore()

    @staticmethod
    def _line(painter: QPainter, place: QRectF, text: str, font: QFont, colour: QColor) -> None:
        painter.setFont(font)
        painter.setPen(colour)
        cut = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, cut)


class HistoryList(QListView):
    """``turned`` carries a record that is to be undone, or done again if it is undone."""

    turned = Signal(object)

    def __init__(self, model: HistoryModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("history")
        self.records = model
        self.setModel(model)
        self.rows = RecordDelegate(theme, self)
        self.setItemDelegate(self.rows)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Corrections"))

    def link_of(self, row: int) -> QRect:
        """Where a row's link is in the viewport."""
        return self.rows.link(self.visualRect(self.records.index(row)))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        point = event.position().toPoint()
        index = self.indexAt(point)
        if index.isValid() and self.rows.link(self.visualRect(index)).contains(point):
            self.turned.emit(index.data(VALUE))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(event.position().toPoint())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.viewport().unsetCursor()

    def _hover(self, point: QPoint) -> None:
        index = self.indexAt(point)
        on_link = index.isValid() and self.rows.link(self.visualRect(index)).contains(point)
        if on_link:
            self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        else:
            self.viewport().unsetCursor()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        record = self.currentIndex().data(VALUE)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and record is not None:
            self.turned.emit(record)
            return
        super().keyPressEvent(event)


class HistoryPanel(QWidget):
    """Of one horse, or of the farm. ``closed``; ``turned`` as of the list."""

    closed = Signal()
    turned = Signal(object)

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._horse: Horse | None = None
        self._asked: RequestId | None = None
        self.model = HistoryModel(self)
        self.list = HistoryList(self.model, context.theme)
        self.title = label("", "large")
        self.everybody = button(self.tr("Of all horses"), "link")
        self.older = button(self.tr("Older…"))
        self.problem = label("", "problem", wrap=True)
        self.nothing = label("", "muted", wrap=True)
        close = icon_button("close", context.theme, self.tr("Close (Esc)"))
        close.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.setContentsMargins(16, 14, 12, 8)
        head.addWidget(self.title, 1)
        head.addWidget(self.everybody)
        head.addWidget(close)
        self.nothing.setContentsMargins(16, 8, 16, 0)
        self.problem.setContentsMargins(16, 0, 16, 8)
        foot = QHBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.addWidget(self.older)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.problem)
        column.addWidget(line())
        column.addWidget(self.nothing)
        column.addWidget(self.list, 1)
        column.addStretch(0)
        column.addLayout(foot)
        self.list.turned.connect(self.turned)
        self.everybody.clicked.connect(lambda: self.open_for(None))
        self.older.clicked.connect(self._read_older)
        self.problem.hide()

    def open_for(self, horse: Horse | None) -> None:
        """Corrections that touched a horse, or (None) all of them."""
        self._horse = horse
        self.title.setText(
            self.tr("History of {0}").format(horse.title) if horse else self.tr("History")
        )
        self.everybody.setVisible(horse is not None)
        self.reread()

    def reread(self) -> None:
        """Read the newest ones again."""
        if self._asked is not None:
            self._context.requests.cancel(self._asked)
        identity = self._context.services.identity
        horse_id = self._horse.id if self._horse is not None else None
        most = max(PAGE, min(len(self.model.values), 1000))
        self._asked = self._context.requests.submit(
            "history of corrections",
            lambda: tuple(identity.history(horse_id=horse_id, limit=most)),
            self._on_read,
            self._on_failed,
        )

    def _read_older(self) -> None:
        if not self.model.values:
            return
        identity, last = self._context.services.identity, self.model.values[-1].id
        horse_id = self._horse.id if self._horse is not None else None
        self._context.requests.submit(
            "older corrections",
            lambda: tuple(identity.history(horse_id=horse_id, limit=PAGE, before=last)),
            self._on_older,
            self._on_failed,
        )

    def _on_read(self, records: tuple[CommandRecord, ...]) -> None:
        self._asked = None
        self.problem.hide()
        self.model.show_values(records)
        self.older.setVisible(len(records) >= PAGE)
        self.nothing.setVisible(not records)
        self.list.setVisible(bool(records))
        self.nothing.setText(
            self.tr(
                "Nothing was corrected yet. Drag one horse onto another to merge them; whatever "
                "you or a remote client change appears here and can be undone."
            )
        )

    def _on_older(self, records: tuple[CommandRecord, ...]) -> None:
        self.model.add_values(records)
        self.older.setVisible(len(records) >= PAGE)

    def _on_failed(self, error: BarnhandError) -> None:
        self._asked = None
        self.problem.setText(str(error))
        self.problem.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)
