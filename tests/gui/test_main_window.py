"""The shell: pages, palette, keys, notices, status line, memory and an orderly close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from engine.domain.notices import Notice, Severity
from tests.gui.console_bench import Bench, busy_report, good_system, make_bench
from ui.key_sheet import KeySheet
from ui.live.arrangement import Layout
from ui.main_window import MainWindow
from ui.palette import match_score
from ui.rail import PAGES
from ui.services import Level, PartState

Open = Callable[[], MainWindow]
CTRL = Qt.KeyboardModifier.ControlModifier
POSE = Notice(
    "model.pose.missing",
    Severity.WARNING,
    "No pose model",
    "Skeletons are not drawn.",
    datetime(2026, 3, 1, tzinfo=UTC),
)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_from_the_rail(open_window: Open, page: str) -> None:
    window = open_window()
    QTest.mouseClick(window.rail._buttons[page], Qt.MouseButton.LeftButton)
    assert window.page == page
    assert window.actions_book[f"go.{page}"].isChecked()


def test_pages_open_by_key(open_window: Open) -> None:
    window = open_window()
    QTest.keyClick(window, Qt.Key.Key_Comma, CTRL)
    assert window.page == "settings"
    QTest.keyClick(window, Qt.Key.Key_F3)
    assert window.page == "live"


# --- palette and keys ---------------------------------------------------------------------------


def test_the_palette_finds_and_runs_a_command(open_window: Open, bench: Bench) -> None:
    bench.engine.add("Yard")
    window = open_window()
    QTest.keyClick(window, Qt.Key.Key_K, CTRL)
    palette = window.findChild(type(window.open_palette()))
    QTest.keyClicks(palette._field, "16 pla")
    assert palette.shown[0] == "layout.16"
    QTest.keyClick(palette._field, Qt.Key.Key_Return)
    assert window.live.wall.arrangement.layout is Layout.SIXTEEN


def test_the_palette_reaches_every_action(open_window: Open) -> None:
    window = open_window()
    palette = window.open_palette()
    assert set(palette.shown) == {entry.id for entry in window.actions_book}
    QTest.keyClicks(palette._field, "zzzz")
    assert palette.shown == []
    palette.reject()


def test_a_command_that_is_off_says_why(open_window: Open) -> None:
    palette = open_window().open_palette()
    QTest.keyClicks(palette._field, "maximise cam")
    QTest.keyClick(palette._field, Qt.Key.Key_Return)
    assert palette.isVisible()
    assert "Maximise camera" in palette._nothing.text()
    palette.reject()


def test_letters_match_in_order_and_words_first() -> None:
    assert match_score("add", "Add camera") == 0
    assert match_score("ac", "Add camera") is not None
    assert match_score("xa", "Add camera") is None
    starts, inside = match_score("cam", "Add camera"), match_score("mer", "Add camera")
    assert starts is not None and inside is not None and starts < inside


def test_question_mark_shows_the_keys(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    QTest.keyClick(window, Qt.Key.Key_Question)
    qtbot.waitUntil(lambda: window.findChild(KeySheet) is not None)
    window.findChild(KeySheet).reject()


def test_keys_are_remapped_kept_and_restored(
    open_window: Open, bench: Bench, tmp_path: Path
) -> None:
    window = open_window()
    sheet = window.open_keys()
    sheet.edit("go.health")
    sheet.assign(QKeySequence("Ctrl+K"))
    assert "Commands" in sheet._problem.text()
    sheet.assign(QKeySequence("Ctrl+D"))
    assert window.actions_book["go.health"].shortcut() == QKeySequence("Ctrl+D")
    sheet.accept()
    QTest.keyClick(window, Qt.Key.Key_D, CTRL)
    assert window.page == "health"
    window.close()
    again = open_window()
    assert again.actions_book["go.health"].shortcut() == QKeySequence("Ctrl+D")
    again.actions_book.restore_keys()
    assert again.actions_book["go.health"].shortcut() == QKeySequence("F12")


# --- notices and status -------------------------------------------------------------------------


def test_a_missing_pose_model_is_said_plainly_until_acknowledged(
    open_window: Open, bench: Bench
) -> None:
    bench.engine.extra = replace(busy_report(), notices=(POSE,))
    window = open_window()
    assert window.strip.isVisible()
    assert window.strip._message.text() == "No pose model"
    assert window.status._warning.text() == "1 warning"
    QTest.mouseClick(window.strip._seen, Qt.MouseButton.LeftButton)
    assert not window.strip.isVisible()
    assert window.status._warning.text() == ""
    window.follow_engine()
    assert not window.strip.isVisible()


def test_a_notice_that_ended_and_came_again_is_new(open_window: Open, bench: Bench) -> None:
    bench.engine.extra = replace(busy_report(), notices=(POSE,))
    window = open_window()
    window.notices.acknowledge(POSE.key)
    bench.engine.extra = busy_report()
    window.follow_engine()
    bench.engine.extra = replace(busy_report(), notices=(POSE,))
    window.follow_engine()
    assert window.strip.isVisible()


def test_the_status_line_tells_engine_servers_and_disk(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    bench.engine.add("Yard", analysed_fps=9.8)
    bench.engine.extra = busy_report()
    window = open_window()
    status = window.status
    qtbot.waitUntil(lambda: status._server.text == "barn-db · TimescaleDB")
    assert status._engine.text == "9.8 frames/s"
    assert status._queue.text == "3"
    assert status._disk.text == "612 GB free"
    assert status._rows.text == "128\u202f402"


def test_numbers_do_not_move_their_neighbours(open_window: Open, bench: Bench) -> None:
    camera = bench.engine.add("Yard", analysed_fps=9.8)
    window = open_window()
    before = window.status._load.x()
    camera.health = replace(camera.health, analysed_fps=11.1)
    window.follow_engine()
    QApplication.processEvents()
    assert window.status._load.x() == before


def test_a_server_that_goes_away_raises_a_notice_and_clears_it(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    window = open_window()
    away = replace(
        good_system(),
        database=PartState(Level.AWAY, "rows are kept on disk"),
        rows_spooled=1200,
    )
    window._on_system(away)
    assert [n.message for n in window.notices.unacknowledged()] == ["Database is away"]
    assert "1200 spooled" in window.status._rows.text
    window._on_system(good_system())
    assert window.notices.unacknowledged() == []


# --- look, password, memory, close --------------------------------------------------------------


def test_the_look_changes_at_once_and_is_stored(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    window = open_window()
    window.actions_book["look"].setChecked(True)
    qtbot.waitUntil(lambda: window.choices.theme == "light")
    assert window.live.wall.theme.name == "light"
    window.actions_book["look"].setChecked(False)
    qtbot.waitUntil(lambda: window.choices.theme == "dark")


def test_the_first_password_is_shown_with_a_way_to_copy_it(
    tmp_path: Path, dressed: QApplication, qtbot: QtBot
) -> None:
    bench = make_bench(tmp_path, admin_notice="correct-horse-battery")
    window = MainWindow(bench.services)
    qtbot.addWidget(window)
    box = window.show_admin_notice()
    assert box is not None
    assert "correct-horse-battery" in box.informativeText()
    copy = next(b for b in box.findChildren(QPushButton) if b.text() == "Copy")
    QTest.mouseClick(copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "correct-horse-battery"
    assert box.isVisible()
    box.accept()
    window.close()


def test_the_wall_is_as_it_was_left(open_window: Open, bench: Bench) -> None:
    for name in ("Yard", "Arena", "Stall"):
        bench.engine.add(name)
    window = open_window()
    wall = window.live.wall
    wall.set_layout(Layout.NINE)
    wall.apply_by_hand(wall.arrangement.swapped(0, 5))
    window.actions_book["overlay.trails"].setChecked(True)
    window.actions_book["layout.auto"].setChecked(False)
    left = wall.arrangement
    window.close()
    again = open_window()
    assert again.live.wall.arrangement.places == left.places
    assert again.live.wall.arrangement.layout is Layout.NINE
    assert again.actions_book["overlay.trails"].isChecked()


def test_closing_stops_workers_and_asks_for_no_more_pictures(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    camera = bench.engine.add("Yard")
    window = open_window()
    assert camera.size_px is not None
    with qtbot.waitSignal(window.closed):
        QTest.keyClick(window, Qt.Key.Key_Q, CTRL)
    assert camera.size_px is None
    assert window.shut_down() == ()
