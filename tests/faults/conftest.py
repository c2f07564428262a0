"""Faults made on purpose, and the figures they gave, printed at the end of the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.helpers.captures import Captures
from tests.integration.data.conftest import (
    initialised_folder,
    own_folder,
    own_postgres,
    own_server,
)

__all__ = ["initialised_folder", "own_folder", "own_postgres", "own_server"]

Say = Callable[[str], None]
_figures: list[str] = []


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    """Keep a figure for the summary; figures are told, not judged: machines differ."""
    return lambda text: _figures.append(f"{request.node.name}: {text}")


@pytest.fixture
def captures() -> Iterator[Captures]:
    """Starts captures; none may survive."""
    captures = Captures()
    yield captures
    assert captures.stop() == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured."""
    if _figures:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        terminalreporter.section(f"faults: measured on {os.cpu_count()} cores, load {load}")
        for line in _figures:
            terminalreporter.write_line(line)
