"""What is written about the API is what it does: codes, roles, routes and the documents' pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from barnhand_desktop.api.document import SUBJECTS
from barnhand_desktop.api.problem_codes import MEANINGS
from barnhand_desktop.api.routes import ROUTES
from db.live import personal, protocol
from docs.api_tables import TABLES, fenced
from tests.conftest import ROOT
from tests.fixtures_api import World, require_problem

MANUAL = ROOT / "docs" / "manual" / "api.md"
API = ROOT / "barnhand_desktop" / "api"


def told_codes() -> Iterator[tuple[str, str]]:
    """(code, where) for every code written in the source of the API."""
    for path in sorted(API.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                place = {"Problem": 1, "problem_response": 1, "problem_body": 1}.get(called)
                if place is not None and len(node.args) > place:
                    code = node.args[place]
                    if isinstance(code, ast.Constant) and isinstance(code.value, str):
                        yield code.value, f"{path.name}:{node.lineno}"


def test_every_code_in_the_source_has_a_meaning() -> None:
    found = list(told_codes())
    assert len({code for code, _ in found}) > 25, "the search finds too little to be trusted"
    assert not [f"{code} ({where})" for code, where in found if code not in MEANINGS]


def test_every_meaning_is_of_a_code_that_the_source_holds() -> None:
    folders = (API, API.parent / "model_inspection")
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    text = "".join(path.read_text("utf-8") for path in sources if path.stem != "problem_codes")
    assert not [code for code in MEANINGS if f'"{code}"' not in text]


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_manual_s_tables_are_those_of_the_source(name: str) -> None:
    """``python -m docs.api_tables`` writes them again."""
    assert fenced(MANUAL.read_text("utf-8"), name) == TABLES[name]()


def test_every_event_is_in_the_manual() -> None:
    text = MANUAL.read_text("utf-8")
    events = {
        value
        for module in (protocol, personal)
        for value in vars(module).values()
        if isinstance(value, str) and re.fullmatch(r"[a-z]+:[a-z]+", value)
    } - {protocol.COMMANDS_CHANNEL, protocol.SEQUENCE_KEY}
    assert len(events) >= 11
    assert not [event for event in events if f"`{event}`" not in text]


def test_every_subject_of_the_routes_is_described() -> None:
    assert {route.path.split("/")[1] for route in ROUTES if route.documented} <= set(SUBJECTS)


def test_every_operation_says_what_it_does(world: World) -> None:
    told = world.request(None, "GET", f"{world.url}/openapi.json").json()
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            assert operation.get("description"), place
            assert operation["tags"][0] in SUBJECTS, place
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), f"{place}: {parameter['name']}"


def test_methods_and_media_types_are_refused_by_the_book(world: World) -> None:
    refused = world.request("root", "PATCH", "/streams")
    require_problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, POST"
    require_problem(world.request("root", "OPTIONS", "/streams"), 405)
    xml = {"Content-Type": "application/xml"}
    require_problem(
        world.request("root", "POST", "/farms", {"name": "x"}, xml), 415, "unsupported_media_type"
    )
    image = {"Accept": "image/png, text/*;q=0.5, application/json;q=0"}
    require_problem(world.request("root", "GET", "/farms", headers=image), 406, "not_acceptable")
    for taken in ("*/*", "application/*", "text/html, application/json;q=0.1"):
        answer = world.request("root", "GET", "/farms", headers={"Accept": taken})
        assert answer.status_code == 200, taken


def test_head_is_get_without_the_body(world: World) -> None:
    got, head = (world.request("root", method, "/farms") for method in ("GET", "HEAD"))
    assert head.status_code == 200 and head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]
    assert world.request(None, "HEAD", "/farms").status_code == 401


def test_times_are_instants_and_come_in_utc(world: World) -> None:
    for bad in ("0", "1700000000", "2025-01-01T00:00:00", "2025-01-01"):
        answer = world.request("root", "GET", f"/horses?seen_since={bad}")
        require_problem(answer, 422, "validation_failed")
    made = world.request("root", "GET", "/users").json()["items"][0]["created_at"]
    assert made.endswith("Z") or made.endswith("+00:00")
