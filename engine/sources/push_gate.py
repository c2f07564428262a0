"""Ports where cameras push, and the relay that hands a publisher to FFmpeg once it is known.

A gate holds its port over reconnects, so that a camera always finds it. It takes one publisher;
callers that say nothing or something else than RTMP are hung up on.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.domain.errors import OperatorMistake, SourceUnreachable
from engine.domain.ids import StreamId
from engine.domain.push import PushAddress
from engine.runtime.worker import StopToken, Worker
from engine.sources.rtmp_inspector import PublishInspector, PublishRefused

log = logging.getLogger(__name__)

_WAITING_AT_MOST = 8
_SPEAKS_WITHIN_S = 10.0
_WAITS_AT_MOST_S = 30.0
_UNUSED_AT_MOST_S = 120.0
"""Longer than the longest pause between two attempts of a capture."""
_LOOK_EVERY_S = 0.25
_INTRODUCED_WITHIN_S = 10.0
_CHUNK_BYTES = 64 * 1024
_SEND_TIMEOUT_S = 10.0


@dataclass(slots=True)
class _Caller:
    connection: socket.socket
    name: str
    came_mono_s: float
    speaks: bool = False


class PushGate:
    """One port. Made bound; ``wait`` hands out callers that speak RTMP, in the order they came."""

    def __init__(self, address: PushAddress, provisional: bool) -> None:
        self.address = address
        self.provisional = provisional
        self._listener = _bound(address)
        self._callers: list[_Caller] = []
        self._condition = threading.Condition()
        self._used_mono_s = time.monotonic()
        self._busy = False
        self._closed = False
        self._hang_up: Callable[[], None] | None = None
        self._worker = Worker(f"push-{address.port}", self._run)
        self._worker.start()

    @property
    def closed(self) -> bool:
        """True once the port is given back."""
        return self._closed

    @property
    def waiting(self) -> bool:
        """True if a caller waits to be taken."""
        return any(caller.speaks for caller in list(self._callers))

    def wait(self, timeout_s: float) -> tuple[socket.socket, str] | None:
        """The next caller's connection and address; None after the time, or when closed."""
        with self._condition:
            self._used_mono_s = time.monotonic()
            self._condition.wait_for(lambda: self._closed or self._speaking(), max(timeout_s, 0.0))
            caller = None if self._closed else self._speaking()
            if caller is None:
                return None
            self._callers.remove(caller)
            self._busy = True
            return caller.connection, caller.name

    def busy_with(self, hang_up: Callable[[], None]) -> None:
        """The caller taken is being received; ``hang_up`` ends it when the gate closes."""
        with self._condition:
            self._hang_up = hang_up
            closed = self._closed
        if closed:
            hang_up()

    def free(self) -> None:
        """The caller taken is gone."""
        with self._condition:
            self._busy, self._hang_up = False, None
            self._used_mono_s = time.monotonic()

    def close(self) -> None:
        """Give the port back, hang up on everybody and wake who waits."""
        with self._condition:
            if self._closed:
                return
            self._closed = True
            hang_up, callers = self._hang_up, list(self._callers)
            self._callers.clear()
            self._condition.notify_all()
        self._worker.ask_to_stop()
        with contextlib.suppress(OSError):
            self._listener.close()
        for caller in callers:
            caller.connection.close()
        if hang_up is not None:
            hang_up()
        if threading.current_thread().name != self._worker.name:
            self._worker.join(2.0)

    def _speaking(self) -> _Caller | None:
        return next((caller for caller in self._callers if caller.speaks), None)

    def _run(self, token: StopToken) -> None:
        while not self._closed:
            silent = [caller.connection for caller in list(self._callers) if not caller.speaks]
            try:
                ready, _, _ = select.select([self._listener, *silent], [], [], _LOOK_EVERY_S)
            except (OSError, ValueError):  # closed meanwhile
                ready = []
            if token.stopping:
                return
            if self._listener in ready:
                self._take_in()
            self._listen_to(ready)
            self._tidy()

    def _take_in(self) -> None:
        try:
            connection, peer = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        name = str(peer[0])
        with self._condition:
            refused = self._busy or self._closed or len(self._callers) >= _WAITING_AT_MOST
            if not refused:
                self._callers.append(_Caller(connection, name, time.monotonic()))
        if refused:
            connection.close()
            log.warning("port %d: refused %s, another pushes already", self.address.port, name)

    def _listen_to(self, ready: list[socket.socket]) -> None:
        """Sort out who speaks RTMP: its greeting begins with its version, 3."""
        with self._condition:
            for caller in [caller for caller in self._callers if caller.connection in ready]:
                try:
                    first = caller.connection.recv(1, socket.MSG_PEEK)
                except BlockingIOError:
                    continue
                except OSError:
                    first = b""
                if first == b"\x03":
                    caller.speaks = True
                    self._condition.notify_all()
                else:
                    self._drop(caller)

    def _tidy(self) -> None:
        now_s = time.monotonic()
        with self._condition:
            for caller in list(self._callers):
                patience_s = _WAITS_AT_MOST_S if caller.speaks else _SPEAKS_WITHIN_S
                if now_s - caller.came_mono_s > patience_s:
                    self._drop(caller)
            unused = not self._busy and now_s - self._used_mono_s > _UNUSED_AT_MOST_S
        if unused:
            self.close()

    def _drop(self, caller: _Caller) -> None:
        self._callers.remove(caller)
        caller.connection.close()


class PushRelay:
    """Carries one publisher's bytes to FFmpeg's listener on the loopback, and the answers back."""

    def __init__(
        self, caller: socket.socket, address: PushAddress, key: str, server_port: int
    ) -> None:
        self._caller = caller
        self._server_port = server_port
        self._inspector = PublishInspector(address.app, key)
        self._server: socket.socket | None = None
        self._worker = Worker(f"push-relay-{address.port}", self._run)
        self.refusal = ""

    @property
    def authorised(self) -> bool:
        """True once the publisher named the right key."""
        return self._inspector.authorised

    def start(self) -> None:
        """Begin; FFmpeg may start to listen a moment later."""
        self._worker.start()

    def stop(self) -> None:
        """Hang up on both sides; returns at once."""
        self._worker.ask_to_stop()
        for side in (self._caller, self._server):
            if side is not None:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; True if the thread is gone."""
        return self._worker.join(timeout_s)

    def _run(self, token: StopToken) -> None:
        try:
            self._server = self._reach_server(token)
            if self._server is not None:
                self._carry(token, self._server)
        except PublishRefused as refused:
            self.refusal = str(refused)
        except OSError:
            pass  # one side hung up: FFmpeg reports it to the reader
        finally:
            for side in (self._caller, self._server):
                if side is not None:
                    side.close()

    def _reach_server(self, token: StopToken) -> socket.socket | None:
        end_s = time.monotonic() + _INTRODUCED_WITHIN_S
        while not token.stopping and time.monotonic() < end_s:
            try:
                return socket.create_connection(("127.0.0.1", self._server_port), 1.0)
            except OSError:
                token.wait(0.02)
        return None

    def _carry(self, token: StopToken, server: socket.socket) -> None:
        for side in (self._caller, server):
            side.settimeout(_SEND_TIMEOUT_S)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end_s = time.monotonic() + _INTRODUCED_WITHIN_S
        while not token.stopping:
            ready, _, _ = select.select([self._caller, server], [], [], _LOOK_EVERY_S)
            for side in ready:
                data = side.recv(_CHUNK_BYTES)
                if not data:
                    return
                if side is server:
                    self._caller.sendall(data)
                else:
                    server.sendall(self._inspector.feed(data))
            if not self.authorised and time.monotonic() > end_s:
                raise PublishRefused("it did not introduce itself in time")


class PushGates:
    """The gates of this process by port, for any thread. A gate belongs to one stream."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gates: dict[StreamId, PushGate] = {}

    def gate(self, owner: StreamId, address: PushAddress, provisional: bool = False) -> PushGate:
        """The stream's gate, kept from an earlier opening or bound now.

        ``provisional``: for one look; whoever needs the port gets it. Raises SourceUnreachable
        when the port is taken and OperatorMistake when this machine has no such address.
        """
        with self._lock:
            known = self._gates.get(owner)
            if known is not None and known.address == address and not known.closed:
                return known
            if known is not None:
                known.close()
            self._gates = {k: gate for k, gate in self._gates.items() if not gate.closed}
            for gate in self._gates.values():
                if gate.address.port != address.port:
                    continue
                if not gate.provisional:
                    raise SourceUnreachable(
                        f"Port {address.port} already receives a camera of this program.",
                        "Choose another port; a camera that is being received is on the wall.",
                    )
                gate.close()
            made = self._gates[owner] = PushGate(address, provisional)
            return made

    def close(self, owner: StreamId) -> None:
        """Give the stream's port back, if it has one."""
        with self._lock:
            gate = self._gates.pop(owner, None)
        if gate is not None:
            gate.close()

    def caller_waits(self, owner: StreamId) -> bool:
        """True if somebody waits at the stream's port."""
        gate = self._gates.get(owner)
        return gate is not None and gate.waiting


def _bound(address: PushAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server((address.host, address.port), family=family, backlog=4)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise OperatorMistake(
                f"This machine has no address {address.host}.",
                "Write 127.0.0.1, or 0.0.0.0 for all of its networks.",
            ) from error
        if error.errno == errno.EACCES:
            raise OperatorMistake(
                f"This program may not listen on port {address.port}.", "Choose one above 1023."
            ) from error
        raise SourceUnreachable(
            f"Port {address.port} is taken by another program.",
            "End that program, or choose another port for this camera.",
        ) from error
    listener.setblocking(False)
    return listener


GATES = PushGates()
"""The ones of this process."""
