"""Small private files written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from engine.domain.errors import EnvironmentFault


def replace_file(path: Path, text: str) -> None:
    """Write ``text`` so that a reader, or a power cut, meets the old file or the new one.

    The file is readable by its owner only, or keeps the mode it had. Raises EnvironmentFault.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise EnvironmentFault(
            f"{path} could not be written: {error.strerror or error}.",
            "Check that the folder is writable and the disk is not full.",
        ) from error


def create_once(path: Path, text: str) -> bool:
    """Create a private file with ``text`` unless one is there; True if this call made it.

    Two processes that try at the same time end up with one file, whole in either case. Raises
    EnvironmentFault.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        return True
    except OSError as error:
        raise EnvironmentFault(
            f"{path} could not be created: {error.strerror or error}.",
            "Check that the folder is writable and the disk is not full.",
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
