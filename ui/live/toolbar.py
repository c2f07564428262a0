"""The slim bar above the wall: layouts, saved views, overlays, and Add camera."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from engine.domain.ports import WallView
from ui.actions import ActionBook
from ui.live.arrangement import Arrangement
from ui.widgets import label, line, spacer, tool


class LiveToolbar(QFrame):
    """Buttons of the live page's actions. ``view_chosen`` carries the slot of a saved view."""

    view_chosen = Signal(int)
    page_chosen = Signal(int)

    def __init__(self, book: ActionBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolbar")
        self.setFixedHeight(40)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 0)
        row.setSpacing(2)
        self._row = row
        self._group(book, "layout.1", "layout.4", "layout.9", "layout.16", "layout.free")
        self._pages = QWidget()
        pages = QHBoxLayout(self._pages)
        pages.setContentsMargins(8, 0, 0, 0)
        pages.setSpacing(4)
        self._page_text = label("", "small")
        self._previous = self._page_button("‹", -1)
        self._next = self._page_button("›", 1)
        for widget in (self._previous, self._page_text, self._next):
            pages.addWidget(widget)
        row.addWidget(self._pages)
        self._separator()
        self._group(
            book,
            "overlay.boxes",
            "overlay.ids",
            "overlay.confidence",
            "overlay.skeleton",
            "overlay.trails",
            "overlay.action",
        )
        self._separator()
        self._group(book, "wall.sync", "wall.fill")
        self._separator()
        self._views = QHBoxLayout()
        self._views.setSpacing(4)
        row.addLayout(self._views)
        row.addWidget(spacer())
        row.addWidget(tool(book["camera.add"], 16, text=True))
        row.addWidget(tool(book["wall.panel"]))
        self._page = 0
        self.show_views((), None)

    def _page_button(self, text: str, step: int) -> QToolButton:
        result = QToolButton()
        result.setText(text)
        result.setProperty("role", "chip")
        result.setAccessibleName(self.tr("Previous page") if step < 0 else self.tr("Next page"))
        result.clicked.connect(lambda: self.page_chosen.emit(self._page + step))
        return result

    def _group(self, book: ActionBook, *ids: str) -> None:
        for action_id in ids:
            self._row.addWidget(tool(book[action_id]))

    def _separator(self) -> None:
        upright = line(upright=True)
        upright.setFixedHeight(20)
        self._row.addSpacing(8)
        self._row.addWidget(upright)
        self._row.addSpacing(8)

    def show_arrangement(self, arrangement: Arrangement) -> None:
        """Page buttons when there is more than one page."""
        self._page = arrangement.page
        self._pages.setVisible(arrangement.pages > 1)
        self._page_text.setText(f"{arrangement.page + 1} / {arrangement.pages}")
        self._previous.setEnabled(arrangement.page > 0)
        self._next.setEnabled(arrangement.page + 1 < arrangement.pages)

    def show_views(self, views: Sequence[WallView], current: int | None) -> None:
        """A chip for every saved view, or a hint how to save the first."""
        while self._views.count():
            item = self._views.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        slotted = [(v.slot, v) for v in views if v.slot is not None]
        for slot, view in sorted(slotted, key=lambda pair: pair[0]):
            chip = QToolButton()
            chip.setText(f"{slot}  {view.name}")
            chip.setProperty("role", "chip")
            chip.setCheckable(True)
            chip.setChecked(slot == current)
            chip.setToolTip(self.tr("Show view {0} (Ctrl+{0})").format(slot))
            chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            chip.clicked.connect(lambda _on=False, s=slot: self.view_chosen.emit(s))
            self._views.addWidget(chip)
        if not slotted:
            self._views.addWidget(label(self.tr("Ctrl+Shift+1 saves this view"), "faint"))
