"""Stored detections and horses over the API, and nasty values for every route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from barnhand_desktop.api.access import ApiRoute
from barnhand_desktop.api.routes import ROUTES
from engine.domain.ids import StreamId
from tests.fixtures_api import World, require_problem

START = datetime(2025, 3, 1, 12, tzinfo=UTC)
ROWS = 25


def store_rows(world: World, stream_id: StreamId, offset_s: float) -> UUID:
    """A track of ``ROWS`` detections, one a second, of a named horse; returns the horse."""
    track, horse = uuid4(), uuid4()
    with world.pool.connection() as connection:
        key, farm_id = connection.execute(
            "SELECT key, farm_id FROM streams WHERE id = %s", (stream_id,)
        ).fetchall()[0]
        number = int(offset_s * 1000) + key
        connection.execute(
            "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex) "
            "VALUES (%s, %s, %s, %s, '#aabbcc')",
            (horse, farm_id, number, f"horse_{number:03}"),
        )
        connection.execute(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at) "
            "VALUES (%s, %s, 1, 0, %s)",
            (track, key, START),
        )
        connection.execute(
            "INSERT INTO identity_spans (track_id, horse_id) VALUES (%s, %s)", (track, horse)
        )
        for n in range(ROWS):
            connection.execute(
                "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, "
                "class_id, model_key, skeleton_key, flags) "
                "VALUES (%s, %s, %s, 1, 2, 30, 40, 9000, 0, 0, 0, 0)",
                (START + timedelta(seconds=n + offset_s), track, key),
            )
    return horse


@pytest.fixture(scope="module")
def horses(world: World) -> Iterator[dict[str, UUID]]:
    yield {
        "granted": store_rows(world, world.granted, 0.0),
        "hidden": store_rows(world, world.hidden, 0.25),
        "foreign": store_rows(world, world.foreign, 0.5),
    }


def pages(world: World, account: str, query: str = "") -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        answer = world.request(account, "GET", f"/detections?limit=10{query}{more}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= 10
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def test_detections_come_newest_first_page_by_page(world: World, horses: dict[str, UUID]) -> None:
    found = pages(world, "root")
    times = [datetime.fromisoformat(str(record["at"])) for record in found]
    assert len(found) == 3 * ROWS
    assert times == sorted(times, reverse=True)
    assert len({(record["at"], record["track_id"]) for record in found}) == 3 * ROWS
    newest = found[0]
    assert newest["bbox_xyxy_px"] == [1, 2, 30, 40]
    assert newest["score"] == 0.9
    assert newest["class_name"] == "horse"
    assert times[0].utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("account", "seen"),
    [
        ("viewer", {"granted"}),
        ("manager", {"granted", "hidden"}),
        ("admin", {"granted", "hidden"}),
        ("stranger", {"foreign"}),
    ],
)
def test_each_caller_gets_the_detections_of_its_streams(
    world: World, horses: dict[str, UUID], account: str, seen: set[str]
) -> None:
    found = pages(world, account)
    streams = {"granted": world.granted, "hidden": world.hidden, "foreign": world.foreign}
    assert {record["stream_id"] for record in found} == {str(streams[name]) for name in seen}
    assert len(found) == ROWS * len(seen)
    times = [datetime.fromisoformat(str(record["at"])) for record in found]
    assert times == sorted(times, reverse=True)
    for name, stream_id in streams.items():
        answer = world.request(account, "GET", f"/detections?stream_id={stream_id}")
        if name in seen:
            assert len(answer.json()["items"]) == ROWS
        else:
            require_problem(answer, 404, "not_found")
        by_horse = pages(world, account, f"&horse_id={horses[name]}")
        assert len(by_horse) == (ROWS if name in seen else 0)


def test_detections_are_found_by_time(world: World, horses: dict[str, UUID]) -> None:
    query = "&start_time=2025-03-01T13:00:05%2B01:00&end_time=2025-03-01T12:00:08Z"
    found = pages(world, "viewer", query)
    assert [str(record["at"]) for record in found] == [
        f"2025-03-01T12:00:0{second}Z" for second in (7, 6, 5)
    ]
    naive = world.request("viewer", "GET", "/detections?start_time=2025-03-01T12:00:00")
    require_problem(naive, 422, "validation_failed")


def test_horses_are_the_callers_farms(world: World, horses: dict[str, UUID]) -> None:
    def ids(account: str) -> set[str]:
        found: set[str] = set()
        cursor: str | None = ""
        while cursor is not None:
            page = world.request(account, "GET", f"/horses?limit=1&cursor={cursor}").json()
            found |= {horse["id"] for horse in page["items"]}
            cursor = page["next_cursor"]
        return found

    granted, hidden, foreign = (str(horses[name]) for name in ("granted", "hidden", "foreign"))
    assert ids("viewer") == ids("manager") >= {granted, hidden}
    assert foreign not in ids("manager")
    assert foreign in ids("stranger") and not ids("stranger") & {granted, hidden}
    assert ids("root") >= {granted, hidden, foreign}
    archived = world.request("root", "GET", "/horses?status=archived").json()
    assert archived["items"] == []


NASTY = (
    "",
    "\u0000",
    "\u202e\U0001f40e'; DROP TABLE users; --",
    "../../etc/passwd",
    "9" * 400,
    "-1",
    "NaN",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "00000000-0000-0000-0000-000000000000",
)
QUERY = (
    "stream_id", "horse_id", "farm_id", "status", "start_time", "end_time", "limit", "cursor",
    "overlays", "names", "points", "step_s", "gait", "straight", "open_only",
    "a", "b", "state",
)  # fmt: skip
NOBODY = "00000000-0000-4000-8000-00000000dead"
WHEN = "2026-11-01T12:00:00Z"
LATER = "2026-11-01T13:00:00Z"
EDIT = {
    "edit": "move", "at": WHEN, "track_id": NOBODY, "box_xyxy_px": [1, 2, 30, 40],
    "horse_id": None, "extent": "frame",
}  # fmt: skip
RULE: dict[str, object] = {
    "kind": "rolling", "name": "x", "severity": "info", "enabled": True, "parameters": {"min_s": 1},
    "horse_ids": [NOBODY], "stream_ids": [], "cooldown_s": 5, "sound": False, "notify": True,
    "quiet": {"start": "22:00", "end": "06:00", "weekdays": [1]},
}  # fmt: skip
CORRECTION: dict[str, object] = {"reason": "", "expected": None, "dry_run": False}
GOOD: dict[str, dict[str, object]] = {
    "POST /auth/login": {"username": "nobody", "password": "x"},
    "POST /auth/refresh": {"refresh_token": "x"},
    "POST /api-keys": {"name": "probe", "scopes": ["read"], "expires_at": None},
    "POST /users": {"username": "", "password": "a long enough one", "role": "x", "farm_id": None},
    "PUT /users/{user_id}": {"role": "viewer", "farm_id": None, "enabled": True, "version": 1},
    "PUT /users/{user_id}/grants": {"stream_ids": []},
    "POST /streams": {
        "name": "x", "address": "ftp://x", "username": "", "password": "", "enabled": True,
        "analysis_fps": 1, "confidence": 0.5, "loop": True, "realtime": True, "farm_id": None,
    },
    "PUT /streams/{stream_id}": {
        "name": "x", "address": "ftp://x", "username": "", "password": "", "enabled": True,
        "analysis_fps": 1, "confidence": 0.5, "loop": True, "realtime": True, "version": 99,
    },
    "POST /chunks/{chunk_id}/lock": {"locked": True},
    "POST /chunks/{chunk_id}/reprocess": {},
    "POST /chunks/{chunk_id}/edits": {"edits": [EDIT], "reason": "x"},
    "POST /chunks/{chunk_id}/edits/preview": {"edits": [EDIT]},
    "POST /chunks/{chunk_id}/edits/undo": {"edit_id": NOBODY},
    "POST /jobs/{job_id}/cancel": {},
    "POST /exports": {
        "kind": "csv", "start_time": WHEN, "end_time": LATER, "stream_ids": [], "horse_id": None,
        "overlays": False, "tables": ["bouts"], "file_name": "x", "farm_id": NOBODY,
    },
    "POST /bookmarks": {
        "title": "x", "start_time": WHEN, "end_time": LATER, "stream_ids": [NOBODY],
        "horse_id": None, "note": "x", "locked": False, "farm_id": NOBODY,
    },
    "PUT /bookmarks/{bookmark_id}": {
        "title": "x", "start_time": WHEN, "end_time": LATER, "stream_ids": [NOBODY],
        "horse_id": None, "note": "x", "locked": False,
    },
    "PUT /horses/{horse_id}/avatar": {},
    "POST /sessions": {
        "title": "x", "kind": "training", "horse_id": NOBODY, "note": "x", "farm_id": NOBODY,
        "source": "stretch", "stream_ids": [NOBODY], "start_time": WHEN, "end_time": LATER,
    },
    "POST /sessions/upload": {"description": "x", "file": "x"},
    "PATCH /sessions/{session_id}": {
        "version": 1, "title": "x", "kind": "training", "mode": "preview", "horse_id": NOBODY,
        "note": "x", "locked": False,
    },
    "POST /sessions/{session_id}/analyse": {},
    "POST /calendar": {
        "title": "x", "kind": "lesson", "start_time": WHEN, "end_time": LATER, "horse_id": NOBODY,
        "whole_day": False, "note": "x", "done": False, "session_id": NOBODY, "farm_id": NOBODY,
    },
    "PUT /calendar/{entry_id}": {
        "version": 1, "title": "x", "kind": "lesson", "start_time": WHEN, "end_time": LATER,
        "horse_id": NOBODY, "whole_day": False, "note": "x", "done": False, "session_id": NOBODY,
    },
    "PATCH /horses/{horse_id}": {"changes": {"name": "x"}, **CORRECTION},
    "POST /horses/{horse_id}/accept": {"resident": True, **CORRECTION},
    "POST /tracking/threshold": {"threshold": 0.8},
    "POST /tracking/merge": {"kept": NOBODY, "absorbed": NOBODY, "fields": {}, **CORRECTION},
    "POST /tracking/split": {
        "horse_id": NOBODY, "at": WHEN, "scope": "track", "track_id": NOBODY, "stream_id": NOBODY,
        "into": NOBODY, **CORRECTION,
    },
    "POST /tracking/swap": {
        "first": NOBODY, "second": NOBODY, "at": WHEN, "stream_id": None, **CORRECTION,
    },
    "POST /tracking/reassign": {
        "track_id": NOBODY, "horse_id": None, "start": WHEN, "end": WHEN, **CORRECTION,
    },
    "POST /tracking/reject": {"track_id": NOBODY, "horse_id": NOBODY, **CORRECTION},
    "POST /tracking/undo": {"command_id": NOBODY},
    "POST /tracking/redo": {"command_id": NOBODY},
    "POST /streams/{stream_id}/ptz/move": {"pan": 0.1, "tilt": 0.1, "zoom": 0.1},
    "PUT /streams/{stream_id}/ptz/presets/{number}": {"name": "x"},
    "POST /streams/{stream_id}/ptz/follow": {"horse_id": NOBODY},
    "POST /streams/{stream_id}/ptz/scan": {
        "presets": [1], "settle_s": 5, "record_s": 10, "schedule": None,
    },
    "POST /streams/{stream_id}/ptz/tours": {
        "name": "x", "steps": [{"preset": 1, "dwell_s": 5}], "schedule": None,
    },
    "POST /models": {"description": {"name": "x", "version": "1", "task": "pose"}, "file": "x"},
    "POST /models/{model_id}/activate": {"stream_id": NOBODY, "farm_id": NOBODY},
    "POST /models/{model_id}/deactivate": {"stream_id": None, "farm_id": NOBODY},
    "POST /areas": {
        "name": "x", "kind": "stall", "stream_id": None, "region": None, "expected": None,
        "farm_id": NOBODY,
    },
    "PUT /areas/{area_id}": {
        "name": "x", "kind": "stall", "stream_id": None, "region": None, "expected": None,
        "version": 1,
    },
    "POST /farms": {"name": ""},
    "PUT /farms/{farm_id}": {"name": "x", "expected_residents": 3},
    "POST /tracking/reviews/{review_id}": {"verdict": "same"},
    "POST /alerts/{alert_id}/acknowledge": {"note": "x"},
    "POST /alert-rules": {"farm_id": NOBODY, **RULE},
    "PUT /alert-rules/{rule_id}": {"version": 1, **RULE},
}  # fmt: skip


def nasty_requests(route: ApiRoute) -> Iterator[tuple[object, dict[str, str] | None]]:
    """(body, query) pairs: in each one place of a good request holds a nasty value."""
    good = GOOD.get(f"{route.method} {route.path}")
    for value in NASTY:
        if good is None:
            yield None, dict.fromkeys(QUERY, value)
            if route.method == "GET" and route.base_path:
                yield from ((None, {name: value}) for name in QUERY)
            continue
        yield value, None
        for field in good:
            yield {**good, field: value}, None
            yield {**good, field: [{"x": value}]}, None


@pytest.mark.parametrize(
    "route",
    [
        route
        for route in ROUTES
        if route.path not in ("/auth/logout", "/auth/password")
        and (route.method, route.checks_stream) != ("DELETE", True)
    ],
    ids=lambda route: f"{route.method} {route.base_path}{route.path}",
)
def test_nasty_values_are_never_the_servers_fault(world: World, route: ApiRoute) -> None:
    path = route.path.replace("{stream_id}", str(world.foreign))
    path = re.sub(r"\{\w+\}", lambda _: str(uuid4()), path)
    headers = {"Authorization": f"Bearer {world.tokens['root']}"}
    for body, query in nasty_requests(route):
        answer = world.http.request(
            route.method,
            f"{world.url}{route.base_path}{path}",
            json=body,
            params=query,
            headers=headers,
        )
        assert answer.status_code < 500 or answer.status_code == 503, (body, query, answer.text)


def test_every_route_with_a_body_is_tried_with_nasty_ones() -> None:
    with_bodies = {
        f"{route.method} {route.path}"
        for route in ROUTES
        if route.method in ("POST", "PUT", "PATCH")
        and not route.path.endswith(
            ("/start", "/stop", "/logout", "/password", "/hold", "/release", "/end", "/goto")
        )
    }
    assert set(GOOD) == with_bodies
