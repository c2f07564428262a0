"""Adding, changing and removing cameras, saved views and undo, through the open window."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.domain.errors import SourceUnreachable
from engine.domain.motion import Action
from engine.domain.streams import SourceKind, Stream, StreamState
from tests.gui.console_bench import Bench, Scene
from tests.gui.moving_horses import motion_of
from ui.engine_port import ProbePicture
from ui.live.arrangement import Layout
from ui.live.camera_dialog import CameraDialog
from ui.live.overlay_paint import Switch
from ui.main_window import MainWindow

Open = Callable[[], MainWindow]
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def grey(stream: Stream) -> ProbePicture:
    return ProbePicture(np.full((90, 160, 4), 128, np.uint8), 1920, 1080, 25.0, "h264")


def stored(bench: Bench, *names: str) -> None:
    for name in names:
        camera = bench.engine.add(name)
        bench.streams.rows[camera.stream.id] = camera.stream


def on_wall(window: MainWindow) -> list[str]:
    wall = window.live.wall
    tiles = (wall.tile_at(p) for p in sorted(wall.rects))
    return [tile.stream.name for tile in tiles if tile is not None]


def undo(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.log.changed):
        QTest.keyClick(window, Qt.Key.Key_Z, CTRL)


def bring_back(window: MainWindow, qtbot: QtBot) -> None:
    """Give the window the keyboard again after a dialog: no window manager does it offscreen."""

    def active() -> bool:
        window.activateWindow()
        return QApplication.activeWindow() is window

    qtbot.waitUntil(lambda: window.findChild(CameraDialog) is None)
    qtbot.waitUntil(active)


# --- first start --------------------------------------------------------------------------------


def test_an_empty_wall_offers_three_ways_to_begin(open_window: Open, bench: Bench) -> None:
    window = open_window()
    assert window.live.stack.currentWidget() is window.live.guide
    assert window.live.guide.camera.isVisible()


def test_the_tour_starts_with_one_click(open_window: Open, bench: Bench, qtbot: QtBot) -> None:
    window = open_window()
    QTest.mouseClick(window.live.guide.tour, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(bench.streams.rows) == 4)
    qtbot.waitUntil(lambda: len(on_wall(window)) == 4)
    assert {s.kind for s in bench.streams.rows.values()} == {SourceKind.SIMULATED}
    assert window.live.wall.arrangement.layout is Layout.FOUR


def test_the_guide_is_used_by_keyboard_too(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    QTest.keyClick(window.live.guide.camera, Qt.Key.Key_Return)
    dialog = window.findChild(CameraDialog)
    assert dialog is not None and dialog.isVisible()
    dialog.reject()


def test_files_come_on_the_wall_under_free_names(
    open_window: Open, bench: Bench, tmp_path: Path, qtbot: QtBot
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "walk.mp4").write_bytes(b"x")
    window = open_window()
    window.live.add_files([str(tmp_path / "a" / "walk.mp4"), str(tmp_path / "b" / "walk.mp4")])
    qtbot.waitUntil(lambda: len(on_wall(window)) == 2)
    assert sorted(s.name for s in bench.streams.rows.values()) == ["walk", "walk 2"]


# --- adding a camera ----------------------------------------------------------------------------


def test_a_camera_is_tested_and_added(open_window: Open, bench: Bench, qtbot: QtBot) -> None:
    bench.engine.probe_answer = grey
    window = open_window()
    QTest.keyClick(window, Qt.Key.Key_N, CTRL)
    dialog = window.findChild(CameraDialog)
    assert dialog is not None
    QTest.keyClicks(dialog.address, "rtsp://admin:secret@10.0.0.2/stream1")
    QTest.keyClicks(dialog.name, "North fence")
    assert dialog.kind.text() == "RTSP camera"
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "1920 × 1080 px" in dialog.facts.text())
    assert dialog.facts.text() == "1920 × 1080 px · 25 fps · h264"
    assert not dialog.picture.pixmap().isNull()
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: on_wall(window) == ["North fence"])
    stream = next(iter(bench.streams.rows.values()))
    assert (stream.address, stream.username, stream.password) == (
        "rtsp://10.0.0.2/stream1",
        "admin",
        "secret",
    )


def test_a_password_typed_into_the_address_moves_to_its_hidden_field(
    open_window: Open, qtbot: QtBot
) -> None:
    window = open_window()
    dialog = window.live.ask_for_camera()
    QTest.keyClicks(dialog.address, "rtsp://admin:secret@10.0.0.2/s")
    QTest.keyClick(dialog.address, Qt.Key.Key_Tab)
    dialog.address.editingFinished.emit()
    assert "secret" not in dialog.address.text()
    assert dialog.password.text() == "secret"
    assert dialog.password.displayText() != "secret"
    dialog.reject()


def test_a_failed_test_says_why_and_keeps_what_was_typed(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    def refuse(stream: Stream) -> ProbePicture:
        raise SourceUnreachable("10.0.0.9 does not answer.", "Check its power.")

    bench.engine.probe_answer = refuse
    dialog = open_window().live.ask_for_camera("rtsp://10.0.0.9/a")
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.problem.isVisible)
    assert dialog.problem.text() == "10.0.0.9 does not answer. Check its power."
    assert dialog.address.text() == "rtsp://10.0.0.9/a"
    assert dialog.test.isVisible()
    dialog.reject()


def test_a_test_can_be_cancelled_and_its_late_answer_is_dropped(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow(stream: Stream) -> ProbePicture:
        asked.set()
        answer.wait(10)
        return grey(stream)

    bench.engine.probe_answer = slow
    window = open_window()
    dialog = window.live.ask_for_camera("rtsp://10.0.0.9/a")
    QTest.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    assert asked.wait(5)
    assert dialog.progress.isVisible()
    QTest.mouseClick(dialog.stop, Qt.MouseButton.LeftButton)
    assert dialog.facts.text() == "Test cancelled."
    answer.set()
    qtbot.wait(100)
    assert dialog.facts.text() == "Test cancelled."
    dialog.reject()


@pytest.mark.parametrize("typed", ["", "ftp://x", "/no/such/file.mp4"])
def test_a_wrong_address_is_told_in_the_dialog(
    open_window: Open, bench: Bench, typed: str, qtbot: QtBot
) -> None:
    dialog = open_window().live.ask_for_camera(typed)
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert dialog.problem.isVisible() and dialog.problem.text()
    assert not bench.streams.rows
    dialog.reject()


def test_a_name_that_is_taken_keeps_the_dialog_open(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    stored(bench, "Yard")
    dialog = open_window().live.ask_for_camera("rtsp://10.0.0.2/a")
    QTest.keyClicks(dialog.name, "Yard")
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.problem.isVisible)
    assert "already" in dialog.problem.text()
    assert dialog.isVisible() and dialog.save.isEnabled()
    dialog.reject()


def test_a_store_that_is_away_is_told_and_nothing_is_lost(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    bench.streams.away = True
    dialog = open_window().live.ask_for_camera("rtsp://10.0.0.2/a")
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.problem.isVisible)
    assert "does not answer" in dialog.problem.text()
    dialog.reject()


# --- changing, removing, undo -------------------------------------------------------------------


def test_a_removed_camera_comes_back_with_undo(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    stored(bench, "Yard", "Arena")
    window = open_window()
    wall = window.live.wall
    wall.setFocus()
    QTest.keyClick(wall, Qt.Key.Key_2)
    with qtbot.waitSignal(window.log.changed):
        QTest.keyClick(wall, Qt.Key.Key_Delete)
    assert [s.name for s in bench.streams.rows.values()] == ["Yard"]
    assert window.toast.text == "Remove Arena"
    undo(window, qtbot)
    assert [s.name for s in bench.streams.rows.values()] == ["Yard", "Arena"]
    qtbot.waitUntil(lambda: on_wall(window) == ["Yard", "Arena"])
    with qtbot.waitSignal(window.log.changed):
        QTest.keyClick(window, Qt.Key.Key_Z, CTRL | SHIFT)
    assert [s.name for s in bench.streams.rows.values()] == ["Yard"]


def test_a_camera_is_renamed_and_the_name_comes_back(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    stored(bench, "Yard")
    window = open_window()
    window.live.wall.select(0)
    dialog = window.live.ask_to_edit()
    assert dialog is not None
    dialog.name.selectAll()
    QTest.keyClicks(dialog.name, "Main yard")
    with qtbot.waitSignal(window.log.changed):
        QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert on_wall(window) == ["Main yard"]
    bring_back(window, qtbot)
    undo(window, qtbot)
    assert on_wall(window) == ["Yard"]
    assert next(iter(bench.streams.rows.values())).version == 3


def test_thresholds_are_stored_once_the_slider_rests(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    stored(bench, "Yard")
    window = open_window()
    window.live.wall.select(0)
    slider = window.live.inspector.confidence
    with qtbot.waitSignal(window.log.changed, timeout=5000):
        for _ in range(5):
            QTest.keyClick(slider, Qt.Key.Key_Right)
    assert next(iter(bench.streams.rows.values())).confidence == pytest.approx(0.40)


def test_what_a_camera_records_is_chosen_in_the_inspector(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    stored(bench, "Yard")
    window = open_window()
    window.live.wall.select(0)
    choice = window.live.inspector.record
    choice.setFocus()
    with qtbot.waitSignal(window.log.changed, timeout=5000):
        QTest.keyClick(choice, Qt.Key.Key_Down)
    assert next(iter(bench.streams.rows.values())).extra.get("record") == "always"
    with qtbot.waitSignal(window.log.changed, timeout=5000):
        QTest.keyClick(choice, Qt.Key.Key_Up)
    assert "record" not in next(iter(bench.streams.rows.values())).extra


def test_a_camera_is_stopped_and_started(open_window: Open, bench: Bench, qtbot: QtBot) -> None:
    stored(bench, "Yard")
    window = open_window()
    wall = window.live.wall
    QTest.keyClick(wall, Qt.Key.Key_1)
    QTest.mouseClick(window.live.inspector.toggle, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: wall.tile_at(0).state is StreamState.INACTIVE)
    qtbot.waitUntil(lambda: window.live.inspector.toggle.text() == "Start")
    QTest.mouseClick(window.live.inspector.toggle, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: wall.tile_at(0).state is StreamState.ACTIVE)


def test_rearranging_is_undone_like_everything_else(open_window: Open, bench: Bench) -> None:
    stored(bench, "Yard", "Arena")
    window = open_window()
    wall = window.live.wall
    QTest.keyClick(wall, Qt.Key.Key_1)
    QTest.keyClick(wall, Qt.Key.Key_Right, SHIFT)
    assert on_wall(window) == ["Arena", "Yard"]
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert on_wall(window) == ["Yard", "Arena"]


# --- switches and views -------------------------------------------------------------------------


def test_overlays_are_switched_by_keys_and_buttons(open_window: Open, bench: Bench) -> None:
    stored(bench, "Yard")
    window = open_window()
    wall = window.live.wall
    assert Switch.TRAILS not in wall.switches
    wall.setFocus()
    QTest.keyClick(wall, Qt.Key.Key_T)
    QTest.keyClick(wall, Qt.Key.Key_B)
    assert Switch.TRAILS in wall.switches
    assert Switch.BOXES not in wall.switches


def test_gait_and_action_are_switched_by_a_key_and_called_provisional(
    open_window: Open, bench: Bench
) -> None:
    stored(bench, "Yard")
    window = open_window()
    action, wall = window.actions_book["overlay.action"], window.live.wall
    assert action.isEnabled() and action.isChecked()
    assert "provisional" in action.toolTip()
    wall.setFocus()
    QTest.keyClick(wall, Qt.Key.Key_G)
    assert Switch.ACTION not in wall.switches


def test_views_are_saved_and_recalled_by_number(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    stored(bench, "Yard", "Arena", "Stall")
    window = open_window()
    wall = window.live.wall
    QTest.keyClick(wall, Qt.Key.Key_1)
    QTest.keyClick(wall, Qt.Key.Key_Right, SHIFT)
    with qtbot.waitSignal(window.live.views.changed):
        QTest.keyClick(window, Qt.Key.Key_2, CTRL | SHIFT)
    QTest.keyClick(window, Qt.Key.Key_9, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(wall, Qt.Key.Key_K)
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert wall.arrangement.layout is Layout.NINE
    QTest.keyClick(window, Qt.Key.Key_2, CTRL)
    assert wall.arrangement.layout is Layout.FOUR
    assert on_wall(window) == ["Arena", "Yard", "Stall"]
    assert Switch.SKELETON in wall.switches


def test_saving_over_a_view_can_be_undone(open_window: Open, bench: Bench, qtbot: QtBot) -> None:
    stored(bench, "Yard")
    window = open_window()
    for _ in range(2):
        with qtbot.waitSignal(window.live.views.changed):
            window.live.save_view(1)
    first = bench.views.list()
    assert len(first) == 1
    with qtbot.waitSignal(window.live.views.changed):
        undo(window, qtbot)
    assert len(bench.views.list()) == 1
    assert bench.views.list() != first


def test_an_empty_number_says_how_to_save_there(open_window: Open, bench: Bench) -> None:
    stored(bench, "Yard")
    window = open_window()
    QTest.keyClick(window, Qt.Key.Key_7, CTRL)
    assert "Ctrl+Shift+7" in window.toast.text


# --- horse card ---------------------------------------------------------------------------------


def test_the_horse_card_tells_what_is_known_and_what_is_not_yet(
    open_window: Open, bench: Bench, qtbot: QtBot
) -> None:
    camera = bench.engine.add("Yard")
    window = open_window()
    wall, card = window.live.wall, window.live.card
    Scene("stall", horses=1).play(camera, 6.0, 8, every=1, latency_s=0.0)
    wall.tick()
    tile = wall.tile_at(0)
    box = tile.placement(1.0).box(tile.overlay.boxes_xyxy_px[0].tolist())
    QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=box.center().toPoint())
    assert card.isVisible()
    assert card.text_of("class") == "horse"
    assert card.text_of("confidence") == "93%"
    assert card.text_of("state") == "not identified yet"
    assert card.text_of("last") == "now"
    assert card.text_of("action") == card.text_of("gait") == "–"
    QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=QPoint(box.topLeft().toPoint()) * 0.5)
    assert not card.isVisible()


def test_the_horse_card_tells_what_the_horse_does_and_since_when(
    open_window: Open, bench: Bench
) -> None:
    camera = bench.engine.add("Yard")
    window = open_window()
    wall, card = window.live.wall, window.live.card
    scene = Scene("stall", horses=1)
    scene.play(camera, 6.0, 40, every=1, latency_s=0.0)
    camera.results[:] = [
        replace(r, motion=motion_of(r, action=Action.GRAZING if n > 9 else Action.STANDING))
        for n, r in enumerate(camera.results)
    ]
    wall.tick()
    tile = wall.tile_at(0)
    box = tile.placement(1.0).box(tile.overlay.boxes_xyxy_px[0].tolist())
    QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=box.center().toPoint())
    action = card.text_of("action")
    assert action.startswith("grazing · for ") and action.endswith(" s")
    assert card.text_of("gait") == "standing · 90%"
    assert card.text_of("speed") == "0.1 m/s · 0 km/h"
