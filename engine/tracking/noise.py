"""What the filter of boxes takes for granted: how horses move and how detectors err.

Noise grows with the box's height, as in SORT (Bewley et al. 2016): a near horse moves more pixels.
Acceleration is white noise in continuous time, so that the filter behaves the same at 5 and at 30
pictures a second (Bar-Shalom, Li and Kirubarajan 2001, section 6.2.2).
"""

from __future__ import annotations

ACCELERATION_HEIGHTS = 0.4
"""Acceleration noise in box heights per s^1.5: the speed of a box wanders by this many heights per
second in one second."""
WOBBLE_HEIGHTS = 0.05
"""Position noise in box heights per s^0.5: limbs, head and neck move the box, not the horse."""
SIZE_SHARE = 0.5
"""Width and height change this much less than the centre moves."""
MEASUREMENT_HEIGHTS = 0.1
"""Measurement noise: standard deviation of a detected edge in box heights, twice SORT's 1/20: a
detector's errors last several pictures, and a box that follows them runs away when hidden."""
DOUBT = 2.0
"""A detection of score 0 is this many times noisier still (NSA Kalman, Du et al. 2021)."""
INITIAL_SPEED_HEIGHTS_S = 1.5
"""Standard deviation of a new track's unknown speed, box heights per second (a walking horse)."""


def growth(dt: float) -> tuple[float, float, float]:
    """What ``dt`` seconds add to the covariances position-position, position-velocity and
    velocity-velocity of a centre, in squared heights; of a size ``SIZE_SHARE`` squared of it."""
    push = ACCELERATION_HEIGHTS**2 * dt
    return push * dt * dt / 3 + WOBBLE_HEIGHTS**2 * dt, push * dt / 2, push
