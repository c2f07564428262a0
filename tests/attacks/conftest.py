"""The attacked server: its own database, live-state server, recordings, engine and people."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from barnhand_desktop.api.access import Scope
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.ptz_memory import PtzMemory
from barnhand_desktop.ptz_requests import answer_request
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from db.credentials import CredentialBox
from db.live.commands import RedisCommandBus
from db.repositories.grants import GrantRepository
from db.repositories.ptz import PostgresPtzRepository
from db.repositories.streams import PostgresStreamRepository
from engine.domain.commands import EngineCommand, PlansChanged, SteerCamera, TakeSnapshot
from engine.domain.ids import StreamId, UserId
from engine.domain.ports import Reply
from engine.domain.recording import Chunk
from engine.ptz.control import CameraControl
from engine.ptz.eyes import Eyes
from engine.runtime.clock import SystemClock
from engine.settings import PtzSettings
from engine.simulation.ptz_camera import PtzSimulator, ptz_simulator
from tests.attacks.farmyard import JPEG, SIDES, Yard, furnish
from tests.fixtures_api import PASSWORD, PLENTY, World, fresh_database, open_world, run_server
from tests.helpers.recordings import RecordedBarn, write_video
from tests.helpers.waiting import wait_until
from tests.integration.ptz.conftest import stream_of

SIGNING_CANARY = "5ec4e7" * 11
CAMERA_CANARY = "canary-s3cret-of-the-camera"


@pytest.fixture(scope="session")
def attacked_live() -> Iterator[EmbeddedValkey]:
    """A live-state server of its own: its channels reach nobody else's tests."""
    with tempfile.TemporaryDirectory(prefix="barnhand-attacks-") as folder:
        server = EmbeddedValkey(Path(folder) / "valkey")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def attacked_config(
    postgres_server: EmbeddedPostgres,
    attacked_live: EmbeddedValkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ApiConfig]:
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "media").mkdir()
    key = folder / "signing.key"
    key.write_text(SIGNING_CANARY)
    key.chmod(0o600)
    with fresh_database(postgres_server) as dsn:
        yield ApiConfig(
            dsn=dsn,
            live_url=attacked_live.url,
            secret_path=key,
            credential_key=CredentialBox.new_key().decode(),
            port=0,
            rates=PLENTY,
            media_root=folder / "media",
            hls_delay_s=10.0,
        )


@pytest.fixture(scope="session")
def yard(attacked_config: ApiConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """The two farms behind a running server, and an engine that answers it."""
    with ExitStack() as stack:
        media = attacked_config.media_root
        assert media is not None
        chunks = _record(media, tmp_path_factory.mktemp("film"))
        url = stack.enter_context(contextmanager(run_server)(attacked_config))
        world = stack.enter_context(open_world(attacked_config, url))
        camera = stack.enter_context(ptz_simulator(username="operator", password=CAMERA_CANARY))
        _steerable(world, camera)
        stack.enter_context(_engine(world))
        made = Yard(world, media, chunks)
        _people(made)
        furnish(made)
        yield made


def _record(media: Path, folder: Path) -> dict[str, Chunk]:
    """12 s of film as the last chunk of each camera, ended a quarter of a minute ago."""
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
    movie = write_video(folder / "clip.mp4", 120, options=options)
    barn = RecordedBarn(media).start()
    found: dict[str, Chunk] = {}
    start = datetime.now(UTC) - timedelta(seconds=40)
    for name in SIDES:
        chunk = barn.record_whole(movie)[0]
        ends = start + timedelta(seconds=chunk.duration_s)
        found[name] = replace(chunk, start_at=start, end_at=ends)
    assert not barn.stop()
    return found


def _steerable(world: World, camera: PtzSimulator) -> None:
    """Make the granted camera one that can be steered."""
    streams = PostgresStreamRepository(world.pool, world.config.credential_key.encode())
    stored, like = streams.get(world.granted), stream_of(camera)
    streams.update(
        replace(
            stored, kind=like.kind, address=like.address, username=like.username,
            password=like.password, extra=like.extra,
        )
    )  # fmt: skip


def _no_eyes(_stream_id: StreamId) -> Eyes:
    raise AssertionError("nobody scans here")


def _engine(world: World) -> ExitStack:
    """What a workstation does with commands: camera control for real, a picture for a picture."""
    stack = ExitStack()
    streams = PostgresStreamRepository(world.pool, world.config.credential_key.encode())
    control = CameraControl(PtzSettings(), SystemClock(), _no_eyes, lambda _id: ())
    assert control.set_streams([streams.get(world.granted)]) == ()
    control.start()
    stack.callback(control.shut_down, 5.0)
    memory = PtzMemory(control, PostgresPtzRepository(world.pool))
    bus = RedisCommandBus(world.config.live_url)

    def obey(command: EngineCommand) -> Reply:
        if isinstance(command, PlansChanged):
            memory.plans_changed()
        if isinstance(command, TakeSnapshot):
            return JPEG
        return answer_request(control, command) if isinstance(command, SteerCamera) else None

    bus.listen(obey)
    stack.callback(bus.close)
    wait_until(lambda: bus.connected, 20)
    return stack


def _people(yard: Yard) -> None:
    """The world's accounts, a viewer without a grant, and keys of every scope."""
    world = yard.world
    for name, token in world.tokens.items():
        yard.credentials[name] = {"Authorization": f"Bearer {token}"}
    body = {
        "username": "ungranted", "password": PASSWORD, "role": "viewer",
        "farm_id": str(world.farm),
    }  # fmt: skip
    made = yard.send("root", "POST", "/users", body).json()
    GrantRepository(world.pool).set_grants(UserId(made["id"]), [])
    login = {"username": "ungranted", "password": PASSWORD}
    token = yard.send(None, "POST", "/auth/login", login).json()["access_token"]
    yard.credentials["ungranted"] = {"Authorization": f"Bearer {token}"}
    for owner in ("viewer", "manager", "admin", "root", "stranger"):
        for scope in Scope:
            if scope is Scope.WRITE and owner == "viewer":
                continue  # refused, which is another test
            answer = yard.send(owner, "POST", "/api-keys", {"name": scope, "scopes": [scope]})
            assert answer.status_code == 201, answer.text
            yard.credentials[f"{owner}'s {scope} key"] = {"X-API-Key": answer.json()["key"]}
