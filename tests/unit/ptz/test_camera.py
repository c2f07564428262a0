"""What one camera is told, in which order, whatever it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.domain.errors import EnvironmentFault
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.ptz import Capabilities, Holder, Motion, Priority, PtzDriver
from engine.ptz.camera import JOBS_AT_MOST, PtzCamera
from engine.ptz.cgi import CameraRefused, CameraSilent
from engine.ptz.orders import Job
from engine.runtime.clock import SystemClock
from engine.settings import PtzSettings
from tests.helpers.waiting import wait_until

ANNA = Holder("console-1", "Anna", Priority.OPERATOR)
RIGHT = Motion(pan=1.0)


class FailingCamera:
    """A driver that writes down what it is told and fails on purpose. While ``gate`` is closed its
    calls do not return."""

    renewal_s: float | None = None

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fails: Callable[[str], Exception | None] = lambda _what: None
        self.gate = threading.Event()
        self.gate.set()
        self.guarded: list[str] = []
        self.watched = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(True, True, True, 8, True)

    def move(self, motion: Motion) -> None:
        self._tell(f"move {motion.pan:g}")

    def stop(self) -> None:
        self._tell("stop")

    def go_to(self, preset: int) -> None:
        self._tell(f"preset {preset}")

    def store(self, preset: int) -> None:
        self._tell(f"store {preset}")

    def snapshot(self) -> bytes:
        return b""

    def close(self) -> None:
        self.told.append("close")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        assert self.gate.wait(20.0)
        if (error := self.fails(what)) is not None:
            raise error

    def moving(self, _stream_id: StreamId) -> None:
        self.watched += 1
        if self.guarded[-1:] != ["moving"]:
            self.guarded.append("moving")

    def still(self, _stream_id: StreamId) -> None:
        self.guarded.append("still")


@contextmanager
def camera_of(driver: FailingCamera, stop_at_start: bool = False) -> Iterator[PtzCamera]:
    settings = PtzSettings(stop_at_start=stop_at_start, renewal_s=5.0, preset_settle_s=0.0)
    camera = PtzCamera(new_stream_id(), "Yard", lambda: driver, settings, SystemClock(), driver)
    camera.start()
    try:
        yield camera
    finally:
        driver.gate.set()
        driver.fails = lambda _what: None
        camera.ask_to_stop()
        assert camera.join(10.0)


def preset(number: int) -> Job:
    return Job(f"Preset {number}", lambda d: d.go_to(number), travels=True, preset=number)


def test_a_program_that_starts_stops_the_camera_first() -> None:
    driver = FailingCamera()
    with camera_of(driver, stop_at_start=True) as camera:
        camera.move(ANNA, RIGHT)
        wait_until(lambda: driver.told == ["stop", "move 1"])
    assert driver.told[-2:] == ["stop", "close"]
    assert driver.guarded == ["moving", "still"]


def test_the_guard_is_told_again_while_a_movement_goes_on() -> None:
    driver = FailingCamera()
    with camera_of(driver) as camera:
        camera.move(ANNA, RIGHT)
        wait_until(lambda: driver.watched >= 3)
        assert driver.told == ["move 1"] and driver.guarded == ["moving"]


def test_of_many_moves_only_the_newest_is_sent() -> None:
    driver = FailingCamera()
    with camera_of(driver) as camera:
        driver.gate.clear()
        camera.move(ANNA, Motion(pan=0.1))
        wait_until(lambda: len(driver.told) == 1)
        for share in (0.2, 0.3, 0.4):
            camera.move(ANNA, Motion(pan=share))
        driver.gate.set()
        wait_until(lambda: driver.told == ["move 0.1", "move 0.4"])


def test_a_stop_is_sent_between_two_moves() -> None:
    driver = FailingCamera()
    with camera_of(driver) as camera:
        driver.gate.clear()
        camera.move(ANNA, Motion(pan=0.1))
        wait_until(lambda: len(driver.told) == 1)
        camera.stop(ANNA)
        camera.move(ANNA, Motion(pan=0.2))
        driver.gate.set()
        wait_until(lambda: driver.told == ["move 0.1", "stop", "move 0.2"])


def test_a_stop_is_repeated_until_the_camera_has_taken_it() -> None:
    driver = FailingCamera()
    silent = iter([CameraSilent("away")] * 4)
    driver.fails = lambda what: next(silent, None) if what == "stop" else None
    with camera_of(driver) as camera:
        camera.move(ANNA, RIGHT)
        wait_until(lambda: driver.told == ["move 1"])
        camera.stop(ANNA)
        wait_until(lambda: camera.state().fault == "away")
        assert camera.suspended
        wait_until(lambda: camera.state().fault == "")
        assert driver.told == ["move 1", *["stop"] * 5]


def test_a_stop_that_was_refused_is_repeated_too_while_the_camera_moves() -> None:
    driver = FailingCamera()
    refusals = iter([CameraRefused("no")] * 2)
    driver.fails = lambda what: next(refusals, None) if what == "stop" else None
    with camera_of(driver) as camera:
        camera.move(ANNA, RIGHT)
        wait_until(lambda: driver.told == ["move 1"])
        camera.stop(ANNA)
        wait_until(lambda: driver.told.count("stop") == 3)


def test_a_move_without_an_answer_is_followed_by_a_stop_before_it_is_tried_again() -> None:
    driver = FailingCamera()
    silent = iter([CameraSilent("away")])
    driver.fails = lambda what: next(silent, None) if what == "move 1" else None
    with camera_of(driver) as camera:
        camera.move(ANNA, RIGHT)
        wait_until(lambda: driver.told == ["move 1", "stop", "move 1"])


def test_a_move_that_was_refused_is_not_tried_again_and_asks_for_no_stop() -> None:
    driver = FailingCamera()
    driver.fails = lambda what: CameraRefused("no") if what == "move 1" else None
    with camera_of(driver) as camera:
        camera.move(ANNA, RIGHT)
        wait_until(lambda: camera.state().fault == "no" and camera.state().moving is None)
        assert driver.told == ["move 1"] and driver.guarded == ["moving", "still"]
        assert not camera.suspended


def test_a_program_ends_although_a_camera_that_stands_still_is_away() -> None:
    driver = FailingCamera()
    with camera_of(driver, stop_at_start=True) as camera:
        driver.fails = lambda _what: CameraSilent("away")
        wait_until(lambda: "stop" in driver.told)
        camera.ask_to_stop()
        assert camera.join(10.0)


def test_a_preset_stops_a_moving_camera_first_and_a_move_drops_waiting_presets() -> None:
    driver = FailingCamera()
    dropped: list[str] = []
    with camera_of(driver) as camera:
        camera.move(ANNA, RIGHT)
        wait_until(lambda: driver.told == ["move 1"])
        camera.ask(ANNA, preset(3))
        wait_until(lambda: camera.state().preset == 3)
        assert driver.told == ["move 1", "stop", "preset 3"]
        driver.gate.clear()
        camera.ask(ANNA, preset(4))
        wait_until(lambda: driver.told[-1] == "preset 4")
        late = Job("Preset 5", lambda d: d.go_to(5), lambda e: dropped.append(str(e)), travels=True)
        camera.ask(ANNA, late)
        camera.move(ANNA, Motion(pan=0.5))
        driver.gate.set()
        wait_until(lambda: driver.told[-1] == "move 0.5")
        assert "preset 5" not in driver.told and "dropped" in dropped[0]
        wait_until(lambda: camera.state().preset is None)


def test_too_many_commands_are_refused() -> None:
    driver = FailingCamera()
    with camera_of(driver) as camera:
        driver.gate.clear()
        camera.move(ANNA, RIGHT)
        wait_until(lambda: len(driver.told) == 1)
        look = Job("A snapshot", lambda _driver: None)
        assert [camera.look(look) for _ in range(JOBS_AT_MOST + 1)][-2:] == [True, False]
        assert not camera.ask(ANNA, preset(1)).allowed


def test_a_job_that_fails_is_told_and_nothing_is_repeated() -> None:
    driver = FailingCamera()
    driver.fails = lambda _what: EnvironmentFault("The camera is away.")
    told: list[str] = []
    with camera_of(driver) as camera:
        job = Job("Preset 2", lambda d: d.go_to(2), lambda e: told.append(str(e)), travels=True)
        camera.ask(ANNA, job)
        wait_until(lambda: told == ["The camera is away."])
        assert driver.told == ["preset 2"]
        assert camera.state().message == "Preset 2 failed: The camera is away."


def test_who_waits_behind_a_stop_that_does_not_get_through_is_told() -> None:
    driver = FailingCamera()
    told: list[str] = []
    driver.fails = lambda _what: CameraSilent("away")
    with camera_of(driver, stop_at_start=True) as camera:
        wait_until(lambda: camera.state().fault == "away")
        camera.look(Job("A snapshot", lambda d: None, lambda e: told.append(str(e))))
        wait_until(lambda: told == ["away"])


def test_a_driver_that_cannot_be_opened_is_a_fault_that_is_shown() -> None:
    def connect() -> PtzDriver:
        raise CameraRefused("The extra is missing.")

    driver = FailingCamera()
    settings = PtzSettings(stop_at_start=False)
    camera = PtzCamera(new_stream_id(), "Yard", connect, settings, SystemClock(), driver)
    camera.start()
    camera.move(ANNA, RIGHT)
    wait_until(lambda: camera.state().fault == "The extra is missing.")
    camera.ask_to_stop()
    assert camera.join(10.0)
