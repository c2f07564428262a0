"""Decodes one camera's chunks one picture after the other, with what was seen in them. Lives on a
player's own thread."""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.domain.errors import BarnhandError, SourceUnreadable
from engine.domain.geometry import read_only
from engine.domain.identity import TrackStrip
from engine.domain.ids import TrackId
from engine.domain.ports import Clock
from engine.domain.recording import Chunk, ChunkId, ChunkState
from engine.recording.overlay import Overlay, OverlayEntry, OverlayTrack, read_overlay
from engine.recording.reader import ChunkPicture, ChunkReader
from ui.review.frames import GAP_US, Absence, ReviewFrame
from ui.review.recordings import CameraRecordings, instant_of
from ui.timeline.cursor import instant, micros

log = logging.getLogger(__name__)

Owners = Callable[[Chunk], Sequence[TrackStrip]]
"""Whose the tracks of a chunk are now; may block and raise."""

RUN_UP_S = 0.5
"""So much before a place is kept when it is sought: stepping back is at once."""
TIMES_KEPT = 12
LONE_US = 100_000
"""The only picture of a recording is shown so long."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Instants of the pictures of one chunk and its two neighbours. Good for instants from
    ``start_us`` up to ``end_us``."""

    start_us: int
    end_us: int
    times_us: tuple[int, ...]

    def neighbour(self, at_us: int, step: int) -> int | None:
        """The picture ``step`` on or back from the one on show, None beyond what is known."""
        place = bisect_right(self.times_us, at_us) - 1 + step
        return self.times_us[place] if 0 <= place < len(self.times_us) else None


class ChunkDecoder:
    """Pictures from a place on, over the ends of chunks. Raises BarnhandError and OSError."""

    def __init__(
        self, recordings: CameraRecordings, clock: Clock, owners: Owners | None = None
    ) -> None:
        self._recordings = recordings
        self._clock = clock
        self._owners = owners
        self._reader: ChunkReader | None = None
        self._overlay: Overlay | None = None
        self._written: Overlay | None = None
        self._strips: tuple[TrackStrip, ...] = ()
        self._pictures: Iterator[ChunkPicture] | None = None
        self._times: OrderedDict[ChunkId, tuple[int, ...]] = OrderedDict()
        self.chunk: Chunk | None = None

    def seek(self, target_us: int, size_px: tuple[int, int]) -> ReviewFrame | Absence:
        """Go to an instant; the first picture of a little before it."""
        self.close()
        spot = self._recordings.spot(instant(target_us), self._clock.mono_s())
        if isinstance(spot, Absence):
            return spot
        reader = self._open(spot.chunk)
        times = reader.times_s
        if not times:
            raise SourceUnreadable("The recording holds no picture yet.")
        place = max(bisect_right(times, spot.pts_s + 1e-6) - 1, 0)
        first = bisect_left(times, times[place] - RUN_UP_S)
        self._pictures = reader.pictures(times[first])
        frame = self.on(size_px)
        if frame is None:
            raise SourceUnreadable("The recording shows no picture there.")
        return frame

    def on(self, size_px: tuple[int, int]) -> ReviewFrame | None:
        """The next picture of the chunk, None at its end."""
        picture = next(self._pictures, None) if self._pictures is not None else None
        return None if picture is None else self._frame_of(picture, size_px)

    def into_next(self, until_us: int, size_px: tuple[int, int]) -> ReviewFrame | None:
        """The first picture of the next chunk, if that begins before an instant."""
        chunk = self.chunk
        follower = None if chunk is None else self._recordings.after(chunk, self._clock.mono_s())
        if follower is None or micros(follower.start_at) > until_us:
            return None
        self._pictures = self._open(follower).pictures()
        return self.on(size_px)

    def around(self, at_us: int) -> Neighbourhood | None:
        """Instants of pictures about an instant; None where nothing is recorded."""
        now_mono_s = self._clock.mono_s()
        spot = self._recordings.spot(instant(at_us), now_mono_s)
        if isinstance(spot, Absence):
            return None
        chunk = spot.chunk
        beside = (
            self._recordings.before(chunk, now_mono_s),
            chunk,
            self._recordings.after(chunk, now_mono_s),
        )
        found: list[int] = []
        for one in beside:
            if one is not None:
                found.extend(t for t in self._times_of(one) if not found or t > found[-1])
        after = beside[2]
        end_us = micros(after.start_at) if after is not None else micros(chunk.end_at)
        return Neighbourhood(micros(chunk.start_at), max(end_us, at_us + 1), tuple(found))

    def own_again(self) -> tuple[ChunkId, Overlay] | None:
        """Ask anew whose the tracks of the open chunk are; its overlay where that changed."""
        if self.chunk is None or self._written is None or self._owners is None:
            return None
        strips = tuple(self._owners(self.chunk))
        if strips == self._strips:
            return None
        self._strips = strips
        self._overlay = with_owners(self._written, strips)
        return self.chunk.id, self._overlay

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._overlay = self._written = self._pictures = self.chunk = None

    def _open(self, chunk: Chunk) -> ChunkReader:
        self.close()
        self.chunk = chunk
        reader = self._reader = ChunkReader(self._recordings.video(chunk))
        self._note_times(chunk, reader)
        self._overlay = self._overlay_of(chunk)
        return reader

    def _overlay_of(self, chunk: Chunk) -> Overlay | None:
        path = self._recordings.overlay(chunk)
        if path is None:
            return None
        try:
            self._written = read_overlay(path)
        except (BarnhandError, OSError) as error:
            log.info("a recording is shown without its overlay: %s", error)
            return None
        self._strips = ()
        try:
            if self._owners is not None:
                self._strips = tuple(self._owners(chunk))
        except BarnhandError as error:
            log.info("whose tracks these are is not known now: %s", error)
        return with_owners(self._written, self._strips)

    def _times_of(self, chunk: Chunk) -> tuple[int, ...]:
        known = self._times.get(chunk.id)
        if known is not None and chunk.state is not ChunkState.OPEN:
            self._times.move_to_end(chunk.id)
            return known
        try:
            with ChunkReader(self._recordings.video(chunk)) as reader:
                return self._note_times(chunk, reader)
        except (BarnhandError, OSError) as error:
            log.info("a recording is passed over: %s", error)
            return ()

    def _note_times(self, chunk: Chunk, reader: ChunkReader) -> tuple[int, ...]:
        times = tuple(micros(instant_of(chunk, pts_s)) for pts_s in reader.times_s)
        self._times[chunk.id] = times
        while len(self._times) > TIMES_KEPT:
            self._times.popitem(last=False)
        return times

    def _frame_of(self, picture: ChunkPicture, size_px: tuple[int, int]) -> ReviewFrame:
        chunk, overlay, reader = self.chunk, self._overlay, self._reader
        assert chunk is not None and reader is not None
        own_px = (picture.picture.width_px, picture.picture.height_px)
        bgra = picture.picture.scaled_bgra(*_shrunk(own_px, size_px))
        read_only(bgra)
        entry = None if overlay is None else overlay.at(picture.pts_s)
        seen_px = own_px if overlay is None else (overlay.width_px, overlay.height_px)
        times = reader.times_s
        number = bisect_left(times, picture.pts_s - 1e-6) + 1
        at_us = micros(instant_of(chunk, picture.pts_s))
        return ReviewFrame(
            at_us,
            self._until_us(at_us, number, times),
            bgra,
            chunk,
            picture.pts_s,
            number,
            len(times),
            entry,
            overlay,
            seen_px if all(seen_px) else own_px,
        )

    def _until_us(self, at_us: int, number: int, times: tuple[float, ...]) -> int:
        """When the next picture follows; the last one lasts as long as the one before it, or to
        the end of a recording that says so."""
        assert self.chunk is not None
        if number < len(times):
            return micros(instant_of(self.chunk, times[number]))
        step_us = round((times[-1] - times[-2]) * 1e6) if len(times) > 1 else LONE_US
        closed = self.chunk.state is not ChunkState.OPEN
        end_us = micros(self.chunk.end_at) if closed else at_us
        return max(at_us + step_us, min(end_us, at_us + GAP_US))


def _shrunk(own_px: tuple[int, int], into_px: tuple[int, int]) -> tuple[int, int]:
    """The size of a picture that fits into a view; never larger than it is: painting enlarges."""
    scale = min(into_px[0] / own_px[0], into_px[1] / own_px[1], 1.0)
    return max(round(own_px[0] * scale), 1), max(round(own_px[1] * scale), 1)


def with_owners(overlay: Overlay, strips: Sequence[TrackStrip]) -> Overlay:
    """The overlay with its tracks given to the horses whose they are now: corrections made after it
    was written show. Tracks that no strip tells of stay as they are."""
    by_track: dict[TrackId, list[TrackStrip]] = {}
    for strip in strips:
        by_track.setdefault(strip.track_id, []).append(strip)
    if not by_track:
        return overlay
    entries = tuple(
        replace(entry, tracks=tuple(_owned(t, entry, by_track.get(t.id, [])) for t in entry.tracks))
        for entry in overlay.entries
    )
    return replace(overlay, entries=entries)


def _owned(track: OverlayTrack, entry: OverlayEntry, strips: Sequence[TrackStrip]) -> OverlayTrack:
    for strip in strips:
        if strip.start <= entry.at <= strip.end:
            return replace(track, horse_id=strip.horse_id)
    return track
