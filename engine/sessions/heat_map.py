"""Where a horse was: seconds by cell of the ground, or of the picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.ids import StreamId
from engine.domain.sessions import HeatMap, HeatMapUnit

CELL_M = 0.5
"""Side of a cell on the ground: a horse is half a metre wide."""
MOST_CELLS = 120
"""Cells along one side, at most; wider grounds have larger cells."""
SHARE_CELLS = (36, 64)
"""Rows and columns of a map of the picture."""
FAR_M = 200.0
"""Farther places are errors of the calibration near the horizon."""

Floats = NDArray[np.float64]


def heat_map(
    places: FloatArray | Floats, seconds: Floats, unit: HeatMapUnit,
    stream_id: StreamId | None = None,
) -> HeatMap | None:  # fmt: skip
    """A map of where the horse's feet were.

    places: (T, 2), x and y in metres or in shares of the picture; rows that are NaN or far outside
    are left out. seconds: float64 (T,), for how long. None where no place is left.
    """
    places = np.asarray(places, np.float64)
    seconds = np.asarray(seconds, np.float64)
    inside = np.isfinite(places).all(axis=1)
    far = FAR_M if unit is HeatMapUnit.METRES else 1.5
    inside &= (np.abs(np.where(np.isfinite(places), places, 0.0)) <= far).all(axis=1)
    if not inside.any():
        return None
    places, seconds = places[inside], seconds[inside]
    if unit is HeatMapUnit.SHARES:
        bounds = (0.0, 0.0, 1.0, 1.0)
        rows, columns = SHARE_CELLS
    else:
        bounds, rows, columns = _ground_grid(places)
    x = _cells(places[:, 0], bounds[0], bounds[2], columns)
    y = _cells(places[:, 1], bounds[1], bounds[3], rows)
    summed = np.bincount(y * columns + x, seconds, rows * columns)
    return HeatMap(stream_id, unit, bounds, summed.reshape(rows, columns).astype(np.float32))


def _ground_grid(places: Floats) -> tuple[tuple[float, float, float, float], int, int]:
    low, high = places.min(axis=0), places.max(axis=0)
    cell = max(CELL_M, float((high - low).max()) / MOST_CELLS)
    first = np.floor(low / cell) * cell
    counts = np.maximum(np.ceil((high - first) / cell + 1e-9), 1).astype(int)
    last = first + counts * cell
    bounds = (float(first[0]), float(first[1]), float(last[0]), float(last[1]))
    return bounds, int(counts[1]), int(counts[0])


def _cells(values: Floats, low: float, high: float, count: int) -> NDArray[np.int64]:
    shares = (values - low) / max(high - low, math.ulp(1.0))
    return np.clip((shares * count).astype(np.int64), 0, count - 1)
