"""The head of the registry: how many there are, search, filters, review and history."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.actions import ActionBook
from ui.registry.horse_model import Show
from ui.registry.words import counted
from ui.widgets import label, restyle, tool

SEARCH_PX, SEARCH_LEAST_PX = 220, 110
COUNTS_FROM_PX = 720
GAP_PX = 6


class ChipRows(QWidget):
    """Chips side by side, in as many rows as the width asks for."""

    def __init__(self, chips: Sequence[QToolButton]) -> None:
        super().__init__()
        self._chips = chips
        for chip in chips:
            chip.setParent(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.lay_out()

    def lay_out(self) -> None:
        """Put every chip where there is room; called again when words change."""
        x = y = 0
        tall = max((chip.sizeHint().height() for chip in self._chips), default=0)
        for chip in self._chips:
            width = chip.sizeHint().width()
            if x and x + width > self.width():
                x, y = 0, y + tall + GAP_PX
            chip.setGeometry(x, y, width, tall)
            x += width + GAP_PX
        self.setFixedHeight(y + tall)


class RegistryHeader(QFrame):
    """``searched`` carries words, ``filtered`` a ``Show``."""

    searched = Signal(str)
    filtered = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolbar")
        self.title = label(self.tr("Horses"), "title")
        self.counts = label("", "muted")
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        self.search = QLineEdit(placeholderText=self.tr("Search horses"))
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(SEARCH_LEAST_PX)
        self.search.setMaximumWidth(SEARCH_PX)
        self.search.setAccessibleName(self.tr("Search horses"))
        self.chips: dict[Show, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._tools = QHBoxLayout()
        self._tools.setSpacing(4)
        first = QHBoxLayout()
        first.setSpacing(12)
        first.addWidget(self.title)
        first.addWidget(self.counts)
        first.addStretch(1)
        first.addWidget(self.search, 4)
        first.addLayout(self._tools)
        for show in Show:
            chip = QToolButton()
            chip.setProperty("role", "chip")
            chip.setCheckable(True)
            chip.setChecked(show is Show.ALL)
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            chip.clicked.connect(lambda _on=False, s=show: self.filtered.emit(s))
            self._group.addButton(chip)
            self.chips[show] = chip
        self._rows = ChipRows(list(self.chips.values()))
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 12, 14, 10)
        column.setSpacing(10)
        column.addLayout(first)
        column.addWidget(self._rows)
        column.addWidget(self.problem)
        self.search.textChanged.connect(self.searched)
        self.review_button: QToolButton | None = None

    def add_tools(self, book: ActionBook) -> None:
        """Buttons of the page's actions."""
        self._tools.addWidget(tool(book["registry.table"], 18))
        self.review_button = tool(book["registry.review"], 18, text=True)
        self._tools.addWidget(self.review_button)
        self._tools.addWidget(tool(book["registry.history"], 18, text=True))

    def show_counts(self, counts: dict[Show, int], reviews: int) -> None:
        """How many horses of each kind there are, and open questions."""
        words = {
            Show.ALL: self.tr("All"),
            Show.RESIDENTS: self.tr("Residents"),
            Show.GUESTS: self.tr("Guests"),
            Show.UNNAMED: self.tr("Unnamed"),
            Show.TODAY: self.tr("Seen today"),
            Show.MISSING: self.tr("Missing today"),
            Show.MERGED: self.tr("Merged"),
        }
        for show, chip in self.chips.items():
            chip.setText(f"{words[show]}  {counts[show]}")
        self._rows.lay_out()
        missing = counts[Show.MISSING]
        restyle(self.chips[Show.MISSING], "warning", bool(missing))
        parts = [
            counted(counts[Show.RESIDENTS], self.tr("resident"), self.tr("residents")),
            counted(counts[Show.GUESTS], self.tr("guest"), self.tr("guests")),
        ]
        if missing:
            parts.append(self.tr("{0} not seen today").format(missing))
        self.counts.setText(", ".join(parts))
        if self.review_button is not None:
            self.review_button.setText(
                self.tr("Review {0}").format(reviews) if reviews else self.tr("Review")
            )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.counts.setVisible(self.width() >= COUNTS_FROM_PX)

    def show_problem(self, text: str) -> None:
        """What is wrong with the store; the horses on show are the last ones known."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def clear(self) -> None:
        """No search, no filter."""
        self.search.clear()
        self.chips[Show.ALL].click()
