"""The OpenAPI document, and a page that shows it without a script or anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1b1b1b;background:#fff}
details{border:1px solid #ccc;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
h2{margin:2rem 0 .2rem;font-size:1.2rem}h2+p{margin:.2rem 0 .6rem;color:#555}
summary{cursor:pointer}code{font:14px ui-monospace,monospace}
.m{display:inline-block;min-width:4.5rem;font-weight:700}.r{color:#555;float:right}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ddd;padding:.2rem .5rem;
text-align:left;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}
details,td,th{border-color:#444}.r,h2+p{color:#aaa}a{color:#8ab4ff}}
"""


def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


def docs(request: Request) -> HTMLResponse:
    """The OpenAPI document for people."""
    page = "".join(_page(request.app.openapi()))
    return HTMLResponse(
        page,
        headers={
            "Content-Security-Policy": (
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
            )
        },
    )


def _page(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield '<!doctype html><html lang="en"><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>"
    yield f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
    for paragraph in info.get("description", "").split("\n\n"):
        yield f"<p>{escape(paragraph)}</p>"
    yield '<p><a href="openapi.json">openapi.json</a></p>'
    for subject in document.get("tags", []):
        of_it = [
            (path, method, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if subject["name"] in operation.get("tags", ())
        ]
        if of_it:
            yield f"<h2>{escape(subject['name'])}</h2><p>{escape(subject['description'])}</p>"
        for path, method, operation in of_it:
            yield from _operation(path, method, operation, document["components"]["responses"])
    yield "<h2>Schemas</h2>"
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        required = set(schema.get("required", ()))
        yield from _table(
            ("field", "type", "required", "meaning"),
            (
                (field, _type(value), "yes" if field in required else "", _text(value))
                for field, value in schema.get("properties", {}).items()
            ),
        )
        yield "</details>"


def _operation(
    path: str, method: str, operation: dict[str, Any], shared: dict[str, Any]
) -> Iterator[str]:
    who = ", key: ".join(filter(None, (operation.get("x-role"), operation.get("x-scope"))))
    yield (
        f'<details><summary><span class="m">{escape(method.upper())}</span>'
        f'<code>{escape(path)}</code><span class="r">{escape(who)}</span>'
        f"</summary><p>{escape(operation.get('description', ''))}</p>"
    )
    parameters = operation.get("parameters", [])
    if parameters:
        yield from _table(
            ("parameter", "in", "type", "required", "meaning"),
            (
                (
                    p["name"],
                    p["in"],
                    _type(p["schema"]) + _bounds(p["schema"]),
                    "yes" if p.get("required") else "",
                    _text(p),
                )
                for p in parameters
            ),
        )
    body = operation.get("requestBody", {}).get("content", {})
    for kind, content in body.items():
        yield f"<p>Body ({escape(kind)}): <code>{escape(_type(content['schema']))}</code></p>"
    yield from _table(
        ("answer", "body"),
        (
            (f"{status} {answer.get('description', '')}", ", ".join(_answers(answer)))
            for status, answer in _resolved(operation["responses"], shared)
        ),
    )
    yield "</details>"


def _resolved(
    answers: dict[str, Any], shared: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in answers.items():
        name = str(answer.get("$ref", "")).rpartition("/")[2]
        yield status, shared.get(name, answer)


def _bounds(schema: dict[str, Any]) -> str:
    told = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "from"), ("maximum", "to"), ("default", "else"))
        if schema.get(key) is not None
    ]
    return f", {' '.join(told)}" if told else ""


def _answers(answer: dict[str, Any]) -> Iterator[str]:
    for kind, content in answer.get("content", {}).items():
        schema = content.get("schema")
        yield f"{kind}: {_type(schema)}" if schema else kind


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield "<table><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table>"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _text(schema: dict[str, Any]) -> str:
    return str(schema.get("description", ""))
