"""PostgreSQL's own pg_dump and pg_restore: found, started, watched, and their complaints in words.

They run as whoever runs Barnhand (only the server itself refuses root). Where to connect and the
password travel in the child's environment, never in its arguments, which everybody may read.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psycopg
from psycopg import conninfo, pq

from barnhand_desktop.servers import cluster as clusters
from engine.domain.errors import EnvironmentFault, OperatorMistake
from engine.runtime.worker import StopToken, Worker

_NO_WINDOW = 0x08000000
_VERSION = re.compile(r"(\d+)(?:\.\d+)*\s*$")
_LOOK_EVERY_S = 0.2
_END_S = 2.0


def find_program(name: str, server_major: int) -> Path:
    """``pg_dump`` or ``pg_restore`` that is at least as new as the server: the one beside the
    embedded server, else one on the PATH. Raises EnvironmentFault when neither is."""
    seen = []
    for path in _candidates(name):
        major = _major(path)
        if major >= server_major:
            return path
        seen.append(str(major))
    raise EnvironmentFault(
        f"The server is PostgreSQL {server_major}, and {name} here is "
        f"{'of version ' + ' and '.join(seen) if seen else 'missing'}.",
        f"Install PostgreSQL's client programs of version {server_major} or newer on the PATH.",
    )


def _candidates(name: str) -> Iterator[Path]:
    with contextlib.suppress(EnvironmentFault):
        path = clusters.program(clusters.packaged_install()[0], name)
        if path.exists():
            yield path
    other = shutil.which(name)
    if other is not None:
        yield Path(other)


def _major(program: Path) -> int:
    try:
        said = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=30, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    # "pg_dump (PostgreSQL) 16.4 (Debian 16.4-1)" ends with the packager's words.
    found = _VERSION.search(said.strip().split(" (Debian")[0].split(" (Ubuntu")[0])
    return int(found[1]) if found else 0


def connection_environment(dsn: str) -> dict[str, str]:
    """The child's environment: libpq's variables for every part of ``dsn`` that has one."""
    try:
        parts = conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise OperatorMistake("The database's address cannot be read.") from error
    names = {
        option.keyword.decode(): option.envvar.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar
    }
    given = {names[key]: str(value) for key, value in parts.items() if key in names}
    return {**clusters.child_environment(), "PGAPPNAME": "barnhand backup", **given}


class Child:
    """One of the programs at work; what it says on standard error lies in a file."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self.process = process
        self._errors = errors
        self.cancelled = False

    def feed(self, blocks: Iterable[bytes], told: Callable[[int], None] | None = None) -> None:
        """Write into its standard input until it has all, or wants no more; ``told`` hears of the
        bytes that went in so far."""
        pipe = self.process.stdin
        assert pipe is not None
        sent = 0
        try:
            for block in blocks:
                pipe.write(block)
                sent += len(block)
                if told is not None:
                    told(sent)
            pipe.close()
        except (BrokenPipeError, ConnectionError):
            return  # its exit status says whether it had enough

    @property
    def complaints(self) -> str:
        """All it said on standard error."""
        return self._errors.read_text("utf-8", "replace")

    def lines_after(self, offset: int) -> tuple[list[str], int]:
        """Whole lines that it said since byte ``offset``, and where they end."""
        with self._errors.open("rb") as stream:
            stream.seek(offset)
            text = stream.read()
        end = text.rfind(b"\n") + 1
        return text[:end].decode("utf-8", "replace").splitlines(), offset + end


@contextlib.contextmanager
def running(
    command: list[str], dsn: str, cancelled: Callable[[], bool], *, feeds: bool
) -> Iterator[Child]:
    """Run a program with a pipe from its standard output, or into its standard input (``feeds``).

    It is killed when ``cancelled`` says so, and when the body ends or raises while it runs.
    Raises EnvironmentFault when it does not start.
    """
    windows = sys.platform == "win32"
    environment = connection_environment(dsn)
    with tempfile.TemporaryDirectory(prefix="barnhand-backup-") as folder:
        errors = Path(folder) / "said"
        with errors.open("wb") as saying:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL if feeds else subprocess.PIPE,
                    stderr=saying,
                    env=environment,
                    start_new_session=not windows,
                    creationflags=_NO_WINDOW if windows else 0,
                )
            except OSError as error:
                name = Path(command[0]).name
                raise EnvironmentFault(f"{name} did not start: {error}.") from error
        child = Child(process, errors)
        watch = Worker("backup watch", lambda token: _watch(token, child, cancelled))
        watch.start()
        try:
            yield child
        finally:
            watch.ask_to_stop()
            watch.join(5.0)
            _end(process)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            process.wait(30)


def _watch(token: StopToken, child: Child, cancelled: Callable[[], bool]) -> None:
    while not token.wait(_LOOK_EVERY_S):
        if cancelled():
            child.cancelled = True
            _end(child.process)
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, which lets it tell the server; then kill it."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()


def explained(doing: str, complaints: str) -> EnvironmentFault:
    """A program's failure in words: its last complaint, without the noise around it."""
    errors = [line for line in complaints.splitlines() if "error:" in line or "FATAL:" in line]
    lines = errors or [line for line in complaints.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "it left no message"
    text = complaints.lower()
    if "no space left" in text or "disk full" in text:
        return EnvironmentFault(f"The disk is full while {doing}.", "Free some space.")
    if "lock timeout" in text:
        return EnvironmentFault(
            f"Another program holds the database while {doing}.", "Try again in a moment."
        )
    return EnvironmentFault(f"PostgreSQL complained while {doing}: {last}.")
