"""Physical joysticks and gamepads through SDL 2: found, polled and forgotten on the UI thread.

SDL has no window here and no thread of ours; a 60 Hz timer asks it. Without the library there are
no joysticks, and ``problem`` says why.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from PySide6.QtCore import QObject, QSettings, Qt, QTimer, Signal

from ui.ptz.mapping import (
    AXIS_FULL,
    JoystickMapping,
    JoystickPilot,
    Order,
    Reading,
    mapping_of,
    mapping_text,
    usual_mapping,
)

log = logging.getLogger(__name__)

POLL_MS = 16
_HATS = {"UP": (0, 1), "DOWN": (0, -1), "RIGHT": (1, 0), "LEFT": (-1, 0)}


@dataclass(frozen=True, slots=True)
class JoystickDevice:
    """A plugged-in joystick. ``guid`` is the same for every one of its kind."""

    instance: int
    guid: str
    name: str
    axes: int
    buttons: int
    hats: int


def load_sdl() -> ModuleType:
    """The SDL binding, set up to work without a window. Raises ImportError or OSError.

    The binding announces its bundled library by a warning, which is no news here.
    """
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("sdl2")


class _Open:
    """One opened device of SDL."""

    def __init__(self, sdl: ModuleType, index: int) -> None:
        self._sdl = sdl
        self.handle = sdl.SDL_JoystickOpen(index)
        self.device = self._described()
        self.heard = True

    def _described(self) -> JoystickDevice:
        sdl, handle = self._sdl, self.handle
        text = ctypes.create_string_buffer(33)
        sdl.SDL_JoystickGetGUIDString(sdl.SDL_JoystickGetGUID(handle), text, 33)
        name = sdl.SDL_JoystickName(handle) or b"Joystick"
        return JoystickDevice(
            int(sdl.SDL_JoystickInstanceID(handle)),
            text.value.decode("ascii"),
            name.decode("utf-8", "replace"),
            max(int(sdl.SDL_JoystickNumAxes(handle)), 0),
            max(int(sdl.SDL_JoystickNumButtons(handle)), 0),
            max(int(sdl.SDL_JoystickNumHats(handle)), 0),
        )

    @property
    def attached(self) -> bool:
        """False once it was unplugged."""
        return bool(self._sdl.SDL_JoystickGetAttached(self.handle))

    def reading(self) -> Reading:
        """Where everything is now."""
        sdl, handle, device = self._sdl, self.handle, self.device
        return Reading(
            tuple(
                max(sdl.SDL_JoystickGetAxis(handle, axis) / AXIS_FULL, -1.0)
                for axis in range(device.axes)
            ),
            tuple(bool(sdl.SDL_JoystickGetButton(handle, n)) for n in range(device.buttons)),
            tuple(self._hat(n) for n in range(device.hats)),
        )

    def _hat(self, number: int) -> tuple[int, int]:
        value = self._sdl.SDL_JoystickGetHat(self.handle, number)
        right = up = 0
        for name, (x, y) in _HATS.items():
            if value & getattr(self._sdl, f"SDL_HAT_{name}"):
                right, up = right + x, up + y
        return right, up

    def close(self) -> None:
        """Give the device back to SDL."""
        self._sdl.SDL_JoystickClose(self.handle)


class Joysticks(QObject):
    """All joysticks. ``plugged`` follows every change of ``devices``; ``read`` carries a device
    and its Reading after every poll; ``ordered`` what its mapping makes of it."""

    plugged = Signal()
    read = Signal(object, object)
    ordered = Signal(object, object)

    def __init__(
        self,
        stored: QSettings,
        parent: QObject | None = None,
        load: Callable[[], ModuleType] = load_sdl,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._stored = stored
        self._load = load
        self._mono_s = mono_s
        self._sdl: ModuleType | None = None
        self._open: dict[int, _Open] = {}
        self._pilots: dict[int, JoystickPilot] = {}
        self.problem = ""
        self._timer = QTimer(self, interval=POLL_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.poll)

    # --- life -------------------------------------------------------------------------------------
    @property
    def running(self) -> bool:
        """True while joysticks are polled."""
        return self._timer.isActive()

    def start(self) -> None:
        """Begin to look for joysticks; does nothing a second time."""
        if self._sdl is None and not self._begin():
            return
        if not self._timer.isActive():
            for pilot in self._pilots.values():
                pilot.begin_anew()
            self._timer.start()
            self.poll()

    def pause(self) -> None:
        """Stop polling; what the joysticks do meanwhile is not heard."""
        self._timer.stop()

    def stop(self) -> None:
        """Close every joystick and SDL."""
        self._timer.stop()
        for one in self._open.values():
            one.close()
        self._open.clear()
        self._pilots.clear()
        if self._sdl is not None:
            self._sdl.SDL_QuitSubSystem(self._sdl.SDL_INIT_JOYSTICK)
            self._sdl = None

    def _begin(self) -> bool:
        try:
            sdl = self._load()
        except (ImportError, OSError, RuntimeError) as error:
            self.problem = self.tr("Joysticks need SDL 2, which is not installed.")
            log.warning("no joysticks: %s", error)
            return False
        if sdl.SDL_InitSubSystem(sdl.SDL_INIT_JOYSTICK) != 0:
            self.problem = self.tr("SDL cannot read joysticks: {0}").format(
                sdl.SDL_GetError().decode("utf-8", "replace")
            )
            log.warning("no joysticks: %s", self.problem)
            return False
        sdl.SDL_JoystickEventState(sdl.SDL_ENABLE)
        self._sdl, self.problem = sdl, ""
        return True

    # --- devices ----------------------------------------------------------------------------------
    @property
    def devices(self) -> tuple[JoystickDevice, ...]:
        """What is plugged in now."""
        return tuple(one.device for one in self._open.values())

    def mapping(self, device: JoystickDevice) -> JoystickMapping:
        """What a device does: as it was set up, or as usual."""
        stored = self._stored.value(f"joystick/{device.guid}")
        known = mapping_of(stored) if isinstance(stored, str) else None
        return known or usual_mapping(device.axes, device.buttons)

    def keep_mapping(self, device: JoystickDevice, mapping: JoystickMapping) -> None:
        """Use this from now on, for every device of this kind."""
        self._stored.setValue(f"joystick/{device.guid}", mapping_text(mapping))
        for instance, one in self._open.items():
            if one.device.guid == device.guid:
                self._pilots[instance] = JoystickPilot(mapping)

    def rest_first(self) -> None:
        """No joystick that is deflected now moves anything before it rested."""
        for pilot in self._pilots.values():
            pilot.rest_first()

    # --- polling ----------------------------------------------------------------------------------
    def poll(self) -> None:
        """Take in what happened and say what every joystick wants."""
        sdl = self._sdl
        if sdl is None:
            return
        changed = self._take_events(sdl)
        for instance, one in list(self._open.items()):
            if not one.attached:
                self._forget(instance)
                changed = True
                continue
            reading = one.reading()
            heard, one.heard = one.heard, False
            order = self._pilots[instance].look(reading, heard, self._mono_s())
            self.read.emit(one.device, reading)
            self.ordered.emit(one.device, order)
        if changed:
            self.plugged.emit()

    def _take_events(self, sdl: ModuleType) -> bool:
        changed = False
        event = sdl.SDL_Event()
        said = {
            sdl.SDL_JOYAXISMOTION: "jaxis",
            sdl.SDL_JOYBUTTONDOWN: "jbutton",
            sdl.SDL_JOYBUTTONUP: "jbutton",
            sdl.SDL_JOYHATMOTION: "jhat",
            sdl.SDL_JOYBALLMOTION: "jball",
        }
        while sdl.SDL_PollEvent(ctypes.byref(event)):
            if event.type == sdl.SDL_JOYDEVICEADDED:
                changed |= self._meet(sdl, event.jdevice.which)
            elif event.type == sdl.SDL_JOYDEVICEREMOVED:
                changed |= self._forget(event.jdevice.which)
            elif event.type in said:
                one = self._open.get(getattr(event, said[event.type]).which)
                if one is not None:
                    one.heard = True
        return changed

    def _meet(self, sdl: ModuleType, index: int) -> bool:
        if int(sdl.SDL_JoystickGetDeviceInstanceID(index)) in self._open:
            return False
        one = _Open(sdl, index)
        if not one.handle:
            log.warning("joystick %s cannot be opened", index)
            return False
        self._open[one.device.instance] = one
        self._pilots[one.device.instance] = JoystickPilot(self.mapping(one.device))
        log.info("joystick %s is plugged in", one.device.name)
        return True

    def _forget(self, instance: int) -> bool:
        one = self._open.pop(instance, None)
        if one is None:
            return False
        del self._pilots[instance]
        one.close()
        log.info("joystick %s is gone", one.device.name)
        self.ordered.emit(one.device, Order())
        return True
