"""Blocking work asked for by the window: done on workers, answered on the UI thread.

A request captures its inputs when it is made and carries an id; an answer nobody waits for any
more (cancelled, or its page was closed) is dropped.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NewType, TypeVar

from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from engine.domain.errors import BarnhandError, Bug, EnvironmentFault
from engine.runtime.mailbox import Closed, Mailbox, Overflow
from engine.runtime.worker import StopToken, Worker, stop_all

log = logging.getLogger(__name__)

RequestId = NewType("RequestId", int)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    id: RequestId
    name: str
    work: Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Answer:
    id: RequestId
    value: object
    error: BarnhandError | None


@dataclass(frozen=True, slots=True)
class _Listener:
    done: Callable[[Any], None]
    failed: Callable[[BarnhandError], None] | None
    owner: QObject | None


class RequestRunner(QObject):
    """Runs requests on ``workers`` threads. At most 64 wait; a further one fails at once.

    ``failed_unheard`` carries the error of a request made without a ``failed`` callback.
    """

    failed_unheard = Signal(object)
    _answered = Signal(object)

    def __init__(self, parent: QObject | None = None, workers: int = 3) -> None:
        super().__init__(parent)
        self._ids = itertools.count(1)
        self._listeners: dict[RequestId, _Listener] = {}
        self._mailbox: Mailbox[_Request] = Mailbox("console.requests", 64, Overflow.REJECT)
        self._answered.connect(self._on_answered, Qt.ConnectionType.QueuedConnection)
        self._closed = False
        self._workers = [
            Worker(f"console.request.{number}", self._serve) for number in range(1, workers + 1)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def pending(self) -> int:
        """Requests whose answer is still awaited."""
        return len(self._listeners)

    def submit(
        self,
        name: str,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BarnhandError], None] | None = None,
        owner: QObject | None = None,
    ) -> RequestId:
        """Do ``work`` on a worker and call ``done`` or ``failed`` on the UI thread, later; not at
        all when ``owner`` was deleted meanwhile."""
        request = _Request(RequestId(next(self._ids)), name, work)
        self._listeners[request.id] = _Listener(done, failed, owner)
        try:
            refused = self._mailbox.put(request)
        except Closed:
            del self._listeners[request.id]
            return request.id
        if refused is not None:
            fault = EnvironmentFault("Too many requests are waiting.", "Try again in a moment.")
            self._answered.emit(_Answer(request.id, None, fault))
        return request.id

    def cancel(self, request_id: RequestId) -> None:
        """Forget a request: its answer is dropped. Unknown ids are ignored."""
        self._listeners.pop(request_id, None)

    def close(self, deadline_s: float = 2.0) -> tuple[str, ...]:
        """Drop what waits, stop the workers and name those that did not end in time."""
        self._closed = True
        self._listeners.clear()
        self._mailbox.close()
        return stop_all(self._workers, deadline_s)

    def _serve(self, token: StopToken) -> None:
        while not token.stopping:
            request = self._mailbox.get(timeout_s=0.5)
            if request is None or request.id not in self._listeners:
                continue
            answer = self._perform(request)
            if not self._closed:
                self._answered.emit(answer)

    @staticmethod
    def _perform(request: _Request) -> _Answer:
        try:
            return _Answer(request.id, request.work(), None)
        except BarnhandError as error:
            return _Answer(request.id, None, error)
        except Exception as error:  # worker loop: log and hand over as a bug
            log.exception("request %s failed", request.name)
            bug = Bug(f"{request.name} failed: {type(error).__name__}: {error}")
            bug.__cause__ = error
            return _Answer(request.id, None, bug)

    def _on_answered(self, answer: _Answer) -> None:
        listener = self._listeners.pop(answer.id, None)
        if listener is None or (listener.owner is not None and not isValid(listener.owner)):
            return
        if answer.error is None:
            listener.done(answer.value)
        elif listener.failed is not None:
            listener.failed(answer.error)
        else:
            self.failed_unheard.emit(answer.error)
