"""The keys, one page; double-click or Enter gives an action other keys."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import Conflict
from ui.actions import ActionBook
from ui.widgets import button, label


def steering_keys(parent: QWidget) -> tuple[tuple[str, str], ...]:
    """Keys of the selected camera while the dock that steers it is on show; the wall has its
    arrows and digits back when it is closed."""
    return (
        (parent.tr("Turn the camera while held"), "← ↑ → ↓"),
        (parent.tr("Zoom while held"), "+, −"),
        (parent.tr("Go to preset 1 to 8"), "1 … 8"),
        (parent.tr("Stop the camera"), "Space"),
        (parent.tr("Close the dock: keys back to the wall"), "Esc"),
    )


def fixed_keys(parent: QWidget) -> tuple[tuple[str, str], ...]:
    """Keys of the wall that belong to no action."""
    return (
        (parent.tr("Select place 1 to 9; again: maximise"), "1 … 9"),
        (parent.tr("Move the selection"), "← ↑ → ↓"),
        (parent.tr("Move the camera (free layout: the place)"), "Shift+← ↑ → ↓"),
        (parent.tr("Resize the place (free layout)"), "Ctrl+← ↑ → ↓"),
        (parent.tr("Maximise or go back"), "Enter, Esc"),
        (parent.tr("Next or previous page of cameras"), "Page Up, Page Down"),
    )


def registry_keys(parent: QWidget) -> tuple[tuple[str, str], ...]:
    """Keys of the registry that belong to no action."""
    return (
        (parent.tr("Move between horses"), "← ↑ → ↓"),
        (parent.tr("Profile of the selected horse"), "Enter"),
        (parent.tr("Select several horses"), "Shift, Ctrl"),
        (parent.tr("Tracks: move the playhead"), "← →"),
        (parent.tr("Tracks: previous or next track"), "↑ ↓"),
        (parent.tr("Tracks: split at the playhead"), "X"),
        (parent.tr("Tracks: whose is it…"), "Enter"),
        (parent.tr("Tracks: not this horse"), "Del"),
        (parent.tr("Review: same, different, later"), "S, D, L"),
        (parent.tr("Close the panel"), "Esc"),
    )


class KeySheet(QDialog):
    """Every action with its keys, in groups."""

    def __init__(self, book: ActionBook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Keys"))
        self.resize(560, 640)
        self._book = book
        self._search = QLineEdit(placeholderText=self.tr("Search"))
        self._tree = QTreeWidget()
        self._tree.setColumnCount(2)
        self._tree.setHeaderHidden(True)
        self._tree.setRootIsDecorated(False)
        self._tree.setIndentation(0)
        self._tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self._edit = QKeySequenceEdit()
        self._edit.setMaximumSequenceLength(1)
        self._edit_name = label("", "strong")
        self._problem = label("", "problem", wrap=True)
        self._set = button(self.tr("Set"), "primary")
        self._none = button(self.tr("No keys"))
        self._editing = ""
        self._build()
        self._search.textChanged.connect(self._fill)
        self._tree.itemActivated.connect(self._on_activated)
        self._set.clicked.connect(lambda: self.assign(self._edit.keySequence()))
        self._none.clicked.connect(lambda: self.assign(QKeySequence()))
        self._fill("")
        self._show_editor("")

    def _build(self) -> None:
        restore = button(self.tr("Restore all"))
        restore.clicked.connect(self._on_restore)
        close = button(self.tr("Close"))
        close.clicked.connect(self.accept)
        editor = QHBoxLayout()
        for widget in (self._edit_name, self._edit, self._set, self._none):
            editor.addWidget(widget)
        foot = QHBoxLayout()
        foot.addWidget(label(self.tr("Double-click an action to give it other keys."), "small"))
        foot.addStretch(1)
        foot.addWidget(restore)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addWidget(label(self.tr("Keys"), "title"))
        column.addWidget(self._search)
        column.addWidget(self._tree, 1)
        column.addLayout(editor)
        column.addWidget(self._problem)
        column.addLayout(foot)

    def _fill(self, wanted: str) -> None:
        self._tree.clear()
        groups: dict[str, list[tuple[str, str, str]]] = {
            self.tr("Wall"): [("", text, keys) for text, keys in fixed_keys(self)],
            self.tr("While a camera is steered (dock open)"): [
                ("", text, keys) for text, keys in steering_keys(self)
            ],
            self.tr("Registry"): [("", text, keys) for text, keys in registry_keys(self)],
        }
        for entry in self._book:
            keys = ", ".join(
                k.toString(QKeySequence.SequenceFormat.NativeText) for k in entry.action.shortcuts()
            )
            groups.setdefault(entry.group, []).append((entry.id, entry.action.text(), keys))
        for group, rows in groups.items():
            found = [r for r in rows if wanted.lower() in f"{group} {r[1]} {r[2]}".lower()]
            if not found:
                continue
            head = QTreeWidgetItem([group])
            head.setFlags(Qt.ItemFlag.ItemIsEnabled)
            head.setForeground(0, self.palette().placeholderText())
            self._tree.addTopLevelItem(head)
            for action_id, text, keys in found:
                item = QTreeWidgetItem([f"    {text}", keys])
                item.setData(0, Qt.ItemDataRole.UserRole, action_id)
                self._tree.addTopLevelItem(item)

    def _on_activated(self, item: QTreeWidgetItem, _column: int) -> None:
        action_id = item.data(0, Qt.ItemDataRole.UserRole)
        if action_id:
            self._show_editor(action_id)

    def _show_editor(self, action_id: str) -> None:
        self._editing = action_id
        for widget in (self._edit_name, self._edit, self._set, self._none):
            widget.setVisible(bool(action_id))
        self._problem.hide()
        if action_id:
            self._edit_name.setText(self._book[action_id].text())
            self._edit.setKeySequence(self._book[action_id].shortcut())
            self._edit.setFocus()

    def assign(self, keys: QKeySequence) -> None:
        """Give the chosen action these keys, or say who has them already."""
        try:
            self._book.remap(self._editing, keys)
        except Conflict as error:
            self._problem.setText(str(error))
            self._problem.show()
            return
        self._show_editor("")
        self._fill(self._search.text())

    def edit(self, action_id: str) -> None:
        """Choose the action whose keys are to be changed."""
        self._show_editor(action_id)

    def _on_restore(self) -> None:
        self._book.restore_keys()
        self._show_editor("")
        self._fill(self._search.text())
