"""Camera control over the API: a client's move turns the simulated view, and it always stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest
from psycopg import sql

from barnhand_desktop.ptz_memory import PtzMemory
from barnhand_desktop.ptz_requests import answer_request
from db.live.commands import RedisCommandBus
from db.repositories.ptz import PostgresPtzRepository
from db.repositories.streams import PostgresStreamRepository
from engine.domain.commands import EngineCommand, PlansChanged, SteerCamera
from engine.domain.ids import StreamId
from engine.domain.ports import Reply
from engine.domain.ptz import Holder, Priority
from engine.ptz.control import CameraControl
from engine.ptz.eyes import Eyes
from engine.runtime.clock import SystemClock
from engine.settings import PtzSettings
from engine.simulation.ptz_camera import PtzSimulator, ptz_simulator
from tests.fixtures_api import World, require_problem
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import stream_of

CANARY = "canary-ptz-s3cret"
QUICK = 20.0
OFFICE = Holder("console", "Office", Priority.OPERATOR)


@dataclass
class Desk:
    """An engine's camera control on the live-state bus, and the camera it steers."""

    stream_id: StreamId
    camera: PtzSimulator
    control: CameraControl
    memory: PtzMemory
    store: PostgresPtzRepository

    @property
    def path(self) -> str:
        return f"/streams/{self.stream_id}/ptz"


def _no_eyes(_stream_id: StreamId) -> Eyes:
    raise AssertionError("nobody scans here")


@pytest.fixture(scope="module")
def desk(world: World) -> Iterator[Desk]:
    with ExitStack() as stack:
        camera = stack.enter_context(ptz_simulator(username="operator", password=CANARY))
        control = CameraControl(PtzSettings(), SystemClock(), _no_eyes, lambda _id: ())
        streams = PostgresStreamRepository(world.pool, world.config.credential_key.encode())
        stream = streams.add(stream_of(camera), world.farm)
        assert control.set_streams([streams.get(stream.id)]) == ()
        control.start()
        stack.callback(control.shut_down, 5.0)
        store = PostgresPtzRepository(world.pool)
        memory = PtzMemory(control, store)
        bus = RedisCommandBus(world.config.live_url)

        def obey(command: EngineCommand) -> Reply:
            if isinstance(command, PlansChanged):
                memory.plans_changed()
            return answer_request(control, command) if isinstance(command, SteerCamera) else None

        bus.listen(obey)
        stack.callback(bus.close)
        wait_until(lambda: bus.connected, QUICK)
        yield Desk(stream.id, camera, control, memory, store)


def test_a_client_turns_the_camera_and_it_stops_when_the_client_is_gone(
    world: World, desk: Desk
) -> None:
    answer = world.request("manager", "POST", f"{desk.path}/move", {"pan": 1.0})
    assert answer.status_code == 200, answer.text
    assert answer.json()["holder"] == {"name": "manager", "priority": "remote"}
    wait_until(lambda: desk.camera.view.speed == (1.0, 0.0, 0.0), QUICK)
    # Nothing more comes from the client, as if it had crashed.
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    state = world.request("manager", "GET", desk.path).json()
    assert "nothing was heard" in state["message"]
    released = world.request("manager", "POST", f"{desk.path}/release").json()
    assert released["holder"] is None


def test_stop_stops_at_once(world: World, desk: Desk) -> None:
    world.request("manager", "POST", f"{desk.path}/move", {"tilt": -0.5})
    wait_until(lambda: desk.camera.view.moving, QUICK)
    assert world.request("manager", "POST", f"{desk.path}/stop").status_code == 200
    wait_until(lambda: not desk.camera.view.moving, QUICK)
    assert "stop" in desk.camera.acts()
    world.request("manager", "POST", f"{desk.path}/release")


def test_the_operator_in_the_office_comes_first(world: World, desk: Desk) -> None:
    assert desk.control.hold(desk.stream_id, OFFICE)
    refused = world.request("manager", "POST", f"{desk.path}/move", {"pan": 0.5})
    require_problem(refused, 409, "camera_held")
    assert "Office" in refused.json()["detail"]
    require_problem(world.request("manager", "POST", f"{desk.path}/hold"), 409, "camera_held")
    desk.control.release(desk.stream_id, OFFICE)
    assert world.request("manager", "POST", f"{desk.path}/hold").status_code == 200
    world.request("manager", "POST", f"{desk.path}/release")


def test_presets_are_stored_shown_and_gone_to(world: World, desk: Desk) -> None:
    path = f"{desk.path}/presets/3"
    assert world.request("manager", "PUT", path, {"name": "Door"}).status_code == 200
    wait_until(lambda: 3 in {p.number for p in desk.control.presets(desk.stream_id)}, QUICK)
    desk.memory.look()
    told = world.request("viewer", "GET", f"{desk.path}/presets")
    require_problem(told, 404, "not_found")  # not granted to the viewer
    presets = world.request("manager", "GET", f"{desk.path}/presets").json()
    assert [(p["number"], p["name"], p["has_thumbnail"]) for p in presets] == [(3, "Door", True)]
    picture = world.request("manager", "GET", f"{path}/thumbnail")
    assert picture.headers["content-type"] == "image/jpeg" and picture.content[:2] == b"\xff\xd8"
    assert world.request("manager", "POST", f"{path}/goto").json()["holder"]["name"] == "manager"
    wait_until(lambda: "goto" in " ".join(desk.camera.acts()), QUICK)
    for number in (0, 9, "x"):
        wrong = world.request("manager", "POST", f"{desk.path}/presets/{number}/goto")
        require_problem(wrong, 422, "validation_failed")
    # Another console that starts later knows the preset from the store.
    other = CameraControl(PtzSettings(), SystemClock(), _no_eyes, lambda _id: ())
    streams = PostgresStreamRepository(world.pool, world.config.credential_key.encode())
    other.set_streams([streams.get(desk.stream_id)])
    other.start()
    try:
        PtzMemory(other, desk.store).look()
        assert [preset.name for preset in other.presets(desk.stream_id)] == ["Door"]
    finally:
        assert other.shut_down(5.0) == ()
    world.request("manager", "POST", f"{desk.path}/release")


def test_a_snapshot_comes_through_the_engine(world: World, desk: Desk) -> None:
    answer = world.request("manager", "GET", f"{desk.path}/snapshot")
    assert answer.status_code == 200, answer.text
    assert answer.content[:2] == b"\xff\xd8" and answer.headers["cache-control"] == "no-store"


def test_tours_are_stored_started_and_removed(world: World, desk: Desk) -> None:
    tour = {
        "name": "Evening",
        "steps": [{"preset": 3, "dwell_s": 5}, {"preset": 4, "dwell_s": 5}],
        "schedule": {"weekdays": [0, 6], "start": "21:00", "end": "23:30"},
    }
    made = world.request("manager", "POST", f"{desk.path}/tours", tour)
    assert made.status_code == 201, made.text
    listed = world.request("manager", "GET", f"{desk.path}/tours").json()
    assert [(t["name"], len(t["steps"])) for t in listed] == [("Evening", 2)]
    one = f"{desk.path}/tours/{made.json()['id']}"
    started = world.request("manager", "POST", f"{one}/start")
    assert "Evening" in started.json()["activity"], started.text
    ended = world.request("manager", "POST", f"{desk.path}/end")
    assert ended.json()["activity"] == ""
    assert world.request("manager", "DELETE", one).status_code == 204
    require_problem(world.request("manager", "POST", f"{one}/start"), 404, "not_found")
    zoned = {**tour, "schedule": {**tour["schedule"], "start": "21:00+02:00"}}  # type: ignore[dict-item]
    refused = world.request("manager", "POST", f"{desk.path}/tours", zoned)
    require_problem(refused, 422, "validation_failed")


def test_a_scheduled_scan_is_kept_for_the_engine(world: World, desk: Desk) -> None:
    plan = {
        "presets": [1, 2],
        "schedule": {"weekdays": [2], "start": "06:00", "end": "06:30", "every_min": 0},
    }
    answer = world.request("manager", "POST", f"{desk.path}/scan", plan)
    assert answer.status_code == 200, answer.text
    stored = desk.store.scan_plans(desk.stream_id)
    assert [(p.presets, p.settle_s, p.record_s) for p in stored] == [((1, 2), 5.0, 10.0)]
    wrong = {"presets": [1], "settle_s": 1.0}
    refused = world.request("manager", "POST", f"{desk.path}/scan", wrong)
    require_problem(refused, 422, "validation_failed")


def test_without_an_engine_or_a_control_it_is_said(world: World, desk: Desk) -> None:
    answer = world.request("manager", "GET", f"/streams/{world.hidden}/ptz")
    require_problem(answer, 404, "no_camera_control")
    streams = PostgresStreamRepository(world.pool, world.config.credential_key.encode())
    lonely = streams.add(replace(stream_of(desk.camera), name="Lonely yard"), world.farm)
    answer = world.request("manager", "GET", f"/streams/{lonely.id}/ptz")
    require_problem(answer, 503, "not_steered")
    streams.remove(lonely.id)


def test_the_password_is_told_nowhere(world: World, desk: Desk) -> None:
    for path in ("", "/presets", "/tours"):
        assert CANARY not in world.request("manager", "GET", desk.path + path).text
    assert CANARY not in world.request("manager", "GET", f"/streams/{desk.stream_id}").text
    assert CANARY not in world.request("admin", "GET", "/audit?limit=1000").text
    rows = world.request("admin", "GET", "/audit?limit=1000").json()["items"]
    actions = {row["action"] for row in rows}
    assert {"ptz.stop", "ptz.preset", "ptz.goto", "ptz.tour.add"} <= actions
    assert not tables_with(world, CANARY)
    assert tables_with(world, "Yard") == {"streams"}, "the search finds what is there"


def tables_with(world: World, text: str) -> set[str]:
    """Tables of the whole database that hold a text anywhere, as a dump would show it."""
    found = set()
    with world.pool.connection() as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
        for (name,) in tables:
            row = connection.execute(
                sql.SQL("SELECT EXISTS (SELECT FROM {table} AS t WHERE t::text LIKE %s)").format(
                    table=sql.Identifier(name)
                ),
                (f"%{text}%",),
            ).fetchone()
            if row is not None and row[0]:
                found.add(str(name))
    return found
