"""What a fixed camera's own horses teach about its ground: how the scale grows with the row.

On level ground the pixels per metre of what stands there grow in a straight line with the picture
row of its foot, from nothing at the horizon. Standing horses of known (or usual) height give the
line. It tells the distance of a horse that comes straight at the camera better than its size does,
and the scale of one that lies. A calibration by a person goes first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray

BANDS = 32
"""Rows of the picture are counted in so many bands."""
LEAST_IN_BAND = 15
LEAST_BANDS = 4
LEAST_SPAN = 0.15
"""Feet must have been seen over this share of the picture's height."""
GREATEST_MISFIT = 0.07
"""Bands further from the line than this share, root mean square, are no level ground."""
LEAST_SLOPE = 0.05
"""The slope is one by the camera's height in metres: none hangs higher than 20 m."""
MEMORY = 400.0
"""A band forgets what is older than so many sightings."""
EVERY = 25
"""The line is drawn anew after so many sightings."""

Doubles = NDArray[np.float64]
Floats = NDArray[np.floating]


class LearnedGround:
    """The line of one camera. Used by one thread; forget it when the camera turns."""

    def __init__(self) -> None:
        self._counts: Doubles = np.zeros(BANDS)
        self._scales: Doubles = np.zeros(BANDS)
        self._rows: Doubles = np.zeros(BANDS)
        self._fresh = 0
        self.line: tuple[float, float] | None = None
        """Pixels per metre as shares of the picture's height: base and slope by row in 0..1."""

    def add(self, rows: Floats, scales: Floats) -> None:
        """Sightings (m,): rows of feet in 0..1, and scales in picture heights a metre."""
        usable = np.isfinite(rows) & np.isfinite(scales) & (rows > 0.0) & (rows < 1.0)
        for row, scale in zip(rows[usable].tolist(), scales[usable].tolist(), strict=True):
            band = int(row * BANDS)
            count = min(self._counts[band] + 1.0, MEMORY)
            self._counts[band] = count
            self._rows[band] += (row - self._rows[band]) / count
            self._scales[band] += (scale - self._scales[band]) / count
            self._fresh += 1
        if self._fresh >= EVERY:
            self._fresh = 0
            self.line = self._draw()

    def _draw(self) -> tuple[float, float] | None:
        full = self._counts >= LEAST_IN_BAND
        if full.sum() < LEAST_BANDS or np.ptp(self._rows[full]) < LEAST_SPAN:
            return None
        rows, scales = self._rows[full], self._scales[full]
        weights = np.sqrt(np.minimum(self._counts[full], MEMORY / 4)) / scales
        slope, base = np.polyfit(rows, scales, 1, w=weights)
        found = base + slope * rows
        misfit = float(np.sqrt(np.mean((found / scales - 1.0) ** 2)))
        if slope < LEAST_SLOPE or misfit > GREATEST_MISFIT or (found <= 0.0).any():
            return None
        return float(base), float(slope)

    def scales_at(self, rows: Floats) -> FloatArray:
        """Scales (n,) in picture heights a metre at rows in 0..1; NaN above the horizon, and
        before enough was seen."""
        if self.line is None:
            return np.full(len(rows), np.nan, np.float32)
        base, slope = self.line
        scales = base + slope * rows
        return np.where(scales > 0.0, scales, np.nan).astype(np.float32)

    def feet_below(self, rows: Floats, drops_m: Floats) -> FloatArray:
        """Rows (n,) on the ground ``drops_m`` under points at ``rows``, both in one upright plane;
        NaN before enough was seen. Solves foot = row + drop * scale(foot)."""
        if self.line is None:
            return np.full(len(rows), np.nan, np.float32)
        base, slope = self.line
        share = 1.0 - drops_m * slope
        feet = (rows + drops_m * base) / np.where(share > 0.05, share, np.nan)
        return feet.astype(np.float32)
