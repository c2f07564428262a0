"""Capture against a real RTSP server that is killed, frozen and restarted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.domain.streams import StreamState
from engine.settings import CaptureSettings
from tests.helpers.cameras import RtspServer, free_port, raw_server
from tests.helpers.captures import Captures
from tests.helpers.movies import write_movie
from tests.helpers.streams import QUICK
from tests.helpers.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtspServer]:
    write_movie(tmp_path / "clip.mp4", frames=50)
    server = RtspServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_a_camera_plays(server: RtspServer, captures: Captures) -> None:
    camera = captures.start(server.url("clip.mp4"))
    camera.reaches(StreamState.ACTIVE)
    camera.sees_more(60)  # the clip has 50 pictures, so the server began it again
    health = camera.capture.health()
    assert (health.width_px, health.height_px) == (320, 180)
    assert health.bitrate_bps > 0
    assert health.corrupt == 0
    assert camera.outputs.states()[0] is StreamState.CONNECTING
    assert camera.outputs.states()[-1] is StreamState.ACTIVE
    sequences = [frame.stamp.sequence for frame in camera.outputs.frames]
    assert sequences == sorted(set(sequences))
    # 10 of 25 pictures a second are analysed.
    assert 0.25 < len(sequences) / camera.capture.next_sequence < 0.6
    assert camera.outputs.frames[0].detector_bgr.shape == (90, 160, 3)
    assert camera.outputs.frames[0].scale == pytest.approx(0.5)


def test_a_killed_server_is_offline_and_its_return_is_noticed(
    server: RtspServer, captures: Captures
) -> None:
    camera = captures.start(server.url("clip.mp4"))
    camera.reaches(StreamState.ACTIVE)
    camera.sees_more()
    server.kill()
    camera.reaches(StreamState.OFFLINE)
    health = camera.capture.health()
    assert health.last_frame_age_s is not None
    assert health.last_frame_age_s >= QUICK.offline_after_s
    wait_until(lambda: "refused the connection" in camera.capture.health().reason)
    last = camera.capture.next_sequence
    server.start()
    camera.reaches(StreamState.ACTIVE)
    camera.sees_more()
    assert camera.capture.next_sequence > last
    states = camera.outputs.states()
    assert states.count(StreamState.OFFLINE) == 1
    assert states[-1] is StreamState.ACTIVE


def test_a_frozen_server_is_offline_and_the_other_camera_is_untouched(
    server: RtspServer, captures: Captures, tmp_path: Path
) -> None:
    other_server = RtspServer(tmp_path)
    other_server.start()
    try:
        frozen = captures.start(server.url("clip.mp4"))
        other = captures.start(other_server.url("clip.mp4"), CaptureSettings())
        frozen.reaches(StreamState.ACTIVE)
        other.reaches(StreamState.ACTIVE)
        server.freeze()
        frozen.reaches(StreamState.OFFLINE)
        other.sees_more(10)
        assert other.outputs.states() == [StreamState.CONNECTING, StreamState.ACTIVE]
        assert other.capture.health().reconnects == 0
        server.thaw()
        frozen.reaches(StreamState.ACTIVE)
    finally:
        other_server.kill()


def test_a_camera_that_comes_up_late_is_found(tmp_path: Path, captures: Captures) -> None:
    write_movie(tmp_path / "clip.mp4")
    late = RtspServer(tmp_path)
    camera = captures.start(late.url("clip.mp4"))
    camera.reaches(StreamState.OFFLINE)
    late.start()
    try:
        camera.reaches(StreamState.ACTIVE)
    finally:
        late.kill()


def test_an_unknown_path_says_so(server: RtspServer, captures: Captures) -> None:
    camera = captures.start(server.url("nothing.mp4"))
    wait_until(lambda: "no stream at this path" in camera.capture.health().reason)


def test_stop_is_quick_while_nobody_answers(captures: Captures) -> None:
    camera = captures.start(f"rtsp://127.0.0.1:{free_port()}/x")
    camera.reaches(StreamState.OFFLINE)
    camera.capture.ask_to_stop()
    assert camera.capture.join(3.0)
    assert camera.capture.state is StreamState.INACTIVE


def test_a_refused_login_is_not_tried_again(captures: Captures) -> None:
    answer = (
        b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n"
        b'WWW-Authenticate: Basic realm="camera"\r\nContent-Length: 0\r\n\r\n'
    )
    with raw_server(answer) as port:
        camera = captures.start(f"rtsp://127.0.0.1:{port}/x", username="groom", password="c4n4ry")
        camera.reaches(StreamState.ERROR)
        reason = camera.capture.health().reason
    assert "user name or password" in reason
    assert "c4n4ry" not in reason


def test_accepting_and_saying_nothing_is_offline(captures: Captures) -> None:
    with raw_server(None) as port:
        camera = captures.start(f"rtsp://127.0.0.1:{port}/x")
        camera.reaches(StreamState.OFFLINE)
        wait_until(lambda: "did not answer" in camera.capture.health().reason)
        camera.capture.ask_to_stop()
        assert camera.capture.join(QUICK.connect_timeout_s + 3)


def test_another_protocol_on_the_port_is_said(captures: Captures) -> None:
    with raw_server(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        camera = captures.start(f"rtsp://127.0.0.1:{port}/x")
        camera.reaches(StreamState.OFFLINE)
        wait_until(lambda: camera.capture.health().reconnects > 0)
        assert camera.capture.health().reason.startswith("rtsp://127.0.0.1")
