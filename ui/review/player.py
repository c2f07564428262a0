"""Plays one camera's recordings on a thread of its own: decodes ahead of the cursor, scales to
the view, and hands over what is shown at an instant without ever being waited for."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from PySide6.QtCore import QCoreApplication

from engine.domain.errors import BarnhandError
from engine.domain.ids import StreamId
from engine.domain.ports import Clock
from engine.domain.recording import ChunkState
from engine.runtime.clock import SystemClock
from engine.runtime.worker import StopToken, Worker
from ui.review.decoder import ChunkDecoder, Neighbourhood, Owners
from ui.review.frames import Absence, FrameBuffer, ReviewFrame
from ui.review.recordings import CameraRecordings
from ui.timeline.cursor import instant, micros

log = logging.getLogger(__name__)

AHEAD_US, BEHIND_US = 600_000, 800_000
"""So much is decoded before it is needed, and kept after it was shown."""
AT_MOST = 72
REACH_US = 3_000_000
"""Going forward less than this goes on decoding; farther, or back, seeks."""
BROKEN_US = 1_000_000
"""A recording that cannot be read is spoken of for so long, then tried again."""
IDLE_S = 0.25
ASK_AGAIN_S = 3.0
"""An absence is looked into again after so long: recordings grow and come back."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Review", text)


class Player:
    """``show`` says what is wanted and returns at once; ``frame`` gives it once it is there.

    ``ready`` False: it is being decoded, so the cursor should wait.
    """

    def __init__(
        self,
        name: str,
        stream_id: StreamId,
        recordings: CameraRecordings,
        owners: Owners | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.stream_id = stream_id
        self._recordings = recordings
        self._clock = clock or SystemClock()
        self._wake = threading.Condition()
        self._target_us: int | None = None
        self._size_px = (640, 360)
        self._generation = 0
        self._frames = FrameBuffer(AT_MOST)
        self._absence: Absence | None = None
        self._absent_mono_s = 0.0
        self._asked_us: int | None = None
        self._around: Neighbourhood | None = None
        self._closed = False
        self._reread = self._disowned = False
        self._decoder = ChunkDecoder(recordings, self._clock, owners)
        self._worker = Worker(f"console.player.{name}", self._run, restart_budget=100)
        self._worker.start()

    # --- what the window asks (never blocks) ------------------------------------------------------

    def show(self, at: datetime, size_px: tuple[int, int]) -> None:
        """Be at this instant, with pictures that fit this size in device pixels."""
        target_us = micros(at)
        with self._wake:
            changed = target_us != self._target_us
            if size_px != self._size_px:
                self._size_px = size_px
                self._restart()
                changed = True
            if changed:
                self._target_us = target_us
                self._wake.notify()

    def frame(self) -> ReviewFrame | Absence | None:
        """What is seen at the wanted instant; None while it is being fetched."""
        with self._wake:
            return self._seen()

    @property
    def ready(self) -> bool:
        """False while the wanted picture is being fetched."""
        return self.frame() is not None

    def neighbour(self, at: datetime, step: int) -> datetime | None:
        """When the picture ``step`` pictures on or back was taken, over the ends of recordings.
        None while that is being found out (ask again soon), or where there is no such picture."""
        at_us = micros(at)
        with self._wake:
            around = self._around
            if around is not None and around.start_us <= at_us < around.end_us:
                found = around.neighbour(at_us, step)
                if found is not None:
                    return instant(found)
            self._asked_us = at_us
            self._wake.notify()
        return None

    def reload(self) -> None:
        """What was seen changed (an edit, a reprocessing): read it again."""
        self._recordings.forget()
        with self._wake:
            self._reread = True
            self._restart()
            self._wake.notify()

    def own_again(self) -> None:
        """Somebody said whose tracks are: names change, pictures stay."""
        with self._wake:
            self._disowned = True
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
        self._around = None

    def _seen(self) -> ReviewFrame | Absence | None:
        target_us = self._target_us
        if target_us is None:
            return None
        found = self._frames.at(target_us)
        if found is None and self._absence is not None and self._absence.covers(target_us):
            return self._absence
        return found

    # --- the player's thread ----------------------------------------------------------------------

    def _run(self, token: StopToken) -> None:
        try:
            while not token.stopping:
                with self._wake:
                    if self._closed:
                        return
                    asked_us, self._asked_us = self._asked_us, None
                    target_us, generation = self._target_us, self._generation
                    size_px = self._size_px
                    disowned, self._disowned = self._disowned, False
                    idle = target_us is None or self._enough(target_us)
                    if asked_us is None and idle and not disowned:
                        self._wake.wait(IDLE_S)
                        continue
                if disowned:
                    self._own_again()
                if asked_us is not None:
                    self._look_around(asked_us)
                elif target_us is not None and not idle:
                    self._advance(target_us, generation, size_px)
        finally:
            self._decoder.close()

    def _enough(self, target_us: int) -> bool:
        absence = self._absence
        if self._frames.at(target_us) is None and absence is not None and absence.covers(target_us):
            return self._clock.mono_s() - self._absent_mono_s < ASK_AGAIN_S
        first_us, newest_us = self._frames.first_us, self._frames.newest_us
        if first_us is None or newest_us is None or first_us > target_us:
            return False
        return newest_us >= target_us + AHEAD_US or self._frames.full(target_us)

    def _look_around(self, at_us: int) -> None:
        try:
            around = self._decoder.around(at_us)
        except (BarnhandError, OSError) as error:
            log.info("the pictures about the cursor are not known: %s", error)
            return
        with self._wake:
            self._around = around

    def _own_again(self) -> None:
        try:
            found = self._decoder.own_again()
        except (BarnhandError, OSError) as error:
            log.info("whose tracks these are is not known now: %s", error)
            return
        if found is not None:
            with self._wake:
                self._frames.seen_anew(*found)

    def _advance(self, target_us: int, generation: int, size_px: tuple[int, int]) -> None:
        """Decode one more picture, from where we are or from the target."""
        try:
            found = self._next(target_us, generation, size_px)
        except (BarnhandError, OSError) as error:
            self._decoder.close()
            log.info("no picture to review: %s", error)
            gone = _tr("The file of this recording cannot be read.")
            words = str(error) if isinstance(error, BarnhandError) else gone
            found = Absence(target_us, target_us + BROKEN_US, words)
        with self._wake:
            if generation != self._generation:
                return
            if isinstance(found, ReviewFrame):
                self._frames.add(found, target_us, BEHIND_US)
            elif found is not None and self._frames.at(target_us) is None:
                self._absence, self._absent_mono_s = found, self._clock.mono_s()
            elif found is not None:
                # The newest there is: what comes after it is looked for again soon.
                self._wake.wait(IDLE_S)

    def _next(
        self, target_us: int, generation: int, size_px: tuple[int, int]
    ) -> ReviewFrame | Absence | None:
        with self._wake:
            first_us, newest_us = self._frames.first_us, self._frames.newest_us
            fresh = generation == self._generation and not self._reread
            self._reread = False
        first_us = target_us + 1 if first_us is None else first_us
        newest_us = target_us if newest_us is None else newest_us
        near = first_us <= target_us < newest_us + REACH_US
        if not (fresh and near and self._decoder.chunk is not None):
            with self._wake:
                self._frames.clear()
            return self._decoder.seek(target_us, size_px)
        frame = self._decoder.on(size_px)
        if frame is None:
            frame = self._decoder.into_next(target_us + REACH_US, size_px)
        return frame if frame is not None else self._end(target_us)

    def _end(self, target_us: int) -> Absence:
        """Nothing follows: what there is to say beyond the newest picture."""
        chunk = self._decoder.chunk
        if chunk is not None and chunk.state is ChunkState.OPEN:
            words = _tr("Not written yet: recordings follow live by a few seconds.")
            self._decoder.close()
            self._recordings.forget()
            return Absence(target_us, target_us + BROKEN_US, words, micros(chunk.end_at))
        spot = self._recordings.spot(instant(target_us), self._clock.mono_s())
        if isinstance(spot, Absence):
            return spot
        return Absence(target_us, target_us + BROKEN_US, "", micros(spot.chunk.end_at))
