"""Tours, barn scans, following and the set-up of a camera, asked for in their dialogs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import time
from uuid import uuid4

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTime
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from engine.domain.ids import HorseId
from engine.domain.ptz import Preset, Priority, ScanPhase, Schedule, Wire
from engine.ptz.config import ptz_of
from engine.runtime.clock import SystemClock
from tests.gui.console_bench import Bench
from tests.gui.ptz_bench import SimulatorEyes, Steered, simulated_camera
from tests.helpers.frame_results import frame_result
from ui.live.camera_dialog import CameraDialog
from ui.main_window import MainWindow
from ui.ptz.dock import ENDS

Open = Callable[[], MainWindow]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def steered(bench: Bench, open_window: Open, qtbot: QtBot) -> Iterator[Steered]:
    """The dock is open over a camera with presets 1 to 3."""
    with simulated_camera(bench) as (camera, stream_id):
        for number in (1, 2, 3):
            camera.view.store(number)
        names = {1: "Gate", 2: "Trough", 3: "Fence"}
        bench.engine.ptz.load_presets(stream_id, [Preset(n, name) for n, name in names.items()])
        window = open_window()
        one = Steered(window, bench, qtbot, camera, stream_id)
        window.live.wall.select(0)
        QTest.keyClick(window.live.wall, Qt.Key.Key_P)
        qtbot.waitUntil(lambda: one.desk.dock.steerable and one.desk.dock.isVisible())
        yield one
        window.close()


def gone_to(one: Steered) -> list[int | None]:
    return [asked.number for asked in one.camera.requests if asked.act == "preset goto"]


def test_a_tour_is_made_started_ended_removed_and_brought_back(
    steered: Steered, qtbot: QtBot
) -> None:
    desk, dock = steered.desk, steered.desk.dock
    dialog = desk.edit_tour(None)
    assert dialog is not None
    QTest.mouseClick(dialog.save, LEFT)
    assert "name" in dialog.problem.text()
    dialog.name.setText("Night round")
    dialog.steps.selectRow(1)
    QTest.mouseClick(dialog.take_out, LEFT)
    dialog.steps.selectRow(1)
    QTest.mouseClick(dialog.up, LEFT)
    assert [step.preset for step in dialog.shown_steps()] == [3, 1]
    preset = dialog.steps.cellWidget(1, 0)
    assert isinstance(preset, QComboBox)
    preset.setCurrentIndex(1)
    dialog.schedule.on.setChecked(True)
    dialog.schedule.days[6].setChecked(False)
    dialog.schedule.start.setTime(QTime(21, 30))
    QTest.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: [t.name for t in desk.plans.tours(steered.id)] == ["Night round"])
    tour = desk.plans.tours(steered.id)[0]
    assert [step.preset for step in tour.steps] == [3, 2]
    assert tour.schedule == Schedule(frozenset(range(6)), time(21, 30), time(6, 0), 0)
    qtbot.waitUntil(lambda: dock.tours.currentText() == "Night round")
    QTest.mouseClick(dock.tour_start, LEFT)
    qtbot.waitUntil(lambda: gone_to(steered) == [3], timeout=8000)
    qtbot.waitUntil(dock.end.isVisible)
    QTest.mouseClick(dock.end, LEFT)
    qtbot.waitUntil(lambda: not dock.end.isVisible(), timeout=8000)
    desk.plans.remove_tour(tour)
    qtbot.waitUntil(lambda: desk.plans.tours(steered.id) == ())
    steered.window.log.stack.undo()
    qtbot.waitUntil(lambda: desk.plans.tours(steered.id) == (tour,))


def test_a_scan_shows_pictures_as_they_come_and_can_be_stopped(
    steered: Steered, qtbot: QtBot
) -> None:
    steered.bench.engine.eyes = SimulatorEyes(steered.camera, {1: 2, 2: 0})
    dialog = steered.desk.open_scan()
    assert dialog is not None
    assert [n for n, chip in dialog.chosen.items() if chip.isChecked()] == [1, 2, 3]
    assert dialog.tiles[8].words() == "left out"
    dialog.chosen[3].setChecked(False)
    dialog.settle.setValue(2)
    dialog.record.setValue(30)
    assert (dialog.settle.minimum(), dialog.settle.maximum()) == (2, 15)
    assert (dialog.record.minimum(), dialog.record.maximum()) == (5, 30)
    QTest.mouseClick(dialog.start, LEFT)
    qtbot.waitUntil(dialog.stop.isVisible)
    assert not dialog.keep.isEnabled()
    qtbot.waitUntil(lambda: dialog.tiles[1].words() == "2 horses", timeout=20000)
    assert dialog.tiles[1].has_picture
    qtbot.waitUntil(lambda: dialog.tiles[2].words() == "no horse", timeout=20000)
    qtbot.waitUntil(lambda: dialog.phase.text() == "Recording", timeout=20000)
    assert "Show" in steered.desk.dock.scan.text()
    QTest.mouseClick(dialog.stop, LEFT)

    def over() -> bool:
        scan = steered.bench.engine.ptz.scan(steered.id)
        return scan is not None and scan.phase in ENDS

    qtbot.waitUntil(over, timeout=20000)
    qtbot.waitUntil(dialog.start.isVisible)
    scan = steered.bench.engine.ptz.scan(steered.id)
    assert scan is not None
    assert scan.phase is ScanPhase.STOPPED
    assert "2 presets looked at, 1 with horses" in dialog.message.text()


def test_a_scan_is_kept_as_a_plan_and_taken_back(steered: Steered, qtbot: QtBot) -> None:
    dialog = steered.desk.open_scan()
    assert dialog is not None
    dialog.schedule.on.setChecked(True)
    dialog.schedule.every.setValue(90)
    dialog.record.setValue(20)
    QTest.mouseClick(dialog.keep, LEFT)
    plans = steered.desk.plans
    qtbot.waitUntil(lambda: plans.scan(steered.id) is not None)
    kept = plans.scan(steered.id)
    assert kept is not None
    assert (kept.presets, kept.record_s) == ((1, 2, 3), 20.0)
    assert kept.schedule is not None
    assert kept.schedule.every_min == 90
    dialog.reject()
    steered.window.log.stack.undo()
    qtbot.waitUntil(lambda: (plan := plans.scan(steered.id)) is None or plan.schedule is None)


def test_nothing_to_scan_cannot_be_started(steered: Steered) -> None:
    dialog = steered.desk.open_scan()
    assert dialog is not None
    for chip in dialog.chosen.values():
        chip.setChecked(False)
    assert not dialog.start.isEnabled()
    dialog.reject()


# --- set-up ---


def test_a_camera_is_set_up_tested_stored_and_taken_back(steered: Steered, qtbot: QtBot) -> None:
    wall, streams = steered.window.live.wall, steered.bench.streams
    wall.select(1)
    qtbot.waitUntil(steered.desk.dock.setup.isVisible)
    QTest.mouseClick(steered.desk.dock.setup, LEFT)
    dialog = steered.window.findChild(CameraDialog)
    assert dialog is not None
    fields = dialog.steering
    assert fields.on.isChecked()
    fields.host.setText("127.0.0.1")
    fields.port.setValue(1)
    QTest.mouseClick(fields.test, LEFT)
    qtbot.waitUntil(dialog.problem.isVisible, timeout=8000)
    fields.port.setValue(steered.camera.port)
    moved = len(steered.acts())
    QTest.mouseClick(fields.test, LEFT)
    qtbot.waitUntil(lambda: "640 × 360" in dialog.facts.text(), timeout=8000)
    assert len(steered.acts()) == moved  # a test moves nothing
    fields.invert_tilt.setChecked(True)
    fields.home.setValue(4)
    gate = wall.selected_stream
    assert gate is not None
    QTest.mouseClick(dialog.save, LEFT)
    qtbot.waitUntil(lambda: ptz_of(streams.rows[gate.id]) is not None)
    config = ptz_of(streams.rows[gate.id])
    assert config is not None
    assert (config.wire, config.port, config.home_preset) == (Wire.CGI, steered.camera.port, 4)
    assert config.invert_tilt
    qtbot.waitUntil(lambda: steered.desk.dock.steerable, timeout=8000)
    steered.window.log.stack.undo()
    qtbot.waitUntil(lambda: ptz_of(streams.rows[gate.id]) is None)
    qtbot.waitUntil(lambda: not steered.desk.dock.steerable, timeout=8000)


def test_a_host_that_is_an_address_is_refused_in_words(steered: Steered) -> None:
    dialog = steered.window.live.ask_to_steer(steered.window.live.wall.selected_stream)
    assert dialog is not None
    dialog.steering.host.setText("http://camera/")
    QTest.mouseClick(dialog.save, LEFT)
    assert "host" in dialog.problem.text()
    dialog.reject()


def test_onvif_wants_no_dialect(steered: Steered) -> None:
    dialog = steered.window.live.ask_to_steer(steered.window.live.wall.selected_stream)
    assert dialog is not None
    fields = dialog.steering
    fields.port.setValue(8080)
    fields.wire.setCurrentIndex(1)
    assert not fields.dialect.isVisible()
    assert fields.port.value() == 80
    config = fields.config()
    assert config is not None
    assert config.wire is Wire.ONVIF
    dialog.reject()


def test_following_turns_towards_the_horse_and_gives_way_to_the_stick(steered: Steered) -> None:
    """As the Follow button of a horse's card asks for it; the horse stands far to the right."""
    horse = HorseId(uuid4())
    camera = steered.bench.engine.cameras[steered.id]

    def seen_again() -> None:
        result = frame_result(steered.id, horses=1, horse_ids=(horse,))
        now_s = SystemClock().mono_s()
        box = np.array([[1500.0, 420.0, 1800.0, 660.0]], np.float32)
        camera.results.append(
            replace(
                result,
                stamp=replace(result.stamp, captured_mono_s=now_s, sequence=len(camera.results)),
                tracks=replace(result.tracks, boxes_xyxy_px=box),
                completed_mono_s=now_s,
            )
        )

    def turns_right() -> bool:
        seen_again()
        return steered.view.speed[0] > 0

    steered.desk.follow_on(steered.id, horse)
    steered.qtbot.waitUntil(turns_right, timeout=8000)
    state = steered.bench.engine.ptz.state(steered.id)
    assert state.holder is not None and state.holder.priority is Priority.FOLLOW
    QTest.keyPress(steered.window.live.wall, Qt.Key.Key_Left)
    steered.wait_speed(-1, 0)
    QTest.keyRelease(steered.window.live.wall, Qt.Key.Key_Left)
    steered.wait_still()
    control = steered.bench.engine.ptz
    steered.qtbot.waitUntil(lambda: control.state(steered.id).activity == "", timeout=8000)


def test_the_dialog_finds_the_dialect_and_turns_the_camera(steered: Steered, qtbot: QtBot) -> None:
    dialog = steered.window.live.ask_to_edit(steered.bench.streams.rows[steered.id])
    assert dialog is not None
    section = dialog.steering
    section.dialect.setCurrentIndex(section.dialect.findData("hi3510-param"))
    before = len(steered.camera.requests)
    QTest.mouseClick(section.search, LEFT)
    wanted = steered.camera.firmware.value
    qtbot.waitUntil(lambda: section.dialect.currentData() == wanted, timeout=15000)
    assert "answers" in dialog.facts.text()
    assert {asked.act for asked in steered.camera.requests[before:]} <= {"stop"}
    QTest.mouseClick(section.turn, LEFT)
    qtbot.waitUntil(lambda: "moved" in dialog.facts.text(), timeout=15000)
    steered.wait_still()
    assert {"right", "left"} <= {asked.act for asked in steered.camera.requests[before:]}
    dialog.reject()
