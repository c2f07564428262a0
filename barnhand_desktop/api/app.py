"""The application: the route table, the doorman before it, the event hub beside it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.websockets import WebSocket

from barnhand_desktop.api import problems
from barnhand_desktop.api.access import BASE_PATH, ApiRoute
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.api.document import document, operation_name
from barnhand_desktop.api.doorman import Doorman
from barnhand_desktop.api.guard import guard
from barnhand_desktop.api.live.messages import Close
from barnhand_desktop.api.operation import tell_figures
from barnhand_desktop.api.rates import network_of
from barnhand_desktop.api.routers import health
from barnhand_desktop.api.routers.health import PROGRAM_VERSION
from barnhand_desktop.api.routes import ROUTES
from barnhand_desktop.api.services import Services, build_services

_ID = re.compile(r"\{(\w+_id)\}")
_DESCRIPTION = """\
Cameras, horses and detections of a barn. Log in at /api/v1/auth/login and send the access token as
a bearer token, or send an API key the same way. Times are ISO 8601 UTC, ids UUID, pages go on with
next_cursor, errors are problem documents (RFC 9457) with a stable code.

Live events: a WebSocket at /ws or /ws/stream/{id}. The token goes into the first message,
{"event": "authenticate", "data": {"token": "..."}}, or as the subprotocol bearer.TOKEN beside
barnhand.v1. Then {"event": "subscribe", "data": {"stream_id": "...", "channels": ["detections",
"poses", "metrics"], "last_sequence": 41}}, unsubscribe and ping. Without stream_id every stream of
the account is meant, with {"room": "user"} the account's own room: its jobs and exports, alerts it
acknowledged, the end of its logins. Frequent events come by channel (keypoints only with poses);
stream:status, chunk:processed, alert:raised, alert:updated, horse:identified, horse:update,
track:updated and job:update always. With last_sequence the events after it come first, or a gap
that says which of them are lost."""


class BarnhandApi(FastAPI):
    """FastAPI whose document knows what the route table knows."""

    offered: tuple[ApiRoute, ...] = ()

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = document(self, self.offered)
        return self.openapi_schema


_END_TRIES = 3


def create_app(config: ApiConfig) -> FastAPI:
    """The ASGI application; its lifespan opens and closes what it works with."""
    services = build_services(config)
    app = BarnhandApi(
        title="Barnhand API",
        version=PROGRAM_VERSION,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # The doorman makes the spans: these would keep paths and queries, which may hold tokens.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.services = services
    problems.install(app)
    app.offered = tuple(r for r in ROUTES if config.metrics or r.endpoint is not health.metrics)
    for route in app.offered:
        _add(app, route)
    _add_sockets(app)
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(config.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["Retry-After"],
        )
    long_bodies = {
        (route.method, route.base_path + route.path): route.body_bytes(config)
        for route in ROUTES
        if route.body_bytes is not None
    }
    app.add_middleware(Doorman, config=config, metrics=services.metrics, long_bodies=long_bodies)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    listening = asyncio.create_task(services.hub.run(), name="event hub")
    telling = asyncio.create_task(tell_figures(services.figures, services.metrics))
    preparing = asyncio.create_task(asyncio.to_thread(services.passwords.prepare))
    try:
        yield
    finally:
        for _ in range(_END_TRIES):  # a cancellation may be lost while a time-out fires
            listening.cancel()
            telling.cancel()
            _, pending = await asyncio.wait({listening, telling, preparing}, timeout=1.0)
            if not pending:
                break
        await asyncio.to_thread(services.close)


def _add(app: FastAPI, route: ApiRoute) -> None:
    """Serve one row of the table, and HEAD beside GET (RFC 9110, 9.1)."""
    # An id that is none names nothing, and does not hide fixed words in its place.
    path = _ID.sub(r"{\1:uuid}", route.base_path + route.path)
    check = Depends(guard(route))
    if route.method == "GET":
        app.add_api_route(
            path, route.endpoint, methods=["HEAD"], dependencies=[check], include_in_schema=False
        )
    app.add_api_route(
        path,
        route.endpoint,
        methods=[route.method],
        status_code=route.status,
        dependencies=[check],
        response_class=Response if route.media else JSONResponse,
        tags=[route.path.split("/")[1]],
        operation_id=operation_name(route),
        include_in_schema=route.documented,
    )


def _add_sockets(app: FastAPI) -> None:
    services: Services = app.state.services

    async def live(websocket: WebSocket) -> None:
        if await _may_knock(services, websocket):
            await services.sockets.serve(websocket)

    async def live_stream(websocket: WebSocket, stream_id: UUID) -> None:
        if await _may_knock(services, websocket):
            await services.sockets.serve(websocket, stream_id)

    for base in ("", BASE_PATH):
        app.add_api_websocket_route(f"{base}/ws", live)
        app.add_api_websocket_route(f"{base}/ws/stream/{{stream_id}}", live_stream)


async def _may_knock(services: Services, websocket: WebSocket) -> bool:
    """Count the handshake like any request of its address; refuse it when there were too many."""
    address = network_of(websocket.client.host if websocket.client else "unknown")
    rate = services.config.rates.address
    if await run_in_threadpool(services.rates.wait_s, f"address:{address}", rate) <= 0.0:
        return True
    await websocket.close(int(Close.TOO_MANY))
    return False
