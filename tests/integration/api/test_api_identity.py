"""Horses and corrections over the API: what is whose, what changes, who hears of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from barnhand_desktop.api.schemas import encode_cursor
from db.live.announcer import Announcer
from db.live.protocol import horse_state_key
from db.repositories.identity import PostgresIdentityRepository
from engine.domain.identity import Merge
from engine.domain.ids import FarmId, HorseId, StreamId, TrackId
from tests.fixtures_api import World, require_problem

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0 a small picture \xff\xd9"


@dataclass(frozen=True)
class Herd:
    """Three horses of the farm (the third known to the hidden camera only), one of another."""

    first: HorseId
    second: HorseId
    hidden: HorseId
    foreign: HorseId
    tracks: dict[HorseId, list[TrackId]]


@pytest.fixture
def herd(world: World) -> Iterator[Herd]:
    number = [int(uuid4().int % 1_000_000)]

    def horse(farm: FarmId, stream: StreamId, tracks: int) -> tuple[HorseId, list[TrackId]]:
        number[0] += 1
        horse_id, made = HorseId(uuid4()), []
        with world.pool.connection() as connection:
            connection.execute(
                "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex, status,"
                " first_seen_at, last_seen_at, avatar) VALUES (%s, %s, %s, %s, '#E5484D',"
                " 'guest', %s, %s, %s)",
                (horse_id, farm, number[0], f"horse_{number[0]}", NOON, NOON, JPEG),
            )
            for index in range(tracks):
                track = TrackId(uuid4())
                start = NOON + timedelta(minutes=10 * index + number[0] % 4)
                connection.execute(
                    "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at,"
                    " detections) SELECT %s, key, %s, 0, %s, %s, 50 FROM streams WHERE id = %s",
                    (track, index + 1, start, start + timedelta(minutes=1), stream),
                )
                connection.execute(
                    "INSERT INTO identity_spans (track_id, horse_id) VALUES (%s, %s)",
                    (track, horse_id),
                )
                made.append(track)
        return horse_id, made

    first, of_first = horse(world.farm, world.granted, 2)
    second, of_second = horse(world.farm, world.granted, 1)
    hidden, of_hidden = horse(world.farm, world.hidden, 1)
    foreign, of_foreign = horse(world.other_farm, world.foreign, 1)
    yield Herd(
        first,
        second,
        hidden,
        foreign,
        {first: of_first, second: of_second, hidden: of_hidden, foreign: of_foreign},
    )


def merged(world: World, herd: Herd, account: str = "manager", **more: object) -> dict[str, Any]:
    body = {"kept": str(herd.first), "absorbed": str(herd.second), **more}
    answer = world.request(account, "POST", "/tracking/merge", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_merge_is_previewed_done_undone_and_redone(world: World, herd: Herd) -> None:
    preview = merged(world, herd, dry_run=True)
    assert preview["command"] is None
    assert preview["effect"]["tracks"] == 1 and preview["effect"]["forbidden"] == ""
    command = merged(world, herd, expected=preview["effect"]["expected"])["command"]
    assert command["kind"] == "merge" and command["actor"] == "manager"
    assert set(command["horse_ids"]) == {str(herd.first), str(herd.second)}
    absorbed = world.request("viewer", "GET", f"/horses/{herd.second}").json()
    assert (absorbed["status"], absorbed["merged_into"]) == ("merged", str(herd.first))
    strips = world.request("viewer", "GET", f"/horses/{herd.first}/timeline").json()
    assert len(strips["presence"]) == 3 and strips["complete"]

    reference = {"command_id": command["command_id"]}
    undone = world.request("admin", "POST", "/tracking/undo", reference)
    assert undone.json()["command"]["undone_by"] == "admin"
    again = world.request("admin", "POST", "/tracking/undo", reference)
    require_problem(again, 409, "conflict")
    assert world.request("viewer", "GET", f"/horses/{herd.second}").json()["status"] == "guest"
    redone = world.request("manager", "POST", "/tracking/redo", reference)
    assert redone.status_code == 200, redone.text
    history = world.request("manager", "GET", f"/tracking/commands?horse_id={herd.first}").json()
    assert [item["command_id"] for item in history["items"]] == [command["command_id"]]


def test_a_change_made_meanwhile_is_a_conflict_that_names_it(world: World, herd: Herd) -> None:
    expected = merged(world, herd, dry_run=True)["effect"]["expected"]
    named = world.request("admin", "PATCH", f"/horses/{herd.first}", {"changes": {"name": "Bella"}})
    assert named.status_code == 200, named.text
    body = {"kept": str(herd.first), "absorbed": str(herd.second), "expected": expected}
    answer = world.request("manager", "POST", "/tracking/merge", body)
    require_problem(answer, 409, "conflict")
    assert "admin" in answer.json()["detail"]


def test_profiles_are_set_cleared_and_left_alone(world: World, herd: Herd) -> None:
    path = f"/horses/{herd.first}"
    world.request("manager", "PATCH", path, {"changes": {"name": "Bella", "height_cm": 162}})
    answer = world.request("manager", "PATCH", path, {"changes": {"name": None}})
    assert answer.status_code == 200, answer.text
    profile = world.request("viewer", "GET", path).json()["profile"]
    assert (profile["name"], profile["height_cm"]) == (None, 162)
    bad = world.request("manager", "PATCH", path, {"changes": {"height_cm": 4000}})
    require_problem(bad, 422, "validation_failed")
    accepted = world.request("manager", "POST", f"{path}/accept", {})
    assert accepted.json()["command"]["kind"] == "accept"
    assert world.request("viewer", "GET", path).json()["status"] == "active"


def test_split_reassign_swap_and_reject_are_commands(world: World, herd: Herd) -> None:
    track = str(herd.tracks[herd.first][1])
    at = (NOON + timedelta(minutes=5)).isoformat()
    early = (NOON - timedelta(minutes=1)).isoformat()
    acts: list[tuple[str, dict[str, object]]] = [
        ("split", {"horse_id": str(herd.first), "at": at, "scope": "everywhere"}),
        ("swap", {"first": str(herd.first), "second": str(herd.hidden), "at": early}),
        ("reassign", {"track_id": track, "horse_id": str(herd.second)}),
        ("reject", {"track_id": track, "horse_id": str(herd.second)}),
    ]
    done = []
    for path, body in acts:
        answer = world.request("manager", "POST", f"/tracking/{path}", body)
        assert answer.status_code == 200, answer.text
        done.append(answer.json()["command"]["command_id"])
    for command_id in reversed(done):
        answer = world.request("manager", "POST", "/tracking/undo", {"command_id": command_id})
        assert answer.status_code == 200, answer.text
    strips = world.request("manager", "GET", f"/horses/{herd.first}/timeline").json()["presence"]
    assert {strip["track_id"] for strip in strips} == {str(t) for t in herd.tracks[herd.first]}


def test_objects_of_another_farm_do_not_exist(world: World, herd: Herd) -> None:
    theirs, track = str(herd.foreign), str(herd.tracks[herd.foreign][0])
    mine = str(herd.first)
    command = world.request(
        "stranger", "PATCH", f"/horses/{theirs}", {"changes": {"name": "Odd"}}
    ).json()["command"]["command_id"]
    attempts: list[tuple[str, str, object]] = [
        ("GET", f"/horses/{theirs}", None),
        ("GET", f"/horses/{theirs}/avatar", None),
        ("GET", f"/horses/{theirs}/similar", None),
        ("GET", f"/horses/{theirs}/timeline", None),
        ("GET", f"/tracking/horses/{theirs}", None),
        ("PATCH", f"/horses/{theirs}", {"changes": {"name": "x"}}),
        ("POST", f"/horses/{theirs}/accept", {}),
        ("POST", "/tracking/merge", {"kept": mine, "absorbed": theirs}),
        ("POST", "/tracking/merge", {"kept": theirs, "absorbed": mine, "dry_run": True}),
        ("POST", "/tracking/reassign", {"track_id": track, "horse_id": mine}),
        ("POST", "/tracking/reject", {"track_id": track, "horse_id": mine}),
        ("POST", "/tracking/undo", {"command_id": command}),
        ("POST", "/tracking/redo", {"command_id": command}),
        ("GET", f"/tracking/commands?horse_id={theirs}", None),
        ("GET", f"/tracking/commands?cursor={encode_cursor(str(command))}", None),
        ("GET", f"/tracking/threshold?farm_id={world.other_farm}", None),
        ("GET", f"/tracking/horses?stream_id={world.foreign}", None),
        (
            "POST",
            "/tracking/swap",
            {"first": mine, "second": theirs, "at": NOON.isoformat()},
        ),
    ]
    for method, path, body in attempts:
        require_problem(world.request("manager", method, path, body), 404, "not_found")
        assert str(herd.foreign) not in world.request("manager", "GET", "/horses").text


def test_a_viewer_sees_strips_of_granted_cameras_only(world: World, herd: Herd) -> None:
    path = f"/horses/{herd.hidden}/timeline"
    assert world.request("viewer", "GET", path).json()["presence"] == []
    assert len(world.request("manager", "GET", path).json()["presence"]) == 1
    hidden = world.request("viewer", "GET", f"{path}?stream_id={world.hidden}")
    require_problem(hidden, 404, "not_found")


def test_the_list_is_filtered_and_paged(world: World, herd: Herd) -> None:
    world.request("manager", "PATCH", f"/horses/{herd.first}", {"changes": {"name": "Zora"}})
    found = world.request("viewer", "GET", "/horses?q=zor").json()["items"]
    assert str(herd.first) in {horse["id"] for horse in found}
    later = (NOON + timedelta(days=1)).isoformat().replace("+", "%2B")
    items = world.request("viewer", "GET", f"/horses?seen_since={later}").json()["items"]
    assert str(herd.first) not in {horse["id"] for horse in items}
    seen, cursor = set(), ""
    for _ in range(200):
        page = world.request("viewer", "GET", f"/horses?limit=2{cursor}").json()
        seen |= {horse["id"] for horse in page["items"]}
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert {str(herd.first), str(herd.second), str(herd.hidden)} <= seen


def test_the_avatar_is_a_picture_with_a_tag(world: World, herd: Herd) -> None:
    answer = world.request("viewer", "GET", f"/horses/{herd.first}/avatar")
    assert answer.headers["content-type"] == "image/jpeg" and answer.content == JPEG
    tag = {"If-None-Match": answer.headers["etag"]}
    again = world.request("viewer", "GET", f"/horses/{herd.first}/avatar", headers=tag)
    assert again.status_code == 304 and again.content == b""


def test_where_a_horse_is_now_comes_from_the_live_state(world: World, herd: Herd) -> None:
    def put(stream: StreamId, horse: HorseId, age_s: float) -> None:
        seen_at = datetime.now(UTC) - timedelta(seconds=age_s)
        world.redis.hset(
            horse_state_key(stream, horse),
            mapping={
                "bbox_xyxy_px": "[1, 2, 30, 40]",
                "confidence": "0.9",
                "score": "0.8",
                "track_id": str(herd.tracks[horse][0]),
                "seen_at": seen_at.isoformat(),
            },
        )

    put(world.granted, herd.first, 0.1)
    put(world.granted, herd.second, 5.0)
    put(world.hidden, herd.hidden, 0.1)
    world.redis.hset(horse_state_key(world.granted, herd.hidden), mapping={"seen_at": "never"})
    seen = {
        h["horse_id"]: h["state"] for h in world.request("viewer", "GET", "/tracking/horses").json()
    }
    assert seen[str(herd.first)] == "active" and seen[str(herd.second)] == "lost"
    assert str(herd.hidden) not in seen
    one = world.request("manager", "GET", f"/tracking/horses/{herd.hidden}").json()
    assert [state["stream_id"] for state in one["now"]] == [str(world.hidden)]


def test_the_threshold_is_kept_for_the_farm(world: World) -> None:
    before = world.request("manager", "GET", "/tracking/threshold").json()["threshold"]
    answer = world.request("manager", "POST", "/tracking/threshold", {"threshold": 0.81})
    assert answer.json() == {"threshold": 0.81}
    kept = world.request("manager", "GET", "/tracking/threshold").json()["threshold"]
    assert kept == pytest.approx(0.81, abs=1e-6)
    for wrong in (-0.1, 1.1, "x"):
        refused = world.request("manager", "POST", "/tracking/threshold", {"threshold": wrong})
        require_problem(refused, 422, "validation_failed")
    world.request("manager", "POST", "/tracking/threshold", {"threshold": before})


def test_reviews_are_answered_with_one_word(world: World, herd: Herd) -> None:
    review_id = uuid4()
    track = herd.tracks[herd.second][0]
    with world.pool.connection() as connection:
        connection.execute(
            "INSERT INTO reviews (id, farm_id, kind, track_id, horse_id, similarity, at)"
            " VALUES (%s, %s, 'match', %s, %s, 0.7, %s)",
            (review_id, world.farm, track, herd.first, NOON),
        )
    open_now = world.request("manager", "GET", "/tracking/reviews?limit=500").json()["items"]
    assert str(review_id) in {review["id"] for review in open_now}
    path = f"/tracking/reviews/{review_id}"
    require_problem(world.request("stranger", "POST", path, {"verdict": "same"}), 404, "not_found")
    answer = world.request("manager", "POST", path, {"verdict": "same"})
    assert answer.json()["command"]["kind"] == "reassign", answer.text
    stats = world.request("manager", "GET", "/tracking/stats").json()
    assert stats["reviews_same"] >= 1 and 0 < stats["review_precision"] <= 1
    timings = stats["timings"]
    assert set(timings) == {"identified_after_s_median", "identified_after_s_p95", "latency_ms"}


def test_places_and_farms_are_their_farms(world: World, herd: Herd) -> None:
    body = {
        "name": f"Stall {herd.first}",
        "kind": "stall",
        "stream_id": str(world.hidden),
        "region": [[0.1, 0.2], [0.9, 0.2], [0.5, 0.8]],
        "expected": str(herd.first),
    }
    made = world.request("manager", "POST", "/areas", body)
    assert made.status_code == 201, made.text
    area = made.json()
    path = f"/areas/{area['id']}"
    assert area["region"][2] == pytest.approx([0.5, 0.8])
    for stranger in ("viewer", "stranger"):
        require_problem(world.request(stranger, "GET", path), 404, "not_found")
        assert area["id"] not in world.request(stranger, "GET", "/areas").text
    foreign = {**body, "name": "other", "expected": str(herd.foreign)}
    require_problem(world.request("manager", "POST", "/areas", foreign), 404, "not_found")
    require_problem(world.request("manager", "POST", "/areas", body), 409, "conflict")
    change = {**{k: body[k] for k in ("name", "kind")}, "version": area["version"]}
    changed = world.request("manager", "PUT", path, change).json()
    assert changed["stream_id"] is None and changed["version"] > area["version"]
    require_problem(world.request("manager", "PUT", path, change), 409, "conflict")
    assert world.request("manager", "DELETE", path).status_code == 204
    require_problem(world.request("manager", "GET", path), 404, "not_found")

    farms = world.request("manager", "GET", "/farms").json()
    assert [farm["id"] for farm in farms] == [str(world.farm)]
    residents = {"name": farms[0]["name"], "expected_residents": 7}
    told = world.request("admin", "PUT", f"/farms/{world.farm}", residents)
    assert told.json()["expected_residents"] == 7
    require_problem(
        world.request("admin", "PUT", f"/farms/{world.other_farm}", residents), 404, "not_found"
    )
    require_problem(world.request("admin", "POST", "/farms", {"name": "x"}), 404, "not_found")
    world.request("admin", "PUT", f"/farms/{world.farm}", {"name": farms[0]["name"]})


def hears(socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first event that fits, within the socket's patience."""
    while True:
        event: dict[str, Any] = json.loads(socket.recv(timeout=10))
        if wanted(event):
            return event


@pytest.mark.parametrize("by", ["api", "console"])
def test_every_client_of_the_farm_hears_of_a_correction(world: World, herd: Herd, by: str) -> None:
    url = world.url.replace("http", "ws") + "/ws"
    with contextlib.ExitStack() as stack:
        opened = {
            account: stack.enter_context(
                connect(
                    url,
                    subprotocols=[
                        Subprotocol("barnhand.v1"),
                        Subprotocol(f"bearer.{world.tokens[account]}"),
                    ],
                )
            )
            for account in ("manager", "stranger")
        }
        for socket in opened.values():
            socket.send(json.dumps({"event": "subscribe", "data": {"channels": ["detections"]}}))
            hears(socket, lambda event: event["event"] == "subscribed")
        if by == "api":
            command = merged(world, herd)["command"]["command_id"]
        else:
            record = PostgresIdentityRepository(world.pool).apply(
                Merge(herd.first, herd.second), "office"
            )
            announcer = Announcer(world.config.live_url)
            assert announcer.corrected(record, "applied")
            announcer.close()
            command = str(record.id)
        told = hears(opened["manager"], lambda event: event["event"] == "track:updated")
        assert told["data"]["command_id"] == command and told["data"]["act"] == "applied"
        world.request("stranger", "PATCH", f"/horses/{herd.foreign}", {"changes": {"name": "Own"}})
        own = hears(opened["stranger"], lambda event: event["event"] == "track:updated")
        assert own["data"]["horse_ids"] == [str(herd.foreign)], "another farm's was heard"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kept": "x", "absorbed": "y"},
        {"kept": str(UUID(int=0)), "absorbed": str(UUID(int=0)), "reason": "\x00"},
        {"kept": str(UUID(int=0)), "absorbed": str(UUID(int=0)), "expected": {"a": 1}},
        {"kept": str(UUID(int=0)), "absorbed": str(UUID(int=0)), "fields": {"name": "\x07"}},
        {"kept": str(UUID(int=0)), "absorbed": str(UUID(int=0)), "surprise": 1},
    ],
)
def test_odd_bodies_are_refused(world: World, body: dict[str, object]) -> None:
    require_problem(
        world.request("manager", "POST", "/tracking/merge", body), 422, "validation_failed"
    )


def test_far_dates_and_merging_with_oneself_are_clear_refusals(world: World, herd: Herd) -> None:
    itself = {"kept": str(herd.first), "absorbed": str(herd.first)}
    require_problem(world.request("manager", "POST", "/tracking/merge", itself), 422, "refused")
    for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        body = {"horse_id": str(herd.first), "at": at, "scope": "everywhere"}
        answer = world.request("manager", "POST", "/tracking/split", body)
        assert answer.status_code in (200, 422), answer.text
