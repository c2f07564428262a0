"""The API as a supervised child process.

Secrets reach it over its standard input, never over its arguments or environment. The pipe stays
open, and its end is the child's sign to go, however this process ended.
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
from collections.abc import Sequence
from pathlib import Path

import barnhand_desktop
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.logs import RESERVED
from engine.domain.errors import Bug, EnvironmentFault, OperatorMistake
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)
child_log = logging.getLogger("barnhand.api")

_START_WITHIN_S = 30.0
_STOP_WITHIN_S = 5.0
_CANNOT_START = 2


def default_command() -> tuple[str, ...]:
    """How this installation starts the child: a packaged program by its own name."""
    if getattr(sys, "frozen", False):
        return (sys.executable, "api", "--child")
    return (sys.executable, "-m", "barnhand_desktop.api")


class ApiProcess:
    """Starts, watches and stops the API process; meets ``ManagedServer``.

    ``port`` is the configured one or the next free; a restart takes the same one again. ``start``
    and ``stop`` are for one thread at a time, the rest for any.
    """

    name = "api"

    def __init__(self, config: ApiConfig, command: Sequence[str] | None = None) -> None:
        self._config = config
        self._command = tuple(command or default_command())
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: Worker | None = None
        self._said = _Said()

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def url(self) -> str:
        """Where the API is reached from this machine; Bug before the first start."""
        if self._said.url is None:
            raise Bug("the API process was not started")
        return self._said.url

    @property
    def reached_at(self) -> str:
        """The address while the child lives; empty while it does not or never answered yet."""
        return (self._said.url or "") if self.alive() else ""

    @property
    def port(self) -> int:
        """The port the API listens on; Bug before the first start."""
        if self._said.port is None:
            raise Bug("the API process was not started")
        return self._said.port

    @property
    def config(self) -> ApiConfig:
        """What the child was, or will be, started with."""
        return self._config

    def configure(self, config: ApiConfig) -> None:
        """Use other settings from the next start on; the port stays unless another is wanted."""
        if config.port != self._config.port:
            self._said = _Said()
        self._config = config

    def alive(self) -> bool:
        """True while the child exists."""
        return self.pid is not None

    def start(self) -> str:
        """Start the child and return its address once it answers requests.

        Raises OperatorMistake for settings it cannot start with, EnvironmentFault otherwise.
        """
        self._end(kill_at_once=True)
        said = _Said(preferred_port=self._said.port)
        process = self._launch(said)
        end = time.monotonic() + _START_WITHIN_S
        while not said.listening.wait(0.05) and process.poll() is None:
            if time.monotonic() >= end:
                break
        if not said.listening.is_set():
            code = process.poll()
            self._end(kill_at_once=True)
            raise self._failure(code, said.last_error)
        self._said = said
        log.info("the API listens on %s", self.url)
        return self.url

    def stop(self) -> None:
        """End the child in order, by force after 5 s."""
        self._end(kill_at_once=False)

    def _launch(self, said: _Said) -> subprocess.Popen[bytes]:
        config = self._config
        if said.preferred_port is not None:
            config = config.model_copy(update={"port": said.preferred_port})
        root = str(Path(barnhand_desktop.__file__).resolve().parents[1])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"},
                # Ctrl+C in a terminal is for this process, which ends the child in order.
                process_group=0 if os.name == "posix" else None,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise EnvironmentFault(f"The API process cannot be started: {error}.") from error
        self._process = process
        self._reader = Worker("api log", lambda token: _forward(process, said, token))
        self._reader.start()
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # a child that died at once shows in its exit status
            process.stdin.write(config.model_dump_json().encode() + b"\n")
            process.stdin.flush()
        return process

    def _failure(self, code: int | None, last_error: str) -> EnvironmentFault | OperatorMistake:
        told = f" It said: {last_error}" if last_error else ""
        if code == _CANNOT_START:
            return OperatorMistake(f"The API cannot start with these settings.{told}")
        state = "did not answer in time" if code is None else f"ended with status {code}"
        return EnvironmentFault(f"The API process {state}.{told}")

    def _end(self, kill_at_once: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        if kill_at_once:
            process.kill()
        try:
            process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            log.warning("the API process %d did not end in time and was killed", process.pid)
            process.kill()
            process.wait()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.ask_to_stop()
            if not reader.join(_STOP_WITHIN_S):
                # It waits for that to end, and closes the pipe then; closing here would wait too.
                log.warning("something that the API process started holds its output")
                return
        process.stdout.close()


class _Said:
    """What one child said about itself."""

    def __init__(self, preferred_port: int | None = None) -> None:
        self.preferred_port = preferred_port
        self.port: int | None = None
        self.url: str | None = None
        self.last_error = ""
        self.listening = threading.Event()


def _forward(process: subprocess.Popen[bytes], said: _Said, token: StopToken) -> None:
    """Bring the child's lines into this process's log until it ends, and whatever it started."""
    assert process.stdout is not None
    for line in process.stdout:
        text = line.decode("utf-8", "replace").rstrip()
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            said.last_error = text or said.last_error
            child_log.warning("%s", text)
        elif "listening" in document:
            said.url, said.port = str(document["listening"]), int(document["port"])
            said.listening.set()
        else:
            _log(document, said)
        if token.stopping:
            break
    process.stdout.close()


def _log(document: dict[str, object], said: _Said) -> None:
    level = logging.getLevelNamesMapping().get(str(document.get("level")), logging.INFO)
    message = str(document.get("message", ""))
    if level >= logging.ERROR:
        said.last_error = message.splitlines()[0] if message else said.last_error
    told = document.get("fields")
    fields = {str(k): v for k, v in told.items()} if isinstance(told, dict) else {}
    for name in RESERVED & fields.keys():
        del fields[name]
    child_log.log(level, "%s: %s", document.get("logger", ""), message, extra=fields)
