"""Two real headless processes, each with its own data folder, on one shared server: cameras are
watched once, corrections reach the other one, and it takes over when the first is killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from barnhand_desktop.api.passwords import Passwords
from db.identity_feed import PostgresRegistryFeed
from db.live.state import LiveStateReader
from db.pool import open_pool
from db.repositories.farms import DEFAULT_FARM
from db.repositories.streams import PostgresStreamRepository
from db.repositories.users import Role, UserRepository
from engine.domain.identity import RegistrySnapshot
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.streams import SourceKind, Stream
from tests.fixtures_identity import IdentityBarn
from tests.helpers.demo import seconds_until

SCENES = ("stall", "aisle", "paddock")
PASSWORD = "correct horse battery"
TAKEOVER_S = 12.0
"""The life of a lease, one look and the time to open a camera; what is measured is printed."""
SLOW_S = 60.0

SETTINGS = """
[api]
port = 0
[database]
mode = "shared"
dsn = "{dsn}"
[live]
mode = "shared"
url = "{live}"
[node]
name = "{name}"
[engine.analysis]
motion_gate = false
fps = 2.0
[engine.pose]
enabled = false
[engine.recording]
enabled = false
"""


@dataclass
class Workstation:
    """One process and what it says."""

    name: str
    process: subprocess.Popen[bytes]
    said: Path

    @property
    def api(self) -> str:
        """Where its API listens."""
        found: list[str] = []

        def told() -> bool:
            found[:] = re.findall(r"API: (http\S+)/docs", self.said.read_text())
            return bool(found)

        seconds_until(told, SLOW_S)
        return found[0]


@dataclass
class Office:
    """The shared server, asked directly."""

    dsn: str
    live_url: str
    folder: Path
    data: Path

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with psycopg.connect(self.dsn, options="-c timezone=UTC") as connection:
            return connection.execute(statement, values).fetchall()

    def holders(self) -> dict[StreamId, str]:
        """Who holds each camera now."""
        return {
            StreamId(stream): name
            for stream, name in self.ask(
                "SELECT stream_id, node_name FROM camera_leases"
                " WHERE node_id IS NOT NULL AND expires_at > clock_timestamp()"
            )
        }

    def rows(self) -> int:
        """Detections of all cameras; one may see no horse for a while."""
        count: int = self.ask("SELECT count(*) FROM detections")[0][0]
        return count

    def analysed(self) -> dict[StreamId, int]:
        """Pictures of each camera that its holder analysed since it has it."""
        reader = LiveStateReader(self.live_url)
        states = {stream_id: reader.stream(stream_id) for stream_id in self.holders()}
        reader.close()
        return {
            stream_id: 0 if state is None else state["health"].get("analysed", 0)
            for stream_id, state in states.items()
        }

    @contextlib.contextmanager
    def workstation(self, name: str) -> Iterator[Workstation]:
        """A headless process; it is ended with the block."""
        config, said = self.folder / f"{name}.toml", self.folder / f"{name}.txt"
        config.write_text(SETTINGS.format(dsn=self.dsn, live=self.live_url, name=name))
        environment = {**os.environ, "BARNHAND_DATA_DIR": str(self.data / name)}
        command = [sys.executable, "-m", "barnhand_desktop", "--config", str(config), "headless"]
        with said.open("wb") as stream:
            process = subprocess.Popen(command, env=environment, stdout=stream)
        try:
            yield Workstation(name, process, said)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(SLOW_S)


@pytest.fixture
def office(postgres_dsn: str, valkey_url: str, servers_dir: Path, tmp_path: Path) -> Office:
    return Office(postgres_dsn, valkey_url, tmp_path, servers_dir / f"office-{tmp_path.name}")


@pytest.fixture
def cameras(office: Office) -> list[StreamId]:
    """Three cameras of the simulated barn, stored in the shared server, and an account."""
    with open_pool(office.dsn, 2) as pool:
        streams = PostgresStreamRepository(pool, b"A" * 43 + b"=")
        UserRepository(pool).add(
            "office", Passwords().hash(PASSWORD), Role.MANAGER, DEFAULT_FARM, False
        )
        return [
            streams.add(
                Stream(new_stream_id(), scene, SourceKind.SIMULATED, f"simulated://barn/{scene}")
            ).id
            for scene in SCENES
        ]


@pytest.mark.timeout(300)
def test_cameras_are_watched_once_and_taken_over(office: Office, cameras: list[StreamId]) -> None:
    def all_held_by(name: str) -> bool:
        return office.holders() == dict.fromkeys(cameras, name)

    def grows() -> Callable[[], bool]:
        """Every camera is analysed on, and rows are written."""
        rows, analysed = office.rows(), office.analysed()

        def more() -> bool:
            now = office.analysed()
            # Whoever took a camera over counts from nought.
            on = all(now.get(camera, 0) not in (0, analysed.get(camera)) for camera in cameras)
            return on and office.rows() > rows

        return more

    with contextlib.ExitStack() as stack:
        north = stack.enter_context(office.workstation("north"))
        seconds_until(lambda: all_held_by("north"), SLOW_S)
        seconds_until(grows(), SLOW_S)
        south = stack.enter_context(office.workstation("south"))
        seconds_until(lambda: len(office.ask("SELECT FROM engine_nodes")) == 2, SLOW_S)
        say_a_correction_is_seen(office, north, south)
        assert all_held_by("north"), "who comes later takes nothing that runs"

        north.process.kill()
        (killed_at,) = office.ask("SELECT clock_timestamp()")[0]
        held_s = seconds_until(lambda: all_held_by("south"), SLOW_S)
        rows_s = held_s + seconds_until(grows(), SLOW_S)
        say(f"taken over {held_s:.1f} s after kill -9, analysed on after {rows_s:.1f} s")
        assert {row[0] for row in office.ask("SELECT generation FROM camera_leases")} == {2}
        check_nothing_is_doubled(office, killed_at)
        lasting = office.ask("SELECT max(since), min(expires_at - since) FROM camera_leases")[0]
        assert (lasting[0] - killed_at).total_seconds() <= TAKEOVER_S

        again = stack.enter_context(office.workstation("north"))
        assert again.api
        seconds_until(
            lambda: (
                office.ask(
                    "SELECT count(*) FROM engine_nodes"
                    " WHERE last_seen_at > clock_timestamp() - interval '5 s'"
                )[0][0]
                == 2
            ),
            SLOW_S,
        )
        seconds_until(grows(), SLOW_S)
        assert all_held_by("south"), "who comes back takes nothing that runs"
        assert {row[0] for row in office.ask("SELECT generation FROM camera_leases")} == {2}

        south.process.terminate()
        handed_s = seconds_until(lambda: all_held_by("north"), SLOW_S)
        say(f"taken over {handed_s:.1f} s after an orderly stop was asked for")
        assert south.process.wait(SLOW_S) == 0
        check_nothing_is_doubled(office, killed_at)


def say_a_correction_is_seen(office: Office, north: Workstation, south: Workstation) -> None:
    """A merge through the first one's API reaches the second one's clients, and its registry."""
    barn = IdentityBarn(office.dsn)
    kept, absorbed = barn.horse("Luna"), barn.horse("Lunna")
    barn.close()
    merged: list[float] = []

    def loads(snapshot: RegistrySnapshot) -> None:
        if absorbed in snapshot.merged and not merged:
            merged.append(time.monotonic())

    feed = PostgresRegistryFeed(office.dsn, None)
    feed.listen(loads)
    assert feed.wait_loaded(SLOW_S)
    with httpx.Client(timeout=SLOW_S) as http:
        token = {w.name: logged_in(http, w.api) for w in (north, south)}
        protocols = [Subprotocol("barnhand.v1"), Subprotocol(f"bearer.{token['south']}")]
        address = south.api.replace("http", "ws", 1) + "/ws"
        with connect(address, subprotocols=protocols, proxy=None) as socket:
            socket.send(json.dumps({"event": "subscribe", "data": {"channels": ["detections"]}}))
            hears(socket, "subscribed")
            began_s = time.monotonic()
            answer = http.post(
                f"{north.api}/api/v1/tracking/merge",
                json={"kept": str(kept), "absorbed": str(absorbed), "reason": "spelling"},
                headers={"Authorization": f"Bearer {token['north']}"},
            )
            assert answer.status_code == 200, answer.text
            hears(socket, "track:updated")
            heard_s = time.monotonic() - began_s
    seconds_until(lambda: bool(merged), SLOW_S)
    feed.close()
    say(f"a correction is heard after {heard_s:.2f} s, known after {merged[0] - began_s:.2f} s")


def say(figure: str) -> None:
    """Show a measured figure with ``pytest -s``."""
    sys.stdout.write(f"\n{figure}\n")


def hears(socket: ClientConnection, event: str) -> None:
    """Wait for an event of that name."""
    end_s = time.monotonic() + SLOW_S
    while json.loads(socket.recv(timeout=max(end_s - time.monotonic(), 0.1)))["event"] != event:
        pass


def logged_in(http: httpx.Client, api: str) -> str:
    """An access token of that process's API."""
    answer = http.post(
        f"{api}/api/v1/auth/login", json={"username": "office", "password": PASSWORD}
    )
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def check_nothing_is_doubled(office: Office, killed_at: object) -> None:
    """No track lives on both sides of a change of hands; before the takeover nothing is written by
    anybody else, and no camera has two rows of one track at one time."""
    crossing = office.ask(
        "SELECT track_id FROM detections GROUP BY track_id"
        " HAVING min(time) < %s AND max(time) > %s + interval '3 s'",
        killed_at, killed_at,
    )  # fmt: skip
    assert crossing == []
    early = office.ask(
        "SELECT s.name FROM detections d JOIN streams s ON s.key = d.stream_key"
        " JOIN camera_leases l ON l.stream_id = s.id AND l.generation = 2"
        " WHERE d.time > %s + interval '1 s' AND d.time < l.since",
        killed_at,
    )
    assert early == [], "somebody watched a camera that nobody held"
    doubled = office.ask("SELECT FROM detections GROUP BY track_id, time HAVING count(*) > 1")
    assert doubled == []
