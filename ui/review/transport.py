"""The bar under the players: play, step, speed, where the cursor is, and what to do with it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QWidget

from ui.actions import ActionBook
from ui.review.words import exact_day, exact_time, speed_words
from ui.theme import Theme, icon
from ui.timeline.cursor import TimeCursor
from ui.timeline.words import length_words, span_words
from ui.widgets import label, line, restyle, spacer, steady, tool

HEIGHT_PX = 48
OVERLAYS = ("boxes", "ids", "skeleton", "action", "confidence")


class Transport(QFrame):
    """Follows the cursor."""

    def __init__(
        self, book: ActionBook, head: TimeCursor, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("toolbar")
        self.setFixedHeight(HEIGHT_PX)
        self._book, self._head, self._theme = book, head, theme
        self.day = steady(label("", "muted"), "Wed 30 Nov 2026")
        self.time = steady(label("", "large"), "00:00:00.000")
        self.speed = steady(label("", "strong"), "0.25×")
        self.speed.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.held = steady(label("", "small"), self.tr("waiting"))
        self.marked = label("", "small")
        self._build()
        head.moved.connect(lambda _at: self._on_moved())
        head.speed_changed.connect(lambda _speed: self._on_speed())
        head.range_changed.connect(lambda _range: self._on_range())
        head.playing_changed.connect(lambda _on: self._on_playing())
        self._on_moved()
        self._on_speed()
        self._on_range()

    def _build(self) -> None:
        book = self._book
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 8, 0)
        row.setSpacing(4)
        for name in ("frame_back", "play", "frame_on"):
            row.addWidget(tool(book[f"review.{name}"], 20))
        row.addWidget(_chip(book, "review.slower", "−"))
        row.addWidget(self.speed)
        row.addWidget(_chip(book, "review.faster", "+"))
        row.addSpacing(8)
        row.addWidget(self.time)
        row.addWidget(self.day)
        row.addWidget(self.held)
        row.addWidget(spacer())
        row.addWidget(self.marked)
        for name in ("loop", "export", "bookmark"):
            row.addWidget(tool(book[f"review.{name}"], 16))
        row.addWidget(_upright())
        row.addWidget(tool(book["review.snapshot"], 16))
        row.addWidget(tool(book["review.copy"], 16))
        row.addWidget(_upright())
        for name in OVERLAYS:
            row.addWidget(tool(book[f"review.overlay.{name}"], 16))
        row.addWidget(_upright())
        for count in (1, 2, 4):
            row.addWidget(tool(book[f"review.places{count}"], 16))
        row.addWidget(tool(book["review.inspector"], 16))

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        self._on_playing()

    def show_held(self, on: bool) -> None:
        """Whether a player keeps the cursor waiting."""
        text = self.tr("waiting") if on and self._head.playing else ""
        if text != self.held.text():
            self.held.setText(text)

    def _on_moved(self) -> None:
        self.time.setText(exact_time(self._head.at_us))
        day = exact_day(self._head.at_us)
        if day != self.day.text():
            self.day.setText(day)

    def _on_speed(self) -> None:
        self.speed.setText(speed_words(self._head.speed))

    def _on_playing(self) -> None:
        action = self._book["review.play"]
        action.setIcon(icon("pause" if self._head.playing else "play", self._theme))

    def _on_range(self) -> None:
        marked = self._head.range
        text = ""
        if marked is not None:
            start_us = self._head.at_us - round(
                (self._head.at - marked.start_at).total_seconds() * 1e6
            )
            end_us = start_us + round(marked.seconds * 1e6)
            text = f"{span_words(start_us, end_us)} · {length_words(end_us - start_us)}"
        self.marked.setText(text)


def _chip(book: ActionBook, action_id: str, text: str) -> QToolButton:
    result = QToolButton()
    result.setDefaultAction(book[action_id])
    result.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    restyle(result, "role", "chip")
    result.setText(text)
    result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    result.setAccessibleName(book[action_id].text())
    return result


def _upright() -> QFrame:
    result = line(upright=True)
    result.setFixedHeight(20)
    return result
