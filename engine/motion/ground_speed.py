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


def slopes(
    path_s: Doubles, path: Doubles, path_scale: FloatArray, now_s: float, window_s: float
) -> Slopes:
    """Slopes of N tracks. path_s: (N, R), newest last, NaN for none; path: (N, R, 2)."""
    age = now_s - path_s
    newest = np.arange(path_s.shape[1]) >= path_s.shape[1] - NEWEST
    usable = np.isfinite(path).all(axis=2)
    used = usable & ((age <= window_s) | (newest & (age <= OLDEST_S)))
    count = used.sum(axis=1)
    weight = used / np.maximum(count, 1)[:, None]
    when = np.where(used, -age, 0.0)
    middle = (when * weight).sum(axis=1)
    lag = np.where(used, when - middle[:, None], 0.0)
    spread = np.maximum((lag * lag * weight).sum(axis=1), 1e-9)
    rate, error = _line(np.where(used[..., None], path, 0.0), lag, weight, spread, count)
    logs = np.where(used & np.isfinite(path_scale), path_scale, 0.0)[..., None]
    whole = (np.isfinite(path_scale) | ~used).all(axis=1) & (count > FEWEST)
    scale_rate, scale_error = _line(logs.astype(np.float64), lag, weight, spread, count)
    scale_error = np.hypot(scale_error, WANDER_S)
    doubt = (CERTAIN * scale_error / np.maximum(np.abs(scale_rate[:, 0]), 1e-9)) ** 2
    sure_rate = np.where(whole, scale_rate[:, 0] * np.maximum(1.0 - doubt, 0.0), 0.0)
    scale_now = (logs[..., 0] * weight).sum(axis=1) - sure_rate * middle
    longest = np.where(used, age, -np.inf).max(axis=1) - np.where(used, age, np.inf).min(axis=1)
    known = (count >= FEWEST) & (longest >= SHORTEST_SHARE * window_s)
    scale_now = np.where(whole, scale_now, np.nan)
    return Slopes(rate, error, sure_rate, scale_now, known)


def rates_of(
    path_s: Doubles, values: FloatArray, now_s: float, window_s: float
) -> tuple[Doubles, Doubles]:
    """Slopes (N,) a second of single columns (N, R) and their errors; NaN where unknown."""
    two = np.repeat(values[..., None].astype(np.float64), 2, axis=2)
    line = slopes(path_s, two, values, now_s, window_s)
    known = line.known
    return np.where(known, line.rate[:, 0], np.nan), np.where(known, line.error, np.nan)


def _line(
    values: Doubles, lag: Doubles, weight: Doubles, spread: Doubles, count: NDArray[np.intp]
) -> tuple[Doubles, Doubles]:
    """Slope (N, D) and its standard error (N,) over all D axes together."""
    mean = (values * weight[..., None]).sum(axis=1)
    shifted = (values - mean[:, None]) * (weight > 0)[..., None]
    slope = (shifted * (lag * weight)[..., None]).sum(axis=1) / spread[:, None]
    left = shifted - slope[:, None] * lag[..., None]
    variance = (left * left * weight[..., None]).sum(axis=(1, 2))
    freedom = np.maximum(count - 2, 1)
    return slope, np.sqrt(variance / (freedom * spread))


def speeds_of(velocities_mps: FloatArray, errors_mps: FloatArray) -> FloatArray:
    """Lengths of velocities (N, D) without what their own error adds; NaN beyond any horse."""
    squares = (velocities_mps * velocities_mps).sum(axis=1) - errors_mps * errors_mps
    speed = np.where(np.isnan(squares), np.nan, np.sqrt(np.maximum(squares, 0.0)))
    return np.where(speed <= FASTEST_MPS, speed, np.nan).astype(np.float32)
