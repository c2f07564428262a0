"""The window is closed during work: an orderly stop within 5 s; survivors named."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from barnhand_desktop import lifecycle
from barnhand_desktop.headless import streams_of
from barnhand_desktop.installation import Installation
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from barnhand_desktop.wiring import Servers, build
from engine.recording.layout import PART
from tests.end2end.test_recording import files
from tests.faults.conftest import Say
from tests.helpers.demo import QUIET, ask, installation
from tests.helpers.waiting import wait_until

SLOW_S = 90.0
ROOT = Path(__file__).resolve().parents[2]
_CONSOLE = """
import sys
from barnhand_desktop.cli import main
from ui.main_window import MainWindow
# Called once the window is shown; on a first start it would wait for somebody to read a password.
MainWindow.show_admin_notice = lambda window: print("shown", flush=True)
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def console(place: Installation, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The console on the offscreen platform, in a process of its own."""
    command = [sys.executable, "-c", _CONSOLE, "--config", str(place.settings_path), "console"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BARNHAND_DATA_DIR": str(place.folders.data),
        "QT_QPA_PLATFORM": "offscreen",
    }
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                    one.kill()


def detections(place: Installation) -> int:
    """Rows in the running console's database."""
    dsn = EmbeddedPostgres(place.folders.postgres).dsn_if_running()
    if dsn is None or ask(dsn, "SELECT to_regclass('detections')") == (None,):
        return 0
    return int(str(ask(dsn, "SELECT count(*) FROM detections")[0]))


@pytest.mark.skipif(os.name != "posix", reason="the window is closed by a signal")
@pytest.mark.timeout(240)
def test_closing_the_window_during_work_ends_everything_in_order(
    servers_dir: Path, tmp_path: Path, say: Say
) -> None:
    """SIGTERM closes the window as its button does (``ui.app``)."""
    place = installation(servers_dir / f"closed-{tmp_path.name}", tmp_path / "settings.toml")
    with console(place, tmp_path / "log.txt") as process:
        log = tmp_path / "log.txt"

        def at_work() -> bool:
            shown = "shown" in log.read_text()
            return shown and detections(place) > 20 and bool(files(place, PART))

        wait_until(lambda: process.poll() is not None or at_work(), SLOW_S)
        assert process.poll() is None, log.read_text()
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 3, "database, live state and API"
        process.send_signal(signal.SIGTERM)
        began_s = time.monotonic()
        assert process.wait(SLOW_S) == 0
        took_s = time.monotonic() - began_s
    told = log.read_text()
    say(f"closed and gone after {took_s:.2f} s")
    assert "did not end in time" not in told and "Traceback" not in told
    assert not psutil.wait_procs(children, 10.0)[1], "no child is left"
    assert not files(place, PART), "chunks are closed"


@pytest.mark.skipif(os.name != "posix", reason="a signal ends the program")
def test_an_end_before_the_window_is_there_is_orderly_too(
    servers_dir: Path, tmp_path: Path
) -> None:
    place = installation(servers_dir / f"early-{tmp_path.name}", tmp_path / "settings.toml")
    with console(place, tmp_path / "log.txt") as process:
        database = EmbeddedPostgres(place.folders.postgres)
        wait_until(lambda: database.dsn_if_running() is not None, SLOW_S)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SLOW_S) in (0, 128 + signal.SIGTERM)
    assert not psutil.wait_procs(children, 10.0)[1], "no child is left"


def test_who_does_not_end_is_named_and_does_not_hold_up_the_rest(
    servers_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, say: Say
) -> None:
    settings = QUIET.replace("port = 0", "enabled = false")
    place = installation(
        servers_dir / f"stuck-{tmp_path.name}", tmp_path / "settings.toml", settings
    )
    barn = build(place, Servers.start(place))
    lifecycle.start(barn, streams_of(("simulated:stall",)))
    wait_until(lambda: barn.writer.rows_written > 5, SLOW_S)
    go_on = threading.Event()

    def stuck(_result: object) -> None:
        go_on.wait(SLOW_S)

    barn.publisher.on_result = stuck  # type: ignore[method-assign]
    wait_until(lambda: barn.engine.health().queue_depth > 0, SLOW_S)
    began_s = time.monotonic()
    with caplog.at_level(logging.WARNING, "barnhand_desktop.lifecycle"):
        survivors = lifecycle.stop(barn, 5.0)
    say(f"with a stuck analysis the stop took {time.monotonic() - began_s:.2f} s")
    go_on.set()
    assert survivors == ("analysis",)
    assert "did not end in time: analysis" in caplog.text
