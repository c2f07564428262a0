"""Under which system user PostgreSQL runs, and where that user can reach its files.

PostgreSQL refuses to run as root. Started by root (containers, mostly) it runs under a system user
of its own; folders that user cannot reach, such as ones below ``/root``, are mirrored to a place
it can. Started by anyone else it runs as that person and nothing moves.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.domain.errors import EnvironmentFault

log = logging.getLogger(__name__)

SYSTEM_USER = "barnhand-pg"
_ROOT_STATE = Path("/var/lib/barnhand")


@dataclass(frozen=True, slots=True)
class RunAs:
    """A system user to run a child process as."""

    name: str
    uid: int
    gid: int


def needed_user() -> RunAs | None:
    """The user a server must run as: None (as ourselves) unless we are root."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    found = _lookup(SYSTEM_USER) or _create() or _lookup("nobody")
    if found is None:
        raise EnvironmentFault(
            "PostgreSQL cannot run as root, and no other system user was found or could be made.",
            f"Create one (useradd --system {SYSTEM_USER}) or start Barnhand as a normal user.",
        )
    return found


def _lookup(name: str) -> RunAs | None:
    if sys.platform == "win32":
        return None
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return RunAs(name, entry.pw_uid, entry.pw_gid)


def _create() -> RunAs | None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        return None
    command = [
        program,
        "--system",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        "--user-group",
        SYSTEM_USER,
    ]
    made = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if made.returncode != 0:
        log.info("system user %s was not made: %s", SYSTEM_USER, made.stderr.strip())
    return _lookup(SYSTEM_USER)  # another process may have made it meanwhile


def reachable(folder: Path) -> bool:
    """True if any user may pass through every folder above (and including) ``folder``."""
    here = folder.resolve()
    return all(step.stat().st_mode & 0o001 for step in (here, *here.parents) if step.exists())


def let_pass(folder: Path) -> None:
    """As root, let other users pass through a data folder (its files stay private), so that a
    database on a mounted volume stays on it."""
    if needed_user() is not None and reachable(folder.parent):
        folder.chmod(0o711)


def place_cluster(folder: Path, user: RunAs | None) -> Path:
    """Where the cluster of data folder ``folder`` lives: inside it, or where ``user`` reaches it.

    The returned folder's parent exists; the folder itself may not. A file ``cluster-location`` in
    the data folder says where a moved cluster is.
    """
    if user is None or reachable(folder):
        return folder / "cluster"
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    parent = _state_root(folder) / digest
    _make_passable(parent)
    cluster = parent / "cluster"
    (folder / "cluster-location").write_text(f"{cluster}\n", encoding="utf-8")
    return cluster


def place_programs(install: Path, user: RunAs | None, version: str, folder: Path) -> Path:
    """The server's programs where ``user`` can run them: in place, or copied once per version."""
    if user is None or reachable(install / "bin"):
        return install
    home = _state_root(folder)
    copy = home / f"postgresql-{version}"
    if (copy / "complete").exists():
        return copy
    _make_passable(home)
    fresh = Path(tempfile.mkdtemp(prefix="postgresql-", dir=home))
    shutil.copytree(install, fresh, dirs_exist_ok=True, symlinks=True)
    fresh.chmod(0o755)
    (fresh / "complete").touch()
    try:
        fresh.rename(copy)
    except OSError:  # another process was faster
        shutil.rmtree(fresh)
    return copy


def _state_root(folder: Path) -> Path:
    # Data below the system's temporary folder is temporary wherever it is mirrored.
    temporary = Path(tempfile.gettempdir()).resolve()
    if folder.resolve().is_relative_to(temporary):
        return temporary / "barnhand-servers"
    return _ROOT_STATE


def _make_passable(folder: Path) -> None:
    try:
        for step in (folder.parent, folder):
            if step.exists() and reachable(step):
                continue
            step.mkdir(parents=True, exist_ok=True)
            if step.stat().st_uid != os.geteuid():
                raise PermissionError(f"{step} belongs to another user")
            step.chmod(0o711)
    except OSError as error:
        raise EnvironmentFault(
            f"The folder {folder} for the database cannot be made: {error}.",
            "Start Barnhand as a normal user, or with a data folder outside root's home.",
        ) from error
