"""Tours on a clock that stands still between their steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time
from uuid import uuid4

import pytest

from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.domain.ids import new_stream_id
from engine.domain.ptz import Holder, Priority, Schedule, Tour, TourStep
from engine.ptz.activity import Ending
from engine.ptz.tours import TourRun, check_tour
from engine.runtime.worker import StopToken
from engine.simulation.ptz_view import MovingView, drawn_panorama
from tests.unit.ptz.seats import PaperSeat
from tests.unit.ptz.still_time import StillClock

ANNA = Holder("console-1", "Anna", Priority.OPERATOR)
ROUND = Tour(
    uuid4(), new_stream_id(), "Night", (TourStep(1, 5.0), TourStep(7, 10.0), TourStep(3, 2.0))
)


class Walk:
    """A tour, and when it came to each preset."""

    def __init__(self, seconds: float, tour: Tour = ROUND) -> None:
        self.clock = StillClock()
        self.clock.on_sleep = self._watch
        self.seat = PaperSeat(MovingView(drawn_panorama(), self.clock.mono_s))
        self.run = TourRun(self.seat, self.clock, tour)
        self.began_s = self.clock.mono_s()
        self.end_s = self.began_s + seconds
        self.arrivals: list[tuple[float, int]] = []
        self.on_step: Callable[[float], None] = lambda _seconds: None

    def go(self) -> list[tuple[float, int]]:
        self.run.run(StopToken())
        return self.arrivals

    def _watch(self, _seconds: float) -> None:
        passed_s = self.clock.mono_s() - self.began_s
        if len(self.seat.visited) > len(self.arrivals):
            self.arrivals.append((round(passed_s), self.seat.visited[-1]))
        self.on_step(passed_s)
        if self.clock.mono_s() >= self.end_s:
            self.run.end(Ending.ASKED, "Anna")


def test_it_goes_round_in_order_with_its_dwell_times() -> None:
    assert Walk(33.0).go() == [(0, 1), (5, 7), (15, 3), (17, 1), (22, 7), (32, 3)]


def test_it_waits_for_a_person_and_goes_on_with_the_next_preset() -> None:
    walk = Walk(40.0)

    def person(passed_s: float) -> None:
        taken = 8.0 <= passed_s < 20.0
        if taken and not walk.seat.lost:
            walk.run.taken(ANNA)
        walk.seat.lost = taken
        if taken and passed_s > 9.0:
            assert walk.run.title == "Tour Night waits"

    walk.on_step = person
    arrivals = walk.go()
    assert arrivals[:2] == [(0, 1), (5, 7)]
    assert arrivals[2][1] == 3 and 20 <= arrivals[2][0] <= 22
    assert arrivals[3][1] == 1


def test_a_preset_that_fails_does_not_end_it() -> None:
    walk = Walk(16.0)
    walk.seat.faults[7] = EnvironmentFault("The camera does not answer.")
    assert [preset for _, preset in walk.go()] == [1, 7, 3]


def test_it_lets_go_at_its_end() -> None:
    walk = Walk(3.0)
    walk.go()
    assert walk.seat.released and walk.run.title == "Tour Night, preset 1"


@pytest.mark.parametrize(
    "tour",
    [
        replace(ROUND, steps=()),
        replace(ROUND, steps=(TourStep(0, 5.0),)),
        replace(ROUND, steps=(TourStep(9, 5.0),)),
        replace(ROUND, steps=(TourStep(1, 0.0),)),
        replace(ROUND, schedule=Schedule(frozenset(), time(1), time(2))),
    ],
)
def test_senseless_tours_are_refused(tour: Tour) -> None:
    with pytest.raises(OperatorMistake):
        check_tour(tour)
