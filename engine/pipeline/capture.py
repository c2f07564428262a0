"""Capture: one named thread per stream that fetches, paces, scales and hands on pictures."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from engine.domain.errors import (
    BarnhandError,
    EnvironmentFault,
    OperatorMistake,
    SourceEnded,
)
from engine.domain.frames import AnalysisFrame, FrameStamp, Picture, WallFrame
from engine.domain.geometry import read_only
from engine.domain.packets import PacketSource
from engine.domain.ports import Clock, FrameSource, SourcePicture
from engine.domain.streams import (
    SourceKind,
    Stream,
    StreamHealth,
    StreamState,
    StreamStatusChanged,
)
from engine.pipeline.capture_status import CaptureStatus
from engine.pipeline.knocking import KNOCK_EVERY_S, SILENT_PATIENCE_S, Knocker
from engine.pipeline.retry import STABLE_AFTER_S, retry_delay_s
from engine.pipeline.selection import Selector, fitted
from engine.pipeline.tap import SourceTap, Tap
from engine.runtime import log_context
from engine.runtime.worker import StopToken, Worker
from engine.settings import AnalysisSettings, CaptureSettings
from engine.sources.registry import abandon_opening, caller_waits, open_source

log = logging.getLogger(__name__)

WALL_KEPT_S = 0.7
_WALL_FRAMES_AT_MOST = 64
_LATE_AT_MOST_S = 0.5
_LOCAL_KINDS = {SourceKind.FILE, SourceKind.FOLDER}


class CaptureOutputs(Protocol):
    """Where a capture's products go."""

    def on_analysis_frame(self, frame: AnalysisFrame) -> None:
        """A picture selected for analysis, on the capture thread. Returns at once for streams in
        real time (the receiver drops and counts); may block for files read at any speed. Raising
        ``Closed`` ends the capture."""
        ...

    def on_status(self, change: StreamStatusChanged) -> None:
        """A change of state, once and in order, on the capture thread or on one that asked for
        ``health`` or ``state``. Returns at once."""
        ...


@dataclass(slots=True)
class _Playback:
    """Where a recording stands: offsets that keep its time growing over loops.

    ``offset_s`` is added to the source's own times; ``base_mono_s`` and ``base_at`` are when time
    zero was played.
    """

    offset_s: float = 0.0
    last_pts_s: float | None = None
    step_s: float = 0.04
    base_mono_s: float | None = None
    base_at: datetime | None = None


class Capture:
    """Keeps one stream running until asked to stop.

    Recordings in real time are paced by their PTS against the monotonic clock; a machine that
    cannot keep up plays slower and loses nothing. A recording read at any speed
    (``stream.realtime`` False) gets stamps made from its PTS, so that trackers see its own time.
    Looping goes on counting: ``sequence`` and ``pts_s`` only ever grow. Over a reconnect of a
    live source ``sequence`` grows and ``pts_s`` is whatever the camera says.

    A capture starts once; after it ended or was stopped, make a new one (``first_sequence`` lets
    it go on counting). ``detector_size_px`` is asked for each analysed picture. ``tap`` gets the
    packets and pictures of every opening. ``analysed`` False: pictures are for the wall alone.
    """

    def __init__(
        self,
        stream: Stream,
        settings: CaptureSettings,
        analysis: AnalysisSettings,
        clock: Clock,
        deliver: CaptureOutputs,
        detector_size_px: Callable[[], tuple[int, int]],
        first_sequence: int = 0,
        tap: Tap | None = None,
        analysed: bool = True,
    ) -> None:
        self.stream = stream
        self._for_analysis = analysed
        self._tap = tap
        self._recording: SourceTap | None = None
        self._settings = settings
        self._clock = clock
        self._deliver = deliver
        self._detector_size_px = detector_size_px
        self._sequence = first_sequence
        self._is_recording = stream.kind in _LOCAL_KINDS
        # A recording is never offline: its reader may be paused by a slow analysis.
        offline_after_s = math.inf if self._is_recording else settings.offline_after_s
        self._status = CaptureStatus(stream.id, clock, offline_after_s, deliver.on_status)
        self._analysed = Selector(stream.analysis_fps or analysis.fps)
        self._every: int | None = None
        self._walled = Selector(settings.wall_fps)
        self._tile_px: tuple[int, int] | None = None
        self._wall: deque[WallFrame] = deque(maxlen=_WALL_FRAMES_AT_MOST)
        self._wall_lock = threading.Lock()
        self._latest: tuple[FrameStamp, Picture] | None = None
        self._source: FrameSource | None = None
        self._source_lock = threading.Lock()
        self._playback = _Playback()
        self._failures = 0
        self._knocker = Knocker(stream)
        self._lost_at = first_sequence
        self._worker = Worker(f"capture-{stream.name}", self._run, on_failed=self._on_worker_failed)

    # --- what other threads call -----------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the thread."""
        return self._worker.name

    @property
    def state(self) -> StreamState:
        """The stream's state now."""
        return self._status.state

    @property
    def next_sequence(self) -> int:
        """What a later capture of the same stream passes as ``first_sequence``."""
        return self._sequence

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._worker.start()

    def ask_to_stop(self) -> None:
        """Begin to stop; returns at once. The thread ends within the source's time-outs."""
        self._worker.ask_to_stop()
        with self._source_lock:
            source = self._source
        if source is not None:
            source.close()
        abandon_opening(self.stream)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; True if the thread is gone."""
        return self._worker.join(timeout_s)

    def show(self, size_px: tuple[int, int] | None) -> None:
        """Make wall frames that fit this tile from the next picture on; None makes none."""
        with self._wall_lock:
            self._tile_px = size_px
            if size_px is None:
                self._wall.clear()

    def wall_frames(self) -> tuple[WallFrame, ...]:
        """The wall frames of the last 0.7 s, oldest first; empty while not shown."""
        with self._wall_lock:
            return tuple(self._wall)

    def latest(self) -> tuple[FrameStamp, Picture] | None:
        """The newest picture, None before the first."""
        return self._latest

    def health(self) -> StreamHealth:
        """The capture side of the stream's health. Calling it about once a second also makes the
        OFFLINE state punctual while the thread waits for a network time-out."""
        return self._status.health()

    # --- the thread ------------------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        log_context.bind(stream_id=self.stream.id, camera=self.stream.name)
        try:
            while not token.stopping:
                if not self._attempt(token):
                    return
            self._status.finished(StreamState.INACTIVE, "Stopped.")
        finally:
            if token.stopping:
                self._status.finished(StreamState.INACTIVE, "Stopped.")

    def _attempt(self, token: StopToken) -> bool:
        """Open the source once and play it; True if it is to be opened again."""
        self._status.connecting()
        opened_s = self._clock.mono_s()
        decoded = self._sequence
        try:
            self._every = _every(self.stream)
            self._play(token)
        except OperatorMistake as mistake:
            self._status.finished(StreamState.ERROR, str(mistake))
            return False
        except SourceEnded as end:
            if self._is_recording:
                return self._after_end(end, self._sequence > decoded)
            self._rest(token, end, opened_s)
        except EnvironmentFault as fault:
            self._rest(token, fault, opened_s)
        return True

    def _play(self, token: StopToken) -> None:
        source = open_source(self.stream, self._settings)
        with self._source_lock:
            self._source = source
        self._is_recording = self.stream.kind in _LOCAL_KINDS or source.duration_s is not None
        if not self._is_recording:
            self._playback = _Playback()
        try:
            if source.nominal_fps:
                self._playback.step_s = 1.0 / source.nominal_fps
            self._listen(source)
            while not token.stopping:
                self._handle(source.read(), source, token)
        finally:
            with self._source_lock:
                self._source = None
            source.close()
            if self._recording is not None:
                self._recording.on_closed()
                self._recording = None

    def _listen(self, source: FrameSource) -> None:
        """Let the tap hear what this opening brings."""
        if self._tap is None:
            return
        packets = source if isinstance(source, PacketSource) else None
        coding = None if packets is None else packets.coding
        offset_s = 0.0 if source.live else self._playback.offset_s
        self._recording = self._tap.opened(self.stream, coding, offset_s)
        if packets is not None and self._recording is not None:
            packets.tap(self._recording.on_packet)

    def _after_end(self, end: SourceEnded, played: bool) -> bool:
        """A recording came to its end: again from the start, or done."""
        if not self.stream.loop:
            self._status.finished(StreamState.ENDED, end.message)
            return False
        if not played:
            self._status.finished(StreamState.ERROR, "It holds no picture that can be decoded.")
            return False
        playback = self._playback
        playback.offset_s = (playback.last_pts_s or 0.0) + playback.step_s
        return True

    def _rest(self, token: StopToken, fault: BarnhandError, opened_s: float) -> None:
        """Wait before the next attempt, shorter if a camera that was away answers again."""
        if token.stopping:
            return
        held = self._status.health().last_frame_age_s
        if held is not None and self._clock.mono_s() - opened_s - held >= STABLE_AFTER_S:
            self._failures = 0
        self._failures += 1
        delay_s = retry_delay_s(self._failures, random.random())
        log.info("%s: %s Next attempt in %.0f s.", self.stream.name, fault, delay_s)
        self._status.lost(str(fault), delay_s)
        knocker = self._knocker
        if self._sequence > self._lost_at or self._failures == 1:
            self._lost_at = self._sequence
            knocker.began()
        end_s = time.monotonic() + delay_s
        while (left_s := end_s - time.monotonic()) > 0:
            if token.wait(min(left_s, KNOCK_EVERY_S)):
                return
            self._status.health()
            if caller_waits(self.stream) or knocker.better():
                return
            if knocker.silent and time.monotonic() >= end_s and delay_s < SILENT_PATIENCE_S:
                end_s, delay_s = end_s + SILENT_PATIENCE_S, SILENT_PATIENCE_S

    def _handle(self, shot: SourcePicture, source: FrameSource, token: StopToken) -> None:
        pts_s = self._time_of(shot, source)
        if not source.live and self.stream.realtime and not self._wait_until_due(pts_s, token):
            return
        stamp = self._stamp(pts_s, source)
        picture = shot.picture
        self._sequence += 1
        self._latest = (stamp, picture)
        self._status.picture(shot, picture)
        analysed = self._is_analysed(stamp)
        if self._recording is not None:
            copied = isinstance(source, PacketSource) and source.coding is not None
            self._recording.on_picture(stamp, picture, analysed, copied)
        self._offer_wall(stamp, picture)
        if analysed:
            self._offer_analysis(stamp, picture)

    def _time_of(self, shot: SourcePicture, source: FrameSource) -> float | None:
        """PTS, for recordings growing over loops and made up where the source states none."""
        if source.live:
            return shot.pts_s
        playback = self._playback
        pts_s = shot.pts_s
        if pts_s is None:
            last_s = playback.last_pts_s
            pts_s = playback.offset_s if last_s is None else last_s + playback.step_s
        else:
            pts_s += playback.offset_s
        if playback.last_pts_s is not None and pts_s <= playback.last_pts_s:
            pts_s = playback.last_pts_s + 1e-6
        playback.last_pts_s = pts_s
        return pts_s

    def _wait_until_due(self, pts_s: float | None, token: StopToken) -> bool:
        """Pace a recording; False if a stop came first."""
        playback = self._playback
        now_s = self._clock.mono_s()
        if pts_s is None:
            return True
        if playback.base_mono_s is None:
            playback.base_mono_s = now_s - pts_s
        late_s = now_s - (playback.base_mono_s + pts_s)
        if late_s > _LATE_AT_MOST_S or late_s < -60.0:
            playback.base_mono_s = now_s - pts_s
        elif late_s < 0:
            return not token.wait(-late_s)
        return True

    def _stamp(self, pts_s: float | None, source: FrameSource) -> FrameStamp:
        mono_s, at = self._clock.mono_s(), self._clock.now()
        if not self.stream.realtime and not source.live and pts_s is not None:
            playback = self._playback
            if playback.base_mono_s is None or playback.base_at is None:
                playback.base_mono_s = mono_s - pts_s
                playback.base_at = at - timedelta(seconds=pts_s)
            mono_s = playback.base_mono_s + pts_s
            at = playback.base_at + timedelta(seconds=pts_s)
        return FrameStamp(self.stream.id, self._sequence, at, mono_s, pts_s)

    def _offer_wall(self, stamp: FrameStamp, picture: Picture) -> None:
        tile_px = self._tile_px
        if tile_px is None or not self._walled.picks(stamp.captured_mono_s):
            return
        size, _ = fitted(picture.width_px, picture.height_px, tile_px)
        bgra = picture.scaled_bgra(*size)
        read_only(bgra)
        frame = WallFrame(stamp, bgra, picture.width_px, picture.height_px)
        with self._wall_lock:
            if self._tile_px is None:
                return
            self._wall.append(frame)
            while stamp.captured_mono_s - self._wall[0].stamp.captured_mono_s > WALL_KEPT_S:
                self._wall.popleft()

    def _is_analysed(self, stamp: FrameStamp) -> bool:
        if not self._for_analysis:
            return False
        if self._every is not None:
            return stamp.sequence % self._every == 0
        return self._analysed.picks(stamp.captured_mono_s)

    def _offer_analysis(self, stamp: FrameStamp, picture: Picture) -> None:
        size, scale = fitted(picture.width_px, picture.height_px, self._detector_size_px())
        detector_bgr = picture.scaled_bgr(*size)
        read_only(detector_bgr)
        self._deliver.on_analysis_frame(AnalysisFrame(stamp, picture, detector_bgr, scale))

    def _on_worker_failed(self, name: str, error: BaseException) -> None:
        self._status.finished(
            StreamState.ERROR, f"Capture failed ({type(error).__name__}); see the log."
        )


def _every(stream: Stream) -> int | None:
    """``extra["analyse_every"]``: analyse exactly every n-th picture instead of by rate."""
    value = stream.extra.get("analyse_every")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise OperatorMistake(f"analyse_every of {stream.name} must be a whole number from 1.")
    return value
