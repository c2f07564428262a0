"""Where there is no lane: why, and what to do next."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ui.theme import Theme
from ui.timeline.lanes import Grouping
from ui.widgets import button, icon_label, label

TEXT_PX = 440


class TimelineEmpty(QWidget):
    """``acted`` carries ``clear`` (the filter) or ``live`` (go to the cameras)."""

    acted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._act = ""
        self.title = label("", "large")
        self.text = label("", "muted", wrap=True)
        self.text.setFixedWidth(TEXT_PX)
        self.act = button("", "primary")
        self.act.clicked.connect(lambda: self.acted.emit(self._act))
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addStretch(2)
        mark = icon_label("timeline", theme, "accent", 24)
        for widget in (mark, self.title, self.text, self.act):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        for words in (self.title, self.text):
            words.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def show_for(self, missing: bool, searched: bool, grouping: Grouping, known: bool) -> None:
        """Say why: no timelines in the store, a filter that matches nothing, or nobody yet."""
        if missing:
            self._say(
                self.tr("No timelines here"),
                self.tr("This console was started without a database that keeps timelines."),
                self.tr("Go to the cameras"),
                "live",
            )
        elif searched:
            self._say(
                self.tr("No lane matches"),
                self.tr("Names of horses and cameras are searched."),
                self.tr("Show all lanes"),
                "clear",
            )
        elif known:
            horses = grouping is Grouping.HORSES
            self._say(
                self.tr("No horse is known yet") if horses else self.tr("No camera yet"),
                self.tr("Lanes of the others are there."),
                self.tr("Show all lanes"),
                "clear",
            )
        else:
            self._say(
                self.tr("Nothing to show yet"),
                self.tr(
                    "Add a camera: its lane appears at once, and one for every horse that it "
                    "meets, from the first seconds on."
                ),
                self.tr("Go to the cameras"),
                "live",
            )

    def _say(self, title: str, text: str, act: str, act_id: str) -> None:
        self.title.setText(title)
        self.text.setText(text)
        self.text.setFixedHeight(max(self.text.heightForWidth(TEXT_PX), 0))
        self.act.setText(act)
        self._act = act_id
