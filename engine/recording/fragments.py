"""The fragments of a fragmented MP4 file, found by walking its boxes (ISO/IEC 14496-12).

Plain file reading without FFmpeg, so that the API can cut segments and a restart can find the last
whole fragment of a file that nobody closed. Times are seconds of presentation inside the file: the
first picture has 0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.domain.errors import SourceUnreadable

_CONTAINERS = {b"trak", b"mdia", b"mvex", b"traf", b"edts", b"minf", b"stbl"}
_CODECS = {b"avc1": "h264", b"avc3": "h264", b"hvc1": "hevc", b"hev1": "hevc"}
_NOT_SYNC = 0x00010000


@dataclass(frozen=True, slots=True)
class Fragment:
    """One moof with its mdat: where it lies (bytes), when it starts and how long it lasts in
    decoding time (s), whether it starts with a key picture, and the pictures in it: their
    presentation times in ticks of the track's time scale, in decoding order."""

    offset: int
    size: int
    start_s: float
    duration_s: float
    is_key: bool
    pts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FragmentIndex:
    """What a file holds. ``init_size``: bytes before the first fragment (what EXT-X-MAP names).
    ``whole_size``: bytes up to the end of the last whole fragment. ``timescale``: ticks per s.
    ``codec``: h264 or hevc."""

    init_size: int
    whole_size: int
    timescale: int
    fragments: tuple[Fragment, ...]
    codec: str = ""
    width_px: int = 0
    height_px: int = 0

    @property
    def times_s(self) -> tuple[float, ...]:
        """Presentation time of every picture, rising."""
        return tuple(sorted(tick / self.timescale for f in self.fragments for tick in f.pts))

    @property
    def duration_s(self) -> float:
        """From the first picture to the end of the last."""
        last = self.fragments[-1] if self.fragments else None
        return 0.0 if last is None else last.start_s + last.duration_s


@dataclass(slots=True)
class _Track:
    timescale: int = 0
    shift: int = 0
    duration: int = 0
    flags: int = 0
    codec: str = ""
    size_px: tuple[int, int] = (0, 0)


def read_fragments(path: Path) -> FragmentIndex:
    """Walk a file, finished or not. Raises SourceUnreadable when it does not begin like one of
    ours; OSError as the file system does."""
    with path.open("rb") as file:
        return _walk(file, path.name)


def _walk(file: BinaryIO, name: str) -> FragmentIndex:
    track: _Track | None = None
    fragments: list[Fragment] = []
    init_size = whole = 0
    moof: tuple[int, bytes] | None = None
    for kind, offset, header, size in _boxes(file):
        if kind == b"moov":
            track = _track(_body(file, offset, header, size))
            init_size = whole = offset + size
        elif kind == b"moof" and track is not None:
            moof = (offset, _body(file, offset, header, size))
        elif kind == b"mdat" and track is not None and moof is not None:
            start = moof[0]
            fragments.append(_fragment(moof[1], track, start, offset + size - start))
            whole = offset + size
            moof = None
    if track is None or not track.timescale:
        raise SourceUnreadable(f"{name} is no recording, or nothing of it was written.")
    return FragmentIndex(
        init_size, whole, track.timescale, tuple(fragments), track.codec, *track.size_px
    )


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int, int]]:
    """Kind, offset, header size and size of each whole box on the top level."""
    end = file.seek(0, 2)
    offset = 0
    while offset + 8 <= end:
        file.seek(offset)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            raw = file.read(8)
            if len(raw) < 8:
                return
            size, header = struct.unpack(">Q", raw)[0], 16
        if size < header or offset + size > end:
            return
        yield kind, offset, header, size
        offset += size


def _body(file: BinaryIO, offset: int, header: int, size: int) -> bytes:
    file.seek(offset + header)
    return file.read(size - header)


def _inner(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The leaves below a box, containers opened."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            return
        body = data[at + 8 : at + size]
        if kind in _CONTAINERS:
            yield from _inner(body)
        else:
            yield kind, body
        at += size


def _track(moov: bytes) -> _Track:
    track = _Track()
    for kind, body in _inner(moov):
        version = body[0]
        if kind == b"mdhd":
            track.timescale = struct.unpack_from(">I", body, 20 if version else 12)[0]
        elif kind == b"elst" and struct.unpack_from(">I", body, 4)[0]:
            media_time = struct.unpack_from(">q" if version else ">i", body, 16 if version else 12)
            track.shift = max(int(media_time[0]), 0)
        elif kind == b"stsd" and len(body) >= 44:
            track.codec = _CODECS.get(body[12:16], "")
            track.size_px = struct.unpack_from(">HH", body, 40)
        elif kind == b"trex":
            track.duration, _, track.flags = struct.unpack_from(">III", body, 12)
    return track


def _fragment(moof: bytes, track: _Track, offset: int, size: int) -> Fragment:
    duration, flags, start = track.duration, track.flags, 0
    pts: list[int] = []
    total = 0
    is_key: bool | None = None
    for kind, body in _inner(moof):
        if kind == b"tfhd":
            duration, flags = _defaults(body, duration, flags)
        elif kind == b"tfdt":
            start = struct.unpack_from(">Q" if body[0] else ">I", body, 4)[0]
        elif kind == b"trun":
            for length, sample_flags, composition in _samples(body, duration, flags):
                if is_key is None:
                    is_key = not sample_flags & _NOT_SYNC
                pts.append(start + total + composition - track.shift)
                total += length
    scale = track.timescale
    return Fragment(
        offset, size, (start - track.shift) / scale, total / scale, bool(is_key), tuple(pts)
    )


def _defaults(tfhd: bytes, duration: int, flags: int) -> tuple[int, int]:
    """Default sample duration and flags of a fragment."""
    present = int.from_bytes(tfhd[1:4], "big")
    at = 8 + (8 if present & 0x1 else 0) + (4 if present & 0x2 else 0)
    if present & 0x8:
        duration = struct.unpack_from(">I", tfhd, at)[0]
        at += 4
    at += 4 if present & 0x10 else 0
    if present & 0x20:
        flags = struct.unpack_from(">I", tfhd, at)[0]
    return duration, flags


def _samples(trun: bytes, duration: int, flags: int) -> Iterator[tuple[int, int, int]]:
    """Duration, flags and composition offset of each sample."""
    version, present = trun[0], int.from_bytes(trun[1:4], "big")
    count = struct.unpack_from(">I", trun, 4)[0]
    at = 8 + (4 if present & 0x1 else 0)
    first_flags = None
    if present & 0x4:
        first_flags = struct.unpack_from(">I", trun, at)[0]
        at += 4
    for index in range(count):
        length, own = duration, flags
        composition = 0
        if present & 0x100:
            length = struct.unpack_from(">I", trun, at)[0]
            at += 4
        at += 4 if present & 0x200 else 0
        if present & 0x400:
            own = struct.unpack_from(">I", trun, at)[0]
            at += 4
        elif index == 0 and first_flags is not None:
            own = first_flags
        if present & 0x800:
            composition = struct.unpack_from(">i" if version else ">I", trun, at)[0]
            at += 4
        yield length, own, composition
