"""Tells the other processes this node's figures, every two seconds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from barnhand_desktop.telemetry.catalogue import Figures
from barnhand_desktop.telemetry.document import encode
from db.live.node_figures import NodeFigures
from engine.domain.errors import BarnhandError
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

REPORT_EVERY_S = 2.0


class NodeReporter:
    """A thread that gathers the figures of the process ``name`` and publishes them. Others must
    not wait for it: while the live-state server is away it only tries again.

    ``alive`` is a file that is touched each time while no part of the engine has failed for good:
    what a container's probe looks at.
    """

    def __init__(self, name: str, live_url: str, read: Callable[[], Figures], alive: Path) -> None:
        self.name = name
        self._alive = alive
        self._store = NodeFigures(live_url)
        self._read = read
        self._away = False
        self._worker = Worker("node figures", self._run, restart_budget=1000)
        self.newest: Figures = {}

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def stop(self, deadline_s: float = 3.0) -> tuple[str, ...]:
        """Withdraw the figures and end; the name of the thread if it did not."""
        self._worker.ask_to_stop()
        return () if self._worker.join(deadline_s) else (self._worker.name,)

    def _run(self, token: StopToken) -> None:
        self._tell()
        while not token.wait(REPORT_EVERY_S):
            self._tell()
        self._withdraw()

    def _tell(self) -> None:
        self.newest = self._read()
        if not any(self.newest.get("barnhand_failed_workers", {}).values()):
            self._touch()
        try:
            self._store.write(self.name, encode(self.newest))
        except BarnhandError as error:
            if not self._away:
                log.info("this node's figures are not published: %s", error)
            self._away = True
        else:
            self._away = False

    def _touch(self) -> None:
        try:
            self._alive.touch()
        except OSError as error:
            log.debug("%s cannot be touched: %s", self._alive, type(error).__name__)

    def _withdraw(self) -> None:
        try:
            self._alive.unlink(missing_ok=True)
            if not self._away:
                self._store.withdraw(self.name)
        except (BarnhandError, OSError) as error:
            log.debug("the figures live out their time: %s", error)
        finally:
            self._store.close()
