"""The rhythm of the limbs: one stride frequency, and where in the stride each limb lands.

A hoof moves back and forth under the trunk once a stride. The common frequency is the one whose
sine explains the four paths best; the phase of each limb's sine tells the order of the footfalls
even at ten pictures a second, where single landings cannot be timed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.motion.limb_paths import Floats, LimbPaths

STRIDE_HZ = (0.45, 2.9)
"""Stride frequencies of horses, from a dawdling walk to racing (about 2.7 Hz)."""

_STEP_HZ = 0.08
_GRID_HZ = np.arange(STRIDE_HZ[0], STRIDE_HZ[1] + 1e-9, _STEP_HZ)
LEAST_TIMES = 8
_WAVE = np.arange(0.0, 1.0, 1.0 / 128)
_SHAPE_HARMONICS = 3


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What the limbs of one window have in common.

    stride_hz: NaN when there is none. phases: float64 (4,), landing of each limb in 0..1, counted
    from the same instant (only differences mean something); NaN where a limb was not seen. sway_m:
    float64 (4,), half the travel of each limb. fits: float64 (4,), share of the limb's movement
    that the sine explains, 0..1. duty: share of the stride that hooves move backwards with the
    ground, over all limbs; NaN when too few instants. ground_mps: how fast they do so, the speed
    over the ground. strides: how many fit into the window. trust: mean score of what was used.
    """

    stride_hz: float
    phases: Floats
    sway_m: Floats
    fits: Floats
    duty: float
    ground_mps: float
    strides: float
    trust: float


_NONE = Rhythm(
    np.nan, np.full(4, np.nan), np.zeros(4), np.zeros(4), np.nan, np.nan, 0.0, 0.0
)  # fmt: skip


def rhythm_of(paths: LimbPaths, most_hz: float = np.inf) -> Rhythm:
    """The rhythm of a window of some seconds, of ``most_hz`` strides a second at most;
    ``stride_hz`` is NaN when it has none."""
    weights = np.where(np.isfinite(paths.ahead_m), paths.trust, 0.0)
    enough = (weights > 0).sum(axis=0) >= LEAST_TIMES
    if len(paths) < LEAST_TIMES or enough.sum() < 2:
        return _NONE
    weights = weights * enough
    ahead = np.where(weights > 0, paths.ahead_m, 0.0)
    up = np.where(weights > 0, np.nan_to_num(paths.up_m), 0.0)
    t_s = paths.t_s - paths.t_s[len(paths) // 2]
    grid = _GRID_HZ[(_GRID_HZ * (t_s[-1] - t_s[0]) >= 1.0) & (most_hz >= _GRID_HZ)]
    if not len(grid):
        return _NONE
    both = np.concatenate([ahead, up], axis=1)
    twice = np.concatenate([weights, weights], axis=1)
    explained = _explained(t_s, both, twice, grid)
    best = int(explained.argmax())
    stride_hz = _peak(grid, explained, best)
    waves, left = _waves(t_s, both, twice, stride_hz)
    robust = twice * _outliers_down(left, twice)
    waves, left = _waves(t_s, both, robust, stride_hz)
    return _summary(paths, t_s, stride_hz, waves, ahead, weights, left)


def _design(t_s: Floats, hertz: Floats) -> Floats:
    """Offset, drift, cosine and sine (F, T, 4)."""
    angle = 2 * np.pi * hertz[:, None] * t_s
    one = np.ones_like(angle)
    return np.stack([one, one * t_s, np.cos(angle), np.sin(angle)], axis=-1)


def _solve(design: Floats, values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted least squares: coefficients (F, L, 4), and explained sum of squares (F, L)."""
    count, times, size = design.shape
    outer = (design[..., :, None] * design[..., None, :]).reshape(count, times, size * size)
    grams = np.matmul(weights.T, outer).reshape(count, weights.shape[1], size, size)
    grams = grams + 1e-9 * np.eye(size)
    right = np.matmul((weights * values).T, design)
    found = np.linalg.solve(grams, right[..., None])[..., 0]
    return found, (found * right).sum(axis=-1)


def _explained(t_s: Floats, values: Floats, weights: Floats, grid: Floats) -> Floats:
    """Movement explained by a sine of each frequency, over a straight drift, (F,)."""
    _, explained = _solve(_design(t_s, grid), values, weights)
    return np.asarray(explained.sum(axis=1), np.float64)


def _peak(grid: Floats, explained: Floats, best: int) -> float:
    """The frequency of the best fit, between grid points by a parabola."""
    if 0 < best < len(grid) - 1:
        before, at, after = explained[best - 1 : best + 2]
        bend = before - 2 * at + after
        if bend < 0:
            return float(grid[best] + 0.5 * _STEP_HZ * (before - after) / bend)
    return float(grid[best])


def _waves(t_s: Floats, values: Floats, weights: Floats, stride_hz: float) -> tuple[Floats, Floats]:
    """Coefficients (L, 4) at one frequency and what is left over (T, L)."""
    design = _design(t_s, np.array([stride_hz]))
    found, _ = _solve(design, values, weights)
    return found[0], np.where(weights > 0, values - design[0] @ found[0].T, 0.0)


def _outliers_down(left: Floats, weights: Floats) -> Floats:
    """Huber weights of residuals: 1 within two robust standard deviations, falling outside."""
    size = np.abs(left)
    used = weights > 0
    if used.all():
        middle = np.median(size, axis=0)
    else:
        columns = [size[used[:, limb], limb] for limb in range(left.shape[1])]
        middle = np.array([np.median(column) if len(column) else 1.0 for column in columns])
    spread = 1.4826 * middle
    limit = 2.0 * np.maximum(spread, 1e-3)
    return np.asarray(np.minimum(1.0, limit / np.maximum(size, 1e-9)), np.float64)


def _summary(
    paths: LimbPaths, t_s: Floats, stride_hz: float, waves: Floats, ahead: Floats, weights: Floats,
    left: Floats,
) -> Rhythm:  # fmt: skip
    level = waves[:, 2] - 1j * waves[:, 3]
    forth, lift = level[:4], level[4:]
    # From the side the hooves' way forth and back tells the phase. Of a horse that comes or goes
    # only the lift shows; it is highest a quarter of a stride before the hoof is foremost.
    share = np.abs(forth).sum() ** 2 / max((np.abs(forth) ** 2 + np.abs(lift) ** 2).sum() * 4, 1e-9)
    share = min(share, 1.0)
    blend = share * forth - 1j * (1.0 - share) * lift
    seen = weights.sum(axis=0) > 0
    phases = np.where(seen & (np.abs(blend) > 1e-4), (-np.angle(blend) / (2 * np.pi)) % 1.0, np.nan)
    drift = waves[:4, 0] + t_s[:, None] * waves[:4, 1]
    moved = np.where(weights > 0, ahead - drift, 0.0)
    total = (weights * moved**2).sum(axis=0)
    unexplained = (weights * left[:, :4] ** 2).sum(axis=0)
    fits = np.where(total > 0, 1.0 - unexplained / np.maximum(total, 1e-9), 0.0)
    duty, ground = _stance(t_s, stride_hz, phases, moved, np.abs(forth), weights)
    return Rhythm(
        stride_hz=stride_hz,
        phases=phases,
        sway_m=np.where(seen, np.abs(forth), 0.0),
        fits=np.clip(fits, 0.0, 1.0),
        duty=duty,
        ground_mps=ground,
        strides=float(stride_hz * (t_s[-1] - t_s[0])),
        trust=float(weights[weights > 0].mean()),
    )


def _stance(
    t_s: Floats, stride_hz: float, phases: Floats, moved: Floats, sway: Floats, weights: Floats
) -> tuple[float, float]:
    """Duty factor and speed of the ground, from all limbs laid over one another in phase.

    One wave of three harmonics goes through all instants of all limbs. The hooves are down while
    it falls at more than half its usual falling speed (the rule of ``footfalls``).
    """
    usable = (weights > 0) & np.isfinite(phases) & (sway > 0.02)
    if usable.sum() < 6 * _SHAPE_HARMONICS:
        return np.nan, np.nan
    where = (t_s[:, None] * stride_hz - np.nan_to_num(phases))[usable]
    values = (moved / np.maximum(sway, 1e-6))[usable]
    orders = np.arange(1, _SHAPE_HARMONICS + 1)
    angle = 2 * np.pi * where[:, None] * orders
    design = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    pull = weights[usable][:, None]
    gram = (design * pull).T @ design + 0.05 * len(where) / 100 * np.eye(2 * _SHAPE_HARMONICS)
    cosines, sines = np.split(np.linalg.solve(gram, (design * pull).T @ values), 2)
    angle = 2 * np.pi * _WAVE[:, None] * orders
    slope = 2 * np.pi * (np.cos(angle) * (orders * sines) - np.sin(angle) * (orders * cosines))
    speed = slope.sum(axis=1)
    falling = speed[speed < 0]
    if not len(falling):
        return np.nan, np.nan
    usual = -float(np.median(falling))
    down = speed < -0.5 * usual
    metres = float(np.median(sway[sway > 0.02])) * stride_hz
    return float(down.mean()), float(-np.median(speed[down])) * metres
