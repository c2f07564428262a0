"""Alerts in the program: what the engine says of itself, who hears, what is kept as evidence."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import cv2
import numpy as np

from barnhand_desktop.snapshot import snapshot_jpeg
from engine.behaviour.rules import CameraFact, Trouble
from engine.behaviour.watch import AlertWatch, EngineFacts
from engine.domain.behaviour import Alert, AlertRepository, MotionRepository
from engine.domain.errors import BarnhandError
from engine.domain.identity import RegistrySnapshot
from engine.domain.ids import FarmId, StreamId
from engine.domain.ports import Clock, HorseRepository
from engine.domain.recording import ChunkRepository
from engine.domain.streams import StreamState
from engine.facade import Engine
from engine.runtime.clock import SystemClock
from engine.runtime.worker import Worker

log = logging.getLogger(__name__)

PICTURE_BYTES = 100_000
EVIDENCE = timedelta(seconds=60)
"""Recordings of so long before and after an alert are kept from retention."""
CHUNK_LATE = timedelta(seconds=30)
"""A recording is in the store so long after it began, at the latest."""
_AWAY = frozenset({StreamState.OFFLINE, StreamState.ERROR, StreamState.CONNECTING})


class FacadeWatch:
    """Meets ``WatchedEngine`` with the engine's facade."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._away_since: dict[StreamId, datetime] = {}

    def facts(self) -> EngineFacts:
        """Cameras that should run, and standing conditions of models."""
        now = self._clock.now()
        health = self._engine.health()
        named = {stream.id: stream for stream in self._engine.streams()}
        cameras = []
        self._away_since = {s: since for s, since in self._away_since.items() if s in named}
        for one in health.streams:
            stream = named.get(one.stream_id)
            if stream is None or not stream.enabled:
                continue
            if one.state in _AWAY:
                age_s = one.last_frame_age_s or 0.0
                self._away_since.setdefault(one.stream_id, now - timedelta(seconds=age_s))
            else:
                self._away_since.pop(one.stream_id, None)
            since = self._away_since.get(one.stream_id)
            away_s = None if since is None else since.timestamp()
            cameras.append(CameraFact(one.stream_id, stream.name, away_s, one.reason))
        troubles = tuple(
            Trouble(notice.key, notice.message, notice.at.timestamp())
            for notice in health.notices
            if notice.key.startswith(("model.", "worker.failed"))
        )
        return EngineFacts(tuple(cameras), troubles)

    def picture(self, stream_id: StreamId) -> bytes | None:
        """The camera's newest picture with boxes, small enough to be stored."""
        jpeg = snapshot_jpeg(self._engine, stream_id, overlays=True)
        return None if jpeg is None else within_bytes(jpeg, PICTURE_BYTES)


def within_bytes(jpeg: bytes, limit: int) -> bytes | None:
    """The same picture, smaller and smaller until it takes at most ``limit`` bytes."""
    if len(jpeg) <= limit:
        return jpeg
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    for width_px in (960, 640, 480, 320):
        height_px = max(round(image.shape[0] * width_px / image.shape[1]), 1)
        small = cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_AREA)
        done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
        if done and len(data) <= limit:
            return bytes(data)
    return None


class AlertAnnouncer(Protocol):
    """Tells other processes."""

    def alert_raised(self, alert: Alert) -> bool:
        """Publish ``alert:raised``; True if told."""
        ...


class AlertRelay:
    """A ``Witness``: publishes alerts, keeps their recordings, and calls the console's listeners.

    Called on the watch's thread; ``subscribe`` from any.
    """

    def __init__(self, announcer: AlertAnnouncer, chunks: ChunkRepository | None) -> None:
        self._announcer = announcer
        self._chunks = chunks
        self._listeners: list[Callable[[Alert], None]] = []
        self._followed: list[Alert] = []
        self._lock = threading.Lock()

    def subscribe(self, listener: Callable[[Alert], None]) -> None:
        """Call ``listener`` with every alert that this program raises."""
        with self._lock:
            self._listeners.append(listener)

    def raised(self, alert: Alert) -> None:
        """See ``Witness``."""
        log.warning("alert: %s", alert.message, extra=_about(alert))
        self._keep(alert)
        self._followed.append(alert)
        self._announcer.alert_raised(alert)
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(alert)

    def ended(self, alerts: Sequence[Alert]) -> None:
        """See ``Witness``."""
        for alert in alerts:
            log.info("over: %s", alert.message, extra=_about(alert))

    def looked(self, at: datetime) -> None:
        """See ``Witness``: recordings that began after an alert are kept when they are there."""
        due = [a for a in self._followed if at >= a.raised_at + EVIDENCE + CHUNK_LATE]
        for alert in due:
            self._followed.remove(alert)
            self._keep(alert)

    def _keep(self, alert: Alert) -> None:
        if self._chunks is None or alert.stream_id is None:
            return
        try:
            self._chunks.lock(
                (alert.stream_id,), alert.raised_at - EVIDENCE, alert.raised_at + EVIDENCE, True
            )
        except BarnhandError as error:
            log.warning("the recordings of an alert were not locked: %s", error)


def _about(alert: Alert) -> dict[str, object]:
    """What an alert's log line is about, as fields."""
    named = {
        "alert_id": alert.id,
        "stream_id": alert.stream_id,
        "track_id": alert.track_id,
        "horse_id": alert.horse_id,
    }
    return {name: value for name, value in named.items() if value is not None}


class AlertNode:
    """The watch of this program on its own thread, with everything around it."""

    def __init__(
        self,
        farm_id: FarmId,
        motion: MotionRepository,
        alerts: AlertRepository,
        horses: HorseRepository,
        engine: Engine,
        announcer: AlertAnnouncer,
        chunks: ChunkRepository | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._expected: int | None = None
        self.relay = AlertRelay(announcer, chunks)
        self.watch = AlertWatch(
            farm_id, motion, alerts, horses, FacadeWatch(engine, clock), self.relay, clock,
            lambda: self._expected,
        )  # fmt: skip
        self._worker = Worker("alert watch", self.watch.run, restart_budget=1000)

    def on_registry(self, snapshot: RegistrySnapshot) -> None:
        """Identities or the farm changed; called on the feed's thread."""
        self._expected = snapshot.expected_residents
        self.watch.forget_horses()

    def start(self) -> None:
        """Begin to look."""
        self._worker.start()

    def stop(self, deadline_s: float) -> tuple[str, ...]:
        """End; the name of the thread if it did not."""
        self._worker.ask_to_stop()
        return () if self._worker.join(deadline_s) else (self._worker.name,)
