"""Edits of detections before and after they are applied, and how pictures look with them. Pure but
for the signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from PySide6.QtCore import QObject, Signal

from engine.domain.detections import SubjectClass
from engine.domain.ids import HorseId, TrackId
from engine.domain.recording import (
    AddBox,
    AssignTrack,
    ChunkId,
    DeleteBox,
    Edit,
    EditId,
    Extent,
    MoveBox,
)
from engine.domain.tracks import TrackState
from engine.recording.overlay import OverlayEntry, OverlayTrack

SAME_PICTURE = timedelta(milliseconds=20)
"""Instants closer than half a picture at 25 a second are of the same picture, as in the store."""
NEW_GUEST = HorseId(UUID(int=0))
"""Stands for a guest that is not in the registry yet."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A picture's entry with edits done: ``changed`` are tracks that edits touched here, ``gone``
    the tracks they took away."""

    entry: OverlayEntry
    changed: frozenset[TrackId] = frozenset()
    gone: tuple[OverlayTrack, ...] = ()


@dataclass(frozen=True, slots=True)
class AppliedEdits:
    """Edits that are stored but not yet in the chunk's overlay file."""

    id: EditId
    edits: tuple[Edit, ...]


class PendingEdits(QObject):
    """Edits by chunk, in the order they were made. ``changed`` carries the ChunkId."""

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pending: dict[ChunkId, list[Edit]] = {}
        self._applied: dict[ChunkId, list[AppliedEdits]] = {}

    def of(self, chunk_id: ChunkId) -> tuple[Edit, ...]:
        """What waits to be applied to a chunk."""
        return tuple(self._pending.get(chunk_id, ()))

    def shown(self, chunk_id: ChunkId) -> tuple[Edit, ...]:
        """What a picture of the chunk shows: applied ones that its overlay lacks, then waiting."""
        applied = (edit for one in self._applied.get(chunk_id, ()) for edit in one.edits)
        return (*applied, *self._pending.get(chunk_id, ()))

    @property
    def chunks(self) -> tuple[ChunkId, ...]:
        """Chunks with waiting edits."""
        return tuple(chunk_id for chunk_id, edits in self._pending.items() if edits)

    @property
    def count(self) -> int:
        """How many wait, over all chunks."""
        return sum(map(len, self._pending.values()))

    def add(self, chunk_id: ChunkId, edit: Edit) -> None:
        """One more; a box moved again in the same picture replaces its last move."""
        edits = self._pending.setdefault(chunk_id, [])
        if isinstance(edit, MoveBox) and edits:
            last = edits[-1]
            if isinstance(last, MoveBox) and (last.track_id, last.at) == (edit.track_id, edit.at):
                edits.pop()
        edits.append(edit)
        self.changed.emit(chunk_id)

    def change(self, chunk_id: ChunkId, index: int, edit: Edit) -> None:
        """Put another in the place of one."""
        self._pending[chunk_id][index] = edit
        self.changed.emit(chunk_id)

    def remove(self, chunk_id: ChunkId, index: int) -> None:
        """Think better of one."""
        edits = self._pending.get(chunk_id, [])
        if 0 <= index < len(edits):
            edits.pop(index)
            self.changed.emit(chunk_id)

    def clear(self, chunk_id: ChunkId) -> None:
        """Think better of all."""
        if self._pending.pop(chunk_id, None):
            self.changed.emit(chunk_id)

    def applied(self, chunk_id: ChunkId, edit_id: EditId, edits: Sequence[Edit]) -> None:
        """These are stored; what waited of them waits no more."""
        done = tuple(edits)
        waiting = self._pending.get(chunk_id, [])
        if tuple(waiting[: len(done)]) == done:
            del waiting[: len(done)]
        self._applied.setdefault(chunk_id, []).append(AppliedEdits(edit_id, done))
        self.changed.emit(chunk_id)

    def undone(self, chunk_id: ChunkId, edit_id: EditId) -> None:
        """These are no longer stored."""
        kept = [one for one in self._applied.get(chunk_id, []) if one.id != edit_id]
        self._applied[chunk_id] = kept
        self.changed.emit(chunk_id)

    def settled(self, chunk_id: ChunkId) -> None:
        """The chunk's overlay was written anew: it has what was applied."""
        if self._applied.pop(chunk_id, None):
            self.changed.emit(chunk_id)


# --- how a picture looks with them --------------------------------------------------------------


@dataclass
class _Work:
    tracks: dict[TrackId, OverlayTrack]
    changed: set[TrackId] = field(default_factory=set)
    gone: dict[TrackId, OverlayTrack] = field(default_factory=dict)


def with_edits(entry: OverlayEntry, edits: Sequence[Edit]) -> Edited:
    """The picture as it is with edits done in their order."""
    if not edits:
        return Edited(entry)
    work = _Work({track.id: track for track in entry.tracks})
    for index, edit in enumerate(edits):
        if reaches(edit, entry.at):
            _do(work, edit, index)
    tracks = tuple(work.tracks.values())
    return Edited(replace(entry, tracks=tracks), frozenset(work.changed), tuple(work.gone.values()))


def reaches(edit: Edit, at: datetime) -> bool:
    """Whether an edit concerns the picture taken at an instant (of the edit's chunk)."""
    extent = edit.extent if isinstance(edit, DeleteBox | AssignTrack) else Extent.FRAME
    if extent is Extent.CHUNK:
        return True
    if extent is Extent.FROM_HERE:
        return at >= edit.at - SAME_PICTURE
    return abs(at - edit.at) <= SAME_PICTURE


def _do(work: _Work, edit: Edit, index: int) -> None:
    if isinstance(edit, AddBox):
        track = _added(edit, index)
        work.tracks[track.id] = track
        work.changed.add(track.id)
        return
    track_id = edit.track_id
    known = work.tracks.get(track_id)
    if isinstance(edit, DeleteBox):
        if known is not None:
            work.gone[track_id] = work.tracks.pop(track_id)
        return
    if isinstance(edit, MoveBox):
        known = known or work.gone.pop(track_id, None)
        if known is not None:
            work.tracks[track_id] = replace(known, box_xyxy_px=edit.box_xyxy_px)
            work.changed.add(track_id)
        return
    if known is not None:
        work.tracks[track_id] = replace(known, horse_id=edit.horse_id or NEW_GUEST)
        work.changed.add(track_id)


def _added(edit: AddBox, index: int) -> OverlayTrack:
    return OverlayTrack(
        id=TrackId(UUID(int=index + 1)),
        number=-(index + 1),
        horse_id=edit.horse_id or NEW_GUEST,
        class_id=int(SubjectClass.HORSE),
        state=int(TrackState.ACTIVE),
        colour=index % 10,
        score=1.0,
        confidence=1.0,
        box_xyxy_px=edit.box_xyxy_px,
    )


def is_added(track: OverlayTrack) -> bool:
    """Whether a track is a box that waits to be added."""
    return track.number < 0
