"""Parts of pages that look again and again at what they show, as long as somebody sees them."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QWidget


class LookingWidget(QWidget):
    """Calls ``look`` when it comes on show and every ``every_ms`` while it stays there, until
    ``look_no_more``."""

    def __init__(self, every_ms: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look_again = QTimer(self, interval=every_ms)
        self._look_again.timeout.connect(self.look)

    def look(self) -> None:
        """Ask for what is to be shown; returns at once."""
        raise NotImplementedError

    def look_no_more(self) -> None:
        """The window is closing, or there is nothing to look at."""
        self._look_again.stop()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()
        self._look_again.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._look_again.stop()
