"""What every request meets before a route: host and origin checks, safe headers, measurement."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from barnhand_desktop.api.config import LOOPBACK_NAMES, ApiConfig
from barnhand_desktop.api.metrics import ApiMetrics
from barnhand_desktop.api.problems import problem_response

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?")
_CSP = "default-src 'none'; frame-ancestors 'none'"
_CLOSE_FORBIDDEN = 4403


_Refusal = tuple[int, str, str]
"""Status, code and detail."""


class Doorman:
    """ASGI middleware. Refuses host names this server does not have (DNS rebinding), bodies
    that are too long, and requests with side effects and WebSockets from pages of other origins.
    ``long_bodies``: by method and path, where longer bodies than usual are taken."""

    def __init__(
        self,
        app: ASGIApp,
        config: ApiConfig,
        metrics: ApiMetrics,
        long_bodies: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._tracer = trace.get_tracer("barnhand.api")
        self._remote = config.remote
        self._hosts = LOOPBACK_NAMES | {config.host} | set(config.public_hosts)
        self._origins = frozenset(config.cors_origins)
        self._body_bytes = config.body_bytes
        self._long_bodies = dict(long_bodies or {})
        self._tls = config.tls_certificate is not None or config.tls_ends_upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge and pass on one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": _CLOSE_FORBIDDEN})
            return
        # What an exception says may hold an address with a password: traces get its status only.
        with self._tracer.start_as_current_span(
            "request", kind=SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ):
            await self._answer(scope, receive, send, refusal)

    def _refusal(self, scope: Scope, headers: Headers) -> _Refusal | None:
        host = _host_name(headers.get("host", ""))
        # With remote access on, a name may be any that reaches this machine.
        if not self._remote and host not in self._hosts:
            return 403, "host_refused", "This server is not known under that name."
        if "transfer-encoding" in headers and "content-length" in headers:
            # A proxy in front may see another end of the request than this server.
            return 400, "bad_request", "A request states one length, not two."
        if _stated_length(headers) > self._limit_bytes(scope):
            return 413, "body_too_large", "The request's body is too long."
        origin = headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if origin is None or not changes or origin in self._origins:
            return None
        if not self._own(origin, headers.get("host", "")):
            return 403, "origin_refused", "Requests from pages of other sites are refused."
        return None

    def _limit_bytes(self, scope: Scope) -> int:
        """The longest body of this request."""
        place = (scope.get("method", ""), scope["path"])
        return self._long_bodies.get(place, self._body_bytes)

    def _own(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower() != ""

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, refusal: _Refusal | None
    ) -> None:
        started_s = time.perf_counter()
        status = 500
        body = _Body(receive, self._limit_bytes(scope))
        is_long = body.limit_bytes > self._body_bytes

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                self._harden(headers)
                if status == 413 or (is_long and not body.whole):
                    headers["Connection"] = "close"  # what is still to come is not read
            await send(message)

        try:
            if refusal is None:
                await self._app(scope, body.receive, send_on)
            else:
                # Nothing that still comes on this connection is read as another request.
                await problem_response(*refusal, {"Connection": "close"})(scope, receive, send_on)
        finally:
            route = _route_path(scope)
            method = scope["method"] if scope["method"] in _KNOWN_METHODS else "OTHER"
            _describe(method, route, status)
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.latency_s.labels(method, route).observe(time.perf_counter() - started_s)

    def _harden(self, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers[name] = value
        headers.setdefault("Content-Security-Policy", _CSP)
        headers.setdefault("Cache-Control", "no-store")
        if self._tls:
            headers["Strict-Transport-Security"] = "max-age=31536000"


class _Body:
    """A request's body: one longer than the limit ends with 413. ``whole`` once all of it came."""

    def __init__(self, receive: Receive, limit_bytes: int) -> None:
        self._receive = receive
        self._taken = 0
        self.limit_bytes = limit_bytes
        self.whole = False

    async def receive(self) -> Message:
        """The next message of the request."""
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > self.limit_bytes:
            raise HTTPException(413, "The request's body is too long.")
        self.whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message


_KNOWN_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def _describe(method: str, route: str, status: int) -> None:
    span = trace.get_current_span()
    if span.is_recording():
        span.update_name(f"{method} {route}")
        span.set_attribute("http.request.method", method)
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(StatusCode.ERROR)


def _route_path(scope: Scope) -> str:
    """The route's template, never the path itself, so that the metrics stay few."""
    route: Any = scope.get("route")
    return str(getattr(route, "path_format", "unmatched"))


def _stated_length(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length[:19]) if length.isascii() and length.isdigit() else 0


def _host_name(host: str) -> str:
    """The name in a Host header, empty for what is none. urlsplit alone reads ``[::1].evil`` and
    ``127.0.0.1@evil`` in ways of its own."""
    if not _HOST.fullmatch(host):
        return ""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def forwarded(headers: Headers) -> bool:
    """True if a proxy says that it speaks for someone else."""
    return any(name in headers for name in _FORWARDING)


_FORWARDING: Iterable[str] = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
