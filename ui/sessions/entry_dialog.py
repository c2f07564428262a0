"""What is asked of an entry of the training calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

from PySide6.QtCore import QDate, QTime
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDateEdit,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QTimeEdit,
    QWidget,
)

from engine.domain.errors import OperatorMistake
from engine.domain.ids import FarmId
from engine.domain.sessions import (
    CalendarEntry,
    CalendarEntryId,
    Session,
    SessionId,
    SessionKind,
)
from ui.ask_dialog import AskDialog
from ui.ptz.number_field import inset
from ui.registry.words import when
from ui.sessions.dialogs import NOTE_PX, Horses, chosen_horse, horse_box, kind_box
from ui.widgets import label

USUAL_HOUR, USUAL_MIN = 9, 45


class EntryDialog(AskDialog):
    """A new entry on ``day``, or a change of ``before``; ``sessions`` may be linked to it."""

    def __init__(
        self, day: date, before: CalendarEntry | None, horses: Horses,
        sessions: Sequence[Session], parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__("", parent)
        new = before is None
        self.name(self.tr("Plan") if new else self.tr("Change the entry"),
                  self.tr("Plan") if new else self.tr("Save"))  # fmt: skip
        self._before = before
        self.title = QLineEdit(before.title if before is not None else "")
        self.title.setPlaceholderText(self.tr("such as: lunging, easy"))
        self.horse = horse_box(
            horses, self.tr("all horses"), before.horse_id if before is not None else None
        )
        self.kind = kind_box(before.kind if before is not None else SessionKind.TRAINING)
        self.whole_day = QCheckBox(self.tr("Whole day"))
        self.took_place = QCheckBox(self.tr("Done"))
        self.note = QPlainTextEdit(before.note if before is not None else "")
        self.note.setFixedHeight(NOTE_PX)
        self.note.setTabChangesFocus(True)
        self.session = QComboBox()
        self.session.addItem(self.tr("none"), None)
        for one in sessions:
            self.session.addItem(f"{one.title} · {when(one.start_at)}", str(one.id))
        if before is not None and before.session_id is not None:
            self._link(before.session_id)
        self._times(day, before)
        self._lay_out()
        if before is not None:
            self.whole_day.setChecked(before.whole_day)
            self.took_place.setChecked(before.done)
        self.title.setFocus()

    def _link(self, session_id: SessionId) -> None:
        """The session that it is linked to, also where it is not among those offered."""
        if self.session.findData(str(session_id)) < 0:
            self.session.addItem(self.tr("the session it is linked to"), str(session_id))
        self.session.setCurrentIndex(self.session.findData(str(session_id)))

    def _times(self, day: date, before: CalendarEntry | None) -> None:
        start = datetime.combine(day, time(USUAL_HOUR)).astimezone()
        end = start + timedelta(minutes=USUAL_MIN)
        if before is not None:
            zone = UTC if before.whole_day else None
            start, end = before.start_at.astimezone(zone), before.end_at.astimezone(zone)
        self.first, self.last = (
            inset(QDateEdit(QDate(at.year, at.month, at.day))) for at in (start, end)
        )
        self.start, self.end = (inset(QTimeEdit(QTime(at.hour, at.minute))) for at in (start, end))
        for field in (self.first, self.last):
            field.setDisplayFormat("dd.MM.yyyy")
        for field_of_time in (self.start, self.end):
            field_of_time.setDisplayFormat("HH:mm")
        self.first.dateChanged.connect(lambda on: self.last.setDate(max(on, self.last.date())))
        self.whole_day.toggled.connect(self._on_whole_day)

    def _lay_out(self) -> None:
        times = QWidget()
        row = QHBoxLayout(times)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for part in (self.first, self.start, label("–", "muted"), self.last, self.end):
            row.addWidget(part)
        ticks = QWidget()
        beside = QHBoxLayout(ticks)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.addWidget(self.whole_day)
        beside.addWidget(self.took_place)
        beside.addStretch(1)
        self.form.addRow(self.tr("Title"), self.title)
        self.form.addRow(self.tr("Horse"), self.horse)
        self.form.addRow(self.tr("Kind"), self.kind)
        self.form.addRow(self.tr("When"), times)
        self.form.addRow("", ticks)
        self.form.addRow(self.tr("Session"), self.session)
        self.form.addRow(self.tr("Note"), self.note)

    def _on_whole_day(self, on: bool) -> None:
        for field in (self.start, self.end):
            field.setEnabled(not on)

    def check(self) -> None:
        if not self.title.text().strip():
            raise OperatorMistake(self.tr("Give the entry a title."))
        start, end = self._span()
        if end < start:
            raise OperatorMistake(self.tr("It ends before it begins."))

    def _span(self) -> tuple[datetime, datetime]:
        """Both ends in UTC. Whole days are days of UTC, as in exported calendars: their noons."""
        found = []
        for on, at in ((self.first, self.start), (self.last, self.end)):
            day = date(on.date().year(), on.date().month(), on.date().day())
            clock = time(at.time().hour(), at.time().minute())
            if self.whole_day.isChecked():
                found.append(datetime.combine(day, time(12), UTC))
            else:
                found.append(datetime.combine(day, clock).astimezone(UTC))
        return found[0], found[1]

    def entry(self, farm_id: FarmId, actor: str) -> CalendarEntry:
        """What was filled in."""
        start, end = self._span()
        session = self.session.currentData()
        base = self._before or CalendarEntry(
            CalendarEntryId(uuid4()), farm_id, "", SessionKind.TRAINING, start, end, actor,
            datetime.now(UTC),
        )  # fmt: skip
        return replace(
            base,
            title=self.title.text().strip(),
            kind=SessionKind(self.kind.currentData()),
            start_at=start,
            end_at=end,
            horse_id=chosen_horse(self.horse),
            whole_day=self.whole_day.isChecked(),
            note=self.note.toPlainText().strip(),
            done=self.took_place.isChecked(),
            session_id=SessionId(UUID(session)) if session is not None else None,
        )
