"""A server's data folder: who holds it, its secret and its port.

One process at a time owns a folder; the lock is released by the system when that process dies,
even by ``kill -9``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from pathlib import Path
from typing import IO

from engine.domain.errors import EnvironmentFault, OperatorMistake

LOOPBACK = "127.0.0.1"


class FolderLock:
    """An exclusive lock on a folder, held from ``acquire`` to ``release``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """True while this object holds the folder."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the folder; OperatorMistake when another process (or object) has it."""
        if self._descriptor is not None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock_exclusively(descriptor)
        except OSError as error:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise OperatorMistake(
                f"Another Barnhand (process {owner or 'unknown'}) is using {self._path.parent}.",
                "Use that window, close it first, or start with another data folder.",
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the folder back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":
    import msvcrt

    def lock_exclusively(descriptor: int) -> None:
        """Lock an open file until it is closed; OSError when another has it."""
        # Far behind the process number, so that others can still read it.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def lock_exclusively(descriptor: int) -> None:
        """Lock an open file until it is closed; OSError when another has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def make_folder(folder: Path) -> None:
    """Create a private folder; EnvironmentFault when the system refuses."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"The folder {folder} cannot be made: {error.strerror}.",
            "Choose a data folder on a disk you may write to.",
        ) from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, replacing the old one at once."""
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def append_private(path: Path) -> IO[bytes]:
    """Open a log only its owner can read, for appending; the caller closes it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def stored_secret(path: Path) -> str:
    """The random password kept in ``path``, made on first use and stored 0600."""
    try:
        secret = path.read_text("utf-8").strip()
    except FileNotFoundError:
        secret = ""
    if not secret:
        secret = secrets.token_urlsafe(32)
        write_private(path, secret)
    return secret


def remembered_port(path: Path) -> int | None:
    """The port kept in ``path``, or None."""
    try:
        port = int(path.read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return port if 1024 <= port <= 65535 else None


def port_is_free(port: int) -> bool:
    """True if a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def log_tail(path: Path, since: int = 0, at_most: int = 4000) -> str:
    """The end of a log file, from byte ``since`` on; empty when there is none."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(since, size - at_most))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
