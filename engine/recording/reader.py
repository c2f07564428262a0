"""Pictures back out of a recorded chunk, by their exact times."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from engine.domain.errors import NotFound, SourceUnreadable
from engine.domain.frames import Picture
from engine.sources.pictures import picture_of

_NEAR_S = 1e-6


@dataclass(frozen=True, slots=True)
class ChunkPicture:
    """One picture of a chunk and its presentation time inside the file, seconds."""

    pts_s: float
    picture: Picture


class ChunkReader:
    """Reads one chunk, in one thread. ``threads``: what the decoder may use.

    Raises SourceUnreadable when the file cannot be read as video, OSError as the file system does.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._name = path.name
        try:
            self._container: InputContainer = av.open(
                str(path), options={"protocol_whitelist": "file"}, format="mp4"
            )
        except FileNotFoundError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._unreadable() from error
        if not self._container.streams.video:
            self._container.close()
            raise self._unreadable()
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO" if threads > 1 else "SLICE"
        self._stream.codec_context.thread_count = threads
        self._times: tuple[float, ...] | None = None

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of its pictures."""
        return self._stream.codec_context.width, self._stream.codec_context.height

    @property
    def times_s(self) -> tuple[float, ...]:
        """Presentation time of every picture, rising; found without decoding."""
        if self._times is None:
            self._seek(0.0)
            ticks = (p.pts for p in self._container.demux(self._stream) if p.size)
            self._times = tuple(sorted(self._seconds(tick) for tick in ticks if tick is not None))
        return self._times

    def pictures(self, start_s: float = 0.0, end_s: float | None = None) -> Iterator[ChunkPicture]:
        """Every picture from ``start_s`` up to but without ``end_s``, in order. Damaged ones are
        left out."""
        self._seek(start_s)
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                if frame.pts is None or frame.is_corrupt:
                    continue
                pts_s = self._seconds(frame.pts)
                if end_s is not None and pts_s >= end_s - _NEAR_S:
                    return
                if pts_s >= start_s - _NEAR_S:
                    yield ChunkPicture(pts_s, picture_of(frame))

    def picture_at(self, pts_s: float) -> ChunkPicture:
        """The picture shown at this time: the last one not later. Raises NotFound."""
        times = self.times_s
        at = bisect_left(times, pts_s + _NEAR_S) - 1
        for found in self.pictures(times[max(at, 0)] if times else 0.0):
            return found
        raise NotFound(f"{self._name} shows no picture at {pts_s:.3f} s.")

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _seconds(self, ticks: int) -> float:
        time_base = self._stream.time_base
        assert time_base is not None
        return float(ticks * time_base)

    def _seek(self, to_s: float) -> None:
        time_base = self._stream.time_base
        assert time_base is not None
        try:
            self._container.seek(
                int(max(to_s, 0.0) / time_base), backward=True, stream=self._stream
            )
        except (av.FFmpegError, OSError) as error:
            raise self._unreadable() from error

    def _unreadable(self) -> SourceUnreadable:
        return SourceUnreadable(f"{self._name} cannot be read as video.")
