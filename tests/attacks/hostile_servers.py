"""Servers that try to lead a camera's reader elsewhere, and what must never be reached."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from engine.runtime.worker import StopToken, Worker

_LOOK_S = 0.05


@dataclass
class Listener:
    """A TCP server; ``heard`` is the first block of every connection."""

    port: int
    heard: list[bytes] = field(default_factory=list)


@contextmanager
def tcp_server(talk: Callable[[socket.socket, bytes], None]) -> Iterator[Listener]:
    """A server that reads a block of each connection, notes it and lets ``talk`` answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_LOOK_S)
        found = Listener(server.getsockname()[1])

        def serve(token: StopToken) -> None:
            while not token.stopping:
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                with client, contextlib.suppress(OSError):
                    client.settimeout(3)
                    found.heard.append(client.recv(4096))
                    talk(client, found.heard[-1])

        with _running("hostile server", serve):
            yield found


@contextmanager
def inside() -> Iterator[Listener]:
    """What must not be reached: a server in the local network."""
    with tcp_server(lambda client, heard: None) as listener:
        yield listener


def rtsp_answer(status: str, heard: bytes, *lines: str) -> bytes:
    """An RTSP reply to a request."""
    number = heard.partition(b"CSeq: ")[2].partition(b"\r")[0].decode() or "1"
    return "\r\n".join([f"RTSP/1.0 {status}", f"CSeq: {number}", *lines, "", ""]).encode()


@dataclass
class WebServer:
    """What an HTTP server was asked, with the user agent that asked."""

    port: int
    asked: list[tuple[str, str]]


@contextmanager
def web_server(answers: dict[str, tuple[int, str, bytes]]) -> Iterator[WebServer]:
    """Answers paths with (status, content type or location, body); 404 for the rest."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("User-Agent", "")))
            status, kind, body = answers.get(self.path, (404, "text/plain", b""))
            self.send_response(status)
            self.send_header("Location" if 300 <= status < 400 else "Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    worker = Worker("hostile web server", lambda _: server.serve_forever(_LOOK_S))
    worker.start()
    try:
        yield WebServer(server.server_address[1], asked)
    finally:
        server.shutdown()
        server.server_close()
        assert worker.join(10)


@dataclass
class TlsDoor:
    """TLS in front of a plain server; ``names`` are the names that clients asked for."""

    port: int
    names: list[str | None] = field(default_factory=list)


@contextmanager
def tls_door(port: int, certificate: Path, key: Path) -> Iterator[TlsDoor]:
    """A server that takes TLS off and passes everything on to ``port``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_LOOK_S)
        door = TlsDoor(server.getsockname()[1])

        def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            door.names.append(name)

        context.sni_callback = note

        def serve(token: StopToken) -> None:
            while not token.stopping:
                try:
                    raw, _ = server.accept()
                except TimeoutError:
                    continue
                with raw, contextlib.suppress(OSError):
                    raw.settimeout(5)
                    with (
                        context.wrap_socket(raw, server_side=True) as near,
                        socket.create_connection(("127.0.0.1", port), 5) as far,
                    ):
                        _carry(near, far, token)

        with _running("TLS door", serve):
            yield door


def _carry(near: ssl.SSLSocket, far: socket.socket, token: StopToken) -> None:
    while not token.stopping:
        ready = [near] if near.pending() else select.select([near, far], [], [], _LOOK_S)[0]
        for one in ready:
            data = one.recv(65536)
            if not data:
                return
            (far if one is near else near).sendall(data)


@contextmanager
def _running(name: str, body: Callable[[StopToken], None]) -> Iterator[None]:
    worker = Worker(name, body)
    worker.start()
    try:
        yield
    finally:
        worker.ask_to_stop()
        assert worker.join(10), f"{name} did not end"


class Resolver:
    """The system's resolver with names that stand for what a test says; counts look-ups."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask
        self._known: dict[str, list[str]] = {}
        self._lock = Lock()
        self.asked: list[str] = []

    def name(self, name: str, *addresses: str) -> None:
        """Let a name stand for the addresses, one after the other; the last for ever."""
        self._known[name] = list(addresses)

    def __call__(self, host: Any, *further: Any, **named: Any) -> Any:
        with self._lock:
            self.asked.append(str(host))
            known = self._known.get(str(host))
            address = host if known is None else known.pop(0) if len(known) > 1 else known[0]
        return self._ask(address, *further, **named)
