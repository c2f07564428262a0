"""Whether the live pictures leave time for work that nobody asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from engine.domain.health import EngineHealth
from engine.domain.ports import Clock

WINDOW_S = 8.0
MOST_DROPPED = 0.05
"""Of the pictures that were to be analysed; a picture dropped now and then is no overload."""


class Capacity:
    """True while the live analysis drops next to nothing. Called by one thread, about once a
    second."""

    def __init__(self, health: Callable[[], EngineHealth], clock: Clock) -> None:
        self._health = health
        self._clock = clock
        self._counts: deque[tuple[float, int, int]] = deque()

    def __call__(self) -> bool:
        """Whether there is capacity now."""
        streams = self._health().streams
        now_s = self._clock.mono_s()
        dropped = sum(stream.dropped for stream in streams)
        analysed = sum(stream.analysed for stream in streams)
        counts = self._counts
        if counts and (dropped < counts[-1][1] or analysed < counts[-1][2]):
            counts.clear()  # a camera was taken away with its counts
        counts.append((now_s, dropped, analysed))
        while len(counts) > 2 and now_s - counts[1][0] >= WINDOW_S:
            counts.popleft()
        lost, done = dropped - counts[0][1], analysed - counts[0][2]
        return lost <= MOST_DROPPED * (lost + done)
