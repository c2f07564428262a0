"""The bar that appears with a marked range: what is marked, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from ui.actions import ActionBook
from ui.timeline.range_scope import RangeScope
from ui.widgets import label, line, tool

BELOW_PX = 12


class RangeBar(QFrame):
    """Floats over the foot of the lanes."""

    def __init__(self, book: ActionBook, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("float")
        self._words = label("", "strong")
        self._who = label("", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 8, 6)
        row.setSpacing(4)
        row.addWidget(self._words)
        row.addWidget(self._who)
        row.addSpacing(8)
        for name in ("export", "bookmark", "lock", "unlock", "reprocess", "review", "session"):
            with_text = name in ("export", "bookmark", "review")
            row.addWidget(tool(book[f"timeline.{name}"], 16, text=with_text))
        row.addWidget(tool(book["timeline.copy"], 16))
        upright = line(upright=True)
        upright.setFixedHeight(18)
        row.addWidget(upright)
        row.addWidget(tool(book["timeline.clear"], 16))
        self.hide()

    @property
    def words(self) -> str:
        """What is marked, as it is said."""
        return " ".join(part for part in (self._words.text(), self._who.text()) if part)

    def show_scope(self, scope: RangeScope | None) -> None:
        """Show a range; None hides the bar."""
        self.setVisible(scope is not None)
        if scope is None:
            return
        self._words.setText(scope.words())
        self._who.setText(scope.title or self.tr("all cameras"))
        self._who.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.adjustSize()
        self.place()
        self.raise_()

    def place(self) -> None:
        """Stand at the foot of the parent, in the middle."""
        parent = self.parentWidget()
        if parent is not None:
            x = (parent.width() - self.width()) // 2
            self.move(max(x, 0), max(parent.height() - self.height() - BELOW_PX, 0))
