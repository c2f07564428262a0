"""A one-time password, shown this once, with a button that copies it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ui.widgets import button, label


class PasswordOnce(QWidget):
    """Hidden until ``show_password``; forgets the password when it was noted or left."""

    def __init__(self) -> None:
        super().__init__()
        self.words = label("", wrap=True)
        self.password = label("", "large")
        self.password.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.copy = button(self.tr("Copy"))
        self.noted = button(self.tr("I have noted it"), "primary")
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self.password)
        row.addWidget(self.copy)
        row.addWidget(self.noted)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 8)
        column.setSpacing(6)
        column.addWidget(self.words)
        column.addLayout(row)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.password.text()))
        self.noted.clicked.connect(self.forget)
        self.hide()

    def show_password(self, username: str, password: str) -> None:
        """Show whose it is and what it is for."""
        self.words.setText(
            self.tr(
                "“{0}” logs in with this password and changes it at once. It is shown only now and "
                "kept nowhere:"
            ).format(username)
        )
        self.password.setText(password)
        self.password.setAccessibleName(self.tr("One-time password of {0}").format(username))
        self.show()

    def forget(self) -> None:
        """Take it off the screen."""
        self.password.setText("")
        self.password.setAccessibleName("")
        self.hide()
