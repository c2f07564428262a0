"""Speed over the ground from where the trunk was during the last moments.

The slope of a straight line through the positions of a window: its error is known, so that a horse
that stands is not said to creep. The window is about a stride, which takes the surge of a stride
out; the speed trails by half of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

NEWEST = 4
"""So many newest positions are used even if the window holds fewer (slow analysis),"""
OLDEST_S = 4.5
"""unless they are older than this."""
FEWEST = 3
SHORTEST_SHARE = 0.35
"""Positions must span this share of the window."""
CERTAIN = 2.0
"""A change of distance counts from this many standard errors on, and in full well beyond."""
WANDER_S = 0.02
"""A standing horse's measured size wanders by this share a second: its head and legs move."""
FASTEST_MPS = 22.0
"""Faster than any horse that a barn will see: racing Thoroughbreds reach about 19 m/s."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slopes:
    """Straight lines through the last positions, float64: rate (N, 2) a second and error (N,) of
    its length; scale_rate (N,) of the scale's logarithm, shrunk towards 0 by its error; scale_now
    (N,), the line's logarithm of the scale at the end, NaN with too few positions; known (N,)."""

    rate: Doubles
    error: Doubles
    scale_rate: Doubles
    scale_now: Doubles
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Window:
    """Which positions (N, R) a line goes through: their weights, summing to 1, their times against
    the middle one, and the spread of those times; ``middle_s`` (N,) is before now. known (N,)."""

    used: NDArray[np.bool_]
    count: NDArray[np.intp]
    weight: Doubles
    lag_s: Doubles
    spread: Doubles
    middle_s: Doubles
    known: NDArray[np.bool_]


def _window(path_s: Doubles, usable: NDArray[np.bool_], now_s: float, window_s: float) -> _Window:
    age = now_s - path_s
    near = age <= window_s
    near[:, -NEWEST:] |= age[:, -NEWEST:] <= OLDEST_S
    used = usable & near
    count = used.sum(axis=1)
    weight = used / np.maximum(count, 1)[:, None]
    when = np.where(used, -age, 0.0)
    middle = (when * weight).sum(axis=1)
    lag = np.where(used, when - middle[:, None], 0.0)
    spread = np.maximum((lag * lag * weight).sum(axis=1), 1e-9)
    known = (count >= FEWEST) & (np.ptp(lag, axis=1) >= SHORTEST_SHARE * window_s)
    return _Window(used, count, weight, lag, spread, middle, known)


def slopes(
    path_s: Doubles, path: Doubles, path_scale: FloatArray, now_s: float, window_s: float
) -> Slopes:
    """Slopes of N tracks. path_s: (N, R), newest last, NaN for none; path: (N, R, 2)."""
    window = _window(path_s, np.isfinite(path[..., 0]), now_s, window_s)
    rate, error = _line(np.where(window.used[..., None], path, 0.0), window)
    finite = np.isfinite(path_scale)
    whole = (finite | ~window.used).all(axis=1) & (window.count > FEWEST)
    logs = np.where(window.used & finite, path_scale, 0.0).astype(np.float64)
    scale_rate, scale_error = _line(logs[..., None], window)
    doubt = doubts(scale_rate[:, 0], np.hypot(scale_error, WANDER_S))
    sure_rate = np.where(whole, scale_rate[:, 0] * np.maximum(1.0 - doubt, 0.0), 0.0)
    scale_now = (logs * window.weight).sum(axis=1) - sure_rate * window.middle_s
    return Slopes(rate, error, sure_rate, np.where(whole, scale_now, np.nan), window.known)


def rates_of(
    path_s: Doubles, values: FloatArray, now_s: float, window_s: float
) -> tuple[Doubles, Doubles]:
    """Slopes (N,) a second of single columns (N, R) and their errors; NaN where unknown."""
    window = _window(path_s, np.isfinite(values), now_s, window_s)
    kept = np.where(window.used, values, 0.0).astype(np.float64)
    rate, error = _line(kept[..., None], window)
    return np.where(window.known, rate[:, 0], np.nan), error


def doubts(rates: Doubles, errors: Doubles) -> Doubles:
    """How doubtful slopes are, (N,): 1 at ``CERTAIN`` errors, towards 0 well beyond."""
    doubt: Doubles = (CERTAIN * errors / np.maximum(np.abs(rates), 1e-9)) ** 2
    return doubt


def _line(values: Doubles, window: _Window) -> tuple[Doubles, Doubles]:
    """Slope (N, D) and its standard error (N,) over all D axes together."""
    weight, lag = window.weight[..., None], window.lag_s[..., None]
    mean = (values * weight).sum(axis=1)
    shifted = (values - mean[:, None]) * window.used[..., None]
    slope = (shifted * (lag * weight)).sum(axis=1) / window.spread[:, None]
    left = shifted - slope[:, None] * lag
    variance = (left * left * weight).sum(axis=(1, 2))
    freedom = np.maximum(window.count - 2, 1)
    return slope, np.sqrt(variance / (freedom * window.spread))


def speeds_of(velocities_mps: FloatArray, errors_mps: FloatArray) -> FloatArray:
    """Lengths of velocities (N, D) without what their own error adds; NaN beyond any horse."""
    squares = (velocities_mps * velocities_mps).sum(axis=1) - errors_mps * errors_mps
    speed = np.where(np.isnan(squares), np.nan, np.sqrt(np.maximum(squares, 0.0)))
    return np.where(speed <= FASTEST_MPS, speed, np.nan).astype(np.float32)
