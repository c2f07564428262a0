"""Every error as an RFC 9457 problem document with a stable ``code``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Route

from barnhand_desktop.api.addresses import AddressRefused
from barnhand_desktop.api.passwords import HashingBusy
from barnhand_desktop.api.tokens import TokenRefused
from barnhand_desktop.model_inspection.verdict import ModelRefused
from engine.domain.errors import (
    BarnhandError,
    Conflict,
    EnvironmentFault,
    NotFound,
    OperatorMistake,
    StoreUnavailable,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
_AWAY = "A server that this needs does not answer. It is tried again by itself."

_CODE_BY_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "validation_failed",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}
# The most telling family first: the first that fits decides.
_BY_ERROR: tuple[tuple[type[BarnhandError], int, str], ...] = (
    (TokenRefused, 401, "token_refused"),
    (AddressRefused, 422, "address_refused"),
    (HashingBusy, 503, "busy"),
    (NotFound, 404, "not_found"),
    (Conflict, 409, "conflict"),
    (StoreUnavailable, 503, "store_unavailable"),
    (EnvironmentFault, 503, "unavailable"),
    (OperatorMistake, 422, "refused"),
)


class FieldProblem(BaseModel):
    """One field that failed validation; never the value that was sent."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457 problem details. ``code`` never changes its meaning; ``detail`` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = Field(default_factory=list)


class Problem(Exception):
    """An answer other than success, raised anywhere below a route."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def problem_body(
    status: int, code: str, detail: str, errors: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """The document as a JSON object."""
    body: dict[str, Any] = {
        "type": f"urn:barnhand:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        body["errors"] = list(errors)
    return body


def problem_response(
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> JSONResponse:
    """The document as a response; 401 names the scheme, 503 says when to come back."""
    sent = dict(headers or {})
    if status == 401:
        sent.setdefault("WWW-Authenticate", 'Bearer realm="barnhand"')
    if status == 503:
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    return JSONResponse(
        problem_body(status, code, detail, errors), status, sent, media_type=MEDIA_TYPE
    )


def from_error(error: BarnhandError) -> Problem:
    """The problem that a domain error is for a caller. What names servers stays in the log."""
    if isinstance(error, ModelRefused):
        return Problem(422, error.code, str(error))
    for family, status, code in _BY_ERROR:
        if isinstance(error, family):
            detail = _AWAY if isinstance(error, StoreUnavailable) else str(error)
            return Problem(status, code, detail)
    return Problem(500, "internal_error", "The server made a mistake; it was logged.")


def _methods_at(request: Request) -> list[str]:
    """Every method of the request's path (each has a route of its own)."""
    path = request.url.path
    return sorted(
        {
            method
            for route in request.app.routes
            if isinstance(route, Route) and route.path_regex.match(path)
            for method in route.methods or ()
        }
    )


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document."""

    @app.exception_handler(Problem)
    def _problem(_: Request, error: Problem) -> JSONResponse:
        return problem_response(error.status, error.code, error.detail, error.headers)

    @app.exception_handler(BarnhandError)
    def _family(_: Request, error: BarnhandError) -> JSONResponse:
        problem = from_error(error)
        if problem.status == 500:
            log.error("request failed", exc_info=error)
        elif problem.status == 503:
            log.warning("request refused: %s", error)
        return problem_response(problem.status, problem.code, problem.detail)

    @app.exception_handler(RequestValidationError)
    def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {
                "field": ".".join(str(part) for part in item["loc"]),
                "message": str(item["msg"]),
            }
            for item in error.errors()
        ]
        return problem_response(
            422, "validation_failed", "The request does not fit the schema.", errors=errors
        )

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODE_BY_STATUS.get(error.status_code, "error")
        headers = error.headers
        if error.status_code == 405:
            headers = {**(headers or {}), "Allow": ", ".join(_methods_at(request))}
        return problem_response(error.status_code, code, str(error.detail), headers)

    @app.exception_handler(Exception)
    def _unexpected(_: Request, error: Exception) -> JSONResponse:
        log.error("request failed", exc_info=error)
        return problem_response(500, "internal_error", "The server made a mistake; it was logged.")
