"""Files that a crash left open, closed properly."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from engine.domain.errors import BarnhandError
from engine.domain.recording import Chunk, ChunkId, ChunkState
from engine.recording.fragments import FragmentIndex, read_fragments
from engine.recording.layout import (
    OVERLAY,
    OVERLAY_PART,
    PART,
    RECORDINGS,
    inside,
    overlay_path,
    start_in,
)
from engine.recording.overlay import overlay_of, read_document, write_overlay

log = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 20


def rescue(media: Path, chunk: Chunk) -> Chunk | None:
    """Close what a crash left of a chunk: cut it after its last whole fragment, give it its name
    and hash, finish its overlay. Returns its row as it is now, None when nothing of it was
    written (then its files are gone). Raises OSError."""
    final = inside(media, chunk.path)
    part = final.with_name(final.name + PART)
    file = final if final.exists() else part
    index = _whole_part(file)
    if index is None:
        for path in (part, final, *_overlays(media, chunk.path)):
            path.unlink(missing_ok=True)
        return None
    if file is part:
        with part.open("r+b") as opened:
            opened.truncate(index.whole_size)
        part.rename(final)
    has_overlay, horses = _rescue_overlay(media, chunk.path, index)
    return replace(
        chunk,
        end_at=chunk.start_at + timedelta(seconds=index.duration_s),
        state=ChunkState.RESCUED,
        size_bytes=final.stat().st_size,
        sha256=sha256_of(final),
        overlay_path=overlay_path(chunk.path) if has_overlay else "",
        horses=chunk.horses if horses is None else horses,
    )


def left_open(media: Path) -> Iterator[str]:
    """Paths (without the temporary ending) of files that no journal entry speaks for."""
    for part in sorted((media / RECORDINGS).glob(f"*/*/*.mp4{PART}")):
        yield part.relative_to(media).as_posix().removesuffix(PART)


def row_of(media: Path, path: str) -> Chunk | None:
    """A row for a file that has none, by its name and what is in it; None for what is no chunk.
    When exactly it began is known to the thousandth of a second at which its file was made."""
    stated = start_in(path)
    if stated is None:
        return None
    stream_id, start_at = stated
    found = inside(media, path)
    file = found if found.exists() else found.with_name(found.name + PART)
    index = _whole_part(file)
    if index is None:
        return None
    return Chunk(
        id=ChunkId(uuid4()),
        stream_id=stream_id,
        start_at=start_at,
        end_at=start_at + timedelta(seconds=index.duration_s),
        path=path,
        codec=index.codec,
        width_px=index.width_px,
        height_px=index.height_px,
        state=ChunkState.OPEN,
    )


def sha256_of(path: Path) -> str:
    """Hash of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _whole_part(file: Path) -> FragmentIndex | None:
    try:
        index = read_fragments(file)
    except (BarnhandError, FileNotFoundError):
        return None
    return index if index.fragments else None


def _overlays(media: Path, path: str) -> tuple[Path, Path]:
    finished = media / overlay_path(path)
    return finished, finished.with_name(finished.name.removesuffix(OVERLAY) + OVERLAY_PART)


def _rescue_overlay(media: Path, path: str, index: FragmentIndex) -> tuple[bool, int | None]:
    """Finish an overlay for the pictures that are left; whether there is one, and most horses."""
    finished, open_one = _overlays(media, path)
    if finished.exists() or not open_one.exists():
        open_one.unlink(missing_ok=True)
        return finished.exists(), None
    try:
        document = read_document(open_one)
        last_s = index.times_s[-1]
        kept = [entry for entry in document["entries"] if entry["pts"] <= last_s + 1e-6]
        document["entries"] = sorted(kept, key=lambda entry: float(entry["pts"]))
        overlay = overlay_of(document)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("the overlay of %s could not be rescued: %s", path, type(error).__name__)
        open_one.unlink(missing_ok=True)
        return False, None
    try:
        write_overlay(finished, document)
        open_one.unlink(missing_ok=True)
    except OSError as error:  # no room: it stays as it was written, readers know that form too
        log.warning("the overlay of %s stays open: %s", path, type(error).__name__)
        finished.with_name(finished.name + ".new").unlink(missing_ok=True)
    horses = [sum(t.class_id == 0 and t.state == 1 for t in e.tracks) for e in overlay.entries]
    return True, max(horses, default=None)
