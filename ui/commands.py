"""Undoable acts. A command does its blocking part on a worker and splits asking from doing: the
window asks, a command does, so commands run without a window.

Commands enter the undo stack only once they succeeded; undo and redo run on workers too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack
from shiboken6 import isValid

from engine.domain.errors import BarnhandError, EnvironmentFault, NotFound
from engine.domain.ids import FarmId
from engine.domain.models import Activation, ModelRegistry, ModelTask, RegisteredId
from engine.domain.ports import StreamRepository, ViewRepository, WallView
from engine.domain.streams import Stream
from ui.engine_port import EngineBridge
from ui.requests import RequestRunner

WAITING_AT_MOST = 1024


def _tr(text: str) -> str:
    return QCoreApplication.translate("Commands", text)


class Command:
    """One act: ``do`` and ``undo`` may block and run on a worker."""

    text = ""

    def do(self) -> None:
        """Perform the act. Raises BarnhandError when it cannot be."""
        raise NotImplementedError

    def undo(self) -> None:
        """Take the act back exactly."""
        raise NotImplementedError


class AddStream(Command):
    """Stores a camera and lets the engine work on it."""

    def __init__(self, stream: Stream, streams: StreamRepository, engine: EngineBridge) -> None:
        self.text = _tr("add {0}").format(stream.name)
        self._stream = stream
        self._streams = streams
        self._engine = engine

    def do(self) -> None:
        self._stream = self._streams.add(self._stream)
        self._engine.set_streams((*self._engine.streams(), self._stream))

    def undo(self) -> None:
        self._streams.remove(self._stream.id)
        rest = [s for s in self._engine.streams() if s.id != self._stream.id]
        self._engine.set_streams(rest)


class RemoveStream(Command):
    """Takes a camera away; undo brings it back with its id, so its history stays its own.

    A camera given on the command line is not stored: only the engine forgets it.
    """

    def __init__(self, stream: Stream, streams: StreamRepository, engine: EngineBridge) -> None:
        self.text = _tr("remove {0}").format(stream.name)
        self._stream = stream
        self._streams = streams
        self._engine = engine
        self._stored = False

    def do(self) -> None:
        try:
            self._stream = self._streams.get(self._stream.id)
            self._streams.remove(self._stream.id)
            self._stored = True
        except NotFound:
            self._stored = False
        rest = [s for s in self._engine.streams() if s.id != self._stream.id]
        self._engine.set_streams(rest)

    def undo(self) -> None:
        if self._stored:
            self._stream = self._streams.add(self._stream)
        self._engine.set_streams((*self._engine.streams(), self._stream))


class EditStream(Command):
    """Changes a camera. Whatever the stored version is by then is what gets replaced, so a change
    by someone else in between is a Conflict on doing and is overwritten by nobody silently."""

    def __init__(
        self, before: Stream, after: Stream, streams: StreamRepository, engine: EngineBridge
    ) -> None:
        self.text = _tr("change {0}").format(before.name)
        self._before = before
        self._after = after
        self._streams = streams
        self._engine = engine

    def do(self) -> None:
        self._after = self._store(self._after, self._before.version)

    def undo(self) -> None:
        self._before = self._store(self._before, self._after.version)

    def _store(self, wanted: Stream, version: int) -> Stream:
        wanted = replace(wanted, version=version)
        try:
            stored = self._streams.update(wanted)
        except NotFound:  # given on the command line: lives in the engine alone
            stored = replace(wanted, version=version + 1)
        self._engine.set_streams(
            [stored if s.id == stored.id else s for s in self._engine.streams()]
        )
        return stored


class ChooseModels(Command):
    """Gives a camera registered models, or the workstation's own (None), by task."""

    def __init__(
        self,
        stream: Stream,
        before: Mapping[ModelTask, RegisteredId | None],
        after: Mapping[ModelTask, RegisteredId | None],
        registry: ModelRegistry,
        farm_id: FarmId,
        changed: Callable[[], None],
    ) -> None:
        self.text = _tr("choose the models of {0}").format(stream.name)
        self._stream_id = stream.id
        self._before, self._after = dict(before), dict(after)
        self._registry = registry
        self._farm_id = farm_id
        self._changed = changed

    def do(self) -> None:
        self._store(self._after)

    def undo(self) -> None:
        self._store(self._before)

    def _store(self, chosen: Mapping[ModelTask, RegisteredId | None]) -> None:
        for task, model_id in chosen.items():
            self._registry.activate(Activation(self._farm_id, self._stream_id, task, model_id))
        self._changed()


class SaveView(Command):
    """Stores the wall under a number key; undo restores what that key held before."""

    def __init__(self, view: WallView, views: ViewRepository) -> None:
        self.text = _tr("save view {0}").format(view.slot)
        self._view = view
        self._views = views
        self._replaced: list[WallView] = []

    def do(self) -> None:
        self._replaced = [v for v in self._views.list() if v.slot == self._view.slot]
        for view in self._replaced:
            self._views.remove(view.id)
        self._views.save(self._view)

    def undo(self) -> None:
        self._views.remove(self._view.id)
        for view in self._replaced:
            self._views.save(view)


class RemoveView(Command):
    """Forgets a saved view."""

    def __init__(self, view: WallView, views: ViewRepository) -> None:
        self.text = _tr("remove view {0}").format(view.name)
        self._view = view
        self._views = views

    @property
    def view_id(self) -> UUID:
        """Which view."""
        return self._view.id

    def do(self) -> None:
        self._views.remove(self._view.id)

    def undo(self) -> None:
        self._views.save(self._view)


class _Entry(QUndoCommand):
    """A command on Qt's stack; its first redo is the act itself, already done."""

    def __init__(self, command: Command, log: CommandLog) -> None:
        super().__init__(command.text)
        self._command = command
        self._log = log
        self._done_before = False

    @property
    def command(self) -> Command:
        """The act itself."""
        return self._command

    def redo(self) -> None:
        if self._done_before and not self._log.moving and not self.isObsolete():
            self._log.run_again(self, self._command.do, forward=True)
        self._done_before = True

    def undo(self) -> None:
        if not self._log.moving and not self.isObsolete():
            self._log.run_again(self, self._command.undo, forward=False)


class _LocalEntry(QUndoCommand):
    """An act on the window alone (arranging the wall), done at once on the UI thread."""

    def __init__(self, text: str, do: Callable[[], None], undo: Callable[[], None]) -> None:
        super().__init__(text)
        self._do = do
        self._undo = undo
        self._done_before = False

    def redo(self) -> None:
        if self._done_before:
            self._do()
        self._done_before = True

    def undo(self) -> None:
        self._undo()


@dataclass(frozen=True, slots=True)
class _Act:
    """The blocking part of a command with who hears of its end."""

    name: str
    work: Callable[[], None]
    done: Callable[[], None]
    failed: Callable[[BarnhandError], None]
    again: bool = False
    """An undo or redo: it rests on the ones asked for before it."""


class CommandLog(QObject):
    """Runs commands and keeps them for undo. ``done`` carries the text of a command performed,
    ``changed`` follows every act, undo and redo that succeeded; ``failed`` carries the error.

    Acts run one after the other in the order they were asked for: each reads the engine's cameras
    and writes them back, and an undo has to follow what it takes back. When the store is away an
    undo stays on the stack to be tried again; one that is refused leaves it.
    """

    done = Signal(str)
    changed = Signal()
    failed = Signal(object)

    def __init__(self, requests: RequestRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stack = QUndoStack(self)
        self._requests = requests
        self._waiting: deque[_Act] = deque()
        self._busy = False
        self.moving = False
        """True while the stack is put back to where it was, without doing anything."""

    @property
    def next_undo(self) -> Command | None:
        """What an undo would take back now; None for an act on the window alone, or nothing."""
        index = self.stack.index()
        entry = self.stack.command(index - 1) if index else None
        return entry.command if isinstance(entry, _Entry) else None

    def adopt(self, command: Command) -> None:
        """Remember a command that is done already, so that it can be taken back."""
        self.stack.push(_Entry(command, self))
        self.changed.emit()
        self.done.emit(command.text)

    def run(
        self,
        command: Command,
        done: Callable[[], None] | None = None,
        failed: Callable[[BarnhandError], None] | None = None,
    ) -> None:
        """Perform a command on a worker and remember it once it succeeded."""

        def succeeded() -> None:
            self.stack.push(_Entry(command, self))
            self.changed.emit()
            self.done.emit(command.text)
            if done is not None:
                done()

        self._enqueue(_Act(command.text, command.do, succeeded, failed or self.failed.emit))

    def remember(self, text: str, do: Callable[[], None], undo: Callable[[], None]) -> None:
        """Keep an act that was already done at once on the UI thread."""
        self.stack.push(_LocalEntry(text, do, undo))

    def run_again(self, entry: QUndoCommand, act: Callable[[], None], *, forward: bool) -> None:
        """Undo or redo on a worker; an act that is refused leaves the stack."""

        def failed(error: BarnhandError) -> None:
            self._waiting = deque(act for act in self._waiting if not act.again)
            if isValid(entry):  # the stack may have dropped it meanwhile
                if not isinstance(error, EnvironmentFault):
                    entry.setObsolete(True)
                self._move_back(entry, forward)
            self.failed.emit(error)

        self._enqueue(_Act(entry.text(), act, self.changed.emit, failed, again=True))

    def _move_back(self, entry: QUndoCommand, forward: bool) -> None:
        """Put the stack to before the act that failed: what followed it did not happen either."""
        place = next((i for i in range(self.stack.count()) if self.stack.command(i) is entry), None)
        if place is None:
            return
        self.moving = True
        try:
            self.stack.setIndex(place if forward else place + 1)
        finally:
            self.moving = False

    def _enqueue(self, act: _Act) -> None:
        if len(self._waiting) >= WAITING_AT_MOST:
            problem = self.tr("Too many changes are waiting.")
            act.failed(EnvironmentFault(problem, self.tr("Try again in a moment.")))
            return
        self._waiting.append(act)
        self._begin_next()

    def _begin_next(self) -> None:
        if self._busy or not self._waiting:
            return
        act = self._waiting.popleft()
        self._busy = True

        def succeeded(_nothing: None) -> None:
            self._busy = False
            self._begin_next()
            act.done()

        def failed(error: BarnhandError) -> None:
            self._busy = False
            self._begin_next()
            act.failed(error)

        self._requests.submit(act.name, act.work, succeeded, failed)
