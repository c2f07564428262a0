"""A real browser without a screen, driven over its debugging socket."""

from __future__ import annotations

import base64
import contextlib
import http.server
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from engine.runtime.worker import Worker

_NAMES = ("chromium-headless-shell", "chrome-headless-shell", "chromium", "google-chrome")
HLS_JS = "hls.js@1.7.4"


class Page:
    """The one page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def call(self, method: str, **arguments: object) -> dict[str, Any]:
        """One command of the debugging protocol; its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": arguments}))
        while True:
            answer = json.loads(self._socket.recv(20))
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self) -> bytes:
        """PNG of the page."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A running browser with an empty page; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    process = subprocess.Popen(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--mute-audio",
            "--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=700,420",
            "--autoplay-policy=no-user-gesture-required", "about:blank",
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Debian's program is a script around the browser: both must end
    )  # fmt: skip
    try:
        with connect(_page_address(process), max_size=None) as socket:
            yield Page(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def _page_address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        found = re.search(r"ws://(127\.0\.0\.1:\d+)/", line)
        if found:
            pages = httpx.get(f"http://{found[1]}/json/list").json()
            return str(next(p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page"))
    pytest.fail("the browser did not start")


def hls_js(cache: Path) -> bytes:
    """The script of hls.js, fetched once from the package registry; skips where it cannot be."""
    kept = cache / "hls.min.js"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed, hls.js cannot be fetched")
        cache.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            [npm, "pack", HLS_JS, "--silent"],
            cwd=cache,
            capture_output=True,
            timeout=60,
            check=False,
        )
        archives = sorted(cache.glob("hls.js-*.tgz"))
        if packed.returncode or not archives:
            pytest.skip("the package registry does not give hls.js")
        with tarfile.open(archives[0]) as archive:
            member = archive.extractfile("package/dist/hls.min.js")
            assert member is not None
            kept.write_bytes(member.read())
    return kept.read_bytes()


@contextlib.contextmanager
def page_server(files: Mapping[str, tuple[str, bytes]]) -> Iterator[str]:
    """Serves these files (path -> type, body) on the loopback; yields the origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = files.get(self.path.split("?")[0])
            self.send_response(200 if found else 404)
            if found:
                self.send_header("Content-Type", found[0])
            self.end_headers()
            if found:
                self.wfile.write(found[1])

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    worker = Worker("pages", lambda _: server.serve_forever(0.05))
    worker.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        assert worker.join(5)
        server.server_close()
