"""How the cursor is driven on the Review page: picture by picture, backwards, round and round."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Signal

from ui.review.wall import ReviewWall
from ui.timeline.cursor import SPEEDS, TimeCursor, instant, micros

STEP_S = 2.0
"""A step waits at most so long for the recording to tell where its pictures are."""
MARK_US = 10_000_000
"""A range that has one end only is so long at first."""
STEPS_AT_MOST = 50


class Playback(QObject):
    """``said`` carries a sentence (and whether it is a warning)."""

    said = Signal(str, bool)

    def __init__(self, head: TimeCursor, wall: ReviewWall, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._head, self._wall = head, wall
        self._steps: list[int] = []
        self._step_since_s = 0.0
        self._last_s = time.monotonic()
        self._loop = False
        self.backwards = 0.0
        """How fast it plays backwards, 0 while it does not."""

    def begin(self) -> None:
        """The page is opened: time that passed before does not count."""
        self._last_s = time.monotonic()

    def rest(self) -> None:
        """The page is left: only the cursor itself plays on."""
        self.backwards = 0.0
        self._steps.clear()

    def follow(self) -> bool:
        """Let the players show what is seen now and move on; True while one makes others wait."""
        now_s = time.monotonic()
        passed_s, self._last_s = now_s - self._last_s, now_s
        waits = self._wall.follow_cursor()
        self._take_steps(now_s)
        if self.backwards and not waits:
            self._head.move_by(-passed_s * self.backwards)
        marked = self._head.range
        if self._loop and marked is not None and self._head.at >= marked.end_at:
            self._head.move_to(marked.start_at)
        return waits

    def toggle(self) -> None:
        """Play or pause."""
        if self.backwards:
            self.backwards = 0.0
            return
        self._head.toggle()

    def shuttle(self, direction: int) -> None:
        """Play forwards or backwards; again: faster; against the way it plays: stop."""
        head = self._head
        if direction > 0 and self.backwards:
            self.backwards = 0.0
        elif direction > 0 and head.playing:
            head.faster()
        elif direction > 0:
            head.set_speed(1.0)
            head.play()
        elif head.playing:
            head.pause()
        else:
            self.backwards = min(self.backwards * 2, SPEEDS[-2]) if self.backwards else 1.0

    def step(self, by: int) -> None:
        """Pause and show the next picture of the selected player, or the one before."""
        self._head.pause()
        self.backwards = 0.0
        if not self._steps:
            self._step_since_s = time.monotonic()
        if len(self._steps) < STEPS_AT_MOST:
            self._steps.append(by)
        self._take_steps(time.monotonic())

    def _take_steps(self, now_s: float) -> None:
        view = self._wall.selected
        while self._steps:
            by = self._steps[0]
            if view.player is None or view.area.absence is not None:
                self._steps.clear()
                self._head.step(by)
                return
            at = view.player.neighbour(self._head.at, by)
            if at is None:
                if now_s - self._step_since_s > STEP_S:
                    self._steps.clear()
                    self.said.emit(self.tr("There is no picture beyond this one."), True)
                return
            self._steps.pop(0)
            self._step_since_s = now_s
            self._head.move_to(at)

    # --- the marked range -----------------------------------------------------------------------

    def set_loop(self, on: bool) -> None:
        """Play the marked range again and again."""
        self._loop = on
        if on and self._head.range is None:
            self.said.emit(self.tr("Mark what to loop: I and O, or Shift-drag on the bar."), False)

    def to_start(self) -> None:
        """To the begin of the range, else of the recording."""
        marked, frame = self._head.range, self._wall.selected.frame
        if marked is not None:
            self._head.move_to(marked.start_at)
        elif frame is not None:
            self._head.move_to(frame.chunk.start_at)

    def to_end(self) -> None:
        """To the end of the range, else to the last picture of the recording."""
        marked, frame = self._head.range, self._wall.selected.frame
        if marked is not None:
            self._head.move_to(marked.end_at)
        elif frame is not None:
            self._head.move_to(instant(micros(frame.chunk.end_at) - 1000))

    def mark_in(self) -> None:
        """The range begins at the cursor."""
        marked, at = self._head.range, self._head.at
        end = marked.end_at if marked is not None else instant(self._head.at_us + MARK_US)
        self._head.mark(at, max(end, at))

    def mark_out(self) -> None:
        """The range ends at the cursor."""
        marked, at = self._head.range, self._head.at
        start = marked.start_at if marked is not None else instant(self._head.at_us - MARK_US)
        self._head.mark(min(start, at), at)
