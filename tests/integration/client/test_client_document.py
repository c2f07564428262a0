"""The client knows every documented operation, asks as the document says, and reads every field."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict
from uuid import UUID, uuid4

import jsonschema_rs
import pytest
from pydantic import BaseModel

from barnhand_desktop.client import Barnhand, Connection, answers
from barnhand_desktop.client.answers import Answer
from barnhand_desktop.client.connection import plain
from barnhand_desktop.client.subjects.base import Subject
from tests.fixtures_document import Barn

NOT_BY_METHOD = {
    ("POST", "/auth/login"): "the credential Login does it",
    ("POST", "/auth/refresh"): "the credential Login does it",
    ("GET", "/hls/{token}/playlist.m3u8"): "players open this signed address themselves",
    ("GET", "/hls/{token}/video.mp4"): "players open this signed address themselves",
    ("GET", "/hls/{token}/overlay.json"): "players open this signed address themselves",
}
OWN_NAMES = {
    "barnhand_desktop__api__motion_schemas__MetricOut": "MetricSeries",
    "barnhand_desktop__api__session_schemas__MetricOut": "SessionMetric",
    "AuditOut": "AuditRow",
    "BudgetOut": "Budget",
    "CalendarOut": "CalendarEntry",
    "HourOut": "HourOfHorse",
    "MetricsOut": "HorseMetrics",
    "MoveIn": "Movement",
    "PresenceOut": "DayOfHorse",
    "QuietOut": "QuietHours",
    "RuleOut": "AlertRule",
    "ScheduleIn": "Schedule",
    "SimilarOut": "SimilarHorse",
    "TourStepIn": "TourStep",
}
AN_ID, AN_INSTANT = uuid4(), datetime(2026, 11, 1, 12, tzinfo=UTC)
Document = dict[str, Any]


class Asked(Exception):
    """A request that was not sent."""

    def __init__(self, method: str, path: str, query: Any, body: Any, form: Any) -> None:
        super().__init__(f"{method} {path}")
        self.method, self.path = method, path
        self.query: Mapping[str, Any] = query or {}
        self.body, self.form = body, form


class Dry(Connection):
    """Raises what would be asked."""

    def request(self, method: str, path: str, query: Any = None, *more: Any, **told: Any) -> Any:
        body = more[0] if more else told.get("body")
        raise Asked(method, path, query, body, told.get("form"))


def methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public method of every subject, with its name for people."""
    client = Barnhand.over(Dry("http://127.0.0.1:1"))
    for subject, value in vars(client).items():
        if isinstance(value, Subject) and subject != "events":
            for name, method in inspect.getmembers(value, inspect.ismethod):
                if not name.startswith("_"):
                    yield f"{subject}.{name}", method


METHODS = dict(methods())


def choices(kind: Any, name: str, folder: Path) -> list[Any]:
    """Values of a type: the first is the ordinary one, the others the words it knows."""
    if name == "region":
        return [[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]]
    if get_origin(kind) in (Union, UnionType):
        found = [one for part in get_args(kind) for one in choices(part, name, folder)]
        return sorted(found, key=lambda one: one is None)
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        return [{key: choices(hint, key, folder)[0] for key, hint in hints.items()}]
    if get_origin(kind) is tuple and get_args(kind)[-1] is not Ellipsis:
        return [tuple(choices(part, name, folder)[0] for part in get_args(kind))]
    if get_origin(kind) in (Sequence, tuple):
        return [[one] for one in choices(get_args(kind)[0], name, folder)]
    if get_origin(kind) is Mapping:
        keys, values = get_args(kind)
        return [{str(choices(keys, "key", folder)[0]): choices(values, name, folder)[0]}]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        hints = get_type_hints(kind)
        return [kind(**{key: choices(hint, key, folder)[0] for key, hint in hints.items()})]
    plain_values: dict[Any, list[Any]] = {
        UUID: [AN_ID],
        datetime: [AN_INSTANT],
        bool: [True],
        int: [{"birth_year": 2010, "height_cm": 160}.get(name, 1)],
        float: [{"settle_s": 5.0, "record_s": 10.0, "dwell_s": 20.0, "step_s": 3600.0,
                 "analysis_fps": 5.0}.get(name, 0.5)],
        str: [{"username": "anna", "address": "rtsp://192.0.2.1/", "start": "22:00",
               "end": "06:00", "names": "speed"}.get(name, "word")],
        type(None): [None],
        Path: [folder / "file.mp4"],
        Any: ["word"],
    }  # fmt: skip
    return plain_values[kind]


def calls(method: Callable[..., Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Arguments for a call with everything, and one more for every other word of a parameter."""
    hints, some = get_type_hints(method), {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            (options,) = get_args(hints[name])
            some |= {key: choices(kind, key, folder) for key, kind in
                     get_type_hints(options).items()}  # fmt: skip
        elif name not in ("told",):
            some[name] = choices(hints[name], name, folder)
    ordinary = {name: values[0] for name, values in some.items()}
    yield ordinary
    for name, values in some.items():
        for other in values[1:]:
            yield {**ordinary, name: other}


def asked(method: Callable[..., Any], arguments: dict[str, Any]) -> Asked:
    with pytest.raises(Asked) as caught:
        answer = method(**arguments)
        next(iter(answer))
    return caught.value


@pytest.fixture(scope="module")
def document(stocked: Barn) -> Document:
    answer = stocked.world.http.get(f"{stocked.world.url}/openapi.json")
    return dict(answer.json())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that the calls name."""
    monkeypatch.chdir(tmp_path)
    for name in ("file.mp4", "word"):
        (tmp_path / name).write_bytes(b"film")
    return tmp_path


def operation_of(document: Document, one: Asked) -> tuple[tuple[str, str], Document]:
    """The documented operation that a request is for: fixed words win over parameters."""
    fitting = [
        path.removeprefix("/api/v1")
        for path, operations in document["paths"].items()
        if path.startswith("/api/v1/")
        and one.method.lower() in operations
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), "/api/v1" + one.path)
    ]
    assert fitting, f"the document knows no {one.method} {one.path}"
    path = min(fitting, key=lambda found: found.count("{"))
    return (one.method, path), document["paths"]["/api/v1" + path][one.method.lower()]


def fits(document: Document, schema: Document, value: object) -> None:
    jsonschema_rs.validator_for({**schema, "components": document["components"]}).validate(value)


@pytest.mark.parametrize("name", METHODS)
def test_it_asks_as_the_document_says(name: str, document: Document, folder: Path) -> None:
    for arguments in calls(METHODS[name], folder):
        one = asked(METHODS[name], arguments)
        _, operation = operation_of(document, one)
        known = {told["name"]: told for told in operation.get("parameters", ())}
        for key, value in plain(one.query).items():
            assert key in known, f"{name}: {key} is no parameter"
            if value is not None:
                fits(document, known[key]["schema"], value)
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            fits(document, content["application/json"]["schema"], plain(one.body))
        elif "multipart/form-data" in content:
            assert one.form is not None
        else:
            assert one.body is None or isinstance(one.body, bytes), f"{name}: no body is taken"


@pytest.mark.parametrize("name", METHODS)
def test_it_says_what_it_answers(name: str, document: Document, folder: Path) -> None:
    method = METHODS[name]
    _, operation = operation_of(document, asked(method, next(calls(method, folder))))
    success = next(operation["responses"][code] for code in sorted(operation["responses"])
                   if code.startswith("2"))  # fmt: skip
    told = success.get("content", {}).get("application/json", {}).get("schema", {})
    said = get_type_hints(method)["return"]
    if "$ref" in told:
        schema = told["$ref"].rpartition("/")[2]
        paged = re.fullmatch(r"Page_(\w+)_", schema)
        if paged:
            assert get_origin(said) is Iterator or "Iterator" in str(said)
            (said,), schema = get_args(said), paged[1]
        assert said.__name__ == own_name(schema)
    elif told.get("type") == "array":
        assert get_args(said)[0].__name__ == own_name(told["items"]["$ref"].rpartition("/")[2])
    else:
        assert said in (
            bytes,
            str,
            Path,
            type(None),
            dict[str, Any],
            answers.Readiness,
            answers.Job,
        )


def test_every_documented_operation_has_a_method_or_a_reason(
    document: Document, folder: Path
) -> None:
    reached = {
        operation_of(document, asked(method, next(calls(method, folder))))[0]
        for method in METHODS.values()
    }
    documented = {
        (verb.upper(), path.removeprefix("/api/v1"))
        for path, operations in document["paths"].items()
        for verb in operations
        if path.startswith("/api/v1/")
    }
    assert documented - reached == NOT_BY_METHOD.keys()


def own_name(schema: str) -> str:
    return OWN_NAMES.get(schema, schema.removesuffix("Out"))


def word_of(document: Document, schema: Document) -> str:
    """A schema's type in one word; words that an enumeration knows are text for this client."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "str" if "enum" in document["components"]["schemas"][name] else own_name(name)
    if "anyOf" in schema:
        return "|".join(sorted({word_of(document, part) for part in schema["anyOf"]}))
    if "enum" in schema or "const" in schema:
        return "str"
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        return f"[{word_of(document, items)}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"{{{word_of(document, inner) if isinstance(inner, dict) and inner else 'any'}}}"
    return str(schema.get("format") or kind or "any").replace("string", "str")


def test_every_answer_is_read_whole(document: Document) -> None:
    schemas = document["components"]["schemas"]
    owned = {own_name(name): schema for name, schema in schemas.items()}
    told = [name for name in answers.__all__ if name not in ("Answer", "Check", "Readiness")]
    assert told
    for name in told:
        kind: type[Answer] = getattr(answers, name)
        mine = kind.model_json_schema(mode="serialization", ref_template="#/mine/{model}")
        wanted = {key: word_of(document, part) for key, part in owned[name]["properties"].items()}
        has = {key: my_word(part) for key, part in mine["properties"].items()}
        assert has == wanted, name


def my_word(schema: Document) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return "|".join(sorted({my_word(part) for part in schema["anyOf"]}))
    if schema.get("type") == "array":
        return f"[{my_word(schema.get('items') or (schema.get('prefixItems') or [{}])[0])}]"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"{{{my_word(inner) if isinstance(inner, dict) and inner else 'any'}}}"
    return str(schema.get("format") or schema.get("type") or "any").replace("string", "str")
