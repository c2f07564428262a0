"""Corrections as undoable commands over the shared log: what a remote client sees and may take
back is the very record that Ctrl+Z takes back here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QCoreApplication

from engine.domain.errors import BarnhandError, Conflict
from engine.domain.identity import (
    CommandId,
    CommandRecord,
    Correction,
    Rename,
)
from engine.domain.ids import HorseId
from engine.domain.ports import HorseRepository, IdentityRepository
from ui.commands import Command
from ui.registry.words import field_value, field_word, value_word


def _tr(text: str) -> str:
    return QCoreApplication.translate("Corrections", text)


class ApplyCorrection(Command):
    """One correction. The first ``do`` applies it, later ones do the same record again."""

    def __init__(
        self,
        text: str,
        correction: Correction,
        identity: IdentityRepository,
        actor: str,
        reason: str = "",
        expected: Mapping[HorseId, int] | None = None,
    ) -> None:
        self.text = text
        self._correction = correction
        self._identity = identity
        self._actor = actor
        self._reason = reason
        self._expected = expected
        self.record: CommandRecord | None = None

    def do(self) -> None:
        if self.record is None:
            self.record = self._apply(self._expected)
        else:
            self.record = self._identity.redo(self.record.id, self._actor)

    def undo(self) -> None:
        if self.record is not None:
            self._identity.undo(self.record.id, self._actor)

    def _apply(self, expected: Mapping[HorseId, int] | None) -> CommandRecord:
        return self._identity.apply(self._correction, self._actor, self._reason, expected)


class ChangeField(ApplyCorrection):
    """Writes one value of a profile. What the person saw before is compared on the worker, so a
    change somebody else made meanwhile is never overwritten unseen."""

    def __init__(
        self,
        horse_id: HorseId,
        title: str,
        name: str,
        before: object,
        after: object,
        horses: HorseRepository,
        identity: IdentityRepository,
        actor: str,
    ) -> None:
        text = _tr("change {0} of {1}").format(field_word(name).lower(), title)
        super().__init__(text, Rename(horse_id, {name: after}), identity, actor)
        self._horse_id = horse_id
        self._name = name
        self._before = before
        self._horses = horses

    def _apply(self, expected: Mapping[HorseId, int] | None) -> CommandRecord:
        now = self._horses.get(self._horse_id)
        value = field_value(now, self._name)
        if value != self._before:
            raise Conflict(
                _tr("{0} of {1} was changed to “{2}” meanwhile.").format(
                    field_word(self._name), now.title, value_word(value)
                ),
                _tr("Look at the new value and decide again."),
            )
        return super()._apply({self._horse_id: now.version})


class ApplyAll(Command):
    """Several corrections as one act here; each is a record of its own in the history. One that
    fails takes back those before it."""

    def __init__(self, text: str, parts: Sequence[ApplyCorrection]) -> None:
        self.text = text
        self._parts = tuple(parts)

    def do(self) -> None:
        done: list[ApplyCorrection] = []
        try:
            for part in self._parts:
                part.do()
                done.append(part)
        except BarnhandError:
            for part in reversed(done):
                part.undo()
            raise

    def undo(self) -> None:
        for part in reversed(self._parts):
            part.undo()


class RecordedCorrection(Command):
    """A correction that is done already: a review that was answered, or another person's."""

    def __init__(self, record: CommandRecord, identity: IdentityRepository, actor: str) -> None:
        self.text = record.summary
        self.record = record
        self._identity = identity
        self._actor = actor

    def do(self) -> None:
        self.record = self._identity.redo(self.record.id, self._actor)

    def undo(self) -> None:
        self._identity.undo(self.record.id, self._actor)


class UndoRecorded(RecordedCorrection):
    """Takes a correction of the history back; its own undo does it again."""

    def __init__(self, record: CommandRecord, identity: IdentityRepository, actor: str) -> None:
        super().__init__(record, identity, actor)
        self.text = _tr("undo: {0}").format(record.summary)

    def do(self) -> None:
        super().undo()

    def undo(self) -> None:
        super().do()


class RedoRecorded(RecordedCorrection):
    """Does an undone correction of the history again."""

    def __init__(self, record: CommandRecord, identity: IdentityRepository, actor: str) -> None:
        super().__init__(record, identity, actor)
        self.text = _tr("redo: {0}").format(record.summary)


def record_of(command: Command | None) -> CommandId | None:
    """The record a command stands for, if it is a correction."""
    record = getattr(command, "record", None)
    return record.id if isinstance(record, CommandRecord) else None
