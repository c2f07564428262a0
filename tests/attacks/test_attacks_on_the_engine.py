"""Attacks that a camera's address carries into the engine: what a server that was checked once
tries later, and what an address tries to make FFmpeg do. The list goes on in ``test_attacks``."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from barnhand_desktop.api.certificate import ensure_certificate
from engine.domain.errors import BarnhandError, OperatorMistake, SourceUnreachable
from engine.domain.networks import PINNED
from engine.domain.streams import Stream
from engine.settings import CaptureSettings
from engine.sources.pinned_relay import application_of, tls_context
from engine.sources.registry import open_source
from engine.sources.rtsp_replies import ReplyRefused, RtspReplies
from engine.sources.web_pages import PageFinder
from engine.sources.web_video import open_web_video
from tests.attacks.hostile_servers import (
    Resolver,
    inside,
    rtsp_answer,
    tcp_server,
    tls_door,
    web_server,
)
from tests.helpers.cameras import RtspServer
from tests.helpers.movies import write_movie
from tests.helpers.streams import stream_of

CALM = CaptureSettings(connect_timeout_s=3, read_timeout_s=3)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Names under .example as a test wants them."""
    found = Resolver(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", found)
    return found


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    folder = tmp_path_factory.mktemp("camera")
    write_movie(folder / "clip.mp4", frames=50)
    server = RtspServer(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return ensure_certificate(tmp_path_factory.mktemp("tls"), ["stall.example"])


def pinned(address: str, *addresses: str) -> Stream:
    return stream_of(address, extra={PINNED: list(addresses or ("127.0.0.1",))})


def plays(stream: Stream) -> int:
    source = open_source(stream, CALM)
    try:
        return source.read().picture.width_px
    finally:
        source.close()


# --- request forgery: redirects ------------------------------------------------------------------


@pytest.mark.parametrize("at", [b"OPTIONS", b"DESCRIBE"])
def test_an_rtsp_server_that_sends_the_reader_on_is_refused(at: bytes) -> None:
    with inside() as secret:

        def talk(client: socket.socket, heard: bytes) -> None:
            while heard:
                away = heard.startswith(at)
                place = f"Location: rtsp://127.0.0.1:{secret.port}/inside"
                client.sendall(rtsp_answer("302 Moved" if away else "200 OK", heard, place))
                heard = client.recv(4096)

        with tcp_server(talk) as door:
            stream = pinned(f"rtsp://127.0.0.1:{door.port}/live")
            with pytest.raises(OperatorMistake, match="leads on to another address"):
                open_source(stream, CALM)
            assert not secret.heard
            # The console's own camera may: whoever sits there may open the address itself.
            with pytest.raises(BarnhandError):
                open_source(replace(stream, extra={}), CALM)
            assert secret.heard


@pytest.mark.parametrize(
    "sent",
    [
        b"RTSP/1.0 301 Moved\r\n",
        b"RTSP/2.0 399 x\r\n",
        b" RTSP/1.0 302 Moved\r\n",
        b"\r\rRTSP/1.0 302 Moved\r\n",
        b"$\x00\x00\x02xxRTSP/1.0 302 x\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nxxRTSP/1.0 302 x\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 9\r\nContent-Length: 0\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length : 99\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -9\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n$\x00\x00\x40xx",
        b"RTSP/1.0 200 OK\r\nA: b\x00\r\n",
        b"RTSP/1.0 200 OK\r\nA: b\rRTSP/1.0 302 x\r\n",
        b"HTTP/1.1 302 Found\r\n",
        b"x" * 5000,
    ],
)
def test_no_disguise_gets_a_redirect_past_the_reader(sent: bytes) -> None:
    for step in (1, 3, len(sent)):
        replies = RtspReplies()
        with pytest.raises(ReplyRefused):
            for at in range(0, len(sent), step):
                replies.feed(sent[at : at + step])


def test_an_ordinary_conversation_passes() -> None:
    replies = RtspReplies()
    for sent in (
        rtsp_answer("200 OK", b"CSeq: 1\r\n", "Public: OPTIONS, DESCRIBE"),
        rtsp_answer("401 Unauthorized", b"CSeq: 2\r\n", 'WWW-Authenticate: Digest realm="x"'),
        rtsp_answer("200 OK", b"CSeq: 3\r\n", "Content-Length: 9") + b"v=0\r\n302\n",
        b"$\x00\x00\x0bRTSP/1.0 30" + b"\r\n",
        b"GET_PARAMETER rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        b"RTSP/1.0 200 OK\n\n",
    ):
        for byte in sent:
            replies.feed(bytes([byte]))


def test_a_web_video_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # 127.0.0.1 stands for the public internet here, 127.0.0.2 for the farm's own network.
    for module in ("pinned", "web_video"):
        monkeypatch.setattr(f"engine.sources.{module}.is_public", lambda ip: ip == "127.0.0.1")
    with inside() as secret:
        local = f"http://127.0.0.2:{secret.port}/x.ts"
        playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
        answers = {
            "/away": (302, local, b""),
            "/list.m3u8": (200, "application/x-mpegurl", playlist.format(local).encode()),
            "/hop.m3u8": (200, "application/x-mpegurl", playlist.format("/away").encode()),
            "/files.mp4": (200, "video/mp4", b"ffconcat version 1.0\nfile away\n"),
        }
        with web_server(answers) as site:
            for path in answers:
                url = f"http://127.0.0.1:{site.port}{path}"
                answer = json.dumps({"url": url, "live": False, "headers": {"User-Agent": "UA"}})
                finder = PageFinder([sys.executable, "-c", f"print({answer!r})"])
                stream = pinned("https://www.youtube.com/watch?v=x")
                with pytest.raises(BarnhandError):
                    open_web_video(stream, CALM, finder).read()
            assert {agent for _, agent in site.asked} == {"UA"}, "FFmpeg asked by itself"
            assert {path for path, _ in site.asked} >= set(answers)
        assert not secret.heard


# --- request forgery: files that lead elsewhere --------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"ffconcat version 1.0\nfile next.mp4\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=video 50000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nconcat:/etc/passwd|/etc/hosts\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI=\"file:///etc/passwd\"\n"
        b"#EXTINF:2,\nnext.ts\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        b'<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>'
        b"file:///etc/passwd</BaseURL></Representation></AdaptationSet></Period></MPD>",
    ],
)  # fmt: skip
def test_a_file_that_names_further_files_opens_none_of_them(body: bytes) -> None:
    with inside() as secret:
        away = f"http://127.0.0.1:{secret.port}/"
        answers = {"/live": (200, "video/mp4", body), "/next.mp4": (302, away, b"")}
        answers["/next.ts"] = (302, away, b"")
        with web_server(answers) as site:
            with pytest.raises(BarnhandError):
                plays(pinned(f"http://127.0.0.1:{site.port}/live"))
            assert not [agent for _, agent in site.asked if agent.startswith("Lavf")]
        assert not secret.heard


# --- request forgery: names that change ----------------------------------------------------------


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp", "rtmps", "http", "https"])
def test_a_name_that_is_bound_anew_reaches_nothing(resolver: Resolver, scheme: str) -> None:
    """The first look-up gives what was checked, every further one the address inside."""
    with inside() as secret:
        resolver.name("stall.example", "127.0.0.1", "127.0.0.2")
        for _ in range(2):
            with pytest.raises(BarnhandError):
                plays(pinned(f"{scheme}://stall.example:{secret.port}/live", "127.0.0.1"))
        reached = len(secret.heard)
        resolver.name("stall.example", "127.0.0.2")
        with pytest.raises(SourceUnreachable, match="another address than when it was added"):
            plays(pinned(f"{scheme}://stall.example:{secret.port}/live", "127.0.0.1"))
        assert len(secret.heard) == reached


def test_an_encrypted_camera_is_reached_at_its_pinned_address_under_its_name(
    resolver: Resolver, camera: RtspServer, certificate: tuple[Path, Path]
) -> None:
    resolver.name("stall.example", "127.0.0.1")
    with tls_door(camera.port, *certificate) as door:
        address = f"rtsps://stall.example:{door.port}/clip.mp4?play_count=0"
        assert plays(pinned(address)) == 320
        assert set(door.names) == {"stall.example"}


def test_a_server_in_the_internet_must_have_a_certificate_of_its_name(
    resolver: Resolver,
    camera: RtspServer,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tls_context("cdn.example", "198.51.100.7").verify_mode is ssl.CERT_NONE  # no such place
    strict = tls_context("cdn.example", "1.1.1.1")
    assert strict.verify_mode is ssl.CERT_REQUIRED and strict.check_hostname
    resolver.name("stall.example", "127.0.0.1")
    monkeypatch.setattr("engine.sources.pinned_relay.is_public", lambda _: True)
    with tls_door(camera.port, *certificate) as door:
        address = f"rtsps://stall.example:{door.port}/clip.mp4?play_count=0"
        with pytest.raises(OperatorMistake, match="certificate that cannot be verified"):
            plays(pinned(address))


def test_an_rtmp_server_still_hears_its_own_name() -> None:
    paths = {"/live/key": "live", "/a/b/key": "a/b", "/live": "", "/app/mp4:x/y": "app"}
    assert {path: application_of(path) for path in paths} == paths


# --- options that an address or a setting smuggles in --------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"protocol_whitelist": "file"},
        {"rtsp_transport": "tcp -i /etc/passwd"},
        {"vf": "movie=/etc/passwd"},
        {"user_agent": "x\r\nAuthorization: y"},
        {"format_whitelist": "concat"},
        {"rtsp_flags": "listen"},
        {"-i": "x"},
        {"probesize": "1e9"},
        "not a mapping",
    ],
)
def test_options_come_from_the_list_only(options: object) -> None:
    for address in ("rtsp://127.0.0.1:9/x", "rtmp://127.0.0.1:9/x/y"):
        stream = stream_of(address, extra={"options": options, PINNED: ["127.0.0.1"]})
        with pytest.raises(OperatorMistake, match=r"not allowed|unusable|must be names"):
            open_source(stream, CALM)


@pytest.mark.parametrize(
    "name", ["-i.mp4", "-y", "concat:a|b.mp4", "subfile,,start,0:x.mp4", "%05d.mp4"]
)
def test_names_of_files_are_never_options_or_protocols(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"x")
    file = tmp_path / name
    write_movie(tmp_path / "made.mp4", frames=5)
    (tmp_path / "made.mp4").rename(file)
    assert plays(stream_of(file)) == 320
