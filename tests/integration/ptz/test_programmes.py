"""Tours, followers and schedules on a steered camera, and people who take it from them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest

from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.ids import HorseId, new_stream_id
from engine.domain.ptz import (
    Authentication,
    Motion,
    Priority,
    PtzConfig,
    PtzControl,
    ScanPlan,
    Schedule,
    Tour,
    TourStep,
    Wire,
)
from engine.ptz.cgi import Credentials
from engine.ptz.probing import probe_camera, try_camera
from engine.runtime.clock import SystemClock
from engine.simulation.ptz_camera import Firmware, ptz_simulator
from engine.simulation.ptz_view import ViewState
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import ANNA, CARLA, Bench, NewBench

EVERY_DAY = frozenset(range(7))
ALWAYS = Schedule(EVERY_DAY, time(0), time(0), 0)


def touring(bench: NewBench) -> Bench:
    """A bench with two presets, on tour."""
    desk = bench()
    desk.camera.view.store(1, ViewState(1000.0, 700.0, 1.0))
    desk.camera.view.store(2, ViewState(4000.0, 700.0, 2.0))
    return desk


def tour_of(desk: Bench, schedule: Schedule | None = None) -> Tour:
    return Tour(uuid4(), desk.id, "Night", (TourStep(1, 2.0), TourStep(2, 2.0)), schedule)


def test_a_tour_goes_to_its_presets_and_shows_itself(bench: NewBench) -> None:
    desk = touring(bench)
    port: PtzControl = desk.control
    assert port.start_tour(tour_of(desk), ANNA)
    wait_until(lambda: desk.camera.view.state.x_px == 1000.0)
    state = port.state(desk.id)
    assert state.activity == "Tour Night, preset 1" and state.suspended
    assert state.holder is not None and state.holder.priority is Priority.TOUR
    wait_until(lambda: desk.camera.view.state.x_px == 4000.0)
    port.stop_activity(desk.id, ANNA)
    wait_until(lambda: port.state(desk.id).activity == "")
    wait_until(lambda: port.state(desk.id).holder is None)


def test_a_person_takes_the_camera_from_a_tour_which_waits(bench: NewBench) -> None:
    desk = touring(bench)
    desk.control.start_tour(tour_of(desk), ANNA)
    wait_until(lambda: "preset goto" in desk.camera.acts())
    assert desk.control.move(desk.id, CARLA, Motion(pan=-1.0))
    wait_until(lambda: desk.control.state(desk.id).activity == "Tour Night waits")
    state = desk.control.state(desk.id)
    assert state.holder == CARLA and state.message == "Carla took the camera from Tour Night."
    desk.control.stop(desk.id, CARLA)
    assert desk.control.state(desk.id).activity == "Tour Night waits"
    desk.control.release(desk.id, CARLA)
    wait_until(lambda: "preset" in desk.control.state(desk.id).activity)


def test_a_persons_stop_ends_a_tour(bench: NewBench) -> None:
    desk = touring(bench)
    desk.control.start_tour(tour_of(desk), ANNA)
    desk.control.stop(desk.id, CARLA)
    assert desk.control.state(desk.id).activity == ""
    wait_until(lambda: desk.control.state(desk.id).holder is None)


def test_nobody_starts_a_programme_on_a_camera_that_an_operator_steers(bench: NewBench) -> None:
    desk = touring(bench)
    desk.control.hold(desk.id, ANNA)
    assert not desk.control.start_tour(tour_of(desk), CARLA)
    assert not desk.control.follow(desk.id, CARLA, HorseId(uuid4()))
    with pytest.raises(OperatorMistake, match="Anna steers"):
        desk.control.start_scan(ScanPlan(desk.id, (1,)), CARLA)


def test_following_holds_the_camera_with_the_lowest_priority(bench: NewBench) -> None:
    desk = bench()
    assert desk.control.follow(desk.id, ANNA, HorseId(uuid4()))
    wait_until(lambda: desk.control.state(desk.id).activity == "Following a horse")
    holder = desk.control.state(desk.id).holder
    assert holder is not None and holder.priority is Priority.FOLLOW
    assert desk.control.move(desk.id, CARLA, Motion(pan=0.2))
    wait_until(lambda: desk.control.state(desk.id).activity == "")
    assert "following ended" in desk.control.state(desk.id).message
    assert desk.control.follow(desk.id, ANNA, None)


def test_a_scheduled_tour_starts_by_itself_when_nobody_steers(bench: NewBench) -> None:
    desk = touring(bench)
    desk.control.hold(desk.id, ANNA)
    desk.control.set_plans([tour_of(desk, ALWAYS)], [])
    desk.control.release(desk.id, ANNA)
    wait_until(lambda: desk.control.state(desk.id).activity.startswith("Tour Night"))


def test_a_schedule_that_is_not_due_starts_nothing(bench: NewBench) -> None:
    desk = touring(bench)
    local = datetime.now(UTC).astimezone()
    later = [(local + timedelta(hours=hours)).time() for hours in (6, 7)]
    desk.control.set_plans([tour_of(desk, Schedule(EVERY_DAY, later[0], later[1]))], [])
    desk.control._programmes.look_at_schedules()
    assert desk.control.state(desk.id).activity == ""


def test_probing_finds_dialect_and_login() -> None:
    with ptz_simulator(
        firmware=Firmware.PLAIN, username="viewer", password="secret", query_login=True
    ) as camera:
        asked = PtzConfig(Wire.CGI, "hi3510", "127.0.0.1", camera.port)
        found = probe_camera(asked, Credentials("viewer", "secret"))
        assert found.config is not None and found.config.dialect == "hi3510-plain"
        assert found.config.authentication is Authentication.QUERY
        assert found.snapshot is not None and found.tried[-1].endswith("answers")
        tested = try_camera(found.config, Credentials("viewer", "secret"), SystemClock())
        assert tested.moved is True and not camera.view.moving
        assert camera.acts()[-4:] == ["right", "stop", "left", "stop"]


def test_probing_tells_what_it_tried() -> None:
    with ptz_simulator(username="viewer", password="secret") as camera:
        asked = PtzConfig(Wire.CGI, "hi3510", "127.0.0.1", camera.port)
        found = probe_camera(asked, Credentials("viewer", "wrong"))
    assert found.config is None and len(found.tried) == 8
    assert all("password" in line for line in found.tried)


def test_unknown_streams_are_not_found(bench: NewBench) -> None:
    desk = bench()
    with pytest.raises(NotFound):
        desk.control.move(new_stream_id(), ANNA, Motion(pan=1.0))
    assert not desk.control.suspended(new_stream_id())
