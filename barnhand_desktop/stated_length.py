"""How long a recording says it is, to tell progress and to notice that its end is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

_SHORT_SHARE = 0.95
_SHORT_FRAMES = 2
_SHORT_S = 0.2
"""Containers round, and edit lists cut a few pictures: less missing than this is no fault."""


@dataclass(frozen=True, slots=True)
class StatedLength:
    """What the container states about its pictures; None where it states nothing."""

    frames: int | None = None
    duration_s: float | None = None

    def share(self, frames: int, reached_s: float) -> float | None:
        """How much of it is done, 0..1; None when its length is unknown."""
        if self.frames is not None:
            return min(frames / self.frames, 1.0)
        return None if self.duration_s is None else min(reached_s / self.duration_s, 1.0)

    def shortfall(self, frames: int, reached_s: float) -> str | None:
        """What is missing in words, None when everything that is stated came.

        Both the count and the time must fall short where both are known.
        """
        few = self.frames is None or frames < _SHORT_SHARE * self.frames - _SHORT_FRAMES
        stated_s = self.duration_s
        if stated_s is None:
            return (
                f"it ends after picture {frames} of {self.frames}" if self.frames and few else None
            )
        if not few or reached_s >= _SHORT_SHARE * stated_s - _SHORT_S:
            return None
        return f"it ends after {reached_s:.1f} s of {stated_s:.1f} s"


def stated_length(path: Path) -> StatedLength:
    """Read the container's head; nothing is decoded. Unknown for what is no readable video.

    The file's whole duration is used only without sound, which may be longer than the pictures.
    """
    if not path.is_file():
        return StatedLength()
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            if not container.streams.video:
                return StatedLength()
            stream = container.streams.video[0]
            duration_s: float | None = None
            if stream.duration and stream.time_base:
                duration_s = float(stream.duration * stream.time_base)
            elif container.duration and len(container.streams) == 1:
                duration_s = container.duration / av.time_base
            return StatedLength(stream.frames or None, duration_s)
    except (av.FFmpegError, OSError, ValueError):
        return StatedLength()  # opening it as a source says what is wrong
