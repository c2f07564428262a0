"""Acts on a marked range that can be taken back: lock and unlock recordings, keep a bookmark."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from engine.domain.errors import OperatorMistake
from engine.domain.ids import StreamId
from engine.domain.recording import Bookmark, BookmarkRepository, ChunkId, ChunkRepository
from ui.commands import Command
from ui.timeline.cursor import TimeRange

CHUNKS_AT_MOST = 100_000


def _tr(text: str) -> str:
    return QCoreApplication.translate("Timeline", text)


class LockRecordings(Command):
    """Keeps the recordings of cameras in a range from retention, or no longer. Undo puts back each
    one that was changed, and no other."""

    def __init__(
        self,
        chunks: ChunkRepository,
        stream_ids: Sequence[StreamId],
        marked: TimeRange,
        locked: bool,
    ) -> None:
        self.text = _tr("lock recordings") if locked else _tr("unlock recordings")
        self.count = 0
        self._chunks = chunks
        self._stream_ids = tuple(stream_ids)
        self._range = marked
        self._locked = locked
        self._changed: list[ChunkId] = []

    def do(self) -> None:
        found = self._chunks.list(
            self._stream_ids, self._range.start_at, self._range.end_at, limit=CHUNKS_AT_MOST
        )
        if not found:
            raise OperatorMistake(
                _tr("Nothing was recorded in this range."),
                _tr("The “recorded” row of a camera's lane shows where recordings are."),
            )
        self._changed = [chunk.id for chunk in found if chunk.locked != self._locked]
        self.count = self._chunks.lock(
            self._stream_ids, self._range.start_at, self._range.end_at, self._locked
        )

    def undo(self) -> None:
        for chunk_id in self._changed:
            self._chunks.lock_one(chunk_id, not self._locked)


class KeepBookmark(Command):
    """Stores a bookmark; undo removes it."""

    def __init__(self, bookmarks: BookmarkRepository, bookmark: Bookmark) -> None:
        self.text = _tr("bookmark “{0}”").format(bookmark.title)
        self._bookmarks = bookmarks
        self._bookmark = bookmark

    def do(self) -> None:
        self._bookmarks.save(self._bookmark)

    def undo(self) -> None:
        self._bookmarks.remove(self._bookmark.id)


class RemoveBookmark(Command):
    """Forgets a bookmark; undo stores it again."""

    def __init__(self, bookmarks: BookmarkRepository, bookmark: Bookmark) -> None:
        self.text = _tr("remove bookmark “{0}”").format(bookmark.title)
        self._bookmarks = bookmarks
        self._bookmark = bookmark

    def do(self) -> None:
        self._bookmarks.remove(self._bookmark.id)

    def undo(self) -> None:
        self._bookmarks.save(self._bookmark)
