"""Events from the engine to WebSocket clients, and requests a second, against a bare relay.

    python -m benchmarks.event_delivery [--clients 1,10,50] [--seconds 4] [--rounds 2] [--no-http]

A real PostgreSQL, Valkey and API process (the program's own child), and ``LivePublisher`` fed with
16 cameras at 10 Hz, 5 horses with 26 keypoints each. N clients in a process of their own watch
``--watched`` cameras each, with boxes and keypoints. The delay is from before the publisher is
given a result until a client has read its event. The peer (``delivery/relay.py``) is a bare
Starlette server on the same Valkey; both are measured in turn, the order changing from round to
round. CPU is of the server's process, 1.00 a whole core.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import psycopg

from barnhand_desktop.api.config import ApiConfig, RateLimits, SocketLimits
from barnhand_desktop.api.passwords import Passwords
from barnhand_desktop.api.rates import Rate
from barnhand_desktop.servers.api_process import ApiProcess
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.servers.valkey import EmbeddedValkey
from db.credentials import CredentialBox
from db.live.publisher import LivePublisher
from db.migrate import migrate
from db.pool import open_pool
from db.repositories.users import Role, UserRepository
from engine.domain.ids import StreamId
from engine.domain.results import FrameResult
from tests.helpers.frame_results import frame_result

CAMERAS, FPS, HORSES, RESULTS = 16, 10.0, 5, 8
PASSWORD = "a password of the benchmark"
PATHS = ("/streams", "/detections", "/horses")
MANY = Rate(count=10_000_000, per_s=60)
RATES = RateLimits(login_account=MANY, login_address=MANY, caller=MANY, address=MANY)

STATEMENTS = """
INSERT INTO streams (id, farm_id, name, kind, address)
SELECT gen_random_uuid(), f.id, 'camera ' || n, 'file', 'x' FROM farms f, generate_series(1, 16) n;
INSERT INTO horses (farm_id, tracking_number, label, colour_hex, last_seen_at)
SELECT f.id, n, 'horse_' || n, '#E5484D', now() FROM farms f, generate_series(1, 60) n;
CREATE TEMP TABLE made AS SELECT gen_random_uuid() AS id, key FROM streams;
INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, detections, confidence)
SELECT id, key, key, 0, now() - interval '1 h', now(), 1000, 0.9 FROM made;
INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, class_id, model_key,
    skeleton_key, flags)
SELECT now() - n * interval '1 s', id, key, 0, 0, 90, 90, 9000, 0, 0, 0, 0
FROM made, generate_series(1, 1000) n;
"""


class Cameras:
    """What 16 cameras tell, evenly spread over time, on a thread of its own."""

    def __init__(self, publisher: LivePublisher, streams: list[StreamId]) -> None:
        self._publisher = publisher
        self._results = [
            [frame_result(stream, index, HORSES) for index in range(RESULTS)] for stream in streams
        ]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cameras")
        self.told = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        began_s, step_s = time.monotonic(), 1.0 / (FPS * CAMERAS)
        while not self._end.wait(max(began_s + self.told * step_s - time.monotonic(), 0.0)):
            round_, camera = divmod(self.told, CAMERAS)
            result: FrameResult = self._results[camera][round_ % RESULTS]
            stamp = replace(result.stamp, captured_at=datetime.now(UTC))
            self._publisher.on_result(replace(result, stamp=stamp))
            self.told += 1


@dataclass
class Bench:
    """Both servers, by name: port and process."""

    ports: dict[str, int]
    processes: dict[str, psutil.Process]
    token: str
    streams: list[str]

    def run(self, name: str, **orders: Any) -> dict[str, Any]:
        """Clients against one of the servers, and what its process used meanwhile."""
        told = {"port": self.ports[name], "token": self.token, "streams": self.streams, **orders}
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.delivery.clients"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as clients:
            assert clients.stdin is not None and clients.stdout is not None
            clients.stdin.write(json.dumps(told) + "\n")
            clients.stdin.flush()
            assert clients.stdout.readline() == "ready\n", "the clients did not get ready"
            time.sleep(told.get("settle_s", 0.0))
            process = self.processes[name]
            used_s, began_s = sum(process.cpu_times()[:2]), time.monotonic()
            line = clients.stdout.readline()
            found: dict[str, Any] = json.loads(line)
            found["cpu"] = (sum(process.cpu_times()[:2]) - used_s) / (time.monotonic() - began_s)
            found["rss_mb"] = process.memory_info().rss / 1e6
        return found


@contextlib.contextmanager
def servers(folder: Path, clients: int) -> Iterator[Bench]:
    """Everything that runs, with rows in the tables and cameras that tell."""
    with contextlib.ExitStack() as stack:
        postgres = EmbeddedPostgres(folder / "postgres")
        postgres.start()
        stack.callback(postgres.stop)
        live = EmbeddedValkey(folder / "valkey")
        live.start()
        stack.callback(live.stop)
        migrate(postgres.dsn)
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute(STATEMENTS)
            connection.execute("ANALYZE")
            rows = connection.execute("SELECT id FROM streams ORDER BY key").fetchall()
        streams = [StreamId(row[0]) for row in rows]
        with open_pool(postgres.dsn, 1) as pool:
            hashed = Passwords().hash(PASSWORD)
            UserRepository(pool).add("bench", hashed, Role.ADMIN, None, False)
        api = ApiProcess(_config(folder, postgres.dsn, live.url, clients))
        url = api.start()
        stack.callback(api.stop)
        login = {"username": "bench", "password": PASSWORD}
        token = httpx.post(f"{url}/api/v1/auth/login", json=login).json()["access_token"]
        relay = stack.enter_context(_relay(folder, live.url, url, token))
        publisher = LivePublisher(live.url)
        publisher.start()
        stack.callback(publisher.stop)
        cameras = Cameras(publisher, streams)
        cameras.start()
        stack.callback(cameras.stop)
        assert relay.stdout is not None and api.pid is not None
        ports = {"api": api.port, "relay": int(relay.stdout.readline())}
        processes = {"api": psutil.Process(api.pid), "relay": psutil.Process(relay.pid)}
        yield Bench(ports, processes, token, [str(stream) for stream in streams])
        print(f"published {cameras.told} results, {publisher.dropped} dropped by the publisher")


def _config(folder: Path, dsn: str, live_url: str, clients: int) -> ApiConfig:
    most = max(clients + 10, 200)
    return ApiConfig(
        dsn=dsn,
        live_url=live_url,
        secret_path=folder / "signing.key",
        credential_key=CredentialBox.new_key().decode(),
        port=0,
        rates=RATES,
        sockets=SocketLimits(clients=most, clients_per_caller=most),
    )


@contextlib.contextmanager
def _relay(folder: Path, live_url: str, url: str, token: str) -> Iterator[subprocess.Popen[str]]:
    """The peer, which answers with the bytes that the API answers with."""
    files: list[str] = []
    for path in PATHS:
        answer = httpx.get(f"{url}{_asked(path)}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        file = folder / f"{path.strip('/')}.json"
        file.write_bytes(answer.content)
        files += [f"/api/v1{path}", str(file)]
    command = [sys.executable, "-m", "benchmarks.delivery.relay", live_url, *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as relay:
        try:
            yield relay
        finally:
            relay.kill()


def _asked(path: str) -> str:
    """The path with its query: detections of the last hour."""
    if path != "/detections":
        return f"/api/v1{path}"
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    return f"/api/v1{path}?start_time={since}"


def events(bench: Bench, clients: int, watched: int, seconds: float, rounds: int) -> None:
    """One line of the table of events."""
    found: dict[str, list[dict[str, Any]]] = {"api": [], "relay": []}
    for round_ in range(rounds):
        for name in ("api", "relay") if round_ % 2 == 0 else ("relay", "api"):
            orders = {"work": "listen", "clients": clients, "watched": watched}
            found[name].append(bench.run(name, seconds=seconds, settle_s=0.5, **orders))
    ours, peer = (_middle(found[name]) for name in ("api", "relay"))
    wanted = clients * watched * FPS
    print(
        f"{clients:4d} clients: p50 {ours['p50_ms']:6.1f} p95 {ours['p95_ms']:6.1f} p99 "
        f"{ours['p99_ms']:6.1f} most {ours['most_ms']:6.1f} ms, {ours['events_s']:6.0f} of "
        f"{wanted:6.0f} events/s, {ours['mb_s']:5.1f} MB/s, cpu {ours['cpu']:.2f}, rss "
        f"{ours['rss_mb']:.0f} MB, dropped {sum(one['dropped'] for one in found['api'])} | relay "
        f"p50 {peer['p50_ms']:.1f} p99 {peer['p99_ms']:.1f} ms, {peer['events_s']:.0f} events/s, "
        f"cpu {peer['cpu']:.2f} | p50 ratio {ours['p50_ms'] / peer['p50_ms']:.2f}, cpu ratio "
        f"{ours['cpu'] / peer['cpu']:.2f}",
        flush=True,
    )


def requests(bench: Bench, path: str, clients: int, seconds: float) -> None:
    """One line of the table of requests."""
    orders = {"work": "ask", "path": _asked(path), "clients": clients, "seconds": seconds}
    ours, peer = bench.run("api", **orders), bench.run("relay", **orders)
    print(
        f"{path:12s} {clients:3d} clients: {ours['requests_s']:6.0f} requests/s, p50 "
        f"{ours['p50_ms']:6.1f} p99 {ours['p99_ms']:6.1f} ms, {ours['bytes'] / 1e3:.0f} kB, "
        f"failures {ours['failures']} | bare {peer['requests_s']:6.0f} requests/s | ratio "
        f"{ours['requests_s'] / peer['requests_s']:.3f}",
        flush=True,
    )


def _middle(runs: list[dict[str, Any]]) -> dict[str, float]:
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="1,10,50,100,200")
    parser.add_argument("--watched", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--askers", default="1,8,32")
    parser.add_argument("--no-http", action="store_true")
    told = parser.parse_args()
    counts = [int(count) for count in told.clients.split(",")]
    folder = Path(tempfile.mkdtemp(prefix="barnhand-delivery-"))
    folder.chmod(0o755)
    try:
        with servers(folder, max(counts)) as bench:
            print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start")
            for clients in counts:
                events(bench, clients, told.watched, told.seconds, told.rounds)
            for path in () if told.no_http else PATHS:
                for askers in told.askers.split(","):
                    requests(bench, path, int(askers), told.seconds / 2)
            print(f"load average {os.getloadavg()[0]:.1f} at the end")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
