"""From the analysis thread to everyone who listens, and the console's short memory of results."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence

from engine.domain.identity import IdentityEvent
from engine.domain.ids import StreamId
from engine.domain.motion import MotionEvent
from engine.domain.notices import Notice
from engine.domain.ports import EngineSink, TrackSummary
from engine.domain.results import FrameResult
from engine.domain.streams import StreamHealth, StreamStatusChanged

log = logging.getLogger(__name__)

RESULTS_KEPT = 64
"""Results remembered per camera: more than 3 s at 15 analysed pictures a second."""


class FanOut:
    """Hands each product of the engine to every sink.

    Sinks promise not to block or raise; one that raises all the same is logged and the others
    still get theirs.
    """

    def __init__(self, sinks: Sequence[EngineSink]) -> None:
        self._sinks = tuple(sinks)
        self._results: dict[StreamId, deque[FrameResult]] = {}
        self._notices: dict[str, Notice] = {}
        self._lock = threading.Lock()
        self.failures = 0

    def on_result(self, result: FrameResult) -> None:
        """One analysed picture."""
        self.remember(result)
        self._tell("on_result", result)

    def remember(self, result: FrameResult) -> None:
        """A picture that another node analysed: for the console alone."""
        with self._lock:
            kept = self._results.setdefault(result.stamp.stream_id, deque(maxlen=RESULTS_KEPT))
            kept.append(result)

    def on_identity(self, event: IdentityEvent) -> None:
        """The engine decided something about an identity."""
        self._tell("on_identity", event)

    def on_motion(self, events: Sequence[MotionEvent]) -> None:
        """Bouts began, went on or ended; strides were made."""
        self._tell("on_motion", events)

    def on_track_closed(self, summary: TrackSummary) -> None:
        """One finished tracklet."""
        self._tell("on_track_closed", summary)

    def on_status(self, change: StreamStatusChanged) -> None:
        """A camera changed state."""
        self._tell("on_status", change)

    def on_health(self, healths: Sequence[StreamHealth]) -> None:
        """How all cameras are doing, about once a second."""
        self._tell("on_health", healths)

    def on_notice(self, notice: Notice) -> None:
        """A condition began or ended; repeated notices of a standing condition go no further."""
        with self._lock:
            before = self._notices.get(notice.key)
            if (before is not None) == notice.active and (
                before is None or before.message == notice.message
            ):
                return
            if notice.active:
                self._notices[notice.key] = notice
            else:
                del self._notices[notice.key]
        self._tell("on_notice", notice)

    def results(self, stream_id: StreamId) -> tuple[FrameResult, ...]:
        """The last results of a camera, oldest first."""
        with self._lock:
            return tuple(self._results.get(stream_id, ()))

    def notices(self) -> tuple[Notice, ...]:
        """The conditions that stand now."""
        with self._lock:
            return tuple(self._notices.values())

    def forget(self, stream_id: StreamId) -> None:
        """A camera was removed."""
        with self._lock:
            self._results.pop(stream_id, None)

    def _tell(self, name: str, value: object) -> None:
        for sink in self._sinks:
            try:
                getattr(sink, name)(value)
            except Exception:  # a broken listener must not stop the engine
                self.failures += 1
                log.exception("sink %s failed in %s", type(sink).__name__, name)
