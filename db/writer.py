"""Puts what the engine sees and decides into the database, on a thread of its own, losing nothing.

Results are gathered for at most 250 ms and written as one batch. While the server is away batches
wait in the spool on disk and are sent in their order when it is back; batch ids keep them from
being written twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from db.batches import WriteBatch, build_batch
from db.detection_store import DetectionStore
from db.spool import DEFAULT_LIMIT_BYTES, Spool
from db.timeseries import maintain
from engine.domain.errors import BarnhandError, EnvironmentFault, StoreUnavailable
from engine.domain.identity import IdentityEvent
from engine.domain.motion import MotionEvent
from engine.domain.notices import Notice, Severity
from engine.domain.ports import TrackSummary
from engine.domain.results import FrameResult
from engine.domain.streams import StreamHealth, StreamStatusChanged
from engine.runtime.mailbox import Closed, Mailbox, Overflow
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

INTERVAL_S = 0.25
_BATCH_FRAMES = 1024
_MAILBOX_FRAMES = 4096
_RESCUED = 4096
"""What the full mailbox dropped and must not be lost; bounded like everything."""
_RETRY_FROM_S = 0.2
_RETRY_TO_S = 2.0
_REPLAY_SLICE_S = 0.2
_FROZEN_AFTER_S = 20.0
_MAINTAIN_EVERY_S = 3600.0
_MAINTAIN_RETRY_S = 60.0

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


class _FlushRequest:
    """Travels through the mailbox behind everything that was there before it."""

    def __init__(self) -> None:
        self.done = threading.Event()


_Item = FrameResult | TrackSummary | IdentityEvent | _FlushRequest


class DetectionWriter:
    """An EngineSink that stores detections, tracks and identities.

    ``spool_path`` is the SQLite file for store and forward. ``on_notice`` hears of conditions (the
    server is away, the spool is full); it is called on the writer's thread and must return at once.
    Its mailbox drops the oldest results when the writer cannot keep up, and counts their rows; the
    tracks that began in them, finished tracks and identities are rescued.
    """

    def __init__(
        self,
        dsn: str,
        spool_path: Path,
        on_notice: Callable[[Notice], None] | None = None,
        spool_limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ) -> None:
        self._store = DetectionStore(dsn)
        self._spool = Spool(spool_path, spool_limit_bytes)
        self._on_notice = on_notice
        self._mailbox: Mailbox[_Item] = Mailbox(
            "detection writer", _MAILBOX_FRAMES, Overflow.DROP_OLDEST
        )
        self._rescued: deque[FrameResult | TrackSummary | IdentityEvent] = deque(maxlen=_RESCUED)
        self._results: list[FrameResult] = []
        self._lost: list[FrameResult] = []
        self._summaries: list[TrackSummary] = []
        self._events: list[IdentityEvent] = []
        self._flushes: list[_FlushRequest] = []
        self._due_mono_s: float | None = None
        self._next_try_mono_s = 0.0
        self._retry_s = _RETRY_FROM_S
        self._maintain_mono_s = 0.0
        self._busy_since_mono_s: float | None = None
        self._raised: set[str] = set()
        self._spool_open = False
        self._count_lock = threading.Lock()
        self._worker = Worker("detection writer", self._run, restart_budget=1000)
        self._guard = Worker("detection writer guard", self._watch_line)
        self.state = WriterState.STARTING
        self.rows_written = 0
        self.rows_dropped = 0

    # --- what fronts ask ---------------------------------------------------------------------

    @property
    def rows_spooled(self) -> int:
        """Rows waiting in the spool now."""
        return self._spool.rows

    @property
    def spool_bytes(self) -> int:
        """Bytes of batches waiting in the spool now."""
        return self._spool.size_bytes

    def start(self) -> None:
        """Start the writer's threads; a server that is away is tried until it answers."""
        self._worker.start()
        self._guard.start()

    def flush(self, deadline_s: float) -> bool:
        """Wait until everything handed over so far is in the database or the spool."""
        request = _FlushRequest()
        try:
            self._mailbox.put(request)
        except Closed:
            return not self._worker.alive
        return request.done.wait(deadline_s)

    def stop(self, deadline_s: float = 5.0) -> tuple[str, ...]:
        """Write what is left (or spool it) and end; names of threads that did not."""
        self._mailbox.close()
        self._guard.ask_to_stop()
        end = time.monotonic() + deadline_s
        if not self._worker.join(deadline_s * 0.6):
            self._store.hang_up()  # the server is frozen: the last batch goes to the spool
        return tuple(
            worker.name
            for worker in (self._worker, self._guard)
            if not worker.join(end - time.monotonic())
        )

    # --- EngineSink --------------------------------------------------------------------------

    def on_result(self, result: FrameResult) -> None:
        """Queue a result's rows; a held one repeats rows that are stored already."""
        if not result.held:
            self._offer(result)

    def on_identity(self, event: IdentityEvent) -> None:
        """Queue a decision about an identity, behind the results that it came from."""
        self._offer(event)

    def on_motion(self, events: Sequence[MotionEvent]) -> None:
        """Not used here."""

    def on_track_closed(self, summary: TrackSummary) -> None:
        """Queue the end of a track."""
        self._offer(summary)

    def on_status(self, change: StreamStatusChanged) -> None:
        """Not stored."""

    def on_health(self, healths: Sequence[StreamHealth]) -> None:
        """Not stored."""

    def on_notice(self, notice: Notice) -> None:
        """Not stored yet."""

    def _offer(self, item: _Item) -> None:
        lost: _Item | None
        try:
            lost = self._mailbox.put(item)
        except Closed:
            lost = item
        if isinstance(lost, FrameResult):
            self._count_dropped(len(lost.tracks))
        if isinstance(lost, _FlushRequest):
            self._offer(lost)  # back to the end: it waits a little longer than it must
        elif lost is not None:
            self._rescued.append(lost)

    def _count_dropped(self, rows: int) -> None:
        with self._count_lock:
            self.rows_dropped += rows

    # --- the writer's thread -----------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        self._open_spool()
        while True:
            try:
                items = self._mailbox.take(_BATCH_FRAMES, self._wait_s())
            except Closed:
                break
            self._take_rescued()
            self._sort(items)
            now = time.monotonic()
            full = len(self._results) >= _BATCH_FRAMES
            if full or self._flushes or (self._due_mono_s is not None and now >= self._due_mono_s):
                self._send_pending()
            self._catch_up()
        self._finish()

    def _wait_s(self) -> float:
        if self._due_mono_s is None:
            return INTERVAL_S
        return max(self._due_mono_s - time.monotonic(), 0.0)

    def _take_rescued(self) -> None:
        """What overflowed is older than what the mailbox holds now."""
        while self._rescued:
            item = self._rescued.popleft()
            if isinstance(item, FrameResult):
                self._lost.append(item)
            else:
                self._sort([item])

    def _sort(self, items: Sequence[_Item]) -> None:
        for item in items:
            if isinstance(item, FrameResult):
                self._results.append(item)
            elif isinstance(item, TrackSummary):
                self._summaries.append(item)
            elif isinstance(item, _FlushRequest):
                self._flushes.append(item)
            else:
                self._events.append(item)
        waiting = self._results or self._summaries or self._events
        if waiting and self._due_mono_s is None:
            self._due_mono_s = time.monotonic() + INTERVAL_S

    def _send_pending(self) -> None:
        results, self._results = self._results, []
        summaries, self._summaries = self._summaries, []
        events, self._events = self._events, []
        lost, self._lost = self._lost, []
        flushes, self._flushes = self._flushes, []
        self._due_mono_s = None
        try:
            if results or summaries or events or lost:
                known = self._store.known_tracks
                batch = build_batch(results, summaries, known, events, lost)
                if batch.row_count or batch.tracks or batch.identity:
                    self._deliver(batch)
        except Exception:
            self._count_dropped(sum(len(result.tracks) for result in results))
            raise
        finally:
            for request in flushes:
                request.done.set()

    def _deliver(self, batch: WriteBatch) -> None:
        """To the database, or behind the batches that wait already."""
        if self._spool.batches or time.monotonic() < self._next_try_mono_s:
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
        self._busy_since_mono_s = time.monotonic()
        try:
            report = self._store.write(batch)
        finally:
            self._busy_since_mono_s = None
        # A repeated batch was written by a call whose answer was lost.
        self.rows_written += batch.row_count if report.repeated else report.rows
        self._count_dropped(report.refused)
        self._server_answers()

    def _catch_up(self) -> None:
        """Connect, send what waits in the spool and tidy up, a slice at a time."""
        now = time.monotonic()
        if now < self._next_try_mono_s:
            return
        try:
            if not self._store.connected:
                self._store.connect()
            if self._spool.batches:
                self._replay(now + _REPLAY_SLICE_S)
            self._server_answers()
        except StoreUnavailable as error:
            self._server_went(error)
            return
        if now >= self._maintain_mono_s:
            self._maintain(now)

    def _maintain(self, now_mono_s: float) -> None:
        self._maintain_mono_s = now_mono_s + _MAINTAIN_EVERY_S
        try:
            maintain(self._store.session, datetime.now(UTC))
        except BarnhandError as error:
            # Not urgent: the default partition takes the rows meanwhile.
            log.warning("the detections table was not tidied: %s", error)
            self._maintain_mono_s = now_mono_s + _MAINTAIN_RETRY_S

    def _replay(self, until_mono_s: float) -> None:
        while time.monotonic() < until_mono_s:
            batch = self._spool.oldest()
            if batch is None:
                return
            try:
                self._write(batch)
            except StoreUnavailable:
                raise
            except BarnhandError as error:
                self._refuse(batch, error)
                continue
            self._spool.remove(batch.id)

    def _server_answers(self) -> None:
        self._retry_s = _RETRY_FROM_S
        self._next_try_mono_s = 0.0
        self.state = WriterState.REPLAYING if self._spool.batches else WriterState.OK
        self._clear(STORE_AWAY, "The database answers again.")

    def _server_went(self, error: StoreUnavailable) -> None:
        self._store.close()
        self._next_try_mono_s = time.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2.0, _RETRY_TO_S)
        if self.state is not WriterState.LOSING:
            self.state = WriterState.SPOOLING
        self._raise(STORE_AWAY, Severity.WARNING, error.message, "Rows wait on disk meanwhile.")

    def _keep(self, batch: WriteBatch) -> bool:
        """Put the batch into the spool; what does not fit is counted and said. True if it is in."""
        try:
            self._open_spool()
            if not self._spool_open:
                raise EnvironmentFault("The spool is not open.")
            report = self._spool.put(batch)
        except EnvironmentFault as error:
            self.state = WriterState.LOSING
            self._count_dropped(batch.row_count)
            self._raise(SPOOL_FAULT, Severity.CRITICAL, error.message, error.advice)
            return False
        if self.state is WriterState.LOSING:
            self.state = WriterState.SPOOLING
        self._clear(SPOOL_FAULT, "The spool takes rows again.")
        if report.rows_dropped:
            self._count_dropped(report.rows_dropped)
            self._raise(
                SPOOL_FULL,
                Severity.CRITICAL,
                "The spool is full: the oldest detections are being given up.",
                "Bring the database back, or free its disk.",
            )
        elif not self._spool.rows:
            self._clear(SPOOL_FULL, "The spool has room again.")
        return True

    def _refuse(self, batch: WriteBatch, error: BarnhandError) -> None:
        """Put a batch the server will never take aside, so that it does not stop the others."""
        log.error("batch %s was refused: %s", batch.id, error)
        self._count_dropped(batch.row_count)
        if self._spool_open:
            self._spool.refuse(batch.id, str(error))
        self._raise(
            STORE_REFUSED,
            Severity.CRITICAL,
            f"The database refused detections: {error.message}",
            "They are kept beside the spool; please report this.",
        )

    def _open_spool(self) -> None:
        if self._spool_open:
            return
        try:
            self._spool.open()
            self._spool_open = True
        except EnvironmentFault as error:
            self._raise(SPOOL_FAULT, Severity.CRITICAL, error.message, error.advice)

    def _finish(self) -> None:
        self._take_rescued()
        self._send_pending()
        self._store.close()
        self._spool.close()
        self._spool_open = False
        self.state = WriterState.STOPPED

    def _watch_line(self, token: StopToken) -> None:
        """Break a write that hangs: a frozen server must not hold the writer."""
        while not token.wait(0.5):
            since = self._busy_since_mono_s
            if since is not None and time.monotonic() - since > _FROZEN_AFTER_S:
                log.warning("the database did not answer for %.0f s; hanging up", _FROZEN_AFTER_S)
                self._store.hang_up()

    # --- notices -----------------------------------------------------------------------------

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
