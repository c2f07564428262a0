"""Clock jumps, DST, cameras whose clock is wrong: no reconnect storm, rows in order."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnhand_desktop.headless import streams_of
from engine.domain.ports import FrameSource, SourcePicture
from engine.domain.streams import Stream, StreamState
from engine.runtime import clock
from engine.runtime.clock import SLOWED, SteadyTime, SystemClock
from engine.settings import CaptureSettings
from engine.sources.pictures import ArrayPicture
from tests.faults.conftest import Say
from tests.helpers.captures import Captures
from tests.helpers.demo import installation, running
from tests.helpers.movies import colour_card
from tests.helpers.waiting import wait_until

HOUR_S = 3600.0
SLOW_S = 60.0


class WrongClock:
    """A wall clock that somebody sets."""

    def __init__(self) -> None:
        self.shift_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.shift_s


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WrongClock:
    """The machine's clock, to be set."""
    wall = WrongClock()
    monkeypatch.setattr(clock, "_steady", SteadyTime(wall))
    return wall


# --- our own clock -------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-7200, 7200)), max_size=60))
def test_time_never_goes_back(steps: list[tuple[float, float]]) -> None:
    now = [1_700_000_000.0, 50.0]
    steady = SteadyTime(lambda: now[0], lambda: now[1])
    told = [steady.now_s()]
    for passed_s, jump_s in steps:
        now[0] += passed_s + jump_s
        now[1] += passed_s
        told.append(steady.now_s())
        assert told[-1] >= now[0], "a clock set forward is followed at once"
        assert told[-1] - told[-2] >= SLOWED * passed_s - 1e-6
    assert all(later >= earlier for earlier, later in pairwise(told))


def test_a_clock_that_was_set_back_is_caught_up_with() -> None:
    now = [1_700_000_000.0, 0.0]
    steady = SteadyTime(lambda: now[0], lambda: now[1])
    steady.now_s()
    now[0] -= HOUR_S
    assert steady.now_s() - now[0] == pytest.approx(HOUR_S)
    for _ in range(10 * 60 + 1):
        now[0], now[1] = now[0] + 60.0, now[1] + 60.0
        steady.now_s()
    assert steady.now_s() == now[0] and steady.ahead_s == 0.0


@pytest.fixture
def summer_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in a zone that changes its clocks."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(os.name != "posix", reason="the zone of a process cannot be set")
def test_summer_time_changes_nothing(summer_time: None) -> None:
    for change in (datetime(2025, 3, 30, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC)):
        now = [change.timestamp() - 2.0, 0.0]
        steady = SteadyTime(lambda now=now: now[0], lambda now=now: now[1])
        told = []
        for _ in range(5):
            told.append(steady.now_s())
            now[0], now[1] = now[0] + 1.0, now[1] + 1.0
        assert [later - earlier for earlier, later in pairwise(told)] == [1.0] * 4
        assert steady.ahead_s == 0.0


# --- a running barn ------------------------------------------------------------------------------


def test_an_hour_forth_and_two_back_reorder_no_row(
    servers_dir: Path, tmp_path: Path, wall: WrongClock, say: Say
) -> None:
    place = installation(servers_dir / f"clock-{tmp_path.name}", tmp_path / "settings.toml")
    with running(place, streams_of(("simulated:stall", "simulated:arena"))) as barn:
        dsn = barn.servers.dsn
        for jump_s in (HOUR_S, -2 * HOUR_S, HOUR_S):
            before = barn.writer.rows_written
            wait_until(lambda b=before: barn.writer.rows_written > b + 15, SLOW_S)
            wall.shift_s += jump_s
        before = barn.writer.rows_written
        wait_until(lambda: barn.writer.rows_written > before + 15, SLOW_S)
        healths = barn.engine.health().streams
        assert [h.reconnects for h in healths] == [0, 0]
        assert {h.state for h in healths} == {StreamState.ACTIVE}
        times = _times_in_order_of_writing(dsn)
        assert "clock.set_back" in {n.key for n in barn.engine.health().notices}
    assert barn.writer.rows_dropped == 0
    assert barn.writer.rows_written == sum(camera.rows for camera in barn.engine.summary())
    for stream, at in times.items():
        assert len(at) > 10
        assert all(later >= earlier for earlier, later in pairwise(at)), stream
        say(f"camera {stream}: {len(at)} rows in order over {at[-1] - at[0]}")


def _times_in_order_of_writing(dsn: str) -> dict[int, Sequence[datetime]]:
    """Rows as they lie in the table, which is how they came: nothing was deleted from it."""
    found: dict[int, list[datetime]] = {}
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT stream_key, time FROM detections WHERE tableoid = (SELECT tableoid FROM "
            "detections ORDER BY time LIMIT 1) ORDER BY ctid"
        )
        for stream, at in rows:
            found.setdefault(stream, []).append(at)
    return found


# --- cameras -------------------------------------------------------------------------------------


class LyingCamera:
    """A live camera whose PTS jump; ``pts_s`` are given out in turn."""

    live, nominal_fps, duration_s, codec = True, 25.0, None, "made up"

    def __init__(self, pts_s: Sequence[float | None]) -> None:
        self._pts_s = iter(pts_s)
        self._index = 0

    def read(self) -> SourcePicture:
        self._index += 1
        time.sleep(0.004)
        picture = ArrayPicture(colour_card(64, 48, self._index))
        return SourcePicture(picture, next(self._pts_s, 0.0), 100, 0)

    def close(self) -> None:
        pass


def test_a_camera_whose_clock_is_wrong_is_stamped_by_ours(
    captures: Captures, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies = [0.0, 0.04, HOUR_S, HOUR_S + 0.04, -HOUR_S, None, -1e12, 1e12, 0.0, 0.04] * 6

    def opened(_stream: Stream, _settings: CaptureSettings) -> FrameSource:
        return LyingCamera(lies)

    monkeypatch.setattr("engine.pipeline.capture.open_source", opened)
    began = SystemClock().now()
    camera = captures.start("rtsp://127.0.0.1/lies")
    camera.reaches(StreamState.ACTIVE)
    camera.sees_more(len(lies) + 20)
    health = camera.capture.health()
    stamps = [frame.stamp for frame in camera.outputs.frames]
    assert health.reconnects == 0
    assert [s.sequence for s in stamps] == sorted({s.sequence for s in stamps})
    assert all(one.captured_at <= two.captured_at for one, two in pairwise(stamps))
    assert began <= stamps[0].captured_at <= stamps[-1].captured_at <= SystemClock().now()
    assert all(math.isfinite(s.captured_mono_s) for s in stamps)
