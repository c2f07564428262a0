"""The fields people fill in; each change is one undoable command."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCompleter, QGridLayout, QLineEdit, QWidget

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse
from ui.registry.context import RegistryContext
from ui.registry.corrections import ChangeField
from ui.registry.words import FIELDS, field_value, field_word
from ui.widgets import label, restyle

NUMBERS = {"birth_year": (1950, 0), "height_cm": (30, 250)}
"""Least and most; 0 stands for this year."""


class FieldEdit(QLineEdit):
    """A line that goes back to what is stored when Escape is pressed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.stored = ""

    def show_stored(self, text: str) -> None:
        """Show what is stored, unless a person is typing here."""
        untouched = self.text() == self.stored
        self.stored = text
        if untouched or not self.hasFocus():
            self.setText(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text() != self.stored:
            self.setText(self.stored)
            return
        super().keyPressEvent(event)


class ProfileFields(QWidget):
    """Two columns of fields; Enter or leaving a field stores it."""

    def __init__(self, context: RegistryContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._horse: Horse | None = None
        self.edits = {name: FieldEdit(name) for name in FIELDS}
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        for place, (name, edit) in enumerate(self.edits.items()):
            row, side = divmod(place, 2)
            caption = label(field_word(name), "small")
            caption.setBuddy(edit)
            grid.addWidget(caption, row * 2, side)
            grid.addWidget(edit, row * 2 + 1, side)
            edit.setAccessibleName(field_word(name))
            edit.setMaxLength(200)
            edit.editingFinished.connect(lambda e=edit: self.store(e))
        grid.addWidget(self.problem, grid.rowCount(), 0, 1, 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        self.edits["name"].setPlaceholderText(self.tr("What do you call it?"))
        sexes = [self.tr(word) for word in ("mare", "gelding", "stallion", "filly", "colt")]
        self.edits["sex"].setCompleter(QCompleter(sexes, self.edits["sex"]))

    def show_horse(self, horse: Horse, editable: bool) -> None:
        """Show what is stored; what is being typed for the same horse stays."""
        another = self._horse is None or self._horse.id != horse.id
        self._horse = horse
        for name, edit in self.edits.items():
            value = field_value(horse, name)
            text = "" if value is None else str(value)
            if another:
                edit.stored = text
                edit.setText(text)
                self._complain(edit, "")
            else:
                edit.show_stored(text)
            edit.setReadOnly(not editable)
            edit.setEnabled(editable)

    def edit_name(self) -> None:
        """Put the cursor into the name."""
        self.edits["name"].setFocus()
        self.edits["name"].selectAll()

    def store(self, edit: FieldEdit) -> None:
        """Store a field that was changed; one that makes no sense says why and stays."""
        horse = self._horse
        text = " ".join(edit.text().split())
        if horse is None or edit.isReadOnly() or text == edit.stored:
            return
        problem = self._problem_with(edit.name, text)
        self._complain(edit, problem)
        if problem:
            return
        value: object = text or None
        if value is not None and edit.name in NUMBERS:
            value = int(text)
        before, services = field_value(horse, edit.name), self._context.services
        edit.stored = text
        edit.setText(text)
        command = ChangeField(
            horse.id,
            horse.title,
            edit.name,
            before,
            value,
            services.horses,
            services.identity,
            self._context.actor,
        )
        self._context.log.run(command, None, lambda error: self._on_refused(edit, text, error))

    def _problem_with(self, name: str, text: str) -> str:
        if name not in NUMBERS or not text:
            return ""
        least, most = NUMBERS[name]
        most = most or datetime.now(UTC).year
        if text.isdecimal() and least <= int(text) <= most:
            return ""
        return self.tr("{0}: a number from {1} to {2}.").format(field_word(name), least, most)

    def _on_refused(self, edit: FieldEdit, text: str, error: BarnhandError) -> None:
        """What was typed stays in the field, so nothing is lost; what is stored is read again."""
        if self._horse is not None:
            value = field_value(self._horse, edit.name)
            edit.stored = "" if value is None else str(value)
        edit.setText(text)
        self._complain(edit, str(error))
        self._context.directory.refresh()

    def _complain(self, edit: FieldEdit, problem: str) -> None:
        restyle(edit, "problem", bool(problem))
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
