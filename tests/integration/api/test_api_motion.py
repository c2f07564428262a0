"""Motion, alerts and analytics over the API: right answers to the right callers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.live.protocol import stream_state_key
from db.motion_store import MotionStore
from db.pool import transaction
from db.repositories.alerts import PostgresAlertRepository
from engine.domain.behaviour import Alert, AlertId, RuleKind
from engine.domain.ids import FarmId, StreamId, TrackId
from engine.domain.motion import (
    Asymmetry,
    Bout,
    BoutId,
    BoutKind,
    Gait,
    Lead,
    Stride,
    StrideId,
)
from engine.domain.notices import Severity
from tests.fixtures_api import World, require_problem

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass
class Told:
    """What is stored of a camera."""

    horse: UUID
    track: TrackId
    alert: UUID


def tell(world: World, stream: StreamId, farm: FarmId, number: int) -> Told:
    """A horse that trots a minute on a camera, and an alert about it."""
    horse, track = uuid4(), TrackId(uuid4())
    with transaction(world.pool, "testing") as connection:
        key = connection.execute("SELECT key FROM streams WHERE id = %s", (stream,)).fetchone()
        assert key is not None
        connection.execute(
            "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex) "
            "VALUES (%s, %s, %s, %s, '#aabbcc')",
            (horse, farm, number, f"mover_{number}"),
        )
        connection.execute(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at) "
            "VALUES (%s, %s, 1, 0, %s, %s)",
            (track, key[0], at(0), at(60)),
        )
        connection.execute(
            "INSERT INTO identity_spans (track_id, horse_id) VALUES (%s, %s)", (track, horse)
        )
        connection.execute(
            "INSERT INTO pose_metrics (time, track_id, gait, lead, action, posture, speed_mps) "
            "SELECT %s::timestamptz + n * interval '0.1 s', %s, 3, 0, 3, 1, n "
            "FROM generate_series(0, 599) n",
            (at(0), track),
        )
        bouts = [
            Bout(BoutId(uuid4()), track, stream, kind, value, at(0), at(60), 0.8)
            for kind, value in ((BoutKind.GAIT, "trot"), (BoutKind.ACTION, "running"))
        ]
        MotionStore(connection).tell(bouts, [stride(track, stream, n * 0.7) for n in range(40)])
    alert = Alert(
        AlertId(uuid4()), farm, None, RuleKind.RESTLESS, Severity.WARNING, "It trots.",
        f"k{number}", at(10), at(20), track_id=track, stream_id=stream,
    )  # fmt: skip
    assert PostgresAlertRepository(world.pool).raise_(alert, b"\xff\xd8jpeg")
    return Told(horse, track, alert.id)


def stride(track: TrackId, stream: StreamId, start_s: float) -> Stride:
    return Stride(
        StrideId(uuid4()), track, stream, at(start_s), at(start_s + 0.7), Gait.TROT, Lead.NONE,
        1.43, 2.4, 3.4, (0.4,) * 4, (0.0, 0.5, 0.5, 0.0), (0.02, 0.02), 0.9,
        Asymmetry(4.0, 1.0, float("nan"), -2.0), True, 0.9,
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(world: World) -> Iterator[dict[str, Told]]:
    yield {
        "granted": tell(world, world.granted, world.farm, 9001),
        "hidden": tell(world, world.hidden, world.farm, 9002),
        "foreign": tell(world, world.foreign, world.other_farm, 9003),
    }


SPAN = f"start_time={NOON:%Y-%m-%dT%H:%M:%SZ}&end_time={at(3600):%Y-%m-%dT%H:%M:%SZ}"
OF_A_HORSE = ("metrics", "time-budget", "strides", "asymmetry", "timeline")


@pytest.mark.parametrize("path", OF_A_HORSE)
def test_horses_of_another_farm_do_not_exist(
    world: World, told: dict[str, Told], path: str
) -> None:
    for account in ("viewer", "manager", "admin"):
        answer = world.request(account, "GET", f"/horses/{told['foreign'].horse}/{path}?{SPAN}")
        require_problem(answer, 404, "not_found")
        mine = world.request(account, "GET", f"/horses/{told['granted'].horse}/{path}?{SPAN}")
        assert mine.status_code == 200, mine.text
    require_problem(world.request("manager", "GET", f"/horses/{uuid4()}/{path}"), 404)


def test_a_horse_s_metrics_are_thinned(world: World, told: dict[str, Told]) -> None:
    path = f"/horses/{told['granted'].horse}/metrics?{SPAN}"
    found = world.request("viewer", "GET", f"{path}&names=speed_mps,back_deg&points=36").json()
    assert found["bucket_s"] == 100.0 and len(found["at"]) == 1
    assert set(found["metrics"]) == {"speed_mps", "back_deg"}
    assert found["metrics"]["speed_mps"]["greatest"] == [0.599]
    assert found["metrics"]["back_deg"]["mean"] == [None]
    every = world.request("viewer", "GET", path).json()
    assert every["bucket_s"] == 0.0 and len(every["at"]) == 600
    assert world.request("viewer", "GET", f"{path}&names=colour").status_code in (400, 422)


def test_a_horse_s_budget_adds_up(world: World, told: dict[str, Told]) -> None:
    path = f"/horses/{told['granted'].horse}/time-budget?{SPAN}&step_s=1800"
    first, second = world.request("viewer", "GET", path).json()["budgets"]
    assert first["seen_s"] == 60.0 and first["coverage"] == pytest.approx(1 / 30)
    assert first["actions_s"] == {"running": 60.0} and first["gaits_s"] == {"trot": 60.0}
    assert (second["seen_s"], second["postures_s"]) == (0.0, {})


def test_strides_come_page_by_page(world: World, told: dict[str, Told]) -> None:
    path = f"/horses/{told['granted'].horse}/strides?{SPAN}&gait=trot&straight=true&limit=15"
    found, cursor = [], ""
    while cursor is not None:
        page = world.request("viewer", "GET", f"{path}&cursor={cursor}").json()
        found += page["items"]
        cursor = page["next_cursor"]
    assert len({one["id"] for one in found}) == len(found) == 40
    starts = [datetime.fromisoformat(one["start"]) for one in found]
    assert starts == sorted(starts)
    assert found[0]["asymmetry"] == {
        "hd_min_mm": 4.0, "hd_max_mm": 1.0, "pd_min_mm": None, "pd_max_mm": -2.0,
    }  # fmt: skip
    assert world.request("viewer", "GET", f"{path}&gait=tango").status_code == 422
    bad = world.request("viewer", "GET", f"{path}&cursor=nonsense")
    require_problem(bad, 422, "cursor_refused")


def test_a_viewer_gets_what_its_cameras_saw(world: World, told: dict[str, Told]) -> None:
    hidden = told["hidden"].horse
    for path, key in (("strides", "items"), ("timeline", "bouts"), ("timeline", "presence")):
        asked = f"/horses/{hidden}/{path}?{SPAN}"
        assert world.request("viewer", "GET", asked).json()[key] == []
        assert len(world.request("manager", "GET", asked).json()[key]) >= 1


def test_a_viewer_s_figures_are_of_its_cameras_only(world: World, told: dict[str, Told]) -> None:
    """What a camera saw that is not granted must not come through in sums either."""

    def figures(account: str, horse: UUID) -> tuple[float, int, int]:
        def asked(path: str) -> dict[str, Any]:
            answer = world.request(account, "GET", f"/horses/{horse}/{path}?{SPAN}")
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        seen_s = sum(one["seen_s"] for one in asked("time-budget")["budgets"])
        return seen_s, len(asked("metrics")["at"]), asked("asymmetry")["strides"]

    hidden, granted = told["hidden"].horse, told["granted"].horse
    assert figures("viewer", hidden) == (0.0, 0, 0)
    assert figures("manager", hidden) == (60.0, 600, 40)
    assert figures("viewer", granted) == figures("manager", granted) == (60.0, 600, 40)


def test_the_timeline_tells_bouts(world: World, told: dict[str, Told]) -> None:
    found = world.request(
        "viewer", "GET", f"/horses/{told['granted'].horse}/timeline?{SPAN}"
    ).json()
    assert found["lanes"] == ["presence", "gait", "action", "posture", "company"]
    assert {(one["kind"], one["value"]) for one in found["bouts"]} == {
        ("gait", "trot"), ("action", "running"),
    }  # fmt: skip
    assert found["complete"] is True


def test_asymmetry_has_means_or_says_why_not(world: World, told: dict[str, Told]) -> None:
    path = f"/horses/{told['granted'].horse}/asymmetry"
    found = world.request("viewer", "GET", f"{path}?{SPAN}").json()
    assert (found["strides"], found["refusal"]) == (40, "")
    assert found["mean"]["hd_min_mm"] == 4.0 and found["mean"]["pd_min_mm"] is None
    assert found["trends"]["hd_min_mm"]["slope_mm_day"] is None
    assert found["trends"]["hd_min_mm"]["refusal"]
    none = world.request("viewer", "GET", f"{path}?start_time=2020-01-01T00:00:00Z"
                         "&end_time=2020-01-02T00:00:00Z").json()  # fmt: skip
    assert none["strides"] == 0 and none["refusal"]


def test_times_that_make_no_sense_are_refused(world: World, told: dict[str, Told]) -> None:
    path = f"/horses/{told['granted'].horse}/time-budget"
    for query in (
        f"start_time={at(10):%Y-%m-%dT%H:%M:%SZ}&end_time={at(0):%Y-%m-%dT%H:%M:%SZ}",
        "start_time=2001-01-01T00:00:00Z&end_time=2020-01-01T00:00:00Z",
    ):
        require_problem(world.request("viewer", "GET", f"{path}?{query}"), 422, "time_refused")


# --- alerts --------------------------------------------------------------------------------------


def test_alerts_are_the_callers_farms(world: World, told: dict[str, Told]) -> None:
    def ids(account: str, query: str = "") -> set[str]:
        found: set[str] = set()
        cursor = ""
        while cursor is not None:
            page = world.request(account, "GET", f"/alerts?limit=1&cursor={cursor}{query}").json()
            found |= {one["id"] for one in page["items"]}
            cursor = page["next_cursor"]
        return found

    own = {str(told["granted"].alert), str(told["hidden"].alert)}
    assert own <= ids("manager") and str(told["foreign"].alert) not in ids("manager")
    assert ids("stranger") == {str(told["foreign"].alert)}
    assert ids("manager", f"&horse_id={told['hidden'].horse}") == {str(told["hidden"].alert)}
    for path in ("", "/picture"):
        foreign = f"/alerts/{told['foreign'].alert}{path}"
        require_problem(world.request("manager", "GET", foreign), 404, "not_found")
    require_problem(world.request("viewer", "GET", "/alerts"), 403, "forbidden")


def test_an_alert_is_acknowledged_with_a_note(world: World, told: dict[str, Told]) -> None:
    path = f"/alerts/{told['granted'].alert}"
    before = world.request("manager", "GET", path).json()
    assert before["horse_id"] == str(told["granted"].horse) and before["has_picture"]
    picture = world.request("manager", "GET", f"{path}/picture")
    assert picture.content == b"\xff\xd8jpeg" and picture.headers["content-type"] == "image/jpeg"
    for account in ("manager", "admin"):
        answer = world.request(account, "POST", f"{path}/acknowledge", {"note": f"by {account}"})
        assert answer.status_code == 200, answer.text
    after = world.request("manager", "GET", path).json()
    assert after["acknowledged_by"] == "manager" and after["note"] == "by manager\nadmin: by admin"
    foreign = f"/alerts/{told['foreign'].alert}/acknowledge"
    require_problem(world.request("manager", "POST", foreign, {"note": ""}), 404, "not_found")
    audit = world.request("root", "GET", "/audit").json()["items"]
    assert sum(row["action"] == "alert.acknowledge" for row in audit) == 2


RULE = {
    "kind": "rolling", "name": "Rolling at night", "severity": "critical",
    "quiet": {"start": "22:00", "end": "05:30", "weekdays": [0, 6]},
}  # fmt: skip


def test_rules_are_made_changed_and_removed(world: World, told: dict[str, Told]) -> None:
    made = world.request("manager", "POST", "/alert-rules", {
        **RULE, "horse_ids": [str(told["granted"].horse)],
    })  # fmt: skip
    assert made.status_code == 201, made.text
    rule = made.json()
    assert rule["version"] == 1 and rule["quiet"]["start"] == "22:00:00"
    listed = world.request("manager", "GET", "/alert-rules").json()
    assert rule in listed and {one["farm_id"] for one in listed} == {str(world.farm)}
    assert len(listed) > 1, "a farm begins with the catalogue's rules"
    path = f"/alert-rules/{rule['id']}"
    changed = world.request("manager", "PUT", path, {**RULE, "enabled": False, "version": 1})
    assert changed.json()["version"] == 2 and changed.json()["horse_ids"] == []
    stale = world.request("manager", "PUT", path, {**RULE, "version": 1})
    require_problem(stale, 409)
    require_problem(world.request("stranger", "PUT", path, {**RULE, "version": 2}), 404)
    require_problem(world.request("stranger", "DELETE", path), 404, "not_found")
    foreign = {**RULE, "horse_ids": [str(told["foreign"].horse)]}
    require_problem(world.request("manager", "POST", "/alert-rules", foreign), 404)
    unknown = {**RULE, "parameters": {"nonsense": 1}}
    assert world.request("manager", "POST", "/alert-rules", unknown).status_code in (400, 422)
    assert world.request("manager", "DELETE", path).status_code == 204
    require_problem(world.request("manager", "DELETE", path), 404, "not_found")


def test_tracking_tells_how_long_things_take(world: World, told: dict[str, Told]) -> None:
    state = {"state": "active", "health": json.dumps({"latency_ms": 41.5})}
    world.redis.hset(stream_state_key(world.granted), mapping=state)
    timings = world.request("manager", "GET", "/tracking/stats").json()["timings"]
    assert timings["identified_after_s_p95"] >= timings["identified_after_s_median"] > 0
    assert timings["latency_ms"] == {str(world.granted): 41.5}
    foreign = world.request("stranger", "GET", "/tracking/stats").json()["timings"]
    assert foreign["latency_ms"] == {}
    world.redis.delete(stream_state_key(world.granted))


# --- analytics -----------------------------------------------------------------------------------


def test_analytics_tell_hours_and_follow_corrections(world: World, told: dict[str, Told]) -> None:
    hours = f"/analytics/hourly-activity?{SPAN}"

    def of(account: str, path: str) -> dict[str, dict[str, object]]:
        answer = world.request(account, "GET", path)
        assert answer.status_code == 200, answer.text
        return {one["horse_id"]: one for one in answer.json()}

    found = of("manager", hours)
    granted, hidden = str(told["granted"].horse), str(told["hidden"].horse)
    assert found[granted]["hour"] == f"{NOON:%Y-%m-%dT%H:%M:%SZ}"
    assert found[granted]["seen_s"] == 60.0
    assert found[granted]["actions_s"] == {"running": 60.0}
    assert str(told["foreign"].horse) not in found
    assert set(of("stranger", hours)) == {str(told["foreign"].horse)}
    days = of("manager", f"/analytics/presence?{SPAN}&horse_id={granted}")
    assert set(days) == {granted} and days[granted]["seen_s"] == 60.0
    assert world.redis.keys("barnhand:analytics:*:*"), "answers are kept"
    body = {"track_id": str(told["granted"].track), "horse_id": hidden, "reason": "test"}
    moved = world.request("manager", "POST", "/tracking/reassign", body)
    assert moved.status_code == 200, moved.text
    assert granted not in of("manager", hours)
    undo = {"command_id": moved.json()["command"]["command_id"]}
    assert world.request("manager", "POST", "/tracking/undo", undo).status_code == 200
    assert of("manager", hours) == found
    require_problem(world.request("viewer", "GET", hours), 403, "forbidden")
