"""Pictures waiting for analysis: one place per camera, the newest wins, fair between cameras."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict

from engine.domain.frames import AnalysisFrame
from engine.domain.ids import StreamId
from engine.runtime.mailbox import Closed


class AnalysisInbox:
    """A bounded meeting point of all capture threads with the analysis thread.

    A live camera's new picture replaces its waiting one, which counts as dropped. A recording that
    is read at any speed waits for its place instead and loses nothing.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[StreamId, AnalysisFrame] = OrderedDict()
        self._condition = threading.Condition()
        self._dropped: Counter[StreamId] = Counter()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def dropped(self, stream_id: StreamId) -> int:
        """Pictures of this camera that a newer one replaced."""
        return self._dropped[stream_id]

    @property
    def dropped_total(self) -> int:
        """Pictures of all cameras that newer ones replaced."""
        return self._dropped.total()

    def put(self, frame: AnalysisFrame, wait: bool) -> None:
        """Offer a picture; ``wait`` until the camera's place is free. Raises Closed."""
        stream_id = frame.stamp.stream_id
        with self._condition:
            if wait:
                self._condition.wait_for(lambda: self._closed or stream_id not in self._waiting)
            if self._closed:
                raise Closed("analysis inbox")
            if stream_id in self._waiting:
                self._dropped[stream_id] += 1
            self._waiting[stream_id] = frame
            self._condition.notify_all()

    def take(self, at_most: int, fill_s: float, timeout_s: float) -> list[AnalysisFrame]:
        """The pictures that have waited longest, at most one per camera.

        Waits ``timeout_s`` for the first and then ``fill_s`` for the batch to fill. Raises Closed.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._waiting, timeout_s)
            if self._waiting and len(self._waiting) < at_most and fill_s > 0:
                self._condition.wait_for(
                    lambda: self._closed or len(self._waiting) >= at_most, fill_s
                )
            if self._closed:
                raise Closed("analysis inbox")
            count = min(at_most, len(self._waiting))
            frames = [self._waiting.popitem(last=False)[1] for _ in range(count)]
            self._condition.notify_all()
            return frames

    def forget(self, stream_id: StreamId) -> None:
        """Throw away what waits for a removed camera and let its sender go on."""
        with self._condition:
            self._waiting.pop(stream_id, None)
            self._condition.notify_all()

    def close(self) -> None:
        """End: senders and the receiver get Closed."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._condition.notify_all()
