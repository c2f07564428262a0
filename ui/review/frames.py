"""What a player hands over: pictures of a recording by their instants, and why there is none."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from engine.domain.frames import Image
from engine.domain.recording import Chunk, ChunkId
from engine.recording.overlay import Overlay, OverlayEntry

GAP_US = 1_000_000
"""The last picture of a recording stays so long where the next recording begins a little late."""


@dataclass(frozen=True, slots=True)
class ReviewFrame:
    """One picture of a recording, scaled to fit the view: uint8 (h, w, 4) BGRA, read-only. It is on
    show from ``at_us`` up to ``until_us``, when the next one follows or its recording ends.

    ``pts_s`` is its time inside ``chunk``'s file and ``number`` its place there, from 1 to
    ``count``; ``entry`` what the analysis saw in it (None: nothing known), in pixels of
    ``picture_px`` (width, height), with ``overlay`` for skeletons.
    """

    at_us: int
    until_us: int
    bgra: Image
    chunk: Chunk
    pts_s: float
    number: int
    count: int
    entry: OverlayEntry | None
    overlay: Overlay | None
    picture_px: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no picture from an instant up to another: ``reason`` is empty where nothing was
    recorded. ``before_us``: the end of the recording before it, ``after_us`` the begin of the next;
    None where none is near."""

    from_us: int
    until_us: int
    reason: str = ""
    before_us: int | None = None
    after_us: int | None = None

    def covers(self, at_us: int) -> bool:
        """Whether it speaks of this instant."""
        return self.from_us <= at_us < self.until_us


class FrameBuffer:
    """Pictures around the cursor, rising by their instants. Not safe for threads by itself."""

    def __init__(self, at_most: int) -> None:
        self._frames: list[ReviewFrame] = []
        self._at_most = at_most

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def first_us(self) -> int | None:
        """The oldest picture's instant."""
        return self._frames[0].at_us if self._frames else None

    @property
    def newest_us(self) -> int | None:
        """The newest picture's instant."""
        return self._frames[-1].at_us if self._frames else None

    def clear(self) -> None:
        """Forget all."""
        self._frames.clear()

    def add(self, frame: ReviewFrame, target_us: int, behind_us: int) -> None:
        """Keep one more, newer than all; forget what lies far behind the target."""
        frames = self._frames
        if frames and frame.at_us <= frames[-1].at_us:
            return
        frames.append(frame)
        while len(frames) > 2 and (
            frames[1].at_us < target_us - behind_us
            or (len(frames) > self._at_most and frames[1].at_us <= target_us)
        ):
            frames.pop(0)

    def seen_anew(self, chunk_id: ChunkId, overlay: Overlay) -> None:
        """What was seen in a chunk's pictures is told otherwise now."""
        self._frames = [
            replace(frame, entry=overlay.at(frame.pts_s), overlay=overlay)
            if frame.chunk.id == chunk_id
            else frame
            for frame in self._frames
        ]

    def full(self, target_us: int) -> bool:
        """No room ahead of the target."""
        return len(self._frames) >= self._at_most and self._frames[-1].at_us > target_us

    def at(self, target_us: int) -> ReviewFrame | Absence | None:
        """What is seen at an instant: a picture stays until the next one, but not over a gap. None
        where that is not known yet."""
        frames = self._frames
        place = bisect_right(frames, target_us, key=lambda frame: frame.at_us) - 1
        if place < 0:
            return None
        frame = frames[place]
        if target_us < frame.until_us:
            return frame
        if place + 1 == len(frames):
            return None
        follower = frames[place + 1]
        if follower.at_us - frame.until_us <= GAP_US:
            return frame
        return Absence(frame.until_us, follower.at_us, "", frame.until_us, follower.at_us)
