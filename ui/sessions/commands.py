"""Changes of sessions and of the calendar that can be taken back."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QCoreApplication

from engine.domain.sessions import (
    CalendarEntry,
    CalendarRepository,
    Session,
    SessionRepository,
    SessionState,
)
from engine.sessions.acts import SessionActs
from ui.commands import Command


def _tr(text: str) -> str:
    return QCoreApplication.translate("Sessions", text)


class AddSession(Command):
    """Stores a session of recordings and queues its analysis; a live one begins. Undo forgets it
    with whatever was found."""

    def __init__(self, session: Session, acts: SessionActs, actor: str) -> None:
        live = session.state is SessionState.OPEN
        words = _tr("start the live session “{0}”") if live else _tr("make the session “{0}”")
        self.text = words.format(session.title)
        self.session = session
        self._wanted = session
        self._acts = acts
        self._actor = actor

    def do(self) -> None:
        stored = self._acts.sessions.add(self._wanted)
        if stored.state is not SessionState.OPEN:
            stored = self._acts.analyse(stored, self._actor)
        self.session = stored

    def undo(self) -> None:
        self._acts.remove(self._acts.sessions.get(self.session.id), self._actor)


class EditSession(Command):
    """Changes what is said of a session: title, kind, mode, note, horse, locked. A change by
    somebody else in between is a Conflict and is overwritten by nobody silently."""

    def __init__(self, before: Session, after: Session, sessions: SessionRepository) -> None:
        self.text = _tr("change “{0}”").format(before.title)
        if before.locked != after.locked:
            words = _tr("lock “{0}”") if after.locked else _tr("unlock “{0}”")
            self.text = words.format(before.title)
        self.session = after
        self._before, self._after = before, after
        self._version = before.version
        self._sessions = sessions

    def do(self) -> None:
        self._store(self._after)

    def undo(self) -> None:
        self._store(self._before)

    def _store(self, wanted: Session) -> None:
        now = self._sessions.get(wanted.id)
        said = replace(
            now, title=wanted.title, kind=wanted.kind, mode=wanted.mode, note=wanted.note,
            horse_id=wanted.horse_id, locked=wanted.locked, version=self._version,
        )  # fmt: skip
        self.session = self._sessions.update(said)
        self._version = self.session.version


class SaveEntry(Command):
    """Stores a new entry of the calendar (``before`` None) or a changed one."""

    def __init__(
        self, before: CalendarEntry | None, after: CalendarEntry, calendar: CalendarRepository
    ) -> None:
        words = _tr("plan “{0}”") if before is None else _tr("change “{0}”")
        self.text = words.format(after.title)
        self._before, self._after = before, after
        self._calendar = calendar

    def do(self) -> None:
        if self._before is None:
            self._after = self._calendar.add(replace(self._after, version=1))
        else:
            after = replace(self._after, version=self._before.version)
            self._after = self._calendar.update(after)

    def undo(self) -> None:
        if self._before is None:
            self._calendar.remove(self._after.id)
        else:
            before = replace(self._before, version=self._after.version)
            self._before = self._calendar.update(before)


class RemoveEntry(Command):
    """Takes an entry out of the calendar; its session stays. Undo puts it back."""

    def __init__(self, entry: CalendarEntry, calendar: CalendarRepository) -> None:
        self.text = _tr("remove “{0}” from the calendar").format(entry.title)
        self._entry = entry
        self._calendar = calendar

    def do(self) -> None:
        self._calendar.remove(self._entry.id)

    def undo(self) -> None:
        self._entry = self._calendar.add(replace(self._entry, version=1))
