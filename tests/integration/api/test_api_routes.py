"""Authorisation, made from the route table: every route, every kind of caller."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import uuid4

import httpx
import pytest

from barnhand_desktop.api.access import ApiRoute, Scope
from barnhand_desktop.api.routes import ROUTES
from db.repositories.users import Role
from tests.fixtures_api import World, require_problem

GUARDED = [route for route in ROUTES if route.role is not None]
MANAGED = [route for route in GUARDED if route.role is not Role.VIEWER]
ADMINISTERED = [route for route in GUARDED if route.role is Role.ADMIN]
OF_A_STREAM = [route for route in ROUTES if route.checks_stream]


def name(route: ApiRoute) -> str:
    return f"{route.method} {route.base_path}{route.path}"


def call(
    world: World,
    account: str | None,
    route: ApiRoute,
    object_id: object,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    path = re.sub(r"\{\w+\}", str(object_id), route.path)
    body = {} if route.method in ("POST", "PUT", "PATCH") else None
    url = f"{world.url}{route.base_path}{path}"
    return world.request(account, route.method, url, body, headers)


def test_the_application_serves_the_table_and_nothing_else(world: World) -> None:
    document = world.request(None, "GET", f"{world.url}/openapi.json").json()
    served = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert served == {name(route) for route in ROUTES if route.documented}
    assert len(ROUTES) == len({name(route) for route in ROUTES})


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_without_a_token_nothing_guarded_answers(world: World, route: ApiRoute) -> None:
    # What is open to this machine is closed to a request that a proxy brings from elsewhere.
    answer = call(world, None, route, uuid4(), {"X-Forwarded-For": "203.0.113.9"})
    require_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_a_bad_token_is_refused_everywhere(world: World, route: ApiRoute) -> None:
    for credential in ("Bearer x.y.z", "Basic YWRtaW46YWRtaW4=", "Bearer bhk_unknown", ""):
        answer = call(world, None, route, uuid4(), {"Authorization": credential})
        require_problem(answer, 401)


@pytest.mark.parametrize("route", MANAGED, ids=name)
def test_a_viewer_is_refused_what_is_the_managers(world: World, route: ApiRoute) -> None:
    require_problem(call(world, "viewer", route, world.granted), 403, "forbidden")


@pytest.mark.parametrize("route", ADMINISTERED, ids=name)
def test_a_manager_is_refused_what_is_the_administrators(world: World, route: ApiRoute) -> None:
    require_problem(call(world, "manager", route, uuid4()), 403, "forbidden")


@pytest.mark.parametrize("account", ["stranger", "viewer", "manager", "admin"])
@pytest.mark.parametrize("route", OF_A_STREAM, ids=name)
def test_streams_of_others_do_not_exist_for_a_caller(
    world: World, route: ApiRoute, account: str
) -> None:
    target = {
        "stranger": world.granted,
        "viewer": world.hidden,
        "manager": world.foreign,
        "admin": world.foreign,
    }[account]
    answer = call(world, account, route, target)
    if account == "viewer" and route.role is not Role.VIEWER:
        require_problem(answer, 403, "forbidden")
        return
    require_problem(answer, 404, "not_found")
    absent = call(world, account, route, uuid4())
    assert answer.json() == absent.json(), "an answer tells that the stream exists"


@pytest.mark.parametrize("route", OF_A_STREAM, ids=name)
def test_ids_that_are_none_name_no_stream(world: World, route: ApiRoute) -> None:
    for text in ("x", "1", "..%2f..%2fetc", "%00", "'%20OR%201=1--"):
        assert call(world, "root", route, text).status_code in (404, 405)


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_an_api_key_does_only_what_its_scopes_say(world: World, route: ApiRoute) -> None:
    for scope in Scope:
        if route.scope == scope:
            continue
        answer = call(world, None, route, uuid4(), {"X-API-Key": _key(world, scope)})
        require_problem(answer, 403, "scope_missing")


def _key(world: World, scope: Scope) -> str:
    found = world.tokens.get(f"key {scope}")
    if found is None:
        answer = world.request("root", "POST", "/api-keys", {"name": scope, "scopes": [scope]})
        assert answer.status_code == 201, answer.text
        found = world.tokens[f"key {scope}"] = answer.json()["key"]
    return found


ENDS_THE_WORLD = {"POST /auth/logout", "DELETE /streams/{stream_id}"}


@pytest.mark.parametrize(
    "route",
    [route for route in GUARDED if f"{route.method} {route.path}" not in ENDS_THE_WORLD],
    ids=name,
)
def test_an_allowed_caller_passes_every_guard(world: World, route: ApiRoute) -> None:
    """The refusals above would pass on a server that refuses everything."""
    answer = call(world, "root", route, world.hidden if route.checks_stream else uuid4())
    assert answer.status_code not in (401, 403, 405, 500), answer.text


def test_unknown_paths_and_methods_are_problems(world: World) -> None:
    require_problem(world.request("root", "GET", "/nothing"), 404, "not_found")
    require_problem(world.request("root", "PATCH", "/streams"), 405, "method_not_allowed")
    require_problem(world.request("root", "GET", f"{world.url}/"), 404, "not_found")
    require_problem(world.request("root", "GET", "/streams/"), 404, "not_found")
