"""Calibrating a camera's ground by hand, through the open window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from engine.domain.errors import SourceUnreachable
from engine.domain.streams import Stream
from engine.motion.calibration import read_ground
from engine.simulation.farm import SimulatedFarm
from engine.simulation.scenarios import shared_farm
from tests.gui.console_bench import Bench
from ui.calibration.ground_canvas import GroundCanvas
from ui.calibration.ground_dialog import DISTANCES, HEIGHT, GroundDialog
from ui.engine_port import ProbePicture
from ui.main_window import MainWindow

Open = Callable[[], MainWindow]
LEFT = Qt.MouseButton.LeftButton
# Four marks on the ground of the simulated arena, metres east and north.
MARKS_M = np.array([[46.0, 3.0], [56.0, 3.0], [56.0, -3.0], [46.0, -3.0]])


@pytest.fixture
def farm() -> SimulatedFarm:
    return shared_farm("rounds", 1, 4)


def seen(farm: SimulatedFarm) -> list[tuple[float, float]]:
    """Where the arena camera sees the marks, in shares of its picture."""
    camera = farm.camera("arena")
    ground = np.concatenate([MARKS_M, np.zeros((4, 1))], axis=1)
    points = camera.project(ground)
    size = np.array([camera.width_px, camera.height_px])
    return [(float(x), float(y)) for x, y in points / size]


@pytest.fixture
def dialog(open_window: Open, bench: Bench, qtbot: QtBot) -> GroundDialog:
    bench.engine.probe_answer = lambda stream: ProbePicture(
        np.full((360, 640, 4), 90, np.uint8), 1280, 720, 25.0, "h264"
    )
    camera = bench.engine.add("Arena")
    bench.streams.rows[camera.stream.id] = camera.stream
    window = open_window()
    qtbot.waitUntil(lambda: window.live.wall.tile_of(camera.stream.id) is not None)
    window.live.wall.select(0)
    window.live._book["camera.ground"].trigger()
    dialog = window.findChild(GroundDialog)
    assert dialog is not None
    qtbot.waitUntil(dialog.waiting.isHidden)
    return dialog


def drag(canvas: GroundCanvas, index: int, to: tuple[float, float]) -> None:
    """Take a handle with the mouse to a place of the picture."""
    rect = canvas.picture_rect()
    target = QPoint(round(rect.x() + to[0] * rect.width()), round(rect.y() + to[1] * rect.height()))
    start = canvas.spot(index).toPoint()
    QTest.mousePress(canvas, LEFT, pos=start)
    QTest.mouseMove(canvas, (start + target) / 2)
    QTest.mouseMove(canvas, target)
    QTest.mouseRelease(canvas, LEFT, pos=target)


def stored(bench: Bench) -> Stream:
    return next(iter(bench.streams.rows.values()))


def test_four_corners_of_the_arena_give_its_ground(
    dialog: GroundDialog, farm: SimulatedFarm, bench: Bench, qtbot: QtBot
) -> None:
    for index, place in enumerate(seen(farm)):
        drag(dialog.canvas, index, place)
    dialog.width_m.setValue(10.0)
    dialog.length_m.setValue(6.0)
    assert "60 m²" in dialog.verdict.text()
    assert dialog.save.isEnabled()
    QTest.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: "ground" in stored(bench).extra)
    ground = read_ground(stored(bench).extra)
    assert ground is not None
    # A third place on the same ground lies where it is; a pixel is a few centimetres there.
    camera = farm.camera("arena")
    middle = camera.project(np.array([[53.0, 1.0, 0.0]]))
    share = middle / np.array([camera.width_px, camera.height_px])
    assert ground.place_m(share)[0] == pytest.approx((7.0, 2.0), abs=0.15)


def test_crossing_sides_are_refused_with_advice(dialog: GroundDialog) -> None:
    first, second = dialog.canvas.points[:2]
    drag(dialog.canvas, 0, (0.5, 0.2))
    drag(dialog.canvas, 1, first)
    drag(dialog.canvas, 0, second)
    assert "cross" in dialog.problem.text() and "in order" in dialog.problem.text()
    assert not dialog.save.isEnabled()


def test_arrow_keys_move_the_chosen_point(dialog: GroundDialog) -> None:
    canvas = dialog.canvas
    canvas.setFocus()
    before = canvas.points
    QTest.keyClick(canvas, Qt.Key.Key_Tab)
    QTest.keyClick(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert canvas.points[0] == before[0]
    moved = (canvas.points[1][0] - before[1][0]) * canvas.picture_rect().width()
    assert moved == pytest.approx(10.0)


def test_a_known_height_and_the_other_ways(dialog: GroundDialog) -> None:
    dialog.method.setCurrentIndex(dialog.method.findData(HEIGHT))
    assert dialog.told()["kind"] == HEIGHT and "camera_m" not in dialog.told()
    dialog.camera_m.setValue(3.0)
    assert dialog.told()["camera_m"] == 3.0
    assert dialog.save.isEnabled()
    dialog.method.setCurrentIndex(dialog.method.findData(DISTANCES))
    dialog.distances_m[0].setValue(500.0)
    assert "contradict" in dialog.problem.text()


def test_a_calibration_can_be_removed_and_that_undone(
    open_window: Open, dialog: GroundDialog, bench: Bench, qtbot: QtBot
) -> None:
    window = dialog.parent()
    assert isinstance(window, MainWindow)
    QTest.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: "ground" in stored(bench).extra)
    qtbot.waitUntil(lambda: window.findChild(GroundDialog) is None)
    again = window.live.ask_for_ground(stored(bench))
    assert again is not None and again.remove.isVisible()
    assert again.canvas.points == dialog_points(bench)
    QTest.mouseClick(again.remove, LEFT)
    qtbot.waitUntil(lambda: "ground" not in stored(bench).extra)
    qtbot.waitUntil(lambda: window.findChild(GroundDialog) is None)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "ground" in stored(bench).extra)


def dialog_points(bench: Bench) -> tuple[tuple[float, float], ...]:
    told = stored(bench).extra["ground"]
    assert isinstance(told, dict)
    return tuple((float(x), float(y)) for x, y in told["points"])


def test_a_camera_without_a_picture_says_so(open_window: Open, bench: Bench, qtbot: QtBot) -> None:
    def refuse(stream: Stream) -> ProbePicture:
        raise SourceUnreachable("It does not answer.", "Check its address.")

    bench.engine.probe_answer = refuse
    camera = bench.engine.add("Arena")
    bench.streams.rows[camera.stream.id] = camera.stream
    dialog = open_window().live.ask_for_ground(camera.stream)
    assert dialog is not None
    qtbot.waitUntil(lambda: "does not answer" in dialog.problem.text())
    dialog.reject()
