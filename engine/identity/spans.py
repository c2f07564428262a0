"""Arithmetic of identity spans: cutting them, and where two horses were seen at once.

Pure functions over values; nothing here reads a store or a clock.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from engine.domain.identity import Span
from engine.domain.ids import FarmId, StreamId, TrackId

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
SIMULTANEOUS_TOLERANCE_S = 2.0
"""Shorter meetings of two tracks prove nothing: clocks of cameras differ by about a second, and a
horse can have a second box for some pictures. Chosen, not measured."""

Range = tuple[datetime, datetime]
"""From the first (inclusive) to the second (exclusive); BEGINNING and END where unlimited."""


@dataclass(frozen=True, slots=True)
class SeenTrack:
    """What a correction has to know of a track. ``number`` and ``camera`` (its name) are for words;
    ``end`` is the instant of its last picture, None while the track is open."""

    id: TrackId
    farm_id: FarmId
    stream_id: StreamId
    start: datetime
    end: datetime | None
    number: int = 0
    camera: str = ""


def range_of(span: Span) -> Range:
    """The span's bounds with its open ends made explicit."""
    return span.start or BEGINNING, span.end or END


def limits(start: datetime, end: datetime) -> tuple[datetime | None, datetime | None]:
    """The bounds of a span that covers the range: None where it is unlimited."""
    return (None if start == BEGINNING else start), (None if end == END else end)


def common(first: Range, second: Range) -> Range | None:
    """What two ranges share, None if nothing."""
    start, end = max(first[0], second[0]), min(first[1], second[1])
    return (start, end) if start < end else None


def around(whole: Range, taken: Range) -> tuple[Range, ...]:
    """What is left of ``whole`` before and after ``taken`` (a part of it)."""
    pieces = ((whole[0], taken[0]), (taken[1], whole[1]))
    return tuple(piece for piece in pieces if piece[0] < piece[1])


def seen_during(track: SeenTrack) -> Range:
    """From the track's first picture to just after its last, to END while it is open."""
    if track.end is None:
        return track.start, END
    # The last picture belongs to the track: a range that ends on it would leave it out.
    return track.start, max(track.end, track.start) + _INSTANT


_INSTANT = datetime.resolution


def presence(span: Span, track: SeenTrack) -> Range | None:
    """When the span's horse was in view by this track, None if its range misses the track."""
    return common(range_of(span), seen_during(track))


def widened(wanted: Range, track: SeenTrack) -> Range:
    """The range without limits where it reaches beyond the track, so that whole tracks move whole.

    A track that grows or is completed later then still belongs to one horse.
    """
    seen = seen_during(track)
    start = BEGINNING if wanted[0] <= seen[0] else wanted[0]
    end = END if wanted[1] >= seen[1] else wanted[1]
    return start, end


# --- seen at once ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Presences:
    """When and where a horse was in view, N stretches: ``cameras`` int64 (N,) numbers of cameras,
    ``starts_s`` and ``ends_s`` float64 (N,) seconds of one common clock."""

    cameras: NDArray[np.int64]
    starts_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two stretches that overlap in time on cameras that cannot show one horse at once."""

    first: int
    second: int
    seconds: float


def meetings(
    first: Presences, second: Presences, overlapping: Collection[frozenset[int]] = ()
) -> Sequence[Meeting]:
    """Every pair of stretches of two horses that proves them to be two, longest first.

    A pair counts when it overlaps for more than SIMULTANEOUS_TOLERANCE_S on one camera, or on two
    that are not in ``overlapping`` (pairs of camera numbers that see a common place).
    """
    if not len(first.starts_s) or not len(second.starts_s):
        return ()
    order = np.argsort(second.starts_s, kind="stable")
    starts, ends = second.starts_s[order], second.ends_s[order]
    # The candidates of a stretch lie together: those that start before it ends, from the first
    # one that (or a predecessor of which) ends after it starts.
    low = np.searchsorted(np.maximum.accumulate(ends), first.starts_s, side="right")
    high = np.searchsorted(starts, first.ends_s, side="left")
    counts = np.maximum(high - low, 0)
    ours = np.repeat(np.arange(len(counts)), counts)
    offsets = np.arange(len(ours)) - np.repeat(np.cumsum(counts) - counts, counts)
    theirs = order[np.repeat(low, counts) + offsets]
    shared = np.minimum(first.ends_s[ours], second.ends_s[theirs]) - np.maximum(
        first.starts_s[ours], second.starts_s[theirs]
    )
    found = [
        Meeting(int(ours[row]), int(theirs[row]), float(shared[row]))
        for row in np.flatnonzero(shared > SIMULTANEOUS_TOLERANCE_S)
        if frozenset((int(first.cameras[ours[row]]), int(second.cameras[theirs[row]])))
        not in overlapping
    ]
    return sorted(found, key=lambda meeting: -meeting.seconds)
