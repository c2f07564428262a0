"""One box filtered anew along the straight line between the two ends of a gap.

The filter of `engine.tracking.motion` written for one box in plain numbers: a gap ends for a horse
or two at a time, and for so few a call of numpy costs many times its arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.tracking.noise import MEASUREMENT_HEIGHTS, SIZE_SHARE, growth

_SHARE_2 = SIZE_SHARE**2
STEPS = 4
"""Parts of the line; an observation is put between each two."""
State = Sequence[Sequence[float]]
"""Position, velocity and the covariances position-position, position-velocity and velocity-velocity
of four coordinates: centre x, centre y, width, height. The covariances of the two coordinates of a
centre are alike, and those of a size: all noise is."""


def replayed(
    state: State, begin_xyxy_px: Sequence[float], end_xyxy_px: Sequence[float], gap_s: float
) -> list[list[float]]:
    """The state ``gap_s`` later, at the end of a gap that began with the one box and ends with the
    other, which is yet to be taken in."""
    begin, end = _centre(*begin_xyxy_px), _centre(*end_xyxy_px)
    noise = (MEASUREMENT_HEIGHTS * max(end[3], 1.0)) ** 2
    dt = gap_s / STEPS
    pushed = growth(dt)
    heights_2: list[float] = []
    sizes = [rows[2:] for rows in (*state, begin, end)]
    w, h, vw, vh, *size = _led(sizes, dt, [_SHARE_2 * push for push in pushed], noise, heights_2)
    centres = [rows[:2] for rows in (*state, begin, end)]
    x, y, vx, vy, *centre = _led(centres, dt, pushed, noise, heights_2)
    covariances = [[c, c, s, s] for c, s in zip(centre, size, strict=True)]
    return [[x, y, w, h], [vx, vy, vw, vh], *covariances]


def _centre(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
    return 0.5 * (x1 + x2), 0.5 * (y1 + y2), x2 - x1, y2 - y1


def _led(
    pair: Sequence[Sequence[float]],
    dt: float,
    pushed: Sequence[float],
    noise: float,
    heights_2: list[float],
) -> tuple[float, float, float, float, float, float, float]:
    """Two coordinates led along the line, with their velocities and covariances.

    ``pair``: the rows of the state, the begin and the end. ``pushed``: what a step adds to the
    covariances, per squared height. ``heights_2``: squared heights after each step, filled in by
    the sizes, which come first.
    """
    (a, b), (va, vb), (pp, _), (pv, _), (vv, _), (begin_a, begin_b), (end_a, end_b) = pair
    push_pp, push_pv, push_vv = pushed
    sizes = not heights_2
    for step in range(STEPS):
        if step:
            share = step / STEPS
            gain, speed_gain = pp / (pp + noise), pv / (pp + noise)
            off_a = begin_a + share * (end_a - begin_a) - a
            off_b = begin_b + share * (end_b - begin_b) - b
            a, b = a + gain * off_a, b + gain * off_b
            va, vb = va + speed_gain * off_a, vb + speed_gain * off_b
            vv -= speed_gain * pv
            pv -= gain * pv
            pp -= gain * pp
        a, b = a + dt * va, b + dt * vb
        if sizes:
            a, b = max(a, 1.0), max(b, 1.0)
            heights_2.append(b * b)
        pp += dt * (2.0 * pv + dt * vv) + push_pp * heights_2[step]
        pv += dt * vv + push_pv * heights_2[step]
        vv += push_vv * heights_2[step]
    return a, b, va, vb, pp, pv, vv
