"""The file of a backup: a ZIP, nothing compressed twice, that holds PostgreSQL's dump and its
description.

``database.dump`` (pg_dump's custom format), ``manifest.json`` and, where asked for, ``keys.json``.
Anyone with PostgreSQL can open it without Barnhand: ``unzip -p FILE database.dump | pg_restore``.
The directory of a ZIP stands at its end, so a file that was cut short is seen at once.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from barnhand_desktop.backup.manifest import Manifest, damaged
from barnhand_desktop.servers.folder import lock_exclusively
from engine.domain.errors import EnvironmentFault, OperatorMistake

DUMP, MANIFEST, KEYS = "database.dump", "manifest.json", "keys.json"
PART = ".part"
BLOCK_BYTES = 1 << 20
RESERVE_BYTES = 64 * 2**20
"""So much of the disk a backup leaves free: the database usually lies on the same one."""
_MOST_DESCRIPTION_BYTES = 1 << 22
_DOS_EPOCH = (1980, 1, 1, 0, 0, 0)


class ArchiveWriter:
    """A backup being written, into ``.part`` beside its place; ``finish`` makes it one."""

    def __init__(self, path: Path, file: IO[bytes], part: Path) -> None:
        self.path = path
        self._part = part
        self._file = file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        self._digest = hashlib.sha256()
        self.dump_bytes = 0
        self._entry: IO[bytes] | None = None
        self._since_look = 0

    @property
    def sha256(self) -> str:
        """Hex digest of the dump so far."""
        return self._digest.hexdigest()

    def write(self, block: bytes) -> None:
        """The dump's next bytes."""
        if self._entry is None:
            self._entry = self._zip.open(_entry(DUMP), "w", force_zip64=True)
        self._entry.write(block)
        self._digest.update(block)
        self.dump_bytes += len(block)
        self._since_look += len(block)
        if self._since_look >= 64 * BLOCK_BYTES:
            self._since_look = 0
            require_room(self.path.parent, 0)

    def finish(self, manifest: Manifest, keys: bytes | None = None) -> None:
        """Describe it, bring it to the disk, and give it its name."""
        if self._entry is not None:
            self._entry.close()
            self._entry = None
        self._zip.writestr(_entry(MANIFEST), manifest.model_dump_json(indent=1))
        if keys is not None:
            self._zip.writestr(_entry(KEYS), keys)
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        if os.name == "nt":
            self._file.close()  # an open file cannot be renamed there
        self._part.replace(self.path)
        _sync_folder(self.path.parent)

    def abandon(self) -> None:
        """Close and remove what was written."""
        # A ZIP that is closed writes its directory, which a full disk refuses again.
        with contextlib.suppress(OSError, ValueError):
            if self._entry is not None:
                self._entry.close()
        with contextlib.suppress(OSError, ValueError):
            self._zip.close()
        with contextlib.suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[ArchiveWriter]:
    """Write the backup ``path``. Whatever goes wrong before ``finish`` leaves nothing.

    Raises OperatorMistake when the file exists or is being written, EnvironmentFault when the disk
    refuses.
    """
    if path.exists():
        raise OperatorMistake(f"{path} exists already.", "Name another file.")
    part = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep_part(part)
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            _hold(descriptor)
            writer = ArchiveWriter(path, file, part)
            try:
                yield writer
            finally:
                if part.exists():
                    writer.abandon()
    except FileExistsError as error:
        raise OperatorMistake(f"{path} is being written by another Barnhand.", "Wait.") from error
    except OSError as error:
        raise _disk_fault(path, error) from error


_BINARY: int = getattr(os, "O_BINARY", 0)


def _hold(descriptor: int) -> None:
    # Says "at work" to whoever sweeps; a file system without locks (some network ones) goes on.
    with contextlib.suppress(OSError):
        lock_exclusively(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)


def _disk_fault(path: Path, error: OSError) -> EnvironmentFault:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    reason = "the disk is full" if full else (error.strerror or str(error))
    return EnvironmentFault(
        f"The backup {path.name} could not be written to {path.parent}: {reason}.",
        "Free some space or name another folder (backup.folder, --out); older backups are as they "
        "were.",
    )


def sweep_part(part: Path) -> bool:
    """Remove an unfinished file that nobody writes any more; True if it was removed."""
    try:
        descriptor = os.open(part, os.O_RDWR | _BINARY)
    except OSError:
        return False
    try:
        lock_exclusively(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raises EnvironmentFault unless the disk of ``folder`` has that much beyond the reserve."""
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    if free < needed_bytes + RESERVE_BYTES:
        raise EnvironmentFault(
            f"There is not enough room for the backup in {folder}: {in_units(free)} are free, "
            f"about {in_units(needed_bytes + RESERVE_BYTES)} are needed.",
            "Free some space or name another folder (backup.folder, --out).",
        )


def in_units(size_bytes: float) -> str:
    """``200 kB``, ``12 MB``, ``1.5 GB`` (decimal)."""
    if size_bytes < 1e6:
        return f"{size_bytes / 1e3:.0f} kB"
    return f"{size_bytes / 1e6:.0f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.1f} GB"


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DOS_EPOCH)
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    return info


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- reading -------------------------------------------------------------------------------------


class Archive:
    """A backup opened for reading: its description and keys are read, the dump is not yet."""

    def __init__(self, path: Path, opened: zipfile.ZipFile) -> None:
        self.path = path
        self._zip = opened
        self.manifest = Manifest.read(self._small(MANIFEST), path)
        dump = self._zip.getinfo(DUMP)
        if dump.file_size != self.manifest.dump_bytes:
            raise damaged(path, "the dump has another size than described")

    def keys(self) -> bytes | None:
        """The locked keys; None when it was made without."""
        return self._small(KEYS) if KEYS in self._zip.namelist() else None

    def blocks(self) -> Iterator[bytes]:
        """The dump, block by block. Raises OperatorMistake where it is damaged."""
        try:
            with self._zip.open(DUMP) as dump:
                while block := dump.read(BLOCK_BYTES):
                    yield block
        except (zipfile.BadZipFile, EOFError) as error:
            raise damaged(self.path, "the dump is damaged") from error
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def verify(self) -> None:
        """Read all of it; OperatorMistake unless the dump is what was written."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        if digest.hexdigest() != self.manifest.sha256:
            raise damaged(self.path, "the dump is not the one that was written")

    def _small(self, name: str) -> bytes:
        try:
            if self._zip.getinfo(name).file_size > _MOST_DESCRIPTION_BYTES:
                raise damaged(self.path, f"{name} is too long")
            return self._zip.read(name)
        except KeyError as error:
            raise damaged(self.path, f"{name} is missing") from error
        except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
            raise damaged(self.path, f"{name} is damaged") from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Archive]:
    """Open a backup. Raises OperatorMistake for one that is missing, damaged or too new."""
    try:
        opened = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise OperatorMistake(f"There is no file {path}.") from error
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise damaged(path, "it is cut short or no backup at all") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    with opened:
        names = opened.namelist()
        if DUMP not in names or MANIFEST not in names:
            raise damaged(path, "parts of it are missing")
        yield Archive(path, opened)


def _unreadable(path: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"{path} cannot be read: {error.strerror or error}.", "Check the disk and its permissions."
    )
