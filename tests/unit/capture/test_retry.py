"""Back-off, selection and the state machine, without cameras or waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.ids import new_stream_id
from engine.domain.ports import SourcePicture
from engine.domain.streams import StreamState, StreamStatusChanged
from engine.pipeline.capture_status import CaptureStatus
from engine.pipeline.retry import retry_delay_s
from engine.pipeline.selection import Selector, fitted
from engine.sources.pictures import ArrayPicture

SHOT = SourcePicture(ArrayPicture(np.zeros((36, 64, 3), np.uint8)), 0.0, 1000, 0)


def test_delays_are_as_specified() -> None:
    delays = [retry_delay_s(attempt, 0.5) for attempt in range(1, 24)]
    assert delays == [1.0] * 5 + [5.0] * 5 + [10.0] * 10 + [60.0] * 3


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_jitter_stays_within_a_fifth(attempt: int, chance: float) -> None:
    plain = retry_delay_s(attempt, 0.5)
    assert plain * 0.8 <= retry_delay_s(attempt, chance) <= plain * 1.2
    assert retry_delay_s(attempt, 0.0) < retry_delay_s(attempt, 1.0)


@pytest.mark.parametrize(
    ("source_fps", "wanted_fps"), [(25, 10), (25, 5), (30, 10), (12, 10), (10, 10), (60, 7)]
)
def test_the_mean_rate_is_kept(source_fps: float, wanted_fps: float) -> None:
    selector = Selector(wanted_fps)
    picked = sum(selector.picks(100.0 + n / source_fps) for n in range(int(source_fps * 60)))
    assert picked / 60 == pytest.approx(min(source_fps, wanted_fps), rel=0.03)


@given(seed=st.integers(0, 1000))
def test_jitter_does_not_halve_equal_rates(seed: int) -> None:
    chance = np.random.default_rng(seed)
    selector = Selector(10.0)
    times = np.arange(300) / 10 + chance.uniform(-0.02, 0.02, 300)
    assert sum(selector.picks(float(t)) for t in times) >= 290


def test_a_slow_source_gives_every_picture_and_a_pause_gives_no_burst() -> None:
    selector = Selector(10.0)
    assert all(selector.picks(n / 4) for n in range(40))
    burst = [selector.picks(60.0 + n * 0.001) for n in range(100)]
    assert sum(burst) <= 2


def test_time_that_goes_back_starts_anew() -> None:
    selector = Selector(10.0)
    assert selector.picks(1000.0)
    assert selector.picks(3.0)


@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    into=st.tuples(st.integers(16, 2000), st.integers(16, 2000)),
)
def test_fitted_sizes_fill_one_side_and_stay_inside(
    width: int, height: int, into: tuple[int, int]
) -> None:
    (fit_width, fit_height), scale = fitted(width, height, into)
    assert 1 <= fit_width <= into[0]
    assert 1 <= fit_height <= into[1]
    assert fit_width == into[0] or fit_height == into[1]
    assert scale > 0


class FakeClock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.at_s)

    def mono_s(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def told() -> list[StreamStatusChanged]:
    return []


@pytest.fixture
def status(clock: FakeClock, told: list[StreamStatusChanged]) -> CaptureStatus:
    return CaptureStatus(new_stream_id(), clock, 5.0, told.append)


def states(told: list[StreamStatusChanged]) -> list[StreamState]:
    return [change.state for change in told]


def test_offline_is_declared_5_s_after_the_last_picture(
    status: CaptureStatus, clock: FakeClock, told: list[StreamStatusChanged]
) -> None:
    status.connecting()
    status.picture(SHOT, SHOT.picture)
    clock.sleep(4.9)
    assert status.state is StreamState.ACTIVE
    clock.sleep(0.1)
    assert status.health().state is StreamState.OFFLINE
    assert status.health().last_frame_age_s == pytest.approx(5.0)
    assert states(told) == [StreamState.CONNECTING, StreamState.ACTIVE, StreamState.OFFLINE]


def test_offline_lasts_over_attempts_until_a_picture(
    status: CaptureStatus, clock: FakeClock, told: list[StreamStatusChanged]
) -> None:
    status.connecting()
    for _ in range(8):
        clock.sleep(1.0)
        status.lost("It refused.", 1.0)
        status.connecting()
    assert states(told) == [StreamState.CONNECTING, StreamState.OFFLINE]
    assert told[-1].reason == "It refused."
    status.picture(SHOT, SHOT.picture)
    assert told[-1].state is StreamState.ACTIVE
    assert status.health().reconnects == 8


def test_a_short_break_shows_as_connecting(
    status: CaptureStatus, clock: FakeClock, told: list[StreamStatusChanged]
) -> None:
    status.connecting()
    status.picture(SHOT, SHOT.picture)
    status.lost("It hung up.", 1.0)
    health = status.health()
    assert (health.state, health.reason) == (StreamState.CONNECTING, "It hung up.")
    assert health.retry_in_s == pytest.approx(1.0)
    clock.sleep(1.0)
    status.connecting()
    status.picture(SHOT, SHOT.picture)
    assert states(told)[-1] is StreamState.ACTIVE
    assert status.health().retry_in_s is None


def test_an_error_stays_an_error(
    status: CaptureStatus, clock: FakeClock, told: list[StreamStatusChanged]
) -> None:
    status.connecting()
    status.finished(StreamState.ERROR, "It is a picture.")
    clock.sleep(60.0)
    assert status.health().state is StreamState.ERROR
    assert states(told) == [StreamState.CONNECTING, StreamState.ERROR]


def test_rates(status: CaptureStatus, clock: FakeClock) -> None:
    status.connecting()
    for _ in range(100):
        clock.sleep(0.04)
        status.picture(SHOT, SHOT.picture)
    health = status.health()
    assert health.fps == pytest.approx(25, rel=0.05)
    assert health.bitrate_bps == pytest.approx(25 * 8000, rel=0.05)
    assert (health.width_px, health.height_px, health.decoded) == (64, 36, 100)


def test_a_listener_may_ask_for_health(clock: FakeClock) -> None:
    seen: list[StreamState] = []
    status = CaptureStatus(
        new_stream_id(), clock, 5.0, lambda _: seen.append(status.health().state)
    )
    status.connecting()
    status.picture(SHOT, SHOT.picture)
    assert seen == [StreamState.CONNECTING, StreamState.ACTIVE]
