"""Pictures that people choose for horses, farms that come and go, exports that are put away."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from uuid import UUID, uuid4

import cv2
import numpy as np
import pytest

from barnhand_desktop.api.avatars import MOST_BYTES, SIDE_PX, small_jpeg
from barnhand_desktop.api.problems import Problem
from db.pool import transaction
from db.queries import queries
from db.queue.jobs import PostgresJobQueue
from engine.domain.recording import JobId, JobKind, JobState
from tests.fixtures_api import World, require_problem


def picture(width: int, height: int, ending: str = ".jpg") -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    made, encoded = cv2.imencode(ending, noise)
    assert made
    return encoded.tobytes()


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is that large and holds nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_picture_is_made_small(ending: str) -> None:
    jpeg = small_jpeg(picture(1400, 700, ending))
    sides = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert sides == (SIDE_PX // 2, SIDE_PX) and len(jpeg) <= MOST_BYTES


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"GIF89a", b"\xff\xd8", b"\xff\xd8\xff\xe0\xff\xff", picture(40, 40)[:60],
        png_of(60_000, 60_000), png_of(0, 5), png_of(10, 10), b"<svg/>", b"\x00" * 100,
    ],
)  # fmt: skip
def test_what_is_no_picture_or_too_large_a_one_is_refused(sent: bytes) -> None:
    with pytest.raises(Problem) as caught:
        small_jpeg(sent)
    assert (caught.value.status, caught.value.code) == (422, "avatar_refused")


@pytest.fixture
def horse(world: World) -> Iterator[UUID]:
    """A horse with one track that has a crop."""
    horse, track = uuid4(), uuid4()
    with world.pool.connection() as connection:
        connection.execute(
            "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex) "
            "VALUES (%s, %s, %s, %s, '#aabbcc')",
            (horse, world.farm, horse.int % 1_000_000, f"h{horse.hex[:8]}"),
        )
        connection.execute(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, crop, "
            "crop_score) SELECT %s, key, 1, 0, now(), now(), 'crop', 0.9 FROM streams "
            "WHERE id = %s",
            (track, world.granted),
        )
        connection.execute(
            "INSERT INTO identity_spans (track_id, horse_id) VALUES (%s, %s)", (track, horse)
        )
    yield horse
    with world.pool.connection() as connection:
        connection.execute("DELETE FROM identity_spans WHERE horse_id = %s", (horse,))
        connection.execute("DELETE FROM tracks WHERE id = %s", (track,))
        connection.execute("DELETE FROM horses WHERE id = %s", (horse,))


def put(world: World, account: str, horse: UUID, content: bytes, kind: str = "image/jpeg") -> int:
    headers = {"Authorization": f"Bearer {world.tokens[account]}", "Content-Type": kind}
    url = f"{world.base}/horses/{horse}/avatar"
    return world.http.put(url, content=content, headers=headers).status_code


def test_a_chosen_picture_stays_until_it_is_put_away(world: World, horse: UUID) -> None:
    path = f"/horses/{horse}/avatar"
    require_problem(world.request("viewer", "GET", path), 404, "no_avatar")
    assert put(world, "manager", horse, picture(800, 600)) == 204
    chosen = world.request("viewer", "GET", path)
    assert chosen.headers["content-type"] == "image/jpeg" and len(chosen.content) <= MOST_BYTES
    with transaction(world.pool, "testing") as connection:
        again = {"horse_ids": [horse], "command": None}
        connection.execute(queries("recomputation")["avatars"], again)
    assert world.request("viewer", "GET", path).content == chosen.content, "a crop took its place"
    same = {"If-None-Match": chosen.headers["etag"]}
    assert world.request("viewer", "GET", path, headers=same).status_code == 304
    assert world.request("manager", "DELETE", path).status_code == 204
    assert world.request("viewer", "GET", path).content == b"crop"
    rows = world.request("root", "GET", "/audit?limit=50").json()["items"]
    actions = {row["action"] for row in rows if row["object_id"] == str(horse)}
    assert actions == {"horse.avatar", "horse.avatar.forget"}


def test_pictures_are_the_managers_and_of_their_farm(world: World, horse: UUID) -> None:
    jpeg = picture(20, 20)
    assert put(world, "viewer", horse, jpeg) == 403
    assert put(world, "stranger", horse, jpeg) == 404
    assert put(world, "manager", horse, jpeg, "text/plain") == 415
    assert put(world, "manager", horse, b"\xff\xd8" + b"x" * 1_100_000) == 413


def test_a_farm_is_made_read_and_removed_when_it_is_empty(world: World) -> None:
    farm = world.request("root", "POST", "/farms", {"name": "Far field"}).json()
    path = f"/farms/{farm['id']}"
    assert world.request("root", "GET", path).json()["name"] == "Far field"
    require_problem(world.request("admin", "GET", path), 404, "not_found")
    require_problem(world.request("admin", "DELETE", path), 404, "not_found")
    stream = {"name": "Gate", "address": "rtsp://192.0.2.9/live", "farm_id": farm["id"]}
    assert world.request("root", "POST", "/streams", stream).status_code == 201
    require_problem(world.request("root", "DELETE", path), 409, "farm_not_empty")
    own = world.request("root", "DELETE", f"/farms/{world.farm}")
    require_problem(own, 409, "farm_not_empty")
    empty = world.request("root", "POST", "/farms", {"name": "Empty"}).json()["id"]
    assert world.request("root", "DELETE", f"/farms/{empty}").status_code == 204
    require_problem(world.request("root", "GET", f"/farms/{empty}"), 404, "not_found")


def test_a_farm_with_accounts_is_not_removed(world: World) -> None:
    farm = world.request("root", "POST", "/farms", {"name": "Peopled"}).json()["id"]
    user = {
        "username": f"u{uuid4().hex[:10]}", "password": "a long enough one", "role": "viewer",
        "farm_id": farm,
    }  # fmt: skip
    made = world.request("root", "POST", "/users", user)
    assert made.status_code == 201
    require_problem(world.request("root", "DELETE", f"/farms/{farm}"), 409, "farm_not_empty")
    assert world.request("root", "GET", f"/users/{made.json()['id']}").status_code == 200


def test_jobs_are_asked_for_by_kind_and_state_and_exports_put_away(world: World) -> None:
    queue = PostgresJobQueue(world.pool)
    waiting = queue.submit(JobKind.EXPORT, "Clip", {}, "Anna", world.farm)
    done = queue.submit(JobKind.EXPORT, "Table", {}, "Anna", world.farm)
    queue.end(JobId(done.id), JobState.DONE, "", {})

    def ids(query: str) -> set[str]:
        answer = world.request("manager", "GET", f"/jobs?limit=1000&{query}")
        assert answer.status_code == 200, answer.text
        return {one["id"] for one in answer.json()["items"]}

    assert {str(waiting.id), str(done.id)} <= ids("kind=export")
    assert not {str(waiting.id), str(done.id)} & ids("kind=reanalyse")
    assert str(done.id) in ids("state=done&state=failed") and str(waiting.id) in ids("state=queued")
    assert str(waiting.id) not in ids("state=done")
    require_problem(world.request("manager", "GET", "/jobs?state=nearly"), 422)
    running = world.request("manager", "DELETE", f"/exports/{waiting.id}")
    require_problem(running, 409, "export_running")
    require_problem(world.request("stranger", "GET", f"/exports/{done.id}"), 404)
    assert world.request("manager", "GET", f"/exports/{done.id}").json()["title"] == "Table"
    assert world.request("manager", "DELETE", f"/exports/{done.id}").status_code == 204
    require_problem(world.request("manager", "GET", f"/exports/{done.id}"), 404, "not_found")
    world.request("manager", "POST", f"/jobs/{waiting.id}/cancel")
