"""Media types: whether the caller takes what is answered (406) and sent what is taken (415)."""

from __future__ import annotations

from starlette.datastructures import Headers

from barnhand_desktop.api.access import ApiRoute
from barnhand_desktop.api.problems import Problem

_JSON = "application/json"


def require_media_types(route: ApiRoute, headers: Headers) -> None:
    """Problem 406 or 415 unless Accept and Content-Type suit the route (RFC 9110, 12.5.1, 8.3)."""
    if route.status != 204 and not _taken(headers.getlist("accept"), route.media or (_JSON,)):
        raise Problem(406, "not_acceptable", "The answer is of none of the types in Accept.")
    sent = headers.get("content-type")
    if route.takes_body and sent is not None and not _fits(_kind(sent), route.body_types):
        raise Problem(415, "unsupported_media_type", f"Send {' or '.join(route.body_types)}.")


def _taken(accept: list[str], offered: tuple[str, ...]) -> bool:
    ranges = [part for line in accept for part in line.split(",") if part.strip()]
    if not ranges:
        return True
    taken = {_kind(part) for part in ranges if not _refused(part)}
    return any(
        kind in taken or f"{kind.partition('/')[0]}/*" in taken
        for kind in (*map(_kind, offered), "*/*")
    )


def _fits(kind: str, taken: tuple[str, ...]) -> bool:
    return kind in taken or "*/*" in taken


def _kind(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _refused(part: str) -> bool:
    """True if the range has the weight 0."""
    for parameter in part.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "q":
            return value.strip().rstrip("0").rstrip(".") in ("", "0") and value.strip() != ""
    return False
