"""Watches the embedded servers and starts a dead one again, on the same port, within 2 s."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Protocol

from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake
from engine.runtime.worker import StopToken, Worker, stop_all

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25
_BUDGET = 5
_BUDGET_WINDOW_S = 60.0
_SPENT_REST_S = 30.0
_STOP_AT_MOST_S = 30.0
_TURN_S = 10.0


class ManagedServer(Protocol):
    """A server this process starts: EmbeddedPostgres, EmbeddedValkey, the API child."""

    @property
    def name(self) -> str: ...

    def start(self) -> str: ...

    def stop(self) -> None: ...

    def alive(self) -> bool: ...


class ServerState(StrEnum):
    """RUNNING. RESTARTING: died, being started again. FAILED: the restart budget is spent, tried
    again every 30 s. STOPPED: in order."""

    RUNNING = "running"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """How one server is doing; ``reason`` says why it is not running."""

    name: str
    state: ServerState
    reason: str = ""
    restarts: int = 0


class ServerSupervisor:
    """Keeps started servers running.

    ``servers`` were started by the caller, in order of need. Each is watched by a thread of its
    own, so that one that takes long to start (a database recovering) keeps none of the others
    waiting; ``on_change`` is called there with every new status and must return soon. At most 5
    restarts of a server a minute; after that it is FAILED and tried every 30 s, so that a cleared
    disk heals it.
    """

    def __init__(
        self, servers: Sequence[ManagedServer], on_change: Callable[[ServerStatus], None]
    ) -> None:
        self._servers = tuple(servers)
        self._on_change = on_change
        self._watched = {server.name: _Watched(server) for server in servers}
        self._stopping = False
        self._workers = tuple(
            Worker(f"watch {name}", partial(self._watch, watched))
            for name, watched in self._watched.items()
        )

    def start(self) -> None:
        """Begin to watch."""
        for worker in self._workers:
            worker.start()

    def status(self) -> tuple[ServerStatus, ...]:
        """Every server's status, from any thread."""
        return tuple(watched.status for watched in self._watched.values())

    def restart(self, name: str, between: Callable[[], None] = lambda: None) -> None:
        """Stop one server in order, call ``between``, and start it; blocks until it answers.

        The watch waits meanwhile, and no restart is counted. Raises EnvironmentFault or
        OperatorMistake when it does not start again (it is then tried again like any other), and
        EnvironmentFault once ``stop`` has begun or for a server that is not watched here.
        """
        watched = self._watched.get(name)
        if watched is None:
            raise EnvironmentFault(f"{name} is not run by this program.")
        with watched.turn:
            if self._stopping:
                raise EnvironmentFault("The program is being closed.")
            watched.server.stop()
            between()
            watched.starts.clear()
            try:
                watched.server.start()
            except BarnhandError as error:
                self._not_started(watched, error, time.monotonic())
                raise
            self._tell(watched, ServerState.RUNNING, "")

    def stop(self, deadline_s: float = 10.0) -> None:
        """Stop watching, then stop the servers, all at once so that it takes as long as one."""
        self._stopping = True
        if late := stop_all(self._workers, deadline_s):
            log.warning("did not end in %.0f s: %s", deadline_s, ", ".join(late))
        stopping = [
            Worker(f"stop {server.name}", partial(self._stop, server), restart_budget=0)
            for server in self._servers
        ]
        for worker in stopping:
            worker.start()
        for worker in stopping:
            worker.join(_STOP_AT_MOST_S)

    def _stop(self, server: ManagedServer, _token: StopToken) -> None:
        watched = self._watched[server.name]
        held = watched.turn.acquire(timeout=_TURN_S)  # a start that hangs is stopped all the same
        try:
            server.stop()
        finally:
            if held:
                watched.turn.release()
        self._tell(watched, ServerState.STOPPED, "")

    def _watch(self, watched: _Watched, token: StopToken) -> None:
        while not token.wait(_LOOK_EVERY_S):
            with watched.turn:
                if not self._stopping:
                    self._look_at(watched, time.monotonic())

    def _look_at(self, watched: _Watched, now_mono_s: float) -> None:
        if watched.server.alive():
            if watched.status.state is not ServerState.RUNNING:
                self._tell(watched, ServerState.RUNNING, "")
            return
        if now_mono_s < watched.not_before_mono_s:
            return
        if not watched.may_start(now_mono_s):
            watched.not_before_mono_s = now_mono_s + _SPENT_REST_S
            watched.starts.clear()
            self._tell(
                watched,
                ServerState.FAILED,
                watched.status.reason or f"It ended {_BUDGET} times within a minute.",
            )
            return
        if watched.status.state is ServerState.RUNNING:
            log.warning("%s ended; starting it again", watched.server.name)
            self._tell(watched, ServerState.RESTARTING, "The server process ended.")
        self._start_again(watched, now_mono_s)

    def _start_again(self, watched: _Watched, now_mono_s: float) -> None:
        try:
            watched.server.start()
        except BarnhandError as error:
            self._not_started(watched, error, now_mono_s)
            return
        watched.status = replace(watched.status, restarts=watched.status.restarts + 1)
        self._tell(watched, ServerState.RUNNING, "")

    def _not_started(self, watched: _Watched, error: BarnhandError, now_mono_s: float) -> None:
        log.error("%s did not start: %s", watched.server.name, error)
        mistaken = isinstance(error, OperatorMistake)
        rest_s = _SPENT_REST_S if mistaken else 0.5 * len(watched.starts)
        watched.not_before_mono_s = now_mono_s + rest_s
        state = ServerState.FAILED if mistaken else ServerState.RESTARTING
        self._tell(watched, state, str(error))

    def _tell(self, watched: _Watched, state: ServerState, reason: str) -> None:
        status = replace(watched.status, state=state, reason=reason)
        if status == watched.told:
            return
        watched.status = watched.told = status
        self._on_change(status)


class _Watched:
    def __init__(self, server: ManagedServer) -> None:
        self.server = server
        self.status = ServerStatus(server.name, ServerState.RUNNING)
        self.told: ServerStatus | None = None
        self.starts: deque[float] = deque()
        self.not_before_mono_s = 0.0
        self.turn = threading.Lock()
        """Held by whoever starts or stops the server."""

    def may_start(self, now_mono_s: float) -> bool:
        while self.starts and now_mono_s - self.starts[0] > _BUDGET_WINDOW_S:
            self.starts.popleft()
        if len(self.starts) >= _BUDGET:
            return False
        self.starts.append(now_mono_s)
        return True
