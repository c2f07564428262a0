"""Dialects as data: what is sent for what is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.domain.errors import Bug, OperatorMistake
from engine.domain.ptz import Motion
from engine.ptz.dialects import Dialect, dialects
from engine.ptz.drivers import dialect_named

CGI = "/web/cgi-bin/hi3510"


@pytest.mark.parametrize(
    ("name", "request_line"),
    [
        ("hi3510", f"{CGI}/ptzctrl.cgi?-step=0&-act=left&-speed=45"),
        ("hi3510-plain", f"{CGI}/ptzctrl.cgi?step=0&act=left&speed=45"),
        ("hi3510-param", f"{CGI}/param.cgi?cmd=ptzctrl&-step=0&-act=left&-speed=45"),
    ],
)
def test_a_move_in_every_spelling(name: str, request_line: str) -> None:
    assert dialect_named(name).move_request(Motion(pan=-45 / 63), 0) == request_line


def test_stop_snapshot_and_named_acts() -> None:
    hipro = dialect_named("hi3510")
    assert hipro.stop_request(0).startswith(f"{CGI}/ptzctrl.cgi?-step=0&-act=stop")
    assert hipro.snapshot_request(0) == "/web/tmpfs/auto.jpg"
    assert "-act=home&" in hipro.act_request("home", 0)


def test_presets_count_from_1_or_0() -> None:
    one, nought = dialect_named("hi3510"), dialect_named("hi3510-from-0")
    begin = f"{CGI}/param.cgi?cmd=preset&-act=goto&-status=1&-number="
    assert one.preset_request(8, 0, store=False) == f"{begin}8"
    assert nought.preset_request(8, 0, store=False) == f"{begin}7"
    assert "-act=set&-status=1&-number=0" in nought.preset_request(1, 0, store=True)
    for wrong in (0, 9):
        with pytest.raises(OperatorMistake, match=f"no preset {wrong}"):
            one.preset_request(wrong, 0, store=False)


@pytest.mark.parametrize(
    ("share", "speed"), [(1.0, 63), (0.5, 32), (1 / 63, 1), (0.001, 1), (-1.0, 63), (-0.25, 16)]
)
def test_speeds_are_linear_from_1_to_63(share: float, speed: int) -> None:
    assert dialect_named("hi3510").speed(share) == speed


@pytest.mark.parametrize(
    ("motion", "act"),
    [
        (Motion(1.0, 0.0), "right"),
        (Motion(1.0, 0.4), "right"),
        (Motion(1.0, 0.42), "upright"),
        (Motion(-1.0, 1.0), "upleft"),
        (Motion(0.42, -1.0), "downright"),
        (Motion(-0.8, -0.7), "downleft"),
        (Motion(-0.3, -1.0), "down"),
        (Motion(0.0, 0.2), "up"),
        (Motion(0.3, 0.0, 0.4), "zoomin"),
        (Motion(0.3, 0.0, -0.2), "right"),
        (Motion(0.0, 0.0, -0.2), "zoomout"),
    ],
)
def test_the_nearest_act_is_taken(motion: Motion, act: str) -> None:
    assert dialect_named("hi3510").act(motion)[0] == act


def test_a_still_motion_is_no_move() -> None:
    with pytest.raises(Bug):
        dialect_named("hi3510").act(Motion())


def further(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


MINE = """
[acme]
title = "Acme"
move = "/ptz?c={channel}&do={act}&p={pan_speed}&t={tilt_speed}"
stop = "/ptz?c={channel}&do=halt"
speed_least = 0
speed_most = 100
[acme.acts]
left = "w"
right = "e"
up = "n"
down = "s"
"""


def test_a_new_dialect_needs_no_code(tmp_path: Path) -> None:
    acme = dialects(further(tmp_path, MINE))["acme"]
    assert acme.move_request(Motion(0.5, 0.2), 3) == "/ptz?c=3&do=e&p=50&t=20"
    assert acme.stop_request(3) == "/ptz?c=3&do=halt"
    can = acme.capabilities
    assert (can.move, can.zoom, can.diagonals, can.presets, can.snapshot) == (
        True, False, False, 0, False,
    )  # fmt: skip
    with pytest.raises(OperatorMistake, match="zoomin"):
        acme.act(Motion(zoom=1.0))
    with pytest.raises(OperatorMistake, match="no presets"):
        acme.preset_request(1, 0, store=False)


def test_shipped_dialects_stay_and_can_be_replaced(tmp_path: Path) -> None:
    own = dialects(further(tmp_path, '[hi3510]\nlike = "hi3510-plain"\ntitle = "Mine"\n'))
    assert own["hi3510-param"].title.startswith("hi3510, through")
    assert own["hi3510"].title == "Mine" and "?act=" not in own["hi3510"].stop
    assert "&act=stop" in own["hi3510"].stop_request(0)
    with pytest.raises(OperatorMistake, match="like"):
        dialects(further(tmp_path, '[a]\nlike = "b"\n[b]\nlike = "a"\n'))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('move = "/ptz', 'move = "http://elsewhere/ptz'), "acme, move"),
        (("{pan_speed}", "{velocity}"), "velocity"),
        (('left = "w"\n', ""), "acts"),
        (('title = "Acme"', 'titel = "Acme"'), "title"),
        (("speed_most = 100", 'speed_most = "fast"'), "speed_most"),
        (("speed_most = 100", 'failure = "("'), "failure"),
        (("[acme]", "[acme"), "TOML"),
    ],
)
def test_mistakes_in_a_dialect_file_are_named(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    path = further(tmp_path, MINE.replace(*change))
    with pytest.raises(OperatorMistake, match=told) as caught:
        dialects(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_an_unknown_dialect_are_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="dialects_file"):
        dialects(tmp_path / "none.toml")
    with pytest.raises(OperatorMistake, match="hi3510-plain"):
        dialect_named("hi3511")


def test_every_shipped_dialect_stops_and_moves() -> None:
    for dialect in dialects().values():
        assert isinstance(dialect, Dialect)
        assert "stop" in dialect.stop_request(0) and dialect.capabilities.presets == 8
        assert dialect.refused("[Error]cmd not found") and not dialect.refused("[Succeed]set ok.")
