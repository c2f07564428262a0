"""Steering a simulated camera as a person does: mouse, keys, and what takes them away."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from engine.domain.ptz import Holder, Motion, Priority
from tests.gui.console_bench import Bench
from tests.gui.ptz_bench import Steered, simulated_camera
from ui.main_window import MainWindow

Open = Callable[[], MainWindow]
LEFT = Qt.MouseButton.LeftButton
BEN = Holder("console-2", "Ben", Priority.OPERATOR)
TOUR = Holder("tour", "Night round", Priority.TOUR)


@pytest.fixture
def steered(bench: Bench, open_window: Open, qtbot: QtBot) -> Iterator[Steered]:
    """The dock is open over the camera Yard, which has taken its first stop."""
    with simulated_camera(bench) as (camera, stream_id):
        window = open_window()
        one = Steered(window, bench, qtbot, camera, stream_id)
        window.live.wall.select(0)
        QTest.keyClick(window.live.wall, Qt.Key.Key_P)
        qtbot.waitUntil(lambda: one.desk.dock.steerable and one.desk.dock.isVisible())
        qtbot.waitUntil(lambda: "stop" in camera.acts())
        yield one
        window.close()


def drag(widget: QWidget, x: int, y: int) -> None:
    """Press in the middle and drag by pixels (y down); the button stays down."""
    middle = widget.rect().center()
    QTest.mousePress(widget, LEFT, pos=middle)
    QTest.mouseMove(widget, middle + QPoint(x, y))


def let_go(widget: QWidget) -> None:
    QTest.mouseRelease(widget, LEFT, pos=widget.rect().center())


# --- the stick -----------------------------------------------------------------------------------


def test_dragging_the_stick_turns_the_view_and_letting_go_stops_it(steered: Steered) -> None:
    stick = steered.desk.dock.stick
    for x, y, pan, tilt in ((60, 0, 1, 0), (-60, 0, -1, 0), (0, -60, 0, 1), (0, 60, 0, -1)):
        _turn(steered, stick, (x, y), (pan, tilt))
    _turn(steered, stick, (45, -45), (1, 1))


def _turn(one: Steered, stick: QWidget, by_px: tuple[int, int], way: tuple[int, int]) -> None:
    before = one.view.state
    drag(stick, *by_px)
    one.wait_speed(*way)
    one.qtbot.waitUntil(lambda: one.view.state != before)
    let_go(stick)
    one.wait_still()
    after = one.view.state
    assert (after.x_px > before.x_px) - (after.x_px < before.x_px) == way[0]
    assert (after.y_px < before.y_px) - (after.y_px > before.y_px) == way[1]


def test_nothing_moves_in_the_dead_zone(steered: Steered) -> None:
    drag(steered.desk.dock.stick, 4, 0)
    assert not steered.desk.helm.steering
    let_go(steered.desk.dock.stick)
    assert steered.desk.helm.state is not None
    assert steered.desk.helm.state.holder is None


def test_a_greater_displacement_is_faster_and_the_slider_is_the_most(steered: Steered) -> None:
    dock = steered.desk.dock
    dock.speed.setValue(63)
    drag(dock.stick, 20, 0)
    steered.wait_speed(1, 0)
    slow = steered.view.speed[0]
    QTest.mouseMove(dock.stick, dock.stick.rect().center() + QPoint(80, 0))
    steered.qtbot.waitUntil(lambda: steered.view.speed[0] == 1.0)
    assert slow < 0.3
    dock.speed.setValue(21)
    steered.qtbot.waitUntil(lambda: steered.view.speed[0] == pytest.approx(21 / 63))
    let_go(dock.stick)
    steered.wait_still()
    assert steered.window.state.settings.value("ptz/speed") in (21, "21")


def test_a_held_stick_outlives_the_dead_man_timer(steered: Steered, qtbot: QtBot) -> None:
    drag(steered.desk.dock.stick, 60, 0)
    steered.wait_speed(1, 0)
    sent: list[Motion] = []
    steered.desk.helm.moved.connect(sent.append)
    qtbot.waitUntil(lambda: len(sent) >= 5)  # renewals of 1.5 s and more: the timer is 1 s
    assert steered.view.speed[0] > 0
    assert "Stopped" not in steered.desk.dock.message.text()
    let_go(steered.desk.dock.stick)
    steered.wait_still()


def test_a_shaken_stick_sends_at_most_ten_times_a_second(steered: Steered) -> None:
    sent: list[Motion] = []
    steered.desk.helm.moved.connect(sent.append)
    stick = steered.desk.dock.stick
    drag(stick, 60, 0)
    for step in range(40):  # all within one turn of the event loop
        QTest.mouseMove(stick, stick.rect().center() + QPoint(60, step - 20))
    assert len([motion for motion in sent if not motion.still]) <= 2
    let_go(stick)
    steered.wait_still()


def test_the_rocker_zooms(steered: Steered) -> None:
    before = steered.view.state.zoom
    drag(steered.desk.dock.rocker, 0, -60)
    steered.wait_speed(0, 0, 1)
    steered.qtbot.waitUntil(lambda: steered.view.state.zoom > before)
    let_go(steered.desk.dock.rocker)
    steered.wait_still()


# --- what takes the stick away -------------------------------------------------------------------


def _select_other(one: Steered) -> None:
    one.window.live.wall.select(1)


def _hide_dock(one: Steered) -> None:
    one.desk.close()


def _leave_page(one: Steered) -> None:
    one.window.show_page("registry")


def _open_dialog(one: Steered) -> None:
    dialog = QDialog(one.window)
    one.qtbot.addWidget(dialog)
    with one.qtbot.waitActive(dialog):
        dialog.show()
        dialog.activateWindow()


def _press_space(one: Steered) -> None:
    QTest.keyClick(one.window.live.wall, Qt.Key.Key_Space)


def _close_window(one: Steered) -> None:
    one.window.close()


@pytest.mark.parametrize(
    "away",
    [_select_other, _hide_dock, _leave_page, _open_dialog, _press_space, _close_window],
    ids=lambda act: act.__name__.strip("_"),
)
def test_a_held_stick_stops_when_it_is_taken_away(
    steered: Steered, away: Callable[[Steered], None]
) -> None:
    stick = steered.desk.dock.stick
    drag(stick, 60, 0)
    steered.wait_speed(1, 0)
    away(steered)
    steered.wait_still()
    assert not stick.held
    QTest.mouseMove(stick, stick.rect().center() + QPoint(-60, 0))
    assert not steered.desk.helm.steering  # it has to be pressed anew


def test_a_stick_does_not_snatch_back_a_camera_that_was_taken(steered: Steered) -> None:
    said: list[str] = []
    steered.desk.said.connect(said.append)
    drag(steered.desk.dock.stick, 60, 0)
    steered.wait_speed(1, 0)
    assert steered.bench.engine.ptz.hold(steered.id, BEN)
    steered.qtbot.waitUntil(lambda: any("Ben" in text for text in said))
    steered.wait_still()
    state = steered.bench.engine.ptz.state(steered.id)
    assert state.holder == BEN
    let_go(steered.desk.dock.stick)
    assert steered.bench.engine.ptz.state(steered.id).holder == BEN
    steered.qtbot.waitUntil(lambda: "Ben" in steered.desk.dock.holder.text())
    QTest.mouseClick(steered.desk.dock.take, LEFT)
    steered.qtbot.waitUntil(lambda: steered.desk.dock.holder.text() == "You steer")
    QTest.mouseClick(steered.desk.dock.release, LEFT)
    steered.qtbot.waitUntil(lambda: steered.desk.dock.holder.text() == "Nobody steers")


def test_a_programme_gives_way_to_the_stick(steered: Steered) -> None:
    steered.bench.engine.ptz.move(steered.id, TOUR, Motion(pan=-1.0))
    steered.wait_speed(-1, 0)
    drag(steered.desk.dock.stick, 60, 0)
    steered.wait_speed(1, 0)
    let_go(steered.desk.dock.stick)
    steered.wait_still()


def test_a_cut_network_is_shown_and_the_camera_is_stopped_when_it_is_back(
    steered: Steered,
) -> None:
    drag(steered.desk.dock.stick, 60, 0)
    steered.wait_speed(1, 0)
    steered.camera.cut()
    let_go(steered.desk.dock.stick)
    message = steered.desk.dock.message
    steered.qtbot.waitUntil(lambda: message.property("role") == "problem", timeout=8000)
    steered.camera.restore()
    steered.wait_still()
    steered.qtbot.waitUntil(lambda: message.property("role") == "small", timeout=8000)


# --- keys ----------------------------------------------------------------------------------------


KEYS = {
    Qt.Key.Key_Left: (-1, 0, 0),
    Qt.Key.Key_Right: (1, 0, 0),
    Qt.Key.Key_Up: (0, 1, 0),
    Qt.Key.Key_Down: (0, -1, 0),
    Qt.Key.Key_Plus: (0, 0, 1),
    Qt.Key.Key_Minus: (0, 0, -1),
}


def test_a_key_moves_while_it_is_held(steered: Steered) -> None:
    wall = steered.window.live.wall
    for key, speed in KEYS.items():
        QTest.keyPress(wall, key)
        steered.wait_speed(*speed)
        assert wall.selection == 0
        QTest.keyRelease(wall, key)
        steered.wait_still()


def test_two_keys_are_a_diagonal_and_one_let_go_leaves_the_other(steered: Steered) -> None:
    wall = steered.window.live.wall
    QTest.keyPress(wall, Qt.Key.Key_Right)
    QTest.keyPress(wall, Qt.Key.Key_Up)
    steered.wait_speed(1, 1)
    QTest.keyRelease(wall, Qt.Key.Key_Right)
    steered.wait_speed(0, 1)
    QTest.keyRelease(wall, Qt.Key.Key_Up)
    steered.wait_still()


def test_auto_repeat_is_ignored(steered: Steered) -> None:
    wall = steered.window.live.wall
    QTest.keyPress(wall, Qt.Key.Key_Right)
    steered.wait_speed(1, 0)
    none = Qt.KeyboardModifier.NoModifier
    for kind in (QEvent.Type.KeyRelease, QEvent.Type.KeyPress) * 5:
        QApplication.sendEvent(wall, QKeyEvent(kind, Qt.Key.Key_Right, none, "", True))
    assert steered.desk.helm.steering
    assert steered.acts().count("stop") == 1  # the one of the start
    QTest.keyRelease(wall, Qt.Key.Key_Right)
    steered.wait_still()
    assert not steered.desk.helm.steering
    QApplication.sendEvent(wall, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Right, none, "", True))
    assert not steered.desk.helm.steering


@pytest.mark.parametrize("away", [_open_dialog, _leave_page])
def test_a_held_key_stops_when_the_keyboard_goes_elsewhere(
    steered: Steered, away: Callable[[Steered], None]
) -> None:
    QTest.keyPress(steered.window.live.wall, Qt.Key.Key_Left)
    steered.wait_speed(-1, 0)
    away(steered)
    steered.wait_still()
    assert not steered.desk.helm.steering


def test_the_walls_own_keys_come_back_when_the_dock_is_closed(steered: Steered) -> None:
    wall = steered.window.live.wall
    QTest.keyClick(wall, Qt.Key.Key_Escape)
    assert not steered.desk.is_open
    assert wall.selection == 0
    QTest.keyClick(wall, Qt.Key.Key_Right)
    assert wall.selection == 1
    assert "right" not in steered.camera.acts()


def test_the_arrows_are_the_walls_on_a_camera_that_is_not_steered(steered: Steered) -> None:
    wall = steered.window.live.wall
    wall.select(1)
    steered.qtbot.waitUntil(lambda: not steered.desk.dock.steerable)
    assert steered.desk.dock.setup.isVisible()
    QTest.keyClick(wall, Qt.Key.Key_Left)
    assert wall.selection == 0
    assert "left" not in steered.camera.acts()


# --- presets -------------------------------------------------------------------------------------


def test_a_long_press_stores_the_view_and_a_click_goes_back_to_it(steered: Steered) -> None:
    dock, wall = steered.desk.dock, steered.window.live.wall
    one = dock.presets.buttons[2]
    start = steered.view.state
    QTest.mousePress(one, LEFT)
    steered.qtbot.waitUntil(
        lambda: one.preset is not None and one.preset.thumbnail is not None, timeout=8000
    )
    QTest.mouseRelease(one, LEFT)
    assert "preset goto" not in steered.camera.acts()  # the release is no click
    QTest.keyPress(wall, Qt.Key.Key_Right)
    steered.qtbot.waitUntil(lambda: steered.view.state.x_px > start.x_px + 20)
    QTest.keyRelease(wall, Qt.Key.Key_Right)
    steered.wait_still()
    QTest.mouseClick(one, LEFT)
    steered.qtbot.waitUntil(lambda: steered.view.state == start, timeout=8000)
    steered.qtbot.waitUntil(lambda: steered.desk.helm.state.preset == 3)


def test_digits_go_to_presets_and_home_to_the_home_view(steered: Steered) -> None:
    steered.view.store(1)
    steered.view.store(5)
    QTest.keyClick(steered.window.live.wall, Qt.Key.Key_5)
    steered.qtbot.waitUntil(lambda: [a.number for a in steered.camera.requests if a.number] == [5])
    assert steered.window.live.wall.selection == 0
    QTest.mouseClick(steered.desk.dock.home, LEFT)
    steered.qtbot.waitUntil(
        lambda: [a.number for a in steered.camera.requests if a.number] == [5, 1]
    )


def test_a_preset_is_named(steered: Steered) -> None:
    desk = steered.desk
    desk.store(2)
    steered.qtbot.waitUntil(lambda: desk.dock.presets.buttons[1].preset is not None, timeout=8000)
    dialog = desk.ask_for_name(2)
    dialog.setTextValue("Water trough")
    dialog.accept()
    preset = desk.dock.presets.buttons[1].preset
    assert preset is not None
    assert preset.name == "Water trough"
