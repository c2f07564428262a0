"""HLS playlists over recorded chunks (RFC 8216, version 7): byte ranges of fragmented MP4.

A segment is a run of whole fragments that begins with a key picture and lasts about two seconds;
cameras with rarer key pictures give longer ones. Every chunk counts its own time from zero, so each
begins with EXT-X-MAP and, after the first, EXT-X-DISCONTINUITY. A date range of class
``barnhand.overlay`` names each chunk's overlay.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain.recording import Chunk, ChunkState
from engine.recording.fragments import Fragment, FragmentIndex

SEGMENT_S = 2.0
WINDOW = 12
"""Segments in a live playlist: about 24 s, three of which a player wants before it begins."""
_SHORT_S = 0.05


@dataclass(frozen=True, slots=True)
class Segment:
    """Some seconds of one chunk: bytes of its file, and when it starts."""

    chunk: Chunk
    init_size: int
    offset: int
    size: int
    start_at: datetime
    duration_s: float

    @property
    def end_at(self) -> datetime:
        """When it ends."""
        return self.start_at + timedelta(seconds=self.duration_s)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a player finds a chunk's file and its overlay."""

    video: Callable[[Chunk], str]
    overlay: Callable[[Chunk], str]


def segments_of(chunk: Chunk, index: FragmentIndex) -> list[Segment]:
    """The segments of a chunk. The last one of a chunk that is still being written is left out:
    nobody knows yet how long it gets."""
    runs: list[list[Fragment]] = []
    for fragment in index.fragments:
        length_s = sum(f.duration_s for f in runs[-1]) if runs else math.inf
        if not runs or (fragment.is_key and length_s >= SEGMENT_S - _SHORT_S):
            runs.append([fragment])
        else:
            runs[-1].append(fragment)
    if chunk.state is ChunkState.OPEN and runs:
        runs.pop()
    return [_segment(chunk, index, run) for run in runs]


def _segment(chunk: Chunk, index: FragmentIndex, run: Sequence[Fragment]) -> Segment:
    shown_s = min(min(f.pts, default=0) for f in run) / index.timescale
    return Segment(
        chunk=chunk,
        init_size=index.init_size,
        offset=run[0].offset,
        size=run[-1].offset + run[-1].size - run[0].offset,
        start_at=chunk.start_at + timedelta(seconds=shown_s),
        duration_s=sum(f.duration_s for f in run),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    number: int
    breaks: int


class LiveWindow:
    """Numbers the segments of one stream for its live playlist: players follow the numbers, so
    each segment keeps the one it got. Used under its owner's lock."""

    def __init__(self) -> None:
        self._places: OrderedDict[tuple[object, int], _Place] = OrderedDict()
        self._last: tuple[Segment, _Place] | None = None

    def playlist(self, segments: Sequence[Segment], addresses: Addresses) -> str:
        """The playlist of the newest segments, given oldest first; there is at least one."""
        for segment in segments:
            self._number(segment)
        shown = [s for s in segments if (s.chunk.id, s.offset) in self._places][-WINDOW:]
        first = self._places[(shown[0].chunk.id, shown[0].offset)]
        head = [
            f"#EXT-X-MEDIA-SEQUENCE:{first.number}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.breaks}",
        ]
        return _lines(head, shown, addresses, ended=False)

    def _number(self, segment: Segment) -> None:
        key = (segment.chunk.id, segment.offset)
        if key in self._places:
            return
        if self._last is None:
            # Seconds grow faster than segments and four times as fast as chunks: numbers go on
            # growing over a restart. Players keep arrays by discontinuity, so those stay small.
            second = int(segment.start_at.timestamp())
            place = _Place(second, second % 86_400 // 4)
        else:
            before, last = self._last
            if segment.start_at <= before.start_at:
                return  # stored too late to be shown live
            new_chunk = segment.chunk.id != before.chunk.id
            place = _Place(last.number + 1, last.breaks + new_chunk)
        self._places[key] = place
        self._last = (segment, place)
        while len(self._places) > 10 * WINDOW:
            self._places.popitem(last=False)


def recorded_playlist(segments: Sequence[Segment], addresses: Addresses) -> str:
    """The playlist of a recorded range, oldest first."""
    return _lines(["#EXT-X-PLAYLIST-TYPE:VOD"], segments, addresses, ended=True)


def _lines(
    head: Iterable[str], segments: Sequence[Segment], addresses: Addresses, ended: bool
) -> str:
    longest_s = max((s.duration_s for s in segments), default=SEGMENT_S)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(math.ceil(longest_s - 1e-6), 1)}",
        *head,
    ]
    current = None
    for segment in segments:
        if segment.chunk.id != current:
            lines += _chunk_lines(segment, addresses, first=current is None)
            current = segment.chunk.id
        lines += [
            f"#EXTINF:{segment.duration_s:.6f},",
            f"#EXT-X-BYTERANGE:{segment.size}@{segment.offset}",
            addresses.video(segment.chunk),
        ]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])


def _chunk_lines(segment: Segment, addresses: Addresses, first: bool) -> list[str]:
    chunk = segment.chunk
    uri, overlay = addresses.video(chunk), addresses.overlay(chunk)
    # An attribute may come later, but must not change.
    duration = "" if chunk.state is ChunkState.OPEN else f"DURATION={chunk.duration_s:.3f},"
    return [
        *([] if first else ["#EXT-X-DISCONTINUITY"]),
        f'#EXT-X-MAP:URI="{uri}",BYTERANGE="{segment.init_size}@0"',
        f"#EXT-X-PROGRAM-DATE-TIME:{_instant(segment.start_at)}",
        f'#EXT-X-DATERANGE:ID="{chunk.id}",CLASS="barnhand.overlay",'
        f'START-DATE="{_instant(chunk.start_at)}",{duration}X-OVERLAY="{overlay}"',
    ]


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
