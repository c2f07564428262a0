"""Programmes that steer a camera by themselves: what they have in common."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from typing import Protocol

from engine.domain.errors import BarnhandError
from engine.domain.ports import Clock
from engine.domain.ptz import Holder, Motion, PtzDriver
from engine.ptz.camera import PtzCamera
from engine.ptz.orders import Job
from engine.runtime.worker import StopToken

STEP_S = 0.1
"""Programmes look around this often while they wait."""


class Ending(Enum):
    """Why a programme should end: ASKED by a person, HALTED by a stop, TAKEN by a person who steers
    now, REPLACED by another programme, SHUTDOWN of the program."""

    ASKED = "asked"
    HALTED = "halted"
    TAKEN = "taken"
    REPLACED = "replaced"
    SHUTDOWN = "shutdown"


class Seat(Protocol):
    """A camera as one programme uses it. False and None: somebody else has the camera."""

    def hold(self) -> bool: ...

    def move(self, motion: Motion) -> bool: ...

    def stop(self) -> None: ...

    def go_to(self, preset: int) -> Future[None] | None:
        """Resolved when the camera has taken the command, or raises why not."""
        ...

    def release(self) -> None: ...


class CameraSeat:
    """A Seat on a real camera."""

    def __init__(self, camera: PtzCamera, holder: Holder) -> None:
        self.camera = camera
        self.holder = holder

    def hold(self) -> bool:
        """Keep the camera from letting go."""
        return self.camera.hold(self.holder).allowed

    def move(self, motion: Motion) -> bool:
        """Move, or renew the motion."""
        return self.camera.move(self.holder, motion).allowed

    def stop(self) -> None:
        """Stop, as long as nobody else steers."""
        self.camera.move(self.holder, Motion())

    def go_to(self, preset: int) -> Future[None] | None:
        """See Seat."""
        arrived: Future[None] = Future()
        allowed = self.camera.ask(self.holder, preset_job(preset, arrived)).allowed
        return arrived if allowed else None

    def release(self) -> None:
        """Let go."""
        self.camera.release(self.holder)


class Activity:
    """Base of tours, scans and followers: runs on its own worker until done or ended."""

    kind = ""

    def __init__(self, seat: Seat, clock: Clock) -> None:
        self.seat = seat
        self.clock = clock
        self.ending: Ending | None = None
        self.ended_by = ""

    @property
    def title(self) -> str:
        """What it does now, for people."""
        return self.kind

    def end(self, ending: Ending, by: str = "") -> None:
        """Ask it to end; may be called from any thread. The first reason counts."""
        if self.ending is None:
            self.ending, self.ended_by = ending, by

    def taken(self, by: Holder) -> None:
        """A person took the camera."""
        self.end(Ending.TAKEN, by.name)

    def run(self, token: StopToken) -> None:
        """Worker body."""
        raise NotImplementedError

    def rest(
        self, seconds: float, token: StopToken, until: Callable[[], bool] | None = None
    ) -> bool:
        """Wait, keeping the camera; False when it is time to end or the camera was lost.
        ``until`` ends the wait early."""
        end_s = self.clock.mono_s() + seconds
        while self.clock.mono_s() < end_s:
            if until is not None and until():
                return True
            if self.over(token) or not self.seat.hold():
                return False
            self.clock.sleep(min(STEP_S, max(end_s - self.clock.mono_s(), 0.001)))
        return not self.over(token)

    def over(self, token: StopToken) -> bool:
        """It is time to end."""
        if token.stopping:
            self.end(Ending.SHUTDOWN)
        return self.ending is not None


def preset_job(preset: int, arrived: Future[None]) -> Job:
    """Going to a preset."""

    def run(driver: PtzDriver) -> None:
        driver.go_to(preset)
        _resolve(arrived, None)

    def dropped(error: BarnhandError) -> None:
        _resolve(arrived, error)

    return Job(f"Preset {preset}", run, dropped, travels=True, preset=preset)


def _resolve(arrived: Future[None], error: BarnhandError | None) -> None:
    if not arrived.set_running_or_notify_cancel():
        return
    if error is None:
        arrived.set_result(None)
    else:
        arrived.set_exception(error)
