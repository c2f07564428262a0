"""Is the process alive, can it serve, and how is it doing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from barnhand_desktop.api import metrics as exposition
from barnhand_desktop.api import schemas
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import ServicesHere
from barnhand_desktop.api.problems import MEDIA_TYPE, RETRY_AFTER_S, problem_body
from engine.domain.errors import BarnhandError

try:
    PROGRAM_VERSION = version("barnhand-desktop")
except PackageNotFoundError:  # run from a checkout
    PROGRAM_VERSION = "development"


async def healthz() -> schemas.Health:
    """The process answers; says nothing of what it depends on, and waits for none of it."""
    return schemas.Health(version=PROGRAM_VERSION)


def readyz(services: ServicesHere) -> Response:
    """200 if everything the API depends on answers, else 503 that says what does not."""
    checks = {
        "database": _database(services),
        "live_state": _live_state(services),
        "events": schemas.Check(
            ok=services.hub.connected,
            detail="" if services.hub.connected else "no events arrive at WebSockets",
        ),
    }
    if all(check.ok for check in checks.values()):
        return JSONResponse(schemas.Readiness(checks=checks).model_dump())
    failing = ", ".join(name for name, check in checks.items() if not check.ok)
    body = problem_body(503, "not_ready", f"Not answering: {failing}.")
    body["checks"] = {name: check.model_dump() for name, check in checks.items()}
    return JSONResponse(body, 503, {"Retry-After": str(RETRY_AFTER_S)}, media_type=MEDIA_TYPE)


def metrics(request: Request, services: ServicesHere) -> Response:
    """Prometheus metrics; of the cameras those that the caller sees."""
    caller: Caller | None = getattr(request.state, "caller", None)  # None on this machine
    visible = None
    if caller is not None and caller.farm_id is not None:
        visible = frozenset(map(str, services.visible_to(caller)))
    return Response(services.metrics.exposition(visible), media_type=exposition.CONTENT_TYPE)


def _database(services: ServicesHere) -> schemas.Check:
    try:
        services.users.any()
    except BarnhandError:
        return schemas.Check(ok=False, detail="the database does not answer")
    return schemas.Check(ok=True)


def _live_state(services: ServicesHere) -> schemas.Check:
    try:
        services.states.ping()
    except BarnhandError:
        return schemas.Check(ok=False, detail="the live-state server does not answer")
    return schemas.Check(ok=True)
