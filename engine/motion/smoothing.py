"""One-euro filter of many landmarks at once, in seconds, with its lag stated.

Casiez, Roussel and Vogel (2012), "1 euro filter": an exponential filter whose cut-off grows with
speed, so that a resting landmark does not tremble and a moving one hardly trails. Positions are
body units, so the setting means the same for near and far horses.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

RATE_CUTOFF_HZ = 4.0
"""Cut-off of the speed estimate."""

Bools = NDArray[np.bool_]


def shares(cutoff_hz: NDArray[np.floating] | float, elapsed_s: NDArray[np.floating]) -> FloatArray:
    """How much of a new value an exponential filter takes, 0..1, for a cut-off and time step."""
    turn = 2.0 * math.pi * cutoff_hz * elapsed_s
    taken: FloatArray = np.asarray(turn / (1.0 + turn), np.float32)
    return taken


def one_euro(
    body: FloatArray,
    smooth: FloatArray,
    rate: FloatArray,
    elapsed_s: FloatArray,
    cutoff_hz: float,
    speed_gain: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """One step for positions float32 (N, K, 2): new smoothed positions, their rates, and lags.

    smooth, rate: the state before, NaN and 0 where there is none. elapsed_s: (N,), seconds since.
    cutoff_hz: at rest; speed_gain: Hz a body unit a second. lags: float32 (N, K), seconds by which
    a steadily moving landmark trails behind its measurement.
    """
    step = np.maximum(elapsed_s, 1e-6)[:, None]
    new = ~np.isfinite(smooth[..., 0])
    before = np.where(new[..., None], body, smooth)
    taken = shares(RATE_CUTOFF_HZ, step)[..., None]
    rates = rate + ((body - before) / step[..., None] - rate) * taken
    rates[new] = 0.0
    speed = np.hypot(rates[..., 0], rates[..., 1])
    share = np.where(new, 1.0, shares(cutoff_hz + speed_gain * speed, step))
    smoothed = before + (body - before) * share[..., None]
    lags = (1.0 - share) / share * step
    return smoothed.astype(np.float32), rates.astype(np.float32), lags.astype(np.float32)
