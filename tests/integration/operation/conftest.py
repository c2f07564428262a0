"""One running demo for all of it: ``barnhand headless`` with two simulated cameras, traced."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from engine.runtime.worker import Worker
from tests.helpers.waiting import wait_until

START_S = 100.0
CANARY = "canary-Passw0rd-of-a-camera"


@dataclass
class Collector:
    """A trace collector: takes OTLP over HTTP on the loopback and keeps the spans."""

    server: ThreadingHTTPServer
    spans: list[tuple[str, Span]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        """Its address, without the path."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, body: bytes) -> None:
        """Keep what one request brought: (service, span)."""
        request = ExportTraceServiceRequest.FromString(body)
        with self.lock:
            for resource in request.resource_spans:
                names = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self.spans += [(names["service.name"], span) for span in scope.spans]

    def known(self) -> list[tuple[str, Span]]:
        """What came so far."""
        with self.lock:
            return list(self.spans)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A running collector."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            status = 404
            if self.path == "/v1/traces":
                status = 200
                known.take(body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Collector(server)
    worker = Worker("trace collector", lambda _token: server.serve_forever(poll_interval=0.05))
    worker.start()
    yield known
    server.shutdown()
    server.server_close()
    assert worker.join(10.0)


@dataclass
class Demo:
    """The running demo: where its API is and where it keeps its data."""

    url: str
    data: Path
    process: subprocess.Popen[str]

    def scrape(self) -> str:
        """The exposition now."""
        answer = httpx.get(f"{self.url}/metrics", timeout=20.0)
        answer.raise_for_status()
        return answer.text

    def log(self) -> list[dict[str, object]]:
        """The lines of the log file."""
        text = (self.data / "logs" / "barnhand.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def demo(
    collector: Collector, servers_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """A headless Barnhand with three sources, one of which can never be reached."""
    folder = tmp_path_factory.mktemp("demo")
    data = servers_dir / "operation-demo"
    config = folder / "settings.toml"
    config.write_text(
        "[api]\nport = 0\n[engine.analysis]\nmotion_gate = false\nfps = 4\n"
        f'[telemetry.traces]\nenabled = true\nendpoint = "{collector.url}"\nsample_share = 1.0\n'
    )
    environment = {**os.environ, "BARNHAND_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"}
    sources = (
        "simulated:stall",
        "simulated:arena",
        f"rtsp://groom:{CANARY}@127.0.0.1:9/yard",
    )
    arguments = [part for source in sources for part in ("--source", source)]
    output = folder / "output.txt"
    with output.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "barnhand_desktop", "--config", str(config), "headless",
             *arguments],
            stdout=sink, stderr=subprocess.STDOUT, text=True, env=environment,
        )  # fmt: skip
    try:
        yield Demo(_address(output, process), data, process)
    finally:
        process.terminate()
        process.wait(30.0)
    assert process.returncode == 0, output.read_text("utf-8")[-4000:]


def _address(output: Path, process: subprocess.Popen[str]) -> str:
    """The API's address: told once at the start if it is there by then, and with every second."""

    def told() -> str:
        assert process.poll() is None, output.read_text("utf-8")[-4000:]
        found = re.search(r"\bAPI:? (https?://[^/\s]+)", output.read_text("utf-8"))
        return "" if found is None else found[1]

    wait_until(lambda: bool(told()), START_S)
    return told()


@pytest.fixture(scope="module")
def exposition(demo: Demo) -> str:
    """The metrics once everything is at work: rows are written and batches are counted."""
    found: list[str] = []

    def at_work() -> bool:
        text = demo.scrape()
        found[:] = [text]
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        told = {series.partition("{")[0] for series, value in values.items() if float(value) > 0}
        return told >= {
            "barnhand_writer_rows_total", "barnhand_camera_result_seconds_count",
            "barnhand_trace_spans_total", "barnhand_api_requests_total", "barnhand_node_leases",
        }  # fmt: skip

    end = time.monotonic() + START_S
    while not at_work():
        assert time.monotonic() < end, found[0][-6000:]
        time.sleep(0.5)
    return found[0]
