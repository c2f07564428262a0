"""Camera control for the manual: the dock, a barn scan in progress, setting up a joystick.

The camera is simulated: it answers on HTTP like a real one and looks over pictures of the simulated
barn, so that the machine itself finds and counts the horses at its presets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from engine.domain.ids import StreamId, new_stream_id
from engine.domain.ptz import PtzConfig, PtzControl, ScanPhase, Wire
from engine.domain.streams import SourceKind, Stream
from engine.ptz.config import with_ptz
from engine.runtime.clock import SystemClock
from engine.simulation.barn import SimulatedBarn
from engine.simulation.ptz_camera import PtzSimulator, ptz_simulator
from engine.simulation.ptz_view import MovingView, panorama_of
from ui.commands import AddStream, RemoveStream
from ui.main_window import MainWindow
from ui.ptz.joystick import load_sdl

LEFT = Qt.MouseButton.LeftButton
PATIENCE_S = 30.0
VIEWS = (
    ("paddock", 3.0, "Gate"),
    ("paddock", 40.0, "Trough"),
    ("arena", 3.0, "Arena"),
    ("stall", 3.0, "Stall 4"),
    ("aisle", 3.0, "Aisle"),
    ("aisle", 40.0, "Hay store"),
)

Wait = Callable[[Callable[[], bool], float], None]
Save = Callable[[QWidget, str], None]


def render_steering(window: MainWindow, wait: Wait, save: Save) -> None:
    """The dock, a scan and the joystick, on a camera that is added for it and taken away again."""
    scenes = [SimulatedBarn(place, 0).picture_at(at_s) for place, at_s, _ in VIEWS]
    large, states = panorama_of(scenes, columns=3)
    view = MovingView(large, SystemClock().mono_s)
    for number, state in enumerate(states, 1):
        view.store(number, state)
    with ptz_simulator(view) as camera:
        services = window.registry.context.services
        stream = _stream(camera)
        window.log.run(AddStream(stream, services.streams, services.engine))
        wait(lambda: stream.id in services.engine.ptz.cameras(), PATIENCE_S)
        window.show_page("live")
        window.follow_engine()
        place = window.live.wall.arrangement.position_of(stream.id)
        window.live.wall.select(place)
        window.actions_book["ptz.dock"].setChecked(True)
        wait(lambda: window.live.ptz.dock.steerable, PATIENCE_S)
        _store_presets(window, view, wait)
        _picture_dock(window, wait, save)
        _picture_scan(window, wait, save)
        _picture_joystick(window, wait, save)
        window.actions_book["ptz.dock"].setChecked(False)
        window.log.run(RemoveStream(stream, services.streams, services.engine))
        wait(lambda: stream.id not in services.engine.ptz.cameras(), PATIENCE_S)


def _stream(camera: PtzSimulator) -> Stream:
    address = f"{camera.base}/video.mjpg"
    stream = Stream(new_stream_id(), "Yard dome", SourceKind.HTTP, address)
    return with_ptz(stream, PtzConfig(Wire.CGI, camera.firmware.value, "", camera.port))


def _store_presets(window: MainWindow, view: MovingView, wait: Wait) -> None:
    """Go to every view and store it, so that each has its picture."""
    desk = window.live.ptz
    stream_id = desk.helm.camera
    if stream_id is None:
        return
    control = desk.helm.control
    for number, (_, _, name) in enumerate(VIEWS, 1):
        desk.helm.go_to(number)
        wait(lambda: view.moving, 3.0)
        wait(lambda: not view.moving, 5.0)
        control.store(stream_id, desk.helm.holder, number, name)
        wait(partial(_stored, control, stream_id, number), PATIENCE_S)


def _stored(control: PtzControl, camera: StreamId, number: int) -> bool:
    return number in {preset.number for preset in control.presets(camera)}


def _picture_dock(window: MainWindow, wait: Wait, save: Save) -> None:
    stick = window.live.ptz.dock.stick
    wait(lambda: False, 2.0)
    QTest.mousePress(stick, LEFT, pos=stick.rect().center())
    QTest.mouseMove(stick, stick.rect().center() + QPoint(-24, -12))
    wait(lambda: False, 0.8)
    save(window, "ptz-dock")
    QTest.mouseRelease(stick, LEFT)


def _picture_scan(window: MainWindow, wait: Wait, save: Save) -> None:
    desk = window.live.ptz
    dialog, stream_id = desk.open_scan(), desk.helm.camera
    if dialog is None or stream_id is None:
        return
    dialog.settle.setValue(3)
    dialog.record.setValue(5)
    QTest.mouseClick(dialog.start, LEFT)

    def recording() -> bool:
        scan = desk.helm.control.scan(stream_id)
        return scan is not None and scan.phase not in (ScanPhase.LOOKING,)

    wait(recording, 120.0)
    wait(lambda: False, 1.0)
    save(dialog, "ptz-scan")
    QTest.mouseClick(dialog.stop, LEFT)
    wait(dialog.start.isVisible, PATIENCE_S)
    dialog.reject()


def _picture_joystick(window: MainWindow, wait: Wait, save: Save) -> None:
    """A virtual gamepad, held to the upper right with its third button down."""
    sdl = load_sdl()
    dialog = window.live.ptz.open_joystick()
    index = sdl.SDL_JoystickAttachVirtual(sdl.SDL_JOYSTICK_TYPE_GAMECONTROLLER, 6, 10, 1)
    pad = sdl.SDL_JoystickOpen(index)
    wait(dialog.save.isEnabled, 5.0)
    for axis, value in ((0, 24000), (1, -15000), (4, -14000)):
        sdl.SDL_JoystickSetVirtualAxis(pad, axis, value)
    sdl.SDL_JoystickSetVirtualButton(pad, 2, 1)
    wait(lambda: False, 0.5)
    save(dialog, "ptz-joystick")
    dialog.reject()
    sdl.SDL_JoystickDetachVirtual(index)
    sdl.SDL_JoystickClose(pad)
