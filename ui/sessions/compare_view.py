"""Two sessions side by side: every figure of both, the difference, and what can be said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from PySide6.QtCore import QAbstractTableModel, QObject, Qt
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.ids import HorseId
from engine.domain.sessions import (
    Comparison,
    MetricDifference,
    Session,
    SessionId,
    SessionRepository,
    SessionState,
)
from engine.sessions.comparison import compare
from ui.requests import RequestId, RequestRunner
from ui.sessions.feed import SessionFeed
from ui.sessions.figures import Index, plain_table
from ui.sessions.session_rows import about_words
from ui.sessions.words import difference_words, metric_word, number_words, verdict_words
from ui.theme import Theme
from ui.widgets import button, label

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class DifferenceModel(QAbstractTableModel):
    """Figure, first, second, second minus first, and the verdict or why there is none."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[MetricDifference, ...] = ()
        self.colour_by(theme)

    def colour_by(self, theme: Theme) -> None:
        """Another look."""
        self._dim, self._lit = QColor(theme.colour("muted")), QColor(theme.colour("accent"))

    def show_differences(self, rows: Sequence[MetricDifference]) -> None:
        """Those with a verdict first, then those that both tell, then the rest."""
        self.beginResetModel()
        self.rows = tuple(sorted(rows, key=lambda one: (not one.verdict, one.difference is None)))
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 5

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (
                self.tr("Figure"), self.tr("First"), self.tr("Second"),
                self.tr("Second minus first"), self.tr("What can be said"),
            )[section]  # fmt: skip
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        one, column = self.rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return (
                metric_word(one.name), _told(one.a, one.unit), _told(one.b, one.unit),
                difference_words(one), verdict_words(one),
            )[column]  # fmt: skip
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (1, 2, 3):
            return _RIGHT
        if role == Qt.ItemDataRole.ForegroundRole:
            if not one.verdict and (column == 4 or one.difference is None):
                return self._dim
            return self._lit if column == 4 and one.verdict != "alike" else None
        return None


def _told(value: float | None, unit: str) -> str:
    return "–" if value is None else number_words(value, unit)


class DifferenceTable(QTableView):
    """Rows are as high as their words need."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.differences = DifferenceModel(theme, self)
        self.setModel(self.differences)
        plain_table(self)
        self.setWordWrap(True)
        head = self.horizontalHeader()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(4, QHeaderView.ResizeMode.Stretch)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setAccessibleName(self.tr("Differences of two sessions"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resizeRowsToContents()


@dataclass(frozen=True, slots=True)
class _Missing:
    """Whose figures are not there."""

    session_id: SessionId


class CompareView(QWidget):
    """Two lists to choose from, and the table."""

    def __init__(
        self,
        sessions: SessionRepository | None,
        feed: SessionFeed,
        requests: RequestRunner,
        horse: Callable[[HorseId | None], str],
        theme: Theme,
    ) -> None:
        super().__init__()
        self._sessions, self._feed, self._requests = sessions, feed, requests
        self._horse = horse
        self._asked: RequestId | None = None
        self._shown: tuple[object, object] = (None, None)
        self.a, self.b = QComboBox(), QComboBox()
        self.a.setAccessibleName(self.tr("First session"))
        self.b.setAccessibleName(self.tr("Second session"))
        self.swap = button(self.tr("Swap"))
        self.table = DifferenceTable(theme)
        self.remarks = label("", "small", wrap=True)
        self.words = label("", "muted", wrap=True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._build()
        for box in (self.a, self.b):
            box.currentIndexChanged.connect(lambda _index: self._compare())
        self.swap.clicked.connect(self._on_swap)
        feed.changed.connect(self._on_feed)

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label(self.tr("First"), "muted"))
        row.addWidget(self.a, 1)
        row.addWidget(self.swap)
        row.addWidget(label(self.tr("Second"), "muted"))
        row.addWidget(self.b, 1)
        self.right = QStackedWidget()
        self.right.addWidget(self.words)
        self.right.addWidget(self.table)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(12)
        column.addLayout(row)
        column.addWidget(self.remarks)
        column.addWidget(self.right, 1)

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self.table.differences.colour_by(theme)
        self.table.viewport().update()

    def begin_with(self, session: Session) -> None:
        """One is the second; the one before it of the same horse the first, where there is one."""
        self._on_feed()
        self.b.setCurrentIndex(max(self.b.findData(str(session.id)), 0))
        earlier = [
            one
            for one in self._choices()
            if one.id != session.id
            and one.horse_id == session.horse_id
            and one.start_at <= session.start_at
        ]
        if earlier:
            self.a.setCurrentIndex(self.a.findData(str(earlier[0].id)))
        elif self.a.currentData() == str(session.id):
            self.a.setCurrentIndex(0)

    def _choices(self) -> list[Session]:
        return [one for one in self._feed.sessions if one.state is SessionState.DONE]

    def _on_feed(self) -> None:
        choices = self._choices()
        fresh = [(self._title(one), str(one.id)) for one in choices]
        for box in (self.a, self.b):
            known = [(box.itemText(n), box.itemData(n)) for n in range(1, box.count())]
            if known == fresh and box.count():
                continue
            chosen = box.currentData()
            box.blockSignals(True)
            box.clear()
            box.addItem(self.tr("choose a session"), None)
            for text, data in fresh:
                box.addItem(text, data)
            box.setCurrentIndex(max(box.findData(chosen), 0) if chosen else 0)
            box.blockSignals(False)
        self._compare()

    def _title(self, session: Session) -> str:
        return f"{session.title} · {about_words(session, self._horse(session.horse_id))}"

    def _on_swap(self) -> None:
        first, second = self.a.currentIndex(), self.b.currentIndex()
        for box, index in ((self.a, second), (self.b, first)):
            box.blockSignals(True)
            box.setCurrentIndex(index)
            box.blockSignals(False)
        self._compare()

    def _compare(self) -> None:
        store, a, b = self._sessions, self.a.currentData(), self.b.currentData()
        if (a, b) == self._shown and a is not None:
            return
        self._shown = (a, b)
        if self._asked is not None:
            self._requests.cancel(self._asked)
            self._asked = None
        if store is None or a is None or b is None or a == b:
            self._say(self._why_nothing(a, b))
            return
        ids = SessionId(UUID(a)), SessionId(UUID(b))

        def work() -> Comparison | _Missing:
            found = [store.metrics(one) for one in ids]
            if found[0] is None or found[1] is None:
                return _Missing(ids[0] if found[0] is None else ids[1])
            return compare(found[0], found[1])

        self._asked = self._requests.submit(
            "compare sessions", work, self._on_compared, self._on_failed, owner=self
        )

    def _why_nothing(self, a: object, b: object) -> str:
        if len(self._choices()) < 2:
            return self.tr("Two analysed sessions are needed. So far there are fewer.")
        if a is not None and a == b:
            return self.tr("That is the same session twice. Choose another one.")
        return self.tr("Choose two analysed sessions: the same horse before and after, or two.")

    def _say(self, words: str) -> None:
        self.words.setText(words)
        self.remarks.setText("")
        self.right.setCurrentIndex(0)

    def _on_compared(self, found: Comparison | _Missing) -> None:
        self._asked = None
        if isinstance(found, _Missing):
            self._say(self.tr("Nothing was found in one of them."))
            return
        self.table.differences.show_differences(found.differences)
        self.table.resizeRowsToContents()
        self.remarks.setText("\n".join(f"• {one}" for one in found.remarks))
        self.right.setCurrentIndex(1)

    def _on_failed(self, error: BarnhandError) -> None:
        self._asked = None
        self._shown = (None, None)
        self._say(str(error))
