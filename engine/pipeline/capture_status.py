"""One stream's state and numbers, written by its capture thread and read by any."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from engine.domain.frames import Picture
from engine.domain.ids import StreamId
from engine.domain.ports import Clock, SourcePicture
from engine.domain.streams import StreamHealth, StreamState, StreamStatusChanged
from engine.runtime.meters import RateMeter

_AWAITED = {StreamState.CONNECTING, StreamState.ACTIVE}


class CaptureStatus:
    """The state machine of a stream.

    INACTIVE -> CONNECTING -> ACTIVE; without a picture for ``offline_after_s`` it is OFFLINE,
    whatever the capture thread is waiting for, because every ``health`` call looks at the clock.
    OFFLINE lasts, over any number of attempts, until the next picture. ``notify`` gets each
    change once, in order, on whichever thread saw it, with no lock held.
    """

    def __init__(
        self,
        stream_id: StreamId,
        clock: Clock,
        offline_after_s: float,
        notify: Callable[[StreamStatusChanged], None],
    ) -> None:
        self._stream_id = stream_id
        self._clock = clock
        self._offline_after_s = offline_after_s
        self._notify = notify
        self._lock = threading.Lock()
        self._delivering = threading.Lock()
        self._untold: deque[StreamStatusChanged] = deque(maxlen=256)
        self._state = StreamState.INACTIVE
        self._reason = ""
        self._size_px = (0, 0)
        self._decoded = 0
        self._corrupt = 0
        self._reconnects = 0
        self._frames = RateMeter()
        self._bits = RateMeter()
        self._waiting_since_s = 0.0
        self._last_picture_s: float | None = None
        self._retry_at_s: float | None = None

    @property
    def state(self) -> StreamState:
        """The state as of now."""
        self._look_at_clock()
        return self._state

    def connecting(self) -> None:
        """An attempt to open begins."""
        with self._lock:
            self._retry_at_s = None
            if self._state not in _AWAITED | {StreamState.OFFLINE}:
                self._waiting_since_s = self._clock.mono_s()
                self._change(StreamState.CONNECTING, "Connecting.")
        self._tell()
        self._look_at_clock()

    def picture(self, shot: SourcePicture, picture: Picture) -> None:
        """A picture arrived."""
        now_s = self._clock.mono_s()
        self._frames.add(now_s)
        self._bits.add(now_s, shot.packet_bytes * 8.0)
        with self._lock:
            self._decoded += 1
            self._corrupt += shot.corrupt
            self._size_px = (picture.width_px, picture.height_px)
            self._last_picture_s = self._waiting_since_s = now_s
            self._retry_at_s = None
            if self._state is not StreamState.ACTIVE:
                self._change(StreamState.ACTIVE, "")
        self._tell()

    def lost(self, reason: str, retry_in_s: float) -> None:
        """The connection failed or broke; the next attempt comes in ``retry_in_s``."""
        with self._lock:
            self._retry_at_s = self._clock.mono_s() + retry_in_s
            self._reconnects += 1
            if self._state is StreamState.ACTIVE:
                self._change(StreamState.CONNECTING, reason)
            self._reason = reason
        self._tell()
        self._look_at_clock()

    def finished(self, state: StreamState, reason: str) -> None:
        """Capture ended: ENDED, ERROR or INACTIVE."""
        with self._lock:
            self._retry_at_s = None
            if (state, reason) != (self._state, self._reason):
                self._change(state, reason)
        self._tell()

    def health(self) -> StreamHealth:
        """The capture side of ``StreamHealth``; what concerns analysis is the pipeline's."""
        self._look_at_clock()
        now_s = self._clock.mono_s()
        fps, bits = self._frames.per_second(now_s), self._bits.per_second(now_s)
        with self._lock:
            last_s, retry_s = self._last_picture_s, self._retry_at_s
            return StreamHealth(
                stream_id=self._stream_id,
                state=self._state,
                reason=self._reason,
                width_px=self._size_px[0],
                height_px=self._size_px[1],
                decoded=self._decoded,
                corrupt=self._corrupt,
                reconnects=self._reconnects,
                fps=fps,
                bitrate_bps=bits,
                last_frame_age_s=None if last_s is None else max(now_s - last_s, 0.0),
                retry_in_s=None if retry_s is None else max(retry_s - now_s, 0.0),
            )

    def _look_at_clock(self) -> None:
        """Declare OFFLINE when it is due."""
        with self._lock:
            waited_s = self._clock.mono_s() - self._waiting_since_s
            if self._state not in _AWAITED or waited_s < self._offline_after_s:
                return
            reason = self._reason
            if self._state is StreamState.ACTIVE or not reason or reason == "Connecting.":
                reason = f"No picture for {self._offline_after_s:g} s."
            self._change(StreamState.OFFLINE, reason)
        self._tell()

    def _change(self, state: StreamState, reason: str) -> None:
        self._state, self._reason = state, reason
        self._untold.append(StreamStatusChanged(self._stream_id, state, reason, self._clock.now()))

    def _tell(self) -> None:
        """Deliver changes in order without holding the state's lock. A thread that finds another
        one delivering leaves its change to it."""
        while self._untold:
            if not self._delivering.acquire(blocking=False):
                return
            try:
                while self._untold:
                    self._notify(self._untold.popleft())
            finally:
                self._delivering.release()
