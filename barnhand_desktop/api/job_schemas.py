"""Bodies of the routes about background jobs, exports, bookmarks and edits of detections."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from barnhand_desktop.api.schemas import Name, Request, UtcInstant
from engine.domain.ids import HorseId, TrackId
from engine.domain.recording import (
    AddBox,
    AssignTrack,
    Bookmark,
    DeleteBox,
    Edit,
    EditRecord,
    ExportKind,
    Extent,
    Job,
    JobKind,
    JobState,
    MoveBox,
)

Note = Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")]
Coordinate = Annotated[float, Field(ge=-32768, le=32767, allow_inf_nan=False)]
BoxPx = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
TableName = Literal["detections", "bouts", "strides", "metrics", "alerts"]


class JobOut(BaseModel):
    """Background work: ``progress`` in 0..1; ``result`` what it made, once it is done.
    ``workstation``: the one that has the files it needs or made, empty where any may do it;
    ``message`` says when it waits for that one. ``part_of``: what was asked for takes the files of
    several workstations; the first part is the answer, and the others name it."""

    id: UUID
    farm_id: UUID
    kind: JobKind
    title: str
    state: JobState
    progress: float
    message: str
    actor: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    workstation: str
    part_of: UUID | None
    result: dict[str, Any]


class ExportIn(Request):
    """What to export. ``tables`` for CSV, Parquet and JSON; ``overlays`` for clips; a packet needs
    ``horse_id``. No ``stream_ids``: all cameras."""

    kind: ExportKind
    start_time: UtcInstant
    end_time: UtcInstant
    stream_ids: list[UUID] = Field(default_factory=list, max_length=64)
    horse_id: UUID | None = None
    overlays: bool = False
    tables: tuple[TableName, ...] = Field(("bouts",), max_length=5)
    file_name: str = Field("", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
    farm_id: UUID | None = None


class BookmarkIn(Request):
    """A stretch of time to find again; ``locked`` keeps its recordings from being removed."""

    title: Name
    start_time: UtcInstant
    end_time: UtcInstant
    stream_ids: list[UUID] = Field(default_factory=list, max_length=64)
    horse_id: UUID | None = None
    note: Note = ""
    locked: bool = False


class NewBookmark(BookmarkIn):
    """A new one; ``farm_id`` for accounts of all farms."""

    farm_id: UUID | None = None


class BookmarkOut(BaseModel):
    """A bookmark as it is stored."""

    id: UUID
    farm_id: UUID
    title: str
    start_at: datetime
    end_at: datetime
    stream_ids: list[UUID]
    horse_id: UUID | None
    note: str
    locked: bool
    created_by: str
    created_at: datetime


class EditIn(Request):
    """One edit. ``delete`` needs track_id; ``move`` track_id and box_xyxy_px; ``add`` box_xyxy_px
    (horse_id null: a new guest); ``assign`` track_id (horse_id null: a new guest)."""

    edit: Literal["delete", "move", "add", "assign"]
    at: UtcInstant
    track_id: UUID | None = None
    box_xyxy_px: BoxPx | None = None
    horse_id: UUID | None = None
    extent: Extent = Extent.FRAME

    def as_edit(self) -> Edit:
        """The edit meant; ValueError naming what is missing."""
        if self.edit == "add":
            return AddBox(self.at, self._box(), self._horse())
        if self.track_id is None:
            raise ValueError("track_id is missing")
        track = TrackId(self.track_id)
        if self.edit == "delete":
            return DeleteBox(track, self.at, self.extent)
        if self.edit == "move":
            return MoveBox(track, self.at, self._box())
        return AssignTrack(track, self.at, self._horse(), self.extent)

    def _box(self) -> BoxPx:
        if self.box_xyxy_px is None:
            raise ValueError("box_xyxy_px is missing")
        return self.box_xyxy_px

    def _horse(self) -> HorseId | None:
        return None if self.horse_id is None else HorseId(self.horse_id)


class EditsIn(Request):
    """Edits that are applied together, in their order."""

    edits: list[EditIn] = Field(min_length=1, max_length=500)
    reason: Note = ""


class EditsPreview(Request):
    """Edits to look at before they are applied."""

    edits: list[EditIn] = Field(min_length=1, max_length=500)


class EditUndo(Request):
    """The edit to take back."""

    edit_id: UUID


class EditEffectOut(BaseModel):
    """What edits would change; ``refused``: why some cannot be done, by their index."""

    detections: int
    tracks: int
    horses: int
    refused: dict[int, str]


class EditOut(BaseModel):
    """Edits that were applied together."""

    id: UUID
    chunk_id: UUID
    summary: str
    actor: str
    at: datetime
    detections: int
    undone_at: datetime | None
    undone_by: str


def job_out(job: Job) -> JobOut:
    """A job as it is answered; paths of files and which process did it stay inside."""
    result = {name: value for name, value in job.result.items() if name != "path"}
    return JobOut(
        id=job.id,
        farm_id=job.farm_id,
        kind=job.kind,
        title=job.title,
        state=job.state,
        progress=job.progress,
        message=job.message,
        actor=job.actor,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        workstation=job.workstation,
        part_of=job.part_of,
        result=result,
    )


def bookmark_out(bookmark: Bookmark) -> BookmarkOut:
    """A bookmark as it is answered."""
    return BookmarkOut(
        id=bookmark.id,
        farm_id=bookmark.farm_id,
        title=bookmark.title,
        start_at=bookmark.start_at,
        end_at=bookmark.end_at,
        stream_ids=list(bookmark.stream_ids),
        horse_id=bookmark.horse_id,
        note=bookmark.note,
        locked=bookmark.locked,
        created_by=bookmark.created_by,
        created_at=bookmark.created_at,
    )


def edit_out(record: EditRecord) -> EditOut:
    """An edit as it is answered."""
    return EditOut(
        id=record.id,
        chunk_id=record.chunk_id,
        summary=record.summary,
        actor=record.actor,
        at=record.at,
        detections=record.detections,
        undone_at=record.undone_at,
        undone_by=record.undone_by,
    )
