"""Posts and rails of the site that stand between cameras and horses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.simulation.cameras import SimulatedCamera
from engine.simulation.occlusion import Shapes, projected

_PIECES = 6
"""A bar is cut into so many links, so that its projected width follows the perspective."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A round bar from ``start`` to ``end`` (x, y, z in metres) of a radius; ``kind`` paints it."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius_m: float
    kind: str = "wood"


def _post(x: float, y: float, height_m: float, radius_m: float, kind: str = "wood") -> Bar:
    return Bar((x, y, 0.0), (x, y, height_m), radius_m, kind)


def _rails(start: tuple[float, float], end: tuple[float, float], step_m: float) -> list[Bar]:
    """A post-and-rail fence."""
    (x1, y1), (x2, y2) = start, end
    bars = [Bar((x1, y1, z), (x2, y2, z), 0.05, "fence") for z in (0.5, 0.95, 1.4)]
    count = max(round(np.hypot(x2 - x1, y2 - y1) / step_m), 1)
    for index in range(count + 1):
        share = index / count
        bars.append(_post(x1 + (x2 - x1) * share, y1 + (y2 - y1) * share, 1.5, 0.07, "fence"))
    return bars


BARS: dict[str, tuple[Bar, ...]] = {
    "stall": (Bar((2.0, 2.0, 1.15), (6.2, 2.0, 1.15), 0.03, "steel"),),
    "stall2": (Bar((6.4, 2.0, 1.15), (10.6, 2.0, 1.15), 0.03, "steel"),),
    "aisle": (
        _post(7.6, -1.85, 3.2, 0.09), _post(7.6, 1.85, 3.2, 0.09),
        _post(16.4, -1.85, 3.2, 0.09), _post(16.4, 1.85, 3.2, 0.09),
        _post(24.0, -1.7, 3.2, 0.12), _post(24.0, 1.7, 3.2, 0.12),
    ),
    "paddock": (*_rails((36.0, 10.0), (56.0, 10.0), 2.5), _post(47.2, 11.0, 7.0, 0.16)),
    "paddock2": (*_rails((60.0, 12.0), (60.0, 30.0), 2.25), _post(58.6, 16.5, 7.0, 0.16)),
    "arena": (
        _post(47.6, -11.0, 4.5, 0.13, "steel"), _post(55.2, -11.0, 4.5, 0.13, "steel"),
        Bar((36.0, -11.0, 0.35), (66.0, -11.0, 0.35), 0.06, "steel"),
    ),
    "yard": (*_rails((33.5, 10.0), (52.0, 10.0), 2.3), _post(29.0, 10.0, 2.2, 0.11),
             _post(28.6, 2.4, 5.0, 0.15)),
}  # fmt: skip
"""What can stand before a horse, by camera."""


BAR_LINKS = np.stack([np.arange(_PIECES), np.arange(1, _PIECES + 1)], axis=1)
"""Which rings of a bar are joined, int64 (L, 2)."""


@lru_cache(maxsize=32)
def bars_in_view(camera: SimulatedCamera) -> Shapes | None:
    """The camera's bars as bodies of rings in the order of ``BARS``, None where it has none."""
    bars = BARS[camera.name]
    if not bars:
        return None
    count = _PIECES + 1
    centres, up, wide = np.zeros((3, len(bars), count, 3))
    for number, bar in enumerate(bars):
        start, end = np.array(bar.start), np.array(bar.end)
        way = (end - start) / np.linalg.norm(end - start)
        side = np.cross(way, camera.axes[2])
        side /= np.linalg.norm(side)
        centres[number] = start + (end - start) * np.linspace(0.0, 1.0, count)[:, None]
        up[number] = side * bar.radius_m
        wide[number] = np.cross(way, side) * bar.radius_m
    return projected(camera, centres, up, wide)
