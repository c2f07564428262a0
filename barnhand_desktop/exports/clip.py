"""Clips of recordings as MP4.

One camera without overlays: its own pictures, copied. The clip then begins with the key picture
before the asked start (at most 2 s before) and may end some pictures after the asked end: a copied
picture needs those it was coded from. Everything else is drawn and encoded again (H.264) and cut
exactly. Several cameras come side by side in one picture, in step by their instants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil, sqrt
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.packet import Packet

from barnhand_desktop.exports.camera_pictures import (
    CameraPicture,
    Recordings,
    chunks_of,
    pictures_of,
)
from barnhand_desktop.overlay_video import OverlayVideo
from engine.domain.errors import EnvironmentFault, NotFound
from engine.domain.frames import Image
from engine.domain.ids import StreamId
from engine.domain.recording import Chunk
from engine.recording.layout import video_file

GRID_FPS = 25.0
MOST_CAMERAS = 9
GRID_WIDTH_PX, GRID_HEIGHT_PX = 1920, 1080
STALE_S = 1.0
"""A camera whose last picture is older shows nothing in the grid: no frozen picture stands for
what nobody saw."""
LONGEST_LEAD_S = 2.0
"""A clip whose key picture lies further before its start is encoded, so that it begins where it was
asked to."""
_FPS = 25.0
_COPIED = ("h264", "hevc")
_GAP_S = 0.5

Told = Callable[[float], None]
"""Hears how far the clip is, 0..1; raises JobCancelled when it shall end."""


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """Which cameras, from when to when, with overlays or not."""

    stream_ids: tuple[StreamId, ...]
    start: datetime
    end: datetime
    overlays: bool

    @property
    def duration_s(self) -> float:
        """Seconds asked for."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Clip:
    """What was made. ``method``: ``copied`` or ``encoded``. ``start_at``: instant of the first
    picture. ``covered_s``: seconds of recordings in it. ``chunks``: where it came from."""

    method: str
    start_at: datetime
    pictures: int
    covered_s: float
    chunks: tuple[Chunk, ...]


def write_clip(recordings: Recordings, request: ClipRequest, path: Path, told: Told) -> Clip:
    """Write the clip to ``path``. Raises NotFound where nothing was recorded, JobCancelled,
    EnvironmentFault when the disk or the encoder fails."""
    found = {
        stream_id: chunks_of(recordings, stream_id, request.start, request.end)
        for stream_id in request.stream_ids
    }
    recorded = {stream_id: chunks for stream_id, chunks in found.items() if chunks}
    if not recorded:
        raise NotFound(
            "Nothing was recorded there.", "The timeline shows when the cameras recorded."
        )
    if len(recorded) > MOST_CAMERAS:
        raise NotFound(f"A clip shows at most {MOST_CAMERAS} cameras.", "Choose fewer.")
    try:
        if len(recorded) > 1:
            return _grid(recordings, request, recorded, path, told)
        chunks = next(iter(recorded.values()))
        if not request.overlays and _copies(recordings, request, chunks):
            return _copy(recordings, request, chunks, path, told)
        return _encode(recordings, request, chunks, path, told)
    except (av.FFmpegError, OSError) as error:
        raise EnvironmentFault(
            f"The clip could not be written ({type(error).__name__}).",
            "Check that the disk is not full.",
        ) from error


def _copies(recordings: Recordings, request: ClipRequest, chunks: Sequence[Chunk]) -> bool:
    """Whether the pictures can be handed on as they are, without beginning much too early."""
    begin_s = (request.start - chunks[0].start_at).total_seconds()
    if not _same_coding(chunks) or begin_s <= LONGEST_LEAD_S:
        return _same_coding(chunks)
    with av.open(str(video_file(recordings.media, chunks[0])), format="mp4") as source:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        source.seek(int(begin_s / stream.time_base), backward=True, stream=stream)
        for packet in source.demux(stream):
            if packet.pts is not None:
                return begin_s - float(packet.pts * stream.time_base) <= LONGEST_LEAD_S
    return False


def _same_coding(chunks: Sequence[Chunk]) -> bool:
    codings = {(chunk.codec, chunk.width_px, chunk.height_px) for chunk in chunks}
    return len(codings) == 1 and chunks[0].codec in _COPIED


def _covered_s(chunks: Sequence[Chunk], request: ClipRequest) -> float:
    return sum(
        max((min(c.end_at, request.end) - max(c.start_at, request.start)).total_seconds(), 0.0)
        for c in chunks
    )


# --- copied --------------------------------------------------------------------------------------


def _copy(
    recordings: Recordings, request: ClipRequest, chunks: Sequence[Chunk], path: Path, told: Told
) -> Clip:
    first_at: datetime | None = None
    pictures = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        writer = _Copier(out)
        for chunk in chunks:
            with av.open(str(video_file(recordings.media, chunk)), format="mp4") as source:
                stream = source.streams.video[0]
                begin_s = (request.start - chunk.start_at).total_seconds()
                end_s = (request.end - chunk.start_at).total_seconds()
                if begin_s > 0:
                    time_base = stream.time_base
                    assert time_base is not None
                    source.seek(int(begin_s / time_base), backward=True, stream=stream)
                for packet in source.demux(stream):
                    if packet.pts is None or packet.dts is None or packet.time_base is None:
                        continue
                    if float(packet.dts * packet.time_base) >= end_s:
                        break
                    at_s = float(packet.pts * packet.time_base)
                    if first_at is None:
                        first_at = chunk.start_at + timedelta(seconds=at_s)
                    zero_s = (chunk.start_at - first_at).total_seconds()
                    writer.add(packet, stream, zero_s)
                    pictures += 1
                    told((zero_s + at_s) / max(request.duration_s, 1e-3))
    if first_at is None:
        raise NotFound("Nothing was recorded there.")
    return Clip("copied", first_at, pictures, _covered_s(chunks, request), tuple(chunks))


class _Copier:
    """Puts packets of several files one behind the other, each at its own time."""

    _TICKS = 90_000

    def __init__(self, out: OutputContainer) -> None:
        self._out = out
        self._stream: av.VideoStream | None = None
        self._last_dts = -(2**62)

    def add(self, packet: Packet[av.VideoStream], source: av.VideoStream, zero_s: float) -> None:
        if self._stream is None:
            self._stream = self._out.add_stream_from_template(source)
            self._stream.time_base = Fraction(1, self._TICKS)
        base = packet.time_base
        assert base is not None and packet.pts is not None and packet.dts is not None
        zero = round(zero_s * self._TICKS)
        scale = base * self._TICKS
        # Two files meet to the millisecond only: decoding order must rise all the same.
        dts = max(zero + round(packet.dts * scale), self._last_dts + 1)
        packet.time_base = Fraction(1, self._TICKS)
        pts = zero + round(packet.pts * scale)
        packet.pts, packet.dts = max(pts, dts), dts
        packet.duration = round((packet.duration or 0) * scale)
        packet.stream = self._stream
        self._last_dts = dts
        self._out.mux(packet)


# --- encoded -------------------------------------------------------------------------------------


def _encode(
    recordings: Recordings, request: ClipRequest, chunks: Sequence[Chunk], path: Path, told: Told
) -> Clip:
    pictures, first_s = 0, 0.0
    with OverlayVideo(path, _FPS) as movie:
        for one in pictures_of(recordings, chunks, request.start, request.end, request.overlays):
            first_s = one.at_s if not pictures else first_s
            movie.add(one.bgr, one.at_s - first_s)
            pictures += 1
            told(one.at_s / max(request.duration_s, 1e-3))
        movie.finish()
    if not pictures:
        raise NotFound("Nothing was recorded there.")
    start_at = request.start + timedelta(seconds=first_s)
    return Clip("encoded", start_at, pictures, _covered_s(chunks, request), tuple(chunks))


# --- several cameras -----------------------------------------------------------------------------


class _Tile:
    """One camera of the grid: its picture at a rising time."""

    def __init__(self, pictures: Iterator[CameraPicture], size_px: tuple[int, int]) -> None:
        self._pictures = pictures
        self._size_px = size_px
        self._next = next(pictures, None)
        self._shown: tuple[float, Image] | None = None

    def at(self, at_s: float) -> Image | None:
        """The last picture not later, scaled; None where it is too old."""
        while self._next is not None and self._next.at_s <= at_s + 1e-6:
            self._shown = self._next.at_s, self._next.bgr
            self._next = next(self._pictures, None)
        if self._shown is None or at_s - self._shown[0] > STALE_S:
            return None
        return _fitted(self._shown[1], self._size_px)

    @property
    def over(self) -> bool:
        """Nothing comes any more."""
        return self._next is None


def _grid(
    recordings: Recordings, request: ClipRequest, found: dict[StreamId, list[Chunk]], path: Path,
    told: Told,
) -> Clip:  # fmt: skip
    across = ceil(sqrt(len(found)))
    down = ceil(len(found) / across)
    size = (GRID_WIDTH_PX // across // 2 * 2, GRID_HEIGHT_PX // across // 2 * 2)
    tiles = [
        _Tile(pictures_of(recordings, chunks, request.start, request.end, request.overlays), size)
        for chunks in found.values()
    ]
    count = ceil(request.duration_s * GRID_FPS)
    with OverlayVideo(path, GRID_FPS) as movie:
        for index in range(count):
            at_s = index / GRID_FPS
            canvas: Image = np.zeros((size[1] * down, size[0] * across, 3), np.uint8)
            for place, tile in enumerate(tiles):
                picture = tile.at(at_s)
                if picture is not None:
                    x, y = place % across * size[0], place // across * size[1]
                    canvas[y : y + size[1], x : x + size[0]] = picture
            movie.add(canvas, at_s)
            told(index / count)
        movie.finish()
    chunks = tuple(chunk for of_one in found.values() for chunk in of_one)
    covered_s = max(_covered_s(of_one, request) for of_one in found.values())
    return Clip("encoded", request.start, count, covered_s, chunks)


def _fitted(bgr: Image, size_px: tuple[int, int]) -> Image:
    """The picture in the middle of a black one of this size, its shape kept."""
    scale = min(size_px[0] / bgr.shape[1], size_px[1] / bgr.shape[0])
    wide, high = max(round(bgr.shape[1] * scale), 1), max(round(bgr.shape[0] * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    out: Image = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    x, y = (size_px[0] - wide) // 2, (size_px[1] - high) // 2
    out[y : y + high, x : x + wide] = cv2.resize(bgr, (wide, high), interpolation=how)
    return out
