"""Asks the store where recordings are: for the bar around the cursor, and for the next ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from PySide6.QtCore import QObject, QTimer, Signal

from engine.domain.ids import StreamId
from engine.domain.recording import Chunk, ChunkRepository, ChunkState
from ui.requests import RequestRunner
from ui.review.coverage_bar import CoverageBar, rows_of
from ui.review.wall import ReviewWall
from ui.timeline.cursor import TimeCursor, instant

READ_MS, GATHER_MS = 4000, 60
"""The bar's recordings are read again so often: new ones come."""
CHUNKS_READ = 4000
PLAYABLE = (ChunkState.OPEN, ChunkState.COMPLETE, ChunkState.RESCUED)
CLOSED = (ChunkState.COMPLETE, ChunkState.RESCUED)


class RecordingFinder(QObject):
    """``said`` carries a sentence (and whether it is a warning), ``failed`` an error."""

    said = Signal(str, bool)
    failed = Signal(object)

    def __init__(
        self,
        chunks: ChunkRepository | None,
        requests: RequestRunner,
        head: TimeCursor,
        wall: ReviewWall,
        bar: CoverageBar,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._chunks, self._requests = chunks, requests
        self._head, self._wall, self._bar = head, wall, bar
        self.cameras: Mapping[StreamId, str] = {}
        self._asked = self._again = False
        self._touched = False
        self._gather = QTimer(self, interval=GATHER_MS, singleShot=True)
        self._gather.timeout.connect(self._read)
        self._often = QTimer(self, interval=READ_MS)
        self._often.timeout.connect(self._read)
        head.moved.connect(self._on_moved)
        wall.cameras_changed.connect(self.refresh)
        bar.moved_window.connect(self.refresh)

    def start(self) -> None:
        """The page is open."""
        self._often.start()
        self.refresh()
        self._open_newest()

    def stop(self) -> None:
        """The page is left."""
        self._often.stop()
        self._gather.stop()

    def refresh(self) -> None:
        """Read what the bar shows soon, while the page is open."""
        if self._often.isActive():
            self._gather.start()

    def _on_moved(self, _at: object) -> None:
        self._touched = True

    def _read(self) -> None:
        chunks, shown, bar = self._chunks, self._wall.stream_ids, self._bar
        if chunks is None or not shown:
            bar.show_rows(())
            return
        if self._asked:
            self._again = True
            return
        margin_us = bar.span_us // 2
        start = instant(bar.start_us - margin_us)
        end = instant(bar.start_us + bar.span_us + margin_us)
        self._asked = True

        def read(found: Sequence[Chunk]) -> None:
            bar.show_rows(rows_of(self.cameras, self._wall.stream_ids, found))
            self._answered()

        self._requests.submit(
            "recordings on show",
            lambda: chunks.list(shown, start, end, tuple(ChunkState), limit=CHUNKS_READ),
            read,
            lambda _error: self._answered(),
            self,
        )

    def _answered(self) -> None:
        self._asked = False
        if self._again:
            self._again = False
            self.refresh()

    # --- going there ----------------------------------------------------------------------------

    def jump(self, later: bool, stream_id: StreamId | None = None) -> None:
        """Go to the next recording of a camera (None: of all on show), or the one before."""
        chunks, at = self._chunks, self._head.at
        shown = self._wall.stream_ids if stream_id is None else (stream_id,)
        if chunks is None or not shown:
            return
        find = _later(chunks, shown, at) if later else _earlier(chunks, shown, at)

        def go(target: datetime | None) -> None:
            if target is not None:
                self._head.move_to(target)
                return
            later_words = self.tr("There is no later recording.")
            self.said.emit(
                later_words if later else self.tr("There is no earlier recording."), True
            )

        self._requests.submit("next recording", find, go, self.failed.emit, self)

    def _open_newest(self) -> None:
        """Where nobody moved the cursor yet, begin at the newest recording."""
        chunks, shown, at = self._chunks, self._wall.stream_ids, self._head.at
        if chunks is None or not shown or self._touched or self._head.playing:
            return

        def go(found: Sequence[Chunk]) -> None:
            if found and self._head.at == at:
                self._head.move_to(found[0].start_at)

        self._requests.submit(
            "newest recording",
            lambda: chunks.list(shown, states=CLOSED, newest_first=True, limit=1),
            go,
            lambda _error: None,
            self,
        )


def _later(
    chunks: ChunkRepository, shown: Sequence[StreamId], at: datetime
) -> Callable[[], datetime | None]:
    def find() -> datetime | None:
        found = chunks.list(shown, at, None, PLAYABLE, limit=2 * len(shown) + 2)
        return next((chunk.start_at for chunk in found if chunk.start_at > at), None)

    return find


def _earlier(
    chunks: ChunkRepository, shown: Sequence[StreamId], at: datetime
) -> Callable[[], datetime | None]:
    def find() -> datetime | None:
        limit = 2 * len(shown) + 2
        found = chunks.list(shown, None, at, PLAYABLE, newest_first=True, limit=limit)
        return next((chunk.start_at for chunk in found if chunk.start_at < at), None)

    return find
