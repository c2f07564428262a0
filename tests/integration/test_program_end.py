"""The program's own entry point ends with its status, whatever threads are left."""

from __future__ import annotations

import subprocess
import sys

STUCK = """
import sys, threading
import barnhand_desktop.cli as cli
from engine.runtime.worker import Worker
begun = threading.Event()
def body(token):
    begun.set()
    threading.Event().wait(60.0)
def command(argv=None):
    Worker("stuck", body).start()
    begun.wait(10.0)
    print("written")
    return 3
cli.main = command
cli.program()
"""


def test_a_thread_that_does_not_end_keeps_nobody_waiting_and_the_status_stays() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 3, ended.stderr
    assert ended.stdout == "written\n"
    assert "stuck" in ended.stderr


def test_a_wrong_command_line_ends_with_its_status() -> None:
    argv = [sys.executable, "-m", "barnhand_desktop", "user", "no-such-act"]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2 and "no-such-act" in ended.stderr
