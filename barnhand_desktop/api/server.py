"""Runs the application: binds the port, serves, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from barnhand_desktop.api.app import create_app
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.api.connections import bounded_http
from barnhand_desktop.api.routers.health import PROGRAM_VERSION
from barnhand_desktop.logs import fields_of
from engine.domain.errors import EnvironmentFault, OperatorMistake

log = logging.getLogger(__name__)

_END_WITHIN_S = 2
_CONNECTIONS = 1000
_REQUESTS_PER_ADDRESS = 100
_ABORT_AFTER_S = 2.0


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, whose connection is cut once a conversation has ended.

    An orderly close waits until the peer has taken what is buffered, which a stalled or hostile
    peer never does; its memory would be held for ever.
    """

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Give the closing handshake two seconds."""
        super().on_task_complete(task)
        self.loop.call_later(_ABORT_AFTER_S, self.transport.abort)


class _Server(uvicorn.Server):
    """A uvicorn server that tells when it listens."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_listening()


class ApiServer:
    """One bound API server; ``run`` blocks until ``stop``."""

    def __init__(self, config: ApiConfig) -> None:
        """Bind; raises OperatorMistake for a host that is none, EnvironmentFault when no port is
        free."""
        self._config = config
        self._socket = bind(config)
        self.port = int(self._socket.getsockname()[1])
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where the server is reached from this machine."""
        return url_of(self._config, self.port)

    def run(self, on_listening: Callable[[str], None] = lambda url: None) -> None:
        """Serve until ``stop`` or a signal. ``on_listening`` is told the address once requests are
        answered."""
        config = self._config
        self._server = _Server(
            uvicorn.Config(
                create_app(config),
                http=bounded_http(
                    config.sockets.clients + _REQUESTS_PER_ADDRESS, config.trusted_proxies
                ),
                ws=BoundedWebSocket,
                ws_max_size=config.sockets.message_bytes,
                # Compression would cost each client memory and every event time.
                ws_per_message_deflate=False,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(config.trusted_proxies),
                forwarded_allow_ips=list(config.trusted_proxies),
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=_END_WITHIN_S,
                ssl_certfile=config.tls_certificate,
                ssl_keyfile=config.tls_key,
            ),
            lambda: on_listening(self.url),
        )
        with _traced(config):
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ask ``run`` to end, from any thread."""
        if self._server is not None:
            self._server.should_exit = True


@contextlib.contextmanager
def _traced(config: ApiConfig) -> Iterator[None]:
    """Sends traces of requests meanwhile, where a collector is named."""
    if config.traces_endpoint is None:
        yield
        return
    from barnhand_desktop.telemetry import traces

    node = socket.gethostname()
    tracing = traces.start(
        config.traces_endpoint, config.traces_share, "barnhand-api", PROGRAM_VERSION, node
    )
    try:
        yield
    finally:
        tracing.stop()


def url_of(config: ApiConfig, port: int) -> str:
    """The address for a person on this machine."""
    scheme = "http" if config.tls_certificate is None else "https"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.host, config.host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def bind(config: ApiConfig) -> socket.socket:
    """A listening socket on the configured port, or on the next free one."""
    family, address = _place(config.host)
    ports = range(config.port, min(config.port + config.port_tries, 65536))
    for port in ports if config.port else (0,):
        # asyncio switches Nagle's delay (40 ms an answer) off only where the protocol is named.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            elif sys.platform == "win32":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            listener.bind((address, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            log.info("port %d is not free: %s", port, error)
            continue
        listener.set_inheritable(False)
        return listener
    raise EnvironmentFault(
        f"No port from {config.port} to {ports[-1]} is free on {config.host}.",
        "Set another port for the API.",
    )


def _place(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        ip = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise OperatorMistake(
            f"The API's host {host!r} is not an address.", "Use 127.0.0.1, 0.0.0.0 or ::."
        ) from error
    return (socket.AF_INET if ip.version == 4 else socket.AF_INET6), str(ip)


def serve(config: ApiConfig) -> None:
    """Run the API alone until it is interrupted; prints where it listens."""
    ApiServer(config).run(lambda url: print(f"API: {url}/docs", flush=True))


class JsonLines(logging.Handler):
    """Writes log records as JSON lines for the process that started this one."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a closed pipe loses it."""
        document = {
            "level": record.levelname,
            "logger": record.name,
            "message": self.format(record),
            "fields": fields_of(record),
        }
        try:
            self._stream.write(json.dumps(document, default=str) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.handleError(record)
