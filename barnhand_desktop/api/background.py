"""What the routes about jobs, bookmarks and edits work with."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg_pool import ConnectionPool

from db.live.announcer import Announcer
from db.queue.jobs import PostgresJobQueue
from db.repositories.bookmarks import PostgresBookmarkRepository
from db.repositories.edits import PostgresEditRepository
from db.repositories.export_rows import ExportRows
from db.repositories.media_folders import Home
from db.repositories.stored_past import PostgresStoredPast
from engine.domain.ids import FarmId, StreamId


@dataclass(frozen=True, slots=True)
class Background:
    """``rows`` checks what an export names before it is queued; ``past``: whose a camera is."""

    jobs: PostgresJobQueue
    bookmarks: PostgresBookmarkRepository
    edits: PostgresEditRepository
    rows: ExportRows
    past: PostgresStoredPast

    def farm_of(self, stream_id: StreamId) -> FarmId | None:
        """The farm of a camera, None for one that was never stored."""
        return self.past.farm_of(stream_id)


def background_of(pool: ConnectionPool, announcer: Announcer, home: Home) -> Background:
    """Over the API's own connections; what it changes is told to consoles and clients. ``home``:
    the media folder whose files it gives."""
    return Background(
        PostgresJobQueue(pool, announcer.job, home),
        PostgresBookmarkRepository(pool),
        PostgresEditRepository(pool, announcer.corrected),
        ExportRows(pool),
        PostgresStoredPast(pool),
    )
