"""A second process that stops moving cameras when this one dies.

It is told over its standard input, a JSON object a line, which cameras there are and which of them
move; credentials reach it nowhere else. The end of the pipe, however the parent ended, makes it
stop every camera that still moves, with retries, and go.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from engine.domain.errors import BarnhandError
from engine.domain.ids import StreamId
from engine.domain.ptz import PtzConfig
from engine.ptz.cgi import Credentials
from engine.ptz.config import parsed_ptz, stored_ptz
from engine.ptz.drivers import open_driver

log = logging.getLogger(__name__)

TRY_FOR_S = 60.0
"""How long the guardian tries to stop the cameras of a dead program."""
_PAUSE_S = 0.5
_END_WITHIN_S = 2.0


def default_command() -> tuple[str, ...]:
    """How this installation starts the guardian: a packaged program by its own name."""
    if getattr(sys, "frozen", False):
        return (sys.executable, "ptz-guardian")
    return (sys.executable, "-m", "engine.ptz.guardian")


class GuardianProcess:
    """Meets Guardian with a child process; may be used from any thread.

    The child is started with the first camera that moves. A child that died is started again when
    a camera moves or, told again, still moves; without one, cameras are steered all the same and
    it is logged.
    """

    def __init__(self, command: Sequence[str] | None = None, further: str = "") -> None:
        self._command = tuple(command or default_command())
        self._further = further
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._known: dict[StreamId, dict[str, object]] = {}
        self._moving: set[StreamId] = set()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def know(self, stream_id: StreamId, config: PtzConfig, credentials: Credentials) -> None:
        """See Guardian."""
        with self._lock:
            self._known[stream_id] = {
                "camera": str(stream_id),
                "config": stored_ptz(config),
                "username": credentials.username,
                "password": credentials.password,
                "further": self._further,
            }
            if self._process is not None:
                self._tell(self._known[stream_id])

    def forget(self, stream_id: StreamId) -> None:
        """See Guardian."""
        with self._lock:
            self._known.pop(stream_id, None)

    def moving(self, stream_id: StreamId) -> None:
        """See Guard."""
        with self._lock:
            if stream_id in self._moving and self.pid is not None:
                return
            self._moving.add(stream_id)
            if self.pid is None and not self._closed:
                self._launch()
            if not self._tell({"moving": str(stream_id)}) and not self._closed:
                self._launch()  # it died between the look and the word

    def still(self, stream_id: StreamId) -> None:
        """See Guard."""
        with self._lock:
            self._moving.discard(stream_id)
            self._tell({"still": str(stream_id)})

    def close(self) -> None:
        """End the child: at once when every camera stands still, else after it has stopped them."""
        with self._lock:
            process, self._process, self._closed = self._process, None, True
            moving = bool(self._moving)
        if process is None:
            return
        _hang_up(process)
        if moving:
            log.warning("cameras still move: the guardian stops them")
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_WITHIN_S)

    def _launch(self) -> None:
        if self._process is not None:
            _bury(self._process)
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"},
                # Ctrl+C in a terminal, or the end of its session, must not end the guardian.
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            log.error("the guardian of moving cameras cannot be started: %s", error)
            return
        for told in self._known.values():
            self._tell(told)
        for stream_id in self._moving:
            self._tell({"moving": str(stream_id)})

    def _tell(self, message: Mapping[str, object]) -> bool:
        """False if the child is found dead."""
        process = self._process
        if process is None or process.stdin is None:
            return True
        try:
            process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            log.warning("the guardian of moving cameras is gone; it is started again when needed")
            self._process = None
            _bury(process)
            return False
        return True


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()


def _bury(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child that is gone or going, so that it does not stay as a zombie."""
    _hang_up(process)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_WITHIN_S)


def moving_cameras(lines: Iterable[str]) -> list[dict[str, object]]:
    """Read what the parent tells until it ends; the cameras that move then."""
    known: dict[str, dict[str, object]] = {}
    moving: set[str] = set()
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            continue  # the parent died while it wrote this line
        if "camera" in told:
            known[str(told["camera"])] = told
        moving |= {str(told["moving"])} if "moving" in told else set()
        moving -= {str(told["still"])} if "still" in told else set()
    return [known[name] for name in sorted(moving) if name in known]


def stop_cameras(cameras: Sequence[Mapping[str, object]], try_for_s: float = TRY_FOR_S) -> int:
    """Stop these cameras, one after the other, until all have taken it; how many did not."""
    waiting = list(cameras)
    end_s = time.monotonic() + try_for_s
    while waiting:
        waiting = [camera for camera in waiting if not _stopped(camera)]
        if waiting and time.monotonic() > end_s:
            break
        if waiting:
            time.sleep(_PAUSE_S)
    return len(waiting)


def _stopped(camera: Mapping[str, object]) -> bool:
    login = Credentials(str(camera.get("username", "")), str(camera.get("password", "")))
    try:
        config = parsed_ptz(camera.get("config"))
        driver = open_driver(config, login, str(camera.get("further", "")))
    except BarnhandError:
        return False
    try:
        driver.stop()
    except BarnhandError:
        return False
    finally:
        driver.close()
    return True


def main(source: IO[str] = sys.stdin) -> int:
    """Wait for the parent's end, then stop what moves; 0 when everything stands still."""
    return 1 if stop_cameras(moving_cameras(source)) else 0


if __name__ == "__main__":
    sys.exit(main())
