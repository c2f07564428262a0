"""A video goes in over the API, a job looks at it with the real models, figures come out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from barnhand_desktop.jobs.reanalysis import Reanalysis
from barnhand_desktop.jobs.session_stretch import StretchStores
from barnhand_desktop.jobs.sessions import SessionAnalysis, SessionStores
from barnhand_desktop.model_store import open_model_store
from barnhand_desktop.settings.folders import folders_of
from barnhand_desktop.settings.schema import Settings
from db.queue.jobs import PostgresJobQueue
from db.queue.node import JobNode
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.horses import PostgresHorseRepository
from db.repositories.motion import PostgresMotionRepository
from db.repositories.sessions import PostgresSessionRepository
from db.repositories.stored_past import PostgresStoredPast
from db.repositories.streams import PostgresStreamRepository
from engine.domain.recording import JobKind
from engine.models.model_set import load_models
from engine.runtime.clock import SystemClock
from engine.settings import EngineSettings
from tests.fixtures_api import World, require_problem, run_server
from tests.helpers.session_clip import ClipTruth, passing_clip
from tests.helpers.waiting import wait_until

JOB_S = 240.0


@dataclass
class Sessions:
    """A server with a media folder and a node that does its jobs."""

    world: World
    media: Path

    def upload(
        self, file: tuple[str, bytes], account: str = "manager", **said: object
    ) -> httpx.Response:
        """Send a video with a description."""
        description = json.dumps({"title": "Session", **said})
        return self.world.http.post(
            f"{self.world.base}/sessions/upload",
            files={"description": (None, description), "file": file},
            headers={"Authorization": f"Bearer {self.world.tokens[account]}"},
            timeout=60,
        )

    def get(self, path: str, account: str = "manager") -> httpx.Response:
        """A GET below /sessions."""
        return self.world.request(account, "GET", f"/sessions{path}")

    def state(self, session_id: str) -> dict[str, Any]:
        """The session as it is answered."""
        told: dict[str, Any] = self.get(f"/{session_id}").json()
        return told

    def ended(self, session_id: str) -> dict[str, Any]:
        """The session once its job is over."""
        over = ("done", "failed", "cancelled")
        wait_until(lambda: self.state(session_id)["state"] in over, JOB_S)
        return self.state(session_id)


@pytest.fixture(scope="module")
def sessions(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    folder = tmp_path_factory.mktemp("sessions")
    media = folder / "media"
    media.mkdir()
    folders = folders_of(Settings(), {"BARNHAND_DATA_DIR": str(folder / "data")})
    pool, clock = world.pool, SystemClock()
    queue = PostgresJobQueue(pool)
    streams = PostgresStreamRepository(pool, world.config.credential_key.encode())
    motion, chunks = PostgresMotionRepository(pool), PostgresChunkRepository(pool)
    past = PostgresStoredPast(pool)
    lane = Reanalysis(
        media, chunks, streams, past, motion, EngineSettings,
        lambda settings: load_models(settings, open_model_store(folders), clock),
        lambda _chunk: None,
    )  # fmt: skip
    analysis = SessionAnalysis(
        media,
        SessionStores(
            PostgresSessionRepository(pool), streams, PostgresHorseRepository(pool),
            StretchStores(motion, chunks, past, streams),
        ),
        lane, lambda: 1.6, clock, "Barnhand test",
    )  # fmt: skip
    node = JobNode(
        world.config.dsn, queue, {JobKind.SESSION: analysis.analyse}, at_rest=lane.at_rest
    )
    node.start()
    config = world.config.model_copy(update={"media_root": media, "session_upload_mb": 8})
    for url in run_server(config):
        yield Sessions(replace(world, url=url, config=config), media)
    assert not node.stop(20.0)
    with pool.connection() as connection:
        connection.execute("DELETE FROM sessions")
        connection.execute("DELETE FROM jobs WHERE kind = 'session'")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, ClipTruth]:
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    truth = passing_clip(path, 9.0)
    return path.read_bytes(), truth


@pytest.fixture(scope="module")
def horse(world: World, clip: tuple[bytes, ClipTruth]) -> str:
    """A horse as tall as the one in the clip."""
    made = uuid4()
    with world.pool.connection() as connection:
        connection.execute(
            "INSERT INTO horses (id, farm_id, tracking_number, label, name, colour_hex, height_cm)"
            " VALUES (%s, %s, 7001, 'horse_7001', 'Bella', '#aabbcc', %s)",
            (made, world.farm, round(clip[1].height_m * 100)),
        )
    return str(made)


@pytest.fixture(scope="module")
def walked(sessions: Sessions, clip: tuple[bytes, ClipTruth], horse: str) -> dict[str, Any]:
    """The clip as a session that is done."""
    said = {"title": "Walk past", "horse_id": horse, "recorded_at": "2026-05-01T10:00:00Z"}
    answer = sessions.upload(("walk.MP4", clip[0]), **said)
    assert answer.status_code == 201, answer.text
    return sessions.ended(answer.json()["id"])


def test_the_figures_of_a_video_are_those_of_the_scene(
    sessions: Sessions, walked: dict[str, Any], clip: tuple[bytes, ClipTruth]
) -> None:
    truth = clip[1]
    assert walked["state"] == "done", walked
    assert walked["start_at"] == "2026-05-01T10:00:00Z"
    assert walked["end_at"].startswith("2026-05-01T10:00:09")
    told = sessions.get(f"/{walked['id']}/metrics").json()
    values = {one["name"]: one for one in told["metrics"]}
    assert told["pictures"] == 225 and told["fps"] == pytest.approx(25.0, abs=0.1)
    assert told["seen_s"] == pytest.approx(truth.seen_s, rel=0.1)
    assert told["scale"]["kind"] == "body"
    assert values["distance"]["value"] == pytest.approx(truth.way_m, rel=0.15)
    assert values["speed_mean"]["value"] == pytest.approx(truth.speed_mps, rel=0.15)
    assert values["share_walk"]["value"] > 0.9
    assert values["share_canter"]["value"] == 0.0
    assert all((one["value"] is None) == bool(one["reason"]) for one in values.values())


def test_strides_map_report_and_video_come_with_it(
    sessions: Sessions, walked: dict[str, Any], clip: tuple[bytes, ClipTruth]
) -> None:
    strides = sessions.get(f"/{walked['id']}/strides").json()["strides"]
    assert clip[1].strides - 2 <= len(strides) <= clip[1].strides + 1
    assert all(one["start_at"].startswith("2026-05-01T10:00:0") for one in strides)
    (found,) = sessions.get(f"/{walked['id']}/heat-map").json()["maps"]
    seen_s = sum(sum(row) for row in found["seconds"])
    assert found["unit"] == "shares" and seen_s == pytest.approx(clip[1].seen_s, rel=0.1)
    report = sessions.get(f"/{walked['id']}/report")
    assert report.headers["content-type"] == "application/pdf" and report.content[:4] == b"%PDF"
    video = sessions.get(f"/{walked['id']}/video")
    assert video.content == clip[0] and video.headers["content-type"] == "video/mp4"
    audit = sessions.world.request("root", "GET", "/audit?limit=100").json()["items"]
    mine = {row["action"] for row in audit if row["object_id"] == walked["id"]}
    assert {"session.upload", "session.report", "session.download"} <= mine
    for path in ("", "/metrics", "/strides", "/heat-map", "/report", "/video"):
        require_problem(sessions.get(f"/{walked['id']}{path}", "stranger"), 404, "not_found")
        require_problem(sessions.get(f"/{walked['id']}{path}", "viewer"), 403, "forbidden")


def test_two_sessions_are_compared_and_the_calendar_knows_one(
    sessions: Sessions, walked: dict[str, Any], clip: tuple[bytes, ClipTruth], horse: str
) -> None:
    answer = sessions.upload(("again.mp4", clip[0]), horse_id=horse, mode="preview")
    other = sessions.ended(answer.json()["id"])
    assert other["state"] == "done", other
    assert sessions.get(f"/{other['id']}/metrics").json()["fps"] < 16.0
    told = sessions.get(f"/compare?a={walked['id']}&b={other['id']}").json()
    by_name = {one["name"]: one for one in told["differences"]}
    assert abs(by_name["distance"]["difference"]) < 0.1 * clip[1].way_m
    assert not by_name["distance"]["verdict"] and by_name["distance"]["reason"]
    assert any("times a second" in words for words in told["remarks"])
    entry = {
        "title": "Walk; with a, comma", "start_time": "2026-05-01T10:00:00Z",
        "end_time": "2026-05-01T10:30:00Z", "horse_id": horse, "session_id": walked["id"],
        "done": True,
    }  # fmt: skip
    request = sessions.world.request
    made = request("manager", "POST", "/calendar", entry)
    assert made.status_code == 201, made.text
    span = "start_time=2026-04-01T00:00:00Z&end_time=2026-06-01T00:00:00Z"
    ics = request("manager", "GET", f"/calendar/export.ics?{span}")
    assert "SUMMARY:Walk\\; with a\\, comma\r\n" in ics.text
    assert "DTSTART:20260501T100000Z\r\n" in ics.text
    require_problem(request("stranger", "GET", f"/calendar/{made.json()['id']}"), 404, "not_found")


def test_what_is_no_video_fails_clearly_and_leaves_nothing(
    sessions: Sessions, clip: tuple[bytes, ClipTruth]
) -> None:
    for content in (b"this is no video at all" * 100, clip[0][:3000]):
        answer = sessions.upload(("broken.mp4", content))
        assert answer.status_code == 201, answer.text
        failed = sessions.ended(answer.json()["id"])
        assert failed["state"] == "failed" and "video" in failed["message"].lower(), failed
        assert not failed["has_video"] and not failed["has_report"]
        assert not (sessions.media / "sessions" / failed["id"]).exists()
        require_problem(sessions.get(f"/{failed['id']}/metrics"), 404, "not_found")
        job = sessions.world.request("manager", "GET", f"/jobs/{failed['job_id']}").json()
        assert job["state"] == "failed"
        again = sessions.world.request("manager", "POST", f"/sessions/{failed['id']}/analyse")
        require_problem(again, 409, "session_state")


def test_a_cancelled_analysis_leaves_the_session_as_it_was(
    sessions: Sessions, walked: dict[str, Any]
) -> None:
    request, before = sessions.world.request, sessions.get(f"/{walked['id']}/metrics").json()
    queued = request("manager", "POST", f"/sessions/{walked['id']}/analyse").json()
    wait_until(lambda: sessions.state(walked["id"])["state"] == "running", 60.0)
    busy = request("manager", "POST", f"/sessions/{walked['id']}/analyse")
    require_problem(busy, 409, "session_state")
    request("manager", "POST", f"/jobs/{queued['job_id']}/cancel")
    assert sessions.ended(walked["id"])["state"] == "cancelled"
    assert sessions.get(f"/{walked['id']}/metrics").json() == before
    folder = sessions.media / "sessions" / walked["id"]
    assert {path.name for path in folder.iterdir()} == {"video.mp4", "report.pdf"}


def test_a_removed_session_is_gone_with_its_files(
    sessions: Sessions, clip: tuple[bytes, ClipTruth]
) -> None:
    request = sessions.world.request
    made = sessions.upload(("gone.mp4", clip[0])).json()
    locked = request("manager", "PATCH", f"/sessions/{made['id']}", {"version": 1, "locked": True})
    assert locked.json()["locked"], locked.text
    require_problem(request("manager", "DELETE", f"/sessions/{made['id']}"), 409, "session_state")
    request("manager", "PATCH", f"/sessions/{made['id']}", {"version": 2, "locked": False})
    assert request("manager", "DELETE", f"/sessions/{made['id']}").status_code == 204
    require_problem(sessions.get(f"/{made['id']}"), 404, "not_found")
    job = f"/jobs/{made['job_id']}"
    wait_until(
        lambda: request("manager", "GET", job).json()["state"] in ("cancelled", "failed"), JOB_S
    )
    wait_until(lambda: not (sessions.media / "sessions" / made["id"]).exists(), 20.0)


def test_uploads_that_cannot_be_are_refused(
    sessions: Sessions, clip: tuple[bytes, ClipTruth]
) -> None:
    short = clip[0][:100]
    require_problem(sessions.upload(("a.exe", short)), 422, "session_file_type")
    require_problem(sessions.upload(("a.mp4", b"")), 422, "session_file_type")
    require_problem(sessions.upload(("a.mp4", short), "viewer"), 403, "forbidden")
    require_problem(sessions.upload(("a.mp4", short), title=""), 422, "session_description")
    require_problem(sessions.upload(("a.mp4", short), horse_id=str(uuid4())), 404, "not_found")
    foreign = str(sessions.world.foreign)
    require_problem(sessions.upload(("a.mp4", short), stream_id=foreign), 404, "not_found")
    require_problem(sessions.upload(("a.mp4", b"x" * (9 << 20))), 413)
    left = [path.name for path in (sessions.media / "sessions").glob("session-upload-*")]
    assert not left
