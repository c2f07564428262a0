"""Rates and distributions that one thread feeds and any thread reads."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np


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
