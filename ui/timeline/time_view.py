"""Which stretch of time is on show: one value that lanes, overview and plots share."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from engine.domain.ports import Clock
from engine.runtime.clock import SystemClock
from ui.timeline.axis import DAY_US, SECOND_US, zoomed
from ui.timeline.cursor import micros

LEAST_US = 200_000
"""Five pictures of a camera at 25 a second."""
MOST_US = 92 * DAY_US
EARLIEST_US = 400 * DAY_US
"""How far back one can look."""
AHEAD = 0.04
"""Share of the window left free after now, so that the newest is not at the very edge."""


class TimeView(QObject):
    """The span on show, in microseconds since 1970 UTC. ``changed`` follows every change;
    ``followed`` whether the window keeps up with now."""

    changed = Signal()
    followed = Signal(bool)

    def __init__(self, parent: QObject | None = None, clock: Clock | None = None) -> None:
        super().__init__(parent)
        self._clock: Clock = clock or SystemClock()
        self._following = False
        now_us = self.now_us
        self._start_us, self._end_us = now_us - DAY_US, now_us
        self.show_last(DAY_US)

    @property
    def now_us(self) -> int:
        """This instant."""
        return micros(self._clock.now())

    @property
    def start_us(self) -> int:
        """The left edge."""
        return self._start_us

    @property
    def end_us(self) -> int:
        """The right edge."""
        return self._end_us

    @property
    def span_us(self) -> int:
        """How much is on show."""
        return self._end_us - self._start_us

    @property
    def following(self) -> bool:
        """Whether the window moves with now."""
        return self._following

    @property
    def shows_now(self) -> bool:
        """Whether this instant is within the window."""
        return self._start_us <= self.now_us <= self._end_us

    def show(self, start_us: int, end_us: int, *, follow: bool = False) -> None:
        """Show from one instant to another, kept within what can be shown."""
        now_us = self.now_us
        length = min(max(end_us - start_us, LEAST_US), MOST_US)
        middle = (start_us + end_us) // 2
        start_us = middle - length // 2
        start_us = min(start_us, now_us)
        start_us = max(start_us, now_us - EARLIEST_US)
        self._set_following(follow)
        if (start_us, start_us + length) != (self._start_us, self._end_us):
            self._start_us, self._end_us = start_us, start_us + length
            self.changed.emit()

    def show_last(self, length_us: int) -> None:
        """The newest stretch, and keep up with now."""
        end_us = self.now_us + round(length_us * AHEAD)
        self.show(end_us - round(length_us * (1 + AHEAD)), end_us, follow=True)

    def pan(self, by_us: int) -> None:
        """Move the window; it no longer follows now."""
        self.show(self._start_us + by_us, self._end_us + by_us)

    def zoom(self, factor: float, about_us: int) -> None:
        """Show ``factor`` times as much, with an instant staying where it is."""
        factor = min(max(factor, LEAST_US / self.span_us), MOST_US / self.span_us)
        start_us, end_us = zoomed(self._start_us, self._end_us, about_us, factor)
        self.show(start_us, end_us, follow=self._following and start_us <= self.now_us <= end_us)

    def bring(self, at_us: int) -> None:
        """Move just as far as is needed for an instant to be on show."""
        room = self.span_us // 10
        if at_us < self._start_us:
            self.pan(at_us - room - self._start_us)
        elif at_us > self._end_us:
            self.pan(at_us + room - self._end_us)

    def follow(self, on: bool = True) -> None:
        """Keep up with now from here on, or stay."""
        if on:
            end_us = self.now_us + round(self.span_us * AHEAD)
            self.show(end_us - self.span_us, end_us, follow=True)
        else:
            self._set_following(False)

    def keep_up(self) -> None:
        """Move with now if it follows; only when it would be seen (a step of a thousandth)."""
        end_us = self.now_us + round(self.span_us * AHEAD)
        if self._following and abs(end_us - self._end_us) >= max(self.span_us // 1000, SECOND_US):
            self.show(end_us - self.span_us, end_us, follow=True)

    def _set_following(self, on: bool) -> None:
        if on != self._following:
            self._following = on
            self.followed.emit(on)
