"""Jobs, exports, bookmarks and edits over the API: who may, what is checked, what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from db.live.protocol import job_update
from db.queue.jobs import PostgresJobQueue
from db.repositories.chunks import PostgresChunkRepository
from engine.domain.ids import FarmId, StreamId
from engine.domain.recording import (
    Chunk,
    ChunkId,
    ChunkState,
    Job,
    JobId,
    JobKind,
    JobState,
)
from tests.fixtures_api import World, require_problem, run_server

START = datetime(2025, 4, 1, 12, tzinfo=UTC)
WHEN, LATER = "2025-04-01T12:00:00Z", "2025-04-01T12:00:10Z"
EXPORT = {"kind": "csv", "start_time": WHEN, "end_time": LATER}
BOX = [10, 10, 60, 60]


def store_chunk(world: World, stream_id: StreamId) -> Chunk:
    chunk_id = ChunkId(uuid4())
    chunk = Chunk(
        chunk_id, stream_id, START, START + timedelta(seconds=10), f"recordings/{chunk_id}.mp4",
        "h264", 640, 360, ChunkState.COMPLETE, moving=True,
    )  # fmt: skip
    PostgresChunkRepository(world.pool).put(chunk)
    return chunk


def store_track(world: World, stream_id: StreamId) -> UUID:
    track = uuid4()
    with world.pool.connection() as connection:
        connection.execute(
            "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at) "
            "SELECT %s, key, 77, 0, %s, %s FROM streams WHERE id = %s",
            (track, START, START + timedelta(seconds=9), stream_id),
        )
        connection.execute(
            "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, class_id, "
            "model_key, skeleton_key, flags) SELECT %s, %s, key, 1, 2, 30, 40, 9000, 0, 0, 0, 0 "
            "FROM streams WHERE id = %s",
            (START + timedelta(seconds=3), track, stream_id),
        )
    return track


@pytest.fixture(scope="module", autouse=True)
def _leave_as_found(world: World) -> Iterator[None]:
    """Other files share the world: chunks, tracks and horses made here go again."""
    kinds = ("video_chunks", "tracks", "horses")

    def ids(table: str) -> set[UUID]:
        with world.pool.connection() as connection:
            rows = connection.execute(f"SELECT id FROM {table}".encode()).fetchall()
        return {next(iter(row.values())) if isinstance(row, dict) else row[0] for row in rows}

    before = {table: ids(table) for table in kinds}
    yield
    made = {table: [*(ids(table) - before[table])] for table in kinds}
    with world.pool.connection() as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role TO replica")
        for table in ("detections", "identity_spans"):
            statement = f"DELETE FROM {table} WHERE track_id = ANY(%s)".encode()
            connection.execute(statement, (made["tracks"],))
        for table in kinds:
            statement = f"DELETE FROM {table} WHERE id = ANY(%s)".encode()
            connection.execute(statement, (made[table],))


def audited(world: World, action: str, object_id: str) -> bool:
    rows = world.request("root", "GET", "/audit?limit=100").json()["items"]
    return any(row["action"] == action and row["object_id"] == object_id for row in rows)


@pytest.fixture(scope="module")
def served(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same world over a server that has a media folder."""
    media = tmp_path_factory.mktemp("exports") / "media"
    media.mkdir()
    config = world.config.model_copy(update={"media_root": media})
    for url in run_server(config):
        yield replace(world, url=url, config=config)


@pytest.fixture
def queue(world: World) -> PostgresJobQueue:
    return PostgresJobQueue(world.pool)


def test_a_job_is_seen_and_cancelled_by_its_farm_only(
    world: World, queue: PostgresJobQueue
) -> None:
    job = queue.submit(JobKind.EXPORT, "Clip", {}, "Anna", world.farm)
    assert world.request("manager", "GET", f"/jobs/{job.id}").json()["title"] == "Clip"
    listed = world.request("manager", "GET", "/jobs?active_only=true").json()["items"]
    assert str(job.id) in {one["id"] for one in listed}
    foreign = world.request("stranger", "GET", "/jobs").json()["items"]
    assert str(job.id) not in {one["id"] for one in foreign}
    require_problem(world.request("stranger", "GET", f"/jobs/{job.id}"), 404, "not_found")
    answer = world.request("stranger", "POST", f"/jobs/{job.id}/cancel")
    require_problem(answer, 404, "not_found")
    cancelled = world.request("manager", "POST", f"/jobs/{job.id}/cancel").json()
    assert cancelled["state"] == "cancelled" and audited(world, "job.cancel", str(job.id))


def test_an_export_is_asked_for_done_and_downloaded(served: World, queue: PostgresJobQueue) -> None:
    world = served
    asked = world.request("manager", "POST", "/exports", EXPORT)
    assert asked.status_code == 202, asked.text
    job_id = asked.json()["id"]
    assert audited(world, "export.ask", job_id)
    not_done = world.request("manager", "GET", f"/exports/{job_id}/download")
    require_problem(not_done, 404, "not_found")
    media = world.config.media_root
    assert media is not None
    (media / "exports").mkdir(parents=True, exist_ok=True)
    (media / "exports" / "x.csv").write_text("a,b\n1,2\n")
    job = queue.get(JobId(UUID(job_id)))
    made = {"path": "exports/x.csv", "name": "bella.csv", "sha256": "ab", "rows": {"bouts": 1}}
    queue.end(job.id, JobState.DONE, "", made)
    listed = world.request("manager", "GET", "/exports").json()["items"]
    mine = next(one for one in listed if one["id"] == job_id)
    assert mine["result"] == {key: value for key, value in made.items() if key != "path"}
    file = world.request("manager", "GET", f"/exports/{job_id}/download")
    assert file.text == "a,b\n1,2\n" and "bella.csv" in file.headers["content-disposition"]
    assert audited(world, "export.download", job_id)
    require_problem(
        world.request("stranger", "GET", f"/exports/{job_id}/download"), 404, "not_found"
    )


@pytest.mark.parametrize("path", ["../secret.txt", "exports/../../secret.txt", "/etc/passwd", ""])
def test_a_download_never_leaves_the_folder_of_exports(
    served: World, queue: PostgresJobQueue, path: str
) -> None:
    world = served
    media = world.config.media_root
    assert media is not None
    (media.parent / "secret.txt").write_text("secret")
    job = queue.submit(JobKind.EXPORT, "x", {}, "Anna", world.farm)
    queue.end(job.id, JobState.DONE, "", {"path": path})
    answer = world.request("manager", "GET", f"/exports/{job.id}/download")
    require_problem(answer, 404, "not_found")


def test_what_an_export_names_is_checked_before_it_is_queued(world: World) -> None:
    for wrong in ({"stream_ids": [str(world.foreign)]}, {"horse_id": str(uuid4())}):
        answer = world.request("manager", "POST", "/exports", EXPORT | wrong)
        require_problem(answer, 404, "not_found")
    backwards = EXPORT | {"start_time": LATER, "end_time": WHEN}
    assert world.request("manager", "POST", "/exports", backwards).status_code == 422
    for account in ("viewer",):
        require_problem(world.request(account, "POST", "/exports", EXPORT), 403, "forbidden")


def test_bookmarks_are_made_changed_and_removed(world: World) -> None:
    body = {
        "title": "Colic?", "start_time": WHEN, "end_time": LATER,
        "stream_ids": [str(world.granted)], "locked": True, "note": "walks in circles",
    }  # fmt: skip
    chunk = store_chunk(world, world.granted)
    made = world.request("manager", "POST", "/bookmarks", body)
    assert made.status_code == 201, made.text
    path = f"/bookmarks/{made.json()['id']}"
    assert world.request("manager", "GET", f"/chunks/{chunk.id}").json()["locked"] is True
    listed = world.request("manager", "GET", f"/bookmarks?start_time={WHEN}").json()["items"]
    assert made.json() in listed
    changed = world.request("admin", "PUT", path, body | {"locked": False, "title": "No colic"})
    assert changed.json()["title"] == "No colic"
    assert changed.json()["created_by"] == made.json()["created_by"]
    assert world.request("manager", "GET", f"/chunks/{chunk.id}").json()["locked"] is False
    for method, sent in (("GET", None), ("PUT", body), ("DELETE", None)):
        require_problem(world.request("stranger", method, path, sent), 404, "not_found")
    foreign = body | {"stream_ids": [str(world.foreign)]}
    require_problem(world.request("manager", "POST", "/bookmarks", foreign), 404, "not_found")
    assert world.request("manager", "DELETE", path).status_code == 204
    require_problem(world.request("manager", "GET", path), 404, "not_found")
    assert audited(world, "bookmark.remove", made.json()["id"])


def test_a_recording_is_analysed_again_once(world: World, queue: PostgresJobQueue) -> None:
    chunk = store_chunk(world, world.granted)
    first = world.request("manager", "POST", f"/chunks/{chunk.id}/reprocess")
    again = world.request("manager", "POST", f"/chunks/{chunk.id}/reprocess")
    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]
    job = queue.list(FarmId(world.farm))[0]
    assert job.arguments == {"chunk_id": str(chunk.id)} and job.kind is JobKind.REANALYSE
    hidden = store_chunk(world, world.foreign)
    answer = world.request("manager", "POST", f"/chunks/{hidden.id}/reprocess")
    require_problem(answer, 404, "not_found")


def test_detections_are_edited_and_put_back(world: World) -> None:
    chunk, track = store_chunk(world, world.granted), store_track(world, world.granted)
    base = f"/chunks/{chunk.id}/edits"
    at = (START + timedelta(seconds=3)).isoformat()
    move = {"edit": "move", "at": at, "track_id": str(track), "box_xyxy_px": BOX}
    nobody = {"edit": "delete", "at": at, "track_id": str(uuid4())}
    looked = world.request("manager", "POST", f"{base}/preview", {"edits": [move, nobody]}).json()
    assert (looked["detections"], looked["tracks"]) == (1, 1) and list(looked["refused"]) == ["1"]
    refused = world.request("manager", "POST", base, {"edits": [move, nobody]})
    assert refused.status_code == 422 and "Edit 2 of 2" in refused.text
    done = world.request("manager", "POST", base, {"edits": [move], "reason": "off"}).json()
    seen = world.request("manager", "GET", f"/detections?stream_id={world.granted}&start_time={at}"
                         .replace("+", "%2B")).json()["items"]  # fmt: skip
    assert [row["bbox_xyxy_px"] for row in seen if row["track_id"] == str(track)] == [BOX]
    listed = world.request("manager", "GET", base).json()["items"]
    assert [row["id"] for row in listed] == [done["id"]]
    assert audited(world, "chunk.edit", str(chunk.id))
    other = store_chunk(world, world.granted)
    wrong = world.request(
        "manager", "POST", f"/chunks/{other.id}/edits/undo", {"edit_id": done["id"]}
    )
    require_problem(wrong, 404, "not_found")
    undone = world.request("manager", "POST", f"{base}/undo", {"edit_id": done["id"]}).json()
    assert undone["undone_by"]
    twice = world.request("manager", "POST", f"{base}/undo", {"edit_id": done["id"]})
    assert twice.status_code == 409
    missing = world.request("manager", "POST", base, {"edits": [{"edit": "move", "at": at}]})
    require_problem(missing, 422, "validation_failed")
    require_problem(world.request("stranger", "GET", base), 404, "not_found")


def test_a_job_s_title_and_result_stay_off_the_live_channel(world: World) -> None:
    job = Job(
        JobId(uuid4()), world.farm, JobKind.EXPORT, "Bella limps", JobState.DONE, 1.0, "", "Anna",
        START, result={"path": "x"},
    )  # fmt: skip
    assert "Bella" not in str(job_update(job)) and "path" not in str(job_update(job))
