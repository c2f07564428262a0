"""Files and rows of one media folder, compared once after each start."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from engine.domain.recording import Chunk, ChunkRepository, ChunkState
from engine.recording.journal import Journal
from engine.recording.layout import PART, RECORDINGS, inside, start_in
from engine.recording.rescue import rescue, row_of

log = logging.getLogger(__name__)

_PAGE = 1000
_NEAR = timedelta(minutes=2)
_EXPECTED = (ChunkState.COMPLETE, ChunkState.RESCUED, ChunkState.DAMAGED, ChunkState.OPEN)


def reconcile(media: Path, chunks: ChunkRepository, journal: Journal, since_s: float) -> None:
    """Rows whose file is gone become DAMAGED; files without a row get one.

    Rows that still wait in the journal are left to it, and so is what was written after ``since_s``
    (seconds since the epoch, as the file system's clock has it). Raises StoreUnavailable.
    """
    waiting = {chunk.path for chunk in journal.waiting().values() if chunk is not None}
    files = {path.relative_to(media).as_posix() for path in (media / RECORDINGS).glob("*/*/*.mp4")}
    known: set[str] = set()
    after = None
    while True:
        page = chunks.list(states=_EXPECTED, limit=_PAGE, after=after)
        for chunk in page:
            known.add(chunk.path)
            if chunk.path not in waiting and chunk.path not in files:
                _missing(media, chunk, chunks)
        if len(page) < _PAGE:
            break
        after = page[-1].id
    for path in sorted(files - known - waiting):
        if inside(media, path).stat().st_mtime < since_s:
            _unknown(media, path, chunks, journal)


def _missing(media: Path, chunk: Chunk, chunks: ChunkRepository) -> None:
    file = inside(media, chunk.path)
    if chunk.state is ChunkState.DAMAGED or file.exists():
        return
    if file.with_name(file.name + PART).exists():
        return
    log.warning("the file of a recording from %s is missing", chunk.start_at.isoformat())
    chunks.put(replace(chunk, state=ChunkState.DAMAGED, size_bytes=0))


def _unknown(media: Path, path: str, chunks: ChunkRepository, journal: Journal) -> None:
    stated = start_in(path)
    if stated is None:
        return
    around = (stated[1] - _NEAR, stated[1] + _NEAR)
    removed = chunks.list([stated[0]], *around, states=[ChunkState.REMOVED])
    if path in {chunk.path for chunk in removed}:
        inside(media, path).unlink()  # retention was interrupted
        return
    row = row_of(media, path)
    found = None if row is None else rescue(media, row)
    if found is not None:
        journal.put(found)
