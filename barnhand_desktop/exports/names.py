"""Where exports lie and what they are called: names made here, never by a caller."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from engine.domain.errors import EnvironmentFault, NotFound
from engine.domain.recording import JobId

EXPORTS = "exports"
PART = ".part"
_LONGEST = 80
_BLOCK = 1 << 20


def slug(text: str) -> str:
    """Letters and digits of a name that every file system takes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:40] or "export"


def file_name(what: str, who: str, start: datetime, job_id: JobId, ending: str) -> str:
    """``what_who_20260301T120000Z_1a2b3c4d.mp4``."""
    at = f"{start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{slug(what)}_{slug(who)}_{at}_{job_id.hex[:8]}{ending}"


def shown_name(asked: str, made: str) -> str:
    """The name a download gets: what was asked for, made harmless, with the true ending."""
    ending = Path(made).suffix
    stem = asked.strip().removesuffix(ending)
    return f"{slug(stem)[:_LONGEST]}{ending}" if stem else made


def export_file(media: Path, stored: object) -> Path:
    """The file that a job's result names. Raises NotFound where it is gone or leads elsewhere."""
    root = (media / EXPORTS).resolve()
    name = str(stored or "")
    if not name or "\x00" in name:
        raise NotFound("That export has no file.")
    found = (media / name).resolve()
    if not found.is_relative_to(root) or not found.is_file():
        raise NotFound("The file of that export is not on this machine.", "Export it again.")
    return found


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A ``.part`` beside ``path``; renamed at the end, removed when anything went wrong. Raises
    EnvironmentFault when the disk refuses."""
    part = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise EnvironmentFault(
            f"The export could not be written: {error.strerror or error}.",
            "Check that the media folder is writable and the disk is not full.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
