"""One alert: its picture, the figures behind it, and the acknowledgement."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from engine.domain.behaviour import Alert
from ui.alerts.words import evidence_lines, severity_word, state_words
from ui.notices import COLOURS, ICONS
from ui.registry.words import ago, when
from ui.theme import Theme
from ui.widgets import button, icon_label, label, set_icon

PICTURE_PX = 320
NOTE_PX = 84


class AlertDetail(QWidget):
    """``acknowledged`` carries the note. ``wanted`` carries ``moment``, ``profile`` or ``rule``:
    where the person wants to go from here."""

    acknowledged = Signal(str)
    wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._alert: Alert | None = None
        self._image: QImage | None = None
        self.mark = icon_label("info", theme, "information", 20)
        self.message = label("", "large", wrap=True)
        self.where = label("", "muted", wrap=True)
        self.picture = label("", "faint")
        self.picture.setObjectName("well")
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setMinimumHeight(PICTURE_PX)
        self.picture.setWordWrap(True)
        self._figures = QGridLayout()
        self._figures.setHorizontalSpacing(20)
        self._figures.setVerticalSpacing(4)
        self._figures.setColumnStretch(1, 1)
        self.note = QPlainTextEdit()
        self.note.setPlaceholderText(self.tr("What was found, what was done (may stay empty)"))
        self.note.setAccessibleName(self.tr("Note"))
        self.note.setFixedHeight(NOTE_PX)
        self.note.setTabChangesFocus(True)
        self.notes = label("", wrap=True)
        self.acknowledge = button(self.tr("Acknowledge"), "primary")
        self.acknowledge.clicked.connect(self._on_acknowledge)
        self.links = {
            name: button(text, "link")
            for name, text in (
                ("moment", self.tr("Show the moment")),
                ("profile", self.tr("Open the horse's profile")),
                ("rule", self.tr("Change the rule")),
            )
        }
        for name, link in self.links.items():
            link.clicked.connect(lambda _checked=False, to=name: self.wanted.emit(to))
        self._build()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.message, 1)
        links = QHBoxLayout()
        links.setSpacing(16)
        for link in self.links.values():
            links.addWidget(link)
        links.addStretch(1)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.acknowledge)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self.where)
        column.addWidget(self.picture, 1)
        column.addWidget(label(self.tr("Figures behind it"), "section"))
        column.addLayout(self._figures)
        column.addLayout(links)
        column.addWidget(self.notes)
        column.addWidget(self.note)
        column.addLayout(foot)

    @property
    def alert(self) -> Alert | None:
        """The alert on show."""
        return self._alert

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        if self._alert is not None:
            self._show_mark(self._alert)

    def show_alert(self, alert: Alert, subject: str) -> None:
        """Show one; a note that is being written stays while it is the same alert."""
        if self._alert is None or self._alert.id != alert.id:
            self.note.clear()
            self._image = None
            self.picture.setPixmap(QPixmap())
            self.picture.setText(
                self.tr("Fetching the picture…")
                if alert.picture
                else self.tr("No picture was taken of it")
            )
        self._alert = alert
        self._show_mark(alert)
        self.message.setText(alert.message)
        state = state_words(alert, ago(alert.raised_at), ago(alert.ended_at))
        began = self.tr("since {0}").format(when(alert.started_at))
        quiet = self.tr("told quietly") if alert.quiet else ""
        parts = (severity_word(alert.severity), subject, began, state, quiet)
        self.where.setText(" · ".join(part for part in parts if part))
        self._show_figures(evidence_lines(alert.evidence))
        seen = alert.acknowledged_at is not None
        self.notes.setText(alert.note)
        self.notes.setVisible(bool(alert.note))
        self.acknowledge.setText(self.tr("Add note") if seen else self.tr("Acknowledge"))
        self.acknowledge.setEnabled(True)
        self.links["profile"].setVisible(alert.horse_id is not None)
        self.links["rule"].setVisible(alert.rule_id is not None)

    def show_picture(self, jpeg: bytes | None) -> None:
        """The moment it was told of."""
        image = QImage.fromData(jpeg) if jpeg else QImage()
        self._image = None if image.isNull() else image
        if self._image is None:
            self.picture.setText(self.tr("The picture is not there any more"))
        self._fit()

    def show_problem(self, words: str) -> None:
        """Say why it could not be done and let the person try again."""
        self.picture.setText(words)
        self.acknowledge.setEnabled(True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._image is None:
            return
        ratio = self.devicePixelRatioF()
        scaled = self._image.scaled(
            self.picture.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        scaled.setDevicePixelRatio(ratio)
        self.picture.setPixmap(QPixmap.fromImage(scaled))

    def _show_mark(self, alert: Alert) -> None:
        set_icon(self.mark, ICONS[alert.severity], self._theme, COLOURS[alert.severity], 20)

    def _show_figures(self, lines: tuple[tuple[str, str], ...]) -> None:
        while (item := self._figures.takeAt(0)) is not None:
            old = item.widget()
            if isinstance(old, QLabel):
                old.deleteLater()
        for row, (name, value) in enumerate(lines):
            self._figures.addWidget(label(name, "muted"), row, 0)
            self._figures.addWidget(label(value), row, 1)

    def _on_acknowledge(self) -> None:
        self.acknowledge.setEnabled(False)
        self.acknowledged.emit(self.note.toPlainText().strip())
        self.note.clear()
