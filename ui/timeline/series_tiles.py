"""Curves of one horse, a tile at a time: pose metrics, and asymmetry with its interval. No Qt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engine.domain.behaviour import MotionRepository
from engine.domain.ids import HorseId
from engine.domain.motion import Gait, Stride
from engine.motion.asymmetry import FIGURES, LEAST_STRIDES, usable
from ui.timeline.cursor import instant, micros
from ui.timeline.tile_grid import TILE_BUCKETS, TileKey

WINDOWS = 48
"""Parts of a tile over which asymmetry is averaged, when there are strides enough."""
STRIDES_READ = 50_000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Curve:
    """One line with its band. at_us: int64 (N,), rising. mean, low, high: float32 (N,), NaN where
    nothing is known."""

    at_us: NDArray[np.int64]
    mean: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SeriesTile:
    """Curves by name of ``METRICS``; ``bucket_s`` 0: nothing was summed up."""

    curves: dict[str, Curve]
    bucket_s: float


@dataclass(frozen=True, slots=True)
class AsymmetryTile:
    """Curves by name of ``FIGURES``: mean of a window and its 95 % interval, millimetres.
    ``starts_us``: when the good strides began, for saying how many there are."""

    curves: dict[str, Curve]
    starts_us: NDArray[np.int64]


def read_series(
    motion: MotionRepository, horse_id: HorseId, names: Collection[str], key: TileKey
) -> SeriesTile:
    """Metrics of a tile; blocks."""
    start, end = instant(key.start_us), instant(key.end_us)
    found = motion.metrics(horse_id, start, end, names, TILE_BUCKETS)
    curves = {
        name: Curve(found.at_us, values[:, 0], values[:, 1], values[:, 2])
        for name, values in found.values.items()
    }
    return SeriesTile(curves, found.bucket_s)


def read_asymmetry(motion: MotionRepository, horse_id: HorseId, key: TileKey) -> AsymmetryTile:
    """Asymmetry of a tile; blocks."""
    start, end = instant(key.start_us), instant(key.end_us)
    owned = motion.strides(
        start, end, horse_id, gaits=(Gait.TROT,), straight_only=True, limit=STRIDES_READ
    )
    good = usable([one.stride for one in owned])
    return asymmetry_tile(good, key.start_us, key.end_us)


def asymmetry_tile(strides: Sequence[Stride], start_us: int, end_us: int) -> AsymmetryTile:
    """Means of windows with at least LEAST_STRIDES strides, with Student's interval of the mean."""
    starts = np.array([micros(s.start_at) for s in strides], np.int64)
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    values = np.array(
        [[getattr(strides[i].asymmetry, figure) for figure in FIGURES] for i in order], np.float64
    ).reshape(-1, len(FIGURES))
    length = max((end_us - start_us) // WINDOWS, 1)
    window = (starts - start_us) // length
    centres = start_us + np.arange(WINDOWS) * length + length // 2
    rows = np.full((WINDOWS, len(FIGURES), 3), np.nan, np.float32)
    for place in np.unique(window).tolist():
        if 0 <= place < WINDOWS:
            rows[place] = _means(values[window == place])
    curves = {
        figure: Curve(centres, rows[:, n, 0], rows[:, n, 1], rows[:, n, 2])
        for n, figure in enumerate(FIGURES)
    }
    return AsymmetryTile(curves, starts)


def _means(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """(figures, 3): mean and both ends of its interval; NaN below LEAST_STRIDES."""
    result = np.full((values.shape[1], 3), np.nan, np.float32)
    for column in range(values.shape[1]):
        known = values[:, column][np.isfinite(values[:, column])]
        if len(known) < LEAST_STRIDES:
            continue
        reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(known) - 1))
        half = reach * known.std(ddof=1) / np.sqrt(len(known))
        result[column] = (known.mean(), known.mean() - half, known.mean() + half)
    return result
