"""Which objects a request names, read from the API's own document.

A route that names an object this file has no entry for fails the matrix by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from barnhand_desktop.api.access import ApiRoute

PATHS: Mapping[str, str] = {
    "stream_id": "stream", "chunk_id": "chunk", "job_id": "job", "export_id": "export",
    "bookmark_id": "bookmark", "horse_id": "horse", "alert_id": "alert", "rule_id": "rule",
    "review_id": "review", "area_id": "area", "farm_id": "farm", "user_id": "user",
    "key_id": "key", "tour_id": "tour", "session_id": "session", "entry_id": "entry",
    "model_id": "model",
}  # fmt: skip
"""Path parameter -> kind of object (``farmyard.MAKERS``)."""
VALUES: Mapping[str, str] = {"number": "1"}
"""Path parameters that name no object."""
SIGNED = {"token"}
"""Path parameters that are the right themselves; the attacks on media tokens are theirs."""
NAMED: Mapping[str, str] = {
    "stream_id": "stream", "stream_ids": "stream", "horse_id": "horse", "horse_ids": "horse",
    "kept": "horse", "absorbed": "second horse", "into": "second horse", "first": "horse",
    "second": "second horse", "expected": "horse", "track_id": "track", "command_id": "command",
    "edit_id": "edit", "farm_id": "farm", "cursor": "command", "session_id": "session",
    "a": "session", "b": "session",
}  # fmt: skip
"""Field of a body or parameter of a query -> kind of object."""
LISTS_OF_OTHERS = {"cursor"}

Place = tuple[str | int, ...]


def name(route: ApiRoute) -> str:
    """``GET /api/v1/streams``."""
    return f"{route.method} {route.base_path}{route.path}"


def path_kinds(route: ApiRoute) -> dict[str, str]:
    """Path parameters of a route that name objects, with their kinds; KeyError for a new one."""
    parameters = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return {one: PATHS[one] for one in parameters if one not in VALUES and one not in SIGNED}


def filled(route: ApiRoute, ids: Mapping[str, str]) -> str:
    """The route's path with objects in it, below the server's root."""
    path = route.base_path + route.path
    for parameter, kind in path_kinds(route).items():
        path = path.replace(f"{{{parameter}}}", ids[kind])
    for parameter, value in VALUES.items():
        path = path.replace(f"{{{parameter}}}", value)
    return path


def operation(document: Mapping[str, Any], route: ApiRoute) -> Mapping[str, Any]:
    """The route's part of the OpenAPI document."""
    found: Mapping[str, Any] = document["paths"][route.base_path + route.path]
    part: Mapping[str, Any] = found[route.method.lower()]
    return part


def query_kinds(document: Mapping[str, Any], route: ApiRoute) -> dict[str, str]:
    """Parameters of the query that are ids, with their kinds; KeyError for a new one."""
    return {
        one["name"]: NAMED[one["name"]]
        for one in operation(document, route).get("parameters", ())
        if one["in"] == "query" and _is_id(one["schema"])
    }


def body_places(document: Mapping[str, Any], route: ApiRoute) -> list[Place]:
    """Where ids stand in the route's body."""
    content = operation(document, route).get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return [] if schema is None else list(_places(document, schema, ()))


def required_query(
    document: Mapping[str, Any], route: ApiRoute, ids: Mapping[str, str]
) -> dict[str, object]:
    """The ids that a query must have, from ``ids``."""
    return {
        one["name"]: ids[NAMED[one["name"]]]
        for one in operation(document, route).get("parameters", ())
        if one["in"] == "query" and one.get("required") and _is_id(one["schema"])
    }


def form_of(document: Mapping[str, Any], route: ApiRoute) -> str | None:
    """The media type of a body that is a file or a form with one, None for others."""
    content = operation(document, route).get("requestBody", {}).get("content", {})
    return next(iter(content), None) if "application/json" not in content else None


def kind_at(place: Place) -> str:
    """The kind of object at a place of a body; KeyError for a new one."""
    return NAMED[str([part for part in place if isinstance(part, str)][-1])]


def put(body: Any, place: Place, value: str) -> None:
    """Write an id into a body; lists and objects on the way there must exist or be empty."""
    *way, last = place
    for index, part in enumerate(way):
        if isinstance(part, int):
            body = body[part]
            continue
        if isinstance(way[index + 1] if index + 1 < len(way) else last, int) and not body.get(part):
            body[part] = [None]
        body = body[part]
    body[last] = value


def owned(body: Any, places: list[Place], ids: Mapping[str, str]) -> Any:
    """A copy of a body in which every id is one of ``ids``."""
    made = copy.deepcopy(body)
    for place in places:
        put(made, place, ids[kind_at(place)])
    return made


def unknown() -> str:
    """An id of nothing."""
    return str(uuid4())


def _places(document: Mapping[str, Any], schema: Mapping[str, Any], at: Place) -> Iterator[Place]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("format") == "uuid":
        yield at
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _places(document, option, at)
    for field, part in schema.get("properties", {}).items():
        yield from _places(document, part, (*at, field))
    if isinstance(schema.get("items"), Mapping):
        yield from _places(document, schema["items"], (*at, 0))


def _is_id(schema: Mapping[str, Any]) -> bool:
    options = (schema, *schema.get("anyOf", ()))
    return any(option.get("format") == "uuid" for option in options)
