"""Correcting what was detected: the hand on the picture, the inspector and the pending edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from PySide6.QtCore import QObject, Signal

from engine.domain.errors import BarnhandError
from engine.domain.ids import HorseId, TrackId
from engine.domain.recording import (
    AddBox,
    AssignTrack,
    Chunk,
    ChunkId,
    ChunkState,
    DeleteBox,
    Edit,
    EditEffect,
    Extent,
    MoveBox,
)
from engine.recording.overlay import OverlayTrack
from ui.registry.context import RegistryContext
from ui.review.edit_desk import EditDesk
from ui.review.frames import ReviewFrame
from ui.review.horse_dialog import HorseDialog
from ui.review.inspector import FrameInspector
from ui.review.pending import NEW_GUEST, is_added
from ui.review.picture_area import Box
from ui.review.view import PlayerView
from ui.review.wall import ReviewWall
from ui.review.words import edit_words, horse_of
from ui.timeline.cursor import TimeCursor, instant, micros


class Corrector(QObject):
    """Turns what a person does into pending edits of the selected player's recording. ``said``
    carries a sentence (and whether it is a warning)."""

    said = Signal(str, bool)

    def __init__(
        self,
        wall: ReviewWall,
        inspector: FrameInspector,
        desk: EditDesk,
        head: TimeCursor,
        registry: RegistryContext | None,
        names: Callable[[], Mapping[HorseId, str]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._wall, self._inspector, self._desk = wall, inspector, desk
        self._edits = inspector.edits
        self._head, self._registry, self._names = head, registry, names
        self._pending = desk.pending
        self._told: tuple[object, ...] = ()
        self._chunk: Chunk | None = None
        self._labels: dict[TrackId, str] = {}
        self._clocks: dict[datetime, int] = {}
        self._connect()

    def _connect(self) -> None:
        for view in self._wall.views:
            area = view.area
            area.edits_of = lambda frame: self._pending.shown(frame.chunk.id)
            area.picked.connect(lambda track, v=view: self._on_picked(v, track))
            area.box_moved.connect(lambda track, box: self.move(track, box))
            area.box_drawn.connect(self.add)
        one, edits, desk = self._inspector, self._edits, self._desk
        one.selected.connect(lambda track: self._area_select(track))
        one.hovered.connect(lambda track: self._wall.selected.area.hover(track))
        edits.removed.connect(self._remove)
        one.delete_asked.connect(self.delete)
        one.assign_asked.connect(self.assign)
        one.guest_asked.connect(self.make_guest)
        edits.clear_asked.connect(self.clear)
        edits.apply_asked.connect(self.apply)
        edits.reprocess_asked.connect(self._reprocess)
        edits.undo_asked.connect(desk.undo)
        self._pending.changed.connect(self._on_pending)
        desk.previewed.connect(self._on_previewed)
        desk.read.connect(self._on_history)
        desk.stored.connect(self._on_stored)
        desk.busy_changed.connect(edits.show_busy)

    # --- following ------------------------------------------------------------------------------

    @property
    def frame(self) -> ReviewFrame | None:
        """The picture that is inspected: the selected player's, while nothing plays."""
        if self._head.playing or self._inspector.isHidden():
            return None
        view = self._wall.selected
        return view.frame if view.settled else None

    def follow(self) -> None:
        """Show what is inspected now; costs nothing while that is the same."""
        frame, area = self.frame, self._wall.selected.area
        if frame is None and not self._head.playing and area.frame is not None and not area.stale:
            return
        names = self._names()
        told = (frame, area.edited, area.selected, names, self._head.playing)
        if _same(told, self._told):
            return
        self._told = told
        for view in self._wall.views:
            view.area.editing = view is self._wall.selected and self._why_not(frame) is None
        if frame is None:
            playing = self.tr("Playing. Pause on a picture to inspect it.")
            self._inspector.show_nothing(playing if self._head.playing else "")
            return
        self._inspector.show_picture(frame, area.edited, names)
        self._inspector.select(area.selected)
        why = self._why_not(frame)
        self._inspector.let_edit(why, why is None, self._selected() is not None)
        self._edits.again.setEnabled(self._desk.can_reprocess)
        self._note_labels(frame)
        if self._chunk is None or frame.chunk.id != self._chunk.id:
            self._chunk = frame.chunk
            self._edits.show_history(())
            self._show_pending()
            self._desk.preview(frame.chunk.id)
            self._desk.read_history(frame.chunk.id)
        self._chunk = frame.chunk

    def forget_told(self) -> None:
        """Show it again even if it is the same."""
        self._told = ()

    def _why_not(self, frame: ReviewFrame | None) -> str | None:
        """Why nothing can be corrected here, None where it can."""
        if frame is None:
            return ""
        if not self._desk.available:
            return self.tr("Corrections need the database, which this console was started without.")
        if frame.chunk.state is ChunkState.OPEN:
            return self.tr(
                "This recording is still being written: it can be corrected in a moment."
            )
        return None

    def _note_labels(self, frame: ReviewFrame) -> None:
        names = self._names()
        for track in () if frame.entry is None else frame.entry.tracks:
            name = names.get(track.horse_id, "") if track.horse_id is not None else ""
            self._labels[track.id] = f"{name} (#{track.number})" if name else f"#{track.number}"

    # --- what a person does ---------------------------------------------------------------------

    def _on_picked(self, view: PlayerView, track_id: TrackId | None) -> None:
        view.area.select(track_id)
        for other in self._wall.views:
            if other is not view:
                other.area.select(None)

    def _area_select(self, track_id: TrackId | None) -> None:
        self._wall.selected.area.select(track_id)

    def _selected(self) -> OverlayTrack | None:
        area = self._wall.selected.area
        entry = area.entry
        tracks = () if entry is None else entry.tracks
        return next((track for track in tracks if track.id == area.selected), None)

    def _at(self, frame: ReviewFrame) -> datetime:
        """The instant that the store knows the picture by, within the recording."""
        at = self._stored_at(frame)
        self._clocks[at] = frame.at_us
        return at

    @staticmethod
    def _stored_at(frame: ReviewFrame) -> datetime:
        entry = frame.entry
        at = entry.at if entry is not None and entry.analysed else instant(frame.at_us)
        return min(max(at, frame.chunk.start_at), frame.chunk.end_at)

    def _ready(self) -> ReviewFrame | None:
        frame = self.frame
        if frame is None:
            self.said.emit(
                self.tr("Pause on a picture with the inspector open to correct it."), True
            )
            return None
        why = self._why_not(frame)
        if why is not None:
            self.said.emit(why, True)
            return None
        return frame

    def _chosen(self) -> tuple[ReviewFrame, OverlayTrack] | None:
        frame = self._ready()
        if frame is None:
            return None
        track = self._selected()
        if track is None:
            self.said.emit(self.tr("Select a detection first: click it."), True)
            return None
        return frame, track

    def _place_of(self, frame: ReviewFrame, track: OverlayTrack) -> int | None:
        """Which pending edit an added box is; None for one that is stored already."""
        stored = len(self._pending.shown(frame.chunk.id)) - len(self._pending.of(frame.chunk.id))
        place = -track.number - 1 - stored
        return place if place >= 0 else None

    def _added_place(self, frame: ReviewFrame, track: OverlayTrack) -> int | None:
        place = self._place_of(frame, track)
        if place is None:
            words = self.tr("That box is stored already: reprocess the recording to go on with it.")
            self.said.emit(words, True)
        return place

    def delete(self) -> None:
        """The selected detection is wrong, as far as the extent reaches."""
        chosen = self._chosen()
        if chosen is None:
            return
        frame, track = chosen
        chunk_id = frame.chunk.id
        if is_added(track):
            place = self._added_place(frame, track)
            if place is not None:
                self._pending.remove(chunk_id, place)
            return
        self._add(chunk_id, DeleteBox(track.id, self._at(frame), self._inspector.extent))
        self._wall.selected.area.select(None)

    def move(self, track_id: TrackId, box: Box) -> None:
        """The selected box lies elsewhere."""
        frame, track = self._ready(), self._selected()
        if frame is None or track is None or track.id != track_id:
            return
        if is_added(track):
            place = self._added_place(frame, track)
            if place is not None:
                edit = self._pending.of(frame.chunk.id)[place]
                assert isinstance(edit, AddBox)
                self._pending.change(frame.chunk.id, place, replace(edit, box_xyxy_px=box))
            return
        self._add(frame.chunk.id, MoveBox(track_id, self._at(frame), box))

    def add(self, box: Box) -> None:
        """A horse that was not found."""
        frame = self._ready()
        if frame is not None:
            count = len(self._pending.shown(frame.chunk.id))
            self._add(frame.chunk.id, AddBox(self._at(frame), box))
            area = self._wall.selected.area
            entry = area.entry
            tracks = () if entry is None else entry.tracks
            area.select(next((t.id for t in tracks if t.number == -(count + 1)), None))

    def make_guest(self) -> None:
        """The selected detection is nobody known."""
        self._give(None, self._inspector.extent)

    def assign(self) -> HorseDialog | None:
        """Ask which horse the selected detection is."""
        chosen = self._chosen()
        if chosen is None or self._registry is None:
            return None
        track = chosen[1]
        now = track.horse_id if track.horse_id != NEW_GUEST else None
        extent = None if is_added(track) else self._inspector.extent
        dialog = HorseDialog(self._registry, now, extent, self._wall.window())
        dialog.chosen.connect(self._give)
        dialog.open()
        return dialog

    def _give(self, horse_id: HorseId | None, extent: Extent) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        frame, track = chosen
        if is_added(track):
            place = self._added_place(frame, track)
            if place is not None:
                edit = self._pending.of(frame.chunk.id)[place]
                assert isinstance(edit, AddBox)
                self._pending.change(frame.chunk.id, place, replace(edit, horse_id=horse_id))
            return
        self._add(frame.chunk.id, AssignTrack(track.id, self._at(frame), horse_id, extent))

    def _add(self, chunk_id: ChunkId, edit: Edit) -> None:
        self._pending.add(chunk_id, edit)

    def clear(self) -> None:
        """Think better of all pending edits of this recording."""
        if self._chunk is not None:
            self._pending.clear(self._chunk.id)

    def apply(self) -> None:
        """Store the pending edits of this recording."""
        if self._chunk is None or not self._pending.of(self._chunk.id):
            self.said.emit(self.tr("Nothing is pending for this recording."), True)
            return
        one = self._edits.reprocess
        self._desk.apply(self._chunk, one.isChecked() and self._desk.can_reprocess)

    def _remove(self, place: int) -> None:
        if self._chunk is not None:
            self._pending.remove(self._chunk.id, place)

    def _reprocess(self) -> None:
        if self._chunk is not None:
            self._desk.reprocess(self._chunk)

    # --- what comes back ------------------------------------------------------------------------

    def _on_pending(self, chunk_id: ChunkId) -> None:
        for view in self._wall.shown:
            if view.frame is not None and view.frame.chunk.id == chunk_id:
                view.area.refresh()
        self._show_pending()
        self.forget_told()
        self.follow()

    def _show_pending(self) -> None:
        chunk = self._chunk
        edits = () if chunk is None else self._pending.of(chunk.id)
        names = self._names()
        sentences = []
        for edit in edits:
            who = "" if isinstance(edit, AddBox) else self._labels.get(edit.track_id, "?")
            horse = horse_of(edit)
            at_us = self._clocks.get(edit.at, micros(edit.at))
            sentences.append(edit_words(edit, at_us, who, names.get(horse, "") if horse else ""))
        self._edits.show_pending(sentences, self._pending.count - len(edits))

    def _on_previewed(self, chunk_id: ChunkId, effect: EditEffect | BarnhandError | None) -> None:
        if self._chunk is not None and self._chunk.id == chunk_id:
            self._edits.show_effect(effect)

    def _on_history(self, chunk_id: ChunkId, records: object) -> None:
        if self._chunk is not None and self._chunk.id == chunk_id and isinstance(records, tuple):
            self._edits.show_history(records)

    def _on_stored(self, chunk_id: ChunkId) -> None:
        self._desk.read_history(chunk_id)
        self._wall.reload()
        self.forget_told()


def _same(told: tuple[object, ...], before: tuple[object, ...]) -> bool:
    """Pictures and their edits are compared by identity: they are large."""
    if not before:
        return False
    return told[0] is before[0] and told[1] is before[1] and told[2:] == before[2:]
