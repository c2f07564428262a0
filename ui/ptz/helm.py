"""The one place of the console that moves cameras: every input goes through the helm."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from engine.domain.errors import BarnhandError, NotFound
from engine.domain.ids import StreamId
from engine.domain.ptz import Holder, Motion, PtzControl, PtzState
from ui.ptz.curve import SPEED_MOST

SEND_MS = 100
"""Changes are sent at most ten times a second (specification: camera control)."""
RENEW_TICKS = 3
"""Without a change a motion is renewed every 300 ms, well before the dead-man timer of 1 s."""


class Input(Enum):
    """Where a wish to move comes from; they add up."""

    STICK = "stick"
    ZOOM = "zoom"
    KEYS = "keys"
    JOYSTICK = "joystick"


class Helm(QObject):
    """Steers one camera at a time for one holder. Nothing here blocks.

    ``refused`` carries a sentence for the person when somebody else has the camera, ``moved`` the
    motion that was sent last (still: it was stopped). ``ended`` asks every input to let go.
    """

    refused = Signal(str)
    moved = Signal(object)
    ended = Signal()

    def __init__(self, control: PtzControl, holder: Holder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.control = control
        self.holder = holder
        self._camera: StreamId | None = None
        self._speed = SPEED_MOST
        self._wishes: dict[Input, Motion] = {}
        self._sent: Motion | None = None
        self._barred = False
        self._idle_ticks = 0
        self._timer = QTimer(self, interval=SEND_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)

    @property
    def camera(self) -> StreamId | None:
        """The camera that is steered, None when there is none."""
        return self._camera

    @property
    def speed(self) -> int:
        """The greatest speed, 1 to 63."""
        return self._speed

    @property
    def steering(self) -> bool:
        """True while some input wants to move."""
        return bool(self._wishes)

    @property
    def state(self) -> PtzState | None:
        """The camera's control, None where there is none."""
        if self._camera is None:
            return None
        try:
            return self.control.state(self._camera)
        except NotFound:
            return None

    @property
    def ready(self) -> bool:
        """True when there is a camera that can be steered."""
        return self.state is not None

    def set_camera(self, camera: StreamId | None) -> None:
        """Steer another camera; the one before stops."""
        if camera != self._camera:
            self.end_all()
            self._camera = camera

    def set_speed(self, speed: int) -> None:
        """The greatest speed, 1 to 63."""
        self._speed = min(max(speed, 1), SPEED_MOST)
        self._changed()

    # --- moving -----------------------------------------------------------------------------------
    def steer(self, source: Input, motion: Motion) -> None:
        """An input wants a motion, in shares of the greatest speed; a still one ends its wish."""
        if self._wishes.get(source, Motion()) == motion:
            return
        if motion.still:
            self._wishes.pop(source, None)
        else:
            self._wishes[source] = motion
        self._changed()

    def end(self, source: Input) -> None:
        """An input wants nothing any more."""
        self.steer(source, Motion())

    def end_all(self) -> None:
        """Stop, whatever the inputs want; they have to begin anew."""
        self._wishes.clear()
        self._changed()
        self.ended.emit()

    def _changed(self) -> None:
        if not self._wishes:
            self._barred = False
            self._stop_moving()
        elif not self._timer.isActive() or self._idle_ticks > 0:
            self._send()

    def _wanted(self) -> Motion:
        share = self._speed / SPEED_MOST
        wishes = self._wishes.values()

        def total(parts: list[float]) -> float:
            return min(max(sum(parts), -1.0), 1.0) * share

        return Motion(
            total([w.pan for w in wishes]),
            total([w.tilt for w in wishes]),
            total([w.zoom for w in wishes]),
        )

    def _on_tick(self) -> None:
        self._idle_ticks += 1
        if not self._wishes:
            self._timer.stop()
        elif self._wanted() != self._sent or self._idle_ticks >= RENEW_TICKS:
            self._send()

    def _send(self) -> None:
        if self._barred or self._camera is None:
            return
        if self._lost():
            self._bar()
            return
        wanted = self._wanted()
        if wanted.still:
            self._stop_moving()
            return
        try:
            granted = self.control.move(self._camera, self.holder, wanted)
        except BarnhandError as error:
            self._sent, self._barred = None, True
            self.refused.emit(str(error))
            return
        if not granted:
            self._bar()
            return
        self._sent = wanted
        self._idle_ticks = 0
        self._timer.start()
        self.moved.emit(wanted)

    def _lost(self) -> bool:
        """Somebody took the camera while it was moved from here: it is not snatched back before
        the inputs rest."""
        if self._sent is None:
            return False
        state = self.state
        return (
            state is not None and state.holder is not None and state.holder.key != self.holder.key
        )

    def _bar(self) -> None:
        self._sent, self._barred = None, True
        self._bar_message()

    def _bar_message(self) -> None:
        state = self.state
        other = state.holder if state is not None else None
        name = other.name if other is not None and other.key != self.holder.key else ""
        self.refused.emit(
            self.tr("{0} steers this camera.").format(name)
            if name
            else self.tr("This camera cannot be steered now.")
        )

    def _stop_moving(self) -> None:
        if self._sent is None or self._camera is None:
            return
        lost, self._sent = self._lost(), None
        if not lost:
            self.halt()

    def halt(self) -> None:
        """Stop the camera now, whoever moves it."""
        if self._camera is None:
            return
        try:
            self.control.stop(self._camera, self.holder)
        except NotFound:  # it was taken away meanwhile, and stopped with that
            return
        self.moved.emit(Motion())

    # --- other acts -------------------------------------------------------------------------------
    def go_to(self, preset: int) -> None:
        """Go to a preset."""
        self.end_all()
        self.ask(lambda camera: self.control.go_to(camera, self.holder, preset))

    def store(self, preset: int, name: str = "") -> None:
        """Store the present view as a preset."""
        self.ask(lambda camera: self.control.store(camera, self.holder, preset, name))

    def take(self) -> None:
        """Take the camera from whoever has it, as far as the rules allow."""
        self.ask(lambda camera: self.control.hold(camera, self.holder))

    def release(self) -> None:
        """Let go of the camera."""
        self.end_all()
        self.ask(lambda camera: self.control.release(camera, self.holder))

    def ask(self, act: Callable[[StreamId], bool | None]) -> bool:
        """Do something else with the camera; False, and a sentence said, when it is refused."""
        if self._camera is None:
            return False
        try:
            if act(self._camera) is False:
                self._bar_message()
                return False
        except BarnhandError as error:
            self.refused.emit(str(error))
            return False
        return True
