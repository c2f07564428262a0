"""The command palette: every action, a few letters away."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ui.actions import ActionBook, ActionEntry
from ui.widgets import label, restyle

WIDTH, ROWS = 560, 12


def match_score(wanted: str, text: str) -> int | None:
    """How well ``wanted`` is found in ``text``: lower is better, None when it is not.

    All letters must appear in order; a word that starts with them beats letters spread apart.
    """
    wanted, text = wanted.lower().replace(" ", ""), text.lower()
    if not wanted:
        return 0
    squeezed = text.replace(" ", "")
    at = squeezed.find(wanted)
    if at >= 0:
        starts = any(word.startswith(wanted) for word in text.split())
        return at if starts else 100 + at
    position, spread = -1, 0
    for letter in wanted:
        found = squeezed.find(letter, position + 1)
        if found < 0:
            return None
        spread += found - position - 1
        position = found
    return 1000 + spread


class Palette(QDialog):
    """Lists actions as one types; Enter runs the chosen one after the palette has closed."""

    def __init__(self, book: ActionBook, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self._book = book
        self.setObjectName("float")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Commands"))
        self._field = QLineEdit(placeholderText=self.tr("What do you want to do?"))
        self._list = QListWidget()
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._nothing = label(self.tr("No such command. Esc closes."), "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self._field)
        column.addWidget(self._list)
        column.addWidget(self._nothing)
        self._field.textChanged.connect(self._filter)
        self._field.installEventFilter(self)
        self._list.itemClicked.connect(lambda _item: self._run())
        self._filter("")
        self.setFixedWidth(WIDTH)

    @property
    def shown(self) -> list[str]:
        """Ids of the listed actions, best first."""
        return [
            self._list.item(i).data(Qt.ItemDataRole.UserRole) for i in range(self._list.count())
        ]

    def place_over(self, window: QWidget) -> None:
        """Stand near the top of the window, in the middle."""
        corner = window.mapToGlobal(window.rect().topLeft())
        self.move(corner.x() + (window.width() - WIDTH) // 2, corner.y() + 72)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._field and isinstance(event, QKeyEvent):
            if event.type() != QEvent.Type.KeyPress:
                return False
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: ROWS}
            if event.key() in steps and self._list.count():
                row = self._list.currentRow() + steps[Qt.Key(event.key())]
                self._list.setCurrentRow(min(max(row, 0), self._list.count() - 1))
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run()
                return True
        return super().eventFilter(watched, event)

    def _filter(self, text: str) -> None:
        scored: list[tuple[int, str, ActionEntry]] = []
        for entry in self._book:
            name = f"{entry.group} {entry.action.text()}"
            direct = match_score(text, entry.action.text().rstrip("…"))
            score = direct if direct is not None else match_score(text, name)
            if score is not None and entry.action.isVisible():
                scored.append((score, name, entry))
        if text:
            scored.sort(key=lambda item: (item[0], item[1]))
        self._list.clear()
        for _, _, entry in scored:
            self._add_row(entry)
        self._list.setCurrentRow(0)
        self._list.setVisible(bool(scored))
        self._nothing.setVisible(not scored)
        rows = min(len(scored), ROWS)
        self._list.setFixedHeight(rows * 34 + 4)
        self.adjustSize()

    def _add_row(self, entry: ActionEntry) -> None:
        item = QListWidgetItem()
        item.setData(Qt.ItemDataRole.UserRole, entry.id)
        row = QWidget()
        across = QHBoxLayout(row)
        across.setContentsMargins(8, 0, 8, 0)
        state = ""
        if entry.action.actionGroup() is not None:
            state = self.tr("now") if entry.action.isChecked() else ""
        elif entry.action.isCheckable():
            state = self.tr("on") if entry.action.isChecked() else self.tr("off")
        name = label(entry.action.text(), "" if entry.action.isEnabled() else "faint")
        group = label(entry.group, "small")
        group.setFixedWidth(64)
        across.addWidget(group)
        across.addWidget(name)
        across.addStretch(1)
        across.addWidget(label(state, "small"))
        keys = entry.action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        across.addWidget(label(keys, "muted"))
        item.setSizeHint(row.sizeHint().expandedTo(item.sizeHint()))
        size = item.sizeHint()
        size.setHeight(34)
        item.setSizeHint(size)
        self._list.addItem(item)
        self._list.setItemWidget(item, row)

    def _run(self) -> None:
        if not self._list.count():
            return
        action = self._book[self._list.currentItem().data(Qt.ItemDataRole.UserRole)]
        if not action.isEnabled():
            restyle(self._nothing, "role", "problem")
            self._nothing.setText(action.toolTip())
            self._nothing.setVisible(True)
            self.adjustSize()
            return
        self.accept()
        action.trigger()
