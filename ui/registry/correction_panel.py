"""The frame of every correction: evidence, choices, what it would change, then one button.

What it would change is asked of the store after every choice and shown before anything can be
confirmed; confirming runs one undoable command on a worker.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from engine.domain.errors import BarnhandError, Conflict
from engine.domain.identity import Correction, Effect
from ui.commands import Command
from ui.registry.context import RegistryContext
from ui.registry.corrections import ApplyCorrection
from ui.registry.words import effect_words
from ui.requests import RequestId
from ui.widgets import button, icon_button, label, line, restyle, scroll

SETTLE_MS = 80
ROW_LETTERS = 58


class Choice(QWidget):
    """A row of radio buttons, a column where the words are long; ``value`` is what the chosen one
    stands for."""

    changed = Signal()

    def __init__(
        self, options: list[tuple[str, object]], chosen: int = 0, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._values = [value for _, value in options]
        self._group = QButtonGroup(self)
        long = sum(len(text) + 6 for text, _ in options) > ROW_LETTERS
        across = QBoxLayout.Direction.LeftToRight
        row = QBoxLayout(QBoxLayout.Direction.TopToBottom if long else across, self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8 if long else 14)
        for place, (text, _) in enumerate(options):
            radio = QRadioButton(text)
            radio.setChecked(place == chosen)
            self._group.addButton(radio, place)
            row.addWidget(radio)
        row.addStretch(1)
        self._group.idToggled.connect(lambda _id, on: self.changed.emit() if on else None)

    @property
    def value(self) -> object:
        """What is chosen."""
        return self._values[self._group.checkedId()]

    def choose(self, place: int) -> None:
        """Choose by place."""
        self._group.button(place).setChecked(True)

    def button(self, place: int) -> QRadioButton:
        """The radio button of a place."""
        found = self._group.button(place)
        assert isinstance(found, QRadioButton)
        return found


class CorrectionPanel(QWidget):
    """``closed`` asks to be put away; ``applied`` carries the record of what was done."""

    closed = Signal()
    applied = Signal(object)

    def __init__(
        self, context: RegistryContext, title: str, confirm: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._asked: RequestId | None = None
        self._running = False
        self.effect: Effect | None = None
        self.title = label(title, "large", wrap=True)
        self.words = label("", "muted", wrap=True)
        self.problem = label("", "problem", wrap=True)
        self.reason = QLineEdit(placeholderText=self.tr("Why, for the history (optional)"))
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1)
        self.confirm = button(confirm, "primary")
        self.confirm.setEnabled(False)
        self.cancel = button(self.tr("Cancel"))
        self.content = QVBoxLayout()
        self.content.setSpacing(12)
        self.foot = QHBoxLayout()
        self._rows = QGridLayout()
        self._rows.setHorizontalSpacing(16)
        self._rows.setVerticalSpacing(0)
        self._rows.setColumnMinimumWidth(0, 84)
        self._rows.setColumnStretch(1, 1)
        self._build()
        self._settle = QTimer(self, interval=SETTLE_MS, singleShot=True)
        self._settle.timeout.connect(self._preview)
        self.confirm.clicked.connect(self.apply)
        self.cancel.clicked.connect(self.closed)
        self.reason.returnPressed.connect(self.apply)

    def _build(self) -> None:
        body = QWidget()
        inside = QVBoxLayout(body)
        inside.setContentsMargins(16, 4, 16, 12)
        inside.setSpacing(12)
        inside.addLayout(self.content)
        inside.addLayout(self._rows)
        inside.addWidget(self.words)
        inside.addStretch(1)
        close = icon_button("close", self._context.theme, self.tr("Close (Esc)"))
        close.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.setContentsMargins(16, 14, 12, 8)
        head.addWidget(self.title, 1)
        head.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        below = QVBoxLayout()
        below.setContentsMargins(16, 8, 16, 14)
        below.setSpacing(8)
        below.addWidget(self.problem)
        below.addWidget(self.reason)
        below.addWidget(self.progress)
        self.foot.setSpacing(8)
        self.foot.addWidget(self.confirm)
        self.foot.addWidget(self.cancel)
        self.foot.addStretch(1)
        below.addLayout(self.foot)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(scroll(body), 1)
        column.addWidget(line())
        column.addLayout(below)
        self.problem.hide()
        retained = self.progress.sizePolicy()
        retained.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(retained)
        self.progress.hide()

    def add_row(self, name: str, content: QWidget) -> tuple[QWidget, ...]:
        """A named line of evidence or choice under a hairline; all its widgets are returned."""
        row = self._rows.rowCount()
        rule = line()
        head = label(name, "muted")
        head.setContentsMargins(0, 9, 0, 9)
        content.setContentsMargins(0, 9, 0, 9)
        self._rows.addWidget(rule, row, 0, 1, 2)
        self._rows.addWidget(head, row + 1, 0, Qt.AlignmentFlag.AlignTop)
        self._rows.addWidget(content, row + 1, 1)
        return rule, head, content

    # --- what the kinds of corrections say ------------------------------------------------------

    def correction(self) -> Correction | None:
        """What the choices amount to; None while something is missing."""
        raise NotImplementedError

    def command_text(self) -> str:
        """The act in words, for the undo list: "merge horse_021 into Juno"."""
        raise NotImplementedError

    def effect_sentence(self, effect: Effect) -> str:
        """What would change, in a sentence."""
        return self.tr("Moves {0}. Can be undone at any time.").format(effect_words(effect))

    def on_effect(self, effect: Effect) -> None:
        """More to show once the effect is known."""

    # --- asking and doing -----------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while the correction is being done."""
        return self._running

    def ask(self) -> None:
        """Find out what the present choices would change."""
        self.effect = None
        self.confirm.setEnabled(False)
        if not self._running:
            self._settle.start()

    def apply(self) -> None:
        """Do it, once it is known what it changes."""
        correction, effect = self.correction(), self.effect
        if correction is None or effect is None or effect.forbidden or self._running:
            return
        command = ApplyCorrection(
            self.command_text(),
            correction,
            self._context.services.identity,
            self._context.actor,
            self.reason.text().strip(),
            effect.expected,
        )
        self._set_running(True)
        self.run(command, lambda: self._on_applied(command))

    def run(self, command: Command, done: Callable[[], None]) -> None:
        """Run a command; its end is told here, or to everybody if the panel was put away."""
        log = self._context.log
        log.run(
            command,
            lambda: done() if isValid(self) else None,
            lambda error: self._on_refused(error) if isValid(self) else log.failed.emit(error),
        )

    def show_problem(self, text: str) -> None:
        """Say what is wrong; empty takes it away."""
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _preview(self) -> None:
        if self._asked is not None:
            self._context.requests.cancel(self._asked)
            self._asked = None
        correction = self.correction()
        if correction is None:
            self.words.setText(self.missing_words())
            return
        identity = self._context.services.identity
        self._asked = self._context.requests.submit(
            "what a correction changes",
            lambda: identity.preview(correction),
            self._on_preview,
            self._on_preview_failed,
            self,
        )

    def missing_words(self) -> str:
        """What has to be chosen first."""
        return ""

    def _on_preview(self, effect: Effect) -> None:
        self._asked = None
        self.effect = effect
        restyle(self.words, "role", "problem" if effect.forbidden else "muted")
        self.words.setText(effect.forbidden or self.effect_sentence(effect))
        self.confirm.setEnabled(not effect.forbidden and not self._running)
        self.on_effect(effect)

    def _on_preview_failed(self, error: BarnhandError) -> None:
        self._asked = None
        self.words.setText("")
        self.show_problem(str(error))

    def _on_applied(self, command: ApplyCorrection) -> None:
        self._set_running(False)
        self.applied.emit(command.record)

    def _on_refused(self, error: BarnhandError) -> None:
        """Nothing was changed and nothing chosen is lost; after a conflict the effect is asked
        again, so that the person decides on what is true now."""
        self._set_running(False)
        self.show_problem(str(error))
        if isinstance(error, Conflict):
            self._context.directory.refresh()
            self.ask()

    def _set_running(self, on: bool) -> None:
        self._running = on
        self.show_problem("")
        self.progress.setRange(0, 0 if on else 1)
        self.progress.setVisible(on)
        self.confirm.setEnabled(not on and self.effect is not None)
        self.cancel.setEnabled(not on)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and not self._running:
            self.closed.emit()
        else:
            super().keyPressEvent(event)
