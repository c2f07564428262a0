"""What is cleared away once a day, and what stays."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import pytest

from barnhand_desktop.backup.dump import never
from barnhand_desktop.backup.housekeeping import (
    LARGE_AVATAR_BYTES,
    ClearedRows,
    Housekeeping,
    OldExports,
    Task,
    tasks,
    thinner,
)
from db.repositories.avatars import CHOSEN
from db.repositories.farms import DEFAULT_FARM
from tests.fixtures_identity import IdentityBarn
from tests.helpers.frame_results import START

NOW = START + timedelta(days=200)
LONG_AGO = START
LATELY = NOW - timedelta(days=20)


def picture(side_px: int = 500) -> bytes:
    noise = np.random.default_rng(side_px).integers(0, 255, (side_px, side_px // 2, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 50])[1])


def width_and_height(jpeg: bytes) -> tuple[int, int]:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.shape[1], image.shape[0]


@pytest.fixture
def barn(postgres_dsn: str) -> Iterator[IdentityBarn]:
    barn = IdentityBarn(postgres_dsn)
    yield barn
    barn.close()


def test_strides_go_with_their_detections(barn: IdentityBarn) -> None:
    track = barn.track(barn.camera("stall"), 0, 10)
    for at in (LONG_AGO, NOW - timedelta(days=91), NOW - timedelta(days=89), NOW):
        barn.run(
            "INSERT INTO strides SELECT %s, %s, %s, %s, 1, 2, 3, 1, 0, 0, 0, 0, 1, 1, 0, true, "
            "false, '{1,1,1,1}', '{0,0,0,0}', '{0,0}'",
            uuid4(), track, at, at,
        )  # fmt: skip
    rows = ClearedRows(barn.pool, 90)
    assert rows.strides(NOW, never) == {"strides": 2}
    assert rows.strides(NOW, never) == {"strides": 0}
    left = [row["start_at"] for row in barn.ask("SELECT start_at FROM strides ORDER BY 1")]
    assert left == [NOW - timedelta(days=89), NOW]


def test_pictures_of_forgotten_horses_are_thinned_and_never_taken(barn: IdentityBarn) -> None:
    camera = barn.camera("stall")
    large = picture()
    assert len(large) > LARGE_AVATAR_BYTES
    small = thinner(picture(100)) or b""
    forgotten = barn.horse("Gone", last_seen_at=LONG_AGO, avatar=large, avatar_score=9)
    little = barn.horse("Small", last_seen_at=LONG_AGO, avatar=small, avatar_score=9)
    chosen = barn.horse("Dear", last_seen_at=LONG_AGO, avatar=large, avatar_score=CHOSEN)
    present = barn.horse("Here", "active", last_seen_at=LATELY, avatar=large, avatar_score=9)
    tracks = [
        barn.track(camera, n * 20, n * 20 + 10, forgotten, crop=large, crop_score=n)
        for n in range(6)
    ]
    shared = barn.track(camera, 300, 310, forgotten, crop=large, crop_score=0.5)
    barn.run(
        "INSERT INTO identity_spans (track_id, horse_id, valid_from) VALUES (%s, %s, %s)",
        shared, present, LONG_AGO + timedelta(seconds=305),
    )  # fmt: skip
    kept = barn.track(camera, 400, 410, present, crop=large, crop_score=1)
    rows = ClearedRows(barn.pool, 90)
    assert rows.pictures(NOW, never) == {"avatars": 1, "crops": 3}
    assert rows.pictures(NOW, never) == {"avatars": 0, "crops": 0}
    avatars = {row["id"]: row["avatar"] for row in barn.ask("SELECT id, avatar FROM horses")}
    thin = bytes(avatars[forgotten])
    assert width_and_height(thin) == (64, 128) and len(thin) < LARGE_AVATAR_BYTES
    assert bytes(avatars[little]) == small
    assert bytes(avatars[chosen]) == large and bytes(avatars[present]) == large
    left = {row["id"] for row in barn.ask("SELECT id FROM tracks WHERE crop IS NOT NULL")}
    assert left == {*tracks[3:], shared, kept}


def test_what_is_no_picture_stays_as_it_is(barn: IdentityBarn) -> None:
    barn.horse("Odd", last_seen_at=LONG_AGO, avatar=b"x" * 20_000)
    assert ClearedRows(barn.pool, 90).pictures(NOW, never)["avatars"] == 0
    assert bytes(barn.ask("SELECT avatar FROM horses")[0]["avatar"]) == b"x" * 20_000


def test_old_exports_are_removed_and_their_jobs_say_so(barn: IdentityBarn, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    for name, age in (
        ("old.mp4", 31),
        ("young.mp4", 29),
        ("busy.mp4.part", 40),
        ("orphan.pdf", 99),
    ):
        path = folder / name
        path.write_bytes(b"1234")
        at = (NOW - timedelta(days=age)).timestamp()
        os.utime(path, (at, at))
    (tmp_path / "recording.mp4").write_bytes(b"1")
    os.utime(tmp_path / "recording.mp4", (0, 0))
    for name in ("old.mp4", "young.mp4"):
        barn.run(
            "INSERT INTO jobs (id, farm_id, kind, title, urgent, actor, state, ended_at, result) "
            "VALUES (%s, %s, 'export', 'x', true, 'anna', 'done', now(), %s)",
            uuid4(), DEFAULT_FARM, json.dumps({"path": f"exports/{name}", "sha256": name}),
        )  # fmt: skip
    exports = OldExports(barn.pool, tmp_path, 30)
    assert exports.remove(NOW, never) == {"exports": 2}
    assert exports.remove(NOW, never) == {"exports": 0}
    assert sorted(p.name for p in folder.iterdir()) == ["busy.mp4.part", "young.mp4"]
    assert (tmp_path / "recording.mp4").exists()
    results = {r["result"]["sha256"]: r["result"] for r in barn.ask("SELECT result FROM jobs")}
    assert "path" not in results["old.mp4"] and "removed_at" in results["old.mp4"]
    assert results["young.mp4"]["path"] == "exports/young.mp4"


def test_each_task_once_a_day_by_one_node_and_noted(barn: IdentityBarn) -> None:
    from datetime import UTC, datetime

    ran: list[str] = []

    def node(name: str) -> Housekeeping:
        def farm(now: object, cancelled: object) -> dict[str, int]:
            ran.append(f"farm by {name}")
            return {"rows": 3}

        def disk(now: object, cancelled: object) -> dict[str, int]:
            ran.append(f"disk of {name}")
            return {"files": 0}

        todo = (Task("farm", farm), Task("disk", disk, on_every_node=True))
        return Housekeeping(barn.dsn, barn.pool, todo)

    now = datetime.now(UTC)
    due = now - timedelta(minutes=5)
    one, two = node("one"), node("two")
    for housekeeping in (one, two, one, two):
        housekeeping.look(due, now, never)
    assert ran == ["farm by one", "disk of one", "disk of two"]
    noted = barn.ask("SELECT action, object_id, details FROM audit_log ORDER BY id")
    assert noted == [{"action": "housekeeping.run", "object_id": "farm", "details": {"rows": 3}}]
    two.look(now + timedelta(hours=1), now + timedelta(hours=2), never)
    assert ran[3:] == ["farm by two", "disk of two"], "the next day"


def test_one_task_that_fails_does_not_keep_the_others(
    barn: IdentityBarn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from engine.domain.errors import EnvironmentFault

    def fails(now: object, cancelled: object) -> dict[str, int]:
        raise EnvironmentFault("The disk is tired.")

    todo = (Task("first", fails), *tasks(barn.pool, tmp_path, 90, 30))
    Housekeeping(barn.dsn, barn.pool, todo).look(NOW - timedelta(hours=1), NOW, never)
    assert "The disk is tired." in caplog.text
    noted = [row["object_id"] for row in barn.ask("SELECT object_id FROM audit_log ORDER BY id")]
    assert noted == ["strides", "detections", "pictures"]
