"""Pages that a later version brings: what they will do, and what works today. No invented data."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from ui.theme import Theme
from ui.widgets import icon_label, label


@dataclass(frozen=True, slots=True)
class LaterText:
    """Title, one sentence, what will be there, what works now."""

    title: str
    sentence: str
    coming: tuple[str, ...]
    today: str


def later_texts() -> dict[str, LaterText]:
    """The pages not built yet, by name."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("Later", text)

    return {
        "sessions": LaterText(
            tr("Sessions"),
            tr("One ride, one lesson, one vet check: analysed as a whole."),
            (
                tr("Stride, symmetry and gait over the session with intervals"),
                tr("Reports to print and to share"),
            ),
            tr("“barnhand analyse VIDEO --out FOLDER” analyses one from the command line."),
        ),
    }


class LaterPage(QWidget):
    """An honest empty page."""

    def __init__(self, name: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        text = later_texts()[name]
        card = QFrame()
        card.setObjectName("card")
        card.setFixedWidth(520)
        column = QVBoxLayout(card)
        column.setContentsMargins(32, 28, 32, 28)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(icon_label(name, theme, "accent", 24))
        head.addWidget(label(text.title, "title"))
        head.addStretch(1)
        column.addLayout(head)
        column.addWidget(label(text.sentence, "muted", wrap=True))
        column.addSpacing(12)
        column.addWidget(label(self.tr("Arrives with a later version"), "section"))
        for item in text.coming:
            row = QHBoxLayout()
            row.setSpacing(8)
            row.addWidget(label("–", "faint"))
            row.addWidget(label(item, wrap=True), 1)
            column.addLayout(row)
        column.addSpacing(12)
        column.addWidget(label(self.tr("Works today"), "section"))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.setAlignment(Qt.AlignmentFlag.AlignTop)
        row.addWidget(icon_label("ok", theme, "accent"), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(label(text.today, wrap=True), 1)
        column.addLayout(row)
        outer = QVBoxLayout(self)
        outer.addStretch(2)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(card)
        across.addStretch(1)
        outer.addLayout(across)
        outer.addStretch(3)
