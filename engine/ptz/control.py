"""Camera control as fronts use it (port PtzControl): every steered camera and what runs on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol
from uuid import UUID

from engine.domain.errors import BarnhandError, EnvironmentFault, NotFound
from engine.domain.ids import HorseId, StreamId
from engine.domain.ports import Clock
from engine.domain.ptz import (
    Holder,
    Motion,
    Preset,
    Priority,
    PtzConfig,
    PtzDriver,
    PtzState,
    ScanPlan,
    ScanProgress,
    Tour,
)
from engine.domain.results import FrameResult
from engine.domain.streams import Stream
from engine.ptz.activity import Ending, preset_job
from engine.ptz.camera import PtzCamera
from engine.ptz.cgi import Credentials
from engine.ptz.config import ptz_of
from engine.ptz.drivers import open_driver
from engine.ptz.eyes import Eyes
from engine.ptz.orders import Guard, Job
from engine.ptz.pictures import thumbnail
from engine.ptz.programmes import Programmes
from engine.settings import PtzSettings

log = logging.getLogger(__name__)

OpenDriver = Callable[[PtzConfig, Credentials, str], PtzDriver]


class Guardian(Guard, Protocol):
    """A Guard that is told how to reach each camera."""

    def know(self, stream_id: StreamId, config: PtzConfig, credentials: Credentials) -> None: ...

    def forget(self, stream_id: StreamId) -> None: ...

    def close(self) -> None: ...


class Unguarded:
    """Meets Guardian by doing nothing: cameras are stopped by this process only."""

    def moving(self, stream_id: StreamId) -> None:
        """See Guard."""

    def still(self, stream_id: StreamId) -> None:
        """See Guard."""

    def know(self, stream_id: StreamId, config: PtzConfig, credentials: Credentials) -> None:
        """See Guardian."""

    def forget(self, stream_id: StreamId) -> None:
        """See Guardian."""

    def close(self) -> None:
        """See Guardian."""


class CameraControl:
    """Meets PtzControl. Owns a PtzCamera for every stream whose ``extra`` has a camera control."""

    def __init__(
        self,
        settings: PtzSettings,
        clock: Clock,
        eyes_of: Callable[[StreamId], Eyes],
        results_of: Callable[[StreamId], Sequence[FrameResult]],
        guardian: Guardian | None = None,
        opened: OpenDriver = open_driver,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._guardian = guardian or Unguarded()
        self._opened = opened
        self._lock = threading.RLock()
        self._known: dict[StreamId, tuple[str, PtzConfig, Credentials]] = {}
        self._cameras: dict[StreamId, PtzCamera] = {}
        self._leaving: list[PtzCamera] = []
        self._presets: dict[StreamId, dict[int, Preset]] = {}
        self._running = False
        self._programmes = Programmes(clock, self._camera, self._home, eyes_of, results_of)

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start a thread for every camera."""
        with self._lock:
            self._running = True
            for stream_id in self._known:
                self._begin(stream_id)
            self._programmes.start()

    def shut_down(self, deadline_s: float) -> tuple[str, ...]:
        """End the programmes, then stop every moving camera; returns the names of threads that
        did not end by the deadline. What they leave moving, the guardian stops."""
        end_s = self._clock.mono_s() + deadline_s
        programmes = self._programmes.end_all()
        with self._lock:
            self._running = False
            cameras = [*self._cameras.values(), *self._leaving]
            self._cameras.clear()
        for camera in cameras:
            camera.ask_to_stop()
        alive = [c.thread_name for c in cameras if not c.join(end_s - self._clock.mono_s())]
        alive += [w.name for w in programmes if not w.join(end_s - self._clock.mono_s())]
        self._guardian.close()
        return tuple(alive)

    def set_streams(self, streams: Sequence[Stream]) -> tuple[tuple[Stream, BarnhandError], ...]:
        """Make these the cameras; a camera starts again only when its control changed. Returns
        the streams whose control is described wrongly; they are not steered."""
        wanted: dict[StreamId, tuple[str, PtzConfig, Credentials]] = {}
        wrong: list[tuple[Stream, BarnhandError]] = []
        for stream in streams:
            try:
                config = ptz_of(stream)
            except BarnhandError as error:
                wrong.append((stream, error))
                continue
            if config is not None:
                login = Credentials(stream.username, stream.password)
                wanted[stream.id] = (stream.name, config, login)
        with self._lock:
            for stream_id in [known for known in self._known if known not in wanted]:
                self._leave(stream_id)
            for stream_id, what in wanted.items():
                if self._known.get(stream_id) != what:
                    self._leave(stream_id)
                    self._known[stream_id] = what
                    if self._running:
                        self._begin(stream_id)
        return tuple(wrong)

    # --- the port ---------------------------------------------------------------------------------

    def cameras(self) -> Sequence[StreamId]:
        """See PtzControl."""
        with self._lock:
            return tuple(self._cameras)

    def state(self, stream_id: StreamId) -> PtzState:
        """See PtzControl."""
        return self._camera(stream_id).state(self._programmes.title(stream_id))

    def suspended(self, stream_id: StreamId) -> bool:
        """True while the view of a camera moves; False for cameras that are not steered."""
        camera = self._cameras.get(stream_id)
        return camera is not None and camera.suspended

    def new_view(self, stream_id: StreamId) -> bool:
        """True while the view of a camera moves and for some seconds afterwards: every picture
        is worth a look, however little changes in it."""
        camera = self._cameras.get(stream_id)
        return camera is not None and camera.new_view

    def hold(self, stream_id: StreamId, holder: Holder) -> bool:
        """See PtzControl."""
        camera = self._camera(stream_id)
        grant = camera.hold(holder)
        self._programmes.taken(stream_id, holder, grant.taken_from)
        return grant.allowed

    def release(self, stream_id: StreamId, holder: Holder) -> None:
        """See PtzControl."""
        self._camera(stream_id).release(holder)

    def move(self, stream_id: StreamId, holder: Holder, motion: Motion) -> bool:
        """See PtzControl."""
        grant = self._camera(stream_id).move(holder, motion)
        self._programmes.taken(stream_id, holder, grant.taken_from)
        return grant.allowed

    def stop(self, stream_id: StreamId, holder: Holder) -> None:
        """See PtzControl. A person's stop also ends the programme that steers; one that waits for
        people is left waiting."""
        camera = self._camera(stream_id)
        steering = camera.holder
        automatic = steering is not None and steering.priority <= Priority.TOUR
        if automatic and holder.priority in (Priority.REMOTE, Priority.OPERATOR):
            self._programmes.end(stream_id, Ending.HALTED, holder.name)
        camera.stop(holder)

    def go_to(self, stream_id: StreamId, holder: Holder, preset: int) -> bool:
        """See PtzControl."""
        job = preset_job(preset, Future())
        grant = self._camera(stream_id).ask(holder, job)
        self._programmes.taken(stream_id, holder, grant.taken_from)
        return grant.allowed

    def store(self, stream_id: StreamId, holder: Holder, preset: int, name: str = "") -> bool:
        """See PtzControl."""

        def run(driver: PtzDriver) -> None:
            driver.store(preset)
            picture = _thumbnail(driver)
            stored = Preset(preset, name or f"Preset {preset}", picture, self._clock.now())
            with self._lock:
                self._presets.setdefault(stream_id, {})[preset] = stored

        job = Job(f"Storing preset {preset}", run, preset=preset)
        grant = self._camera(stream_id).ask(holder, job)
        self._programmes.taken(stream_id, holder, grant.taken_from)
        return grant.allowed

    def presets(self, stream_id: StreamId) -> Sequence[Preset]:
        """See PtzControl."""
        with self._lock:
            self._camera(stream_id)
            known = self._presets.get(stream_id, {})
            return tuple(known[number] for number in sorted(known))

    def load_presets(self, stream_id: StreamId, presets: Sequence[Preset]) -> None:
        """See PtzControl."""
        with self._lock:
            self._presets[stream_id] = {preset.number: preset for preset in presets}

    def snapshot(self, stream_id: StreamId) -> Future[bytes]:
        """See PtzControl."""
        answer: Future[bytes] = Future()

        def run(driver: PtzDriver) -> None:
            picture = driver.snapshot()
            if answer.set_running_or_notify_cancel():
                answer.set_result(picture)

        def failed(error: BarnhandError) -> None:
            if answer.set_running_or_notify_cancel():
                answer.set_exception(error)

        if not self._camera(stream_id).look(Job("A snapshot", run, failed)):
            failed(EnvironmentFault("The camera is busy.", "Ask again in a moment."))
        return answer

    def stop_activity(self, stream_id: StreamId, holder: Holder) -> None:
        """See PtzControl."""
        self._camera(stream_id)
        self._programmes.end(stream_id, Ending.ASKED, holder.name)

    def follow(self, stream_id: StreamId, holder: Holder, horse_id: HorseId | None) -> bool:
        """See PtzControl."""
        if horse_id is None:
            self.stop_activity(stream_id, holder)
            return True
        return self._programmes.follow(stream_id, holder, horse_id)

    def start_tour(self, tour: Tour, holder: Holder) -> bool:
        """See PtzControl."""
        return self._programmes.start_tour(tour, holder)

    def start_scan(self, plan: ScanPlan, holder: Holder) -> UUID:
        """See PtzControl."""
        return self._programmes.start_scan(plan, holder)

    def scan(self, stream_id: StreamId) -> ScanProgress | None:
        """See PtzControl."""
        self._camera(stream_id)
        return self._programmes.scan(stream_id)

    def set_plans(self, tours: Sequence[Tour], scans: Sequence[ScanPlan]) -> None:
        """See PtzControl."""
        self._programmes.set_plans(tours, scans)

    # --- inside -----------------------------------------------------------------------------------

    def _camera(self, stream_id: StreamId) -> PtzCamera:
        with self._lock:
            camera = self._cameras.get(stream_id)
        if camera is None:
            raise NotFound("This camera is not steered.", "Set up its camera control first.")
        return camera

    def _home(self, stream_id: StreamId) -> int:
        with self._lock:
            known = self._known.get(stream_id)
        return 1 if known is None else known[1].home_preset

    def _begin(self, stream_id: StreamId) -> None:
        name, config, login = self._known[stream_id]
        further = self.settings.dialects_file

        def connect() -> PtzDriver:
            return self._opened(config, login, further)

        self._guardian.know(stream_id, config, login)
        camera = PtzCamera(stream_id, name, connect, self.settings, self._clock, self._guardian)
        self._cameras[stream_id] = camera
        camera.start()

    def _leave(self, stream_id: StreamId) -> None:
        self._known.pop(stream_id, None)
        self._programmes.end(stream_id, Ending.SHUTDOWN)
        camera = self._cameras.pop(stream_id, None)
        if camera is not None:
            camera.ask_to_stop()
            self._leaving = [c for c in self._leaving if not c.join(0.0)]
            self._leaving.append(camera)


def _thumbnail(driver: PtzDriver) -> bytes | None:
    """A small picture of the present view; a preset is stored without one all the same."""
    try:
        return thumbnail(driver.snapshot())
    except BarnhandError as error:
        log.warning("no picture of a preset: %s", error)
        return None
