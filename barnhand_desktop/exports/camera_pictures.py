"""Pictures of one camera between two instants, out of its chunks, with overlays where asked for.

What is drawn on a picture is what the overlay says of its presentation time: the entry of that very
picture where it was analysed, else what lies between two analysed pictures at most half a second
apart. Names are those that the identity spans say now, also for overlays written before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from barnhand_desktop.overlay_video import (
    draw_box,
    draw_skeleton,
    overlay_colours,
    unit_of,
)
from engine.domain.detections import SubjectClass
from engine.domain.errors import BarnhandError
from engine.domain.frames import Image
from engine.domain.ids import HorseId, StreamId
from engine.domain.recording import Chunk, ChunkRepository, ChunkState
from engine.domain.tracks import TrackState
from engine.reanalysis.stored import StoredPast, StoredStretch
from engine.recording.layout import overlay_file, video_file
from engine.recording.overlay import Overlay, OverlayEntry, OverlayTrack, read_overlay
from engine.recording.reader import ChunkReader

log = logging.getLogger(__name__)

PLAYABLE = (ChunkState.COMPLETE, ChunkState.RESCUED)
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class CameraPicture:
    """One picture: seconds since the export's start, and uint8 (h, w, 3) BGR of its own size.
    ``chunk`` and ``pts_s``: where it lies."""

    at_s: float
    bgr: Image
    chunk: Chunk
    pts_s: float


@dataclass(frozen=True, slots=True)
class Recordings:
    """Where recordings and what was seen in them are found. ``names``: of horses."""

    media: Path
    chunks: ChunkRepository
    past: StoredPast
    names: Mapping[HorseId, str]
    keypoint_confidence: float = 0.3


def chunks_of(
    recordings: Recordings, stream_id: StreamId, start: datetime, end: datetime
) -> list[Chunk]:
    """The playable chunks of a camera that reach into the interval, oldest first."""
    found: list[Chunk] = []
    while True:
        after = found[-1].id if found else None
        page = recordings.chunks.list((stream_id,), start, end, PLAYABLE, limit=_PAGE, after=after)
        found += page
        if len(page) < _PAGE:
            return found


def pictures_of(
    recordings: Recordings, chunks: Sequence[Chunk], start: datetime, end: datetime,
    overlays: bool,
) -> Iterator[CameraPicture]:  # fmt: skip
    """Every picture with ``start <= its instant < end``, in order. A chunk whose file is not here
    is passed over."""
    last_s = -1.0
    for chunk in chunks:
        shift_s = (chunk.start_at - start).total_seconds()
        until_s = (end - chunk.start_at).total_seconds()
        try:
            reader = ChunkReader(video_file(recordings.media, chunk))
        except (BarnhandError, OSError) as error:
            log.warning("recording %s was left out: %s", chunk.id, error)
            continue
        artist = Artist(recordings, chunk) if overlays else None
        with reader:
            for one in reader.pictures(max(-shift_s, 0.0), until_s):
                at_s = one.pts_s + shift_s
                if at_s <= last_s:
                    continue
                last_s = at_s
                bgr = one.picture.scaled_bgr(one.picture.width_px, one.picture.height_px)
                if artist is not None:
                    artist.draw(bgr, one.pts_s)
                yield CameraPicture(at_s, bgr, chunk, one.pts_s)


class Artist:
    """Draws a chunk's overlay onto its pictures."""

    def __init__(self, recordings: Recordings, chunk: Chunk) -> None:
        self._recordings = recordings
        self._start_at = chunk.start_at
        self._overlay: Overlay | None = None
        self._stretch: StoredStretch | None = None
        try:
            self._overlay = read_overlay(overlay_file(recordings.media, chunk))
            self._stretch = recordings.past.stretch(chunk.stream_id, chunk.start_at, chunk.end_at)
        except (BarnhandError, OSError) as error:
            log.info("recording %s has no overlay: %s", chunk.id, error)

    def entry(self, pts_s: float) -> OverlayEntry | None:
        """What the picture at this time inside the file shows."""
        return None if self._overlay is None else self._overlay.at(pts_s)

    def draw(self, bgr: Image, pts_s: float) -> None:
        """Draw what is known of the picture at this time; bgr is changed in place."""
        overlay, entry = self._overlay, self.entry(pts_s)
        if overlay is None or entry is None or not overlay.width_px or not overlay.height_px:
            return
        scale = bgr.shape[1] / overlay.width_px, bgr.shape[0] / overlay.height_px
        seen = (TrackState.TENTATIVE, TrackState.ACTIVE)
        horses = [t for t in entry.tracks if t.class_id == SubjectClass.HORSE and t.state in seen]
        for track in horses:
            self._box(bgr, track, self._start_at + timedelta(seconds=pts_s), scale)
        for track in horses:
            self._bones(bgr, track, overlay, scale)

    def _box(
        self, bgr: Image, track: OverlayTrack, at: datetime, scale: tuple[float, float]
    ) -> None:
        owner = None if self._stretch is None else self._stretch.owner(track.id, at)
        colours = overlay_colours().tracks
        index = track.colour if owner is None else owner.colour
        name = None if owner is None else self._recordings.names.get(owner.horse_id)
        words = [name or str(track.number), track.gait or track.action]
        label = " ".join(word for word in words if word)
        x1, y1, x2, y2 = track.box_xyxy_px
        box = (x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1])
        draw_box(bgr, box, label, colours[index % len(colours)], unit_of(bgr))

    def _bones(
        self, bgr: Image, track: OverlayTrack, overlay: Overlay, scale: tuple[float, float]
    ) -> None:
        skeleton = overlay.skeletons.get(track.skeleton)
        if skeleton is None:
            return
        points = [(round(x * scale[0]), round(y * scale[1])) for x, y, _ in track.keypoints]
        least = max(self._recordings.keypoint_confidence, 1e-6)
        seen = [score >= least for _, _, score in track.keypoints]
        draw_skeleton(bgr, points, seen, skeleton.bones, unit_of(bgr))
