"""Following: keeps a named horse in the middle of the picture and at a good size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.domain.detections import SubjectClass
from engine.domain.ids import HorseId
from engine.domain.ports import Clock
from engine.domain.ptz import Holder, Motion
from engine.domain.results import FrameResult
from engine.ptz.activity import Activity, Ending, Seat
from engine.runtime.worker import StopToken

LOST_S = 10.0
"""Following ends when the horse was not seen for this long (specification)."""
STALE_S = 0.7
"""Without a newer result for this long the camera stands still and waits."""
CYCLE_S = 0.1
SPEED_STEPS = 16
"""Commanded speeds are multiples of 1/16, so that a camera is not flooded with small changes."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Where a horse is: when it was seen, its centre as shares of the picture from the middle
    (-0.5..0.5, x right, y down), and its size: the larger of its width and height as shares of
    the picture's."""

    at_mono_s: float
    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class FollowTuning:
    """Gains of the controller. Errors are shares of the picture, speeds shares of full speed.

    Chosen in the simulator with a camera that turns about 0.7 pictures a second at full speed and
    0.3 s of delay: the product of gain, turning rate and delay stays below pi/4, which leaves a
    phase margin of at least 45 degrees for an integrating plant.
    """

    gain: float = 1.6
    damping_s: float = 0.25
    dead_zone: float = 0.08
    most: float = 0.7
    size: float = 0.45
    size_dead_zone: float = 0.25
    zoom_gain: float = 0.5
    zoom_most: float = 0.4


class FollowController:
    """From sightings to motions: proportional to how far the horse is from the middle, plus a
    derivative part from how fast it moves there. Pure: one call a new sighting."""

    def __init__(self, tuning: FollowTuning | None = None) -> None:
        self._tuning = tuning or FollowTuning()
        self._before: Sight | None = None

    def motion(self, sight: Sight) -> Motion:
        """What the camera should do now. It zooms only while the horse is near the middle."""
        before, self._before = self._before, sight
        vx = vy = 0.0
        if before is not None and 0.0 < sight.at_mono_s - before.at_mono_s < STALE_S:
            elapsed_s = sight.at_mono_s - before.at_mono_s
            vx, vy = (sight.x - before.x) / elapsed_s, (sight.y - before.y) / elapsed_s
        pan = self._turn(sight.x, vx)
        tilt = -self._turn(sight.y, vy)
        if pan or tilt:
            # At the edge of the picture a large horse must be seen whole again: zoom out too.
            return Motion(pan, tilt, 0.0)
        return Motion(0.0, 0.0, self._zoom(sight.size))

    def reset(self) -> None:
        """The horse was out of sight: forget how it moved."""
        self._before = None

    def _turn(self, error: float, rate_s: float) -> float:
        t = self._tuning
        if abs(error) < t.dead_zone:
            return 0.0
        beyond = math.copysign(abs(error) - t.dead_zone / 2.0, error)
        return _stepped(t.gain * (beyond + t.damping_s * rate_s), t.most)

    def _zoom(self, size: float) -> float:
        t = self._tuning
        error = math.log(t.size / max(size, 0.01))
        if abs(error) < t.size_dead_zone:
            return 0.0
        return _stepped(t.zoom_gain * error, t.zoom_most)


class FollowRun(Activity):
    """Follows one horse until it is lost, somebody takes the camera, or it is told to end."""

    kind = "follow"

    def __init__(
        self,
        seat: Seat,
        clock: Clock,
        horse_id: HorseId,
        results: Callable[[], Sequence[FrameResult]],
        say: Callable[[str], None],
        tuning: FollowTuning | None = None,
    ) -> None:
        super().__init__(seat, clock)
        self.horse_id = horse_id
        self._results = results
        self._say = say
        self._controller = FollowController(tuning)
        self._wanted = Motion()
        self._sight: Sight | None = None

    @property
    def title(self) -> str:
        """See Activity."""
        return "Following a horse"

    def run(self, token: StopToken) -> None:
        """Worker body."""
        seen_mono_s = self.clock.mono_s()
        while not self.over(token):
            sight = newest_sight(self._results(), self.horse_id)
            if sight is not None and (self._sight is None or sight != self._sight):
                self._sight = sight
                self._wanted = self._controller.motion(sight)
                seen_mono_s = max(seen_mono_s, sight.at_mono_s)
            unseen_s = self.clock.mono_s() - seen_mono_s
            if unseen_s > LOST_S:
                self._say(f"Following ended: the horse was not seen for {LOST_S:g} s.")
                self.end(Ending.ASKED)
                break
            if unseen_s > STALE_S:
                self._wanted = Motion()
                self._controller.reset()
            allowed = self.seat.hold() if self._wanted.still else True
            if not allowed or not self.seat.move(self._wanted):
                self.end(Ending.TAKEN)
                break
            self.clock.sleep(CYCLE_S)
        if self.ending is not Ending.TAKEN:
            self.seat.stop()
        self.seat.release()

    def taken(self, by: Holder) -> None:
        """See Activity."""
        super().taken(by)
        self._say(f"{by.name} took the camera: following ended.")


def newest_sight(results: Sequence[FrameResult], horse_id: HorseId) -> Sight | None:
    """Where the newest result that shows a horse has it; of two boxes of one horse, the surer."""
    for result in reversed(results):
        tracks = result.tracks
        rows = [
            row
            for row, known in enumerate(tracks.horse_ids)
            if known == horse_id and tracks.class_ids[row] == SubjectClass.HORSE
        ]
        if rows and not result.held:
            row = max(rows, key=lambda r: float(tracks.confidences[r]))
            return _sight(result, np.asarray(tracks.boxes_xyxy_px[row], np.float64))
    return None


def _sight(result: FrameResult, box: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Sight:
    x1, y1, x2, y2 = (float(v) for v in box)
    width, height = result.width_px, result.height_px
    return Sight(
        result.stamp.captured_mono_s,
        (x1 + x2) / 2.0 / width - 0.5,
        (y1 + y2) / 2.0 / height - 0.5,
        max((x2 - x1) / width, (y2 - y1) / height),
    )


def _stepped(speed: float, most: float) -> float:
    limited = min(max(speed, -most), most)
    return round(limited * SPEED_STEPS) / SPEED_STEPS
