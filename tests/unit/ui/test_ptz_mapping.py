"""From joystick positions to motions: dead zone, curve, axes, buttons, silence."""

from __future__ import annotations

import math

import pytest

from engine.domain.ptz import Motion
from ui.ptz.curve import DEAD_ZONE, axis_share, stick_share
from ui.ptz.mapping import (
    SILENT_S,
    Act,
    AxisUse,
    JoystickMapping,
    JoystickPilot,
    Reading,
    mapping_of,
    mapping_text,
    usual_mapping,
)

REST = Reading((0.0, 0.0))
RIGHT = Reading((1.0, 0.0))
PAD = JoystickMapping()


@pytest.mark.parametrize("value", [0.0, DEAD_ZONE, -DEAD_ZONE, 0.05])
def test_nothing_happens_in_the_dead_zone(value: float) -> None:
    assert axis_share(value) == 0.0


def test_the_curve_begins_at_the_dead_zone_and_ends_at_full_speed() -> None:
    assert axis_share(1.0) == 1.0
    assert axis_share(-1.0) == -1.0
    assert axis_share(1.7) == 1.0
    assert 0.0 < axis_share(DEAD_ZONE + 0.01) < 0.01
    middle = (1.0 + DEAD_ZONE) / 2.0
    assert axis_share(middle) == pytest.approx(math.expm1(1.0) / math.expm1(2.0))
    assert axis_share(middle, curve=0.0) == pytest.approx(0.5)


def test_the_curve_rises_everywhere() -> None:
    shares = [axis_share(step / 100.0) for step in range(101)]
    assert shares == sorted(shares)


def test_a_diagonal_keeps_its_direction_and_the_corner_is_full_speed() -> None:
    pan, tilt = stick_share(0.6, 0.3)
    assert pan / tilt == pytest.approx(2.0)
    assert math.hypot(*stick_share(1.0, 1.0)) == pytest.approx(1.0)
    assert stick_share(0.05, 0.05) == (0.0, 0.0)


def test_axes_are_chosen_and_turned_round() -> None:
    mapping = JoystickMapping(AxisUse(2, invert=True), AxisUse(0), AxisUse(1))
    motion = mapping.motion(Reading((1.0, -1.0, 0.0)))
    assert motion == Motion(0.0, 1.0, -1.0)
    assert mapping.motion(Reading((0.0, 0.0, 1.0))) == Motion(-1.0, 0.0, 0.0)


def test_pushing_a_stick_forward_looks_up() -> None:
    assert PAD.motion(Reading((0.0, -1.0))) == Motion(tilt=1.0)


def test_an_axis_that_is_not_there_is_at_rest() -> None:
    assert JoystickMapping(AxisUse(9), None, None).motion(RIGHT).still


def test_the_hat_turns_at_full_speed() -> None:
    reading = Reading((0.0, 0.0), hats=((-1, 1),))
    assert PAD.motion(reading) == Motion(-1.0, 1.0)
    assert JoystickMapping(hat_steers=False).motion(reading).still


def test_buttons_act_once_when_they_go_down() -> None:
    mapping = PAD.with_button(0, "preset.3").with_button(1, Act.STOP)
    up, down = Reading(buttons=(False, False)), Reading(buttons=(True, True))
    assert mapping.pressed(up, down) == ("preset.3", Act.STOP)
    assert mapping.pressed(down, down) == ()
    assert mapping.with_button(1, "").pressed(up, down) == ("preset.3",)


def test_a_zoom_button_lasts_as_long_as_it_is_held() -> None:
    mapping = PAD.with_button(0, Act.ZOOM_OUT)
    assert mapping.motion(Reading((0.0, 0.0), (True,))) == Motion(zoom=-1.0)
    assert mapping.motion(Reading((0.0, 0.0), (False,))).still
    assert mapping.pressed(Reading(buttons=(False,)), Reading(buttons=(True,))) == ()


def test_a_mapping_is_kept_as_text() -> None:
    mapping = JoystickMapping(
        AxisUse(3, True), None, AxisUse(1), 0.2, 1.5, False, False, {4: "preset.8", 7: Act.HOME}
    )
    assert mapping_of(mapping_text(mapping)) == mapping


@pytest.mark.parametrize("text", ["", "{", '{"pan": 3}', '{"pan": {"axis": -1}}'])
def test_a_damaged_text_is_as_good_as_none(text: str) -> None:
    assert mapping_of(text) is None


def test_an_unknown_act_is_left_out() -> None:
    text = mapping_text(PAD).replace('"buttons":{}', '"buttons":{"1":"fly","2":"home"}')
    known = mapping_of(text)
    assert known is not None
    assert known.buttons == {2: "home"}


@pytest.mark.parametrize(
    ("axes", "zoom"), [(2, None), (3, AxisUse(2)), (4, AxisUse(3, True)), (6, AxisUse(4, True))]
)
def test_the_usual_mapping_fits_the_device(axes: int, zoom: AxisUse | None) -> None:
    mapping = usual_mapping(axes, 12)
    assert (mapping.pan, mapping.zoom) == (AxisUse(0), zoom)
    assert mapping.buttons[0] == "preset.1"
    assert mapping.buttons[8] == Act.HOME
    assert usual_mapping(0, 1).buttons == {0: "preset.1"}


# --- over time ------------------------------------------------------------------------------------


def test_a_joystick_that_is_deflected_when_it_comes_moves_nothing() -> None:
    pilot = JoystickPilot(PAD)
    assert pilot.look(RIGHT, True, 0.0).motion.still
    assert pilot.look(REST, True, 0.1).motion.still
    assert pilot.look(RIGHT, True, 0.2).motion == Motion(pan=1.0)
    pilot.rest_first()
    assert pilot.look(RIGHT, True, 0.3).motion.still


def test_silence_while_moving_stops_until_it_speaks_again() -> None:
    pilot = JoystickPilot(PAD)
    pilot.look(REST, True, 0.0)
    assert not pilot.look(RIGHT, True, 1.0).motion.still
    assert not pilot.look(RIGHT, False, 1.0 + SILENT_S - 0.01).motion.still
    order = pilot.look(RIGHT, False, 1.0 + SILENT_S)
    assert order.motion.still
    assert order.silent
    assert pilot.look(RIGHT, True, 2.0).motion == Motion(pan=1.0)


def test_silence_is_allowed_at_rest_and_where_it_was_allowed() -> None:
    pilot = JoystickPilot(PAD)
    pilot.look(REST, True, 0.0)
    assert not pilot.look(REST, False, 60.0).silent
    quiet = JoystickPilot(JoystickMapping(stop_when_silent=False))
    quiet.look(REST, True, 0.0)
    quiet.look(RIGHT, True, 1.0)
    assert quiet.look(RIGHT, False, 60.0).motion == Motion(pan=1.0)


def test_buttons_held_when_it_is_plugged_in_do_nothing() -> None:
    pilot = JoystickPilot(PAD.with_button(0, "preset.1"))
    assert pilot.look(Reading((0.0, 0.0), (True,)), True, 0.0).acts == ()
    pilot.look(Reading((0.0, 0.0), (False,)), True, 0.1)
    assert pilot.look(Reading((0.0, 0.0), (True,)), True, 0.2).acts == ("preset.1",)
