"""One chunk's file: a fragmented MP4 that is whole on disk up to the last two seconds."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet
from av.stream import Stream as MuxStream

from engine.domain.errors import EnvironmentFault
from engine.recording.layout import PART

FRAGMENT_S = 2.0
"""A fragment is written out at a key picture, at the latest after this time: what a crash loses."""
_SHORTEST_S = 0.9
_BUFFER_BYTES = 1 << 20
_TIMESCALE_FROM = 10_000


class RecordingFault(EnvironmentFault):
    """The disk refused a recording."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded picture as it goes into a file: Annex B bytes and times in the file's ticks."""

    payload: bytes
    pts: int
    dts: int
    duration: int
    is_key: bool


class _DurableFile:
    """Where the muxer writes: hashes what passes and syncs after each whole fragment."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._hash = hashlib.sha256()
        self._header = b""
        self._left = 0
        self._in_mdat = False
        self.size = 0

    def write(self, data: bytes) -> int:
        """Append all of it."""
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            self._hash.update(view[:written])
            self._follow(view[:written])
            self.size += written
            view = view[written:]
        return len(data)

    def _follow(self, data: memoryview) -> None:
        """Walk the boxes that pass; at the end of each mdat the fragment is whole."""
        at = 0
        while at < len(data):
            if not self._left:
                take = min(8 - len(self._header), len(data) - at)
                self._header += bytes(data[at : at + take])
                at += take
                if len(self._header) < 8:
                    return
                self._left = int.from_bytes(self._header[:4], "big") - 8
                self._in_mdat = self._header[4:] == b"mdat"
                self._header = b""
            step = min(self._left, len(data) - at)
            self._left -= step
            at += step
            if not self._left and self._in_mdat:
                os.fsync(self._file.fileno())

    def close(self) -> str:
        """Sync and close; the hash of everything written, hex."""
        os.fsync(self._file.fileno())
        self._file.close()
        return self._hash.hexdigest()

    def abandon(self) -> None:
        """Close without a word."""
        self._file.close()


class SegmentFile:
    """Writes one chunk. ``path`` is the finished file's; until ``close`` it ends in ``.part``.

    Times given to ``add`` count from the first picture (pts 0; dts of the first may be negative)
    in ``time_base`` and come back exactly, because the track's time scale is a multiple of it.
    Every method may raise RecordingFault.
    """

    def __init__(
        self, path: Path, codec: str, size_px: tuple[int, int], time_base: Fraction
    ) -> None:
        self.path = path
        self.part = path.with_name(path.name + PART)
        self._time_base = time_base
        self._container: av.container.OutputContainer | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _DurableFile(self.part)
        except OSError as error:
            raise _fault(error) from error
        self._stream = self._open(codec, size_px, time_base)
        self.pictures = 0

    @property
    def size_bytes(self) -> int:
        """Bytes that are on disk."""
        return self._file.size

    def add(self, sample: Sample) -> None:
        """Append one picture, in decoding order."""
        packet: Packet[MuxStream] = Packet(sample.payload)
        packet.pts, packet.dts = sample.pts, sample.dts
        packet.duration = sample.duration
        packet.time_base = self._time_base
        packet.is_keyframe = sample.is_key
        packet.stream = self._stream
        assert self._container is not None
        try:
            self._container.mux_one(packet)
        except (OSError, av.FFmpegError) as error:
            raise _fault(error) from error
        self.pictures += 1

    def close(self) -> str:
        """Write what is left, sync, take the final name; the file's SHA-256, hex."""
        try:
            if self._container is not None:
                self._container.close()
                self._container = None
            digest = self._file.close()
            self.part.rename(self.path)
            _sync_folder(self.path.parent)
        except (OSError, av.FFmpegError) as error:
            raise _fault(error) from error
        return digest

    def abandon(self) -> None:
        """Stop writing after a fault; the file keeps its temporary name and what it holds."""
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(OSError, av.FFmpegError, ValueError):
                container.close()  # the disk may refuse the last fragment too
        self._file.abandon()

    def _open(self, codec: str, size_px: tuple[int, int], time_base: Fraction) -> MuxStream:
        scale = time_base.denominator
        while scale < _TIMESCALE_FROM:
            scale *= 2
        container = av.open(
            self._file,
            "w",
            format="mp4",
            buffer_size=_BUFFER_BYTES,
            options={
                "movflags": "frag_keyframe+delay_moov+default_base_moof+skip_trailer",
                "frag_duration": str(int(FRAGMENT_S * 1_000_000)),
                "min_frag_duration": str(int(_SHORTEST_S * 1_000_000)),
                "video_track_timescale": str(scale),
            },
        )
        self._container = container
        stream = container.add_mux_stream(codec, width=size_px[0], height=size_px[1])
        stream.time_base = time_base
        return stream


def _sync_folder(folder: Path) -> None:
    """Make the rename durable where the system can (Windows cannot open folders)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    with contextlib.suppress(OSError):
        os.fsync(handle)
    os.close(handle)


def _fault(error: Exception) -> RecordingFault:
    return RecordingFault(
        f"A recording could not be written: {error.__class__.__name__}.",
        "Look at the disk of the media folder.",
    )
