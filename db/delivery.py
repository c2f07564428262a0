"""Brings batches into the database, through the spool on disk while the server is away.

Used by the writer's thread; ``watch_line`` runs on a thread of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

from db.batches import WriteBatch
from db.day_sums import DaySums
from db.detection_store import DetectionStore
from db.spool import Spool
from db.timeseries import RETENTION_DAYS, maintain
from engine.domain.errors import BarnhandError, EnvironmentFault, StoreUnavailable
from engine.domain.notices import Notice, Severity
from engine.runtime.worker import StopToken

log = logging.getLogger(__name__)

_RETRY_FROM_S = 0.2
_RETRY_TO_S = 2.0
_REPLAY_SLICE_S = 0.2
_FROZEN_AFTER_S = 20.0
_MAINTAIN_EVERY_S = 3600.0
_MAINTAIN_RETRY_S = 60.0
_SUM_SLICE_S = 0.5
_SUM_PAUSE_S = 10.0

STORE_AWAY = "store.away"
SPOOL_FULL = "store.spool_full"
SPOOL_FAULT = "store.spool_fault"
STORE_REFUSED = "store.refused"


class WriterState(StrEnum):
    """STARTING: no connection yet. OK. SPOOLING: the server is away. REPLAYING: it is back and the
    spool is being sent. LOSING: neither server nor spool take rows. STOPPED."""

    STARTING = "starting"
    OK = "ok"
    SPOOLING = "spooling"
    REPLAYING = "replaying"
    LOSING = "losing"
    STOPPED = "stopped"


class Delivery:
    """One way of batches: the store when it answers, else the spool, in their order.

    ``on_notice`` hears of conditions (the server is away, the spool is full).
    """

    def __init__(
        self,
        store: DetectionStore,
        spool: Spool,
        on_notice: Callable[[Notice], None] | None,
        keep_days: int = RETENTION_DAYS,
    ) -> None:
        self.store = store
        self.spool = spool
        self._on_notice = on_notice
        self._keep_days = keep_days
        self._sums = DaySums(store.transaction)
        self._sums_mono_s = 0.0
        self._next_try_mono_s = 0.0
        self._retry_s = _RETRY_FROM_S
        self._maintain_mono_s = 0.0
        self._busy_since_mono_s: float | None = None
        self._raised: set[str] = set()
        self._spool_open = False
        self._count_lock = threading.Lock()
        self.state = WriterState.STARTING
        self.rows_written = 0
        self.rows_dropped = 0

    def count_dropped(self, rows: int) -> None:
        """Rows that will never be stored; from any thread."""
        with self._count_lock:
            self.rows_dropped += rows

    # --- batches -------------------------------------------------------------------------------

    def deliver(self, batch: WriteBatch) -> None:
        """To the database, or behind the batches that wait already."""
        if self.spool.batches or time.monotonic() < self._next_try_mono_s:
            self._keep(batch)
            return
        try:
            self._write(batch)
        except StoreUnavailable as error:
            self._server_went(error)
            self._keep(batch)
        except BarnhandError as error:
            if self._keep(batch):
                self._refuse(batch, error)

    def _write(self, batch: WriteBatch) -> None:
        with self._watched():
            report = self.store.write(batch)
        # A repeated batch was written by a call whose answer was lost.
        self.rows_written += batch.row_count if report.repeated else report.rows
        self.count_dropped(report.refused)
        self._server_answers()

    def catch_up(self) -> None:
        """Connect, send what waits in the spool and tidy up, a slice at a time."""
        now = time.monotonic()
        if now < self._next_try_mono_s:
            return
        try:
            if not self.store.connected:
                self.store.connect()
            if self.spool.batches:
                self._replay(now + _REPLAY_SLICE_S)
            self._server_answers()
        except StoreUnavailable as error:
            self._server_went(error)
            return
        if now >= self._maintain_mono_s:
            self._maintain(now)
        elif now >= self._sums_mono_s and not self.spool.batches:
            self._sum_up(now)

    def _maintain(self, now_mono_s: float) -> None:
        self._maintain_mono_s = now_mono_s + _MAINTAIN_EVERY_S
        self._sums_mono_s = 0.0
        try:
            with self._watched():
                maintain(self.store.session, datetime.now(UTC), self._keep_days)
        except BarnhandError as error:
            # Not urgent: the default partition takes the rows meanwhile.
            log.warning("the detections table was not tidied: %s", error)
            self._maintain_mono_s = now_mono_s + _MAINTAIN_RETRY_S

    def _sum_up(self, now_mono_s: float) -> None:
        """Sums of past days, a slice at a time until none is missing."""
        self._sums_mono_s = now_mono_s + _SUM_PAUSE_S
        try:
            with self._watched():
                done = self._sums.fill(datetime.now(UTC), self._keep_days, _SUM_SLICE_S)
            if done:
                self._sums_mono_s = now_mono_s + _MAINTAIN_EVERY_S
        except BarnhandError as error:
            # Not urgent: whoever asks makes them.
            log.info("the sums of days were not made: %s", error)

    def _replay(self, until_mono_s: float) -> None:
        while time.monotonic() < until_mono_s:
            batch = self.spool.oldest()
            if batch is None:
                return
            try:
                self._write(batch)
            except StoreUnavailable:
                raise
            except BarnhandError as error:
                self._refuse(batch, error)
                continue
            self.spool.remove(batch.id)

    def _server_answers(self) -> None:
        self._retry_s = _RETRY_FROM_S
        self._next_try_mono_s = 0.0
        self.state = WriterState.REPLAYING if self.spool.batches else WriterState.OK
        self._clear(STORE_AWAY, "The database answers again.")

    def _server_went(self, error: StoreUnavailable) -> None:
        self.store.close()
        self._next_try_mono_s = time.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2.0, _RETRY_TO_S)
        if self.state is not WriterState.LOSING:
            self.state = WriterState.SPOOLING
        self._raise(STORE_AWAY, Severity.WARNING, error.message, "Rows wait on disk meanwhile.")

    # --- the spool -----------------------------------------------------------------------------

    def open_spool(self) -> None:
        """Open the spool's file; what is wrong with it is said."""
        if self._spool_open:
            return
        try:
            self.spool.open()
            self._spool_open = True
        except EnvironmentFault as error:
            self._raise(SPOOL_FAULT, Severity.CRITICAL, error.message, error.advice)

    def _keep(self, batch: WriteBatch) -> bool:
        """Put the batch into the spool; what does not fit is counted and said. True if it is in."""
        try:
            self.open_spool()
            if not self._spool_open:
                raise EnvironmentFault("The spool is not open.")
            report = self.spool.put(batch)
        except EnvironmentFault as error:
            self.state = WriterState.LOSING
            self.count_dropped(batch.row_count)
            self._raise(SPOOL_FAULT, Severity.CRITICAL, error.message, error.advice)
            return False
        if self.state is WriterState.LOSING:
            self.state = WriterState.SPOOLING
        self._clear(SPOOL_FAULT, "The spool takes rows again.")
        if report.rows_dropped:
            self.count_dropped(report.rows_dropped)
            self._raise(
                SPOOL_FULL,
                Severity.CRITICAL,
                "The spool is full: the oldest detections are being given up.",
                "Bring the database back, or free its disk.",
            )
        elif not self.spool.rows:
            self._clear(SPOOL_FULL, "The spool has room again.")
        return True

    def _refuse(self, batch: WriteBatch, error: BarnhandError) -> None:
        """Put a batch the server will never take aside, so that it does not stop the others."""
        log.error("batch %s was refused: %s", batch.id, error)
        self.count_dropped(batch.row_count)
        if self._spool_open:
            self.spool.refuse(batch.id, str(error))
        self._raise(
            STORE_REFUSED,
            Severity.CRITICAL,
            f"The database refused detections: {error.message}",
            "They are kept beside the spool; please report this.",
        )

    def close(self) -> None:
        """End: nothing is delivered after this."""
        self.store.close()
        self.spool.close()
        self._spool_open = False
        self.state = WriterState.STOPPED

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """What the server must not hold for ever."""
        self._busy_since_mono_s = time.monotonic()
        try:
            yield
        finally:
            self._busy_since_mono_s = None

    def watch_line(self, token: StopToken) -> None:
        """Break a statement that hangs: a frozen server must not hold the writer."""
        while not token.wait(0.5):
            since = self._busy_since_mono_s
            if since is not None and time.monotonic() - since > _FROZEN_AFTER_S:
                log.warning("the database did not answer for %.0f s; hanging up", _FROZEN_AFTER_S)
                self.store.hang_up()

    # --- notices -------------------------------------------------------------------------------

    def _raise(self, key: str, severity: Severity, message: str, advice: str) -> None:
        if key in self._raised:
            return
        self._raised.add(key)
        log.warning("%s %s", message, advice)
        self._tell(Notice(key, severity, message, advice, datetime.now(UTC)))

    def _clear(self, key: str, message: str) -> None:
        if key not in self._raised:
            return
        self._raised.discard(key)
        log.info("%s", message)
        self._tell(Notice(key, Severity.INFO, message, "", datetime.now(UTC), active=False))

    def _tell(self, notice: Notice) -> None:
        if self._on_notice is not None:
            self._on_notice(notice)
