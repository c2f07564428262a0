"""The left rail: the pages of the console."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ui.actions import ActionBook
from ui.theme import Theme, icon

PAGES = (
    "live",
    "registry",
    "timeline",
    "review",
    "alerts",
    "sessions",
    "settings",
    "health",
)


class Rail(QFrame):
    """One button a page; the last stands apart at the bottom."""

    def __init__(
        self,
        book: ActionBook,
        theme: Theme,
        show: Callable[[str], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setFixedWidth(theme.measures.rail)
        self._actions: dict[str, QAction] = {}
        self._buttons: dict[str, QToolButton] = {}
        group = QActionGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(0)
        names = self._names()
        for number, page in enumerate(PAGES, start=1):
            action = book.add(
                f"go.{page}",
                self.tr("Go to"),
                names[page],
                partial(show, page),
                "Ctrl+," if page == "settings" else f"F{number + 2}" if number < 8 else "F12",
                toggled=lambda _on: None,
            )
            group.addAction(action)
            self._actions[page] = action
            if page == "health":
                column.addStretch(1)
            column.addWidget(self._button(page, action))
        self.set_theme(theme)

    def _names(self) -> dict[str, str]:
        return {
            "live": self.tr("Live"),
            "registry": self.tr("Registry"),
            "timeline": self.tr("Timeline"),
            "review": self.tr("Review"),
            "alerts": self.tr("Alerts"),
            "sessions": self.tr("Sessions"),
            "settings": self.tr("Settings"),
            "health": self.tr("Diagnostics"),
        }

    def _button(self, page: str, action: QAction) -> QToolButton:
        result = QToolButton()
        result.setDefaultAction(action)
        result.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        result.setIconSize(QSize(20, 20))
        result.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        result.setFixedHeight(56)
        result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._buttons[page] = result
        return result

    def show_waiting(self, count: int) -> None:
        """How many alerts wait for a person: said beside the name, never by colour alone."""
        name = self._names()["alerts"]
        self._actions["alerts"].setIconText(f"{name} ({count})" if count else name)

    def mark(self, page: str) -> None:
        """Show which page is open."""
        self._actions[page].setChecked(True)

    def set_theme(self, theme: Theme) -> None:
        """Icons in another look."""
        for page, action in self._actions.items():
            action.setIcon(icon(page, theme))
