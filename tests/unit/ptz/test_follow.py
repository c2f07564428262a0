"""Following a horse, in a simulation of camera, horse and delay."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.detections import SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.ids import HorseId, new_stream_id, new_track_id
from engine.domain.ptz import Motion
from engine.domain.results import Degradation, FrameResult
from engine.domain.tracks import TrackBatch, TrackState
from engine.ptz.activity import Ending
from engine.ptz.follow import FollowController, FollowRun, Sight, newest_sight
from engine.runtime.worker import StopToken
from engine.simulation.ptz_view import MovingView, drawn_panorama
from tests.unit.ptz.seats import PaperSeat
from tests.unit.ptz.still_time import StillClock

HORSE = HorseId(uuid4())
OTHER = HorseId(uuid4())
DELAY_S = 0.3
WIDEST_PX = 1280.0
Path = Callable[[float], tuple[float, float]]


class Yard:
    """A horse 300 px long that walks over the panorama, and a camera that looks at it."""

    def __init__(self, path: Path) -> None:
        self.clock = StillClock()
        self.clock.on_sleep = self._look
        self.view = MovingView(drawn_panorama(), self.clock.mono_s)
        self.seat = PaperSeat(self.view)
        self.path = path
        self.visible = True
        self.said: list[str] = []
        self.began_s = self.clock.mono_s()
        self.results: deque[FrameResult] = deque(maxlen=64)
        self.errors: list[tuple[float, float]] = []
        self.run = FollowRun(self.seat, self.clock, HORSE, self._delayed, self.said.append)

    def follow(self, seconds: float) -> None:
        self.end_s = self.clock.mono_s() + seconds
        self.run.run(StopToken())

    def _look(self, _seconds: float) -> None:
        if self.clock.mono_s() >= self.end_s:
            self.run.end(Ending.ASKED)
        state, seconds = self.view.state, self.clock.mono_s() - self.began_s
        x, y = self.path(seconds)
        width = WIDEST_PX / state.zoom
        cx, cy = (x - state.x_px) / width, (y - state.y_px) / (width * 9 / 16)
        self.errors.append((cx, cy))
        half = 150.0 / width
        inside = abs(cx) < 0.5 + half and abs(cy) < 0.5 + half
        boxes = [(cx - half, cy - half, cx + half, cy + half)] if inside and self.visible else []
        self.results.append(result(self.clock, boxes))

    def _delayed(self) -> list[FrameResult]:
        seen_s = self.clock.mono_s() - DELAY_S
        return [r for r in self.results if r.stamp.captured_mono_s <= seen_s]


def result(clock: StillClock, boxes: list[tuple[float, float, float, float]]) -> FrameResult:
    """A result with the followed horse at these places (shares from the middle), and another."""
    count = len(boxes) + 1
    places = np.array([*boxes, (0.1, 0.1, 0.2, 0.2)], np.float64) + 0.5
    scaled = (places * [640, 360, 640, 360]).astype(np.float32)
    ones = np.ones((count,), np.float32)
    tracks = TrackBatch(
        scaled,
        np.zeros((count, 4), np.float32),
        ones,
        ones.copy(),
        np.full((count,), SubjectClass.HORSE, np.int16),
        np.full((count,), TrackState.ACTIVE, np.int8),
        np.arange(count, dtype=np.int64),
        np.zeros((count,), np.int8),
        tuple(new_track_id() for _ in range(count)),
        (*[HORSE for _ in boxes], OTHER),
    )
    stamp = FrameStamp(new_stream_id(), 1, clock.now(), clock.mono_s(), None)
    return FrameResult(stamp, 640, 360, tracks, None, None, None, Degradation.NONE, clock.mono_s())


@pytest.mark.parametrize(("dx", "dy"), [(500, 0), (-500, 150), (0, -200), (550, 250)])
def test_a_standing_horse_comes_to_the_middle_and_the_camera_rests(dx: float, dy: float) -> None:
    yard = Yard(lambda _t: (2560.0 + dx, 720.0 + dy))
    yard.follow(12.0)
    last = np.abs(yard.errors[-20:])
    assert last.max() < 0.1
    assert yard.seat.motions[-30:] == [Motion()] * 30


def test_the_middle_is_not_overshot_by_much() -> None:
    yard = Yard(lambda _t: (2560.0 + 550.0, 720.0))
    yard.follow(10.0)
    assert min(x for x, _ in yard.errors) > -0.15


@pytest.mark.parametrize("speed_px_s", [80.0, -150.0, 250.0])
def test_a_walking_horse_stays_in_the_picture(speed_px_s: float) -> None:
    yard = Yard(lambda t: (2560.0 + speed_px_s * t, 720.0))
    yard.follow(8.0)
    assert max(abs(x) for x, _ in yard.errors) < 0.4
    assert abs(yard.errors[-1][0]) < 0.35


def test_a_circling_horse_stays_in_the_picture() -> None:
    yard = Yard(lambda t: (2560.0 + 600.0 * math.cos(t / 3), 720.0 + 250.0 * math.sin(t / 3)))
    yard.view.drive(0.0, 0.0, 0.0)
    yard.follow(20.0)
    assert max(max(abs(x), abs(y)) for x, y in yard.errors[30:]) < 0.45


def test_a_small_horse_is_zoomed_to_a_good_size() -> None:
    yard = Yard(lambda _t: (2560.0, 720.0))
    yard.follow(10.0)
    assert 0.3 < 300.0 * yard.view.state.zoom / (WIDEST_PX * 9 / 16) < 0.75


def test_a_horse_that_is_hidden_stops_the_camera_and_after_10_s_ends_it() -> None:
    yard = Yard(lambda _t: (3500.0, 720.0))
    yard.view.drive(0.0, 0.0, 0.0)
    yard.visible = False
    yard.follow(60.0)
    assert yard.said == ["Following ended: the horse was not seen for 10 s."]
    assert 10.0 <= yard.clock.mono_s() - yard.began_s < 11.5
    assert not yard.view.moving and yard.seat.released


def test_it_gives_way_at_once_and_does_not_touch_the_camera_again() -> None:
    yard = Yard(lambda t: (2560.0 + 200.0 * t, 720.0))
    yard.seat.lose_after = 15
    yard.follow(20.0)
    assert yard.run.ending is Ending.TAKEN
    assert len(yard.seat.motions) == 15 and yard.seat.stops == 0


def test_only_the_named_horse_counts() -> None:
    clock = StillClock()
    assert newest_sight([result(clock, [])], HORSE) is None
    found = newest_sight([result(clock, [(0.1, 0.0, 0.3, 0.2)])], HORSE)
    assert found is not None
    assert (found.x, found.y, found.size) == pytest.approx((0.2, 0.1, 0.2), abs=1e-5)


def test_speeds_have_limits_and_steps() -> None:
    motion = FollowController().motion(Sight(0.0, 0.5, -0.5, 0.4))
    assert 0 < motion.pan <= 0.7 and 0 < motion.tilt <= 0.7
    assert (motion.pan * 16).is_integer() and motion.zoom == 0.0
    assert FollowController().motion(Sight(0.0, 0.05, 0.05, 0.45)) == Motion()
