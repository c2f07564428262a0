"""The embedded PostgreSQL: one cluster in the user's data folder, started and stopped by us.

The server listens on a loopback port only (no socket file), with SCRAM and a random password kept
in a 0600 file. The port is chosen once and remembered. After a crash of the server or of this
program the next start waits for left-over processes, takes over a server that still runs, and lets
PostgreSQL recover by itself.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from barnhand_desktop.servers import cluster as clusters
from barnhand_desktop.servers import folder as folders
from barnhand_desktop.servers.run_as import let_pass, needed_user, place_cluster, place_programs
from engine.domain.errors import Bug, EnvironmentFault, OperatorMistake

log = logging.getLogger(__name__)

_LOG_KEEP_BYTES = 16 * 2**20
_SETTINGS: Mapping[str, str] = {
    "unix_socket_directories": "",
    "listen_addresses": folders.LOOPBACK,
    "max_connections": "60",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "shared_buffers": "128MB",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}


class EmbeddedPostgres:
    """PostgreSQL on ``data_dir``, owned by this process while started.

    ``settings`` are further server settings (tests switch fsync off). All methods are for one
    thread at a time, except ``alive`` and ``pid``.
    """

    name = "postgresql"

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self._dir = data_dir
        self._extra = dict(settings or {})
        self._lock = folders.FolderLock(data_dir)
        self._log_path = data_dir / "server.log"
        self._port_path = data_dir / "port"
        self._cluster: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._adopted: psutil.Process | None = None
        self._port: int | None = None
        self._password = ""
        self._promised = False

    # --- state -------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        if not self.alive():
            return None
        if self._process is not None:
            return self._process.pid
        return None if self._adopted is None else int(self._adopted.pid)

    def alive(self) -> bool:
        """True while the server process exists."""
        if self._process is not None:
            return self._process.poll() is None
        return self._adopted is not None and _is_alive(self._adopted)

    @property
    def dsn(self) -> str:
        """Where the server listens, password included; Bug before the first start."""
        if self._port is None:
            raise Bug("the embedded database was not started")
        return self._dsn(clusters.DATABASE)

    def _dsn(self, database: str) -> str:
        return (
            f"postgresql://{clusters.SUPERUSER}:{quote(self._password, safe='')}"
            f"@{folders.LOOPBACK}:{self._port}/{database}"
        )

    def dsn_if_running(self) -> str | None:
        """The address of a server another process runs on this folder, None if none answers."""
        port = folders.remembered_port(self._port_path)
        password_path = self._dir / "password"
        if port is None or not password_path.exists():
            return None
        self._port, self._password = port, folders.stored_secret(password_path)
        return self.dsn if self._answers(clusters.DATABASE) else None

    # --- start -------------------------------------------------------------------------------

    def start(self) -> str:
        """Start the server (or take over one that still runs) and return its address.

        Does nothing while it runs. The second and later starts keep the port, because clients hold
        the address. Raises OperatorMistake (folder in use, damaged, made by a newer version) or
        EnvironmentFault (disk full, port taken, no memory).
        """
        if self.alive():
            return self.dsn
        folders.make_folder(self._dir)
        let_pass(self._dir)
        self._lock.acquire()
        try:
            self._start()
        except BaseException:
            self._kill_own()
            if not self._promised:
                self._lock.release()
            raise
        self._promised = True
        return self.dsn

    def _start(self) -> None:
        user = needed_user()
        packaged, version = clusters.packaged_install()
        install = place_programs(packaged, user, version, self._dir)
        cluster = self._cluster = place_cluster(self._dir, user)
        self._password = folders.stored_secret(self._dir / "password")
        clusters.ensure_cluster(cluster, install, self._password, user)
        if self._adopt(cluster):
            return
        _wait_for_leftovers(cluster)
        for attempt in range(3):
            self._port = self._choose_port(attempt)
            try:
                self._launch(cluster, install)
                break
            except EnvironmentFault as error:
                if "port" not in error.message or self._promised or attempt == 2:
                    raise
                log.info("port %d was taken; trying another", self._port)
        folders.write_private(self._port_path, str(self._port))
        self._ensure_database()

    def _choose_port(self, attempt: int) -> int:
        remembered = self._port if self._promised else folders.remembered_port(self._port_path)
        if remembered is not None and attempt == 0:
            end = time.monotonic() + (5.0 if self._promised else 0.0)
            while not folders.port_is_free(remembered):
                if time.monotonic() >= end:
                    break
                time.sleep(0.02)
            else:
                return remembered
            if self._promised:
                raise EnvironmentFault(
                    f"Port {remembered} of the database is taken by another program.",
                    "Close that program; Barnhand tries again.",
                )
        return folders.free_port()

    def _launch(self, cluster: Path, install: Path) -> None:
        self._trim_log()
        since = self._log_path.stat().st_size if self._log_path.exists() else 0
        settings = {**_SETTINGS, **self._extra}
        command = [str(clusters.program(install, "postgres")), "-D", str(cluster)]
        command += ["-p", str(self._port)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        user = needed_user()
        try:
            with folders.append_private(self._log_path) as log_file:
                self._process = clusters.start_child(command, user, self._dir, log_file)
        except OSError as error:
            raise EnvironmentFault(f"The database did not start: {error}.") from error
        self._adopted = None
        self._await_ready(cluster, since)

    def _await_ready(self, cluster: Path, since: int, limit_s: float = 600.0) -> None:
        """Wait until the server says it is ready; recovery after a crash may take minutes."""
        process = self._process
        assert process is not None
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if process.poll() is not None:
                raise clusters.explain(folders.log_tail(self._log_path, since), cluster)
            if _status_line(cluster, process.pid) == "ready":
                return
            time.sleep(0.01)
        raise EnvironmentFault(
            "The database did not become ready.", f"See {self._log_path} for what it is doing."
        )

    def _adopt(self, cluster: Path) -> bool:
        """Take over a server that a killed Barnhand left running on this cluster."""
        lines = _pid_file(cluster)
        if not lines:
            return False
        process = _server_process(int(lines[0]), cluster) if lines[0].isdigit() else None
        if process is None:
            with contextlib.suppress(FileNotFoundError):
                (cluster / "postmaster.pid").unlink()
            return False
        port = int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else None
        if port is not None and (not self._promised or port == self._port):
            self._port = port
            if self._answers("postgres"):
                log.info("took over the database server with process id %d", process.pid)
                self._process, self._adopted = None, process
                folders.write_private(self._port_path, str(port))
                self._ensure_database()
                return True
        _end(process, (signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
        return False

    def _answers(self, database: str) -> bool:
        try:
            with psycopg.connect(self._dsn(database), connect_timeout=3) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _ensure_database(self) -> None:
        try:
            with psycopg.connect(
                self._dsn("postgres"), autocommit=True, connect_timeout=10
            ) as connection:
                row = connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", (clusters.DATABASE,)
                ).fetchone()
                if row is None:
                    statement = sql.SQL("CREATE DATABASE {}")
                    connection.execute(statement.format(sql.Identifier(clusters.DATABASE)))
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise OperatorMistake(
                    f"The password in {self._dir / 'password'} is not the database's.",
                    "Put the original file back from a backup of the folder.",
                ) from error
            raise EnvironmentFault(f"The database does not answer: {error}.") from error

    def _trim_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self._log_path.stat().st_size > _LOG_KEEP_BYTES:
                self._log_path.replace(self._log_path.with_suffix(".log.1"))

    # --- stop --------------------------------------------------------------------------------

    def stop(self, deadline_s: float = 10.0) -> None:
        """Shut the server down in order (open transactions are rolled back) and free the folder."""
        process = self._as_psutil()
        if process is not None:
            steps = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
            if sys.platform != "win32":
                steps = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
            _end(process, steps, deadline_s)
        if self._process is not None:
            self._process.wait(5)
        if self._cluster is not None:
            _wait_for_leftovers(self._cluster)
        self._process = self._adopted = None
        self._promised = False
        self._lock.release()

    def _as_psutil(self) -> psutil.Process | None:
        if self._adopted is not None:
            return self._adopted
        if self._process is None or self._process.poll() is not None:
            return None
        try:
            return psutil.Process(self._process.pid)
        except psutil.NoSuchProcess:
            return None

    def _kill_own(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        self._process = None


def _pid_file(cluster: Path) -> list[str]:
    """Lines of the postmaster's file: pid, folder, start, port, socket, address, memory, status."""
    try:
        text = (cluster / "postmaster.pid").read_text("utf-8", "replace")
    except (FileNotFoundError, PermissionError):
        return []
    return [line.strip() for line in text.splitlines()]


def _status_line(cluster: Path, pid: int) -> str:
    lines = _pid_file(cluster)
    return lines[7] if len(lines) > 7 and lines[0] == str(pid) else ""


def _server_process(pid: int, cluster: Path) -> psutil.Process | None:
    """The process, if it is a PostgreSQL server working in this cluster."""
    try:
        process = psutil.Process(pid)
        return process if _works_in(process, cluster) else None
    except psutil.Error:
        return None


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    if not str(process.name()).startswith("postgres"):
        return False
    if process.status() == psutil.STATUS_ZOMBIE:
        return False
    return Path(process.cwd()).resolve() == cluster.resolve()


def _leftovers(cluster: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if _works_in(process, cluster):
                found.append(process)
    return found


def _wait_for_leftovers(cluster: Path, patience_s: float = 5.0) -> None:
    """Wait for the children of a killed server; ones that stay are ended.

    A new server beside an old one's child on the same files would damage them. PostgreSQL refuses
    that itself, but only with an error.
    """
    end = time.monotonic() + patience_s
    while left := _leftovers(cluster):
        if time.monotonic() > end:
            for process in left:
                _end(process, (signal.SIGKILL,))
        time.sleep(0.02)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _end(
    process: psutil.Process, steps: tuple[signal.Signals, ...], deadline_s: float = 10.0
) -> None:
    """Ask a process to end with each signal in turn, giving each its share of the time."""
    for step in steps:
        try:
            process.send_signal(step)
            process.wait(deadline_s / len(steps) if step != signal.SIGKILL else 5.0)
            return
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            log.warning("process %d did not end on %s", process.pid, step.name)
