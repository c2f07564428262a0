"""Backups in the console, made by the real keeper of a real database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from barnhand_desktop.backup.keeper import BackupKeeper
from barnhand_desktop.backup.shelf import Shelf
from barnhand_desktop.settings.schema import BackupSettings
from engine.domain.backups import Backup, BackupProgress
from engine.runtime.clock import SystemClock
from ui.diagnostics.backups_section import BackupsSection
from ui.diagnostics.diagnostics_page import DiagnosticsPage
from ui.requests import RequestRunner


class Desk(BackupKeeper):
    """The real one; a test may hold it where it begins."""

    gate = threading.Event()

    def make(
        self, progress: BackupProgress = lambda *_: None, cancelled: Callable[[], bool] = bool
    ) -> Backup | None:
        def told(share: float, doing: str) -> None:
            progress(share, doing)
            self.gate.wait(20)

        return super().make(told, cancelled)


@pytest.fixture
def desk(postgres_dsn: str, tmp_path: Path) -> Iterator[Desk]:
    settings = BackupSettings(check_days=0)
    desk = Desk(
        postgres_dsn,
        Shelf(tmp_path / "backups"),
        lambda: settings,
        lambda _notice: None,
        SystemClock(),
        shared=False,
    )
    desk.gate.set()
    yield desk
    desk.gate.set()


@pytest.fixture
def section(desk: Desk, dressed: QApplication, qtbot: QtBot) -> Iterator[BackupsSection]:
    requests = RequestRunner()
    page = DiagnosticsPage("0.1.0")
    section = BackupsSection(desk, requests)
    page.add_section("Backups", section)
    qtbot.addWidget(page)
    page.resize(1100, 900)
    page.show()
    qtbot.waitUntil(lambda: "none yet" in section.place.text())
    yield section
    section.stop()
    requests.close()


def click(qtbot: QtBot, widget: object) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def test_one_more_now_stands_in_the_list(section: BackupsSection, desk: Desk, qtbot: QtBot) -> None:
    assert str(desk.folder) in section.place.text() and "the next one" in section.place.text()
    click(qtbot, section.make)
    qtbot.waitUntil(lambda: section.table.rowCount() == 1, timeout=20_000)
    made = desk.list()[0]
    assert section.table.item(0, 1).text() == "whole"
    assert section.table.item(0, 2).text() == made.path.name
    assert "verified" in section.said.text() and section.make.isVisible()
    assert not section.bar.isVisible()


def test_a_person_sees_how_far_it_is_and_takes_it_back(
    section: BackupsSection, desk: Desk, qtbot: QtBot
) -> None:
    desk.gate.clear()
    click(qtbot, section.make)
    qtbot.waitUntil(lambda: "counting rows" in section.said.text(), timeout=10_000)
    assert section.bar.isVisible() and section.cancel.isVisible()
    assert not section.make.isVisible()
    click(qtbot, section.cancel)
    assert section.said.text() == "being cancelled"
    desk.gate.set()
    qtbot.waitUntil(lambda: not section.busy, timeout=20_000)
    assert section.said.text() == "Cancelled; nothing was left."
    assert desk.list() == () and list(desk.folder.iterdir()) == []


def test_what_went_wrong_is_said_where_it_was_asked(
    section: BackupsSection, desk: Desk, postgres_dsn: str, qtbot: QtBot
) -> None:
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("DROP TABLE schema_migrations")
    click(qtbot, section.make)
    qtbot.waitUntil(lambda: "nothing to back up" in section.said.text(), timeout=20_000)
    assert section.make.isVisible() and desk.list() == ()


def test_a_damaged_one_is_shown_as_such(section: BackupsSection, desk: Desk, qtbot: QtBot) -> None:
    made = desk.make()
    assert made is not None
    made.path.write_bytes(made.path.read_bytes()[:-100])
    section.look()
    qtbot.waitUntil(lambda: section.table.rowCount() == 1, timeout=10_000)
    assert section.table.item(0, 1).text() == "damaged"
    assert section.table.item(0, 4).text() == "–"


def test_a_console_without_backups_says_so(dressed: QApplication, qtbot: QtBot) -> None:
    requests = RequestRunner()
    section = BackupsSection(None, requests)
    qtbot.addWidget(section)
    section.show()
    assert "without backups" in section.place.text() and not section.make.isVisible()
    section.stop()
    requests.close()
