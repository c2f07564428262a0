"""Interleaved pairs: two pieces of work in one process, their ratio and its spread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

PAIRS = 15


@dataclass(frozen=True)
class Ratio:
    """Median and 5 and 95 % points of the ratio of times, and the median times in milliseconds."""

    median: float
    low: float
    high: float
    ours_ms: float
    peer_ms: float
    pairs: int

    def __str__(self) -> str:
        return (
            f"ratio {self.median:.2f} ({self.low:.2f} to {self.high:.2f}), {self.ours_ms:.2f} ms "
            f"against {self.peer_ms:.2f} ms, {self.pairs} pairs"
        )


def measure(ours: Callable[[], object], peer: Callable[[], object], pairs: int = PAIRS) -> Ratio:
    """Time both in turn, the order changing from pair to pair, after one unmeasured round."""
    ours()
    peer()
    times = np.zeros((pairs, 2))
    for pair in range(pairs):
        for place in (0, 1) if pair % 2 == 0 else (1, 0):
            began = time.perf_counter()
            (ours, peer)[place]()
            times[pair, place] = time.perf_counter() - began
    low, middle, high = np.percentile(times[:, 0] / times[:, 1], (5, 50, 95))
    ours_s, peer_s = np.median(times, axis=0)
    return Ratio(middle, low, high, ours_s * 1e3, peer_s * 1e3, pairs)
