"""A barn with something of everything in it, served: so that a tester of the whole document meets
answers and not only refusals."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import numpy as np

from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.ptz_requests import answer_request
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from db.credentials import CredentialBox
from db.live.commands import RedisCommandBus
from db.live.protocol import horse_state_key
from db.queue.jobs import PostgresJobQueue
from db.repositories.chunks import PostgresChunkRepository
from db.repositories.ptz import PostgresPtzRepository
from db.repositories.streams import PostgresStreamRepository
from engine.domain.commands import EngineCommand, SteerCamera, StreamsChanged, TakeSnapshot
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.domain.motion import Asymmetry, BoutKind, Gait, Lead, Stride, StrideId
from engine.domain.ports import Reply
from engine.domain.ptz import Preset
from engine.domain.recording import Chunk, ChunkId, JobKind, JobState
from engine.ptz.control import CameraControl
from engine.ptz.eyes import EngineEyes, Eyes
from engine.runtime.clock import SystemClock
from engine.settings import PtzSettings
from engine.simulation.ptz_camera import ptz_simulator
from tests.fixtures_api import PASSWORD, PLENTY, World, fresh_database, open_world, run_server
from tests.fixtures_identity import at
from tests.fixtures_motion import MotionBarn
from tests.helpers.recordings import RecordedBarn, write_video
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import stream_of

HORSES = 24
SPAN_S = 600.0
RECORDINGS = 900
"""Everything stored lies within this time after ``at(0)``."""
Known = dict[str, list[str]]


@dataclass
class Barn:
    """``known`` ids by the names that parameters and fields have; ``make`` makes a fresh one to be
    taken away, by the name of the path's parameter."""

    world: World
    known: Known
    make: dict[str, Callable[[], str]] = field(default_factory=dict)
    picture: bytes = b""

    def sent(self, path: str, body: object, method: str = "POST") -> dict[str, Any]:
        """A request of the administrator that must succeed."""
        answer = self.world.request("root", method, path, body)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        return dict(answer.json()) if answer.content else {}

    def token(self, name: str = "root") -> str:
        """The access token of a fresh login."""
        return str(self.login(name)["access_token"])

    def login(self, name: str = "root") -> dict[str, Any]:
        """A fresh login."""
        return self.sent("/auth/login", {"username": name, "password": PASSWORD})


@contextmanager
def stocked_barn(
    postgres: EmbeddedPostgres, servers: Path, folder: Path, **changes: Any
) -> Iterator[Barn]:
    """The barn, its server and an engine that hears commands."""
    with ExitStack() as stack:
        dsn = stack.enter_context(fresh_database(postgres))
        live = EmbeddedValkey(servers / f"valkey-{uuid4().hex[:8]}")
        live.start()
        stack.callback(live.stop)
        media = folder / "media"
        (media / "exports").mkdir(parents=True)
        config = ApiConfig(
            dsn=dsn, live_url=live.url, secret_path=folder / "signing.key", port=0, rates=PLENTY,
            credential_key=CredentialBox.new_key().decode(), media_root=media, hls_delay_s=10.0,
            **changes,
        )  # fmt: skip
        running = run_server(config)
        url = next(running)
        stack.callback(lambda: next(running, None))
        world = stack.enter_context(open_world(config, url))
        barn = Barn(world, {"farm_id": [str(world.farm)], "stream_id": [str(world.granted)]})
        _engine(stack, barn)
        _herd(stack, barn)
        _recordings(barn, folder)
        _ordinary(barn)
        _makers(barn)
        yield barn


def _engine(stack: ExitStack, barn: Barn) -> None:
    """Camera control on a simulated camera, and pictures, over the command bus."""
    world = barn.world
    camera = stack.enter_context(ptz_simulator())
    control = CameraControl(PtzSettings(), SystemClock(), _eyes, lambda _id: ())
    streams = PostgresStreamRepository(world.pool, world.config.credential_key.encode())
    stream = streams.add(stream_of(camera), world.farm)
    assert control.set_streams([streams.get(stream.id)]) == ()
    control.start()
    stack.callback(control.shut_down, 5.0)
    picture = cv2.imencode(".jpg", np.full((90, 160, 3), 90, np.uint8))[1].tobytes()
    bus = RedisCommandBus(world.config.live_url)

    def obey(command: EngineCommand) -> Reply:
        if isinstance(command, TakeSnapshot):
            return picture
        if isinstance(command, StreamsChanged):
            control.set_streams(streams.list(None))
        return answer_request(control, command) if isinstance(command, SteerCamera) else None

    bus.listen(obey)
    stack.callback(bus.close)
    wait_until(lambda: bus.connected, 20.0)
    barn.known["steered"] = [str(stream.id)]
    path = f"/streams/{stream.id}/ptz"
    barn.sent(f"{path}/presets/1", {"name": "Door"}, "PUT")
    barn.known["number"] = ["1"]
    shown = Preset(1, "Door", picture, SystemClock().now())
    PostgresPtzRepository(world.pool).save_preset(stream.id, shown)
    tour = {"name": "Round", "steps": [{"preset": 1, "dwell_s": 5}]}
    barn.known["tour_id"] = [barn.sent(f"{path}/tours", tour)["id"]]


def _eyes(stream_id: StreamId) -> Eyes:
    return EngineEyes(stream_id, lambda _: None, lambda _: (), Path(), SystemClock())


def _herd(stack: ExitStack, barn: Barn) -> None:
    """Horses with tracks, likeness, movement, live states, alerts and an open question."""
    world = barn.world
    rows = MotionBarn(world.config.dsn)
    stack.callback(rows.close)
    jpeg = barn.picture = cv2.imencode(".jpg", np.full((40, 40, 3), 120, np.uint8))[1].tobytes()
    rng = np.random.default_rng(8)
    horses: list[HorseId] = []
    tracks: list[TrackId] = []
    for index in range(HORSES):
        status = "active" if index % 3 else "guest"
        horses.append(rows.horse(f"Bella {index}", status, avatar=jpeg, last_seen_at=at(SPAN_S)))
        start_s = SPAN_S * index / HORSES
        tracks.append(rows.track(world.granted, start_s, start_s + 20.0, horses[-1]))
        rows.features(tracks[-1], rng.normal(size=(3, 32)).tolist(), approved=True)
        rows.tell(_stride(tracks[-1], barn, start_s))
        rows.seen(world.granted, start_s, start_s + 9.0, horses[-1], (BoutKind.ACTION, "eating"))
        world.redis.hset(
            horse_state_key(world.granted, horses[-1]),
            mapping={
                "seen_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
                "track_id": str(tracks[-1]), "bbox_xyxy_px": "[1, 2, 30, 40]",
                "confidence": "0.9", "score": "0.8", "gait": "walk", "speed_mps": "1.5",
            },
        )  # fmt: skip
    alerts = [rows.raised(f"k{n}", n, horses[n], tracks[n], world.granted) for n in range(4)]
    rows.run("UPDATE alerts SET picture = %s", jpeg)
    reviews = [uuid4() for _ in range(12)]
    for index, review in enumerate(reviews):
        rows.run(
            "INSERT INTO reviews (id, farm_id, kind, track_id, horse_id, similarity, at) "
            "VALUES (%s, %s, 'match', %s, %s, 0.7, %s)",
            review, world.farm, tracks[index], horses[-1 - index], at(index),
        )  # fmt: skip
    barn.known |= {
        "horse_id": list(map(str, horses)),
        "track_id": list(map(str, tracks)),
        "alert_id": list(map(str, alerts)),
        "review_id": list(map(str, reviews)),
    }


def _stride(track: TrackId, barn: Barn, start_s: float) -> Stride:
    return Stride(
        StrideId(uuid4()), track, barn.world.granted, at(start_s), at(start_s + 0.7), Gait.TROT,
        Lead.NONE, 1.43, 2.4, 3.4, (0.4,) * 4, (0.0, 0.5, 0.5, 0.0), (0.02, 0.02), 0.9,
        Asymmetry(4.0, 1.0, float("nan"), -2.0), True, 0.9,
    )  # fmt: skip


def _recordings(barn: Barn, folder: Path) -> None:
    """One recording, told to have been made again and again until in an hour; an edit of it;
    a finished export."""
    world, media = barn.world, barn.world.config.media_root
    assert media is not None
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
    movie = write_video(folder / "clip.mp4", 100, options=options)
    recorder = RecordedBarn(media).start()
    made = recorder.record_whole(movie)
    assert not recorder.stop()
    store = PostgresChunkRepository(world.pool)
    begin, length = datetime.now(UTC) - timedelta(seconds=60), timedelta(seconds=4)
    chunks = [
        _copy(media, made[0], barn, begin + index * length, length) for index in range(RECORDINGS)
    ]
    chunks.append(_copy(media, made[0], barn, at(0), timedelta(seconds=SPAN_S)))
    for chunk in chunks:
        store.put(chunk)
    barn.known["chunk_id"] = [str(chunk.id) for chunk in chunks[-4:]]
    path = f"/chunks/{chunks[-1].id}"
    edit = {"edit": "add", "at": at(9.5).isoformat(), "box_xyxy_px": [10, 10, 60, 60]}
    barn.known["edit_id"] = [barn.sent(f"{path}/edits", {"edits": [edit]})["id"]]
    queue = PostgresJobQueue(world.pool)
    (media / "exports" / "x.csv").write_text("a,b\n1,2\n")
    done = queue.submit(JobKind.EXPORT, "Table", {}, "root", world.farm)
    told = {"path": "exports/x.csv", "name": "x.csv", "sha256": "ab", "rows": {"bouts": 1}}
    queue.end(done.id, JobState.DONE, "", told)
    waiting = queue.submit(JobKind.EXPORT, "Clip", {}, "root", world.farm)
    barn.known |= {"export_id": [str(done.id)], "job_id": [str(done.id), str(waiting.id)]}

    def finished() -> str:
        job = queue.submit(JobKind.EXPORT, "Table", {}, "root", world.farm)
        queue.end(job.id, JobState.DONE, "", {})
        return str(job.id)

    barn.make["export_id"] = finished
    path = f"/streams/{world.granted}/hls"
    link = barn.sent(f"{path}/link", None, "GET")["url"].split("/")[-2]
    barn.known["playlist.m3u8"] = [link]
    query = f"?start_time={_word(at(0))}&end_time={_word(at(60))}"
    text = world.request("root", "GET", f"{path}/playlist.m3u8{query}").text
    for address in (part for part in text.replace('"', "\n").split() if "/hls/" in part):
        token, _, kind = address.rpartition("/hls/")[2].partition("/")
        barn.known.setdefault(kind, []).append(token)


def _copy(media: Path, chunk: Chunk, barn: Barn, start: datetime, length: timedelta) -> Chunk:
    """The recording under another name and time."""
    chunk_id = ChunkId(uuid4())
    names = {"path": f"recordings/{chunk_id}.mp4", "overlay_path": ""}
    (media / names["path"]).hardlink_to(media / chunk.path)
    if chunk.overlay_path:
        names["overlay_path"] = f"recordings/{chunk_id}.overlay.json"
        (media / names["overlay_path"]).hardlink_to(media / chunk.overlay_path)
    stream_id = barn.world.granted
    times = {"start_at": start, "end_at": start + length}
    return replace(chunk, id=chunk_id, stream_id=stream_id, **times, **names)


def _word(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _ordinary(barn: Barn) -> None:
    """What people make over the API itself."""
    known, world = barn.known, barn.world
    kept, absorbed = known["horse_id"][-1], known["horse_id"][-2]
    merged = barn.sent("/tracking/merge", {"kept": kept, "absorbed": absorbed})
    known["command_id"] = [merged["command"]["command_id"]]
    barn.make |= {
        "area_id": lambda: barn.sent("/areas", {"name": _name(), "kind": "stall"})["id"],
        "bookmark_id": lambda: barn.sent("/bookmarks", _bookmark(world))["id"],
        "session_id": lambda: barn.sent("/sessions", _session(world))["id"],
        "entry_id": lambda: barn.sent("/calendar", _bookmark(world))["id"],
        "rule_id": lambda: barn.sent("/alert-rules", _rule())["id"],
        "user_id": lambda: barn.sent("/users", _user(world))["id"],
        "key_id": lambda: barn.sent("/api-keys", {"name": "k", "scopes": ["read"]})["id"],
    }
    for name, make in barn.make.items():
        if name not in known:
            known[name] = [make() for _ in range(3)]
    known |= {"a": known["session_id"], "b": known["session_id"]}


def _makers(barn: Barn) -> None:
    steered = barn.known["steered"][0]
    tour = {"name": "Round", "steps": [{"preset": 1, "dwell_s": 5}]}
    barn.make |= {
        "stream_id": lambda: barn.sent("/streams", _stream())["id"],
        "tour_id": lambda: barn.sent(f"/streams/{steered}/ptz/tours", tour)["id"],
        "farm_id": lambda: barn.sent("/farms", {"name": _name()})["id"],
    }


def _name() -> str:
    return f"made {random.getrandbits(48):x}"


def _stream() -> dict[str, object]:
    return {"name": _name(), "address": "rtsp://192.0.2.9/live"}


def _user(world: World) -> dict[str, object]:
    name = f"u{random.getrandbits(48):x}"
    farm = str(world.farm)
    return {"username": name, "password": "a long enough one", "role": "viewer", "farm_id": farm}


def _bookmark(world: World) -> dict[str, object]:
    return {
        "title": _name(), "start_time": at(0).isoformat(), "end_time": at(60).isoformat(),
        "farm_id": str(world.farm),
    }  # fmt: skip


def _session(world: World) -> dict[str, object]:
    return {**_bookmark(world), "source": "stretch", "stream_ids": [str(world.granted)]}


def _rule() -> dict[str, object]:
    return {"kind": "rolling", "name": _name(), "severity": "info", "parameters": {"times": 3}}
