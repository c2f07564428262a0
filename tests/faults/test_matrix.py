"""The table of faults in the docs is whole and names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    """The table's cells, without its head."""
    lines = (ROOT / "docs" / "reliability.md").read_text("utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_fault_has_a_figure_and_tests_that_exist(row: list[str]) -> None:
    _, must, measured, tests = row
    assert must and measured
    named = _TEST.findall(tests)
    assert named
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, (path, name)


def test_every_test_of_a_fault_is_in_the_table() -> None:
    named = {(path, name) for row in rows() for path, name in _TEST.findall(row[-1])}
    for file in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        if file == Path(__file__).resolve():
            continue
        path = file.relative_to(ROOT).as_posix()
        tree = ast.parse(file.read_text("utf-8"))
        found = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
        missing = {n for n in found if n.startswith("test_") and (path, n) not in named}
        assert not missing


def test_the_table_has_the_rows_of_the_specification(shared: Path) -> None:
    lines = (shared / "spec" / "quality.md").read_text("utf-8").splitlines()
    begin = lines.index("## Reliability")
    end = next(i for i in range(begin + 1, len(lines)) if lines[i].startswith("## "))
    wanted = [line.strip("|").split("|") for line in lines[begin:end] if line.startswith("| ")]
    assert [[cell.strip() for cell in row] for row in wanted[1:]] == [row[:2] for row in rows()]
