"""Streams of remote callers stay at the addresses that were checked: real servers, names that
change what they stand for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.domain.errors import BarnhandError, OperatorMistake, SourceUnreachable
from engine.domain.networks import PINNED
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.registry import open_source
from tests.helpers.cameras import RtspServer, http_camera
from tests.helpers.movies import write_movie
from tests.helpers.streams import stream_of
from tests.helpers.video_site import video_site, write_site

CALM = CaptureSettings(connect_timeout_s=3, read_timeout_s=3)
Rename = Callable[[str, str], None]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Rename:
    """Lets names under .example stand for addresses, as the system's resolver would."""
    ask, known = socket.getaddrinfo, {}

    def answer(host: Any, *further: Any, **named: Any) -> Any:
        return ask(known.get(host, host), *further, **named)

    monkeypatch.setattr(socket, "getaddrinfo", answer)

    def rename(name: str, address: str) -> None:
        known[name] = address

    return rename


def pinned(address: str, *addresses: str) -> Stream:
    return stream_of(address, extra={PINNED: list(addresses or ("127.0.0.1",)), "poll_fps": 20})


def plays(stream: Stream) -> int:
    source = open_source(stream, CALM)
    try:
        for _ in range(3):
            source.read()
        return source.read().picture.width_px
    finally:
        source.close()


@contextmanager
def redirector(location: str) -> Iterator[str]:
    """A server that sends everybody on."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("path", ["/mjpeg", "/snapshot.jpg"])
def test_a_camera_is_reached_by_its_pinned_address_under_its_name(names: Rename, path: str) -> None:
    names("stall.example", "127.0.0.1")
    with http_camera() as camera:
        address = camera.base.replace("127.0.0.1", "stall.example") + path
        assert plays(pinned(address)) == 320


@pytest.mark.parametrize("page", ["/master.m3u8", "/clip.mp4"])
def test_playlists_and_files_play_over_pinned_connections(
    names: Rename, page: str, tmp_path: Path
) -> None:
    write_site(tmp_path)
    names("stall.example", "127.0.0.1")
    with video_site(tmp_path) as site:
        address = site.base.replace("127.0.0.1", "stall.example") + page
        assert plays(pinned(address)) in (320, 1920)


def test_rtsp_is_opened_at_the_pinned_address(names: Rename, tmp_path: Path) -> None:
    write_movie(tmp_path / "clip.mp4", frames=50)
    names("stall.example", "127.0.0.1")
    server = RtspServer(tmp_path)
    server.start()
    try:
        assert plays(pinned(server.url("clip.mp4").replace("127.0.0.1", "stall.example"))) == 320
    finally:
        server.kill()


@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp"])
def test_a_name_that_stands_for_something_else_now_is_refused(names: Rename, scheme: str) -> None:
    names("stall.example", "127.0.0.1")
    with http_camera() as camera:
        port = camera.base.rpartition(":")[2]
        stream = pinned(f"{scheme}://stall.example:{port}/mjpeg", "203.0.113.7")
        with pytest.raises(SourceUnreachable, match="another address than when it was added"):
            open_source(stream, CALM)
        assert camera.requests == []


def test_redirects_are_refused(tmp_path: Path) -> None:
    with http_camera() as inside, redirector(inside.base + "/mjpeg") as door:
        with pytest.raises(OperatorMistake, match="leads on to another address"):
            open_source(pinned(door), CALM)
        assert inside.requests == []
        assert plays(stream_of(door)) == 320  # the operator's own camera may


@pytest.mark.parametrize("entry", ["{inside}/clip.mp4", "file:///etc/hostname", "{door}seg.ts"])
def test_a_playlist_leads_nowhere_else(names: Rename, tmp_path: Path, entry: str) -> None:
    names("inside.example", "127.0.0.1")
    with http_camera() as inside, redirector(inside.base + "/mjpeg") as door:
        local = inside.base.replace("127.0.0.1", "inside.example")
        line = entry.format(inside=local, door=door)
        (tmp_path / "bad.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{line}\n#EXT-X-ENDLIST\n"
        )
        with video_site(tmp_path) as site, pytest.raises(BarnhandError):
            plays(pinned(f"{site.base}/bad.m3u8"))
        assert inside.requests == []
