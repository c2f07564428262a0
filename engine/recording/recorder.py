"""``Recorder``: everything that keeps what cameras show on disk.

A thread a camera writes; one thread brings rows to the store; one keeps room on the disk. It hears
packets and pictures as the pipeline's tap and results as one of the engine's sinks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.domain.errors import BarnhandError, StoreUnavailable
from engine.domain.frames import FrameStamp, Picture
from engine.domain.identity import IdentityEvent
from engine.domain.ids import StreamId
from engine.domain.motion import MotionEvent
from engine.domain.notices import Notice, Severity
from engine.domain.packets import EncodedPacket, VideoCoding
from engine.domain.ports import Clock, TrackSummary
from engine.domain.recording import Chunk, ChunkRepository, ChunkState
from engine.domain.results import FrameResult
from engine.domain.streams import Stream, StreamHealth, StreamStatusChanged
from engine.pipeline.tap import SourceTap
from engine.recording.camera_recorder import CameraRecorder
from engine.recording.intake import Gone, Intake, Opened, Shown
from engine.recording.journal import Journal
from engine.recording.keeper import Keeper
from engine.recording.parameter_sets import COPIED
from engine.recording.reconciliation import reconcile
from engine.recording.rescue import left_open, rescue, row_of
from engine.runtime.clock import SystemClock
from engine.runtime.worker import StopToken, Worker
from engine.settings import RecordingSettings

log = logging.getLogger(__name__)

MODES = ("always", "motion", "off")
_STORE_EVERY_S = 1.0
_STORE_AGAIN_S = 3.0
_ROOM_EVERY_S = 5.0


class Recorder:
    """See the module. ``media``: the media folder; ``chunks``: the store of rows; ``notify`` gets
    standing notices. ``start`` before the engine, ``stop`` after it. Methods may be called from
    any thread; ``start`` and ``stop`` block."""

    def __init__(
        self,
        settings: RecordingSettings,
        media: Path,
        chunks: ChunkRepository,
        notify: Callable[[Notice], None],
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._media = media
        self._chunks = chunks
        self._notify = notify
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._cameras: dict[StreamId, tuple[CameraRecorder, Worker]] = {}
        self._leaving: list[Worker] = []
        self._off: set[StreamId] = set()
        self._told: set[str] = set()
        self._running = False
        self._started_s = 0.0
        self.has_room = True
        self.rescued = 0
        self.journal = Journal(media)
        self._keeper = Keeper(media, chunks, lambda: self._settings, self._clock)
        self._look = threading.Event()
        self._workers = (
            Worker("recorder-rows", self._store_rows, on_failed=self._on_failed),
            Worker("recorder-room", self._keep_room, on_failed=self._on_failed),
        )

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Close what a crash left open, then be ready for cameras."""
        self._rescue()
        self.has_room = self._keeper.free_bytes() >= self._settings.min_free_gb * 1e9
        self._running = True
        self._started_s = time.time()
        for worker in self._workers:
            worker.start()

    def stop(self, deadline_s: float = 5.0) -> tuple[str, ...]:
        """Close every chunk and bring its row away; names of threads that did not end in time."""
        end_s = time.monotonic() + deadline_s
        with self._lock:
            self._running = False
            cameras, self._cameras = list(self._cameras.values()), {}
            leaving = [*self._leaving, *(worker for _, worker in cameras)]
        for camera, _ in cameras:
            camera.intake.mailbox.close()
        alive = [w.name for w in leaving if not w.join(end_s - time.monotonic())]
        for worker in self._workers:
            worker.ask_to_stop()
        self._look.set()
        self.journal.changed.set()
        alive += [w.name for w in self._workers if not w.join(end_s - time.monotonic())]
        return tuple(alive)

    def apply(self, settings: RecordingSettings) -> None:
        """See ``Tap``."""
        self._settings = settings
        self._look.set()

    # --- what captures call (Tap) ---------------------------------------------------------------

    def opened(
        self, stream: Stream, coding: VideoCoding | None, offset_s: float
    ) -> SourceTap | None:
        """See ``Tap``."""
        if self.mode_of(stream) == "off":
            self._off.add(stream.id)
            self._end(stream.id)
            return None
        self._off.discard(stream.id)
        camera = self._camera(stream)
        if camera is None:
            return None
        copied = coding if coding is not None and coding.codec in COPIED else None
        camera.intake.waits = not stream.realtime
        camera.intake.put(Opened(stream, copied, offset_s))
        return _Listener(camera.intake, copied is not None, self._settings.encode_fps)

    def forget(self, stream_id: StreamId) -> None:
        """See ``Tap``."""
        self._end(stream_id)

    def state_of(self, stream_id: StreamId) -> str:
        """See ``Tap``."""
        if stream_id in self._off:
            return "off"
        with self._lock:
            found = self._cameras.get(stream_id)
        return "" if found is None else found[0].state

    def _camera(self, stream: Stream) -> CameraRecorder | None:
        with self._lock:
            if not self._running:
                return None
            found = self._cameras.get(stream.id)
            if found is not None:
                return found[0]
            camera = CameraRecorder(stream, self._media, lambda: self._settings, self._clock, self)
            worker = Worker(f"recorder-{stream.name}", camera.run, on_failed=self._on_failed)
            self._cameras[stream.id] = (camera, worker)
            worker.start()
            return camera

    def _end(self, stream_id: StreamId) -> None:
        with self._lock:
            found = self._cameras.pop(stream_id, None)
            if found is None:
                return
            self._leaving.append(found[1])
        found[0].intake.mailbox.close()

    def _tidy(self) -> None:
        """Let go of recorders that have ended: they keep an encoder and their last pictures."""
        with self._lock:
            self._leaving = [worker for worker in self._leaving if worker.alive]

    # --- what the engine tells (EngineSink) -----------------------------------------------------

    def on_result(self, result: FrameResult) -> None:
        """What was seen goes into the overlay."""
        with self._lock:
            found = self._cameras.get(result.stamp.stream_id)
        if found is not None:
            found[0].intake.put(result)

    def on_identity(self, event: IdentityEvent) -> None:
        """Not recorded: overlays say whose a track was when it was seen."""

    def on_motion(self, events: Sequence[MotionEvent]) -> None:
        """Not recorded: bouts and strides are rows of their own."""

    def on_track_closed(self, summary: TrackSummary) -> None:
        """Not recorded."""

    def on_status(self, change: StreamStatusChanged) -> None:
        """Not recorded."""

    def on_health(self, healths: Sequence[StreamHealth]) -> None:
        """Not recorded."""

    def on_notice(self, notice: Notice) -> None:
        """Not recorded."""

    # --- what cameras' recorders ask (Desk) -----------------------------------------------------

    def mode_of(self, stream: Stream) -> str:
        """See ``Desk``. The camera's own choice goes before the settings'."""
        if not self._settings.enabled:
            return "off"
        own = stream.extra.get("record")
        return own if isinstance(own, str) and own in MODES else self._settings.mode

    def put(self, chunk: Chunk) -> None:
        """See ``Desk``."""
        self.journal.put(chunk)

    def forget_chunk(self, chunk: Chunk) -> None:
        """See ``Desk``."""
        self.journal.forget(chunk.id)

    def broken(self, part: Path, chunk: Chunk | None) -> None:
        """See ``Desk``."""
        self._look.set()
        try:
            row = chunk or row_of(self._media, part.relative_to(self._media).as_posix()[:-5])
            self._close_left_open(row)
        except OSError as error:
            log.warning("%s stays open until the next start: %s", part.name, type(error).__name__)

    def lost(self, stream: Stream, packets: int) -> None:
        """See ``Desk``."""
        self._tell(
            Notice(
                key=f"recording.lost:{stream.id}",
                severity=Severity.WARNING,
                message=f"{stream.name}: {packets} packets could not be recorded in time.",
                advice="The disk or the processor is too slow for this many cameras.",
                at=self._clock.now(),
                stream_id=stream.id,
                active=packets > 0,
            )
        )

    # --- rows -----------------------------------------------------------------------------------

    def _store_rows(self, token: StopToken) -> None:
        while True:
            stopping = token.stopping
            self._tidy()
            self.journal.changed.clear()
            away = not self._store_waiting()
            if stopping:
                return
            if away:
                token.wait(_STORE_AGAIN_S)
            else:
                self.journal.changed.wait(_STORE_EVERY_S)

    def _store_waiting(self) -> bool:
        """Bring waiting rows to the store; False while it is away."""
        for chunk_id, chunk in self.journal.waiting().items():
            try:
                if chunk is None:
                    self._chunks.remove([chunk_id])
                else:
                    self._chunks.put(chunk)
            except StoreUnavailable as error:
                self._tell_waiting(str(error))
                return False
            except BarnhandError as error:
                log.error("the row of a recording was refused: %s", error)
            self.journal.stored(chunk_id, chunk)
        self._tell_waiting("")
        return True

    def _tell_waiting(self, reason: str) -> None:
        self._tell(
            Notice(
                key="recording.rows",
                severity=Severity.WARNING,
                message=f"Recordings are kept, but cannot be listed yet. {reason}".strip(),
                advice="They appear when the database is back.",
                at=self._clock.now(),
                active=bool(reason),
            )
        )

    # --- room -----------------------------------------------------------------------------------

    def _keep_room(self, token: StopToken) -> None:
        self._reconcile()
        while not token.stopping:
            try:
                room = self._keeper.look()
                self.has_room = room.enough
                if room.removed:
                    log.info("retention removed %d chunks", room.removed)
                self._tell_room(room.free_bytes)
            except BarnhandError as error:
                log.warning("retention: %s", error)
            self._look.wait(_ROOM_EVERY_S)
            self._look.clear()

    def _tell_room(self, free_bytes: int) -> None:
        self._tell(
            Notice(
                key="recording.stopped",
                severity=Severity.CRITICAL,
                message="The disk is full: nothing is recorded.",
                advice=(
                    f"Free space on the disk of the media folder ({free_bytes / 1e9:.1f} GB are "
                    "free), unlock or shorten recordings; recording goes on by itself."
                ),
                at=self._clock.now(),
                active=not self.has_room,
            )
        )

    # --- after a crash --------------------------------------------------------------------------

    def _rescue(self) -> None:
        for chunk in self.journal.load():
            try:
                self._take_up(chunk)
            except (OSError, BarnhandError) as error:
                log.warning("a recording could not be closed: %s", error)
        for path in left_open(self._media):
            try:
                self._close_left_open(row_of(self._media, path))
            except (OSError, BarnhandError) as error:
                log.warning("%s could not be closed: %s", path, error)

    def _take_up(self, chunk: Chunk) -> None:
        """A row that an earlier run could not bring away, or did not finish."""
        if chunk.state is ChunkState.OPEN:
            self._close_left_open(chunk)
        else:
            self.journal.put(chunk)

    def _close_left_open(self, chunk: Chunk | None) -> None:
        if chunk is None:
            return
        closed = rescue(self._media, chunk)
        if closed is None:
            self.journal.forget(chunk.id)
            return
        self.rescued += 1
        log.info("a recording of %.1f s was closed after the fact", closed.duration_s)
        self.journal.put(closed)

    def _reconcile(self) -> None:
        try:
            reconcile(self._media, self._chunks, self.journal, self._started_s)
        except (OSError, BarnhandError) as error:
            log.warning("recordings and their rows were not compared: %s", error)

    def _tell(self, notice: Notice) -> None:
        """Conditions that begin, go on or end; that nothing is wrong is not told again."""
        with self._lock:
            if not notice.active and notice.key not in self._told:
                return
            (self._told.add if notice.active else self._told.discard)(notice.key)
        self._notify(notice)

    def _on_failed(self, name: str, error: BaseException) -> None:
        self._notify(
            Notice(
                key=f"worker.failed:{name}",
                severity=Severity.CRITICAL,
                message=f"The part {name} of the recorder failed again and again: {error}",
                advice="Restart the program and send the log to the makers.",
                at=self._clock.now(),
            )
        )


class _Listener:
    """One opening of one source, on its capture thread (SourceTap)."""

    def __init__(self, intake: Intake, copies: bool, encode_fps: float) -> None:
        self._intake = intake
        self._copies = copies
        self._every_s = 1.0 / encode_fps
        self._last_s = -1e9

    def on_packet(self, packet: EncodedPacket) -> None:
        """See ``SourceTap``."""
        if self._copies:
            self._intake.put(packet)

    def on_picture(self, stamp: FrameStamp, picture: Picture, analysed: bool, copied: bool) -> None:
        """See ``SourceTap``. What is encoded is every analysed picture and others at the rate."""
        self._copies = self._copies and copied
        if self._copies:
            self._intake.put(Shown(stamp, None, analysed))
            return
        time_s = stamp.captured_mono_s if stamp.pts_s is None else stamp.pts_s
        if analysed or not 0.0 <= time_s - self._last_s < 0.95 * self._every_s:
            self._last_s = time_s
            self._intake.put(Shown(stamp, picture, analysed))

    def on_closed(self) -> None:
        """See ``SourceTap``."""
        self._intake.put(Gone())
