"""The bar above the timeline: which days, which lanes, which plots."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QMenu, QToolButton, QWidget

from ui.actions import ActionBook
from ui.timeline.lanes import Order
from ui.timeline.plot_kinds import PLOTS
from ui.widgets import label, line, restyle, spacer, tool

HEIGHT_PX = 44
SEARCH_PX = 150


class TimelineHeader(QFrame):
    """``searched`` carries what is typed into the filter of lanes."""

    searched = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolbar")
        self.setFixedHeight(HEIGHT_PX)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Find a lane"))
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(SEARCH_PX)
        self.search.textChanged.connect(self.searched)
        self._problem = label("", "problem")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 0, 8, 0)
        self._row.setSpacing(4)

    def add_tools(self, book: ActionBook) -> None:
        """Lay out the actions of the page."""
        row = self._row
        for action_id in ("timeline.horses", "timeline.cameras", "timeline.both"):
            row.addWidget(_chip(book[action_id]))
        row.addSpacing(4)
        row.addWidget(self.search)
        row.addWidget(tool(book["timeline.open_all"], 16))
        row.addWidget(
            self._menu(self.tr("Order"), [book[f"timeline.order.{o.value}"] for o in Order])
        )
        row.addWidget(self._menu(self.tr("Plots"), [book[f"timeline.plot.{k.id}"] for k in PLOTS]))
        row.addWidget(self._problem)
        row.addWidget(spacer())
        row.addWidget(_chip(book["timeline.back"], "‹"))
        for action_id in ("today", "hour", "day", "week", "quarter"):
            row.addWidget(_chip(book[f"timeline.{action_id}"]))
        row.addWidget(_chip(book["timeline.on"], "›"))
        upright = line(upright=True)
        upright.setFixedHeight(20)
        row.addSpacing(4)
        row.addWidget(upright)
        row.addSpacing(4)
        row.addWidget(_chip(book["timeline.follow"]))
        row.addWidget(tool(book["timeline.mark"], 16))

    def _menu(self, text: str, actions: list[QAction]) -> QToolButton:
        result = QToolButton()
        result.setText(text + " ▾")
        result.setProperty("role", "chip")
        result.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        result.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(result)
        menu.addActions(actions)
        result.setMenu(menu)
        result.setAccessibleName(text)
        return result

    def show_problem(self, text: str) -> None:
        """Why what is on show may be old; empty when it is not."""
        self._problem.setText(text)
        self._problem.setVisible(bool(text))


def _chip(action: QAction, text: str = "") -> QToolButton:
    result = QToolButton()
    result.setDefaultAction(action)
    result.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    restyle(result, "role", "chip")
    if text:
        result.setText(text)
    result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    result.setAccessibleName(action.toolTip())
    return result
