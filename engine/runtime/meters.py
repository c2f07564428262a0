"""Rates and distributions that one thread feeds and any thread reads."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.domain.health import HistogramCounts


class RateMeter:
    """Events (or units) per second over the last ``window_s`` seconds."""

    def __init__(self, window_s: float = 3.0) -> None:
        self._window_s = window_s
        self._marks: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()
        self.total = 0.0

    def add(self, at_mono_s: float, amount: float = 1.0) -> None:
        """Count ``amount`` at a monotonic instant."""
        with self._lock:
            self.total += amount
            self._marks.append((at_mono_s, amount))
            self._forget(at_mono_s)

    def per_second(self, now_mono_s: float) -> float:
        """Rate over the window that ends now; 0 when nothing came."""
        with self._lock:
            self._forget(now_mono_s)
            if not self._marks:
                return 0.0
            span_s = max(now_mono_s - self._marks[0][0], self._window_s / 3.0)
            return sum(amount for _, amount in self._marks) / span_s

    def _forget(self, now_mono_s: float) -> None:
        while self._marks and now_mono_s - self._marks[0][0] > self._window_s:
            self._marks.popleft()


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Count and the 50th, 95th and 99th percentile of the values kept."""

    count: int
    p50: float
    p95: float
    p99: float


class Distribution:
    """The last ``keep`` values of a quantity (latency, stage time)."""

    def __init__(self, keep: int = 4096) -> None:
        self._values: deque[float] = deque(maxlen=keep)
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """Record a value."""
        with self._lock:
            self._values.append(value)

    def quantiles(self) -> Quantiles | None:
        """Percentiles over the kept values, None before the first."""
        with self._lock:
            values = np.fromiter(self._values, np.float64, len(self._values))
        if not len(values):
            return None
        p50, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)))
        return Quantiles(len(values), p50, p95, p99)


class Histogram:
    """Counts values by size for ever, so that rates and quantiles can be taken over any time and
    over several machines (a ``Distribution`` knows the newest values only)."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """``bounds`` grow; what is above the last is counted, too."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """Count a value."""
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._total += value

    def counts(self) -> HistogramCounts:
        """The counts now."""
        with self._lock:
            return HistogramCounts(self._bounds, tuple(self._counts), self._total)
