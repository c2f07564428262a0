"""Where no horse is on show: why, and what to do next."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine.domain.errors import BarnhandError
from ui.registry.horse_model import Show
from ui.theme import Theme
from ui.widgets import button, icon_label, label, set_icon

TEXT_PX = 440


class EmptyState(QWidget):
    """``acted`` carries ``clear`` (search and filter), ``retry`` or ``live``."""

    acted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._act = ""
        self.mark = icon_label("registry", theme, "accent", 24)
        self.title = label("", "large")
        self.text = label("", "muted", wrap=True)
        self.text.setFixedWidth(TEXT_PX)
        self.act = button("", "primary")
        self.act.clicked.connect(lambda: self.acted.emit(self._act))
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addStretch(2)
        for widget in (self.mark, self.title, self.text, self.act):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        for words in (self.title, self.text):
            words.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def show_for(
        self,
        show: Show,
        wanted: str,
        known: int,
        problem: BarnhandError | None,
        loaded: bool,
    ) -> None:
        """Say why nothing is on show; ``known`` horses exist."""
        if not known and problem is not None:
            set_icon(self.mark, "warning", self._theme, "warning", 24)
            advice = problem.advice or self.tr("It is asked again every few seconds.")
            self._say(problem.message, advice, self.tr("Try now"), "retry")
            return
        set_icon(self.mark, "registry", self._theme, "accent", 24)
        if not loaded:
            self._say(self.tr("Reading the registry…"), "", "", "")
        elif not known:
            self._say(
                self.tr("No horse is known yet"),
                self.tr(
                    "The first one appears here by itself, as a guest with a number, once a camera "
                    "has watched it for a few seconds. Name it, and accept it as a resident."
                ),
                self.tr("Go to the cameras"),
                "live",
            )
        elif wanted:
            self._say(
                self.tr("No horse matches “{0}”").format(wanted),
                self.tr("Name, label, stall, breed, colour and markings are searched."),
                self.tr("Show all horses"),
                "clear",
            )
        else:
            title, text = self._of_filter(show)
            self._say(title, text, self.tr("Show all horses"), "clear")

    def _of_filter(self, show: Show) -> tuple[str, str]:
        return {
            Show.MISSING: (
                self.tr("Nobody is missing"),
                self.tr("Every resident was seen today."),
            ),
            Show.UNNAMED: (self.tr("Every horse has a name"), ""),
            Show.GUESTS: (
                self.tr("No guests"),
                self.tr("A horse that is not known appears here until you accept it."),
            ),
            Show.RESIDENTS: (
                self.tr("No residents yet"),
                self.tr("Accept a guest as a resident to be told when it is missing."),
            ),
            Show.TODAY: (self.tr("No horse was seen today"), ""),
            Show.MERGED: (
                self.tr("Nothing was merged"),
                self.tr("Drag one card onto another if both are the same horse."),
            ),
        }.get(show, (self.tr("No horse to show"), ""))

    def _say(self, title: str, text: str, act: str, act_id: str) -> None:
        self.title.setText(title)
        self.text.setText(text)
        self.text.setFixedHeight(max(self.text.heightForWidth(TEXT_PX), 0))
        self.text.setVisible(bool(text))
        self.act.setText(act)
        self.act.setVisible(bool(act))
        self._act = act_id
