"""Two farms with one object of every kind each, and everybody who may try to reach them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from db.queue.jobs import PostgresJobQueue
from db.repositories.chunks import PostgresChunkRepository
from engine.domain.ids import FarmId, StreamId
from engine.domain.recording import Chunk, ChunkId, JobId, JobKind, JobState
from engine.recording.layout import chunk_path, overlay_file, overlay_path, video_file
from tests.fixtures_api import PASSWORD, World

NOON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"
SIDES = ("granted", "hidden", "foreign")
"""Seen by the viewer, seen by the farm's manager only, of the other farm."""

_numbers = itertools.count(50_000)


@dataclass
class Side:
    """One object of every kind around one camera."""

    farm: FarmId
    stream: StreamId
    chunk: Chunk
    account: str
    ids: dict[str, str] = field(default_factory=dict)


@dataclass
class Yard:
    """The two farms, their server, and the keys that go with the accounts."""

    world: World
    media: Path
    chunks: Mapping[str, Chunk]
    sides: dict[str, Side] = field(default_factory=dict)
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)

    def send(
        self,
        who: str | None,
        method: str,
        path: str,
        body: object = None,
        form: str | None = None,
        **query: object,
    ) -> httpx.Response:
        """A request of somebody in ``credentials``; ``path`` is below the base path or a URL. With
        the media type ``form`` a small file instead of ``body``."""
        url = path if path.startswith("http") else self.world.base + path
        headers = {} if who is None else self.credentials[who]
        params: Any = query or None
        if form is not None:
            headers = {**headers, "Content-Type": f"{form}; boundary=x"}
            return self.world.http.request(method, url, content=JPEG, headers=headers)
        return self.world.http.request(method, url, json=body, params=params, headers=headers)

    def fresh(self, kind: str, side: str) -> str:
        """A new object of a kind, which a test may destroy."""
        return MAKERS[kind](self, self.sides[side])

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a statement."""
        with self.world.pool.connection() as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description is not None else []

    def edit_of(self, chunk: str) -> str:
        """An edit of a recording."""
        at = (NOON + timedelta(seconds=3)).isoformat()
        body = {"edits": [{"edit": "add", "at": at, "box_xyxy_px": [1, 2, 30, 40]}]}
        answer = self.send("root", "POST", f"/chunks/{chunk}/edits", body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    @property
    def recorded(self) -> dict[str, str]:
        """The query for a stretch in which everybody's cameras were recorded."""
        end = NOON + timedelta(seconds=9)
        return {"start_time": NOON.isoformat(), "end_time": end.isoformat()}

    def audited(self) -> int:
        """How many audit rows there are."""
        return int(self.execute("SELECT count(*) FROM audit_log")[0][0])


# --- making one of each --------------------------------------------------------------------------


def _stream(yard: Yard, side: Side) -> str:
    body = {"name": f"extra {uuid4()}", "address": "simulated:barn", "farm_id": str(side.farm)}
    return str(yard.send("root", "POST", "/streams", body).json()["id"])


def _horse(yard: Yard, side: Side, start: datetime = NOON) -> str:
    horse, number = uuid4(), next(_numbers)
    yard.execute(
        "INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex, status, avatar,"
        " first_seen_at, last_seen_at) VALUES (%s, %s, %s, %s, '#E5484D', 'guest', %s, %s, %s)",
        horse, side.farm, number, f"horse_{number}", JPEG, NOON, NOON + timedelta(minutes=1),
    )  # fmt: skip
    _track_of(yard, side, horse, start)
    return str(horse)


def _second_horse(yard: Yard, side: Side) -> str:
    """A horse that was never in view together with another."""
    return _horse(yard, side, NOON + timedelta(minutes=2 * (next(_numbers) - 50_000)))


def _track_of(yard: Yard, side: Side, horse: UUID, start: datetime) -> str:
    track = uuid4()
    yard.execute(
        "INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, detections)"
        " SELECT %s, key, %s, 0, %s, %s, 1 FROM streams WHERE id = %s",
        track, next(_numbers), start, start + timedelta(minutes=1), side.stream,
    )  # fmt: skip
    yard.execute(
        "INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, class_id,"
        " model_key, skeleton_key, flags) SELECT %s, %s, key, 1, 2, 30, 40, 9000, 0, 0, 0, 0"
        " FROM streams WHERE id = %s",
        start + timedelta(seconds=2), track, side.stream,
    )  # fmt: skip
    yard.execute("INSERT INTO identity_spans (track_id, horse_id) VALUES (%s, %s)", track, horse)
    return str(track)


def _track(yard: Yard, side: Side) -> str:
    horse = _horse(yard, side)
    rows = yard.execute("SELECT track_id FROM identity_spans WHERE horse_id = %s", horse)
    return str(rows[0][0])


def _chunk(yard: Yard, side: Side) -> str:
    """A copy of the side's recording, in the time of the tracks."""
    chunk_id = ChunkId(uuid4())
    chunk = replace(
        side.chunk,
        id=chunk_id,
        path=chunk_path(side.stream, chunk_id, NOON),
        start_at=NOON,
        end_at=NOON + timedelta(seconds=10),
    )
    place = yard.media / chunk.path
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(video_file(yard.media, side.chunk), place)
    shutil.copy(overlay_file(yard.media, side.chunk), yard.media / overlay_path(chunk.path))
    PostgresChunkRepository(yard.world.pool).put(chunk)
    return str(chunk.id)


def _job(yard: Yard, side: Side) -> str:
    queue = PostgresJobQueue(yard.world.pool)
    return str(queue.submit(JobKind.EXPORT, "Clip", {}, "Anna", side.farm).id)


def _export(yard: Yard, side: Side) -> str:
    job = _job(yard, side)
    name = f"exports/{uuid4()}.csv"
    (yard.media / "exports").mkdir(exist_ok=True)
    (yard.media / name).write_text("a,b\n")
    result = {"path": name, "name": "x.csv", "sha256": "00"}
    PostgresJobQueue(yard.world.pool).end(JobId(UUID(job)), JobState.DONE, "", result)
    return job


def _made(yard: Yard, who: str, path: str, body: Mapping[str, Any]) -> str:
    """The id of what a request makes."""
    answer = yard.send(who, "POST", path, body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _bookmark(yard: Yard, side: Side) -> str:
    body = {
        "title": "x", "start_time": NOON.isoformat(), "stream_ids": [str(side.stream)],
        "end_time": (NOON + timedelta(seconds=9)).isoformat(), "farm_id": str(side.farm),
    }  # fmt: skip
    return _made(yard, "root", "/bookmarks", body)


def _rule(yard: Yard, side: Side) -> str:
    body = {
        "kind": "rolling", "name": f"rule {uuid4()}", "severity": "info", "farm_id": str(side.farm),
        "parameters": {},
    }  # fmt: skip
    return _made(yard, "root", "/alert-rules", body)


def _alert(yard: Yard, side: Side) -> str:
    alert = uuid4()
    yard.execute(
        "INSERT INTO alerts (id, farm_id, kind, severity, message, key, started_at, raised_at,"
        " stream_id, picture, evidence, quiet)"
        " VALUES (%s, %s, 'rolling', 'info', 'It rolls.', %s, %s, %s, %s, %s, '{}', false)",
        alert, side.farm, str(alert), NOON, NOON, side.stream, JPEG,
    )  # fmt: skip
    return str(alert)


def _review(yard: Yard, side: Side) -> str:
    review, horse = uuid4(), _horse(yard, side)
    track = _track(yard, side)
    yard.execute(
        "INSERT INTO reviews (id, farm_id, kind, track_id, horse_id, similarity, at)"
        " VALUES (%s, %s, 'match', %s, %s, 0.7, %s)",
        review, side.farm, track, horse, NOON,
    )  # fmt: skip
    return str(review)


def _command(yard: Yard, side: Side) -> str:
    body = {"resident": True}
    answer = yard.send("root", "POST", f"/horses/{_horse(yard, side)}/accept", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["command"]["command_id"])


def _undone_command(yard: Yard, side: Side) -> str:
    command = _command(yard, side)
    answer = yard.send("root", "POST", "/tracking/undo", {"command_id": command})
    assert answer.status_code == 200, answer.text
    return command


def _edit(yard: Yard, side: Side) -> str:
    return yard.edit_of(side.ids["chunk"])


def _area(yard: Yard, side: Side) -> str:
    body = {
        "name": f"area {uuid4()}", "kind": "stall", "stream_id": str(side.stream),
        "farm_id": str(side.farm),
    }  # fmt: skip
    return _made(yard, "root", "/areas", body)


def _user(yard: Yard, side: Side) -> str:
    body = {
        "username": f"u{uuid4().hex[:12]}", "password": PASSWORD, "role": "viewer",
        "farm_id": str(side.farm),
    }  # fmt: skip
    return _made(yard, "root", "/users", body)


def _key(yard: Yard, side: Side) -> str:
    return _made(yard, side.account, "/api-keys", {"name": "x", "scopes": ["read"]})


def _tour(yard: Yard, side: Side) -> str:
    body = {"name": f"tour {uuid4()}", "steps": [{"preset": 1, "dwell_s": 5}]}
    return _made(yard, "root", f"/streams/{side.stream}/ptz/tours", body)


def _session(yard: Yard, side: Side) -> str:
    """A session with video and report, and figures to compare."""
    session = uuid4()
    folder = yard.media / "sessions" / str(session)
    folder.mkdir(parents=True)
    names = folder / "video.mp4", folder / "report.pdf"
    for path in names:
        path.write_bytes(b"x")
    video, report = (path.relative_to(yard.media).as_posix() for path in names)
    yard.execute(
        "INSERT INTO sessions (id, farm_id, title, kind, source, mode, state, start_at, end_at,"
        " video, report, created_by, created_at)"
        " VALUES (%s, %s, 'x', 'training', 'upload', 'preview', 'done', %s, %s, %s, %s, 'Anna',"
        " %s)",
        session, side.farm, NOON, NOON + timedelta(seconds=9), video, report, NOON,
    )  # fmt: skip
    yard.execute(
        "INSERT INTO session_results (session_id, analysed_at, provisional, duration_s, seen_s,"
        " fps, pictures, tracks, horses, scale)"
        " VALUES (%s, %s, false, 9, 9, 25, 225, 1, 1, 'none')",
        session, NOON,
    )  # fmt: skip
    return str(session)


def _entry(yard: Yard, side: Side) -> str:
    body = {
        "title": "x", "start_time": NOON.isoformat(), "end_time": NOON.isoformat(),
        "farm_id": str(side.farm),
    }  # fmt: skip
    return _made(yard, "root", "/calendar", body)


def _model(yard: Yard, side: Side) -> str:
    model = uuid4()
    yard.execute(
        "INSERT INTO registered_models (id, farm_id, name, version, task, format, sha256,"
        " size_bytes, licence, description, state, uploaded_by)"
        " VALUES (%s, %s, %s, '1', 'detector', 'onnx', %s, 9, 'MIT', '{}', 'ready', 'Anna')",
        model, side.farm, f"m{model.hex[:12]}", "0" * 64,
    )  # fmt: skip
    return str(model)


MAKERS: dict[str, Callable[[Yard, Side], str]] = {
    "stream": _stream,
    "horse": _horse,
    "second horse": _second_horse,
    "track": _track,
    "chunk": _chunk,
    "job": _job,
    "export": _export,
    "bookmark": _bookmark,
    "rule": _rule,
    "alert": _alert,
    "review": _review,
    "command": _command,
    "undone command": _undone_command,
    "edit": _edit,
    "area": _area,
    "user": _user,
    "key": _key,
    "tour": _tour,
    "session": _session,
    "entry": _entry,
    "model": _model,
    "farm": lambda yard, side: str(side.farm),
}


def furnish(yard: Yard) -> None:
    """Make every object on every side."""
    for name, account in zip(SIDES, ("viewer", "manager", "stranger"), strict=True):
        world = yard.world
        stream = {"granted": world.granted, "hidden": world.hidden, "foreign": world.foreign}[name]
        farm = world.other_farm if name == "foreign" else world.farm
        chunk = replace(yard.chunks[name], stream_id=stream)
        side = yard.sides[name] = Side(farm, stream, chunk, account)
        for kind, make in MAKERS.items():
            side.ids[kind] = str(stream) if kind == "stream" else make(yard, side)
