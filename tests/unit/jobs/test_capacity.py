"""When there is time for work that nobody asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from barnhand_desktop.jobs.capacity import WINDOW_S, Capacity


@dataclass
class FakeClock:
    """Time that stands still."""

    now_s: float = 100.0

    def now(self) -> datetime:
        return datetime(2025, 1, 1, tzinfo=UTC)

    def mono_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class Live:
    """Counts of a live analysis."""

    clock: FakeClock = field(default_factory=FakeClock)
    analysed: int = 0
    dropped: int = 0

    def health(self) -> Any:
        stream = SimpleNamespace(analysed=self.analysed, dropped=self.dropped)
        return SimpleNamespace(streams=(stream,))

    def second(self, analysed: int, dropped: int) -> None:
        self.clock.sleep(1.0)
        self.analysed += analysed
        self.dropped += dropped


def test_a_machine_that_keeps_up_has_capacity_and_one_that_drops_has_none() -> None:
    live = Live()
    capacity = Capacity(live.health, live.clock)
    assert capacity()
    for _ in range(20):
        live.second(10, 0)
        assert capacity()
    live.second(10, 0)
    for _ in range(3):
        live.second(5, 5)
        busy = not capacity()
    assert busy


def test_a_picture_dropped_now_and_then_is_no_overload() -> None:
    live = Live()
    capacity = Capacity(live.health, live.clock)
    for second in range(60):
        live.second(40, 1 if second % 5 == 0 else 0)
        assert capacity()


def test_capacity_comes_back_when_nothing_is_dropped_any_more() -> None:
    live = Live()
    capacity = Capacity(live.health, live.clock)
    for _ in range(10):
        live.second(5, 5)
        capacity()
    assert not capacity()
    for _ in range(int(WINDOW_S) + 2):
        live.second(10, 0)
        free = capacity()
    assert free


def test_counts_that_begin_anew_are_no_overload() -> None:
    live = Live()
    capacity = Capacity(live.health, live.clock)
    live.second(1000, 500)
    capacity()
    live.analysed, live.dropped = 10, 0
    live.clock.sleep(1.0)
    assert capacity()
