"""The real clock behind the Clock port."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

log = logging.getLogger(__name__)

SLOWED = 0.9
"""Our time runs at this rate while it waits for a clock that was set back: an hour is made good in
ten, and durations in stored rows are wrong by a tenth at most."""
_TOLD_FROM_S = 1.0


class SteadyTime:
    """UTC that never goes back, so that rows keep their order whatever happens to the clock.

    ``wall`` gives seconds since 1970, ``monotonic`` seconds that nobody can set. A clock that is
    set forward is followed at once. One that is set back is waited for: time runs on, slowed, until
    the clock has caught up; a new start of the program takes it over at once. For any thread.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._mono_s = monotonic()
        self._now_s = wall()
        self._ahead_s = 0.0

    @property
    def ahead_s(self) -> float:
        """So much our time is before the machine's clock, because that was set back."""
        return self._ahead_s

    def now_s(self) -> float:
        """Seconds since 1970, UTC."""
        with self._lock:
            mono_s, wall_s = self._monotonic(), self._wall()
            passed_s = max(mono_s - self._mono_s, 0.0)
            self._mono_s = mono_s
            self._now_s = max(wall_s, self._now_s + SLOWED * passed_s)
            before_s, self._ahead_s = self._ahead_s, self._now_s - wall_s
            now_s, set_back_s = self._now_s, self._ahead_s - before_s
        if set_back_s > _TOLD_FROM_S:
            log.warning("the clock was set back by %.0f s; time is evened out", set_back_s)
        return now_s


_steady = SteadyTime()


def utc_now() -> datetime:
    """The instant that rows get; see ``SteadyTime``."""
    return datetime.fromtimestamp(_steady.now_s(), UTC)


def ahead_s() -> float:
    """See ``SteadyTime.ahead_s``."""
    return _steady.ahead_s


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Current UTC instant; it never goes back."""
        return utc_now()

    def mono_s(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Rest this thread."""
        time.sleep(seconds)
