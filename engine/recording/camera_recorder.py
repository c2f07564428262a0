"""One camera's recorder: turns what comes in into chunks and hands finished ones on."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from engine.domain.ids import StreamId
from engine.domain.packets import EncodedPacket
from engine.domain.ports import Clock
from engine.domain.recording import Chunk, ChunkState
from engine.domain.results import FrameResult
from engine.domain.streams import SourceKind, Stream
from engine.recording.copying import CopyTrack, Ending, Step
from engine.recording.encoding import EncodeTrack
from engine.recording.intake import Gone, Intake, Item, Opened, Shown
from engine.recording.motion_only import Candidate, MotionOnly
from engine.recording.open_chunk import Beginning, OpenChunk
from engine.recording.segment_file import RecordingFault
from engine.runtime import log_context
from engine.runtime.mailbox import Closed
from engine.runtime.worker import StopToken
from engine.settings import RecordingSettings

log = logging.getLogger(__name__)

RESULTS_WITHIN_S = 5.0
"""So long a closed chunk waits for results of its pictures."""
_IDLE_S = 3.0
_LOOK_EVERY_S = 0.25
_ITEMS_AT_ONCE = 64
_AGAIN_AFTER_S = 5.0
_LOOPED_KINDS = {SourceKind.FILE, SourceKind.FOLDER}


class Desk(Protocol):
    """What a camera's recorder asks of the recorder as a whole, on its own thread."""

    @property
    def has_room(self) -> bool:
        """False while the disk is too full to record."""
        ...

    def mode_of(self, stream: Stream) -> str:
        """``always``, ``motion`` or ``off``."""
        ...

    def put(self, chunk: Chunk) -> None:
        """Store this row, sooner or later."""
        ...

    def forget_chunk(self, chunk: Chunk) -> None:
        """It was not worth keeping; its files are gone."""
        ...

    def broken(self, part: Path, chunk: Chunk | None) -> None:
        """The disk refused it; keep what was written."""
        ...

    def lost(self, stream: Stream, packets: int) -> None:
        """So many packets could not be recorded; 0: it is well again."""
        ...


@dataclass(slots=True)
class _Closing:
    """A closed chunk that waits for its last results until ``due_mono_s``."""

    chunk: OpenChunk
    due_mono_s: float


class CameraRecorder:
    """Body of one camera's recorder thread; ``intake`` is how others reach it."""

    def __init__(
        self,
        stream: Stream,
        media: Path,
        settings: Callable[[], RecordingSettings],
        clock: Clock,
        desk: Desk,
    ) -> None:
        self.stream = stream
        self.intake = Intake(f"recorder-{stream.name}")
        self.state = "waiting"
        self._media = media
        self._settings = settings
        self._clock = clock
        self._desk = desk
        self._copy: CopyTrack | None = None
        self._encode: EncodeTrack | None = None
        self._chunk: OpenChunk | None = None
        self._closing: deque[_Closing] = deque()
        self._motion: MotionOnly[tuple[OpenChunk, Chunk]] = MotionOnly()
        self._newest_result = -1
        self._newest_shown = -1
        self._drained = False
        self._touched_mono_s = time.monotonic()
        self._again_mono_s = 0.0
        self._losing = False

    @property
    def stream_id(self) -> StreamId:
        """Whose recorder this is."""
        return self.stream.id

    def run(self, token: StopToken) -> None:
        """Work until the intake is closed and empty; then close everything properly."""
        log_context.bind(stream_id=self.stream.id, camera=self.stream.name)
        try:
            while True:
                items = self.intake.mailbox.take(_ITEMS_AT_ONCE, _LOOK_EVERY_S)
                for item in items:
                    self._take(item)
                    self.intake.taken(item)
                self._look_at_clock(bool(items))
        except Closed:
            self._end()

    # --- what comes in ------------------------------------------------------------------------

    def _take(self, item: Item) -> None:
        if item.lost:
            self._lose(item.lost)
        what = item.what
        if isinstance(what, EncodedPacket):
            if self._copy is not None:
                self._apply(self._copy.feed(what))
        elif isinstance(what, Shown):
            self._show(what)
        elif isinstance(what, FrameResult):
            self._note(what)
        elif isinstance(what, Opened):
            self._open(what)
        elif isinstance(what, Gone):
            self._gone()

    def _open(self, opened: Opened) -> None:
        self.stream = opened.stream
        self._drained = False
        settings = self._settings()
        goes_on = opened.offset_s > 0.0
        if self._copy is not None and opened.coding is not None and goes_on:
            if self._copy.reopened(opened.coding, opened.offset_s):
                return
        elif self._encode is not None and opened.coding is None and goes_on:
            return
        self._apply([*self._flush(), Ending()])
        self._copy = self._encode = None
        if opened.coding is not None:
            self._copy = CopyTrack(
                opened.coding, opened.offset_s, settings.segment_s, self._clock.now, picture_size
            )

    def _show(self, shown: Shown) -> None:
        if shown.picture is None:
            self._decoded(shown)
            return
        if self._copy is not None:  # its packets turned out to be of no use
            self._copy = None
            self._apply([Ending()])
        if not self._may_write():
            self.state = "stopped"
            return
        settings = self._settings()
        if self._encode is None:
            self._encode = EncodeTrack(
                settings.encode_height_px, settings.encode_fps, settings.segment_s, self._clock.now
            )
        self._apply(self._encode.feed(shown.stamp, shown.picture))
        chunk = self._chunk
        if chunk is not None and chunk.pictures:
            ticks = chunk.last_tick - chunk.begins.first_tick
            self._newest_shown = shown.stamp.sequence
            if chunk.shown(shown.stamp, ticks, shown.analysed):
                self._announce(chunk)

    def _decoded(self, shown: Shown) -> None:
        pts_s = shown.stamp.pts_s
        if pts_s is None:
            return
        for chunk in self._recent():
            ticks = chunk.place(pts_s)
            if ticks is not None:
                self._newest_shown = shown.stamp.sequence
                if chunk.shown(shown.stamp, ticks, shown.analysed):
                    self._announce(chunk)
                return

    def _note(self, result: FrameResult) -> None:
        self._newest_result = max(self._newest_result, result.stamp.sequence)
        for chunk in self._recent():
            if chunk.note(result):
                return

    def _recent(self) -> list[OpenChunk]:
        """The open chunk, then closed ones, newest first."""
        waiting = [closing.chunk for closing in reversed(self._closing)]
        return waiting if self._chunk is None else [self._chunk, *waiting]

    def _gone(self) -> None:
        """A recording that is looped starts again at once and goes on; others end here."""
        if self.stream.kind in _LOOPED_KINDS and self.stream.loop:
            self._touched_mono_s = time.monotonic()
            return
        self._apply([*self._flush(), Ending()])
        self._reset()
        self._drained = True
        self.state = "waiting"

    # --- chunks -------------------------------------------------------------------------------

    def _apply(self, steps: list[Step]) -> None:
        self._touched_mono_s = time.monotonic()
        for step in steps:
            try:
                if isinstance(step, Beginning):
                    if self._chunk is not None:
                        self._chunk.followed_by(step)
                    self._close_chunk()
                    self._begin(step)
                elif isinstance(step, Ending):
                    self._close_chunk()
                elif self._chunk is not None:
                    self._chunk.add(step)
            except RecordingFault as fault:
                self._break(fault)

    def _begin(self, beginning: Beginning) -> None:
        if not self._may_write():
            self.state = "stopped"
            self._reset()
            return
        self._chunk = OpenChunk(self._media, self.stream_id, beginning)
        self.state = "motion" if self._desk.mode_of(self.stream) == "motion" else "on"

    def _may_write(self) -> bool:
        return self._desk.has_room and time.monotonic() >= self._again_mono_s

    def _announce(self, chunk: OpenChunk) -> None:
        """Since now it is known when the chunk began."""
        if chunk is self._chunk:
            self._desk.put(chunk.row(ChunkState.OPEN))

    def _close_chunk(self) -> None:
        chunk, self._chunk = self._chunk, None
        if chunk is None:
            return
        if not chunk.pictures or chunk.start_at is None:
            self._maybe_discard(chunk)
            return
        self._chunk = chunk
        chunk.close()
        self._chunk = None
        self._closing.append(_Closing(chunk, time.monotonic() + RESULTS_WITHIN_S))

    def _maybe_discard(self, chunk: OpenChunk) -> None:
        """None of its pictures could be decoded: it is kept all the same if it has any."""
        if chunk.pictures < 2:
            chunk.abandon()
            chunk.discard()
            return
        self._chunk = chunk
        chunk.close()
        self._chunk = None
        self._closing.append(_Closing(chunk, time.monotonic()))

    def _break(self, fault: RecordingFault) -> None:
        """The disk refused: keep what is on it, try again a little later."""
        log.warning("%s: %s", self.stream.name, fault)
        self.state = "stopped"
        self._again_mono_s = time.monotonic() + _AGAIN_AFTER_S
        chunk, self._chunk = self._chunk, None
        self._reset()
        if chunk is not None:
            part = chunk.abandon()
            row = chunk.row(ChunkState.OPEN) if chunk.start_at is not None else None
            self._desk.broken(part, row)

    def _lose(self, packets: int) -> None:
        self._apply([*self._flush(), Ending()])
        self._reset()
        self._losing = True
        self._desk.lost(self.stream, packets)

    def _flush(self) -> list[Step]:
        return [] if self._copy is None else self._copy.flush()

    def _reset(self) -> None:
        if self._copy is not None:
            self._copy.reset()
        if self._encode is not None:
            self._encode.reset()

    # --- finished chunks ----------------------------------------------------------------------

    def _look_at_clock(self, busy: bool) -> None:
        now_s = time.monotonic()
        if not busy and self._chunk is not None and now_s - self._touched_mono_s > _IDLE_S:
            self._apply([*self._flush(), Ending()])
            self._reset()
            self.state = "waiting"
        while self._closing and self._is_settled(self._closing[0], now_s):
            self._finish(self._closing.popleft().chunk)

    def _is_settled(self, closing: _Closing, now_s: float) -> bool:
        if now_s >= closing.due_mono_s:
            return True
        chunk = closing.chunk
        shown = chunk.all_shown or self._drained or self._newest_shown > chunk.last_shown
        return shown and self._newest_result >= chunk.last_analysed

    def _finish(self, chunk: OpenChunk) -> None:
        try:
            chunk.finish_overlay()
        except OSError as error:
            log.warning("an overlay could not be written: %s", type(error).__name__)
        row = chunk.row(ChunkState.COMPLETE)
        self._desk.put(row)
        if self._losing:
            self._losing = False
            self._desk.lost(self.stream, 0)
        if self._desk.mode_of(self.stream) == "motion":
            start_s, end_s = row.start_at.timestamp(), row.end_at.timestamp()
            found = Candidate((chunk, row), start_s, end_s, chunk.interesting)
            self._decide(self._motion.offer(found))

    def _decide(self, decisions: list[tuple[tuple[OpenChunk, Chunk], bool]]) -> None:
        for (chunk, row), kept in decisions:
            if not kept:
                chunk.discard()
                self._desk.forget_chunk(row)

    def _end(self) -> None:
        """The engine stops: nothing more comes."""
        self._apply([*self._flush(), Ending()])
        while self._closing:
            self._finish(self._closing.popleft().chunk)
        self._decide(self._motion.flush())
        self.state = "off"


def picture_size(codec: str, key_packet: bytes) -> tuple[int, int] | None:
    """Width and height of the picture in a key packet that brings its parameter sets; None where
    it cannot be decoded."""
    context = CodecContext.create(codec, "r")
    assert isinstance(context, VideoCodecContext)
    try:
        frames = [*context.decode(Packet(key_packet)), *context.decode(None)]
    except (av.FFmpegError, OSError):
        return None
    return (frames[0].width, frames[0].height) if frames else None
