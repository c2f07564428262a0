"""Who steers: one test a rule."""

from __future__ import annotations

import itertools

import pytest

from engine.domain.ptz import Holder, Motion, Priority
from engine.ptz.arbiter import MESSAGE_S, Arbiter
from tests.unit.ptz.still_time import StillClock

FOLLOW = Holder("follow", "Following", Priority.FOLLOW)
TOUR = Holder("tour", "Tour Night", Priority.TOUR)
CARLA = Holder("login-7", "Carla", Priority.REMOTE)
DORA = Holder("login-8", "Dora", Priority.REMOTE)
ANNA = Holder("console-1", "Anna", Priority.OPERATOR)
BEN = Holder("console-2", "Ben", Priority.OPERATOR)
RIGHT = Motion(pan=0.5)
LADDER = [FOLLOW, TOUR, CARLA, ANNA]


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def arbiter(clock: StillClock) -> Arbiter:
    return Arbiter(clock.mono_s)


@pytest.mark.parametrize(("low", "high"), list(itertools.permutations(range(4), 2)))
def test_a_higher_priority_takes_the_camera_and_a_lower_does_not(
    arbiter: Arbiter, low: int, high: int
) -> None:
    assert arbiter.hold(LADDER[low]).allowed
    grant = arbiter.hold(LADDER[high])
    assert grant.allowed == (high > low)
    assert arbiter.holder == LADDER[max(low, high)]
    assert grant.taken_from == (LADDER[low] if high > low else None)


@pytest.mark.parametrize(("first", "second"), [(ANNA, BEN), (CARLA, DORA)])
def test_an_equal_person_takes_the_camera_with_a_message(
    arbiter: Arbiter, first: Holder, second: Holder
) -> None:
    arbiter.move(first, RIGHT)
    grant = arbiter.hold(second)
    assert grant.allowed and grant.stop and arbiter.motion is None
    assert arbiter.message == f"{second.name} took the camera from {first.name}."


@pytest.mark.parametrize("holder", [FOLLOW, TOUR])
def test_an_equal_programme_does_not_take_the_camera(arbiter: Arbiter, holder: Holder) -> None:
    arbiter.hold(holder)
    other = Holder("another", "Another", holder.priority)
    assert not arbiter.hold(other).allowed and arbiter.holder == holder


def test_two_logins_of_one_name_are_two_holders(arbiter: Arbiter) -> None:
    arbiter.hold(ANNA)
    grant = arbiter.hold(Holder("console-9", "Anna", Priority.OPERATOR))
    assert grant.taken_from == ANNA


def test_a_message_is_forgotten_after_a_while(arbiter: Arbiter, clock: StillClock) -> None:
    arbiter.hold(ANNA)
    arbiter.hold(BEN)
    clock.sleep(MESSAGE_S)
    assert arbiter.message
    clock.sleep(0.1)
    assert not arbiter.message


def test_a_motion_that_is_renewed_goes_on(arbiter: Arbiter, clock: StillClock) -> None:
    arbiter.move(ANNA, RIGHT)
    for _ in range(5):
        clock.sleep(0.9)
        assert not arbiter.tick()
        arbiter.move(ANNA, RIGHT)
    assert arbiter.motion == RIGHT


def test_a_motion_that_is_not_renewed_for_a_second_stops(
    arbiter: Arbiter, clock: StillClock
) -> None:
    arbiter.move(ANNA, RIGHT)
    clock.sleep(0.99)
    assert not arbiter.tick()
    clock.sleep(0.01)
    assert arbiter.tick() and arbiter.motion is None
    assert not arbiter.tick()
    assert arbiter.holder == ANNA and "Anna" in arbiter.message


def test_holding_is_no_renewal_of_a_motion(arbiter: Arbiter, clock: StillClock) -> None:
    arbiter.move(ANNA, RIGHT)
    clock.sleep(0.8)
    arbiter.hold(ANNA)
    clock.sleep(0.2)
    assert arbiter.tick()


def test_a_holder_who_rests_30_s_lets_go(arbiter: Arbiter, clock: StillClock) -> None:
    arbiter.hold(ANNA)
    clock.sleep(29.9)
    arbiter.tick()
    assert arbiter.holder == ANNA
    clock.sleep(0.1)
    assert not arbiter.tick()
    assert arbiter.holder is None and "Anna" in arbiter.message


def test_a_holder_who_acts_does_not_let_go(arbiter: Arbiter, clock: StillClock) -> None:
    arbiter.hold(ANNA)
    clock.sleep(29.0)
    arbiter.use(ANNA)
    clock.sleep(29.0)
    arbiter.tick()
    assert arbiter.holder == ANNA


def test_after_the_rest_anyone_may_have_the_camera(arbiter: Arbiter, clock: StillClock) -> None:
    arbiter.hold(ANNA)
    clock.sleep(30.0)
    arbiter.tick()
    assert arbiter.hold(FOLLOW).allowed


@pytest.mark.parametrize("who", [FOLLOW, TOUR, CARLA, ANNA, BEN])
def test_a_stop_is_never_refused(arbiter: Arbiter, who: Holder) -> None:
    arbiter.move(ANNA, RIGHT)
    arbiter.stop(who)
    assert arbiter.motion is None and arbiter.holder == ANNA


def test_a_still_motion_is_a_stop(arbiter: Arbiter) -> None:
    arbiter.move(ANNA, RIGHT)
    assert arbiter.move(ANNA, Motion()).stop and arbiter.motion is None
    assert not arbiter.move(ANNA, Motion()).stop


def test_letting_go_stops_the_motion(arbiter: Arbiter) -> None:
    arbiter.move(ANNA, RIGHT)
    assert arbiter.release(ANNA).stop
    assert arbiter.holder is None and arbiter.motion is None


def test_only_the_holder_lets_go(arbiter: Arbiter) -> None:
    arbiter.move(ANNA, RIGHT)
    assert not arbiter.release(BEN).allowed
    assert arbiter.holder == ANNA and arbiter.motion == RIGHT


def test_a_preset_ends_the_motion(arbiter: Arbiter) -> None:
    arbiter.move(ANNA, RIGHT)
    assert arbiter.use(ANNA).stop and arbiter.motion is None


def test_who_moves_after_a_takeover_replaces_the_motion(arbiter: Arbiter) -> None:
    arbiter.move(CARLA, RIGHT)
    grant = arbiter.move(ANNA, Motion(tilt=1.0))
    assert grant.taken_from == CARLA and arbiter.motion == Motion(tilt=1.0)
    assert not arbiter.move(CARLA, RIGHT).allowed and arbiter.motion == Motion(tilt=1.0)


def test_due_times(arbiter: Arbiter, clock: StillClock) -> None:
    assert arbiter.due_in_s is None
    arbiter.hold(ANNA)
    assert arbiter.due_in_s == 30.0
    arbiter.move(ANNA, RIGHT)
    clock.sleep(0.25)
    assert arbiter.due_in_s == pytest.approx(0.75)
