"""Recorded segments and their edits, stored detections, bookmarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypedDict
from uuid import UUID

from ..answers import Bookmark, Chunk, Detection, Edit, EditEffect, Job
from ..connection import given
from .base import Subject

ChunkState = Literal["open", "complete", "rescued", "damaged", "removed"]


class _EditOptions(TypedDict, total=False):
    track_id: UUID
    box_xyxy_px: tuple[float, float, float, float]
    horse_id: UUID | None
    extent: Literal["frame", "from_here", "chunk"]


class DetectionEdit(_EditOptions):
    """One edit. ``delete`` needs track_id; ``move`` track_id and box_xyxy_px; ``add`` box_xyxy_px;
    ``assign`` track_id (horse_id None: a new guest)."""

    edit: Literal["delete", "move", "add", "assign"]
    at: datetime


class Chunks(Subject):
    """Recorded segments::

    for chunk in barn.chunks.list(stream_id=stream.id, start_time=yesterday):
        barn.chunks.video(chunk.id, f"{chunk.id}.mp4")
    """

    def list(
        self,
        stream_id: UUID | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        state: ChunkState | None = None,
        newest_first: bool = True,
        limit: int = 100,
    ) -> Iterator[Chunk]:
        """The segments in a stretch of time; ``limit`` a page."""
        query = {
            "stream_id": stream_id,
            "start_time": start_time,
            "end_time": end_time,
            "state": state,
            "newest_first": newest_first,
            "limit": limit,
        }
        return self._api.pages(Chunk, "/chunks", query)

    def get(self, chunk_id: UUID) -> Chunk:
        """One segment."""
        return self._api.get(Chunk, f"/chunks/{chunk_id}")

    def video(self, chunk_id: UUID, into: Path | str) -> Path:
        """Download the MP4."""
        return self._api.download(f"/chunks/{chunk_id}/video", into)

    def overlay(self, chunk_id: UUID) -> dict[str, Any]:
        """Boxes and keypoints of the segment, as they are stored beside it."""
        return self._api.get(dict[str, Any], f"/chunks/{chunk_id}/overlay")

    def lock(self, chunk_id: UUID, locked: bool = True) -> Chunk:
        """Keep it from retention, or no longer."""
        return self._api.send(Chunk, "POST", f"/chunks/{chunk_id}/lock", {"locked": locked})

    def reprocess(self, chunk_id: UUID) -> Job:
        """Analyse it again; see ``barn.jobs.wait``."""
        return self._api.send(Job, "POST", f"/chunks/{chunk_id}/reprocess")

    def edits(self, chunk_id: UUID) -> Iterator[Edit]:
        """What people edited in it."""
        return self._api.pages(Edit, f"/chunks/{chunk_id}/edits")

    def edit(self, chunk_id: UUID, edits: Sequence[DetectionEdit], reason: str = "") -> Edit:
        """Apply edits together."""
        body = {"edits": edits, "reason": reason}
        return self._api.send(Edit, "POST", f"/chunks/{chunk_id}/edits", body)

    def preview(self, chunk_id: UUID, edits: Sequence[DetectionEdit]) -> EditEffect:
        """What edits would change, and which cannot be done."""
        path = f"/chunks/{chunk_id}/edits/preview"
        return self._api.send(EditEffect, "POST", path, {"edits": edits})

    def undo(self, chunk_id: UUID, edit_id: UUID) -> Edit:
        """Take edits back."""
        path = f"/chunks/{chunk_id}/edits/undo"
        return self._api.send(Edit, "POST", path, {"edit_id": edit_id})


class Detections(Subject):
    """Stored detections: ``barn.detections.list(horse_id=horse.id, start_time=an_hour_ago)``."""

    def list(
        self,
        stream_id: UUID | None = None,
        horse_id: UUID | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int = 1000,
    ) -> Iterator[Detection]:
        """Detections of a stretch of time; ``limit`` a page."""
        query = {
            "stream_id": stream_id,
            "horse_id": horse_id,
            "start_time": start_time,
            "end_time": end_time,
            "limit": limit,
        }
        return self._api.pages(Detection, "/detections", query)


class Bookmarks(Subject):
    """Stretches of time to find again: ``barn.bookmarks.add("Colic?", start, end)``."""

    def list(
        self,
        farm_id: UUID | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int = 500,
    ) -> Iterator[Bookmark]:
        """Bookmarks that touch a stretch of time."""
        query = {
            "farm_id": farm_id,
            "start_time": start_time,
            "end_time": end_time,
            "limit": limit,
        }
        return self._api.pages(Bookmark, "/bookmarks", query)

    def get(self, bookmark_id: UUID) -> Bookmark:
        """One bookmark."""
        return self._api.get(Bookmark, f"/bookmarks/{bookmark_id}")

    def add(
        self,
        title: str,
        start_time: datetime,
        end_time: datetime,
        stream_ids: Sequence[UUID] = (),
        horse_id: UUID | None = None,
        note: str = "",
        locked: bool = False,
        farm_id: UUID | None = None,
    ) -> Bookmark:
        """Make one; ``locked`` keeps its recordings."""
        body = _bookmark(title, start_time, end_time, stream_ids, horse_id, note, locked)
        return self._api.send(Bookmark, "POST", "/bookmarks", body | given(farm_id=farm_id))

    def change(
        self,
        bookmark_id: UUID,
        title: str,
        start_time: datetime,
        end_time: datetime,
        stream_ids: Sequence[UUID] = (),
        horse_id: UUID | None = None,
        note: str = "",
        locked: bool = False,
    ) -> Bookmark:
        """A bookmark as it shall be."""
        body = _bookmark(title, start_time, end_time, stream_ids, horse_id, note, locked)
        return self._api.send(Bookmark, "PUT", f"/bookmarks/{bookmark_id}", body)

    def remove(self, bookmark_id: UUID) -> None:
        """Remove it."""
        self._api.do("DELETE", f"/bookmarks/{bookmark_id}")


def _bookmark(
    title: str,
    start_time: datetime,
    end_time: datetime,
    stream_ids: Sequence[UUID],
    horse_id: UUID | None,
    note: str,
    locked: bool,
) -> dict[str, Any]:
    return given(
        title=title,
        start_time=start_time,
        end_time=end_time,
        stream_ids=stream_ids,
        horse_id=horse_id,
        note=note,
        locked=locked,
    )
