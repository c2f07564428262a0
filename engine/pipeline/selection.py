"""Choosing pictures out of a stream: every so often by time, and none oftener."""

from __future__ import annotations

_EARLY_SHARE = 0.25
"""A picture this share of a period early still counts, or jitter would halve equal rates."""
_LEARNING = 0.2


class Selector:
    """Picks pictures at a mean rate of ``fps`` by their own time: those nearest to the beat."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self._due_s: float | None = None
        self._last_s: float | None = None
        self._interval_s: float | None = None

    def picks(self, at_s: float) -> bool:
        """True if the picture taken at ``at_s`` is one to use; call once per picture, in order."""
        period_s = 1.0 / self.fps
        self._learn_interval(at_s)
        if self._due_s is None or at_s < self._due_s - 2.0 * period_s:  # first, or time went back
            self._due_s = at_s
        # Up to half an interval early this picture is nearer to the beat than the next one.
        early_s = _EARLY_SHARE * period_s
        if self._interval_s is not None:
            early_s = min(early_s, 0.49 * self._interval_s)
        if at_s < self._due_s - early_s:
            return False
        self._due_s = max(self._due_s + period_s, at_s + period_s / 2.0)
        return True

    def _learn_interval(self, at_s: float) -> None:
        if self._last_s is not None and at_s > self._last_s:
            step_s = at_s - self._last_s
            if self._interval_s is None:
                self._interval_s = step_s
            self._interval_s += _LEARNING * (step_s - self._interval_s)
        self._last_s = at_s


def fitted(
    width_px: int, height_px: int, into_px: tuple[int, int]
) -> tuple[tuple[int, int], float]:
    """Size and scale of a picture that fills as much of ``into_px`` as its shape allows."""
    scale = min(into_px[0] / width_px, into_px[1] / height_px)
    size = (
        min(max(round(width_px * scale), 1), into_px[0]),
        min(max(round(height_px * scale), 1), into_px[1]),
    )
    return size, scale
