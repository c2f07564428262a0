"""Puts what the engine sees and decides into the database, on a thread of its own, losing nothing.

Results are gathered for at most 250 ms and written as one batch. While the server is away batches
wait in the spool on disk and are sent in their order when it is back; batch ids keep them from
being written twice.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from db.delivery import Delivery, WriterState
from db.detection_store import DetectionStore
from db.pending import FULL_FRAMES, Beats, MotionTold, Pending, Told
from db.spool import DEFAULT_LIMIT_BYTES, Spool
from db.timeseries import RETENTION_DAYS
from db.trail import Trail
from engine.domain.identity import IdentityEvent
from engine.domain.ids import StreamId
from engine.domain.motion import MotionEvent
from engine.domain.notices import Notice
from engine.domain.ports import TrackSummary
from engine.domain.results import FrameResult
from engine.domain.streams import StreamHealth, StreamState, StreamStatusChanged
from engine.runtime.clock import utc_now
from engine.runtime.mailbox import Closed, Mailbox, Overflow
from engine.runtime.worker import StopToken, Worker

_MAILBOX_ITEMS = 4096
_RESCUED = 4096
"""What the full mailbox dropped and must not be lost; bounded like everything."""
_BEAT_EVERY_S = 30.0
"""So often it is noted that a camera gives pictures, for programs that end without a word."""


class _FlushRequest:
    """Travels through the mailbox behind everything that was there before it."""

    def __init__(self) -> None:
        self.done = threading.Event()


_Item = Told | _FlushRequest


class DetectionWriter:
    """An EngineSink that stores detections, tracks, identities, motion and cameras' states.

    ``spool_path`` is the SQLite file for store and forward. Detections are kept for ``keep_days``.
    ``on_notice`` hears of conditions (the server is away, the spool is full); it is called on the
    writer's thread and must return at once. Its mailbox drops the oldest results when the writer
    cannot keep up, and counts their rows; the tracks that began in them and everything else are
    rescued.
    """

    def __init__(
        self,
        dsn: str,
        spool_path: Path,
        on_notice: Callable[[Notice], None] | None = None,
        spool_limit_bytes: int = DEFAULT_LIMIT_BYTES,
        keep_days: int = RETENTION_DAYS,
    ) -> None:
        spool = Spool(spool_path, spool_limit_bytes)
        self._delivery = Delivery(DetectionStore(dsn), spool, on_notice, keep_days)
        self._mailbox: Mailbox[_Item] = Mailbox(
            "detection writer", _MAILBOX_ITEMS, Overflow.DROP_OLDEST
        )
        self._rescued: deque[Told] = deque(maxlen=_RESCUED)
        self._pending = Pending()
        self._trail = Trail()
        self._flushes: list[_FlushRequest] = []
        self._beats_mono_s: dict[StreamId, float] = {}
        self._worker = Worker("detection writer", self._run, restart_budget=1000)
        self._guard = Worker("detection writer guard", self._delivery.watch_line)

    # --- what fronts ask ---------------------------------------------------------------------

    @property
    def state(self) -> WriterState:
        """How writing goes."""
        return self._delivery.state

    @property
    def rows_written(self) -> int:
        """Detections in the database by this writer."""
        return self._delivery.rows_written

    @property
    def rows_dropped(self) -> int:
        """Detections that will never be stored."""
        return self._delivery.rows_dropped

    @property
    def rows_spooled(self) -> int:
        """Rows waiting in the spool now."""
        return self._delivery.spool.rows

    @property
    def spool_bytes(self) -> int:
        """Bytes of batches waiting in the spool now."""
        return self._delivery.spool.size_bytes

    @property
    def waiting(self) -> int:
        """Items waiting in the mailbox now."""
        return len(self._mailbox)

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
            self._delivery.store.hang_up()  # a frozen server: the last batch goes to the spool
        return tuple(
            worker.name
            for worker in (self._worker, self._guard)
            if not worker.join(end - time.monotonic())
        )

    # --- EngineSink --------------------------------------------------------------------------

    def on_result(self, result: FrameResult) -> None:
        """Queue a result's rows; a held one repeats rows that are stored already."""
        if not result.held:
            self._trail.mark()
            self._offer(result)

    def on_identity(self, event: IdentityEvent) -> None:
        """Queue a decision about an identity, behind the results that it came from."""
        self._offer(event)

    def on_motion(self, events: Sequence[MotionEvent]) -> None:
        """Queue bouts and strides."""
        if events:
            self._offer(MotionTold(tuple(events)))

    def on_track_closed(self, summary: TrackSummary) -> None:
        """Queue the end of a track."""
        self._offer(summary)

    def on_status(self, change: StreamStatusChanged) -> None:
        """Queue since when a camera gives pictures, or none."""
        self._beats_mono_s[change.stream_id] = time.monotonic()
        self._offer(change)

    def on_health(self, healths: Sequence[StreamHealth]) -> None:
        """Note twice a minute that cameras give pictures."""
        now, now_mono_s = utc_now(), time.monotonic()
        beats = {
            health.stream_id: now - timedelta(seconds=health.last_frame_age_s or 0.0)
            for health in healths
            if health.state is StreamState.ACTIVE
            and now_mono_s - self._beats_mono_s.get(health.stream_id, -_BEAT_EVERY_S)
            >= _BEAT_EVERY_S
        }
        if beats:
            self._beats_mono_s.update(dict.fromkeys(beats, now_mono_s))
            self._offer(Beats(beats))

    def on_notice(self, notice: Notice) -> None:
        """Not stored: alerts of them are raised by the watcher."""

    def _offer(self, item: _Item) -> None:
        lost: _Item | None
        try:
            lost = self._mailbox.put(item)
        except Closed:
            lost = item
        if isinstance(lost, FrameResult):
            self._delivery.count_dropped(len(lost.tracks))
        if isinstance(lost, _FlushRequest):
            self._offer(lost)  # back to the end: it waits a little longer than it must
        elif lost is not None:
            self._rescued.append(lost)

    # --- the writer's thread -----------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        self._delivery.open_spool()
        while True:
            try:
                items = self._mailbox.take(FULL_FRAMES, self._pending.wait_s)
            except Closed:
                break
            self._take_rescued()
            self._sort(items)
            if self._pending.due or self._flushes:
                self._send_pending()
            self._delivery.catch_up()
        self._take_rescued()
        self._send_pending()
        self._delivery.close()

    def _take_rescued(self) -> None:
        """What overflowed is older than what the mailbox holds now."""
        while self._rescued:
            self._pending.add_rescued(self._rescued.popleft())

    def _sort(self, items: Sequence[_Item]) -> None:
        for item in items:
            if isinstance(item, _FlushRequest):
                self._flushes.append(item)
            else:
                self._pending.add(item)

    def _send_pending(self) -> None:
        flushes, self._flushes = self._flushes, []
        waiting = self._pending.results
        try:
            batch = self._pending.take(self._delivery.store.known_tracks)
            if batch:
                with self._trail.follow(batch.row_count):
                    self._delivery.deliver(batch)
        except Exception:
            self._delivery.count_dropped(sum(len(result.tracks) for result in waiting))
            raise
        finally:
            for request in flushes:
                request.done.set()
