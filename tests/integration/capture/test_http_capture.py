"""Capture from real HTTP cameras: MJPEG and single pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from engine.domain.errors import OperatorMistake, SourceUnreachable
from engine.domain.streams import StreamState
from engine.sources.probe import probe
from engine.sources.registry import open_source
from tests.helpers.cameras import HttpCamera, http_camera
from tests.helpers.captures import Captures
from tests.helpers.movies import colour_card
from tests.helpers.streams import QUICK, stream_of
from tests.helpers.waiting import wait_until


@pytest.fixture
def camera() -> Iterator[HttpCamera]:
    with http_camera() as camera:
        yield camera


@pytest.mark.parametrize("state_length", [True, False])
def test_mjpeg_plays(camera: HttpCamera, captures: Captures, state_length: bool) -> None:
    camera.state_length = state_length
    one = captures.start(camera.base + "/mjpeg")
    one.reaches(StreamState.ACTIVE)
    one.sees_more(10)
    latest = one.capture.latest()
    assert latest is not None
    shown = latest[1].scaled_bgr(320, 180)[100:, ::40].astype(int)  # below the moving square
    card = colour_card(320, 180, 0)[100:, ::40].astype(int)
    assert abs(shown - card).mean() < 4


def test_broken_pictures_are_counted_and_skipped(camera: HttpCamera, captures: Captures) -> None:
    camera.broken_every = 3
    one = captures.start(camera.base + "/mjpeg")
    one.reaches(StreamState.ACTIVE)
    wait_until(lambda: one.capture.health().corrupt >= 3)
    one.sees_more()


def test_a_camera_that_hangs_up_is_opened_again(camera: HttpCamera, captures: Captures) -> None:
    camera.parts = 5
    one = captures.start(camera.base + "/mjpeg")
    wait_until(lambda: one.capture.health().decoded > 5)
    assert one.capture.health().reconnects >= 1
    assert StreamState.ENDED not in one.outputs.states()


def test_a_silent_answer_times_out(camera: HttpCamera, captures: Captures) -> None:
    one = captures.start(camera.base + "/silent")
    one.reaches(StreamState.OFFLINE)
    assert one.capture.health().decoded == 0


def test_snapshots_are_polled(camera: HttpCamera) -> None:
    source = open_source(stream_of(camera.base + "/snapshot.jpg", extra={"poll_fps": 20}), QUICK)
    try:
        shots = [source.read() for _ in range(3)]
    finally:
        source.close()
    assert [shot.picture.width_px for shot in shots] == [320] * 3
    assert source.live and source.nominal_fps == 20
    assert len(camera.requests) == 4  # the first asked what the camera is


def test_login_is_sent_only_when_asked_for(camera: HttpCamera) -> None:
    camera.password = "hay"
    report = probe(
        stream_of(camera.base + "/snapshot.jpg", username="groom", password="hay"), QUICK
    )
    assert report.width == 320
    assert camera.logins[0] == ""
    assert camera.logins[-1].startswith("Basic ")


def test_a_refused_login_is_an_error_that_is_not_retried(
    camera: HttpCamera, captures: Captures, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "engine")
    camera.password = "hay"
    one = captures.start(camera.base + "/mjpeg")
    one.reaches(StreamState.ERROR)
    assert "user name or password" in one.capture.health().reason
    assert len(camera.requests) == 1


def test_a_web_page_is_no_video(camera: HttpCamera) -> None:
    with pytest.raises((SourceUnreachable, OperatorMistake), match="not a video"):
        open_source(stream_of(camera.base + "/page"), QUICK)


def test_a_missing_path_is_named(camera: HttpCamera) -> None:
    with pytest.raises(SourceUnreachable, match="no stream at this path"):
        open_source(stream_of(camera.base + "/nothing"), QUICK)
