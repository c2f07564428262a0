"""Recordings: chunks of video on disk, jobs over them, exports, bookmarks, edits of detections."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol
from uuid import UUID

from engine.domain.ids import FarmId, HorseId, StreamId, TrackId

ChunkId = NewType("ChunkId", UUID)
JobId = NewType("JobId", UUID)
BookmarkId = NewType("BookmarkId", UUID)
EditId = NewType("EditId", UUID)


class ChunkState(StrEnum):
    """OPEN: being written. COMPLETE: closed and hashed. RESCUED: closed after a crash, as long as
    what was on disk. DAMAGED: its file is missing or is not what was hashed. REMOVED: deleted by
    retention; the row stays so that the timeline can say so."""

    OPEN = "open"
    COMPLETE = "complete"
    RESCUED = "rescued"
    DAMAGED = "damaged"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One recorded segment of about 10 s.

    A picture whose presentation time inside the file is p seconds was taken at ``start_at`` + p;
    the file's first picture has p = 0. The stamp's ``pts_s`` of that picture is
    ``first_source_pts_s`` (None where the source states none), so a stamp's place in the file is
    its pts_s minus that. ``path`` and ``overlay_path`` are relative to the media folder.
    ``sha256`` is of the closed file, hex. ``final``: the chunk lane has replaced what was
    provisional. ``horses``: most horses seen at once, None until known.
    """

    id: ChunkId
    stream_id: StreamId
    start_at: datetime
    end_at: datetime
    path: str
    codec: str
    width_px: int
    height_px: int
    state: ChunkState
    size_bytes: int = 0
    sha256: str = ""
    first_source_pts_s: float | None = None
    overlay_path: str = ""
    horses: int | None = None
    moving: bool = False
    locked: bool = False
    final: bool = False

    @property
    def duration_s(self) -> float:
        """Seconds from the first picture to the end of the last."""
        return (self.end_at - self.start_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Usage:
    """What recordings take: bytes and chunks on disk, locked ones among them, oldest instant."""

    chunks: int
    size_bytes: int
    locked_bytes: int
    oldest_at: datetime | None


class ChunkRepository(Protocol):
    """Recorded chunks as they are stored."""

    def put(self, chunk: Chunk) -> None:
        """Store or replace the row of its id; ``locked`` of a stored one is kept."""
        ...

    def get(self, chunk_id: ChunkId) -> Chunk:
        """One. Raises NotFound."""
        ...

    def list(
        self,
        stream_ids: Collection[StreamId] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        states: Collection[ChunkState] = (),
        newest_first: bool = False,
        limit: int = 1000,
        after: ChunkId | None = None,
        farm_id: FarmId | None = None,
    ) -> Sequence[Chunk]:
        """Chunks that reach into [start, end); REMOVED ones only when asked for. ``after``
        continues a page."""
        ...

    def remove(self, chunk_ids: Collection[ChunkId]) -> int:
        """Forget chunks that were not worth keeping (motion-only recording); how many."""
        ...

    def lock(
        self, stream_ids: Collection[StreamId], start: datetime, end: datetime, locked: bool
    ) -> int:
        """Keep these from retention, or no longer; how many it touched."""
        ...

    def lock_one(self, chunk_id: ChunkId, locked: bool) -> Chunk:
        """Keep one from retention, or no longer. Raises NotFound."""
        ...

    def oldest_unlocked(self, limit: int = 100) -> Sequence[Chunk]:
        """What retention takes first, closed ones only, oldest first."""
        ...

    def retire(self, chunk_id: ChunkId) -> bool:
        """Make it REMOVED because its files are about to be deleted; False, and nothing is
        changed, when it is locked, still open or not there."""
        ...

    def prune(self, before: datetime) -> int:
        """Forget REMOVED chunks that ended before this instant; how many."""
        ...

    def unfinal(self, limit: int = 10) -> Sequence[Chunk]:
        """Closed chunks with moving horses that the chunk lane has not seen, newest first."""
        ...

    def usage(self, stream_id: StreamId | None = None) -> Usage:
        """What is on disk by the table."""
        ...


# --- jobs --------------------------------------------------------------------------------------


class JobState(StrEnum):
    """QUEUED, RUNNING, then one of DONE, FAILED, CANCELLED."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobKind(StrEnum):
    """What heavy work is done in the background. REANALYSE: the chunk lane over one chunk.
    REPROCESS: all chunks of cameras between two instants. EXPORT: something to hand out. SESSION:
    a recorded session of one horse."""

    REANALYSE = "reanalyse"
    REPROCESS = "reprocess"
    EXPORT = "export"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of background work. ``progress`` in 0..1 never falls. ``message`` says in words
    where it stands or why it failed. ``arguments`` and ``result`` are plain JSON values.
    ``workstation``: the one that has the files it needs or made; empty: any node may do it.
    ``part_of``: what was asked for takes the files of several workstations, and this is the part
    of another one than the first job's, which it names."""

    id: JobId
    farm_id: FarmId
    kind: JobKind
    title: str
    state: JobState
    progress: float
    message: str
    actor: str
    created_at: datetime
    arguments: Mapping[str, object] = field(default_factory=dict)
    result: Mapping[str, object] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    node: str = ""
    workstation: str = ""
    part_of: JobId | None = None


class JobQueue(Protocol):
    """Background work that any node may take; survives restarts of everybody."""

    def submit(
        self,
        kind: JobKind,
        title: str,
        arguments: Mapping[str, object],
        actor: str,
        farm_id: FarmId | None = None,
        urgent: bool = True,
    ) -> Job:
        """Queue one; what people asked for (``urgent``) goes before what is done by itself. What
        needs files of several workstations becomes a job for each; the first is the answer."""
        ...

    def cancel(self, job_id: JobId, actor: str) -> Job:
        """A queued job ends at once, a running one soon; an ended one stays as it is. Raises
        NotFound."""
        ...

    def get(self, job_id: JobId) -> Job:
        """One. Raises NotFound."""
        ...

    def list(
        self, farm_id: FarmId | None = None, active_only: bool = False, limit: int = 100
    ) -> Sequence[Job]:
        """Newest first."""
        ...


class JobCancelled(Exception):
    """Raised by a job's work when ``JobContext.cancelled`` told it to end, after it tidied up."""


class JobContext(Protocol):
    """What a running job may say and must ask."""

    @property
    def cancelled(self) -> bool:
        """True once somebody cancelled it or the program stops: end soon and tidy up."""
        ...

    def progress(self, share: float, message: str = "") -> None:
        """How far it is, 0..1."""
        ...


# --- exports -----------------------------------------------------------------------------------


class ExportKind(StrEnum):
    """CLIP: MP4 with or without overlays. CSV, PARQUET, JSON: rows. PACKET: PDF for the vet."""

    CLIP = "clip"
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    PACKET = "packet"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export: cameras and/or a horse between two instants. ``tables``: of detections,
    bouts, strides, metrics, alerts (for CSV, PARQUET and JSON). ``overlays``: draw them (CLIP).
    ``file_name``: empty takes one made from the rest."""

    kind: ExportKind
    start_at: datetime
    end_at: datetime
    stream_ids: tuple[StreamId, ...] = ()
    horse_id: HorseId | None = None
    overlays: bool = False
    tables: tuple[str, ...] = ("bouts",)
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A stretch of time somebody wants to find again; ``locked`` keeps its chunks."""

    id: BookmarkId
    farm_id: FarmId
    title: str
    start_at: datetime
    end_at: datetime
    created_by: str
    created_at: datetime
    stream_ids: tuple[StreamId, ...] = ()
    horse_id: HorseId | None = None
    note: str = ""
    locked: bool = False


class BookmarkRepository(Protocol):
    """Bookmarks as they are stored."""

    def list(
        self,
        farm_id: FarmId | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 500,
    ) -> Sequence[Bookmark]:
        """Those that reach into the interval, newest first."""
        ...

    def save(self, bookmark: Bookmark) -> None:
        """Store it, or replace the one of its id; locks or unlocks its chunks with it (a chunk
        stays locked while another bookmark wants it)."""
        ...

    def remove(self, bookmark_id: BookmarkId) -> None:
        """Raises NotFound."""
        ...


# --- edits of detections -----------------------------------------------------------------------


class Extent(StrEnum):
    """How far an edit reaches: this picture, from here to the end of the chunk, the whole chunk."""

    FRAME = "frame"
    FROM_HERE = "from_here"
    CHUNK = "chunk"


@dataclass(frozen=True, slots=True)
class DeleteBox:
    """The detections of this track are wrong."""

    track_id: TrackId
    at: datetime
    extent: Extent = Extent.FRAME


@dataclass(frozen=True, slots=True)
class MoveBox:
    """The detection at this instant lies elsewhere, xyxy in picture pixels."""

    track_id: TrackId
    at: datetime
    box_xyxy_px: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class AddBox:
    """A horse that was not found at this instant; ``horse_id`` None: a new guest."""

    at: datetime
    box_xyxy_px: tuple[float, float, float, float]
    horse_id: HorseId | None = None


@dataclass(frozen=True, slots=True)
class AssignTrack:
    """This track, over the extent, is that horse; None: a new guest."""

    track_id: TrackId
    at: datetime
    horse_id: HorseId | None
    extent: Extent = Extent.FROM_HERE


Edit = DeleteBox | MoveBox | AddBox | AssignTrack


@dataclass(frozen=True, slots=True)
class EditEffect:
    """What pending edits would change; ``refused`` says in words what cannot be done, by index."""

    detections: int
    tracks: int
    horses: int
    refused: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class EditRecord:
    """Edits that were applied together to one chunk: one undoable act."""

    id: EditId
    chunk_id: ChunkId
    summary: str
    actor: str
    at: datetime
    detections: int
    undone_at: datetime | None = None
    undone_by: str = ""


class EditRepository(Protocol):
    """Edits of detections within chunks: each set is one transaction and exactly undoable."""

    def preview(self, chunk_id: ChunkId, edits: Sequence[Edit]) -> EditEffect:
        """What they would change. Raises NotFound."""
        ...

    def apply(
        self, chunk_id: ChunkId, edits: Sequence[Edit], actor: str, reason: str = ""
    ) -> EditRecord:
        """Do them all or none. Raises NotFound; OperatorMistake saying what is wrong."""
        ...

    def undo(self, edit_id: EditId, actor: str) -> EditRecord:
        """Put everything back. Raises NotFound; Conflict naming the later act in the way."""
        ...

    def history(self, chunk_id: ChunkId) -> Sequence[EditRecord]:
        """Newest first."""
        ...
