"""What runs on cameras by itself: at most one tour, scan or follower each, started by people or
by schedules."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from engine.domain.errors import BarnhandError, OperatorMistake
from engine.domain.ids import HorseId, StreamId
from engine.domain.ports import Clock
from engine.domain.ptz import Holder, Priority, ScanPlan, ScanProgress, Tour
from engine.domain.results import FrameResult
from engine.ptz.activity import Activity, CameraSeat, Ending
from engine.ptz.camera import PtzCamera
from engine.ptz.eyes import Eyes
from engine.ptz.follow import FollowRun
from engine.ptz.scan import ScanRun, check_plan
from engine.ptz.schedules import due, window_of
from engine.ptz.tours import TourRun, check_tour
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

SCHEDULE_EVERY_S = 1.0
SCHEDULER = Holder("schedule", "The schedule", Priority.TOUR)


class Programmes:
    """Runs activities on cameras. Methods may be called from any thread and return at once."""

    def __init__(
        self,
        clock: Clock,
        camera_of: Callable[[StreamId], PtzCamera],
        home_of: Callable[[StreamId], int],
        eyes_of: Callable[[StreamId], Eyes],
        results_of: Callable[[StreamId], Sequence[FrameResult]],
    ) -> None:
        self._clock = clock
        self._camera_of = camera_of
        self._home_of = home_of
        self._eyes_of = eyes_of
        self._results_of = results_of
        self._lock = threading.RLock()
        self._running: dict[StreamId, tuple[Activity, Worker]] = {}
        self._ending: list[Worker] = []
        self._scans: dict[StreamId, ScanRun] = {}
        self._tours: tuple[Tour, ...] = ()
        self._plans: tuple[ScanPlan, ...] = ()
        self._started: dict[Hashable, datetime] = {}
        self._scheduler = Worker("ptz-schedule", self._watch)

    # --- what people ask --------------------------------------------------------------------------

    def title(self, stream_id: StreamId) -> str:
        """What runs on a camera, for people; empty when nothing does."""
        activity = self._active(stream_id)
        return "" if activity is None else activity.title

    def scan(self, stream_id: StreamId) -> ScanProgress | None:
        """The running or last scan of a camera."""
        with self._lock:
            run = self._scans.get(stream_id)
        return None if run is None else run.progress

    def follow(self, stream_id: StreamId, person: Holder, horse_id: HorseId) -> bool:
        """Follow a horse."""
        seat = Holder(f"follow:{stream_id}", "Following", Priority.FOLLOW)

        def made(camera: PtzCamera) -> Activity:
            return FollowRun(
                CameraSeat(camera, seat),
                self._clock,
                horse_id,
                lambda: self._results_of(stream_id),
                camera.say,
            )

        return self._start(stream_id, person, made)

    def start_tour(self, tour: Tour, person: Holder, by_schedule: bool = False) -> bool:
        """Run a tour. Raises OperatorMistake for one that cannot be made."""
        check_tour(tour)
        seat = Holder(f"tour:{tour.id}", f"Tour {tour.name}", Priority.TOUR)
        return self._start(
            tour.stream_id,
            person,
            lambda camera: TourRun(CameraSeat(camera, seat), self._clock, tour, by_schedule),
        )

    def start_scan(self, plan: ScanPlan, person: Holder) -> UUID:
        """Run a scan. Raises OperatorMistake for a wrong plan, or when somebody has the camera."""
        check_plan(plan)
        scan_id, stream_id = uuid4(), plan.stream_id
        eyes, home = self._eyes_of(stream_id), self._home_of(stream_id)
        seat = Holder(f"scan:{scan_id}", "Barn scan", Priority.TOUR)

        def made(camera: PtzCamera) -> Activity:
            run = ScanRun(
                CameraSeat(camera, seat),
                eyes,
                self._clock,
                scan_id,
                plan,
                camera.name,
                home,
            )
            self._scans[stream_id] = run
            return run

        if not self._start(stream_id, person, made):
            holder = self._camera_of(stream_id).holder
            name = "Somebody" if holder is None else holder.name
            raise OperatorMistake(f"{name} steers this camera.", "Start the scan afterwards.")
        return scan_id

    def end(self, stream_id: StreamId, ending: Ending, by: str = "") -> None:
        """End what runs on a camera, if anything does."""
        with self._lock:
            running = self._running.pop(stream_id, None)
            if running is None:
                return
            activity, worker = running
            activity.end(ending, by)
            if ending is Ending.SHUTDOWN:
                worker.ask_to_stop()
            self._ending = [w for w in self._ending if w.alive]
            self._ending.append(worker)

    def taken(self, stream_id: StreamId, by: Holder, old: Holder | None) -> None:
        """Somebody took a camera from ``old``, which may be a programme's seat."""
        activity = self._active(stream_id)
        if old is not None and activity is not None and old.priority <= Priority.TOUR:
            activity.taken(by)

    def set_plans(self, tours: Sequence[Tour], scans: Sequence[ScanPlan]) -> None:
        """Know these tours and scans, and run those with a schedule when they are due. Raises
        OperatorMistake for one that cannot be made."""
        for tour in tours:
            check_tour(tour)
        for plan in scans:
            check_plan(plan)
        with self._lock:
            self._tours, self._plans = tuple(tours), tuple(scans)

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the scheduler."""
        self._scheduler.start()

    def end_all(self) -> tuple[Worker, ...]:
        """End everything; the workers to be joined."""
        self._scheduler.ask_to_stop()
        with self._lock:
            for stream_id in list(self._running):
                self.end(stream_id, Ending.SHUTDOWN)
            return (*self._ending, self._scheduler)

    # --- inside -----------------------------------------------------------------------------------

    def _active(self, stream_id: StreamId) -> Activity | None:
        with self._lock:
            running = self._running.get(stream_id)
        return running[0] if running is not None and running[1].alive else None

    def _start(
        self, stream_id: StreamId, person: Holder, made: Callable[[PtzCamera], Activity]
    ) -> bool:
        """Run a programme in place of the present one; False when somebody has the camera."""
        camera = self._camera_of(stream_id)
        with self._lock:
            grant = camera.hold(person)
            if not grant.allowed:
                return False
            self.end(stream_id, Ending.REPLACED, person.name)
            camera.release(person)
            activity = made(camera)
            if not activity.seat.hold():
                return False
            worker = Worker(f"ptz-{activity.kind} {camera.name}", activity.run, restart_budget=0)
            self._running[stream_id] = (activity, worker)
            worker.start()
            return True

    def _watch(self, token: StopToken) -> None:
        while not token.wait(SCHEDULE_EVERY_S):
            self.look_at_schedules()

    def look_at_schedules(self) -> None:
        """Start what is due, and end tours whose window is over."""
        now = self._clock.now().astimezone()
        with self._lock:
            tours, plans = self._tours, self._plans
            running = [run for run, worker in self._running.values() if worker.alive]
        for run in running:
            if isinstance(run, TourRun) and run.by_schedule:
                schedule = run.tour.schedule
                if schedule is not None and window_of(schedule, now) is None:
                    self.end(run.tour.stream_id, Ending.ASKED, SCHEDULER.name)
        for tour in tours:
            self._maybe(tour.id, tour, now)
        for plan in plans:
            self._maybe((plan.stream_id, plan.presets), plan, now)

    def _maybe(self, key: Hashable, what: Tour | ScanPlan, now: datetime) -> None:
        """Start a tour or scan that is due, unless a person or a programme has its camera; then
        it is tried again."""
        schedule = what.schedule
        if schedule is None or not due(schedule, self._started.get(key), now):
            return
        try:
            if self._camera_of(what.stream_id).holder is not None:
                return
            if isinstance(what, Tour):
                self.start_tour(what, SCHEDULER, by_schedule=True)
            else:
                self.start_scan(what, SCHEDULER)
        except BarnhandError as error:
            log.warning("a scheduled run did not start: %s", error)
        self._started[key] = now
