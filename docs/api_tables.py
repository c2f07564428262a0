"""The tables of the API's manual, made from the source: ``python -m docs.api_tables``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from barnhand_desktop.api.access import ApiRoute
from barnhand_desktop.api.document import SUBJECTS
from barnhand_desktop.api.problem_codes import MEANINGS
from barnhand_desktop.api.routes import ROUTES
from db.repositories.users import Role

MANUAL = Path(__file__).parent / "manual" / "api.md"


def codes() -> str:
    """Every problem's code."""
    rows = [
        f"| `{code}` | {', '.join(map(str, told.statuses))} | {told.meaning} |"
        for code, told in sorted(MEANINGS.items())
    ]
    return "\n".join(("| code | status | meaning |", "|---|---|---|", *rows))


def roles() -> str:
    """Every operation with who may call it and which scope a key needs."""
    order = list(SUBJECTS)
    shown = sorted(
        (route for route in ROUTES if route.documented and route.base_path),
        key=lambda route: order.index(route.path.split("/")[1]),
    )
    head = "| operation | admin | manager | viewer | nobody | key |"
    return "\n".join((head, "|---|---|---|---|---|---|", *map(_row, shown)))


def _row(route: ApiRoute) -> str:
    ranks = {Role.ADMIN: 1, Role.MANAGER: 2, Role.VIEWER: 3}
    reach = 4 if route.role is None else ranks[route.role]
    marks = ["yes" if place < reach else "" for place in range(4)]
    key = "any" if route.role is None else (route.scope.value if route.scope else "")
    return f"| `{route.method} {route.path}` | {' | '.join(marks)} | {key} |"


TABLES: dict[str, Callable[[], str]] = {"codes": codes, "roles": roles}


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n)(.*?)(\n?<!-- /{name} -->)", re.DOTALL)


def fenced(text: str, name: str) -> str:
    """What stands between the marks of a table."""
    found = _between(name).search(text)
    return "" if found is None else found[2]


def main() -> int:
    """Write the tables into the manual."""
    text = MANUAL.read_text("utf-8")
    for name, table in TABLES.items():
        head, mark, rest = text.partition(f"<!-- {name} -->\n")
        text = f"{head}{mark}{table()}\n{rest[rest.index(f'<!-- /{name} -->') :]}"
    MANUAL.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
