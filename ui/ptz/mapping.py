"""What a joystick's axes and buttons mean. Pure: neither Qt nor SDL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.domain.ptz import Motion
from ui.ptz.curve import CURVE, DEAD_ZONE, axis_share, stick_share

AXIS_FULL = 32767.0
"""SDL's axes are signed 16-bit numbers."""
SILENT_S = 0.5
"""A joystick that says nothing for this long while it moves a camera stops it (specification)."""
PRESET_ACTS = tuple(f"preset.{number}" for number in range(1, 9))


class Act(StrEnum):
    """What a button does beside presets 1 to 8 (``preset.1`` ... ``preset.8``)."""

    HOME = "home"
    STOP = "stop"
    TAKE = "take"
    RELEASE = "release"
    SLOWER = "slower"
    FASTER = "faster"
    ZOOM_IN = "zoom.in"
    ZOOM_OUT = "zoom.out"
    PREVIOUS = "camera.previous"
    NEXT = "camera.next"


ACTS: tuple[str, ...] = (*PRESET_ACTS, *Act)
HELD_ACTS: Mapping[str, float] = {Act.ZOOM_IN: 1.0, Act.ZOOM_OUT: -1.0}
"""Acts that last as long as their button is held, with their zoom speed."""


@dataclass(frozen=True, slots=True)
class AxisUse:
    """An axis by its number, turned round or not."""

    axis: int
    invert: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a joystick: axes -1..1, buttons down or not, hats as (right, up) of -1, 0, 1."""

    axes: tuple[float, ...] = ()
    buttons: tuple[bool, ...] = ()
    hats: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class JoystickMapping:
    """What one kind of joystick does. ``buttons``: number to act. ``hat_steers``: the first hat
    moves the view at full speed. ``stop_when_silent``: see SILENT_S; some pads say nothing while
    they are held still, and can be allowed to."""

    pan: AxisUse | None = AxisUse(0)
    tilt: AxisUse | None = AxisUse(1, invert=True)
    zoom: AxisUse | None = None
    dead_zone: float = DEAD_ZONE
    curve: float = CURVE
    hat_steers: bool = True
    stop_when_silent: bool = True
    buttons: Mapping[int, str] = field(default_factory=dict)

    def motion(self, reading: Reading) -> Motion:
        """Speeds as shares of full speed."""
        x, y = _position(self.pan, reading), _position(self.tilt, reading)
        pan, tilt = stick_share(x, y, self.dead_zone, self.curve)
        zoom = axis_share(_position(self.zoom, reading), self.dead_zone, self.curve)
        if self.hat_steers and reading.hats and reading.hats[0] != (0, 0):
            pan, tilt = (float(part) for part in reading.hats[0])
        for button, act in self.buttons.items():
            if act in HELD_ACTS and button < len(reading.buttons) and reading.buttons[button]:
                zoom = HELD_ACTS[act]
        return Motion(_within(pan), _within(tilt), _within(zoom))

    def pressed(self, before: Reading, now: Reading) -> tuple[str, ...]:
        """The acts whose buttons went down between two looks."""
        acts = []
        for button, down in enumerate(now.buttons):
            was_down = button < len(before.buttons) and before.buttons[button]
            act = self.buttons.get(button, "")
            if down and not was_down and act and act not in HELD_ACTS:
                acts.append(act)
        return tuple(acts)

    def with_button(self, button: int, act: str) -> JoystickMapping:
        """Another act for a button; empty for none."""
        buttons = {number: known for number, known in self.buttons.items() if number != button}
        return replace(self, buttons=buttons | ({button: act} if act else {}))


def usual_mapping(axes: int, buttons: int) -> JoystickMapping:
    """A start for a joystick nobody has set up: the first two axes turn the view, the twist of a
    joystick or the second stick of a gamepad zooms, the first eight buttons are presets."""
    pan = AxisUse(0) if axes >= 1 else None
    tilt = AxisUse(1, invert=True) if axes >= 2 else None
    zoom = None
    if axes == 3:
        zoom = AxisUse(2)
    elif axes >= 4:
        zoom = AxisUse(4 if axes >= 6 else 3, invert=True)
    acts = dict(enumerate((*PRESET_ACTS, Act.HOME, Act.STOP)[:buttons]))
    return JoystickMapping(pan, tilt, zoom, buttons={n: str(act) for n, act in acts.items()})


def _position(use: AxisUse | None, reading: Reading) -> float:
    if use is None or use.axis >= len(reading.axes):
        return 0.0
    value = _within(reading.axes[use.axis])
    return -value if use.invert else value


def _within(value: float) -> float:
    return min(max(value, -1.0), 1.0)


# --- kept as text -----------------------------------------------------------------------------


class _StoredAxis(BaseModel):
    model_config = ConfigDict(extra="forbid")

    axis: int = Field(ge=0, le=63)
    invert: bool = False


class _Stored(BaseModel):
    model_config = ConfigDict(extra="ignore")

    pan: _StoredAxis | None
    tilt: _StoredAxis | None
    zoom: _StoredAxis | None
    dead_zone: float = Field(DEAD_ZONE, ge=0.0, le=0.5)
    curve: float = Field(CURVE, ge=0.0, le=4.0)
    hat_steers: bool = True
    stop_when_silent: bool = True
    buttons: dict[int, str] = Field(default_factory=dict)


def mapping_text(mapping: JoystickMapping) -> str:
    """JSON, to be kept."""
    stored = _Stored.model_validate(
        {
            "pan": _stored_axis(mapping.pan),
            "tilt": _stored_axis(mapping.tilt),
            "zoom": _stored_axis(mapping.zoom),
            "dead_zone": mapping.dead_zone,
            "curve": mapping.curve,
            "hat_steers": mapping.hat_steers,
            "stop_when_silent": mapping.stop_when_silent,
            "buttons": dict(mapping.buttons),
        }
    )
    return stored.model_dump_json()


def mapping_of(text: str) -> JoystickMapping | None:
    """The mapping of a kept text; None when it is damaged. Unknown acts are left out."""
    try:
        stored = _Stored.model_validate_json(text)
    except ValidationError:
        return None
    return JoystickMapping(
        _axis_use(stored.pan),
        _axis_use(stored.tilt),
        _axis_use(stored.zoom),
        stored.dead_zone,
        stored.curve,
        stored.hat_steers,
        stored.stop_when_silent,
        {number: act for number, act in stored.buttons.items() if act in ACTS},
    )


def _stored_axis(use: AxisUse | None) -> dict[str, object] | None:
    return None if use is None else {"axis": use.axis, "invert": use.invert}


def _axis_use(stored: _StoredAxis | None) -> AxisUse | None:
    return None if stored is None else AxisUse(stored.axis, stored.invert)


# --- over time ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """What a look at a joystick asks for. ``silent``: it stopped because nothing was heard."""

    motion: Motion = field(default_factory=Motion)
    acts: tuple[str, ...] = ()
    silent: bool = False


class JoystickPilot:
    """Follows one joystick over time and says what is wanted.

    A joystick first has to be seen at rest: one that is deflected when it is plugged in, or when
    the window comes back, moves nothing. One that says nothing for SILENT_S while it moves a
    camera stops it, until it says something again.
    """

    def __init__(self, mapping: JoystickMapping) -> None:
        self.mapping = mapping
        self._reading = Reading()
        self._heard_mono_s: float | None = None
        self._seen_at_rest = False

    def rest_first(self) -> None:
        """Move nothing before the joystick is at rest, as it may be now."""
        self._seen_at_rest = self.mapping.motion(self._reading).still

    def begin_anew(self) -> None:
        """Forget everything: nobody looked for a while."""
        self._reading, self._heard_mono_s, self._seen_at_rest = Reading(), None, False

    def look(self, reading: Reading, heard: bool, mono_s: float) -> Order:
        """One look. ``heard``: the device said something since the last one."""
        before, self._reading = self._reading, reading
        acts = self.mapping.pressed(before, reading) if self._heard_mono_s is not None else ()
        if heard or self._heard_mono_s is None:
            self._heard_mono_s = mono_s
        motion = self.mapping.motion(reading)
        if motion.still:
            self._seen_at_rest = True
        if not self._seen_at_rest:
            return Order(acts=acts)
        silent_s = mono_s - self._heard_mono_s
        if not motion.still and self.mapping.stop_when_silent and silent_s >= SILENT_S:
            return Order(acts=acts, silent=True)
        return Order(motion, acts)
