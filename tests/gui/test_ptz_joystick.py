"""A virtual SDL joystick steers the simulated camera, is set up, falls silent and is unplugged."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.console_bench import Bench
from tests.gui.ptz_bench import Steered, simulated_camera
from ui.main_window import MainWindow
from ui.ptz.joystick import Joysticks, load_sdl
from ui.ptz.joystick_dialog import JoystickDialog
from ui.ptz.mapping import SILENT_S, Act, AxisUse, JoystickMapping, Order

Open = Callable[[], MainWindow]
AXES, BUTTONS, HATS = 4, 10, 1


@dataclass
class VirtualStick:
    """A joystick that SDL makes up. Its device index is kept current while others come and go."""

    sdl: ModuleType
    instance: int
    handle: object

    def axis(self, number: int, value: float) -> None:
        self.sdl.SDL_JoystickSetVirtualAxis(self.handle, number, round(value * 32767))

    def button(self, number: int, down: bool) -> None:
        self.sdl.SDL_JoystickSetVirtualButton(self.handle, number, int(down))

    def unplug(self) -> None:
        sdl = self.sdl
        for index in range(sdl.SDL_NumJoysticks()):
            if sdl.SDL_JoystickGetDeviceInstanceID(index) == self.instance:
                assert sdl.SDL_JoystickDetachVirtual(index) == 0
                return


PlugIn = Callable[[], VirtualStick]


@pytest.fixture
def plug_in() -> Iterator[PlugIn]:
    """Plugs virtual joysticks in; those left are unplugged at the end."""
    sdl = load_sdl()
    assert sdl.SDL_InitSubSystem(sdl.SDL_INIT_JOYSTICK) == 0
    sticks: list[VirtualStick] = []

    def plug() -> VirtualStick:
        kind = sdl.SDL_JOYSTICK_TYPE_GAMECONTROLLER
        index = sdl.SDL_JoystickAttachVirtual(kind, AXES, BUTTONS, HATS)
        assert index >= 0, sdl.SDL_GetError()
        instance = int(sdl.SDL_JoystickGetDeviceInstanceID(index))
        sticks.append(VirtualStick(sdl, instance, sdl.SDL_JoystickOpen(index)))
        return sticks[-1]

    yield plug
    for stick in sticks:
        stick.unplug()
        sdl.SDL_JoystickClose(stick.handle)
    event = sdl.SDL_Event()
    while sdl.SDL_PollEvent(ctypes.byref(event)):
        pass
    sdl.SDL_QuitSubSystem(sdl.SDL_INIT_JOYSTICK)


@pytest.fixture
def steered(bench: Bench, open_window: Open, qtbot: QtBot) -> Iterator[Steered]:
    with simulated_camera(bench) as (camera, stream_id):
        window = open_window()
        one = Steered(window, bench, qtbot, camera, stream_id)
        window.live.wall.select(0)
        QTest.keyClick(window.live.wall, Qt.Key.Key_P)
        qtbot.waitUntil(lambda: one.desk.dock.steerable and one.desk.dock.isVisible())
        qtbot.waitUntil(lambda: "stop" in camera.acts())
        yield one
        window.close()


def has_device(one: Steered, count: int = 1) -> Callable[[], bool]:
    return lambda: len(one.desk.joysticks.devices) == count


def test_a_joystick_is_plugged_in_steers_and_is_unplugged(
    steered: Steered, plug_in: PlugIn, qtbot: QtBot
) -> None:
    assert steered.desk.joysticks.problem == ""
    stick = plug_in()  # while the console runs
    qtbot.waitUntil(has_device(steered))
    for axis, value, way in ((0, 1.0, (1, 0)), (0, -1.0, (-1, 0)), (1, -1.0, (0, 1))):
        stick.axis(axis, value)
        steered.wait_speed(*way)
        stick.axis(axis, 0.0)
        steered.wait_still()
    stick.axis(3, -1.0)  # the usual zoom of four axes, turned round
    steered.wait_speed(0, 0, 1)
    stick.axis(3, 0.0)
    steered.wait_still()
    stick.axis(0, 1.0)
    steered.wait_speed(1, 0)
    stick.unplug()
    steered.wait_still()
    qtbot.waitUntil(has_device(steered, 0))
    assert not steered.desk.helm.steering


def test_its_buttons_go_to_presets_and_stop(steered: Steered, plug_in: PlugIn) -> None:
    steered.view.store(2)
    stick = plug_in()
    steered.qtbot.waitUntil(has_device(steered))
    stick.button(1, True)
    steered.qtbot.waitUntil(lambda: [a.number for a in steered.camera.requests if a.number] == [2])
    stick.button(1, False)
    steered.window.live.wall.select(1)
    steered.window.live.wall.select(0)
    stick.axis(0, 1.0)
    steered.wait_speed(1, 0)
    stick.button(9, True)  # the usual stop
    steered.wait_still()
    assert steered.desk.helm.steering is False  # although it is still deflected
    stick.axis(0, 0.0)


def test_it_moves_nothing_while_the_window_is_not_in_front(
    steered: Steered, plug_in: PlugIn, qtbot: QtBot
) -> None:
    stick = plug_in()
    qtbot.waitUntil(has_device(steered))
    stick.axis(0, 1.0)
    steered.wait_speed(1, 0)
    dialog = steered.desk.open_joystick()
    with qtbot.waitActive(dialog):
        dialog.activateWindow()
    steered.wait_still()
    assert dialog.preview.motion.pan == 1.0  # but the preview shows it
    dialog.reject()

    def active() -> bool:
        steered.window.activateWindow()
        return QApplication.activeWindow() is steered.window

    qtbot.waitUntil(active)
    with qtbot.waitSignal(steered.desk.joysticks.ordered):
        pass
    assert not steered.desk.helm.steering  # it has to be let go first
    stick.axis(0, 0.0)
    with qtbot.waitSignal(steered.desk.joysticks.ordered):
        pass
    stick.axis(0, -1.0)
    steered.wait_speed(-1, 0)
    stick.axis(0, 0.0)
    steered.wait_still()


# --- without a camera ----------------------------------------------------------------------------


@dataclass
class Lab:
    """Joysticks on a clock of the test, polled by hand."""

    joysticks: Joysticks
    now_s: float = 0.0
    orders: list[Order] = field(default_factory=list)

    def poll(self) -> Order:
        """What the joystick orders now."""
        self.orders.clear()
        self.joysticks.poll()
        return self.orders[-1]


@pytest.fixture
def lab(tmp_path: Path, qapp: QApplication) -> Iterator[Lab]:
    settings = QSettings(str(tmp_path / "console.ini"), QSettings.Format.IniFormat)
    made: list[Lab] = []
    joysticks = Joysticks(settings, mono_s=lambda: made[0].now_s)
    made.append(Lab(joysticks))
    joysticks.ordered.connect(lambda _device, order: made[0].orders.append(order))
    yield made[0]
    joysticks.stop()


def test_a_joystick_that_falls_silent_while_it_moves_stops(lab: Lab, plug_in: PlugIn) -> None:
    stick = plug_in()
    lab.joysticks.start()
    lab.joysticks.pause()  # polled by hand from here
    stick.axis(0, 1.0)
    assert lab.poll().motion.pan == 1.0
    lab.now_s = SILENT_S - 0.1
    assert lab.poll().motion.pan == 1.0
    lab.now_s = SILENT_S + 0.1
    assert lab.poll() == Order(silent=True)
    stick.axis(0, 0.9)
    assert lab.poll().motion.pan > 0.5


def test_without_the_library_there_are_no_joysticks(tmp_path: Path, qapp: QApplication) -> None:
    def missing() -> ModuleType:
        raise ImportError("no SDL here")

    settings = QSettings(str(tmp_path / "console.ini"), QSettings.Format.IniFormat)
    joysticks = Joysticks(settings, load=missing)
    joysticks.start()
    assert joysticks.devices == ()
    assert "SDL 2" in joysticks.problem
    assert not joysticks.running


# --- setting it up -------------------------------------------------------------------------------


def test_a_mapping_is_made_with_a_live_preview_and_kept_for_its_kind(
    steered: Steered, plug_in: PlugIn, qtbot: QtBot
) -> None:
    stick = plug_in()
    qtbot.waitUntil(has_device(steered))
    dialog = steered.desk.open_joystick()
    assert isinstance(dialog, JoystickDialog)
    stick.axis(2, 1.0)
    axis, invert, bar = dialog.axes["pan"]
    axis.setCurrentIndex(axis.findData(2))
    qtbot.waitUntil(lambda: bar.value == 1.0)
    assert dialog.preview.motion.pan == 1.0
    invert.setChecked(True)
    qtbot.waitUntil(lambda: dialog.preview.motion.pan == -1.0)
    dialog.dead_zone.setValue(20)
    dialog.buttons[0].setCurrentIndex(dialog.buttons[0].findData(Act.HOME))
    device = steered.desk.joysticks.devices[0]
    assert steered.desk.joysticks.mapping(device).pan == AxisUse(0)  # nothing kept yet
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    kept = steered.desk.joysticks.mapping(device)
    assert (kept.pan, kept.dead_zone, kept.buttons[0]) == (AxisUse(2, True), 0.2, Act.HOME)
    assert isinstance(steered.window.state.settings.value(f"joystick/{device.guid}"), str)


def test_the_dialog_follows_what_is_plugged_in(
    steered: Steered, plug_in: PlugIn, qtbot: QtBot
) -> None:
    dialog = steered.desk.open_joystick()
    assert not dialog.save.isEnabled()
    stick = plug_in()
    qtbot.waitUntil(dialog.save.isEnabled)
    assert len(dialog.buttons) == BUTTONS
    stick.unplug()
    qtbot.waitUntil(lambda: not dialog.save.isEnabled())
    dialog.reject()


def test_a_kept_mapping_is_used(lab: Lab, plug_in: PlugIn) -> None:
    stick = plug_in()
    lab.joysticks.start()
    lab.joysticks.pause()
    device = lab.joysticks.devices[0]
    lab.joysticks.keep_mapping(device, JoystickMapping(AxisUse(2), None, None))
    lab.poll()
    stick.axis(2, -1.0)
    assert lab.poll().motion.pan == -1.0
    assert lab.joysticks.mapping(device).pan == AxisUse(2)
