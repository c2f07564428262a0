"""Steering a simulated camera over real HTTP: right direction, right speed, and it always stops."""

from __future__ import annotations

import pytest

from engine.domain.ptz import Motion
from engine.runtime.clock import SystemClock
from engine.simulation.ptz_camera import Fault, Firmware
from engine.simulation.ptz_view import MovingView, ViewState, drawn_panorama
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import ANNA, BEN, CARLA, NewBench

QUICK = 20.0


@pytest.mark.parametrize("firmware", list(Firmware))
def test_every_dialect_steers_its_firmware(bench: NewBench, firmware: Firmware) -> None:
    desk = bench(firmware=firmware)
    assert desk.control.move(desk.id, ANNA, Motion(pan=1.0))
    wait_until(lambda: desk.camera.view.speed == (1.0, 0.0, 0.0), QUICK)
    desk.control.stop(desk.id, ANNA)
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    assert not desk.control.state(desk.id).fault


def test_a_wrong_dialect_is_told(bench: NewBench) -> None:
    desk = bench(firmware=Firmware.PLAIN, config={"dialect": "hi3510"})
    desk.control.move(desk.id, ANNA, Motion(pan=1.0))
    wait_until(lambda: "dialect" in desk.control.state(desk.id).fault, QUICK)
    wait_until(lambda: desk.control.state(desk.id).moving is None, QUICK)


@pytest.mark.parametrize(
    ("motion", "speed"),
    [
        (Motion(pan=1.0), (1.0, 0.0, 0.0)),
        (Motion(pan=-0.5), (-32 / 63, 0.0, 0.0)),
        (Motion(tilt=0.25), (0.0, 16 / 63, 0.0)),
        (Motion(tilt=-1.0), (0.0, -1.0, 0.0)),
        (Motion(zoom=0.5), (0.0, 0.0, 32 / 63)),
        (Motion(zoom=-0.001), (0.0, 0.0, -1 / 63)),
        (Motion(pan=0.7, tilt=0.7), (44 / 63, 44 / 63, 0.0)),
        (Motion(pan=-0.9, tilt=-0.6), (-57 / 63, -57 / 63, 0.0)),
        (Motion(pan=0.9, tilt=0.1), (57 / 63, 0.0, 0.0)),
    ],
)
def test_the_view_moves_the_right_way_at_the_right_speed(
    bench: NewBench, motion: Motion, speed: tuple[float, float, float]
) -> None:
    near = MovingView(drawn_panorama(), SystemClock().mono_s, start=ViewState(2000.0, 700.0, 2.0))
    desk = bench(view=near)
    before = desk.camera.view.state
    desk.control.move(desk.id, ANNA, motion)
    wait_until(lambda: desk.camera.view.speed == pytest.approx(speed), QUICK)
    wait_until(lambda: desk.camera.view.state != before, QUICK)
    after = desk.camera.view.state
    assert (after.x_px - before.x_px) * speed[0] >= 0
    assert (before.y_px - after.y_px) * speed[1] >= 0
    assert desk.control.state(desk.id).moving == motion
    assert desk.control.suspended(desk.id)
    desk.control.release(desk.id, ANNA)
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    assert desk.control.state(desk.id).holder is None


def test_a_camera_that_hangs_from_a_ceiling_is_turned(bench: NewBench) -> None:
    desk = bench(config={"invert_pan": True, "invert_tilt": True})
    desk.control.move(desk.id, ANNA, Motion(pan=1.0, tilt=1.0))
    wait_until(lambda: desk.camera.view.speed == (-1.0, -1.0, 0.0), QUICK)


def test_without_renewal_the_camera_stops(bench: NewBench) -> None:
    desk = bench()
    desk.control.move(desk.id, ANNA, Motion(pan=1.0))
    wait_until(lambda: desk.camera.view.moving, QUICK)
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    assert "nothing was heard from Anna" in desk.control.state(desk.id).message
    assert desk.control.state(desk.id).holder == ANNA


def test_zooming_after_turning_stops_the_turning_first(bench: NewBench) -> None:
    desk = bench()
    desk.control.move(desk.id, ANNA, Motion(pan=1.0))
    wait_until(lambda: "right" in desk.camera.acts(), QUICK)
    desk.control.move(desk.id, ANNA, Motion(zoom=1.0))
    wait_until(lambda: "zoomin" in desk.camera.acts(), QUICK)
    acts = desk.camera.acts()
    assert acts[acts.index("right") :][:3] == ["right", "stop", "zoomin"]


def test_one_connection_serves_all_requests(bench: NewBench) -> None:
    desk = bench()
    for pan in (0.2, 0.4, 0.6, 0.8):
        desk.control.move(desk.id, ANNA, Motion(pan=pan))
        wait_until(lambda pan=pan: desk.camera.view.speed[0] == round(pan * 63) / 63, QUICK)
    assert desk.camera.connections == 1


def test_of_many_moves_a_slow_camera_gets_the_newest(bench: NewBench) -> None:
    desk = bench(latency_s=0.15)
    for step in range(1, 64):
        desk.control.move(desk.id, ANNA, Motion(pan=step / 63))
    wait_until(lambda: desk.camera.view.speed[0] == 1.0, QUICK)
    assert len([act for act in desk.camera.acts() if act == "right"]) <= 3


def test_takeover_stops_the_camera_and_is_told(bench: NewBench) -> None:
    desk = bench()
    desk.control.move(desk.id, CARLA, Motion(pan=1.0))
    wait_until(lambda: desk.camera.view.moving, QUICK)
    assert desk.control.hold(desk.id, BEN)
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    state = desk.control.state(desk.id)
    assert state.holder == BEN and state.message == "Ben took the camera from Carla."
    assert not desk.control.move(desk.id, CARLA, Motion(pan=1.0))


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.HANG, Fault.ERROR, Fault.DROP])
def test_a_stop_is_delivered_when_the_camera_is_well_again(bench: NewBench, fault: Fault) -> None:
    desk = bench()
    desk.control.move(desk.id, ANNA, Motion(pan=0.5))
    wait_until(lambda: desk.camera.view.moving, QUICK)
    desk.camera.cut() if fault is Fault.REFUSE else setattr(desk.camera, "fault", fault)
    desk.control.stop(desk.id, ANNA)
    wait_until(lambda: desk.control.state(desk.id).fault != "", QUICK)
    assert desk.camera.view.moving or fault is Fault.DROP
    desk.camera.restore()
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    wait_until(lambda: desk.control.state(desk.id).fault == "", QUICK)


def test_a_move_that_was_not_answered_is_followed_by_a_stop(bench: NewBench) -> None:
    desk = bench()
    wait_until(lambda: desk.camera.acts() == ["stop"], QUICK)
    desk.camera.fault = Fault.DROP
    desk.control.move(desk.id, ANNA, Motion(pan=0.5))
    wait_until(lambda: "right" in desk.camera.acts(), QUICK)
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    desk.camera.restore()


def test_the_end_of_the_program_stops_the_camera(bench: NewBench) -> None:
    desk = bench()
    desk.control.move(desk.id, ANNA, Motion(pan=1.0))
    wait_until(lambda: desk.camera.view.moving, QUICK)
    assert desk.control.shut_down(5.0) == ()
    assert not desk.camera.view.moving


def test_a_camera_that_is_removed_stops(bench: NewBench) -> None:
    desk = bench()
    desk.control.move(desk.id, ANNA, Motion(pan=1.0))
    wait_until(lambda: desk.camera.view.moving, QUICK)
    desk.control.set_streams([])
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    assert desk.control.cameras() == ()


def test_presets_are_stored_with_a_picture_and_found_again(bench: NewBench) -> None:
    desk = bench()
    assert desk.control.store(desk.id, ANNA, 3, "Gate")
    wait_until(lambda: len(desk.control.presets(desk.id)) == 1, QUICK)
    kept = desk.control.presets(desk.id)[0]
    assert (kept.number, kept.name) == (3, "Gate")
    assert kept.thumbnail is not None and kept.thumbnail.startswith(b"\xff\xd8")
    assert len(kept.thumbnail) <= 50 * 1024
    stored = desk.camera.view.presets[3]
    desk.control.move(desk.id, ANNA, Motion(pan=1.0))
    wait_until(lambda: desk.camera.view.state.x_px > stored.x_px + 20, QUICK)
    assert desk.control.go_to(desk.id, ANNA, 3)
    wait_until(lambda: desk.control.state(desk.id).preset == 3, QUICK)
    wait_until(lambda: desk.camera.view.state == stored, QUICK)
    assert desk.control.suspended(desk.id)


def test_firmware_that_counts_presets_from_0(bench: NewBench) -> None:
    desk = bench(first_preset=0, config={"dialect": "hi3510-from-0"})
    desk.control.store(desk.id, ANNA, 1)
    wait_until(lambda: 0 in desk.camera.view.presets, QUICK)
    desk.control.store(desk.id, ANNA, 8)
    wait_until(lambda: 7 in desk.camera.view.presets, QUICK)


def test_a_snapshot_comes_from_the_camera(bench: NewBench) -> None:
    desk = bench(username="viewer", password="p&ss=w/rd ü", query_login=True)
    assert desk.control.snapshot(desk.id).result(QUICK).startswith(b"\xff\xd8")
