"""What physical joysticks do at the desk: their motion and their buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine.domain.ptz import Motion
from ui.ptz.curve import SPEED_MOST
from ui.ptz.helm import Input
from ui.ptz.joystick import JoystickDevice
from ui.ptz.mapping import Act, Order

if TYPE_CHECKING:
    from ui.ptz.desk import PtzDesk

SPEED_STEP = 6


class JoystickHand(QObject):
    """Steers while the dock is on show and the window is in front; otherwise a joystick has to
    rest before it moves anything again. The one that moved last is at the helm."""

    def __init__(self, desk: PtzDesk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._driver: int | None = None
        desk.joysticks.ordered.connect(self._on_ordered)

    def _on_ordered(self, device: JoystickDevice, order: Order) -> None:
        desk = self._desk
        if not (desk.steering_here and desk.in_front):
            desk.joysticks.rest_first()
            self._let_go()
            return
        for act in order.acts:
            self._perform(act)
        if order.acts:
            return  # an act may have ended this motion; the next look knows
        if not order.motion.still:
            self._driver = device.instance
            desk.helm.steer(Input.JOYSTICK, order.motion)
        elif self._driver == device.instance:
            self._let_go()
            if order.silent:
                text = self.tr("{0} said nothing for 0.5 s: the camera stopped.")
                desk.said.emit(text.format(device.name))

    def _let_go(self) -> None:
        if self._driver is not None:
            self._driver = None
            self._desk.helm.steer(Input.JOYSTICK, Motion())

    def _perform(self, act: str) -> None:
        desk, speed = self._desk, self._desk.dock.speed
        if act.startswith("preset."):
            desk.helm.go_to(int(act.removeprefix("preset.")))
            return
        acts: dict[str, Callable[[], object]] = {
            Act.HOME: desk.go_home,
            Act.STOP: desk.halt,
            Act.TAKE: desk.helm.take,
            Act.RELEASE: desk.helm.release,
            Act.SLOWER: lambda: speed.setValue(max(speed.value() - SPEED_STEP, 1)),
            Act.FASTER: lambda: speed.setValue(min(speed.value() + SPEED_STEP, SPEED_MOST)),
            Act.PREVIOUS: lambda: desk.select_by(-1),
            Act.NEXT: lambda: desk.select_by(1),
        }
        if act in acts:
            acts[act]()
