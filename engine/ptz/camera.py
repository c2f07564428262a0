"""One steered camera: what is wanted of it, and the thread that tells it.

The thread owns the driver. A stop goes before everything else and is repeated with back-off until
the camera has taken it; of several moves only the newest is sent.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.domain.errors import BarnhandError, Bug, EnvironmentFault, OperatorMistake
from engine.domain.ids import StreamId
from engine.domain.ports import Clock
from engine.domain.ptz import Capabilities, Holder, Motion, PtzDriver, PtzState
from engine.ptz.arbiter import Arbiter, Grant
from engine.ptz.orders import Guard, Job
from engine.runtime import log_context
from engine.runtime.worker import StopToken, Worker
from engine.settings import PtzSettings

log = logging.getLogger(__name__)

JOBS_AT_MOST = 8
"""Presets and snapshots that may wait; more are refused."""
BACK_OFF_FIRST_S = 0.1
BACK_OFF_MOST_S = 1.0
"""Pauses between tries to stop a camera: doubled from the first to the most."""
BACK_OFF_PATIENT_S = 15.0
"""The most while a camera refuses the log-in (many lock out who tries too often), and while
nothing is known to move."""
NEW_VIEW_S = 6.0
"""A view is new for this long after it came to rest: the time a scan looks at it."""
IDLE_S = 0.5
_TICK_S = 0.05
_GUARD_EVERY_S = 1.0
"""A guard that dies while a camera moves is missed for at most this long."""


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


_Step = _Stop | Motion | Job


class PtzCamera:
    """One camera under an arbiter. Every method but ``join`` returns at once."""

    def __init__(
        self,
        stream_id: StreamId,
        name: str,
        connect: Callable[[], PtzDriver],
        settings: PtzSettings,
        clock: Clock,
        guard: Guard,
    ) -> None:
        self.stream_id = stream_id
        self.name = name
        self._connect = connect
        self._settings = settings
        self._clock = clock
        self._guard = guard
        self._condition = threading.Condition(threading.RLock())
        self._arbiter = Arbiter(clock.mono_s, settings.rest_s, settings.renewal_s)
        self._driver: PtzDriver | None = None
        self._capabilities: Capabilities | None = None
        self._jobs: deque[Job] = deque()
        self._sent: Motion | None = None
        self._sent_mono_s = 0.0
        self._watched_mono_s = 0.0
        self._stop_owed = False
        self._may_move = False
        self._refused = False
        self._failures = 0
        self._not_before_mono_s = 0.0
        self._settled_mono_s = -1.0
        self._travelling = False
        self._preset: int | None = None
        self._fault = ""
        self._worker = Worker(f"ptz {name}", self._run, restart_budget=1_000_000)

    # --- what people and programmes ask -----------------------------------------------------------

    def hold(self, holder: Holder) -> Grant:
        """See Arbiter.hold."""
        with self._condition:
            return self._settle(self._arbiter.hold(holder))

    def move(self, holder: Holder, motion: Motion) -> Grant:
        """See Arbiter.move; the newest motion is the one that is sent."""
        with self._condition:
            rested = self._arbiter.motion is None
            grant = self._arbiter.move(holder, motion)
            if grant.allowed and not motion.still:
                if rested:
                    self._not_before_mono_s = 0.0
                self._preset = None
                self._drop_travels()
                # The new motion replaces the old one on the camera: no stop between.
                grant = replace(grant, stop=False)
            return self._settle(grant)

    def stop(self, holder: Holder) -> None:
        """Stop now, whoever holds the camera; sent even to a camera that should be at rest."""
        with self._condition:
            self._arbiter.stop(holder)
            self._drop_travels()
            self._owe_stop()

    def release(self, holder: Holder) -> None:
        """Let go; a motion of this holder stops."""
        with self._condition:
            self._settle(self._arbiter.release(holder))

    def ask(self, holder: Holder, job: Job) -> Grant:
        """Queue a job for a holder; refused when too many wait."""
        with self._condition:
            if len(self._jobs) >= JOBS_AT_MOST:
                self._arbiter.say("The camera is busy: too many commands wait.")
                return Grant(False)
            grant = self._settle(self._arbiter.use(holder))
            if grant.allowed:
                self._queue(job)
            return grant

    def look(self, job: Job) -> bool:
        """Queue a job that needs nobody's permission (a snapshot); False when too many wait."""
        with self._condition:
            if len(self._jobs) >= JOBS_AT_MOST:
                return False
            self._queue(job)
            return True

    def say(self, message: str) -> None:
        """Show a message with this camera."""
        with self._condition:
            self._arbiter.say(message)

    # --- what everyone may know -------------------------------------------------------------------

    @property
    def holder(self) -> Holder | None:
        """Who steers now."""
        with self._condition:
            return self._arbiter.holder

    @property
    def suspended(self) -> bool:
        """The view moves, or may still move: analysis that needs a still camera waits."""
        with self._condition:
            moving = self._arbiter.motion is not None or self._may_move
            leaving = self._travelling or any(job.travels for job in self._jobs)
            return moving or leaving or self._clock.mono_s() < self._settled_mono_s

    @property
    def new_view(self) -> bool:
        """The view moves or came to rest within the last seconds."""
        with self._condition:
            rested_s = self._clock.mono_s() - self._settled_mono_s
            return self.suspended or (self._settled_mono_s >= 0.0 and rested_s < NEW_VIEW_S)

    def state(self, activity: str = "") -> PtzState:
        """One look at this camera."""
        with self._condition:
            return PtzState(
                stream_id=self.stream_id,
                holder=self._arbiter.holder,
                moving=self._arbiter.motion or self._sent,
                preset=self._preset,
                activity=activity,
                message=self._arbiter.message,
                fault=self._fault,
                suspended=self.suspended,
                capabilities=self._capabilities,
            )

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. Its first act is a stop: a program that died before may have left the
        camera moving."""
        self._stop_owed = self._settings.stop_at_start
        self._worker.start()

    def ask_to_stop(self) -> None:
        """End after the camera has taken a stop, if one is owed."""
        self._worker.ask_to_stop()
        with self._condition:
            self._drop([*self._jobs])
            self._arbiter.end_motion()
            self._stop_owed = self._may_move
            self._not_before_mono_s = 0.0
            self._condition.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; True when the thread is gone."""
        return self._worker.join(timeout_s)

    @property
    def thread_name(self) -> str:
        """Name of its thread."""
        return self._worker.name

    # --- inside: under the lock -------------------------------------------------------------------

    def _settle(self, grant: Grant) -> Grant:
        if grant.stop:
            self._owe_stop()
        self._condition.notify_all()
        return grant

    def _owe_stop(self) -> None:
        self._stop_owed = True
        self._not_before_mono_s = 0.0
        self._condition.notify_all()

    def _queue(self, job: Job) -> None:
        if job.travels:
            self._preset = None
            self._drop_travels()
            if self._sent is not None:
                self._stop_owed = True
        if not self._may_move and not self._refused:
            self._not_before_mono_s = 0.0
        self._jobs.append(job)
        self._condition.notify_all()

    def _drop_travels(self) -> None:
        self._drop([job for job in self._jobs if job.travels])

    def _drop(self, jobs: Sequence[Job]) -> None:
        self._jobs = deque(job for job in self._jobs if job not in jobs)
        for job in jobs:
            if job.failed is not None:
                job.failed(EnvironmentFault(f"{job.name} was dropped for a newer command."))

    def _next(self) -> _Step | None:
        """What to send now, None when there is nothing or a back-off runs."""
        if self._arbiter.tick():
            self._owe_stop()
        if self._clock.mono_s() < self._not_before_mono_s:
            return None
        if self._stop_owed:
            return _Stop()
        if self._jobs:
            job = self._jobs.popleft()
            self._travelling = job.travels
            return job
        motion = self._arbiter.motion
        if motion is None:
            return None if self._sent is None else _Stop()
        return motion if motion != self._sent or self._renewal_due() else None

    def _renewal_due(self) -> bool:
        renewal_s = None if self._driver is None else self._driver.renewal_s
        return renewal_s is not None and self._clock.mono_s() >= self._sent_mono_s + renewal_s

    def _pause_s(self) -> float:
        busy = self._arbiter.holder is not None or self._stop_owed
        return _TICK_S if busy else IDLE_S

    # --- inside: the thread -----------------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        log_context.bind(stream_id=self.stream_id, camera=self.name)
        try:
            while True:
                with self._condition:
                    step = self._next()
                    if step is None:
                        if token.stopping and not (self._stop_owed and self._may_move):
                            return
                        self._condition.wait(self._pause_s())
                if step is not None:
                    self._carry_out(step)
                elif self._guard_due():
                    self._watched()
        finally:
            self._disconnect()

    def _carry_out(self, step: _Step) -> None:
        moved_before = self._may_move
        try:
            self._tell(step)
        except Bug:
            with self._condition:
                self._stop_owed = self._may_move
            raise
        except BarnhandError as error:
            self._failed(step, error, moved_before)
        else:
            self._done(step)

    def _tell(self, step: _Step) -> None:
        driver = self._connected()
        if isinstance(step, _Stop):
            driver.stop()
        elif isinstance(step, Motion):
            with self._condition:
                self._may_move = True
            self._watched()
            driver.move(step)
        else:
            step.run(driver)

    def _guard_due(self) -> bool:
        """Whether a movement has gone on so long that its guard may have died meanwhile."""
        moving = self._may_move and self._sent is not None
        return moving and self._clock.mono_s() >= self._watched_mono_s + _GUARD_EVERY_S

    def _watched(self) -> None:
        self._watched_mono_s = self._clock.mono_s()
        self._guard.moving(self.stream_id)

    def _connected(self) -> PtzDriver:
        if self._driver is None:
            self._driver = self._connect()
            with self._condition:
                self._capabilities = self._driver.capabilities
        return self._driver

    def _disconnect(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def _done(self, step: _Step) -> None:
        now_s = self._clock.mono_s()
        with self._condition:
            if self._fault:
                log.info("camera %s takes commands again", self.name)
            self._fault, self._failures, self._not_before_mono_s = "", 0, 0.0
            self._refused = False
            if isinstance(step, _Stop):
                self._taken_stop(now_s)
            elif isinstance(step, Motion):
                self._sent, self._sent_mono_s = step, now_s
                self._preset = None
            else:
                self._finish_job(step, now_s)

    def _taken_stop(self, now_s: float) -> None:
        self._stop_owed = False
        self._sent = None
        if self._may_move:
            self._may_move = False
            self._settled_mono_s = max(self._settled_mono_s, now_s + self._settings.settle_s)
            self._guard.still(self.stream_id)

    def _finish_job(self, job: Job, now_s: float) -> None:
        self._travelling = False
        if job.preset is not None:
            self._preset = job.preset
        if job.travels:
            self._settled_mono_s = now_s + self._settings.preset_settle_s

    def _failed(self, step: _Step, error: BarnhandError, moved_before: bool) -> None:
        refused = isinstance(error, OperatorMistake)
        with self._condition:
            if str(error) != self._fault:
                log.warning("camera %s: %s", self.name, error)
            self._fault = str(error)
            if isinstance(step, Job):
                self._travelling = False
                self._arbiter.say(f"{step.name} failed: {error.message}")
            elif isinstance(step, Motion):
                self._move_failed(refused, moved_before)
            else:
                self._stop_failed(refused, error)
            self._refused = refused
            if self._stop_owed or isinstance(step, Motion):
                urgent = self._may_move and not refused
                self._back_off(BACK_OFF_MOST_S if urgent else BACK_OFF_PATIENT_S)
        if isinstance(step, Job) and step.failed is not None:
            step.failed(error)

    def _stop_failed(self, refused: bool, error: BarnhandError) -> None:
        """What waits behind a stop that did not get through has to be told."""
        waiting, self._jobs = self._jobs, deque()
        for job in waiting:
            if job.failed is not None:
                job.failed(error)
        if refused and not self._may_move:
            self._stop_owed = False  # nothing is known to move, and asking again is no use

    def _move_failed(self, refused: bool, moved_before: bool) -> None:
        """Without an answer nobody knows whether the camera moves now: it has to be stopped."""
        if refused:
            self._arbiter.end_motion()
            if not moved_before:
                self._may_move = False
                self._guard.still(self.stream_id)
                return
        self._stop_owed = True

    def _back_off(self, most_s: float) -> None:
        pause_s = min(BACK_OFF_FIRST_S * 2.0 ** min(self._failures, 10), most_s)
        self._failures += 1
        self._not_before_mono_s = self._clock.mono_s() + pause_s
