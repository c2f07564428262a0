"""What waits to be corrected in a recording, what that would change, and who corrected what."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QMargins, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.recording import EditEffect, EditRecord
from ui.registry.words import counted, when
from ui.theme import Theme, icon
from ui.widgets import button, label, line

_ROW_ROOM = QMargins(0, 3, 0, 3)


class EditsPanel(QWidget):
    """``removed`` carries the place of a pending edit, ``undo_asked`` an EditRecord. The other
    signals follow its buttons."""

    removed = Signal(int)
    undo_asked = Signal(object)
    clear_asked = Signal()
    apply_asked = Signal()
    reprocess_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._records: tuple[EditRecord, ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._build_pending(column)
        column.addWidget(line())
        self._build_history(column)
        self.show_pending((), 0)

    def _build_pending(self, column: QVBoxLayout) -> None:
        self.pending_title = label("", "section")
        self.pending = QListWidget()
        self.pending.setAccessibleName(self.tr("Pending edits"))
        self.pending.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.nothing = label(self.tr("Corrections wait here until you apply them."), "faint")
        self.effect = label("", "small", wrap=True)
        self.problem = label("", "problem", wrap=True)
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.hide()
        self.reprocess = QCheckBox(self.tr("Then analyse this recording again"))
        self.reprocess.setChecked(True)
        self.clear = button(self.tr("Clear"))
        self.apply = button(self.tr("Apply"), "primary")
        self.clear.clicked.connect(self.clear_asked)
        self.apply.clicked.connect(self.apply_asked)
        row = QHBoxLayout()
        row.addWidget(self.reprocess, 1)
        row.addWidget(self.clear)
        row.addWidget(self.apply)
        column.addWidget(self.pending_title)
        column.addWidget(self.nothing)
        column.addWidget(self.pending, 2)
        for one in (self.effect, self.problem, self.progress):
            column.addWidget(one)
        column.addLayout(row)

    def _build_history(self, column: QVBoxLayout) -> None:
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Corrected before in this recording"), "section"))
        head.addStretch(1)
        self.again = button(self.tr("Reprocess"), "link")
        self.again.setToolTip(self.tr("Analyse this recording again at the full rate"))
        self.again.clicked.connect(self.reprocess_asked)
        head.addWidget(self.again)
        self.history = QListWidget()
        self.history.setAccessibleName(self.tr("Edits of this recording"))
        self.history.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column.addLayout(head)
        column.addWidget(self.history, 1)

    # --- pending --------------------------------------------------------------------------------

    def show_pending(self, sentences: Sequence[str], elsewhere: int) -> None:
        """What waits for this recording, and how many wait for others."""
        self.pending.clear()
        count = len(sentences)
        self.nothing.setVisible(not count)
        self.pending.setVisible(bool(count))
        text = self.tr("Pending edits of this recording") + (f" · {count}" if count else "")
        if elsewhere:
            text += self.tr(" · {0} more in other recordings").format(elsewhere)
        self.pending_title.setText(text)
        for place, sentence in enumerate(sentences):
            item = QListWidgetItem()
            row = QWidget()
            inside = QHBoxLayout(row)
            inside.setContentsMargins(6, 0, 0, 0)
            words = label(sentence, "small", wrap=True)
            words.setToolTip(sentence)
            remove = QToolButton()
            remove.setIcon(icon("close", self._theme))
            remove.setToolTip(self.tr("Remove this edit"))
            remove.setAccessibleName(self.tr("Remove this edit"))
            remove.clicked.connect(lambda _on=False, i=place: self.removed.emit(i))
            inside.addWidget(words, 1)
            inside.addWidget(remove)
            item.setSizeHint(row.sizeHint().grownBy(_ROW_ROOM))
            self.pending.addItem(item)
            self.pending.setItemWidget(item, row)
        if not count:
            self.show_effect(None)
        for one in (self.clear, self.apply):
            one.setEnabled(bool(count))

    def remove_button(self, place: int) -> QToolButton:
        """The button that removes a pending edit."""
        row = self.pending.itemWidget(self.pending.item(place))
        return row.findChildren(QToolButton)[0]

    def show_effect(self, effect: EditEffect | BarnhandError | None) -> None:
        """What the pending edits would change, or what cannot be done."""
        self.problem.setText("")
        if effect is None:
            self.effect.setText("")
        elif isinstance(effect, BarnhandError):
            self.effect.setText("")
            self.problem.setText(str(effect))
            self.apply.setEnabled(False)
        else:
            parts = (
                counted(effect.detections, self.tr("detection"), self.tr("detections")),
                counted(effect.tracks, self.tr("track"), self.tr("tracks")),
                counted(effect.horses, self.tr("horse"), self.tr("horses")),
            )
            self.effect.setText(self.tr("Changes {0}").format(", ".join(parts)))
            refused = [f"{place + 1}. {words}" for place, words in sorted(effect.refused.items())]
            self.problem.setText("\n".join(refused))
            self.apply.setEnabled(not refused)
        self.problem.setVisible(bool(self.problem.text()))
        self.effect.setVisible(bool(self.effect.text()))

    def show_busy(self, on: bool) -> None:
        """While edits are being stored."""
        self.progress.setVisible(on)
        self.apply.setEnabled(not on and self.pending.count() > 0)
        self.clear.setEnabled(not on and self.pending.count() > 0)

    # --- history --------------------------------------------------------------------------------

    def show_history(self, records: Sequence[EditRecord]) -> None:
        """Who corrected what, newest first."""
        self._records = tuple(records)
        self.history.clear()
        for record in self._records:
            item = QListWidgetItem()
            row = QWidget()
            inside = QHBoxLayout(row)
            inside.setContentsMargins(6, 0, 0, 0)
            who = f"{record.summary}\n{record.actor}, {when(record.at)}"
            if record.undone_at is not None:
                who += self.tr(" · taken back by {0}").format(record.undone_by)
            words = label(who, "small", wrap=True)
            inside.addWidget(words, 1)
            if record.undone_at is None:
                back = button(self.tr("Undo"), "link")
                back.clicked.connect(lambda _on=False, r=record: self.undo_asked.emit(r))
                inside.addWidget(back)
            item.setSizeHint(row.sizeHint().grownBy(_ROW_ROOM))
            self.history.addItem(item)
            self.history.setItemWidget(item, row)

    @property
    def records(self) -> tuple[EditRecord, ...]:
        """The history on show."""
        return self._records

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
