"""Time that stands still until somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class StillClock:
    """A Clock whose time passes only by ``sleep``; ``on_sleep`` is told how much passed."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.on_sleep: Callable[[float], None] = lambda _seconds: None

    def now(self) -> datetime:
        return datetime(2026, 5, 4, 6, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def mono_s(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_sleep(seconds)
