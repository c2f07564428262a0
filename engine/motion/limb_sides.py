"""Left and right limbs told apart by the rhythm they keep, whatever a pose model called them.

Seen from the side, a pose model finds the two hooves of a pair well and which is which badly: after
they pass each other it may go on with either name. The square of the distance between them does not
depend on the names. In every gait each hoof goes back and forth once a stride, and so does their
distance, about a mean of nothing: its square is a wave of twice the stride's frequency that falls
to zero whenever they pass. That wave tells the distance up to one sign, which holds for as long as
the wave can be followed; there the names count that the model gave more often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.motion.limb_paths import Bools, Floats, LimbPaths
from engine.motion.rhythm import LEAST_TIMES, STRIDE_HZ

PAIRS = ((0, 1), (2, 3))
"""Columns of ``LIMBS``: both front, both hind limbs."""

_WINDOW_S, _HOP_S = 2.4, 0.4
"""Two strides of a walk, and how far one window is from the next."""

_GRID_HZ = np.arange(STRIDE_HZ[0], STRIDE_HZ[1] + 1e-9, 0.05)
_LEAST_EXPLAINED, _LEAST_DEPTH = 0.4, 0.5
"""Share of the squared distance that its wave must explain, and how deep, against its mean, the
wave must go: a distance that passes zero gives 1, one that never does close to 0."""


@dataclass(frozen=True, slots=True)
class _Wave:
    """The distance of a pair as its rhythm has it, float64 (W,) metres from row ``first`` on."""

    first: int
    apart_m: Floats

    def agrees(self, other: _Wave) -> bool:
        """Whether both have the same sign where they overlap."""
        start = max(self.first, other.first)
        end = min(self.first + len(self.apart_m), other.first + len(other.apart_m))
        mine = self.apart_m[start - self.first : end - self.first]
        return float(mine @ other.apart_m[start - other.first : end - other.first]) >= 0.0


def exchanged_sides(paths: LimbPaths) -> Bools:
    """When the limbs of each of ``PAIRS`` bear each other's name, bool (T, 2); False where there is
    no rhythm to tell it by."""
    apart = np.stack([paths.ahead_m[:, one] - paths.ahead_m[:, other] for one, other in PAIRS])
    result = np.zeros((len(paths), len(PAIRS)), np.bool_)
    waves: list[list[list[_Wave]]] = [[[]] for _ in PAIRS]
    for found in _windows(paths.t_s, apart):
        for runs, wave in zip(waves, found, strict=True):
            _follow(runs, wave)
    for pair, runs in enumerate(waves):
        for run in runs:
            if run:
                rows, names = _names(run, apart[pair])
                result[rows, pair] = names
    return result


def _windows(t_s: Floats, apart: Floats) -> Iterator[list[_Wave | None]]:
    """What each window tells of each pair."""
    half = min(_WINDOW_S, float(t_s[-1] - t_s[0])) / 2
    centres = np.arange(t_s[0] + half, t_s[-1] - half + _HOP_S, _HOP_S)
    for centre in np.minimum(centres, t_s[-1] - half).tolist():
        first, last = np.searchsorted(t_s, (centre - half - 1e-6, centre + half + 1e-6)).tolist()
        yield _told(t_s[first:last] - centre, apart[:, first:last], first)


def _told(t_s: Floats, apart: Floats, first: int) -> list[_Wave | None]:
    """The waves of one window, with one frequency for both pairs."""
    known = np.isfinite(apart)
    used = known.sum(axis=1) >= LEAST_TIMES
    nothing: list[_Wave | None] = [None] * len(apart)
    if len(t_s) < LEAST_TIMES or not used.any():
        return nothing
    grid = _GRID_HZ[_GRID_HZ * (t_s[-1] - t_s[0]) >= 1.0]
    if not len(grid):
        return nothing
    squared = np.where(known, apart, 0.0) ** 2
    # Squares of real distances; the wave of a square has twice the frequency.
    angles = 4 * np.pi * grid[:, None] * t_s
    design = np.stack([np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=-1)
    found, explained = _fitted(design, squared, known)
    best = int((explained * used).sum(axis=1).argmax())
    mean, cosine, sine = np.moveaxis(found[best], -1, 0)
    deep = np.hypot(cosine, sine) >= _LEAST_DEPTH * np.maximum(mean, 1e-9)
    told = used & deep & (explained[best] >= _LEAST_EXPLAINED)
    phase = np.arctan2(-sine, cosine) / 2
    size = np.sqrt(2 * np.maximum(mean, 0.0)) * told
    # The middle of a window counts more than its ends.
    bell = np.hanning(len(t_s) + 2)[1:-1]
    waves = size[:, None] * np.cos(angles[best] / 2 + phase[:, None]) * bell
    return [_Wave(first, wave) if here else None for wave, here in zip(waves, told, strict=True)]


def _fitted(design: Floats, values: Floats, known: Bools) -> tuple[Floats, Floats]:
    """Least squares of P rows of values (P, T) at F frequencies: coefficients (F, P, 3), and the
    share of each row's variance that is explained (F, P)."""
    weights = known.astype(np.float64)
    grams = np.einsum("pt,ftc,ftd->fpcd", weights, design, design) + 1e-9 * np.eye(3)
    right = np.einsum("pt,ftc->fpc", weights * values, design)
    found = np.linalg.solve(grams, right[..., None])[..., 0]
    left = values - np.einsum("ftc,fpc->fpt", design, found)
    count = np.maximum(weights.sum(axis=1), 1.0)
    spread = values - ((weights * values).sum(axis=1) / count)[:, None]
    total = np.maximum((weights * spread**2).sum(axis=1), 1e-12)
    return found, 1.0 - (weights * left**2).sum(axis=2) / total


def _follow(runs: list[list[_Wave]], wave: _Wave | None) -> None:
    """Put a wave, with the sign of the one before, behind it; a missing one ends the run."""
    if wave is None:
        runs.append([])
        return
    if runs[-1] and not runs[-1][-1].agrees(wave):
        wave = _Wave(wave.first, -wave.apart_m)
    runs[-1].append(wave)


def _names(run: list[_Wave], apart: Floats) -> tuple[NDArray[np.intp], Bools]:
    """Rows that a run of waves covers, and where the model's names are the wrong way round."""
    first = run[0].first
    last = run[-1].first + len(run[-1].apart_m)
    told = np.zeros(last - first)
    for wave in run:
        told[wave.first - first : wave.first - first + len(wave.apart_m)] += wave.apart_m
    seen = np.nan_to_num(apart[first:last])
    if float(told @ seen) < 0:
        told = -told
    return np.arange(first, last), told * seen < 0
