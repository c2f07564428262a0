"""The settings page on the real schema."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit
from pytestqt.qtbot import QtBot

from barnhand_desktop.settings.schema import Settings
from tests.gui.console_bench import Bench
from ui.main_window import MainWindow
from ui.settings.schema import value_at
from ui.settings.settings_page import SettingsPage


@pytest.fixture
def page(open_window: Callable[[], MainWindow]) -> SettingsPage:
    window = open_window()
    window.show_page("settings")
    return window.settings


def write(page: SettingsPage, path: str, text: str) -> None:
    editor = page.editors[path].editor
    assert isinstance(editor, QLineEdit)
    page.show_section(path)
    editor.selectAll()
    QTest.keyClicks(editor, text)


def test_every_field_of_the_schema_is_there_with_its_value(page: SettingsPage) -> None:
    assert "engine.analysis.fps" in page.editors
    for path, editor in page.editors.items():
        assert not editor.changed, path
    assert page.changes() == {}
    assert not page.apply.isEnabled()


def test_values_are_stored_only_on_apply(page: SettingsPage, bench: Bench, qtbot: QtBot) -> None:
    write(page, "engine.analysis.fps", "12,5")
    switch = page.editors["engine.analysis.motion_gate"].editor
    choice = page.editors["engine.analysis.device"].editor
    assert isinstance(switch, QCheckBox) and isinstance(choice, QComboBox)
    switch.click()
    choice.setCurrentIndex(choice.findData("cpu"))
    assert bench.settings.current == Settings()
    assert "3 changed" in page._hint.text()
    with qtbot.waitSignal(page.applied):
        QTest.mouseClick(page.apply, Qt.MouseButton.LeftButton)
    assert value_at(bench.settings.current, "engine.analysis.fps") == 12.5
    assert value_at(bench.settings.current, "engine.analysis.motion_gate") is False
    assert value_at(bench.settings.current, "engine.analysis.device") == "cpu"
    assert page.changes() == {}


def test_a_wrong_value_is_told_at_its_field_and_cannot_be_stored(page: SettingsPage) -> None:
    write(page, "engine.analysis.fps", "500")
    editor = page.editors["engine.analysis.fps"]
    assert editor.problem.isVisible()
    assert "120" in editor.problem.text()
    assert not page.apply.isEnabled()
    write(page, "engine.analysis.fps", "50")
    assert not editor.problem.isVisible()
    assert page.apply.isEnabled()


def test_a_refusal_of_the_application_is_shown_at_the_field_it_names(
    page: SettingsPage, bench: Bench, qtbot: QtBot
) -> None:
    bench.settings.refuse = "engine.tracking.embedder: no model of that name."
    write(page, "engine.tracking.embedder", "osnet")
    QTest.mouseClick(page.apply, Qt.MouseButton.LeftButton)
    problem = page.editors["engine.tracking.embedder"].problem
    qtbot.waitUntil(lambda: "no model of that name" in problem.text())


def test_reset_takes_back_what_was_not_stored(page: SettingsPage) -> None:
    write(page, "engine.capture.wall_fps", "12")
    QTest.mouseClick(page.reset, Qt.MouseButton.LeftButton)
    assert page.changes() == {}


def test_the_default_of_a_field_is_one_click_away(
    page: SettingsPage, bench: Bench, qtbot: QtBot
) -> None:
    write(page, "engine.capture.wall_fps", "12")
    editor = page.editors["engine.capture.wall_fps"]
    assert editor._back.isVisible()
    QTest.mouseClick(editor._back, Qt.MouseButton.LeftButton)
    assert page.changes() == {}


def test_search_leaves_the_sections_that_fit(page: SettingsPage) -> None:
    QTest.keyClicks(page.search, "similarity")
    shown = [
        page._list.item(row).text()
        for row in range(page._list.count())
        if not page._list.item(row).isHidden()
    ]
    assert shown == ["Tracking"]
    assert page.editors["engine.tracking.similarity_threshold"].isVisible()


def test_passwords_in_settings_are_hidden(page: SettingsPage) -> None:
    editor = page.editors["database.dsn"].editor
    assert isinstance(editor, QLineEdit)
    assert editor.echoMode() is QLineEdit.EchoMode.Password
