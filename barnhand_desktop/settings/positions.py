"""Where a key stands in a TOML text, so that a complaint can name the line."""

from __future__ import annotations

import re

_TABLE = re.compile(r"^\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=""")


def line_of(text: str, path: str) -> int | None:
    """1-based line of a dotted key or table, None where it is not found (inline tables).

    Lines inside multi-line strings may be mistaken for keys; the answer is for people to look at.
    """
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TABLE.match(line)
        if header is not None:
            table = _plain(header.group(1))
            if table == path:
                return number
            continue
        key = _KEY.match(line)
        if key is not None:
            full = ".".join(part for part in (table, _plain(key.group(1))) if part)
            if full == path or full.startswith(f"{path}."):
                return number
    return None


def _plain(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))
