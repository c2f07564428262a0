"""Rows of chunks on their way to the store; they wait on disk while it is away.

One small JSON file a chunk in ``recordings/.journal``: written when a chunk begins, replaced when
it ends, deleted when the store has its final row. After a crash the files say what was being
written.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from engine.domain.ids import StreamId
from engine.domain.recording import Chunk, ChunkId, ChunkState
from engine.recording.layout import JOURNAL, RECORDINGS

log = logging.getLogger(__name__)


class Journal:
    """The waiting rows, by chunk; any thread."""

    def __init__(self, media: Path) -> None:
        self.folder = media / RECORDINGS / JOURNAL
        self._lock = threading.Lock()
        self._waiting: dict[ChunkId, Chunk | None] = {}
        self.changed = threading.Event()

    def load(self) -> list[Chunk]:
        """Rows that an earlier run left behind; damaged files are logged and left out."""
        found: list[Chunk] = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(chunk_of(json.loads(path.read_text("utf-8"))))
            except (OSError, ValueError, KeyError, TypeError):
                log.warning("the journal file %s cannot be read", path.name)
                path.unlink(missing_ok=True)
        return found

    def put(self, chunk: Chunk) -> None:
        """Keep this row until the store has it; a disk that refuses costs only the waiting."""
        with self._lock:
            self._waiting[chunk.id] = chunk
        try:
            self._write(chunk)
        except OSError as error:
            log.warning("the journal could not be written: %s", type(error).__name__)
        self.changed.set()

    def forget(self, chunk_id: ChunkId) -> None:
        """The chunk does not exist any more; the store is told."""
        self._path(chunk_id).unlink(missing_ok=True)
        with self._lock:
            self._waiting[chunk_id] = None
        self.changed.set()

    def waiting(self) -> dict[ChunkId, Chunk | None]:
        """What the store has not been told: rows, None for chunks it is to forget."""
        with self._lock:
            return dict(self._waiting)

    def stored(self, chunk_id: ChunkId, chunk: Chunk | None) -> None:
        """The store has this row; a later one of the same chunk goes on waiting."""
        with self._lock:
            if self._waiting.get(chunk_id) is chunk:
                self._waiting.pop(chunk_id, None)
                if chunk is not None and chunk.state is not ChunkState.OPEN:
                    self._path(chunk_id).unlink(missing_ok=True)

    def _path(self, chunk_id: ChunkId) -> Path:
        return self.folder / f"{chunk_id}.json"

    def _write(self, chunk: Chunk) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(chunk.id)
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(document_of(chunk), file)
            file.flush()
            os.fsync(file.fileno())
        with self._lock:
            fresh.replace(path)


def document_of(chunk: Chunk) -> dict[str, Any]:
    """A chunk as plain JSON values."""
    document: dict[str, Any] = {f.name: getattr(chunk, f.name) for f in fields(chunk)}
    document.update(
        id=str(chunk.id),
        stream_id=str(chunk.stream_id),
        start_at=chunk.start_at.isoformat(),
        end_at=chunk.end_at.isoformat(),
        state=chunk.state.value,
    )
    return document


def chunk_of(document: dict[str, Any]) -> Chunk:
    """The inverse of ``document_of``. Raises KeyError, TypeError, ValueError."""
    given = dict(document)
    given["id"] = ChunkId(UUID(given["id"]))
    given["stream_id"] = StreamId(UUID(given["stream_id"]))
    given["start_at"] = datetime.fromisoformat(given["start_at"])
    given["end_at"] = datetime.fromisoformat(given["end_at"])
    given["state"] = ChunkState(given["state"])
    return replace(Chunk(**given))
