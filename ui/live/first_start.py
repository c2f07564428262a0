"""What an empty wall offers: three ways to see horses within a minute."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from ui.theme import Theme
from ui.widgets import icon_label, label

CARD = QSize(248, 168)


class _Choice(QFrame):
    """A large button with an icon, a title and a sentence."""

    chosen = Signal()

    def __init__(self, icon_name: str, title: str, text: str, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("choice")
        self.setFixedSize(CARD)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(8)
        column.addWidget(icon_label(icon_name, theme, "accent", 24))
        column.addSpacing(4)
        column.addWidget(label(title, "large"))
        column.addWidget(label(text, "muted", wrap=True))
        column.addStretch(1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        inside = self.rect().contains(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and inside:
            self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit()
        else:
            super().keyPressEvent(event)


class FirstStart(QWidget):
    """Shown instead of the wall while there is no camera."""

    camera_chosen = Signal()
    files_chosen = Signal()
    tour_chosen = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.camera = _Choice(
            "camera",
            self.tr("Add a camera"),
            self.tr("By its network address or USB. See a test picture before it is saved."),
            theme,
        )
        self.files = _Choice(
            "film",
            self.tr("Open video files"),
            self.tr("Watch recordings as if they were live, as many as you like at once."),
            theme,
        )
        self.tour = _Choice(
            "barn",
            self.tr("Simulated barn tour"),
            self.tr("Four drawn cameras with walking horses. Nothing to set up."),
            theme,
        )
        self.camera.chosen.connect(self.camera_chosen)
        self.files.chosen.connect(self.files_chosen)
        self.tour.chosen.connect(self.tour_chosen)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addStretch(1)
        for choice in (self.camera, self.files, self.tour):
            row.addWidget(choice)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(2)
        for text, role in (
            (self.tr("Which horses shall we watch?"), "title"),
            (self.tr("You can add more at any time, and every step can be undone."), "muted"),
        ):
            widget = label(text, role)
            widget.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(widget)
        column.addSpacing(16)
        column.addLayout(row)
        column.addSpacing(16)
        hint = label(
            self.tr(
                "Files can also be dropped here. Ctrl+K finds every command, ? shows the keys."
            ),
            "small",
        )
        hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(hint)
        column.addStretch(3)
