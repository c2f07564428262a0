"""Plays one camera's recordings on a thread of its own: decodes ahead of the cursor, scales to
the view, and hands over what is shown at an instant without ever being waited for."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from engine.domain.errors import BarnhandError, SourceUnreadable
from engine.domain.frames import Image
from engine.domain.geometry import read_only
from engine.domain.ids import StreamId
from engine.domain.ports import Clock
from engine.domain.recording import Chunk
from engine.pipeline.selection import fitted
from engine.recording.overlay import Overlay, OverlayEntry, read_overlay
from engine.recording.reader import ChunkPicture, ChunkReader
from engine.runtime.clock import SystemClock
from engine.runtime.worker import StopToken, Worker
from ui.review.recordings import CameraRecordings, instant_of
from ui.timeline.cursor import instant, micros

log = logging.getLogger(__name__)

AHEAD_US, BEHIND_US = 600_000, 1_500_000
"""So much is decoded before it is needed, and kept after it was shown."""
AT_MOST = 96
REACH_US = 3_000_000
"""Going forward less than this goes on decoding; farther, or back, seeks."""
GAP_US = 1_000_000
"""A picture is shown for at most so long where the next one is missing."""
IDLE_S = 0.25


@dataclass(frozen=True, slots=True)
class ReviewFrame:
    """One picture of a recording, scaled to fit the view: uint8 (h, w, 4) BGRA, read-only.

    ``pts_s`` is its time inside ``chunk``'s file; ``entry`` what the analysis saw in it (None:
    nothing known), in pixels of ``picture_px`` (width, height), with ``overlay`` for skeletons.
    """

    at_us: int
    bgra: Image
    chunk: Chunk
    pts_s: float
    entry: OverlayEntry | None
    overlay: Overlay | None
    picture_px: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no picture: ``reason`` is empty where nothing is recorded."""

    reason: str = ""


class Player:
    """``show`` says what is wanted and returns at once; ``frame`` gives it once it is there.

    ``ready`` False: it is being decoded, so the cursor should wait.
    """

    def __init__(
        self,
        name: str,
        stream_id: StreamId,
        recordings: CameraRecordings,
        clock: Clock | None = None,
    ) -> None:
        self.stream_id = stream_id
        self._recordings = recordings
        self._clock = clock or SystemClock()
        self._wake = threading.Condition()
        self._target_us: int | None = None
        self._size_px = (640, 360)
        self._generation = 0
        self._frames: deque[ReviewFrame] = deque()
        self._absence: tuple[int, Absence] | None = None
        self._times_us: tuple[int, ...] = ()
        self._closed = False
        self._reader: ChunkReader | None = None
        self._chunk: Chunk | None = None
        self._overlay: Overlay | None = None
        self._pictures: Iterator[ChunkPicture] | None = None
        self._worker = Worker(f"console.player.{name}", self._run, restart_budget=100)
        self._worker.start()

    # --- what the window asks (never blocks) ------------------------------------------------------

    def show(self, at: datetime, size_px: tuple[int, int]) -> None:
        """Be at this instant, with pictures that fit this size in device pixels."""
        target_us = micros(at)
        with self._wake:
            if size_px != self._size_px:
                self._size_px = size_px
                self._restart()
            if target_us != self._target_us:
                self._target_us = target_us
                self._absence = None
            self._wake.notify()

    def frame(self) -> ReviewFrame | Absence | None:
        """What is seen at the wanted instant; None while it is being fetched."""
        with self._wake:
            target_us = self._target_us
            if target_us is None:
                return None
            if self._absence is not None and self._absence[0] == target_us:
                return self._absence[1]
            return self._covering(target_us)

    @property
    def ready(self) -> bool:
        """False while the wanted picture is being fetched."""
        return self.frame() is not None

    def neighbour(self, at: datetime, step: int) -> datetime | None:
        """When the picture ``step`` pictures on or back was taken, None where that is not known
        (the end of a chunk, or none is open)."""
        with self._wake:
            times = self._times_us
        place = bisect_right(times, micros(at)) - 1 + step
        return instant(times[place]) if times and 0 <= place < len(times) else None

    def reload(self) -> None:
        """What was seen changed (an edit, a reprocessing): read it again."""
        self._recordings.forget()
        with self._wake:
            self._restart()
            self._wake.notify()

    def close(self) -> None:
        """End soon; ``join`` waits for it."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._worker.ask_to_stop()

    def join(self, seconds: float) -> bool:
        """True once the thread has ended."""
        return self._worker.join(seconds)

    def _restart(self) -> None:
        self._generation += 1
        self._frames.clear()
        self._absence = None

    def _covering(self, target_us: int) -> ReviewFrame | None:
        best = None
        for frame in self._frames:
            if frame.at_us > target_us:
                # The one before it is on show until this one.
                return best
            best = frame
        if best is not None and target_us - best.at_us <= _step_us(self._frames):
            return best
        return None

    # --- the player's thread ----------------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        try:
            while not token.stopping:
                with self._wake:
                    if self._closed:
                        return
                    target_us, generation = self._target_us, self._generation
                    if target_us is None or self._enough(target_us):
                        self._wake.wait(IDLE_S)
                        continue
                self._advance(target_us, generation)
        finally:
            self._drop_reader()

    def _enough(self, target_us: int) -> bool:
        if self._absence is not None and self._absence[0] == target_us:
            return True
        frames = self._frames
        if not frames or frames[0].at_us > target_us:
            return False
        return frames[-1].at_us >= target_us + AHEAD_US or (
            len(frames) >= AT_MOST and frames[-1].at_us > target_us
        )

    def _advance(self, target_us: int, generation: int) -> None:
        """Decode one more picture, from where we are or from the target."""
        try:
            picture = self._next(target_us, generation)
        except (BarnhandError, OSError) as error:
            self._drop_reader()
            log.info("no picture to review: %s", error)
            words = str(error) if isinstance(error, BarnhandError) else "The recording is gone."
            self._say_absent(target_us, generation, Absence(words))
            return
        if picture is None:
            self._say_absent(target_us, generation, Absence())
            return
        self._keep(self._frame_of(picture), target_us, generation)

    def _next(self, target_us: int, generation: int) -> ChunkPicture | None:
        with self._wake:
            newest_us = self._frames[-1].at_us if self._frames else None
            fresh = generation == self._generation
        on = (
            fresh
            and newest_us is not None
            and self._frames[0].at_us <= target_us
            and target_us - newest_us < REACH_US
        )
        if not on:
            return self._seek(target_us)
        picture = next(self._pictures, None) if self._pictures is not None else None
        if picture is not None:
            return picture
        return self._into_next_chunk(target_us)

    def _seek(self, target_us: int) -> ChunkPicture | None:
        with self._wake:
            self._frames.clear()
        spot = self._recordings.spot(instant(target_us), self._clock.mono_s())
        if spot is None:
            return None
        self._open(spot.chunk)
        reader = self._reader
        assert reader is not None
        times = reader.times_s
        place = bisect_right(times, spot.pts_s + 1e-6) - 1
        if not times:
            raise SourceUnreadable("The recording holds no picture yet.")
        self._pictures = reader.pictures(times[max(place, 0)])
        return next(self._pictures, None)

    def _into_next_chunk(self, target_us: int) -> ChunkPicture | None:
        chunk = self._chunk
        follower = None if chunk is None else self._recordings.after(chunk, self._clock.mono_s())
        if follower is None or micros(follower.start_at) - target_us > REACH_US:
            # Nothing follows yet: what is shown stays, and it is looked for again soon.
            with self._wake:
                self._wake.wait(IDLE_S)
            return None
        self._open(follower)
        assert self._reader is not None
        self._pictures = self._reader.pictures()
        return next(self._pictures, None)

    def _open(self, chunk: Chunk) -> None:
        self._drop_reader()
        path, overlay_path = self._recordings.files(chunk)
        self._reader = ChunkReader(path)
        self._chunk = chunk
        self._overlay = None
        if overlay_path is not None:
            try:
                self._overlay = read_overlay(overlay_path)
            except (BarnhandError, OSError) as error:
                log.info("a recording is shown without its overlay: %s", error)
        times = tuple(micros(instant_of(chunk, pts_s)) for pts_s in self._reader.times_s)
        with self._wake:
            self._times_us = times

    def _drop_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._chunk = None
        self._pictures = None

    def _frame_of(self, picture: ChunkPicture) -> ReviewFrame:
        chunk, overlay = self._chunk, self._overlay
        assert chunk is not None
        with self._wake:
            size_px = self._size_px
        size, _ = fitted(picture.picture.width_px, picture.picture.height_px, size_px)
        bgra = picture.picture.scaled_bgra(*size)
        read_only(bgra)
        entry = None if overlay is None else overlay.at(picture.pts_s)
        seen_px = (picture.picture.width_px, picture.picture.height_px)
        if overlay is not None:
            seen_px = (overlay.width_px, overlay.height_px)
        at_us = micros(instant_of(chunk, picture.pts_s))
        return ReviewFrame(at_us, bgra, chunk, picture.pts_s, entry, overlay, seen_px)

    def _keep(self, frame: ReviewFrame, target_us: int, generation: int) -> None:
        with self._wake:
            if generation != self._generation:
                return
            frames = self._frames
            if frames and frame.at_us <= frames[-1].at_us:
                return
            frames.append(frame)
            while len(frames) > 2 and (
                frames[1].at_us < target_us - BEHIND_US
                or (len(frames) > AT_MOST and frames[1].at_us <= target_us)
            ):
                frames.popleft()

    def _say_absent(self, target_us: int, generation: int, absence: Absence) -> None:
        with self._wake:
            wanted = self._target_us == target_us and self._generation == generation
            if wanted and self._covering(target_us) is None:
                self._absence = (target_us, absence)


def _step_us(frames: deque[ReviewFrame]) -> int:
    """How long the newest picture is on show before another must come."""
    if len(frames) < 2:
        return 100_000
    return min(max(2 * (frames[-1].at_us - frames[-2].at_us), 100_000), GAP_US)
