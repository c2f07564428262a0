"""Real camera servers for tests: RTSP in a child process, HTTP cameras on a thread."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.helpers.movies import colour_card
from tests.helpers.waiting import wait_until

_SERVE = """
import asyncio, sys
from aio_rtsp_toolkit.server import RtspServer
asyncio.run(RtspServer(sys.argv[1], "127.0.0.1", int(sys.argv[2])).serve_forever())
"""


def free_port() -> int:
    """A port of the loopback nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RtspServer:
    """An RTSP server process that plays the files of a folder again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> str:
        """The address of a file of the folder."""
        return f"rtsp://127.0.0.1:{self.port}/{name}?play_count=0"

    def start(self) -> None:
        """Start, and return once it accepts connections."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(self._folder), str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._accepts)

    def kill(self) -> None:
        """End the process at once, without a word to its clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Stop the process; its connections stay open and silent."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True


def jpeg(index: int = 0, size: tuple[int, int] = (320, 180)) -> bytes:
    """A JPEG of the test card."""
    done, body = cv2.imencode(".jpg", colour_card(*size, index))
    assert done
    return bytes(np.asarray(body))


@dataclass
class HttpCamera:
    """What an HTTP camera server was asked and how it is to behave."""

    base: str = ""
    password: str | None = None
    requests: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    parts: int = 1_000_000
    broken_every: int = 0
    half: bool = False
    size: tuple[int, int] = (320, 180)
    state_length: bool = True
    stopping: threading.Event = field(default_factory=threading.Event)


def _handler(camera: HttpCamera) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            camera.requests.append(self.path)
            camera.logins.append(self.headers.get("Authorization", ""))
            if camera.password is not None and not self.headers.get("Authorization"):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path.startswith("/snapshot"):
                self._answer("image/jpeg", jpeg(len(camera.requests)))
            elif self.path.startswith("/mjpeg"):
                self._stream()
            elif self.path.startswith("/silent"):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
                self.end_headers()
                camera.stopping.wait(20)
            elif self.path.startswith("/page"):
                self._answer("text/html", b"<html>Camera</html>")
            else:
                self.send_error(404)

        def _answer(self, content: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=--frame")
            self.end_headers()
            try:
                for index in range(camera.parts):
                    body = jpeg(index, camera.size)
                    if camera.half:
                        body = body[: len(body) // 2]
                    if camera.broken_every and index % camera.broken_every == 1:
                        body = body[:100] + b"\0" * 50
                    head = "--frame\r\nContent-Type: image/jpeg\r\n"
                    if camera.state_length:
                        head += f"Content-Length: {len(body)}\r\n"
                    self.wfile.write(head.encode() + b"\r\n" + body + b"\r\n")
                    if camera.stopping.wait(0.02):
                        return
            except OSError:
                pass

    return Handler


@contextmanager
def http_camera() -> Iterator[HttpCamera]:
    """A running HTTP camera; its thread is gone afterwards."""
    camera = HttpCamera()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(camera))
    camera.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="http-camera")
    thread.start()
    try:
        yield camera
    finally:
        camera.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def raw_server(answer: bytes | None, port: int = 0) -> Iterator[int]:
    """A server that accepts connections and sends ``answer`` to each request, or nothing at all."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.05)
    stopping = threading.Event()
    connections: list[socket.socket] = []

    def serve() -> None:
        while not stopping.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(0.05)
                connections.append(connection)
            for connection in connections:
                with suppress(OSError):
                    if connection.recv(4096) and answer is not None:
                        connection.sendall(answer)

    thread = threading.Thread(target=serve, name="raw-server")
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stopping.set()
        thread.join()
        for one in (listener, *connections):
            one.close()
