"""The bar above a page of several parts: its mark, its title and a tab for each part."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from ui.theme import Theme
from ui.widgets import button, icon_label, label, set_icon

_MARK_PX = 20


class PageHeader(QWidget):
    """``tabs`` are numbered as the parts; what a page adds to ``row`` stands at its right end."""

    def __init__(self, mark: str, title: str, parts: Sequence[str], theme: Theme) -> None:
        super().__init__()
        self.setObjectName("toolbar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._name = mark
        self.mark = icon_label(mark, theme, "accent", _MARK_PX)
        self.tabs = QButtonGroup(self)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(16, 8, 16, 8)
        self.row.setSpacing(8)
        self.row.addWidget(self.mark)
        self.row.addWidget(label(title, "title"))
        self.row.addSpacing(12)
        for number, text in enumerate(parts):
            tab = button(text)
            tab.setCheckable(True)
            tab.setChecked(number == 0)
            self.tabs.addButton(tab, number)
            self.row.addWidget(tab)
        self.row.addStretch(1)

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        set_icon(self.mark, self._name, theme, "accent", _MARK_PX)
