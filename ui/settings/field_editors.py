"""An editor for each kind of settings field, with its unit, limits and problem beside it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QWidget,
)

from ui.settings.schema import FieldKind, SettingField, text_of
from ui.widgets import button, label, restyle

EDITOR_WIDTH, NUMBER_WIDTH = 260, 96


class FieldEditor(QWidget):
    """Title and help on the left, editor, unit and limits on the right, the problem beneath."""

    edited = Signal(str)

    def __init__(self, field: SettingField, value: object, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        self._saved = value
        self._edit = self._make_editor()
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        self._back = button(self.tr("Default"), "link")
        self._back.setToolTip(self.tr("Back to {0}").format(text_of(field.default) or "–"))
        self._back.clicked.connect(lambda: self._put(field.default))
        self._build()
        self._put(value)

    def _build(self) -> None:
        title = label(self.field.title, "strong")
        title.setBuddy(self._edit)
        self._edit.setAccessibleName(self.field.title)
        self._edit.setAccessibleDescription(self.field.help)
        described = self.field.help
        if self.field.restart:
            described += self.tr(" Takes effect after a restart.")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._edit)
        if self.field.unit:
            row.addWidget(label(self.field.unit))
        if self.field.limits:
            row.addWidget(label(self.field.limits, "small"))
        row.addStretch(1)
        row.addWidget(self._back)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 8, 0, 8)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(2)
        grid.addWidget(title, 0, 0)
        grid.addWidget(label(described, "small", wrap=True), 1, 0)
        grid.addLayout(row, 0, 1, 2, 1, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(self.problem, 2, 1)
        grid.setColumnStretch(0, 4)
        grid.setColumnStretch(1, 5)

    def _make_editor(self) -> QWidget:
        kind = self.field.kind
        if kind is FieldKind.SWITCH:
            switch = QCheckBox(self.tr("On"))
            switch.toggled.connect(lambda _on: self._on_edited())
            return switch
        if kind is FieldKind.CHOICE:
            choice = QComboBox()
            choice.setFixedWidth(EDITOR_WIDTH)
            if self.field.optional:
                choice.addItem(self.tr("not set"), None)
            for value, words in self.field.choices:
                choice.addItem(words, value)
            choice.currentIndexChanged.connect(lambda _index: self._on_edited())
            return choice
        line = QLineEdit()
        number = kind in (FieldKind.WHOLE, FieldKind.NUMBER)
        line.setFixedWidth(NUMBER_WIDTH if number else EDITOR_WIDTH)
        if number:
            line.setAlignment(Qt.AlignmentFlag.AlignRight)
        if self.field.optional:
            line.setPlaceholderText(self.tr("not set"))
        if kind is FieldKind.SECRET:
            line.setEchoMode(QLineEdit.EchoMode.Password)
        if kind is FieldKind.FIXED:
            line.setReadOnly(True)
            line.setToolTip(self.tr("Edit this value in the settings file."))
        line.textChanged.connect(lambda _text: self._on_edited())
        return line

    @property
    def editor(self) -> QWidget:
        """The widget that is edited."""
        return self._edit

    @property
    def changed(self) -> bool:
        """True if it differs from the value in force."""
        return self.field.kind is not FieldKind.FIXED and self._shown() != self._shown_of(
            self._saved
        )

    def value(self) -> object:
        """The edited value: text is left to the schema to read (numbers too)."""
        if isinstance(self._edit, QCheckBox):
            return self._edit.isChecked()
        if isinstance(self._edit, QComboBox):
            return self._edit.currentData()
        text = self._text()
        if self.field.optional and not text:
            return None
        if self.field.kind is FieldKind.LIST:
            return [part.strip() for part in text.split(",") if part.strip()]
        return text.replace(",", ".") if self.field.kind is FieldKind.NUMBER else text

    def reset(self) -> None:
        """Back to the value in force."""
        self._put(self._saved)

    def take(self, value: object) -> None:
        """``value`` is in force now."""
        self._saved = value
        self._put(value)

    def show_problem(self, message: str) -> None:
        """Say what is wrong with the value; empty clears it."""
        self.problem.setText(message)
        self.problem.setVisible(bool(message))
        restyle(self._edit, "problem", "true" if message else "false")

    def _on_edited(self) -> None:
        self._back.setVisible(self._shown() != self._shown_of(self.field.default))
        self.edited.emit(self.field.path)

    def _text(self) -> str:
        return self._edit.text().strip() if isinstance(self._edit, QLineEdit) else ""

    def _shown(self) -> object:
        if isinstance(self._edit, QLineEdit):
            return self._text()
        return self.value()

    def _shown_of(self, value: object) -> object:
        return text_of(value) if isinstance(self._edit, QLineEdit) else value

    def _put(self, value: object) -> None:
        if isinstance(self._edit, QCheckBox):
            self._edit.setChecked(bool(value))
        elif isinstance(self._edit, QComboBox):
            self._edit.setCurrentIndex(max(self._edit.findData(value), 0))
        elif isinstance(self._edit, QLineEdit):
            self._edit.setText(text_of(value))
        self._on_edited()
