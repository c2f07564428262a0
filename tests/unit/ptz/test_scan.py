"""The barn scan's phases, on a clock that stands still between its steps."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.domain.frames import Image
from engine.domain.ids import new_stream_id
from engine.domain.ptz import Holder, Priority, ScanPhase, ScanPlan, ScanProgress
from engine.ptz.activity import Ending
from engine.ptz.scan import ScanRun, check_plan, difference
from engine.runtime.worker import StopToken
from engine.simulation.ptz_view import MovingView, ViewState, drawn_panorama
from tests.unit.ptz.seats import PaperSeat
from tests.unit.ptz.still_time import StillClock

STREAM = new_stream_id()
HORSES = {2: 1, 5: 3}
ANNA = Holder("console-1", "Anna", Priority.OPERATOR)


class PaperEyes:
    """Sees the simulated view; which presets show horses is written down."""

    def __init__(self, seat: PaperSeat, clock: StillClock) -> None:
        self.seat, self.clock = seat, clock
        self.asked_while_moving = 0
        self.recorded: list[tuple[int, float]] = []
        self.blind = False
        self.flickers = False

    def small(self) -> tuple[float, Image] | None:
        if self.flickers:
            level = round(self.clock.mono_s() * 10) * 70 % 256
            return self.clock.mono_s(), np.full((90, 160), level, np.uint8)
        picture = self.seat.view.picture()[::4, ::4, 1]
        return self.clock.mono_s(), np.ascontiguousarray(picture)

    def picture(self) -> Image | None:
        return self.seat.view.picture()

    def horses(self, since_mono_s: float) -> tuple[int, int]:
        self.asked_while_moving += self.seat.view.moving
        seen = 0 if self.blind else int((self.clock.mono_s() - since_mono_s) * 10)
        return HORSES.get(self.seat.visited[-1], 0), seen

    def record(self, name: str, seconds: float, going: Callable[[], bool]) -> str:
        end_s = self.clock.mono_s() + seconds
        self.recorded.append((self.seat.visited[-1], seconds))
        while self.clock.mono_s() < end_s and going():
            self.clock.sleep(0.1)
        return f"{name}.mp4"


class Barn:
    """A scan over eight presets, and every progress it showed on the way."""

    def __init__(self, plan: ScanPlan | None = None) -> None:
        self.clock = StillClock()
        self.clock.on_sleep = self._watch
        view = MovingView(drawn_panorama(), self.clock.mono_s)
        for number in range(1, 9):
            view.store(number, ViewState(640.0 * number - 320.0, 720.0, 1.0))
        self.seat = PaperSeat(view)
        self.eyes = PaperEyes(self.seat, self.clock)
        self.plan = plan or ScanPlan(STREAM, tuple(range(1, 9)))
        self.run = ScanRun(
            self.seat, self.eyes, self.clock, uuid4(), self.plan, "Yard", home_preset=4
        )
        self.shown: list[ScanProgress] = []
        self.on_step: Callable[[], None] = lambda: None

    def scan(self) -> ScanProgress:
        self.run.run(StopToken())
        self._watch(0.0)
        return self.run.progress

    def _watch(self, _seconds: float) -> None:
        self.shown.append(self.run.progress)
        self.on_step()


def test_it_looks_at_all_and_records_those_with_horses_and_goes_home() -> None:
    barn = Barn()
    end = barn.scan()
    assert end.phase is ScanPhase.DONE and end.done == end.total == 17
    assert barn.seat.visited == [*range(1, 9), 2, 5, 4]
    assert barn.eyes.recorded == [(2, 10.0), (5, 10.0)]
    assert [view.preset for view in end.views if view.recording] == [2, 5]
    assert {view.preset: view.horses for view in end.views if view.horses} == HORSES
    assert all(view.picture is not None and len(view.picture) <= 50 * 1024 for view in end.views)
    assert barn.eyes.asked_while_moving == 0
    assert end.message == "4 horses at 2 of 8 presets."
    assert barn.seat.released


def test_progress_never_runs_backwards_and_its_phases_come_in_order() -> None:
    barn = Barn()
    barn.scan()
    done = [progress.done for progress in barn.shown]
    assert done == sorted(done) and len(set(done)) > 8
    order = [ScanPhase.LOOKING, ScanPhase.RECORDING, ScanPhase.RETURNING, ScanPhase.DONE]
    seen = list(dict.fromkeys(progress.phase for progress in barn.shown))
    assert [phase for phase in seen if phase is not ScanPhase.RETURNING] == [
        phase for phase in order if phase is not ScanPhase.RETURNING
    ]


def test_a_view_that_never_stands_still_is_looked_at_after_the_longest_wait() -> None:
    barn = Barn(ScanPlan(STREAM, (1,), settle_s=5.0))
    began_s = barn.clock.mono_s()
    barn.eyes.flickers = True
    assert barn.scan().phase is ScanPhase.DONE
    assert 5.0 <= barn.clock.mono_s() - began_s < 8.0


def test_a_still_view_is_waited_for_2_s_at_least() -> None:
    barn = Barn(ScanPlan(STREAM, (1,), settle_s=15.0))
    began_s = barn.clock.mono_s()
    barn.scan()
    assert 2.0 <= barn.clock.mono_s() - began_s < 4.5


def test_a_preset_that_fails_is_named_and_the_others_are_seen() -> None:
    barn = Barn()
    barn.seat.faults[3] = EnvironmentFault("The camera does not answer.")
    end = barn.scan()
    assert end.phase is ScanPhase.DONE
    assert [view.preset for view in end.views if view.fault] == [3]
    assert "1 with faults" in end.message


def test_without_any_view_it_fails_and_goes_home() -> None:
    barn = Barn()
    barn.eyes.blind = True
    end = barn.scan()
    assert end.phase is ScanPhase.FAILED and "analysed" in end.message
    assert barn.seat.visited[-1] == 4 and barn.seat.released


@pytest.mark.parametrize("after", [3, 9])
def test_stopped_by_a_person_it_keeps_what_it_saw_and_goes_home(after: int) -> None:
    barn = Barn()

    def stop() -> None:
        if len(barn.seat.visited) == after:
            barn.run.end(Ending.ASKED, "Anna")

    barn.on_step = stop
    end = barn.scan()
    assert end.phase is ScanPhase.STOPPED and end.message.startswith("Stopped by Anna.")
    assert len(end.views) == min(after - 1, 8) and barn.seat.visited[-1] == 4
    done = [progress.done for progress in barn.shown]
    assert done == sorted(done) and end.done < end.total


@pytest.mark.parametrize("ending", [Ending.TAKEN, Ending.HALTED, Ending.SHUTDOWN])
def test_it_does_not_move_a_camera_that_a_person_wants(ending: Ending) -> None:
    barn = Barn()

    def interrupt() -> None:
        if len(barn.seat.visited) == 3:
            barn.run.end(ending, "Anna")

    barn.on_step = interrupt
    assert barn.scan().phase is ScanPhase.STOPPED
    assert barn.seat.visited == [1, 2, 3] and barn.seat.released


def test_a_camera_that_was_lost_ends_it() -> None:
    barn = Barn()

    def lose() -> None:
        barn.seat.lost = len(barn.seat.visited) >= 2

    barn.on_step = lose
    end = barn.scan()
    assert end.phase is ScanPhase.STOPPED and "took the camera" in end.message


def test_a_person_who_takes_the_camera_is_named() -> None:
    barn = Barn()

    def take() -> None:
        if len(barn.seat.visited) == 2:
            barn.run.taken(ANNA)

    barn.on_step = take
    assert barn.scan().message.startswith("Stopped: Anna took the camera.")


@pytest.mark.parametrize(
    "plan",
    [
        ScanPlan(STREAM, ()),
        ScanPlan(STREAM, (0,)),
        ScanPlan(STREAM, (9,)),
        ScanPlan(STREAM, (1, 1)),
        ScanPlan(STREAM, (1,), settle_s=1.9),
        ScanPlan(STREAM, (1,), settle_s=15.1),
        ScanPlan(STREAM, (1,), record_s=4.9),
        ScanPlan(STREAM, (1,), record_s=30.1),
    ],
)
def test_plans_outside_the_limits_are_refused(plan: ScanPlan) -> None:
    with pytest.raises(OperatorMistake):
        check_plan(plan)


def test_the_difference_of_pictures() -> None:
    dark, light = np.zeros((4, 4), np.uint8), np.full((4, 4), 10, np.uint8)
    assert difference(dark, light) == 10.0
    assert difference(dark, light[:2]) == 255.0
