"""A short sentence at the foot of the page that goes away by itself, with Undo where there is
something to undo."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from ui.theme import Theme
from ui.widgets import button, icon_label, label, set_icon

SHOWN_MS = 6000


class Toast(QFrame):
    """One at a time; the newest replaces the one before."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("float")
        self._theme = theme
        self._icon = icon_label("ok", theme, "accent")
        self._text = label("")
        self._act = button("", "link")
        self._act.clicked.connect(self._on_act)
        self._then: Callable[[], object] | None = None
        self._timer = QTimer(self, interval=SHOWN_MS, singleShot=True)
        self._timer.timeout.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(8)
        row.addWidget(self._icon)
        row.addWidget(self._text)
        row.addWidget(self._act)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence shown."""
        return self._text.text()

    def say(
        self,
        text: str,
        act: str = "",
        then: Callable[[], object] | None = None,
        *,
        warning: bool = False,
    ) -> None:
        """Show a sentence for six seconds; ``act`` is a link that calls ``then``."""
        colour = "warning" if warning else "accent"
        set_icon(self._icon, "warning" if warning else "ok", self._theme, colour)
        self._text.setText(text)
        self._act.setText(act)
        self._act.setVisible(bool(act))
        self._then = then
        self.adjustSize()
        self.place()
        self.show()
        self.raise_()
        self._timer.start()

    def place(self) -> None:
        """Stand at the foot of the parent, in the middle."""
        parent = self.parentWidget()
        if parent is not None:
            x = (parent.width() - self.width()) // 2
            self.move(max(x, 0), parent.height() - self.height() - 44)

    def _on_act(self) -> None:
        self.hide()
        if self._then is not None:
            self._then()
