"""Fixtures of the console's tests: offscreen Qt, our fonts and look, and a bench."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from db.pool import open_pool
from engine.domain.ports import HorseRepository, IdentityRepository
from tests.gui.console_bench import Bench, make_bench
from tests.gui.registry_bench import RegistryBench, make_registry
from tests.gui.stored_barn import StoredBarn
from ui.app import FOREIGN_QT_VARIABLES
from ui.main_window import MainWindow
from ui.theme import apply_theme, load_fonts, load_theme

OFFSCREEN_LIMIT = "This plugin does not support propagateSizeHints"
"""Said by the offscreen platform itself about windows of a fixed size."""

OpenRegistry = Callable[..., RegistryBench]

for _name in FOREIGN_QT_VARIABLES:
    os.environ.pop(_name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Anything Qt warns about fails the test that caused it."""
    for item in items:
        if "tests/gui" in item.path.as_posix():
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            item.add_marker(pytest.mark.qt_log_ignore(OFFSCREEN_LIMIT))


@pytest.fixture(scope="session")
def dressed(qapp: QApplication) -> QApplication:
    """The application in our fonts and dark look."""
    load_fonts()
    apply_theme(qapp, load_theme("dark"))
    return qapp


@pytest.fixture(autouse=True)
def _no_dangling_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [
        t.name for t in threading.enumerate() if t not in before and t.name.startswith("console.")
    ]
    assert not left, f"threads left behind: {left}"


@pytest.fixture
def bench(tmp_path: Path, dressed: QApplication) -> Bench:
    """Parts for one console."""
    return make_bench(tmp_path)


@pytest.fixture
def shown(qtbot: QtBot) -> Callable[[QWidget, int, int], QWidget]:
    """Show a widget at a size and wait until it is on screen."""

    def show(widget: QWidget, width: int, height: int) -> QWidget:
        qtbot.addWidget(widget)
        widget.resize(width, height)
        with qtbot.waitExposed(widget):
            widget.show()
        return widget

    return show


@pytest.fixture
def open_window(qtbot: QtBot, bench: Bench) -> Iterator[Callable[[], MainWindow]]:
    """Open the console on the bench; closed in order at the end."""
    windows: list[MainWindow] = []

    def open_one() -> MainWindow:
        window = MainWindow(bench.services)
        window.resize(1440, 860)
        windows.append(window)
        with qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        return window

    yield open_one
    for window in windows:
        window.close()
        window.deleteLater()


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[StoredBarn]:
    """A farm in a database of its own."""
    pool = open_pool(postgres_dsn, max_size=4)
    yield StoredBarn(pool)
    pool.close()


@pytest.fixture
def open_registry(
    barn: StoredBarn, tmp_path: Path, dressed: QApplication, qtbot: QtBot
) -> Iterator[OpenRegistry]:
    """Open the registry page over ``barn``, once the test has filled it."""
    opened: list[RegistryBench] = []

    def open_one(
        horses: HorseRepository | None = None, identity: IdentityRepository | None = None
    ) -> RegistryBench:
        opened.append(make_registry(barn, tmp_path, qtbot, horses, identity))
        return opened[-1]

    yield open_one
    for one in opened:
        one.page.directory.stop()
        one.host.hide()
        assert one.requests.close(5.0) == ()
