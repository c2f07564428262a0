"""Every route, every caller, every object: what is another farm's does not exist.

What a hostile camera tries is in ``test_attacks_on_the_engine``; what a client may cost in
``test_attacks_on_the_listener``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from barnhand_desktop.api.access import ApiRoute, Scope
from barnhand_desktop.api.routes import ROUTES
from db.repositories.users import Role
from tests.attacks import route_objects as objects
from tests.attacks.bodies import plausible
from tests.attacks.farmyard import Yard
from tests.fixtures_api import require_problem
from tests.integration.api.test_api_stored import GOOD

# --- the matrix: every route, every caller, objects of one's own and of others -------------------

PEOPLE: Mapping[str, tuple[Role | None, set[str]]] = {
    # who: role, the sides whose camera they see
    "nobody": (None, set()),
    "ungranted": (Role.VIEWER, set()),
    "viewer": (Role.VIEWER, {"granted"}),
    "stranger": (Role.MANAGER, {"foreign"}),
    "manager": (Role.MANAGER, {"granted", "hidden"}),
    "admin": (Role.ADMIN, {"granted", "hidden"}),
    "root": (Role.ADMIN, {"granted", "hidden", "foreign"}),
}
OF_THE_CAMERA = {"stream", "chunk", "tour", "area", "track"}
"""Kinds seen with their camera; the others are their farm's."""
OF_THE_ACCOUNT = {"key"}
RANK = {None: -1, Role.VIEWER: 0, Role.MANAGER: 1, Role.ADMIN: 2}
GUARDED = [route for route in ROUTES if route.role is not None]
NAMING = [route for route in GUARDED if objects.path_kinds(route)]


@pytest.fixture(scope="session")
def document(yard: Yard) -> Any:
    return yard.send(None, "GET", f"{yard.world.url}/openapi.json").json()


def callers() -> Iterator[tuple[str, Role | None, set[str], Scope | None]]:
    """Everybody and every key: name in ``yard.credentials``, role, sides, scope of the key."""
    for who, (role, sides) in PEOPLE.items():
        yield who, role, sides, None
        for scope in Scope:
            if role is None or who == "ungranted" or (who, scope) == ("viewer", Scope.WRITE):
                continue
            yield f"{who}'s {scope} key", role, sides, scope


def refusal(route: ApiRoute, role: Role | None, scope: Scope | None) -> tuple[int, str] | None:
    """What the route table says of a caller before any object is looked at."""
    if role is None:
        return 401, "unauthenticated"
    if scope is not None and route.scope != scope:
        return 403, "scope_missing"
    if RANK[role] < RANK[route.role]:
        return 403, "forbidden"
    return None


def sees(who: str, sides: set[str], side: str, kinds: set[str]) -> bool:
    """Whether all of a side's objects of those kinds exist for a caller."""
    if kinds & OF_THE_ACCOUNT:
        return who.partition("'")[0] == {"granted": "viewer", "hidden": "manager"}.get(
            side, "stranger"
        )
    if kinds & OF_THE_CAMERA:
        return side in sides
    farms = {"foreign" if one == "foreign" else "own" for one in sides}
    if who in ("ungranted", "nobody"):
        farms = {"own"}
    return ("foreign" if side == "foreign" else "own") in farms


@pytest.mark.parametrize("route", GUARDED, ids=objects.name)
def test_nobody_does_what_the_table_does_not_allow(yard: Yard, route: ApiRoute) -> None:
    body = GOOD.get(f"{route.method} {route.path}")
    for who, role, _, scope in callers():
        refused = refusal(route, role, scope)
        if refused is None:
            continue
        url = yard.world.url + objects.filled(route, yard.sides["granted"].ids)
        asked = None if who == "nobody" else who
        if asked is None and route.open_locally:
            continue
        require_problem(yard.send(asked, route.method, url, body), *refused)


@pytest.mark.parametrize("route", NAMING, ids=objects.name)
def test_objects_of_others_do_not_exist(yard: Yard, route: ApiRoute, document: Any) -> None:
    """Foreign objects get the answer that objects get that never were; nothing happens to them."""
    kinds = set(objects.path_kinds(route).values())
    places = objects.body_places(document, route)
    form = objects.form_of(document, route)
    for who, role, sides, scope in callers():
        if refusal(route, role, scope) is not None or who.startswith("root"):
            continue
        own = yard.sides[next(iter(sorted(sides)), "granted")].ids
        good = GOOD.get(f"{route.method} {route.path}")
        body = None if good is None else objects.owned(good, places, own)
        nowhere = objects.filled(route, dict.fromkeys(own, objects.unknown()))
        absent = yard.send(who, route.method, yard.world.url + nowhere, body, form)
        require_problem(absent, 404, "not_found")
        for side, found in yard.sides.items():
            if sees(who, sides, side, kinds):
                continue
            before = yard.audited()
            url = yard.world.url + objects.filled(route, found.ids)
            answer = yard.send(who, route.method, url, body, form)
            require_problem(answer, 404, "not_found")
            told, never = answer.json()["detail"], absent.json()["detail"]
            assert _anonymous(told) == _anonymous(never), "the answer tells that it exists"
            assert yard.audited() == before


def _anonymous(text: str) -> str:
    return " ".join("ID" if len(word.strip(".")) == 36 else word for word in text.split())


def accepted(yard: Yard, route: ApiRoute, document: Any) -> tuple[str, str, Any]:
    """(who, URL, body) of a request that is in order, about objects made for it."""
    places = objects.body_places(document, route)
    kinds = {*objects.path_kinds(route).values(), *map(objects.kind_at, places)}
    ids = {**yard.sides["granted"].ids}
    changes = route.method != "GET"
    for kind in sorted(kinds - KEPT):
        if changes:
            ids[kind] = yard.fresh(kind, "granted")
    if changes and route.path == "/streams/{stream_id}":
        ids["stream"] = yard.fresh("stream", "granted")
    if changes and "chunk" in kinds:
        ids["edit"] = yard.edit_of(ids["chunk"]) if "edit" in kinds else ""
    if route.path == "/tracking/redo":
        ids["command"] = yard.fresh("undone command", "granted")
    body = plausible(f"{route.method} {route.path}", GOOD)
    if places:
        body = objects.owned(body, places, ids)
    who = "viewer" if kinds & OF_THE_ACCOUNT else ASKED_BY[route.role or Role.VIEWER]
    return who, yard.world.url + objects.filled(route, ids), body


KEPT = {"farm", "stream"}
ASKED_BY = {Role.VIEWER: "viewer", Role.MANAGER: "manager", Role.ADMIN: "root"}
ENDS_THE_WORLD = {"POST /auth/logout", "POST /auth/password"}
STEERED = "/streams/{stream_id}/ptz"


@pytest.mark.parametrize(
    "route",
    [route for route in GUARDED if f"{route.method} {route.path}" not in ENDS_THE_WORLD],
    ids=objects.name,
)
def test_what_is_allowed_is_done_and_what_changes_is_audited(
    yard: Yard, route: ApiRoute, document: Any
) -> None:
    """The refusals here would pass on a server that refuses everything."""
    if objects.form_of(document, route) is not None:
        return  # uploads are done, and looked for in the audit trail, by tests of their own
    who, url, body = accepted(yard, route, document)
    before = yard.audited()
    query = objects.required_query(document, route, yard.sides["granted"].ids)
    query |= yard.recorded if route.path.endswith("/hls/playlist.m3u8") else {}
    answer = yard.send(who, route.method, url, body, **query)
    if (reason := UNFIT.get(f"{route.method} {route.path}")) is not None:
        assert answer.status_code in (404, 409), reason
        return
    assert answer.is_success, answer.text
    changes = route.method != "GET" and route.path not in UNAUDITED
    if changes or route.path in DOWNLOADS:
        assert yard.audited() > before, "nobody can see afterwards who did this"
    text = answer.text
    if who != "root":
        for kind, foreign in yard.sides["foreign"].ids.items():
            assert foreign not in text, f"a foreign {kind} shows"
    if who == "viewer":
        for kind in OF_THE_CAMERA:
            assert yard.sides["hidden"].ids[kind] not in text, f"a hidden {kind} shows"


UNAUDITED = {
    "/chunks/{chunk_id}/edits/preview": "changes nothing",
    f"{STEERED}/move": "the first move takes the camera and is noted as that; see its docstring",
}
DOWNLOADS = {
    "/chunks/{chunk_id}/video", "/chunks/{chunk_id}/overlay", "/exports/{export_id}/download",
}  # fmt: skip
UNFIT = {
    f"GET {STEERED}/presets/{{number}}/thumbnail": "the simulated camera gives none",
    "POST /sessions/{session_id}/stop": "the session is over",
    "DELETE /farms/{farm_id}": "the farm is not empty",
}


@pytest.mark.parametrize("route", GUARDED, ids=objects.name)
def test_bodies_and_queries_name_objects_of_ones_own_only(
    yard: Yard, route: ApiRoute, document: Any
) -> None:
    own, foreign = yard.sides["granted"].ids, yard.sides["foreign"].ids
    who = {Role.ADMIN: "admin"}.get(route.role or Role.VIEWER, "manager")
    url = yard.world.url + objects.filled(route, own)
    for parameter, kind in objects.query_kinds(document, route).items():
        body = plausible(f"{route.method} {route.path}", GOOD)
        query = objects.required_query(document, route, own) | {parameter: foreign[kind]}
        answer = yard.send(who, route.method, url, body, **query)
        if answer.status_code == 200:
            assert not answer.json() or not answer.json()["items"], "rows of a foreign object"
        else:
            require_problem(answer, 404, "not_found")
    places = objects.body_places(document, route)
    good = plausible(f"{route.method} {route.path}", GOOD)
    for place in places:
        told = []
        for value in (foreign[objects.kind_at(place)], objects.unknown()):
            body = objects.owned(good, places, own)
            objects.put(body, place, value)
            before = yard.audited()
            answer = yard.send(who, route.method, url, body)
            assert yard.audited() == before, (place, answer.text)
            refused = answer.json().get("detail") or answer.json().get("refused")
            assert refused, (place, answer.text)
            told.append((answer.status_code, _anonymous(str(refused))))
        assert told[0] == told[1], "the answer tells that it exists"
