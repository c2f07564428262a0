"""The OpenAPI document: what FastAPI sees of the routes, and what only the route table knows.

Added here: who may call (security, role, scope), every problem an operation answers with, the media
types of answers that are not JSON, the order of the subjects, and the problem codes with their
meaning. A test holds the running server to all of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from barnhand_desktop.api.access import ApiRoute
from barnhand_desktop.api.parameters import meaning_of
from barnhand_desktop.api.problem_codes import MEANINGS
from barnhand_desktop.api.problems import MEDIA_TYPE, ProblemDocument

Values = dict[str, Any]

SUBJECTS: dict[str, str] = {
    "auth": "Log in and out, the own account. An access token lives an hour; a refresh token is "
    "exchanged once.",
    "api-keys": "Keys for programs: they do what their scopes and their owner's role allow.",
    "users": "Accounts and the streams granted to them.",
    "farms": "Farms: what they are called, and how many horses live there.",
    "areas": "Barns, stalls and paddocks, and the horses expected there.",
    "streams": "Cameras and other sources: settings, state, pictures, camera control, live HLS.",
    "nodes": "Machines that run cameras, and which camera runs where.",
    "hls": "Signed addresses that players open without logging in.",
    "chunks": "Recorded segments: video, overlay, evidence lock, edits.",
    "detections": "Stored detections; boxes and keypoints in pixels of the camera picture.",
    "horses": "The registry: profiles, pictures, likeness, where horses were and how they moved.",
    "tracking": "Identities: live tracks, corrections with undo, open questions, figures.",
    "analytics": "What the herd did, hour by hour. Answers are kept for five minutes and made "
    "anew after a correction.",
    "alerts": "Alerts: list, picture, acknowledgement.",
    "alert-rules": "The rules that raise alerts.",
    "sessions": "Recorded videos and their analysis.",
    "calendar": "Appointments.",
    "bookmarks": "Stretches of time to find again.",
    "jobs": "Background work.",
    "exports": "Clips, tables and the vet's packet.",
    "models": "Registered models and which is active.",
    "audit": "Who did what.",
    "healthz": "Is the process alive.",
    "readyz": "Can it serve.",
    "metrics": "Prometheus metrics.",
}
"""Subjects in the order people read them."""

_SECURITY: Values = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of /api/v1/auth/login, or an API key.",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key of /api/v1/api-keys; not taken by operations without x-scope.",
    },
}
_WORDS = {
    400: "The request cannot be read",
    401: "No valid token or key",
    403: "Not allowed to this caller, or not from this page or under this host name",
    404: "No such object for this caller",
    406: "The answer is of none of the media types that the caller takes",
    409: "Somebody else changed it meanwhile, or its state does not allow it",
    413: "The body is too long",
    415: "The body is not of the stated media type",
    416: "The file has no such range",
    422: "Not as the schema says, or it makes no sense",
    429: "Too many requests; Retry-After says how long to wait",
    503: "Something it needs does not answer; it is tried again by itself",
}
_NAMES = {
    400: "Unreadable", 401: "Unauthenticated", 403: "Forbidden", 404: "Missing",
    406: "NotAcceptable", 409: "Conflicting", 413: "TooLong", 415: "WrongMediaType",
    416: "NoSuchRange", 422: "Refused", 429: "TooMany", 503: "Unavailable",
}  # fmt: skip
_OTHER_WORDS = {206: "The part of the file that Range asks for", 304: "The client has it already"}
_HEADERS: dict[int, Values] = {
    401: {
        "WWW-Authenticate": {
            "required": True,
            "schema": {"type": "string"},
            "description": "The scheme that is taken.",
        }
    },
    429: {
        "Retry-After": {
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
            "description": "Seconds to wait.",
        }
    },
    503: {
        "Retry-After": {
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
            "description": "Seconds to wait.",
        }
    },
}
_NO_OBJECT = frozenset({"caller", "services", "address", "request", "limit", "cursor"})


def operation_name(route: ApiRoute) -> str:
    """The operation's id: stable, and a good name for a generated client's function."""
    module = route.endpoint.__module__.rpartition(".")[2]
    name = f"{module}_{route.endpoint.__name__}"
    return name if route.base_path else f"{name}_beside"


def document(app: FastAPI, routes: Sequence[ApiRoute]) -> Values:
    """The document of ``app``, which serves ``routes``."""
    built = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in SUBJECTS.items()],
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
    )
    components = built.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(_problem_schemas())
    components["securitySchemes"] = _SECURITY
    components["responses"] = {_NAMES[status]: _problem(status) for status in _NAMES}
    for route in routes:
        if route.documented:
            operation = built["paths"][route.base_path + route.path][route.method.lower()]
            _complete(route, operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return dict(_plain_arrays(built))


def _plain_arrays(value: Any) -> Any:
    """The same with tuples of one type as arrays of a fixed length, which every generator of
    clients understands."""
    if isinstance(value, list):
        return [_plain_arrays(one) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _plain_arrays(inner) for name, inner in value.items()}
    places = plain.get("prefixItems")
    if isinstance(places, list) and all(place == places[0] for place in places):
        del plain["prefixItems"]
        plain["items"] = places[0]
    return plain


def statuses(route: ApiRoute) -> tuple[int, ...]:
    """The problems an operation can answer with."""
    found = {403, 422, 429, 503, *route.refuses}
    if route.status != 204:
        found.add(406)
    if route.role is not None:
        found.add(401)
    if route.takes_body:
        found |= {400, 413, 415}
    if route.files:
        found |= {400, 416}
    if route.method != "GET":
        found.add(409)
    if "{" in route.path or _names_objects(route):
        found.add(404)
    return tuple(sorted(found))


def _names_objects(route: ApiRoute) -> bool:
    return not set(inspect.signature(route.endpoint).parameters) <= _NO_OBJECT


def _complete(route: ApiRoute, operation: Values) -> None:
    for parameter in operation.get("parameters", ()):
        parameter.setdefault("description", meaning_of(parameter["name"]))
    operation["x-role"] = "public" if route.role is None else route.role.value
    if route.scope is not None:
        operation["x-scope"] = route.scope.value
    if route.role is not None:
        options: list[Values] = [{"bearer": []}]
        if route.scope is not None:
            options.append({"key": []})
        operation["security"] = ([{}] if route.open_locally else []) + options
    if route.request_body is not None:
        operation["requestBody"] = dict(route.request_body)
    elif route.takes_body and route.accepts != ("application/json",):
        operation["requestBody"] = {
            "required": True,
            "content": {kind: _content(kind) for kind in route.accepts},
        }
    answers = operation["responses"]
    answers.pop("422", None)
    success = answers[str(route.status)]
    success["description"] = _first_sentence(operation.get("description", "")) or "Done"
    if route.media:
        success["content"] = {kind: _content(kind) for kind in route.media}
    for status in route.also:
        answers[str(status)] = _also(route, status)
    for status in statuses(route):
        answers[str(status)] = {"$ref": f"#/components/responses/{_NAMES[status]}"}
    operation["responses"] = dict(sorted(answers.items()))


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


def _content(kind: str) -> Values:
    if kind == "application/json":
        return {"schema": {"type": "object"}}
    if kind.startswith("text/") or "mpegurl" in kind:
        return {"schema": {"type": "string"}}
    return {"schema": {"type": "string", "format": "binary"}}


def _also(route: ApiRoute, status: int) -> Values:
    answer: Values = {"description": _OTHER_WORDS[status]}
    if status != 304:
        kinds = (*route.media, "multipart/byteranges")
        answer["content"] = {kind: _content(kind) for kind in kinds}
    return answer


def _problem(status: int) -> Values:
    told: Values = {
        "description": _WORDS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
    if status in _HEADERS:
        told["headers"] = _HEADERS[status]
    return told


def _problem_schemas() -> Mapping[str, Values]:
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    inner: Values = schema.pop("$defs", {})
    code = schema["properties"]["code"]
    code["enum"] = sorted(MEANINGS)
    code["description"] = code_table(sorted(MEANINGS))
    return {"ProblemDocument": schema, **inner}


def code_table(codes: Iterable[str]) -> str:
    """Codes with their meaning, one a line."""
    return "\n".join(f"- {code}: {MEANINGS[code].meaning}" for code in codes)
