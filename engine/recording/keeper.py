"""Room on the disk: what is too old or too much goes, oldest first; locked chunks stay."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from engine.domain.errors import NotFound, StoreUnavailable
from engine.domain.ports import Clock
from engine.domain.recording import Chunk, ChunkRepository
from engine.recording.layout import OVERLAY, OVERLAY_PART, inside, overlay_path
from engine.settings import RecordingSettings

log = logging.getLogger(__name__)

GB = 1_000_000_000
REMOVED_ROWS_KEPT_DAYS = 90
"""So long the timeline can say that there was a recording which retention took."""
_AT_ONCE = 100
_AHEAD_BYTES = 50_000_000
"""Retention frees this much more than must be free, so that it does not run for every chunk."""
_BACK_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Room:
    """How the disk stands. ``free_bytes`` of its file system. ``enough``: recording may go on.
    ``removed``: chunks that retention deleted in this round."""

    free_bytes: int
    enough: bool
    removed: int


class Keeper:
    """Retention over the chunks of one media folder; used by one thread."""

    def __init__(
        self,
        media: Path,
        chunks: ChunkRepository,
        settings: Callable[[], RecordingSettings],
        clock: Clock,
    ) -> None:
        self._media = media
        self._chunks = chunks
        self._settings = settings
        self._clock = clock

    def look(self) -> Room:
        """Delete what must go, and say how the disk stands. A store that is away lets nothing go:
        only it knows what is locked."""
        settings = self._settings()
        try:
            removed = sum(1 for _ in self._remove_due(settings))
        except StoreUnavailable as error:
            log.warning("retention waits for the store: %s", error)
            removed = 0
        free = self.free_bytes()
        return Room(free, free >= settings.min_free_gb * GB, removed)

    def free_bytes(self) -> int:
        """Free bytes where recordings lie."""
        folder = self._media
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def _remove_due(self, settings: RecordingSettings) -> Iterator[Chunk]:
        before = self._clock.now() - timedelta(days=settings.retention_days)
        over = self._chunks.usage().size_bytes - settings.max_gb * GB
        need = settings.min_free_gb * GB + min(
            _AHEAD_BYTES, _BACK_SHARE * settings.min_free_gb * GB
        )
        short = need - self.free_bytes()
        self._chunks.prune(self._clock.now() - timedelta(days=REMOVED_ROWS_KEPT_DAYS))
        while True:
            oldest = self._chunks.oldest_unlocked(_AT_ONCE)
            for chunk in oldest:
                if not (chunk.end_at < before or over > 0 or short > 0):
                    return
                if not self._chunks.retire(chunk.id):
                    continue  # locked meanwhile
                over -= chunk.size_bytes
                short -= self._delete(chunk)
                yield chunk
            if len(oldest) < _AT_ONCE:
                return

    def _delete(self, chunk: Chunk) -> int:
        """Delete a chunk's files; bytes that became free."""
        freed = 0
        finished = overlay_path(chunk.path)
        for path in (
            chunk.path,
            finished,
            finished.removesuffix(OVERLAY) + OVERLAY_PART,
        ):
            try:
                file = inside(self._media, path)
                size = file.stat().st_size
                file.unlink()
                freed += size
            except (FileNotFoundError, NotFound):
                continue
            except OSError as error:
                log.warning("%s could not be deleted: %s", path, type(error).__name__)
        return freed
