"""A console whose cameras are simulators on real HTTP, steered by the real control."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import cv2
import numpy as np
from pytestqt.qtbot import QtBot

from engine.domain.frames import Image
from engine.domain.ids import StreamId
from engine.domain.ptz import PtzConfig, Wire
from engine.domain.streams import SourceKind
from engine.ptz.config import with_ptz
from engine.runtime.clock import SystemClock
from engine.simulation.ptz_camera import PtzSimulator, ptz_simulator
from engine.simulation.ptz_view import MovingView, drawn_panorama
from tests.gui.console_bench import Bench
from ui.main_window import MainWindow
from ui.ptz.desk import PtzDesk


@dataclass
class Steered:
    """An open console with one camera that can be steered, and one that cannot."""

    window: MainWindow
    bench: Bench
    qtbot: QtBot
    camera: PtzSimulator
    id: StreamId

    @property
    def desk(self) -> PtzDesk:
        return self.window.live.ptz

    @property
    def view(self) -> MovingView:
        return self.camera.view

    def acts(self) -> list[str]:
        """What the camera was asked since it rested for the first time."""
        return [act for act in self.camera.acts() if not act.startswith("preset")]

    def wait_speed(self, pan: int, tilt: int, zoom: int = 0) -> None:
        """Until the camera moves in these directions (-1, 0, 1)."""

        def there() -> bool:
            return tuple(_sign(part) for part in self.view.speed) == (pan, tilt, zoom)

        self.qtbot.waitUntil(there, timeout=8000)

    def wait_still(self) -> None:
        """Until the camera has stopped."""
        self.qtbot.waitUntil(lambda: self.view.speed == (0.0, 0.0, 0.0), timeout=8000)


class SimulatorEyes:
    """Eyes (port of the barn scan) that look through the simulated camera itself and know the
    truth about it: how many horses each of its presets shows."""

    def __init__(self, camera: PtzSimulator, horses: Mapping[int, int]) -> None:
        self._camera = camera
        self._horses = horses

    def small(self) -> tuple[float, Image] | None:
        grey = cv2.cvtColor(cv2.resize(self._camera.view.picture(), (160, 90)), cv2.COLOR_BGR2GRAY)
        return time.monotonic(), np.asarray(grey, np.uint8)

    def picture(self) -> Image | None:
        return self._camera.view.picture()

    def horses(self, since_mono_s: float) -> tuple[int, int]:
        gone_to = [a.number for a in self._camera.requests if a.act == "preset goto"]
        return self._horses.get(gone_to[-1] or 0, 0), 1000

    def record(self, name: str, seconds: float, going: Callable[[], bool]) -> str:
        return name


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def wide_view() -> MovingView:
    """A view over a card so wide that nothing reaches its end in a test."""
    return MovingView(drawn_panorama(), SystemClock().mono_s)


@contextmanager
def simulated_camera(bench: Bench) -> Iterator[tuple[PtzSimulator, StreamId]]:
    """A simulator, stored and known to the bench as the camera "Yard"; "Gate" is not steered."""
    with ExitStack() as stack:
        camera = stack.enter_context(ptz_simulator(wide_view()))
        yard = bench.engine.add("Yard", SourceKind.HTTP)
        config = PtzConfig(Wire.CGI, camera.firmware.value, "", camera.port)
        yard.stream = with_ptz(replace(yard.stream, address=f"{camera.base}/video.mjpg"), config)
        gate = bench.engine.add("Gate")
        for one in (yard, gate):
            bench.streams.rows[one.stream.id] = one.stream
        bench.engine.ptz.set_streams(bench.engine.streams())
        bench.engine.ptz.start()
        stack.callback(lambda: bench.engine.ptz.shut_down(5.0))
        yield camera, yard.stream.id
