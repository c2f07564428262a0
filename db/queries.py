"""Named SQL: statements live in ``db/sql/queries/*.sql`` as ``-- name: xxx`` blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from engine.domain.errors import Bug

_NAME = re.compile(r"^--\s*name:\s*([a-z][a-z0-9_]*)\s*$", re.MULTILINE)


@cache
def queries(file: str) -> Mapping[str, bytes]:
    """The statements of ``db/sql/queries/<file>.sql`` by name, as the driver takes them.

    Raises Bug for a file that does not exist, holds a name twice, or has a name without a
    statement.
    """
    path = files("db.sql.queries").joinpath(f"{file}.sql")
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise Bug(f"there is no query file {file}.sql") from None
    return MappingProxyType(parse(text, file))


def parse(text: str, file: str) -> dict[str, bytes]:
    """Split the text of a query file into statements by name."""
    parts = _NAME.split(text)
    found: dict[str, bytes] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        statement = body.strip().rstrip(";")
        if not statement:
            raise Bug(f"query {name} of {file}.sql has no statement")
        if name in found:
            raise Bug(f"query {name} appears twice in {file}.sql")
        found[name] = statement.encode()
    return found
