"""A steered camera as a server: CGI dialects, log-in, latency, faults, and a picture that moves.

``python -m engine.simulation.ptz_camera`` serves one for demonstrations; tests use PtzSimulator.
The picture is at ``/video.mjpg`` (for an ordinary HTTP stream) and ``/web/tmpfs/auto.jpg``.
"""

from __future__ import annotations

import argparse
import base64
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np

from engine.domain.frames import Image
from engine.domain.ports import Clock
from engine.runtime.clock import SystemClock
from engine.runtime.worker import StopToken, Worker
from engine.simulation.onvif_device import OnvifDevice
from engine.simulation.ptz_view import MovingView, drawn_panorama, panorama_of

log = logging.getLogger(__name__)

FULL_SPEED = 63
MJPEG_FPS = 12.5
_CONTROL = "/web/cgi-bin/hi3510/ptzctrl.cgi"
_PARAM = "/web/cgi-bin/hi3510/param.cgi"
_DIRECTIONS = {
    "left": (-1, 0, 0),
    "right": (1, 0, 0),
    "up": (0, 1, 0),
    "down": (0, -1, 0),
    "upleft": (-1, 1, 0),
    "upright": (1, 1, 0),
    "downleft": (-1, -1, 0),
    "downright": (1, -1, 0),
    "zoomin": (0, 0, 1),
    "zoomout": (0, 0, -1),
    "stop": (0, 0, 0),
}


class Fault(Enum):
    """What the camera does wrong. REFUSE: breaks every connection, as if it were unplugged. HANG:
    takes requests and never answers. ERROR: answers 500. DROP: does what is asked, then breaks the
    connection without an answer. REDIRECT: sends clients elsewhere."""

    REFUSE = "refuse"
    HANG = "hang"
    ERROR = "error"
    DROP = "drop"
    REDIRECT = "redirect"


class Firmware(Enum):
    """How the camera wants its parameters: with a dash, without one, or through param.cgi."""

    DASHED = "hi3510"
    PLAIN = "hi3510-plain"
    PARAM = "hi3510-param"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it came, its path, and the act and speed it asked for."""

    at_mono_s: float
    path: str
    act: str = ""
    speed: int = 0
    number: int | None = None


@dataclass
class PtzSimulator:
    """A camera and its server. ``fault`` and ``latency_s`` may be changed at any time.

    ``first_preset`` is the camera's own number of the first of its eight presets, 0 or 1.
    ``query_login`` wants the credentials in the query (usr, pwd) instead of HTTP Basic.
    """

    view: MovingView
    clock: Clock = field(default_factory=SystemClock)
    firmware: Firmware = Firmware.DASHED
    username: str = ""
    password: str = field(default="", repr=False)
    query_login: bool = False
    first_preset: int = 1
    latency_s: float = 0.0
    fault: Fault | None = None
    port: int = 0
    requests: list[Asked] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._server: ThreadingHTTPServer | None = None
        self._worker: Worker | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self.onvif = OnvifDevice(self.view, self.username, self.password)

    @property
    def base(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, host: str = "127.0.0.1") -> None:
        """Listen, on ``port`` or a free one."""
        server = _Server((host, self.port), _handler(self))
        self._server, self.port = server, int(server.server_address[1])
        self._worker = Worker("ptz-simulator", lambda token: _serve(server, token))
        self._worker.start()

    def stop(self) -> None:
        """Stop listening and end every connection."""
        self.closing.set()
        if self._server is not None and self._worker is not None:
            self._server.shutdown()
            self._break_connections()
            self._server.server_close()
            self._worker.join(5.0)

    def cut(self) -> None:
        """Cut the network: present connections break, new ones are refused."""
        self.fault = Fault.REFUSE
        self._break_connections()

    def restore(self) -> None:
        """Be well again."""
        self.fault = None

    def acts(self) -> list[str]:
        """What was asked so far, in order."""
        return [asked.act for asked in list(self.requests) if asked.act]

    # --- what the handlers call -------------------------------------------------------------------

    def opened(self, connection: socket.socket) -> None:
        """A client connected."""
        with self._lock:
            self.connections += 1
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """A client went."""
        with self._lock:
            self._open.discard(connection)

    def carry_out(self, path: str, query: dict[str, str]) -> str:
        """Do what a request asks; the text of the answer."""
        dash = "" if self.firmware is Firmware.PLAIN else "-"
        given = {name.removeprefix(dash) if dash else name: v for name, v in query.items()}
        if dash and any(name in query for name in ("act", "speed", "step", "number")):
            return "[Error]param name"
        if not dash and any(name.startswith("-") for name in query):
            return "[Error]param name"
        command = query.get("cmd", "")
        through_param = self.firmware is Firmware.PARAM
        if path == _PARAM and command == "preset":
            return self._preset(given)
        if (path == _CONTROL and not through_param) or (
            path == _PARAM and command == "ptzctrl" and through_param
        ):
            return self._drive(given)
        return "[Error]cmd not found"

    def _drive(self, given: dict[str, str]) -> str:
        act = given.get("act", "")
        try:
            speed = int(given.get("speed", str(FULL_SPEED)))
        except ValueError:
            return "[Error]speed"
        self._note(act, speed)
        if act == "home":
            self.view.go_to(self.first_preset)
            return "[Succeed]home ok."
        if act not in _DIRECTIONS or not 0 <= speed <= FULL_SPEED:
            return "[Error]act"
        share = speed / FULL_SPEED
        pan, tilt, zoom = (direction * share for direction in _DIRECTIONS[act])
        self.view.drive(pan, tilt, zoom)
        return "[Succeed]set ok."

    def _preset(self, given: dict[str, str]) -> str:
        act, text = given.get("act", ""), given.get("number", "")
        number = int(text) if re.fullmatch(r"\d{1,3}", text) else -1
        self._note(f"preset {act}", 0, number)
        if not self.first_preset <= number < self.first_preset + 8:
            return "[Error]number"
        if act == "set":
            self.view.store(number)
        elif act != "goto" or not self.view.go_to(number):
            return "[Error]preset"
        return "[Succeed]set ok."

    def _note(self, act: str, speed: int, number: int | None = None) -> None:
        self.requests.append(Asked(self.clock.mono_s(), "", act, speed, number))

    def _break_connections(self) -> None:
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("a client had gone already")


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 32


def _serve(server: ThreadingHTTPServer, _token: StopToken) -> None:
    server.serve_forever(0.05)


class _Gone(Exception):
    """The connection is to be broken without an answer."""


def _handler(camera: PtzSimulator) -> type[BaseHTTPRequestHandler]:
    class Handler(_CameraHandler):
        simulator = camera

    return Handler


class _CameraHandler(BaseHTTPRequestHandler):
    simulator: PtzSimulator
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """The simulator keeps its own log of requests."""

    def setup(self) -> None:
        self.simulator.opened(self.request)
        super().setup()

    def finish(self) -> None:
        self.simulator.closed(self.request)
        try:
            super().finish()
        except OSError:
            log.debug("a client had gone already")

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, _Gone):
            log.debug("a connection broke")

    def do_GET(self) -> None:  # the name is the base class's
        camera = self.simulator
        if camera.latency_s:
            camera.closing.wait(camera.latency_s)
        self._misbehave(before=True)
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.path == "/onvif/snapshot.jpg":
            self._answer(200, "image/jpeg", _jpeg(camera.view.picture()))
        elif not self._logged_in(query):
            self._answer(401, "text/plain", b"[Error]login", {"WWW-Authenticate": "Basic"})
        elif parts.path == "/web/tmpfs/auto.jpg":
            self._answer(200, "image/jpeg", _jpeg(camera.view.picture()))
        elif parts.path == "/video.mjpg":
            self._stream()
        elif parts.path in (_CONTROL, _PARAM):
            query.pop("usr", None)
            query.pop("pwd", None)
            text = camera.carry_out(parts.path, query)
            self._misbehave(before=False)
            self._answer(200, "text/plain", text.encode())
        else:
            self._answer(404, "text/plain", b"not found")

    def do_POST(self) -> None:  # the name is the base class's
        camera = self.simulator
        body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), 1_000_000))
        self._misbehave(before=True)
        if not self.path.startswith("/onvif/"):
            self._answer(404, "text/plain", b"not found")
            return
        status, answer = camera.onvif.answer(body, camera.base)
        self._misbehave(before=False)
        self._answer(status, "application/soap+xml; charset=utf-8", answer)

    def _misbehave(self, before: bool) -> None:
        camera, fault = self.simulator, self.simulator.fault
        if fault is Fault.DROP and not before:
            self.close_connection = True
            raise _Gone
        if not before or fault is None or fault is Fault.DROP:
            return
        if fault is Fault.REFUSE:
            self.close_connection = True
            raise _Gone
        if fault is Fault.HANG:
            while camera.fault is Fault.HANG and not camera.closing.wait(0.02):
                pass
            self.close_connection = True
            raise _Gone
        status = 500 if fault is Fault.ERROR else 302
        self._answer(status, "text/plain", b"", {"Location": "http://127.0.0.1:9/elsewhere"})
        self.close_connection = True
        raise _Gone

    def _logged_in(self, query: dict[str, str]) -> bool:
        camera = self.simulator
        if not camera.username:
            return True
        if camera.query_login:
            given = query.get("usr"), query.get("pwd")
            return given == (camera.username, camera.password)
        wanted = base64.b64encode(f"{camera.username}:{camera.password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {wanted}"

    def _answer(
        self, status: int, content: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        camera = self.simulator
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while not camera.closing.wait(1.0 / MJPEG_FPS) and camera.fault is None:
            body = _jpeg(camera.view.picture())
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body + b"\r\n")


def _jpeg(picture: Image) -> bytes:
    _, body = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.asarray(body).tobytes()


@contextmanager
def ptz_simulator(
    view: MovingView | None = None, clock: Clock | None = None, **fields: Any
) -> Iterator[PtzSimulator]:
    """A running simulator; its threads are gone afterwards. ``fields`` are PtzSimulator's."""
    clock = clock or SystemClock()
    camera = PtzSimulator(view or MovingView(drawn_panorama(), clock.mono_s), clock, **fields)
    camera.start()
    try:
        yield camera
    finally:
        camera.stop()


def folder_view(folder: Path, mono_s: Callable[[], float], first_preset: int = 1) -> MovingView:
    """A view over the first eight pictures of a folder, each stored as a preset."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    read = (cv2.imread(str(path)) for path in files[:8])
    pictures = [np.asarray(picture, np.uint8) for picture in read if picture is not None]
    large, views = panorama_of(pictures, columns=4)
    view = MovingView(large, mono_s)
    for number, state in enumerate(views, first_preset):
        view.store(number, state)
    return view


def main(arguments: list[str] | None = None) -> None:
    """Serve one simulated camera until interrupted."""
    parser = argparse.ArgumentParser(description="A simulated steered camera.")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--pictures", type=Path, help="folder whose pictures it looks over")
    parser.add_argument("--firmware", choices=[f.value for f in Firmware], default="hi3510")
    parser.add_argument("--login", default="", help="USER:PASSWORD that it wants")
    parser.add_argument("--query-login", action="store_true")
    parser.add_argument("--latency-s", type=float, default=0.0)
    given = parser.parse_args(arguments)
    clock = SystemClock()
    view = (
        folder_view(given.pictures, clock.mono_s)
        if given.pictures
        else MovingView(drawn_panorama(), clock.mono_s)
    )
    username, _, password = given.login.partition(":")
    camera = PtzSimulator(
        view,
        clock,
        Firmware(given.firmware),
        username,
        password,
        given.query_login,
        latency_s=given.latency_s,
        port=given.port,
    )
    camera.start()
    try:
        camera.closing.wait()
    except KeyboardInterrupt:
        camera.stop()


if __name__ == "__main__":
    main()
