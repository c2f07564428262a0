"""The only place that makes threads: named workers with states, a restart budget and a join."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from weakref import WeakSet

from engine.domain.errors import EnvironmentFault
from engine.runtime.mailbox import Closed

log = logging.getLogger(__name__)

_running: WeakSet[Worker] = WeakSet()


class WorkerState(Enum):
    """NEW, RUNNING, RESTARTING (after a failure), STOPPED (orderly), FAILED (budget spent)."""

    NEW = "new"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"


class StopToken:
    """Tells a worker's body to end, and lets it rest interruptibly."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def stopping(self) -> bool:
        """True once a stop was asked for."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Rest up to ``seconds``; True if a stop was asked for meanwhile."""
        return self._event.wait(seconds)

    def stop(self) -> None:
        """Ask for the end."""
        self._event.set()


class Worker:
    """A named daemon thread that runs ``body(token)`` until it returns.

    A body that raises is logged, counted and run again after ``restart_delay_s``, at most
    ``restart_budget`` times within ``budget_window_s``; then the worker is FAILED and
    ``on_failed`` is told. Raising ``Closed`` (its mailbox was closed) is an orderly end.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[StopToken], None],
        *,
        restart_budget: int = 5,
        budget_window_s: float = 60.0,
        restart_delay_s: float = 0.5,
        on_failed: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self.name = name
        self._body = body
        self._budget = restart_budget
        self._window_s = budget_window_s
        self._delay_s = restart_delay_s
        self._on_failed = on_failed
        self._failures: deque[float] = deque()
        self._token = StopToken()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.state = WorkerState.NEW
        self.failures = 0
        self.last_error: BaseException | None = None

    @property
    def alive(self) -> bool:
        """True while the thread exists."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; a worker starts once."""
        _running.add(self)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Set the stop token; returns at once."""
        self._token.stop()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; True if the thread is gone."""
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._token.stopping:
            self.state = WorkerState.RUNNING
            try:
                self._body(self._token)
                break
            except Closed:
                break
            except Exception as error:  # worker loop: log, count, change state
                if not self._may_restart(error):
                    return
        self.state = WorkerState.STOPPED

    def _may_restart(self, error: Exception) -> bool:
        self.failures += 1
        self.last_error = error
        if isinstance(error, EnvironmentFault):
            log.warning("worker %s: %s", self.name, error)
        else:
            log.exception("worker %s failed", self.name)
        now = time.monotonic()
        self._failures.append(now)
        while self._failures and now - self._failures[0] > self._window_s:
            self._failures.popleft()
        if len(self._failures) > self._budget:
            self.state = WorkerState.FAILED
            if self._on_failed is not None:
                self._on_failed(self.name, error)
            return False
        self.state = WorkerState.RESTARTING
        self._token.wait(self._delay_s)
        return True


def stop_all(workers: Sequence[Worker], deadline_s: float) -> tuple[str, ...]:
    """Ask every worker to stop, in order, join them by one deadline, and name the survivors."""
    for worker in workers:
        worker.ask_to_stop()
    end = time.monotonic() + deadline_s
    return tuple(w.name for w in workers if not w.join(end - time.monotonic()))


def still_running() -> tuple[str, ...]:
    """Names of all workers whose threads have not ended."""
    return tuple(sorted(worker.name for worker in list(_running) if worker.alive))
