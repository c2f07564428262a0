"""The barn scan: look at every preset, record those with horses, go home."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from dataclasses import replace
from uuid import UUID

import cv2
import numpy as np

from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake
from engine.domain.frames import Image
from engine.domain.ports import Clock
from engine.domain.ptz import ScanPhase, ScanPlan, ScanProgress, ScanView
from engine.ptz.activity import Activity, Ending, Seat
from engine.ptz.eyes import ENOUGH_RESULTS, Eyes, recording_name
from engine.ptz.pictures import jpeg_of
from engine.ptz.schedules import check_schedule
from engine.runtime.worker import StopToken

log = logging.getLogger(__name__)

SETTLE_LEAST_S, SETTLE_MOST_S = 2.0, 15.0
RECORD_LEAST_S, RECORD_MOST_S = 5.0, 30.0
"""Specification: issue on camera control, barn scan."""
STILL_LEVELS = 2.5
"""Mean difference in grey levels (of 255) between two small pictures below which a view stands
still: above what a walking horse or sensor noise changes, far below a turning camera."""
STILL_PICTURES = 3
"""Pictures in a row that have to be alike."""
STILL_EVERY_S = 0.2
LOOK_AT_MOST_S = 6.0
"""How long a view is looked at to count its horses."""
ANSWER_S = 12.0
HOME_S = 12.0


class _Interrupted(Exception):
    """It is time to end, or somebody took the camera."""


class ScanRun(Activity):
    """One scan. Every step of both phases counts in ``progress``, which never runs backwards;
    presets without horses are done at once when the second phase begins."""

    kind = "scan"

    def __init__(
        self,
        seat: Seat,
        eyes: Eyes,
        clock: Clock,
        scan_id: UUID,
        plan: ScanPlan,
        camera_name: str,
        home_preset: int,
    ) -> None:
        check_plan(plan)
        super().__init__(seat, clock)
        self._eyes = eyes
        self._plan = plan
        self._camera_name = camera_name
        self._home = home_preset
        self._lock = threading.Lock()
        total = 2 * len(plan.presets) + 1
        self._progress = ScanProgress(
            scan_id, plan.stream_id, ScanPhase.LOOKING, 0, total, (), "The scan begins."
        )

    @property
    def progress(self) -> ScanProgress:
        """How far it is."""
        with self._lock:
            return self._progress

    @property
    def title(self) -> str:
        """See Activity."""
        now = self.progress
        return f"Barn scan, {now.done} of {now.total}"

    def run(self, token: StopToken) -> None:
        """Worker body: always ends in one of the end phases."""
        phase, message = ScanPhase.FAILED, "The scan failed."
        try:
            self._look_at_all(token)
            self._record_all(token)
            phase, message = ScanPhase.DONE, self._summary()
        except _Interrupted:
            phase, message = ScanPhase.STOPPED, self._why_stopped()
        except BarnhandError as error:
            message = f"The scan failed: {error}"
            log.warning("scan of %s: %s", self._camera_name, error)
        finally:
            self._go_home(token)
            self.seat.release()
            now = self.progress
            done = now.total if phase is ScanPhase.DONE else now.done
            self._show(phase, done, message)

    # --- phases -----------------------------------------------------------------------------------

    def _look_at_all(self, token: StopToken) -> None:
        for index, preset in enumerate(self._plan.presets, 1):
            self._tell(f"Looking at preset {preset}.")
            view = self._look(preset, token)
            with self._lock:
                views = (*self._progress.views, view)
                self._progress = replace(self._progress, views=views, done=index)
        if all(view.fault for view in self.progress.views):
            raise EnvironmentFault("No preset could be looked at.", self.progress.views[-1].fault)

    def _look(self, preset: int, token: StopToken) -> ScanView:
        try:
            settled_mono_s = self._visit(preset, token)
            horses = self._count(settled_mono_s, token)
        except BarnhandError as error:
            return ScanView(preset, 0, None, "", self.clock.now(), str(error))
        picture = self._eyes.picture()
        jpeg = None if picture is None else jpeg_of(picture)
        return ScanView(preset, horses, jpeg, "", self.clock.now())

    def _record_all(self, token: StopToken) -> None:
        views = self.progress.views
        with_horses = [index for index, view in enumerate(views) if view.horses > 0]
        done = len(views) * 2 - len(with_horses)
        self._show(ScanPhase.RECORDING, done, f"{len(with_horses)} presets show horses.")
        for index in with_horses:
            self._tell(f"Recording preset {views[index].preset}.")
            view = self._record(views[index], token)
            with self._lock:
                kept = [*self._progress.views]
                kept[index] = view
                done = self._progress.done + 1
                self._progress = replace(self._progress, views=tuple(kept), done=done)

    def _record(self, view: ScanView, token: StopToken) -> ScanView:
        try:
            self._visit(view.preset, token)
            name = recording_name(self._camera_name, view.preset, self.clock.now())
            seconds = self._plan.record_s
            file = self._eyes.record(name, seconds, lambda: self._still_mine(token))
        except BarnhandError as error:
            return replace(view, fault=str(error))
        if self.over(token):
            raise _Interrupted
        return replace(view, recording=file)

    def _go_home(self, token: StopToken) -> None:
        """Back to the home preset: not when a person steers, pressed stop, or the program ends."""
        if self.ending in (Ending.TAKEN, Ending.HALTED, Ending.SHUTDOWN, Ending.REPLACED):
            return
        self._show(ScanPhase.RETURNING, self.progress.done, "The camera goes home.")
        going = self.seat.go_to(self._home)
        end_s = self.clock.mono_s() + HOME_S
        while going is not None and not going.done() and self.clock.mono_s() < end_s:
            if token.stopping or not self.seat.hold():
                return
            self.clock.sleep(0.1)
        if going is not None and going.done() and (error := going.exception()) is not None:
            log.warning("scan of %s: the camera did not go home: %s", self._camera_name, error)

    # --- one view ---------------------------------------------------------------------------------

    def _visit(self, preset: int, token: StopToken) -> float:
        """Go to a preset and wait until the picture stands still; the instant it does."""
        arrived: Future[None] | None = self.seat.go_to(preset)
        if arrived is None:
            self._lost()
            raise _Interrupted
        if not self.rest(ANSWER_S, token, arrived.done):
            raise self._interruption()
        if not arrived.done():
            raise EnvironmentFault(f"The camera did not take preset {preset}.")
        if (error := arrived.exception()) is not None:
            raise error
        self._settle(token)
        return self.clock.mono_s()

    def _settle(self, token: StopToken) -> None:
        """Wait 2 s at least and ``settle_s`` at most until the picture stands still."""
        began_s = self.clock.mono_s()
        before: tuple[float, Image] | None = None
        alike = 0
        while self.clock.mono_s() - began_s < self._plan.settle_s:
            if not self.rest(STILL_EVERY_S, token):
                raise self._interruption()
            now = self._eyes.small()
            if now is None or (before is not None and now[0] == before[0]):
                continue
            same = before is not None and difference(before[1], now[1]) < STILL_LEVELS
            alike = alike + 1 if same else 0
            before = now
            waited_s = self.clock.mono_s() - began_s
            if alike >= STILL_PICTURES and waited_s >= SETTLE_LEAST_S:
                return

    def _count(self, since_mono_s: float, token: StopToken) -> int:
        horses = analysed = 0
        end_s = self.clock.mono_s() + LOOK_AT_MOST_S
        while analysed < ENOUGH_RESULTS and self.clock.mono_s() < end_s:
            if not self.rest(STILL_EVERY_S, token):
                raise self._interruption()
            horses, analysed = self._eyes.horses(since_mono_s)
        if analysed == 0:
            raise EnvironmentFault(
                "No picture of this view was analysed.", "Look at the state of the camera's stream."
            )
        return horses

    # --- inside -----------------------------------------------------------------------------------

    def _still_mine(self, token: StopToken) -> bool:
        if self.over(token):
            return False
        if not self.seat.hold():
            self._lost()
            return False
        return True

    def _interruption(self) -> _Interrupted:
        if self.ending is None:
            self._lost()
        return _Interrupted()

    def _lost(self) -> None:
        self.end(Ending.TAKEN)

    def _why_stopped(self) -> str:
        who = self.ended_by or "Somebody"
        reasons = {
            Ending.TAKEN: f"Stopped: {who} took the camera.",
            Ending.REPLACED: f"Stopped: {who} started something else.",
            Ending.SHUTDOWN: "Stopped with the program.",
        }
        ending = self.ending or Ending.ASKED
        return f"{reasons.get(ending, f'Stopped by {who}.')} {self._summary()}"

    def _summary(self) -> str:
        views = self.progress.views
        seen = [view for view in views if view.horses > 0]
        horses = sum(view.horses for view in seen)
        faults = sum(1 for view in views if view.fault)
        text = f"{horses} horses at {len(seen)} of {len(views)} presets"
        return f"{text}, {faults} with faults." if faults else f"{text}."

    def _tell(self, message: str) -> None:
        with self._lock:
            self._progress = replace(self._progress, message=message)

    def _show(self, phase: ScanPhase, done: int, message: str) -> None:
        with self._lock:
            done = max(done, self._progress.done)
            self._progress = replace(self._progress, phase=phase, done=done, message=message)


def difference(one: Image, other: Image) -> float:
    """Mean difference of two grey pictures in levels; sizes that differ are as far as can be."""
    if one.shape != other.shape:
        return 255.0
    return float(np.mean(cv2.absdiff(one, other)))


def check_plan(plan: ScanPlan) -> None:
    """Raise OperatorMistake for a plan outside its limits."""
    if not plan.presets or not all(1 <= preset <= 8 for preset in plan.presets):
        raise OperatorMistake("A scan visits presets 1 to 8, one at least.")
    if len(set(plan.presets)) != len(plan.presets):
        raise OperatorMistake("A scan visits each preset once.")
    if not SETTLE_LEAST_S <= plan.settle_s <= SETTLE_MOST_S:
        raise OperatorMistake(
            f"A scan waits {SETTLE_LEAST_S:g} to {SETTLE_MOST_S:g} s for a still picture."
        )
    if not RECORD_LEAST_S <= plan.record_s <= RECORD_MOST_S:
        raise OperatorMistake(f"A scan records {RECORD_LEAST_S:g} to {RECORD_MOST_S:g} s.")
    if plan.schedule is not None:
        check_schedule(plan.schedule)
