"""When to try a lost camera again."""

from __future__ import annotations

STABLE_AFTER_S = 10.0
"""A connection that held this long starts the sequence from the beginning when it breaks."""

_STEPS = ((5, 1.0), (5, 5.0), (10, 10.0))
_LAST_S = 60.0
_JITTER = 0.2


def retry_delay_s(attempt: int, chance: float) -> float:
    """Seconds to wait before attempt number ``attempt`` (1 is the first after a failure).

    1 s five times, 5 s five times, 10 s ten times, then 60 s, each shortened or lengthened by up
    to a fifth by ``chance`` in 0..1, so that cameras that failed together come back apart.
    """
    left = attempt
    delay_s = _LAST_S
    for times, seconds in _STEPS:
        if left <= times:
            delay_s = seconds
            break
        left -= times
    return delay_s * (1.0 + _JITTER * (2.0 * chance - 1.0))
