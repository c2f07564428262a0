"""Tours: ordered presets with dwell times, again and again."""

from __future__ import annotations

import logging

from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.ports import Clock
from engine.domain.ptz import Holder, Tour
from engine.ptz.activity import Activity, Seat
from engine.ptz.schedules import check_schedule
from engine.runtime.worker import StopToken

log = logging.getLogger(__name__)

ANSWER_S = 12.0
"""How long a camera may take to accept a preset: two tries of 5 s and the queue."""
DWELL_LEAST_S = 2.0
WAIT_FOR_PEOPLE_S = 1.0


class TourRun(Activity):
    """One tour on its way round. A person who takes the camera makes it wait; it goes on with the
    next preset when the person lets go. ``by_schedule``: it was started by its schedule and is
    ended with the window."""

    kind = "tour"

    def __init__(self, seat: Seat, clock: Clock, tour: Tour, by_schedule: bool = False) -> None:
        check_tour(tour)
        super().__init__(seat, clock)
        self.tour = tour
        self.by_schedule = by_schedule
        self.step = 0
        self.waiting = False
        self.trouble = ""

    @property
    def title(self) -> str:
        """See Activity."""
        if self.waiting:
            return f"Tour {self.tour.name} waits"
        return f"Tour {self.tour.name}, preset {self.tour.steps[self.step].preset}"

    def taken(self, by: Holder) -> None:
        """See Activity: a tour waits instead of ending."""
        self.waiting = True

    def run(self, token: StopToken) -> None:
        """Worker body."""
        while not self.over(token):
            if self.waiting or not self.seat.hold():
                self._wait(token)
            elif self._visit(token):
                self.step = (self.step + 1) % len(self.tour.steps)
        self.seat.release()

    def _visit(self, token: StopToken) -> bool:
        """Go to the present step's preset and stay; False when somebody took the camera."""
        step = self.tour.steps[self.step]
        arrived = self.seat.go_to(step.preset)
        if arrived is None or not self.rest(ANSWER_S, token, arrived.done):
            return False
        self.trouble = ""
        if arrived.done() and (error := arrived.exception()) is not None:
            self.trouble = str(error)
            if not isinstance(error, BarnhandError):
                raise error
            log.warning("tour %s: %s", self.tour.name, error)
        return self.rest(max(step.dwell_s, DWELL_LEAST_S), token, lambda: self.waiting)

    def _wait(self, token: StopToken) -> None:
        self.waiting = True
        end_s = self.clock.mono_s() + WAIT_FOR_PEOPLE_S
        while self.clock.mono_s() < end_s and not self.over(token):
            self.clock.sleep(0.1)
        if not self.over(token) and self.seat.hold():
            self.waiting = False


def check_tour(tour: Tour) -> None:
    """Raise OperatorMistake for a tour that cannot be made."""
    if not tour.steps:
        raise OperatorMistake(f"The tour {tour.name} has no presets.", "Add one at least.")
    for step in tour.steps:
        if not 1 <= step.preset <= 8:
            raise OperatorMistake(f"The tour {tour.name} goes to preset {step.preset} of 1 to 8.")
        if step.dwell_s <= 0:
            raise OperatorMistake(f"The tour {tour.name} stays no time at preset {step.preset}.")
    if tour.schedule is not None:
        check_schedule(tour.schedule)
