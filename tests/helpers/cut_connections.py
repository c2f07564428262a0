"""A TCP relay whose connections can be cut, after so many bytes or at once."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from engine.runtime.worker import StopToken, Worker

_STEP_S = 0.05


class Relay:
    """Listens on a port of its own and passes everything on to a server, both ways."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_STEP_S)
        self.url = f"{parts.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.accepted = 0
        self._cut_after: list[int] = []
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._workers = [Worker("relay", self._accept)]

    def __enter__(self) -> Self:
        self._workers[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.ask_to_stop()
        self.cut()
        assert all(worker.join(10) for worker in self._workers)
        self._listener.close()

    def cut_after(self, *answer_bytes: int) -> None:
        """Cut each of the next connections once it has brought so many bytes of answers."""
        with self._lock:
            self._cut_after += answer_bytes

    def cut(self) -> None:
        """Cut all connections that are open."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _end(*pair)

    def _accept(self, token: StopToken) -> None:
        while not token.stopping:
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                with self._lock:
                    self.accepted += 1
                    limit = self._cut_after.pop(0) if self._cut_after else None
                    self._pairs.append((client, server))
                for name, source, sink, most in (
                    ("relay up", client, server, None),
                    ("relay down", server, client, limit),
                ):
                    self._pump(name, source, sink, most)

    def _pump(
        self, name: str, source: socket.socket, sink: socket.socket, most: int | None
    ) -> None:
        def pass_on(token: StopToken) -> None:
            left = most
            with contextlib.suppress(OSError):
                while data := source.recv(4096):
                    sink.sendall(data if left is None else data[:left])
                    if left is not None:
                        left -= len(data)
                        if left <= 0:
                            break
            _end(source, sink)

        self._workers.append(Worker(name, pass_on))
        self._workers[-1].start()


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
