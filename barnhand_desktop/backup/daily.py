"""The thread of daily work: backups and housekeeping, in the console and in headless alike."""

from __future__ import annotations

from collections.abc import Callable

from psycopg_pool import ConnectionPool

from barnhand_desktop.backup.housekeeping import Housekeeping, tasks
from barnhand_desktop.backup.keeper import BackupKeeper
from barnhand_desktop.backup.schedule import last_due
from barnhand_desktop.backup.shelf import Shelf
from barnhand_desktop.installation import Installation
from barnhand_desktop.settings.schema import BackupSettings
from engine.domain.notices import Notice
from engine.domain.ports import Clock
from engine.runtime.clock import SystemClock
from engine.runtime.priority import step_back
from engine.runtime.worker import StopToken, Worker

START_REST_S = 180.0
"""A program that has just started has better things to do."""
LOOK_EVERY_S = 60.0


class DailyWork:
    """Looks every minute whether something is due. ``stop`` breaks a backup off, which leaves
    nothing half."""

    def __init__(
        self,
        keeper: BackupKeeper,
        housekeeping: Housekeeping,
        settings: BackupSettings,
        clock: Clock,
        *,
        start_rest_s: float = START_REST_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.keeper = keeper
        self._housekeeping = housekeeping
        self._settings = settings
        self._clock = clock
        self._start_rest_s = start_rest_s
        self._look_every_s = look_every_s
        self._worker = Worker("daily work", self._run, restart_budget=1000, restart_delay_s=60.0)

    def start(self) -> None:
        """Begin to look."""
        self._worker.start()

    def stop(self, deadline_s: float) -> tuple[str, ...]:
        """End; the name of the thread if it did not."""
        self._worker.ask_to_stop()
        return () if self._worker.join(deadline_s) else (self._worker.name,)

    def _run(self, token: StopToken) -> None:
        step_back()
        rest_s = self._start_rest_s
        while not token.wait(rest_s):
            rest_s = self._look_every_s
            # The backup first: what is cleared away was in it once more.
            self.keeper.look(lambda: token.stopping)
            now = self._clock.now()
            due = last_due(now, self._settings.hour)
            self._housekeeping.look(due, now, lambda: token.stopping)


def daily_work(
    place: Installation, dsn: str, pool: ConnectionPool, tell: Callable[[Notice], None]
) -> DailyWork:
    """The daily work of this program, not started yet."""
    settings, clock = place.settings, SystemClock()
    keeper = BackupKeeper(
        dsn,
        Shelf(place.folders.backups),
        lambda: settings.backup,
        tell,
        clock,
        shared=settings.database.mode == "shared",
    )
    todo = tasks(
        pool,
        place.folders.media,
        settings.storage.retention_days,
        settings.storage.exports_days,
    )
    return DailyWork(keeper, Housekeeping(dsn, pool, todo), settings.backup, clock)
