"""The one cursor that players and plots share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtWidgets import QApplication

from engine.domain.errors import Bug
from ui.timeline.cursor import SPEEDS, TimeCursor, TimeRange

NOON = datetime(2026, 11, 19, 12, 0, tzinfo=UTC)


class HeldClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed_s)

    def mono_s(self) -> float:
        return self.passed_s

    def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def head(dressed: QApplication, clock: HeldClock) -> TimeCursor:
    return TimeCursor(clock=clock)


def test_it_tells_where_it_goes_and_never_beyond_now(head: TimeCursor) -> None:
    heard: list[object] = []
    head.moved.connect(heard.append)
    head.move_to(NOON - timedelta(hours=1))
    head.move_to(NOON - timedelta(hours=1))
    head.move_to(NOON + timedelta(hours=1))
    assert heard == [NOON - timedelta(hours=1), NOON]
    assert head.at == NOON


def test_time_passes_at_its_speed(head: TimeCursor, clock: HeldClock) -> None:
    head.move_to(NOON - timedelta(hours=1))
    head.set_speed(4.0)
    head.play()
    clock.passed_s = 2.5
    head.tick()
    assert head.at == NOON - timedelta(hours=1) + timedelta(seconds=10)
    head.pause()
    clock.passed_s = 5.0
    head.tick()
    assert head.at == NOON - timedelta(hours=1) + timedelta(seconds=10)


def test_a_player_that_is_not_ready_holds_it(head: TimeCursor, clock: HeldClock) -> None:
    head.move_to(NOON - timedelta(hours=1))
    players = [object(), object()]
    head.play()
    for player in players:
        head.hold(player)
    clock.passed_s = 3.0
    head.let_go(players[0])
    head.tick()
    assert head.held and head.at == NOON - timedelta(hours=1)
    clock.passed_s = 7.0
    head.let_go(players[1])
    clock.passed_s = 8.0
    head.tick()
    assert not head.held
    assert head.at == NOON - timedelta(hours=1) + timedelta(seconds=1)
    head.pause()


def test_it_pauses_at_now(head: TimeCursor, clock: HeldClock) -> None:
    heard: list[bool] = []
    head.playing_changed.connect(heard.append)
    head.move_to(NOON - timedelta(seconds=1))
    head.set_speed(16.0)
    head.play()
    clock.passed_s = 1.0
    head.tick()
    assert heard == [True, False]
    assert head.at == clock.now()


def test_steps_are_pictures(head: TimeCursor) -> None:
    head.move_to(NOON - timedelta(seconds=10))
    head.play()
    head.step(-1, fps=25.0)
    assert not head.playing
    assert head.at == NOON - timedelta(seconds=10.04)


def test_speeds_go_up_and_down_their_ladder(head: TimeCursor) -> None:
    for _ in SPEEDS:
        head.faster()
    assert head.speed == SPEEDS[-1]
    for _ in SPEEDS:
        head.slower()
    assert head.speed == SPEEDS[0]


def test_a_range_is_from_the_earlier_to_the_later(head: TimeCursor) -> None:
    heard: list[object] = []
    head.range_changed.connect(heard.append)
    later, earlier = NOON, NOON - timedelta(minutes=5)
    head.mark(later, earlier)
    assert head.range == TimeRange(earlier, later) and head.range.seconds == 300
    head.mark(earlier, earlier)
    assert head.range is None
    assert heard == [TimeRange(earlier, later), None]
    with pytest.raises(Bug):
        TimeRange(later, earlier)
