"""Every action of the console in one book: menus, the palette, the key sheet and the keyboard all
read it. Keys can be remapped; the changes are kept in the console's own settings file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QObject, QSettings, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from engine.domain.errors import Conflict


@dataclass(frozen=True, slots=True)
class ActionEntry:
    """One action: its stable id, the group it is listed under and the keys it ships with."""

    id: str
    group: str
    action: QAction
    default_keys: tuple[str, ...]


class ActionBook(QObject):
    """Makes and keeps actions. ``window`` is where they listen for keys."""

    def __init__(self, window: QWidget, stored: QSettings) -> None:
        super().__init__(window)
        self._window = window
        self._stored = stored
        self._entries: dict[str, ActionEntry] = {}

    def __iter__(self) -> Iterator[ActionEntry]:
        return iter(self._entries.values())

    def __getitem__(self, action_id: str) -> QAction:
        return self._entries[action_id].action

    def add(
        self,
        action_id: str,
        group: str,
        text: str,
        run: Callable[[], object] | None = None,
        *keys: str,
        tip: str = "",
        toggled: Callable[[bool], object] | None = None,
        checked: bool = False,
        page: QWidget | None = None,
    ) -> QAction:
        """Make an action. ``toggled`` makes it a switch. ``page`` limits its keys to that part of
        the window (single letters would else be taken from text fields)."""
        action = QAction(text, self)
        action.setObjectName(action_id)
        if toggled is not None:
            action.setCheckable(True)
            action.setChecked(checked)
            action.toggled.connect(toggled)
        if run is not None:
            action.triggered.connect(lambda _checked=False: run())
        action.setShortcutContext(
            Qt.ShortcutContext.WidgetWithChildrenShortcut
            if page is not None
            else Qt.ShortcutContext.WindowShortcut
        )
        entry = ActionEntry(action_id, group, action, keys)
        self._entries[action_id] = entry
        if tip:
            action.setProperty("tip", tip)
        self._apply_keys(entry)
        (page or self._window).addAction(action)
        return action

    def entry_with_keys(self, keys: QKeySequence, besides: str = "") -> ActionEntry | None:
        """The action that listens to these keys, other than ``besides``."""
        return next(
            (e for e in self if e.id != besides and keys in e.action.shortcuts()),
            None,
        )

    def remap(self, action_id: str, keys: QKeySequence) -> None:
        """Give an action other keys (empty: none). Raises Conflict if another one has them."""
        taken = self.entry_with_keys(keys, besides=action_id) if not keys.isEmpty() else None
        if taken is not None:
            raise Conflict(
                self.tr("{0} already belongs to “{1}”.").format(
                    keys.toString(QKeySequence.SequenceFormat.NativeText), taken.action.text()
                ),
                self.tr("Choose other keys or change that action first."),
            )
        self._stored.setValue(f"keys/{action_id}", keys.toString())
        self._apply_keys(self._entries[action_id])

    def restore_keys(self) -> None:
        """All keys as shipped."""
        self._stored.remove("keys")
        for entry in self:
            self._apply_keys(entry)

    def _apply_keys(self, entry: ActionEntry) -> None:
        stored = self._stored.value(f"keys/{entry.id}")
        sequences = [QKeySequence(k) for k in entry.default_keys]
        if isinstance(stored, str):
            sequences = [QKeySequence(stored)] if stored else []
        entry.action.setShortcuts(sequences)
        words = [entry.action.property("tip") or entry.action.text().rstrip("…")]
        if sequences:
            words.append(f"({sequences[0].toString(QKeySequence.SequenceFormat.NativeText)})")
        entry.action.setToolTip(" ".join(words))
