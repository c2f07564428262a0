"""What hides what: projected rings of horses and people, and whether points lie behind them.

All arrays float32. A projected ring is a centre in pixels, half sizes along x and y in pixels, and
its distance in metres; a link joins two rings and covers the pixels between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.simulation.cameras import NEAR_M, SimulatedCamera

Bools = NDArray[np.bool_]
_MARGIN_M = 0.06
"""A point is behind a ring when it is so much farther away."""
_PAIRS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Shapes:
    """N projected bodies of R rings: centres_px (N, R, 2), halves_px (N, R, 2), depths_m (N, R)."""

    centres_px: FloatArray
    halves_px: FloatArray
    depths_m: FloatArray

    def boxes(self) -> FloatArray:
        """Bounding boxes (N, 4) of the rings in front of the camera."""
        behind = (self.depths_m <= NEAR_M)[..., None]
        low = np.where(behind, np.inf, self.centres_px - self.halves_px).min(axis=1)
        high = np.where(behind, -np.inf, self.centres_px + self.halves_px).max(axis=1)
        return np.concatenate([low, high], axis=1).astype(np.float32)


def projected(
    camera: SimulatedCamera,
    centres_m: NDArray[np.floating],
    up_m: NDArray[np.floating],
    wide_m: NDArray[np.floating],
) -> Shapes:
    """Project rings (N, R, 3). The half sizes are those of an ellipse seen from far away."""
    axes = camera.axes.T.astype(np.float32)
    seen = camera.to_camera(centres_m.astype(np.float32))
    up, wide = up_m.astype(np.float32) @ axes[:, :2], wide_m.astype(np.float32) @ axes[:, :2]
    scale = np.float32(camera.focal_px) / np.maximum(seen[..., 2:3], NEAR_M)
    return Shapes(
        np.asarray(camera.to_pixels(seen), np.float32),
        np.asarray(np.hypot(up, wide) * scale, np.float32),
        np.asarray(seen[..., 2], np.float32),
    )


def hidden(
    points_px: FloatArray,
    depths_m: FloatArray,
    shapes: Shapes,
    links: NDArray[np.int64],
    behind: NDArray[np.int64],
    before: NDArray[np.int64],
) -> Bools:
    """For each pair of a body's points and another body: which points it hides, bool (pairs, P).

    points_px (N, P, 2), depths_m (N, P): points of the bodies. links (L, 2): rings to join.
    behind, before: row of the body with the points, and row of the shape in front of it.
    """
    result = np.zeros((len(behind), points_px.shape[1]), np.bool_)
    for first in range(0, len(behind), _PAIRS_AT_ONCE):
        some = slice(first, first + _PAIRS_AT_ONCE)
        result[some] = _hidden(
            points_px[behind[some]], depths_m[behind[some]], shapes, links, before[some]
        )
    return result


def _hidden(
    points: FloatArray,
    depths: FloatArray,
    shapes: Shapes,
    links: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> Bools:
    found = np.zeros(points.shape[:2], np.bool_)
    x, y = points[..., 0], points[..., 1]
    centres, halves, far = shapes.centres_px[rows], shapes.halves_px[rows], shapes.depths_m[rows]
    for one, other in links:
        ax, ay = centres[:, one, 0, None], centres[:, one, 1, None]
        dx, dy = centres[:, other, 0, None] - ax, centres[:, other, 1, None] - ay
        length = np.sqrt(dx * dx + dy * dy) + np.float32(1e-3)
        tx, ty = dx / length, dy / length
        px, py = x - ax, y - ay
        along = px * tx + py * ty
        across = px * ty - py * tx
        share = np.clip(along / length, 0.0, 1.0)
        beyond = along - share * length
        half_x = halves[:, one, 0, None] * (1 - share) + halves[:, other, 0, None] * share
        half_y = halves[:, one, 1, None] * (1 - share) + halves[:, other, 1, None] * share
        wide = np.square(half_x * ty) + np.square(half_y * tx) + np.float32(1e-3)
        long = np.square(half_x * tx) + np.square(half_y * ty) + np.float32(1e-3)
        depth = far[:, one, None] * (1 - share) + far[:, other, None] * share
        inside = across * across / wide + beyond * beyond / long <= 1.0
        found |= inside & (depth < depths - _MARGIN_M) & (depth > NEAR_M)
    return found


def overlapping_pairs(
    groups: NDArray[np.int64], boxes: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows of the same group (sorted) whose boxes meet; each pair in both orders."""
    first: list[NDArray[np.int64]] = []
    second: list[NDArray[np.int64]] = []
    lag = 1
    while lag < len(groups):
        rows = np.nonzero(groups[lag:] == groups[:-lag])[0]
        if not len(rows):
            break
        a, b = boxes[rows], boxes[rows + lag]
        meet = (np.maximum(a[:, :2], b[:, :2]) < np.minimum(a[:, 2:], b[:, 2:])).all(axis=1)
        rows = rows[meet]
        first += [rows, rows + lag]
        second += [rows + lag, rows]
        lag += 1
    if not first:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(first), np.concatenate(second)
