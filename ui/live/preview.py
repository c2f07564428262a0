"""A picture fetched to see whether a camera answers, with the buttons that ask for it."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, Qt, QTimer
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from ui.widgets import button, label

PICTURE_WIDTH, PICTURE_HEIGHT = 480, 270


class PicturePreview(QWidget):
    """The picture, what is known about it, and how long it has been waited for. ``test`` and
    ``stop`` are its buttons; whoever owns it does the asking."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = QElapsedTimer()
        self._words = ""
        self._ticker = QTimer(self, interval=250)
        self._ticker.timeout.connect(self._on_waiting)
        self.picture = label(self.tr("No test picture yet"), "faint")
        self.picture.setObjectName("well")
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setFixedSize(PICTURE_WIDTH, PICTURE_HEIGHT)
        self.picture.setWordWrap(True)
        self.facts = label("", "small", wrap=True)
        self.test = button(self.tr("Test picture"))
        self.stop = button(self.tr("Cancel test"))
        self.stop.hide()
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.hide()
        row = QHBoxLayout()
        row.addWidget(self.facts, 1)
        row.addWidget(self.stop)
        row.addWidget(self.test)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.picture)
        column.addWidget(self.progress)
        column.addLayout(row)

    def begin(self, words: str) -> None:
        """A picture is being waited for; ``words`` say what for."""
        self._words = words
        self._clock.start()
        self._ticker.start()
        self.facts.setText(words)
        self._switch(True)

    def end(self) -> None:
        """It is waited for no longer."""
        self._ticker.stop()
        self._switch(False)

    def show_image(self, image: QImage) -> None:
        """Show a picture, fitted."""
        ratio = self.devicePixelRatioF()
        scaled = image.scaled(
            round(PICTURE_WIDTH * ratio),
            round(PICTURE_HEIGHT * ratio),
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        scaled.setDevicePixelRatio(ratio)
        self.picture.setPixmap(QPixmap.fromImage(scaled))

    def show_none(self) -> None:
        """The test failed."""
        self.picture.clear()
        self.picture.setText(self.tr("No picture"))
        self.facts.setText("")

    def _switch(self, waiting: bool) -> None:
        self.test.setVisible(not waiting)
        self.stop.setVisible(waiting)
        self.progress.setVisible(waiting)

    def _on_waiting(self) -> None:
        self.facts.setText(f"{self._words} {self._clock.elapsed() // 1000} s")
