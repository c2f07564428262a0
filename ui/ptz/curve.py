"""From a displacement of a stick to a share of full speed. Pure."""

from __future__ import annotations

import math

DEAD_ZONE = 0.08
"""Share of the way from the middle in which nothing happens (specification: camera control)."""
CURVE = 2.0
"""Bend of the exponential curve: half the way gives 27 % of the speed."""
SPEED_MOST = 63
"""The speed slider goes from 1 to this, which is full speed."""


def axis_share(value: float, dead_zone: float = DEAD_ZONE, curve: float = CURVE) -> float:
    """Speed of one axis, -1..1, from its position -1..1 (clipped).

    The way outside the dead zone is stretched to 0..1 and bent by (e^(c·w) - 1) / (e^c - 1);
    ``curve`` 0 is a straight line.
    """
    way = (min(abs(value), 1.0) - dead_zone) / (1.0 - dead_zone)
    if way <= 0.0:
        return 0.0
    bent = math.expm1(curve * way) / math.expm1(curve) if curve > 0.0 else way
    return math.copysign(min(bent, 1.0), value)


def stick_share(
    x: float, y: float, dead_zone: float = DEAD_ZONE, curve: float = CURVE
) -> tuple[float, float]:
    """Speeds of pan and tilt from a displacement (x right, y up; a circle of radius 1).

    The dead zone is round and the curve bends the length, so that the direction stays.
    """
    length = math.hypot(x, y)
    share = axis_share(length, dead_zone, curve)
    if share == 0.0:
        return 0.0, 0.0
    return share * x / length, share * y / length
