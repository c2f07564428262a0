"""Keeps what steered cameras know: loads presets, tours and plans, and stores new presets."""

from __future__ import annotations

import logging

from engine.domain.errors import BarnhandError, NotFound, StoreUnavailable
from engine.domain.ids import StreamId
from engine.domain.ptz import Preset, PtzControl, PtzRepository
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


class PtzMemory:
    """Looks once a second for presets that were stored on a camera, so that no camera's thread
    ever waits for the database; while the database is away they are tried again."""

    def __init__(self, control: PtzControl, store: PtzRepository) -> None:
        self._control = control
        self._store = store
        self._kept: dict[tuple[StreamId, int], Preset] = {}
        self._loaded: frozenset[StreamId] = frozenset()
        self._reload = True
        self._away = False
        self._worker = Worker("ptz memory", self._run, restart_budget=1000)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def stop(self, deadline_s: float) -> tuple[str, ...]:
        """Store what is new and end; the thread's name if it did not."""
        self._worker.ask_to_stop()
        return () if self._worker.join(deadline_s) else (self._worker.name,)

    def plans_changed(self) -> None:
        """Read tours and plans again soon."""
        self._reload = True

    def look(self) -> None:
        """Load what is not loaded yet and store what is new. Raises StoreUnavailable."""
        if frozenset(self._control.cameras()) - self._loaded:
            self._load_presets()
        if self._reload:
            self._reload = False
            self._control.set_plans(self._store.tours(), self._store.scan_plans())
        for stream_id in self._control.cameras():
            for preset in self._control.presets(stream_id):
                self._keep(stream_id, preset)

    def _load_presets(self) -> None:
        stored = self._store.presets()
        cameras = frozenset(self._control.cameras())
        for stream_id in cameras - self._loaded:
            known = {preset.number: preset for preset in stored.get(stream_id, ())}
            self._kept |= {(stream_id, number): preset for number, preset in known.items()}
            known |= {preset.number: preset for preset in self._control.presets(stream_id)}
            self._control.load_presets(stream_id, [known[number] for number in sorted(known)])
        self._loaded = cameras
        self._reload = True

    def _keep(self, stream_id: StreamId, preset: Preset) -> None:
        if self._kept.get((stream_id, preset.number)) == preset:
            return
        try:
            self._store.save_preset(stream_id, preset)
        except NotFound as error:
            log.warning("a preset was not stored: %s", error)
        self._kept[stream_id, preset.number] = preset

    def _run(self, token: StopToken) -> None:
        while True:
            try:
                self.look()
                self._away = False
            except StoreUnavailable as error:
                if not self._away:
                    log.warning("presets are kept in memory: %s", error)
                self._away = True
                self._reload = True
            except BarnhandError as error:
                log.warning("a camera's presets or plans are not kept: %s", error)
            if token.wait(LOOK_EVERY_S):
                return
