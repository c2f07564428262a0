"""Cameras that push: a real RTMP client against the gate and FFmpeg's server behind it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.errors import SourceEnded, SourceUnreachable
from engine.domain.ids import new_stream_id
from engine.domain.push import new_push_key
from engine.domain.streams import Stream, StreamState
from engine.settings import CaptureSettings
from engine.sources.probe import probe
from engine.sources.registry import abandon_opening, open_source
from tests.helpers.cameras import free_port
from tests.helpers.captures import Captures
from tests.helpers.publisher import Publisher
from tests.helpers.streams import stream_of
from tests.helpers.waiting import wait_until

ROOT = str(Path(__file__).resolve().parents[3])
PATIENT = CaptureSettings(connect_timeout_s=30, read_timeout_s=3, offline_after_s=5)
HASTY = CaptureSettings(connect_timeout_s=0.5, read_timeout_s=2, offline_after_s=1)


class Barn:
    """A stream to push to, and what pushes to it."""

    def __init__(self) -> None:
        self.key = new_push_key()
        self.port = free_port()
        self.stream = stream_of(f"rtmp-listen://127.0.0.1:{self.port}/barn", password=self.key)
        self._publishers: list[Publisher] = []

    def push(self, key: str = "", seconds: float = 60.0) -> Publisher:
        url = f"rtmp://127.0.0.1:{self.port}/barn/{key or self.key}"
        self._publishers.append(Publisher(url, ROOT, seconds))
        return self._publishers[-1]

    def end(self) -> None:
        abandon_opening(self.stream)
        for publisher in self._publishers:
            publisher.kill()


@pytest.fixture
def barn() -> Iterator[Barn]:
    barn = Barn()
    yield barn
    barn.end()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("push-")]
    assert left == []


def test_every_picture_that_is_pushed_arrives(barn: Barn) -> None:
    barn.push(seconds=2)
    source = open_source(barn.stream, PATIENT)
    pictures = []
    with pytest.raises(SourceEnded, match="stopped pushing"):
        while True:
            pictures.append(source.read())
    source.close()
    assert len(pictures) == 50
    assert (pictures[0].picture.width_px, pictures[0].picture.height_px) == (320, 180)
    assert source.live and source.duration_s is None


def test_the_wrong_key_is_turned_away_and_told(
    barn: Barn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = barn.push(key="guess-guess-guess")
    refusals: list[str] = []

    def turned_away() -> bool:
        with pytest.raises(SourceUnreachable, match="No camera pushes") as caught:
            open_source(barn.stream, HASTY)
        refusals.append(str(caught.value))
        return "wrong stream key" in refusals[-1]

    wait_until(turned_away, 30)
    assert wrong.refused()
    assert barn.key not in caplog.text + "".join(refusals)


def test_one_publisher_at_a_time(barn: Barn) -> None:
    barn.push()
    source = open_source(barn.stream, PATIENT)
    source.read()
    assert barn.push().refused()
    for _ in range(5):
        source.read()
    source.close()


def test_callers_that_say_nothing_do_not_stand_in_the_way(barn: Barn) -> None:
    with suppress(SourceUnreachable):
        open_source(barn.stream, HASTY)  # listens from now on
    silent = [socket.create_connection(("127.0.0.1", barn.port)) for _ in range(3)]
    rude = socket.create_connection(("127.0.0.1", barn.port))
    rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
    rude.settimeout(10)
    with suppress(ConnectionResetError):
        assert rude.recv(10) == b""  # hung up on
    barn.push()
    source = open_source(barn.stream, PATIENT)
    source.read()
    source.close()
    for connection in (*silent, rude):
        connection.close()


def test_a_port_that_is_taken_is_told(barn: Barn) -> None:
    other = socket.create_server(("127.0.0.1", barn.port))
    with other, pytest.raises(SourceUnreachable, match="taken by another program") as caught:
        open_source(barn.stream, HASTY)
    assert "choose another port" in caught.value.advice


def test_two_cameras_cannot_share_a_port(barn: Barn) -> None:
    with suppress(SourceUnreachable):
        open_source(barn.stream, HASTY)
    other = replace(barn.stream, id=new_stream_id())
    with pytest.raises(SourceUnreachable, match="already receives a camera"):
        open_source(other, HASTY)


def test_closing_ends_a_read_at_once(barn: Barn) -> None:
    barn.push()
    source = open_source(barn.stream, PATIENT)
    source.read()
    source.close()
    with pytest.raises(SourceUnreachable, match="was closed"):
        for _ in range(3):
            source.read()


def test_a_look_before_adding_waits_for_the_camera(barn: Barn) -> None:
    barn.push()
    report = probe(barn.stream, HASTY)
    assert (report.width, report.height, report.codec) == (320, 180, "h264")
    with socket.create_server(("127.0.0.1", barn.port)):
        pass  # the port was given back


def test_waiting_can_be_abandoned(barn: Barn) -> None:
    ended: list[SourceUnreachable] = []

    def wait() -> None:
        with pytest.raises(SourceUnreachable, match="was closed") as caught:
            open_source(barn.stream, PATIENT)
        ended.append(caught.value)

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: _listens(barn.port))
    abandon_opening(barn.stream)
    waiting.join(10)
    assert ended


def test_a_camera_that_comes_back_is_received_again(barn: Barn, captures: Captures) -> None:
    stream: Stream = barn.stream
    running = captures.start(stream.address, settings=HASTY, password=stream.password)
    running.reaches(StreamState.OFFLINE)
    assert "No camera pushes" in running.capture.health().reason
    first = barn.push()
    running.reaches(StreamState.ACTIVE)
    first.kill()
    running.reaches(StreamState.OFFLINE)
    barn.push()
    running.reaches(StreamState.ACTIVE)
    running.sees_more()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
