"""Pictures from the engine, a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from barnhand_desktop.api.problems import Problem
from engine.domain.errors import EnvironmentFault
from engine.domain.ids import StreamId

_AT_ONCE = 8
_ANSWER_S = 3.0

RequestSnapshot = Callable[[StreamId, bool, float], bytes | None]
"""Asks the engine for a JPEG (stream, overlays, seconds to wait); None when it did not answer."""


class Snapshots:
    """Takes snapshots; at most eight wait at a time, so that they cannot use up every thread."""

    def __init__(self, request: RequestSnapshot) -> None:
        self._request = request
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def take(self, stream_id: StreamId, overlays: bool) -> bytes:
        """The JPEG; Problem 503 when there is no picture or nobody to make one."""
        if not self._slots.acquire(blocking=False):
            raise Problem(503, "busy", "Too many snapshots are being taken.")
        try:
            jpeg = self._request(stream_id, overlays, _ANSWER_S)
        except EnvironmentFault as error:
            raise Problem(503, "engine_unreachable", "The engine cannot be reached now.") from error
        finally:
            self._slots.release()
        if not jpeg:
            raise Problem(503, "snapshot_unavailable", "The stream has no picture now.")
        return jpeg
