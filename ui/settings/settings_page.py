"""The Settings page, made from the schema."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError, OperatorMistake
from ui.requests import RequestRunner
from ui.services import SettingsAccess
from ui.settings.field_editors import FieldEditor
from ui.settings.schema import (
    FieldKind,
    SettingPage,
    field_named_in,
    pages_of,
    problems_with,
    value_at,
)
from ui.widgets import button, label, line, scroll


class SettingsPage(QWidget):
    """Sections on the left, fields on the right; nothing is stored before Apply.

    ``applied`` follows a successful save; ``failed`` carries errors that name no field.
    """

    applied = Signal()
    failed = Signal(object)

    def __init__(
        self,
        settings: SettingsAccess,
        requests: RequestRunner,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._settings = settings
        self._requests = requests
        self._pages = pages_of(type(settings.current))
        self._own: list[tuple[str, str]] = []
        self.editors: dict[str, FieldEditor] = {}
        self._list = QListWidget()
        self._list.setFixedWidth(200)
        self._list.setAccessibleName(self.tr("Sections"))
        self._stack = QStackedWidget()
        self.search = QLineEdit(placeholderText=self.tr("Search settings"))
        self.apply = button(self.tr("Apply"), "primary")
        self.reset = button(self.tr("Reset"))
        self._hint = label("", "muted")
        self._build()
        self.search.textChanged.connect(self._on_search)
        self.apply.clicked.connect(self.save)
        self.reset.clicked.connect(self._on_reset)
        self._list.currentRowChanged.connect(self._on_section)
        self._list.setCurrentRow(0)
        self._on_edited("")

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        for page in self._pages:
            self._list.addItem(QListWidgetItem(page.title))
            self._stack.addWidget(scroll(self._build_page(page)))
        side = QVBoxLayout()
        side.setContentsMargins(16, 16, 8, 16)
        side.setSpacing(12)
        side.addWidget(label(self.tr("Settings"), "title"))
        side.addWidget(self.search)
        side.addWidget(self._list, 1)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(24, 12, 24, 12)
        foot.setSpacing(8)
        foot.addWidget(self._hint, 1)
        foot.addWidget(self.reset)
        foot.addWidget(self.apply)
        body = QVBoxLayout()
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(0)
        body.addWidget(self._stack, 1)
        body.addWidget(line())
        body.addWidget(self._foot)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(side)
        row.addWidget(line(upright=True))
        row.addLayout(body, 1)

    def add_section(self, name: str, title: str, content: QWidget, words: str) -> None:
        """Put a section of its own above the schema's; it stores what is done there at once.
        ``words`` are what it is found by beside its title."""
        row = len(self._own)
        self._own.append((name, f"{title} {words}".lower()))
        self._stack.insertWidget(row, scroll(content))
        self._list.insertItem(row, QListWidgetItem(title))
        self._list.setCurrentRow(0)

    def _build_page(self, page: SettingPage) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(0)
        column.addWidget(label(page.title, "title"))
        column.addSpacing(4)
        column.addWidget(label(page.help, "muted", wrap=True))
        column.addSpacing(16)
        for field in page.fields:
            editor = FieldEditor(field, value_at(self._settings.current, field.path))
            editor.edited.connect(self._on_edited)
            self.editors[field.path] = editor
            column.addWidget(line())
            column.addWidget(editor)
        column.addStretch(1)
        content.setMaximumWidth(920)
        return content

    # --- editing --------------------------------------------------------------------------------

    def changes(self) -> dict[str, object]:
        """Edited values by dotted name."""
        return {path: e.value() for path, e in self.editors.items() if e.changed}

    def show_section(self, path: str) -> None:
        """Open the section that holds a field or is named so."""
        for row, (name, _words) in enumerate(self._own):
            if name == path:
                self._list.setCurrentRow(row)
                return
        for row, page in enumerate(self._pages, start=len(self._own)):
            if page.path == path or path in {f.path for f in page.fields}:
                self._list.setCurrentRow(row)
                return

    def _on_section(self, row: int) -> None:
        self._stack.setCurrentIndex(row)
        self._show_foot()

    def _show_foot(self) -> None:
        """What is stored at once needs no Apply."""
        self._foot.setVisible(self._list.currentRow() >= len(self._own) or bool(self.changes()))

    def _on_edited(self, _path: str) -> None:
        changes = self.changes()
        problems = problems_with(self._settings.current, changes) if changes else {}
        for path, editor in self.editors.items():
            editor.show_problem(problems.get(path, ""))
        self.apply.setEnabled(bool(changes) and not problems)
        self.reset.setEnabled(bool(changes))
        self._hint.setText(self._hint_for(changes, problems))
        self._show_foot()

    def _hint_for(self, changes: dict[str, object], problems: dict[str, str]) -> str:
        if problems:
            first = self.editors[next(iter(problems))].field
            return self.tr("{0} cannot be stored like this.").format(first.title)
        if not changes:
            return str(self._settings.path)
        if any(self.editors[path].field.restart for path in changes):
            return self.tr("{0} changed, takes effect after a restart.").format(len(changes))
        return self.tr("{0} changed, not stored yet.").format(len(changes))

    def save(self) -> None:
        """Store the changes on a worker."""
        changes = self.changes()
        if not changes:
            return
        self.apply.setEnabled(False)
        self._hint.setText(self.tr("Storing…"))
        self._requests.submit(
            "store settings",
            lambda: self._settings.save(changes),
            lambda _nothing: self._on_saved(),
            self._on_failed,
        )

    def _on_saved(self) -> None:
        self.reread()
        self.applied.emit()

    def reread(self) -> None:
        """Show the values in force."""
        for path, editor in self.editors.items():
            editor.take(value_at(self._settings.current, path))
        self._on_edited("")

    def take_stored(self) -> None:
        """Settings were stored elsewhere: show them, and leave what is being edited."""
        for path, editor in self.editors.items():
            if not editor.changed:
                editor.take(value_at(self._settings.current, path))
        self._on_edited("")

    def _on_failed(self, error: BarnhandError) -> None:
        self._on_edited("")
        named = field_named_in(str(error), self.editors)
        if isinstance(error, OperatorMistake) and named is not None:
            self.show_section(named)
            self.editors[named].show_problem(str(error))
            self.editors[named].editor.setFocus()
            return
        self.failed.emit(error)

    def _on_reset(self) -> None:
        for editor in self.editors.values():
            editor.reset()

    def _on_search(self, wanted: str) -> None:
        """Only sections with a field that fits; the first of them opens."""
        fitting = self._fitting(wanted.lower())
        for row in range(self._list.count()):
            self._list.item(row).setHidden(row not in fitting)
        if fitting and self._list.currentRow() not in fitting:
            self._list.setCurrentRow(min(fitting))
        for path, editor in self.editors.items():
            found = not wanted or wanted.lower() in self._words(path)
            editor.setEnabled(found or editor.field.kind is FieldKind.FIXED)

    def _words(self, path: str) -> str:
        field = self.editors[path].field
        return f"{path} {field.title} {field.help}".lower()

    def _fitting(self, wanted: str) -> Sequence[int]:
        own = [row for row, (_name, words) in enumerate(self._own) if wanted in words]
        return own + [
            row
            for row, page in enumerate(self._pages, start=len(self._own))
            if wanted in page.title.lower()
            or any(wanted in self._words(f.path) for f in page.fields)
        ]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.apply.isEnabled():
            self.save()
        else:
            super().keyPressEvent(event)
