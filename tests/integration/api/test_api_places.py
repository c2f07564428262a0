"""Files and jobs of another workstation over the API of this one: it is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from db.queue.jobs import PostgresJobQueue
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.media_folders import PostgresMediaFolders
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.ids import FarmId
from engine.domain.recording import Chunk, ChunkId, ChunkState, JobId, JobState
from engine.domain.sessions import (
    Session,
    SessionId,
    SessionKind,
    SessionMode,
    SessionSource,
    SessionState,
)
from engine.recording.layout import media_id
from tests.fixtures_api import World, require_problem, run_server

START = datetime(2025, 4, 2, 12, tzinfo=UTC)
WHEN, LATER = "2025-04-02T12:00:00Z", "2025-04-02T12:00:10Z"
CODE = "on_other_workstation"


@dataclass
class Places:
    """The office's API, and what another workstation stored in the database they share."""

    world: World
    media: Path
    stud: UUID
    folders: PostgresMediaFolders

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """As the manager."""
        return self.world.request("manager", method, path, body)

    def theirs(self) -> Chunk:
        """A recording of the stud."""
        chunk_id = ChunkId(uuid4())
        chunk = Chunk(
            chunk_id, self.world.granted, START, START + timedelta(seconds=10),
            f"recordings/{chunk_id}.mp4", "h264", 640, 360, ChunkState.COMPLETE, moving=True,
        )  # fmt: skip
        PostgresChunkRepository(self.world.pool, self.stud).put(chunk)
        return chunk

    def refused(self, answer: httpx.Response) -> str:
        """The words of a refusal that names the stud."""
        require_problem(answer, 409, CODE)
        detail = str(answer.json()["detail"])
        assert "the workstation Stud" in detail
        return detail


@pytest.fixture(scope="module")
def places(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    media = tmp_path_factory.mktemp("places") / "media"
    media.mkdir()
    config = world.config.model_copy(update={"media_root": media})
    folders = PostgresMediaFolders(world.pool)
    stud = uuid4()
    folders.work(stud, "Stud")
    for url in run_server(config):
        yield Places(replace(world, url=url, config=config), media, stud, folders)
    with world.pool.connection() as connection:
        # Other files share the world.
        for table in ("media_folders", "sessions", "video_chunks", "jobs"):
            column = "id" if table == "media_folders" else "media_id"
            statement = f"DELETE FROM {table} WHERE {column} = ANY (%s)".encode()
            connection.execute(statement, ([stud, media_id(media)],))


@pytest.fixture(autouse=True)
def _stud_runs(places: Places) -> None:
    places.folders.work(places.stud, "Stud")


def test_a_recording_of_another_workstation_names_it(places: Places) -> None:
    chunk = places.theirs()
    assert places.ask("GET", f"/chunks/{chunk.id}").status_code == 200
    for path in (
        f"/chunks/{chunk.id}/video",
        f"/chunks/{chunk.id}/overlay",
        f"/streams/{chunk.stream_id}/hls/playlist.m3u8?start_time={WHEN}&end_time={LATER}",
    ):
        assert "Ask the API there." in places.refused(places.ask("GET", path))
    places.folders.leave(places.stud)
    words = places.refused(places.ask("GET", f"/chunks/{chunk.id}/video"))
    assert "does not run now" in words and "Start Barnhand there" in words


def test_a_recording_that_is_gone_is_not_found(places: Places) -> None:
    chunk = places.theirs()
    own = replace(chunk, id=ChunkId(uuid4()), path="recordings/gone.mp4")
    PostgresChunkRepository(places.world.pool, media_id(places.media)).put(own)
    require_problem(places.ask("GET", f"/chunks/{own.id}/video"), 404, "not_found")


def test_a_job_for_another_workstation_says_what_it_waits_for(places: Places) -> None:
    chunk = places.theirs()
    places.folders.leave(places.stud)
    asked = places.ask("POST", f"/chunks/{chunk.id}/reprocess")
    assert asked.status_code == 202, asked.text
    told: dict[str, Any] = asked.json()
    assert told["workstation"] == "Stud" and told["part_of"] is None
    assert told["message"] == "waits for Stud, which has the recordings"
    path = f"/jobs/{told['id']}"
    assert places.ask("GET", path).json()["message"] == told["message"]
    places.folders.work(places.stud, "Stud")
    assert places.ask("GET", path).json()["message"] == ""
    assert places.ask("POST", f"{path}/cancel").json()["state"] == "cancelled"


def test_an_export_of_another_workstation_is_fetched_and_removed_there(places: Places) -> None:
    chunk = places.theirs()
    body = {"kind": "clip", "start_time": WHEN, "end_time": LATER,
            "stream_ids": [str(chunk.stream_id)]}  # fmt: skip
    asked = places.ask("POST", "/exports", body).json()
    assert asked["workstation"] == "Stud"
    queue = PostgresJobQueue(places.world.pool, home=lambda: places.stud)
    queue.end(JobId(UUID(asked["id"])), JobState.DONE, "", {"path": "exports/clip.mp4"})
    assert places.ask("GET", f"/exports/{asked['id']}").json()["state"] == "done"
    places.refused(places.ask("GET", f"/exports/{asked['id']}/download"))
    places.refused(places.ask("DELETE", f"/exports/{asked['id']}"))
    assert places.ask("GET", f"/exports/{asked['id']}").status_code == 200


def test_a_table_is_made_where_it_was_asked_for(places: Places) -> None:
    body = {"kind": "csv", "start_time": WHEN, "end_time": LATER}
    assert places.ask("POST", "/exports", body).json()["workstation"] == ""
    places.folders.work(media_id(places.media), "Office")
    assert places.ask("POST", "/exports", body).json()["workstation"] == "Office"
    with places.world.pool.connection() as connection:
        connection.execute("DELETE FROM media_folders WHERE workstation = 'Office'")


def test_files_of_another_workstation_s_session_name_it(places: Places) -> None:
    sessions = PostgresSessionRepository(places.world.pool, lambda: places.stud)
    session = Session(
        SessionId(uuid4()), FarmId(places.world.farm), "Trot up", SessionKind.TROT_UP,
        SessionSource.UPLOAD, SessionMode.TRAINING, SessionState.QUEUED, START, "Anna", START,
        video="sessions/x/video.mp4",
    )  # fmt: skip
    sessions.add(session)
    places.refused(places.ask("GET", f"/sessions/{session.id}/video"))
    require_problem(places.ask("GET", f"/sessions/{session.id}/report"), 404, "not_found")
    places.refused(places.ask("DELETE", f"/sessions/{session.id}"))
    again = places.ask("POST", f"/sessions/{session.id}/analyse")
    assert again.status_code == 202, again.text
    places.folders.leave(places.stud)
    told = places.ask("GET", f"/sessions/{session.id}").json()
    assert told["state"] == "queued"
    assert places.ask("DELETE", f"/sessions/{session.id}").status_code == 204
    assert told["message"] == "waits for Stud, which has the recordings"


def test_a_video_that_nobody_would_look_at_is_not_taken(places: Places) -> None:
    def upload() -> httpx.Response:
        return places.world.http.post(
            f"{places.world.base}/sessions/upload",
            files={
                "description": (None, json.dumps({"title": "Trot up"})),
                "file": ("a.mp4", b"no video"),
            },
            headers={"Authorization": f"Bearer {places.world.tokens['manager']}"},
            timeout=60,
        )

    refused = upload()
    require_problem(refused, 503, "unavailable")
    assert "No workstation works on this server's media folder" in refused.json()["detail"]
    office = media_id(places.media)
    places.folders.work(office, "Office")
    taken = upload()
    assert taken.status_code == 201, taken.text
    job = places.ask("GET", "/jobs?kind=session&state=queued").json()["items"][0]
    assert job["workstation"] == "Office"
