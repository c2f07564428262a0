"""Standing conditions a person should know about: which are new, which were acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from engine.domain.notices import Notice, Severity
from ui.theme import Theme
from ui.widgets import button, icon_label, label, restyle, set_icon, spacer

ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
ICONS = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}
COLOURS = {
    Severity.CRITICAL: "critical",
    Severity.WARNING: "warning",
    Severity.INFO: "information",
}


class NoticeBook(QObject):
    """The notices now standing. Acknowledging one hides it until it is raised anew."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._active: dict[str, Notice] = {}
        self._local: dict[str, Notice] = {}
        self._acknowledged: set[str] = set()

    def update_from(self, notices: Sequence[Notice]) -> None:
        """Take the engine's whole list of standing notices."""
        active = {n.key: n for n in notices if n.active}
        if active == self._active:
            return
        self._acknowledged &= {*active, *self._local}
        self._active = active
        self.changed.emit()

    def raise_local(self, notice: Notice) -> None:
        """A condition the console itself found (a service is away)."""
        known = self._local.get(notice.key)
        if known is not None and (known.message, known.severity) == (
            notice.message,
            notice.severity,
        ):
            return
        self._local[notice.key] = notice
        self._acknowledged.discard(notice.key)
        self.changed.emit()

    def clear_local(self, key: str) -> None:
        """A condition of the console has ended."""
        if self._local.pop(key, None) is not None:
            self._acknowledged.discard(key)
            self.changed.emit()

    def acknowledge(self, key: str) -> None:
        """A person has seen it."""
        self._acknowledged.add(key)
        self.changed.emit()

    def standing(self) -> list[Notice]:
        """All, most urgent first, then newest first."""
        everything = [*self._active.values(), *self._local.values()]
        return sorted(everything, key=lambda n: (ORDER[n.severity], -n.at.timestamp()))

    def unacknowledged(self) -> list[Notice]:
        """Those nobody has acknowledged, most urgent first."""
        return [n for n in self.standing() if n.key not in self._acknowledged]


class NoticeStrip(QFrame):
    """One line across the top for the most urgent notice nobody has acknowledged."""

    def __init__(self, book: NoticeBook, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("strip")
        self._book = book
        self._theme = theme
        self._icon = icon_label("info", theme, "information")
        self._message = label("", "strong")
        self._advice = label("", "muted")
        self._more = label("", "small")
        self._seen = button(self.tr("Acknowledge"))
        self._seen.clicked.connect(self._on_seen)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 4, 8, 4)
        row.setSpacing(8)
        for widget in (self._icon, self._message, self._advice, spacer(), self._more, self._seen):
            row.addWidget(widget)
        self._key = ""
        book.changed.connect(self.refresh)
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self._theme = theme
        self.refresh()

    def refresh(self) -> None:
        """Show the first unacknowledged notice, or nothing."""
        notices = [n for n in self._book.unacknowledged() if n.stream_id is None]
        self.setVisible(bool(notices))
        if not notices:
            return
        first = notices[0]
        self._key = first.key
        restyle(self, "severity", first.severity.value)
        set_icon(self._icon, ICONS[first.severity], self._theme, COLOURS[first.severity])
        self._message.setText(first.message)
        self._advice.setText(first.advice)
        self._more.setText(self.tr("1 of {0}").format(len(notices)) if len(notices) > 1 else "")

    def _on_seen(self) -> None:
        self._book.acknowledge(self._key)


class NoticeCard(QFrame):
    """A notice as a card in a side panel or list."""

    def __init__(self, notice: Notice, book: NoticeBook, theme: Theme, where: str = "") -> None:
        super().__init__()
        self.setObjectName("notice")
        self.setProperty("severity", notice.severity.value)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 8)
        column.setSpacing(2)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(icon_label(ICONS[notice.severity], theme, COLOURS[notice.severity]))
        head.addWidget(label(notice.message, "strong", wrap=True), 1)
        column.addLayout(head)
        at = notice.at.astimezone().strftime("%H:%M")
        column.addWidget(label(" · ".join(p for p in (where, at) if p), "small"))
        if notice.advice:
            column.addWidget(label(notice.advice, "small", wrap=True))
        seen = button(self.tr("Acknowledge"), "link")
        seen.clicked.connect(lambda: book.acknowledge(notice.key))
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(seen)
        column.addLayout(foot)
