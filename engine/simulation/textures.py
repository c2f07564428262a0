"""Surfaces of the simulated farm, painted by seeded chance: grass, sand, straw, boards, trees."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.float32]
"""float32 (h, w, 4): BGR 0..255 and opacity 0..1."""
Colour = tuple[float, float, float]


def _flat(size: tuple[int, int], colour: Colour) -> Canvas:
    canvas = np.ones((*size, 4), np.float32)
    canvas[..., :3] = colour
    return canvas


def _grain(
    chance: np.random.Generator, size: tuple[int, int], cell: tuple[float, float], strength: float
) -> NDArray[np.float32]:
    """Smooth random texture (h, w, 1); ``cell`` is its grain in pixels (y, x)."""
    rows, columns = max(int(size[0] / cell[0]), 2), max(int(size[1] / cell[1]), 2)
    coarse = chance.normal(0.0, strength, (rows, columns)).astype(np.float32)
    fine = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, np.float32)[:, :, None]


def _ground(colour: Colour, fine: float, broad: float) -> Callable[..., Canvas]:
    def paint(size: tuple[int, int], per_m: float, chance: np.random.Generator) -> Canvas:
        canvas = _flat(size, colour)
        canvas[..., :3] += _grain(chance, size, (per_m * 2.5, per_m * 2.5), broad)
        canvas[..., :3] += _grain(chance, size, (per_m * 0.5, per_m * 0.5), broad * 0.6)
        canvas[..., :3] += _grain(chance, size, (2, 2), fine)
        return canvas

    return paint


def _straw(size: tuple[int, int], per_m: float, chance: np.random.Generator) -> Canvas:
    canvas = _ground((62.0, 104.0, 130.0), 7.0, 8.0)(size, per_m, chance)
    colours = np.ascontiguousarray(canvas[..., :3])
    for _ in range(int(size[0] * size[1] / per_m**2 * 60)):
        x, y = int(chance.integers(0, size[1])), int(chance.integers(0, size[0]))
        angle, length = chance.uniform(0, np.pi), chance.uniform(0.1, 0.28) * per_m
        tone = float(chance.uniform(0.75, 1.35))
        end = (x + int(np.cos(angle) * length), y + int(np.sin(angle) * length))
        cv2.line(colours, (x, y), end, (70 * tone, 118 * tone, 146 * tone), 1, cv2.LINE_AA)
    canvas[..., :3] = colours
    return canvas


def _boards(colour: Colour, step_m: float) -> Callable[..., Canvas]:
    def paint(size: tuple[int, int], per_m: float, chance: np.random.Generator) -> Canvas:
        canvas = _flat(size, colour)
        step = max(int(step_m * per_m), 3)
        for left in range(0, size[1], step):
            canvas[:, left : left + step, :3] *= float(chance.uniform(0.86, 1.10))
            canvas[:, left : left + max(step // 14, 1), :3] *= 0.55
        canvas[..., :3] += _grain(chance, size, (per_m * 0.9, 2), 5.0)
        return canvas

    return paint


def _stall_front(size: tuple[int, int], per_m: float, chance: np.random.Generator) -> Canvas:
    """Boards below, bars above, as seen from the aisle; 4.4 m each."""
    canvas = _boards((52.0, 82.0, 110.0), 0.18)(size, per_m, chance)
    rail = int((2.6 - 1.35) * per_m)
    canvas[:rail, :, :3] = (26.0, 32.0, 38.0)
    for left in range(0, size[1], max(int(0.12 * per_m), 3)):
        canvas[:rail, left : left + max(int(0.03 * per_m), 1), :3] = (112.0, 118.0, 120.0)
    canvas[rail : rail + max(int(0.1 * per_m), 2), :, :3] = (36.0, 56.0, 78.0)
    for left in range(0, size[1], int(4.4 * per_m)):
        canvas[:, left : left + max(int(0.2 * per_m), 2), :3] = (40.0, 58.0, 76.0)
    return canvas


def _window(size: tuple[int, int], per_m: float, chance: np.random.Generator) -> Canvas:
    canvas = _flat(size, (206.0, 208.0, 200.0))
    edge = max(int(0.08 * per_m), 2)
    for rows, columns in (
        (slice(0, edge), slice(None)), (slice(-edge, None), slice(None)),
        (slice(None), slice(0, edge)), (slice(None), slice(-edge, None)),
        (slice(None), slice(size[1] // 2, size[1] // 2 + edge // 2)),
    ):  # fmt: skip
        canvas[rows, columns, :3] = (44.0, 62.0, 80.0)
    return canvas


def _trees(size: tuple[int, int], per_m: float, chance: np.random.Generator) -> Canvas:
    colours = np.zeros((*size, 3), np.float32)
    opacity = np.zeros(size, np.float32)
    for _ in range(int(size[1] / per_m * 2.2)):
        radius = chance.uniform(1.1, 2.4) * per_m
        x = int(chance.integers(0, size[1]))
        y = int(size[0] - chance.uniform(0.5, 0.72) * size[0] + radius * 0.4)
        tone = float(chance.uniform(0.7, 1.15))
        for blob in range(7):
            angle = blob * 0.9 + chance.uniform(0, 0.6)
            spot = (int(x + np.cos(angle) * radius * 0.6), int(y + np.sin(angle) * radius * 0.5))
            shade = tone * float(chance.uniform(0.85, 1.12)) * (1.06 - 0.10 * (np.sin(angle) > 0))
            colour = (48 * shade, 78 * shade, 62 * shade)
            cv2.circle(colours, spot, int(radius * 0.55), colour, -1, cv2.LINE_AA)
            cv2.circle(opacity, spot, int(radius * 0.55), 1.0, -1, cv2.LINE_AA)
        cv2.rectangle(colours, (x - 3, y), (x + 3, size[0]), (34, 46, 58), -1)
        cv2.rectangle(opacity, (x - 3, y), (x + 3, size[0]), 1.0, -1)
    canvas = np.concatenate([colours, opacity[..., None]], axis=2)
    canvas[..., :3] += _grain(chance, size, (3, 3), 6.0)
    return np.asarray(canvas, np.float32)


def _rail_fence(size: tuple[int, int], per_m: float, chance: np.random.Generator) -> Canvas:
    canvas = _flat(size, (196.0, 202.0, 204.0))
    canvas[..., 3] = 0.0
    height = size[0] / per_m
    for rail_m in (0.5, 0.95, 1.4):
        row = int((height - rail_m) * per_m)
        canvas[row : row + max(int(0.10 * per_m), 2), :, 3] = 1.0
    for left in range(0, size[1], int(2.4 * per_m)):
        canvas[:, left : left + max(int(0.13 * per_m), 2), 3] = 1.0
    canvas[..., :3] += _grain(chance, size, (4, 9), 6.0)
    return canvas


def _rack(size: tuple[int, int], per_m: float, chance: np.random.Generator) -> Canvas:
    canvas = _flat(size, (70.0, 128.0, 118.0))
    canvas[..., :3] += _grain(chance, size, (2, 6), 22.0)
    for left in range(0, size[1], max(int(0.1 * per_m), 3)):
        canvas[:, left : left + 2, :3] = (60.0, 62.0, 64.0)
    return canvas


TEXTURES: dict[str, Callable[..., Canvas]] = {
    "grass": _ground((58.0, 132.0, 108.0), 9.0, 9.0),
    "sand": _ground((122.0, 156.0, 178.0), 6.0, 6.0),
    "concrete": _ground((124.0, 128.0, 130.0), 5.0, 5.0),
    "dirt": _ground((92.0, 116.0, 134.0), 7.0, 8.0),
    "straw": _straw,
    "boards": _boards((58.0, 92.0, 124.0), 0.22),
    "dark boards": _boards((46.0, 70.0, 94.0), 0.3),
    "pale boards": _boards((146.0, 152.0, 154.0), 1.0),
    "kick boards": _boards((44.0, 74.0, 100.0), 0.8),
    "roof": _boards((66.0, 74.0, 80.0), 1.1),
    "stall front": _stall_front,
    "window": _window,
    "trees": _trees,
    "rail fence": _rail_fence,
    "rack": _rack,
}
"""Painters by name: (height, width) in pixels, pixels a metre, chance -> canvas."""
