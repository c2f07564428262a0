"""The head of the registry: how many there are, search, filters, review and history."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
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

SEARCH_PX = 220


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
        self.search.setFixedWidth(SEARCH_PX)
        self.search.setAccessibleName(self.tr("Search horses"))
        self.chips: dict[Show, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._tools = QHBoxLayout()
        self._tools.setSpacing(4)
        first = QHBoxLayout()
        first.setSpacing(12)
        first.addWidget(self.title)
        first.addWidget(self.counts, 1)
        first.addWidget(self.search)
        first.addLayout(self._tools)
        second = QHBoxLayout()
        second.setSpacing(6)
        for show in Show:
            chip = QToolButton()
            chip.setProperty("role", "chip")
            chip.setCheckable(True)
            chip.setChecked(show is Show.ALL)
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            chip.clicked.connect(lambda _on=False, s=show: self.filtered.emit(s))
            self._group.addButton(chip)
            self.chips[show] = chip
            second.addWidget(chip)
        second.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 12, 14, 10)
        column.setSpacing(10)
        column.addLayout(first)
        column.addLayout(second)
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

    def show_problem(self, text: str) -> None:
        """What is wrong with the store; the horses on show are the last ones known."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def clear(self) -> None:
        """No search, no filter."""
        self.search.clear()
        self.chips[Show.ALL].click()
