"""A stand-in for a video site, and an HTTP proxy: real servers on the loopback that count."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av

from tests.helpers.movies import colour_card, write_movie

_TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".mp4": "video/mp4"}
_PAGE = """<!doctype html><html><head><title>{title}</title></head>
<body><video width="640" controls><source src="{source}" type="{type}"></video></body></html>"""
_REFUSALS = {"/refused": 403, "/busy": 429, "/gone": 404, "/broken": 503}


def write_hls(folder: Path, name: str, size: tuple[int, int], *, ended: bool = True) -> Path:
    """A media playlist of real H.264 segments, 2.4 seconds in all; ``ended`` False: live."""
    playlist = folder / f"{name}.m3u8"
    options = {
        "hls_time": "1",
        "hls_list_size": "0",
        "hls_segment_filename": str(folder / f"{name}-%d.ts"),
    }
    if not ended:
        options["hls_flags"] = "omit_endlist"
    with av.open(str(playlist), "w", format="hls", options=options) as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 25
        for index in range(60):
            card = colour_card(*size, index)
            for packet in stream.encode(av.VideoFrame.from_ndarray(card, "bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return playlist


def write_site(folder: Path) -> None:
    """The files the site serves: two sizes of a recording, one of a broadcast, an MP4."""
    for name, size in (("small", (320, 180)), ("large", (1920, 1080))):
        write_hls(folder, name, size)
    write_hls(folder, "live", (320, 180), ended=False)
    write_movie(folder / "clip.mp4", frames=20)
    variants = ("320x180", 300_000, "small"), ("1920x1080", 4_000_000, "large")
    lines = ["#EXTM3U"]
    for size, rate, name in variants:
        lines += [
            f'#EXT-X-STREAM-INF:BANDWIDTH={rate},RESOLUTION={size},CODECS="avc1.42c01e"',
            f"{name}.m3u8",
        ]
    (folder / "master.m3u8").write_text("\n".join(lines) + "\n")


@dataclass
class VideoSite:
    """What the site was asked. ``refuse_media``: pages work, their videos answer 403."""

    folder: Path
    base: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    cookies: list[str] = field(default_factory=list)
    refuse_media: bool = False
    stopping: threading.Event = field(default_factory=threading.Event)

    def page(self, path: str) -> str:
        """A page's address as typed."""
        return f"web:{self.base}{path}"


def _site_handler(site: VideoSite) -> type[BaseHTTPRequestHandler]:
    pages = {
        "/watch": ("/master.m3u8", _TYPES[".m3u8"]),
        "/live": ("/live.m3u8", _TYPES[".m3u8"]),
        "/large": ("/large-only.m3u8", _TYPES[".m3u8"]),
        "/clip": ("/clip.mp4", _TYPES[".mp4"]),
    }

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            site.asked[path] += 1
            site.cookies.append(self.headers.get("Cookie", ""))
            if path in _REFUSALS:
                self.send_error(_REFUSALS[path])
            elif path == "/slow":
                site.stopping.wait(30)
            elif path in pages:
                source, kind = pages[path]
                body = _PAGE.format(title="Foaling stall", source=source, type=kind)
                self._answer("text/html", body.encode())
            elif path == "/empty":
                self._answer("text/html", b"<html><body>Nothing here</body></html>")
            elif path == "/large-only.m3u8":
                text = (site.folder / "master.m3u8").read_text().splitlines()
                self._answer(_TYPES[".m3u8"], "\n".join([text[0], *text[3:]]).encode())
            else:
                self._file(site.folder / path.lstrip("/"))

        def _file(self, path: Path) -> None:
            if site.refuse_media:
                self.send_error(403)
            elif path.parent != site.folder or not path.is_file():
                self.send_error(404)
            else:
                self._answer(_TYPES[path.suffix], path.read_bytes())

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                with suppress(OSError):
                    self.wfile.write(body)

    return Handler


@contextmanager
def video_site(folder: Path) -> Iterator[VideoSite]:
    """A running site over the files of ``write_site``."""
    site = VideoSite(folder)
    with _running(_site_handler(site), site.stopping) as port:
        site.base = f"http://127.0.0.1:{port}"
        yield site


@dataclass
class Proxy:
    """What went through a proxy; with ``login`` (``user:word``) it wants to be told it."""

    base: str = ""
    asked: list[str] = field(default_factory=list)
    login: str = ""


def _proxy_handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            wanted = "Basic " + b64encode(proxy.login.encode()).decode()
            if proxy.login and self.headers.get("Proxy-Authorization") != wanted:
                self.send_response(407)
                self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            proxy.asked.append(self.path)
            to = urlsplit(self.path)
            connection = HTTPConnection(to.hostname or "", to.port or 80, timeout=10)
            headers = {k: v for k, v in self.headers.items() if not k.startswith("Proxy-")}
            headers["Connection"] = "close"
            connection.request("GET", f"{to.path}?{to.query}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

    return Handler


@contextmanager
def http_proxy() -> Iterator[Proxy]:
    """A running HTTP proxy that forwards to the loopback."""
    proxy = Proxy()
    with _running(_proxy_handler(proxy), threading.Event()) as port:
        proxy.base = f"http://127.0.0.1:{port}"
        yield proxy


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler], stopping: threading.Event) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="video-site")
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
