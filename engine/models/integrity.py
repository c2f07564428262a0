"""Hashes of model files: what was downloaded or copied is what was meant."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from engine.models.manifest import ModelFile


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits; OSError when it cannot be read.

    Remembered until the file's size or time of change differs.
    """
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, size_bytes: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fault_of(path: Path, expected: ModelFile) -> str | None:
    """What is wrong with a file, in words, or None when it is the expected one.

    Files without a stated hash pass unless they are empty; one that was downloaded without a stated
    hash is compared with the hash noted beside it then.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            return "the file is empty"
        noted = noted_hash(path)
        wanted = expected.sha256 or (noted.read_text("ascii").strip() if noted.exists() else None)
        if expected.size_bytes is not None and size != expected.size_bytes:
            return f"it has {size} bytes instead of {expected.size_bytes}"
        if wanted is not None and sha256_of(path) != wanted:
            return "its SHA-256 is not the expected one"
    except (OSError, UnicodeDecodeError) as error:
        return f"it cannot be read ({error})"
    return None


def noted_hash(path: Path) -> Path:
    """Where the hash of a file is noted that the manifest states none for."""
    return path.with_name(path.name + ".sha256")
