"""The training calendar: a month, and what is planned and done on the chosen day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from PySide6.QtCore import QDate, QLocale, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from engine.domain.errors import BarnhandError
from engine.domain.horses import Horse
from engine.domain.sessions import CalendarEntry, Session, SessionId
from ui.commands import CommandLog
from ui.registry.directory import HorseDirectory
from ui.registry.words import clock, local_user
from ui.requests import RequestId, RequestRunner
from ui.services import ConsoleServices
from ui.sessions.commands import RemoveEntry, SaveEntry
from ui.sessions.desk import SessionDesk
from ui.sessions.dialogs import chosen_horse, refill_horses
from ui.sessions.entry_dialog import EntryDialog
from ui.sessions.feed import SessionFeed
from ui.sessions.month_grid import MonthGrid, today
from ui.sessions.words import kind_word
from ui.theme import Theme, qcolor
from ui.widgets import button, label, line, scroll

DAY_PX = 360
LINKED_AROUND = timedelta(days=2)
"""Sessions so near to an entry are offered to be linked with it."""


class EntryCard(QFrame):
    """One entry of the chosen day. ``wanted`` carries ``edit``, ``remove``, ``done`` or
    ``session``, and the entry."""

    wanted = Signal(str, object)

    def __init__(self, entry: CalendarEntry, horse: str, session: str) -> None:
        super().__init__()
        self.setObjectName("card")
        self.entry = entry
        self.acts = {
            "done": button(self.tr("Not done") if entry.done else self.tr("Done"), "link"),
            "edit": button(self.tr("Change…"), "link"),
            "remove": button(self.tr("Remove"), "link"),
            "session": button(session, "link"),
        }
        for name, act in self.acts.items():
            act.clicked.connect(lambda _checked=False, to=name: self.wanted.emit(to, entry))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(2)
        column.addWidget(label(entry_words(entry), "strong", wrap=True))
        times = self.tr("whole day") if entry.whole_day else _times(entry)
        parts = (horse, kind_word(entry.kind), times)
        column.addWidget(label(" · ".join(parts), "muted", wrap=True))
        if entry.note:
            column.addWidget(label(entry.note, wrap=True))
        row = QHBoxLayout()
        row.setSpacing(8)
        for name, act in self.acts.items():
            if name != "session" or entry.session_id is not None:
                row.addWidget(act)
        row.addStretch(1)
        column.addLayout(row)


class CalendarView(QWidget):
    """``session_asked`` carries a session that is to be shown, ``failed`` an error."""

    session_asked = Signal(object)
    failed = Signal(object)

    def __init__(
        self, services: ConsoleServices, requests: RequestRunner, log: CommandLog,
        directory: HorseDirectory, desk: SessionDesk, feed: SessionFeed, theme: Theme,
    ) -> None:  # fmt: skip
        super().__init__()
        self._calendar, self._farm = services.calendar, services.farm_id
        self._sessions = services.sessions
        self._requests, self._log, self._directory = requests, log, directory
        self._desk, self._feed = desk, feed
        self._asked: RequestId | None = None
        self._by_day: dict[date, list[CalendarEntry]] = {}
        self.cards: list[EntryCard] = []
        self._told: list[tuple[CalendarEntry, str, str]] = []
        self.grid = MonthGrid(theme, entry_words, self._colour)
        self._build(theme)
        self._connect()
        self._on_turned()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self, theme: Theme) -> None:
        self.month = label("", "large")
        self.back = button("‹")
        self.back.setAccessibleName(self.tr("Month before"))
        self.on = button("›")
        self.on.setAccessibleName(self.tr("Month after"))
        self.today = button(self.tr("Today"))
        self.horse = QComboBox()
        self.horse.setAccessibleName(self.tr("Horse"))
        self.horse.addItem(self.tr("all horses"), None)
        self.plan = button(self.tr("Plan…"), "primary")
        head = QHBoxLayout()
        head.setSpacing(8)
        for part in (self.back, self.on, self.today, self.month):
            head.addWidget(part)
        head.addStretch(1)
        head.addWidget(self.horse)
        head.addWidget(self.plan)
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        left = QVBoxLayout()
        left.setContentsMargins(24, 12, 16, 16)
        left.setSpacing(8)
        left.addLayout(head)
        left.addWidget(self.problem)
        left.addWidget(self.grid, 1)
        legend = self.tr("✓ done   ○ planned   ·   double click or Enter plans on a day")
        left.addWidget(label(legend, "small"))
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addLayout(left, 1)
        across.addWidget(self._day_panel())

    def _day_panel(self) -> QWidget:
        self.day_name = label("", "large", wrap=True)
        self.nothing = label("", "muted", wrap=True)
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(8)
        self._list.addStretch(1)
        content = QWidget()
        content.setLayout(self._list)
        result = QWidget()
        result.setObjectName("panel")
        result.setFixedWidth(DAY_PX)
        column = QVBoxLayout(result)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addWidget(self.day_name)
        column.addWidget(line())
        column.addWidget(self.nothing)
        column.addWidget(scroll(content), 1)
        return result

    def _connect(self) -> None:
        self.back.clicked.connect(lambda: self.grid.turn(-1))
        self.on.clicked.connect(lambda: self.grid.turn(1))
        self.today.clicked.connect(lambda: self.grid.choose(today()))
        self.plan.clicked.connect(lambda: self.ask(self.grid.day))
        self.plan.setEnabled(self._calendar is not None)
        self.horse.currentIndexChanged.connect(lambda _index: self.refresh())
        self.grid.chosen.connect(lambda _day: self._show_day())
        self.grid.turned.connect(lambda _day: self._on_turned())
        self.grid.activated.connect(self.ask)
        self._log.changed.connect(self.refresh)
        self._directory.changed.connect(self._on_names)

    # --- what is shown --------------------------------------------------------------------------

    def set_theme(self, theme: Theme) -> None:
        """Another look."""
        self.grid.set_theme(theme)

    def refresh(self) -> None:
        """Read the days on show again."""
        calendar, farm = self._calendar, self._farm
        if calendar is None:
            self._show_problem(self.tr("This console was started without a calendar."))
            return
        if self._asked is not None:
            self._requests.cancel(self._asked)
        begin, end = _utc(self.grid.first) - timedelta(days=1), _utc(self.grid.after)
        end += timedelta(days=1)
        horse = chosen_horse(self.horse)
        self._asked = self._requests.submit(
            "the calendar",
            lambda: calendar.list(farm, begin, end, horse),
            self._on_read,
            self._on_unread,
            owner=self,
        )

    def _on_turned(self) -> None:
        day = self.grid.day
        name = QLocale().standaloneMonthName(day.month)
        self.month.setText(f"{name} {day.year}")
        self._show_day()
        self.refresh()

    def _on_read(self, entries: Sequence[CalendarEntry]) -> None:
        self._asked = None
        self._show_problem("")
        by_day: dict[date, list[CalendarEntry]] = {}
        for entry in entries:
            for day in days_of(entry, self.grid.first, self.grid.after):
                by_day.setdefault(day, []).append(entry)
        self._by_day = by_day
        self.grid.show_entries(by_day)
        self._show_day()

    def _on_unread(self, error: BarnhandError) -> None:
        self._asked = None
        self._show_problem(str(error))

    def _show_problem(self, words: str) -> None:
        self.problem.setText(words)
        self.problem.setVisible(bool(words))

    def _on_names(self) -> None:
        refill_horses(self.horse, self._desk.horses)
        self._show_day()
        self.grid.update()

    def _show_day(self) -> None:
        day = self.grid.day
        words = QLocale().toString(QDate(day.year, day.month, day.day), "dddd d MMMM")
        self.day_name.setText(words)
        entries = self._by_day.get(day, [])
        told = [(entry, *self._names_of(entry)) for entry in entries]
        if told != self._told:
            self._told = told
            self._show_cards(told)
        self.nothing.setVisible(not entries)
        self.nothing.setText(self.tr("Nothing is planned. Double click the day, or press Enter."))

    def _show_cards(self, told: Sequence[tuple[CalendarEntry, str, str]]) -> None:
        for card in self.cards:
            self._list.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.cards = [EntryCard(entry, horse, session) for entry, horse, session in told]
        for place, card in enumerate(self.cards):
            card.wanted.connect(self._on_wanted)
            self._list.insertWidget(place, card)

    def _names_of(self, entry: CalendarEntry) -> tuple[str, str]:
        """What the horse is called, and the words that open the session."""
        horse = self._directory.title(entry.horse_id) or self.tr("all horses")
        linked = self._feed.get(entry.session_id)
        words = self.tr("Open “{0}”").format(linked.title) if linked else self.tr("Open session")
        return horse, words

    def _colour(self, entry: CalendarEntry) -> QColor | None:
        horse: Horse | None = self._directory.resolve(entry.horse_id)
        return qcolor(horse.colour_hex) if horse is not None else None

    # --- acts -----------------------------------------------------------------------------------

    def ask(self, day: date, before: CalendarEntry | None = None) -> EntryDialog | None:
        """Plan on a day, or change an entry."""
        calendar, farm = self._calendar, self._farm
        if calendar is None or farm is None:
            return None
        around = _utc(day)
        near = [
            one
            for one in self._feed.sessions
            if around - LINKED_AROUND <= one.start_at <= around + LINKED_AROUND
        ]
        dialog = EntryDialog(day, before, self._desk.horses, near, self)

        def accepted() -> None:
            entry = dialog.entry(farm, local_user())
            if entry != before:
                self._log.run(SaveEntry(before, entry, calendar))

        dialog.accepted.connect(accepted)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def _on_wanted(self, what: str, entry: CalendarEntry) -> None:
        calendar = self._calendar
        if calendar is None:
            return
        if what == "edit":
            self.ask(self.grid.day, entry)
        elif what == "remove":
            self._log.run(RemoveEntry(entry, calendar))
        elif what == "done":
            self._log.run(SaveEntry(entry, _turned(entry), calendar))
        elif entry.session_id is not None:
            self._open(entry.session_id)

    def _open(self, session_id: SessionId) -> None:
        sessions = self._sessions
        known: Session | None = self._feed.get(session_id)
        if known is not None:
            self.session_asked.emit(known)
        elif sessions is not None:
            self._requests.submit(
                "a session", lambda: sessions.get(session_id), self.session_asked.emit,
                self.failed.emit, self,
            )  # fmt: skip


def entry_words(entry: CalendarEntry) -> str:
    """``✓ 09:00 lunging``: whether it took place, when, what."""
    at = "" if entry.whole_day else f"{clock(entry.start_at, False)} "
    return f"{'✓' if entry.done else '○'} {at}{entry.title}"


def days_of(entry: CalendarEntry, first: date, after: date) -> list[date]:
    """The days from ``first`` to before ``after`` that it is on: its own days where it lasts whole
    days, the days of this place else."""
    zone = UTC if entry.whole_day else None
    begin = max(entry.start_at.astimezone(zone).date(), first)
    end = min(entry.end_at.astimezone(zone).date(), after - timedelta(days=1))
    return [begin + timedelta(days=n) for n in range((end - begin).days + 1)]


def _times(entry: CalendarEntry) -> str:
    return f"{clock(entry.start_at, False)}–{clock(entry.end_at, False)}"


def _turned(entry: CalendarEntry) -> CalendarEntry:
    return replace(entry, done=not entry.done)


def _utc(day: date) -> datetime:
    """Its midnight here."""
    return datetime.combine(day, time()).astimezone(UTC)
