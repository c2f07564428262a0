"""A chunk from its first picture to the row that describes it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from engine.domain.detections import SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.ids import StreamId
from engine.domain.motion import Gait
from engine.domain.recording import Chunk, ChunkId, ChunkState
from engine.domain.results import FrameResult
from engine.domain.tracks import TrackState
from engine.recording.layout import OVERLAY, OVERLAY_PART, chunk_path, overlay_path
from engine.recording.overlay import entry_of, header_of, skeleton_of, write_overlay
from engine.recording.segment_file import Sample, SegmentFile

log = logging.getLogger(__name__)

_MOVING_MPS = 0.5
_MOVING_HEIGHTS_PER_S = 0.3
"""0.5 m/s, the slowest walk, for a horse whose box is about 1.7 m tall."""
_MOVING_PICTURES = 2
_STEP_S = 0.04


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a chunk begins: coding, size and ticks of the pictures, the tick count that is its zero,
    the stamp's ``pts_s`` there (None: stamps state none), and about when (for its name)."""

    codec: str
    size_px: tuple[int, int]
    time_base: Fraction
    first_tick: int
    first_source_s: float | None
    about: datetime


@dataclass(slots=True)
class _Seen:
    """What the analysis saw in a chunk."""

    horses: int | None = None
    moving: int = 0
    anything: bool = False
    entries: list[dict[str, Any]] = field(default_factory=list)
    skeletons: dict[str, Any] = field(default_factory=dict)
    size_px: tuple[int, int] = (0, 0)


class OpenChunk:
    """One chunk while pictures and results for it arrive; used by one thread.

    Sample times are absolute ticks of the source; the file's count from ``first_tick``. Until it
    is *anchored* nobody knows when its first picture was taken.
    """

    def __init__(self, media: Path, stream_id: StreamId, begins: Beginning) -> None:
        self.id = ChunkId(uuid4())
        self.begins = begins
        self.last_shown = -1
        self.last_analysed = -1
        self.start_at: datetime | None = None
        self.digest = ""
        self._media = media
        self._stream_id = stream_id
        self._path = chunk_path(stream_id, self.id, begins.about)
        self._file = SegmentFile(media / self._path, begins.codec, begins.size_px, begins.time_base)
        self._ticks: set[int] = set()
        self._durations = 0
        self._end_tick: int | None = None
        self._of_sequence: dict[int, int] = {}
        self._seen = _Seen()
        self._journal: TextIOWrapper | None = None

    # --- pictures ---------------------------------------------------------------------------

    def add(self, sample: Sample) -> None:
        """Append one coded picture. Raises RecordingFault."""
        first = self.begins.first_tick
        self._file.add(replace(sample, pts=sample.pts - first, dts=sample.dts - first))
        self._ticks.add(sample.pts - first)
        self._durations = sample.duration or self._durations

    @property
    def pictures(self) -> int:
        """How many were added."""
        return len(self._ticks)

    @property
    def last_tick(self) -> int:
        """The latest picture's time in ticks of the source."""
        return self.begins.first_tick + max(self._ticks, default=0)

    def seconds(self, ticks: int) -> float:
        """Presentation time inside the file of a tick count of the file."""
        return float(ticks * self.begins.time_base)

    @property
    def duration_s(self) -> float:
        """From the first picture to the end of the last."""
        if self._end_tick is not None:
            return self.seconds(self._end_tick - self.begins.first_tick)
        return self.seconds(max(self._ticks, default=0)) + self._step_s()

    def followed_by(self, next_one: Beginning) -> None:
        """The next chunk of the same source begins; this one lasts until then, even if it keeps a
        copy of the next one's first picture."""
        self._end_tick = next_one.first_tick

    def _step_s(self) -> float:
        if self._durations:
            return self.seconds(self._durations)
        ordered = sorted(self._ticks)
        steps = [b - a for a, b in pairwise(ordered)]
        return self.seconds(int(median(steps))) if steps else _STEP_S

    # --- what is known about them -----------------------------------------------------------

    def place(self, pts_s: float) -> int | None:
        """The file tick of the picture whose stamp states this time; None if it has none."""
        if self.begins.first_source_s is None:
            return None
        ticks = round((pts_s - self.begins.first_source_s) / float(self.begins.time_base))
        return ticks if ticks in self._ticks else None

    def shown(self, stamp: FrameStamp, ticks: int, analysed: bool) -> bool:
        """The picture at this file tick was decoded; True if that told when the chunk began."""
        self._of_sequence[stamp.sequence] = ticks
        self.last_shown = stamp.sequence
        if analysed:
            self.last_analysed = stamp.sequence
        if self.start_at is not None:
            return False
        self.start_at = stamp.captured_at - timedelta(seconds=self.seconds(ticks))
        return True

    @property
    def all_shown(self) -> bool:
        """Every one of its pictures was decoded."""
        return len(self._of_sequence) >= len(self._ticks)

    def note(self, result: FrameResult) -> bool:
        """Keep what was seen in one of its pictures; False if it is none of them."""
        ticks = self._of_sequence.get(result.stamp.sequence)
        if ticks is None:
            return False
        seen = self._seen
        seen.size_px = (result.width_px, result.height_px)
        entry = entry_of(result, self.seconds(ticks))
        seen.entries.append(entry)
        seen.skeletons.update(skeleton_of(result))
        tracks = result.tracks
        seen.horses = max(seen.horses or 0, int(tracks.confirmed_horses.sum()))
        seen.anything = seen.anything or bool((tracks.states == TrackState.ACTIVE).any())
        seen.moving += _moves(result)
        self._write_ahead(entry)
        return True

    @property
    def interesting(self) -> bool:
        """A horse or anything else that moves was seen in it."""
        return self._seen.anything

    # --- rows -------------------------------------------------------------------------------

    def row(self, state: ChunkState) -> Chunk:
        """The chunk as it stands."""
        start_at = self.start_at or self.begins.about
        has_overlay = self._seen.entries and state is not ChunkState.OPEN
        return Chunk(
            id=self.id,
            stream_id=self._stream_id,
            start_at=start_at,
            end_at=start_at + timedelta(seconds=self.duration_s),
            path=self._path,
            codec=self.begins.codec,
            width_px=self.begins.size_px[0],
            height_px=self.begins.size_px[1],
            state=state,
            size_bytes=self._file.size_bytes,
            sha256=self.digest,
            first_source_pts_s=self.begins.first_source_s,
            overlay_path=overlay_path(self._path) if has_overlay else "",
            horses=self._seen.horses,
            moving=self._seen.moving >= _MOVING_PICTURES,
        )

    # --- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Finish the video file. Raises RecordingFault."""
        self.digest = self._file.close()

    def abandon(self) -> Path:
        """Stop writing after a fault; where what was written lies."""
        self._file.abandon()
        self._close_journal()
        return self._file.part

    def finish_overlay(self) -> None:
        """Write the overlay whole, once no more results come. Raises OSError."""
        self._close_journal()
        seen = self._seen
        path = self._media / overlay_path(self._path)
        if seen.entries:
            document = self._header()
            document["skeletons"] = seen.skeletons
            document["entries"] = sorted(seen.entries, key=lambda entry: float(entry["pts"]))
            write_overlay(path, document)
        self._journal_path().unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete its files."""
        self._close_journal()
        for path in (self._file.path, self._file.part, self._media / overlay_path(self._path)):
            path.unlink(missing_ok=True)
        self._journal_path().unlink(missing_ok=True)

    def _header(self) -> dict[str, Any]:
        return header_of(
            self.id, self._stream_id, self.start_at or self.begins.about, self._seen.size_px
        )

    def _journal_path(self) -> Path:
        return self._media / (overlay_path(self._path).removesuffix(OVERLAY) + OVERLAY_PART)

    def _write_ahead(self, entry: dict[str, Any]) -> None:
        """One more line of the unfinished overlay; a disk that refuses costs only that."""
        try:
            if self._journal is None:
                self._journal = self._journal_path().open("w", encoding="utf-8", buffering=1)
                head = self._header() | {"skeletons": self._seen.skeletons}
                self._journal.write(json.dumps(head, separators=(",", ":")) + "\n")
            self._journal.write(json.dumps(entry, separators=(",", ":")) + "\n")
        except OSError as error:
            log.warning("an overlay line was not written: %s", type(error).__name__)

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def _moves(result: FrameResult) -> bool:
    """True if a horse in it goes somewhere."""
    tracks = result.tracks
    horses = (tracks.class_ids == SubjectClass.HORSE) & (tracks.states == TrackState.ACTIVE)
    if not horses.any() or result.held:
        return False
    motion = result.motion
    if motion is not None:
        going = (motion.gaits >= Gait.WALK) | (motion.speeds_mps >= _MOVING_MPS)
        return bool((going & horses).any())
    boxes, speeds = tracks.boxes_xyxy_px, tracks.velocities_px_s
    heights = (boxes[:, 3] - boxes[:, 1]).clip(min=1.0)
    sideways = abs(speeds[:, 0] + speeds[:, 2]) / 2.0
    return bool(((sideways / heights >= _MOVING_HEIGHTS_PER_S) & horses).any())
