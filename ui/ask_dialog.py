"""The frame of dialogs that ask before an act: title, subject, a form, what is missing, the act."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from engine.domain.errors import OperatorMistake
from ui.widgets import button, label

LEAST_PX = 460


class AskDialog(QDialog):
    """``check`` is asked before it closes; what it raises is said in the dialog."""

    def __init__(self, subject: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(LEAST_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        self._title = label("", "large")
        column.addWidget(self._title)
        self.subject = label(subject, "muted", wrap=True)
        column.addWidget(self.subject)
        self.subject.setVisible(bool(subject))
        self.form = QFormLayout()
        self.form.setHorizontalSpacing(16)
        self.form.setVerticalSpacing(10)
        column.addLayout(self.form)
        self._problem = label("", "problem", wrap=True)
        self._problem.hide()
        column.addWidget(self._problem)
        row = QHBoxLayout()
        row.addStretch(1)
        self.cancel = button(self.tr("Cancel"))
        self.confirm = button("", "primary")
        self.confirm.setDefault(True)
        self.cancel.clicked.connect(self.reject)
        self.confirm.clicked.connect(self.accept)
        row.addWidget(self.cancel)
        row.addWidget(self.confirm)
        column.addLayout(row)

    @property
    def problem(self) -> str:
        """What is said to be missing; empty where nothing is."""
        return "" if self._problem.isHidden() else self._problem.text()

    def name(self, title: str, act: str) -> None:
        """What it asks, and the word on its button."""
        self.setWindowTitle(title)
        self._title.setText(title)
        self.confirm.setText(act)

    def check(self) -> None:
        """Look at what was filled in. Raises OperatorMistake."""

    def accept(self) -> None:
        """Close if everything is filled in well, else say what is not."""
        try:
            self.check()
        except OperatorMistake as mistake:
            self._problem.setText(str(mistake))
            self._problem.show()
            return
        super().accept()
