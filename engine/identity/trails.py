"""What each track looked like, picture by picture, and where one horse became another.

A decision comes seconds after the moment it is about. The looks in between, poor ones too, tell
that moment to the picture: the cut that leaves before it what looks more like the one horse and
after it what looks more like the other (the likeliest single change point, Hinkley 1970).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import numpy as np

from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.identity.gallery import QUERIES, HorseGallery
from engine.identity.rules import LOST_S, Rules

LONGEST = 240
"""Pictures remembered of a track: decisions come within so many, at 15 a second in 16 s."""
LATEST = 120
"""Of them those that are looked through for a turn, again and again."""
LEAST_WEIGHT = 0.05
"""What the poorest crop counts beside a perfect one."""


@dataclass(slots=True)
class Trail:
    """A track's pictures with their unit vectors. ``whole``: none was dropped yet."""

    stream_id: StreamId
    seen_mono_s: float
    whole: bool = True
    looks: deque[tuple[datetime, FloatArray, float]] = field(
        default_factory=lambda: deque(maxlen=LONGEST)
    )

    def columns(self, since: datetime | None) -> tuple[list[datetime], FloatArray, FloatArray]:
        """Instants, vectors float32 (n, D) and weights (n,) of the pictures from an instant on."""
        kept = [look for look in self.looks if since is None or look[0] >= since]
        vectors = np.stack([v for _, v, _ in kept]) if kept else np.zeros((0, 0), np.float32)
        return [at for at, _, _ in kept], vectors, np.array([w for *_, w in kept], np.float32)


@dataclass(frozen=True, slots=True)
class Turn:
    """What speaks for a track's having become another horse at an instant: in how many pictures
    since, over how many seconds, by how much more it looks like that horse than like its own on
    average, and how much like it at all (cosines; good crops count for more)."""

    horse_id: HorseId
    at: datetime
    pictures: int
    seconds: float
    lead: float
    like: float


class Trails:
    """The looks of every track, unconfirmed ones too. Used by one thread."""

    def __init__(self) -> None:
        self._trails: dict[TrackId, Trail] = {}
        self._swept_mono_s: dict[StreamId, float] = {}

    def __len__(self) -> int:
        return len(self._trails)

    def note(
        self,
        stream_id: StreamId,
        track_ids: Sequence[TrackId],
        vectors: FloatArray,
        qualities: FloatArray,
        at: datetime,
        now_s: float,
    ) -> None:
        """Remember one picture's unit vectors float32 (N, D) and the crops' qualities (N,)."""
        weights = np.maximum(qualities, LEAST_WEIGHT).tolist()
        for track_id, vector, weight in zip(track_ids, vectors, weights, strict=True):
            trail = self._trails.get(track_id)
            if trail is None:
                trail = self._trails[track_id] = Trail(stream_id, now_s)
            trail.whole = trail.whole and len(trail.looks) < LONGEST
            trail.seen_mono_s = now_s
            trail.looks.append((at, vector.copy(), weight))
        if now_s - self._swept_mono_s.get(stream_id, -1e9) > LOST_S:
            self._swept_mono_s[stream_id] = now_s
            self._sweep(stream_id, now_s - 2.0 * LOST_S)

    def forget(self, track_id: TrackId) -> None:
        """The track has ended."""
        self._trails.pop(track_id, None)

    def _sweep(self, stream_id: StreamId, before_mono_s: float) -> None:
        """Nobody tells of the end of tracks that were never confirmed."""
        for track_id, trail in list(self._trails.items()):
            if trail.stream_id == stream_id and trail.seen_mono_s < before_mono_s:
                del self._trails[track_id]

    def turned(
        self,
        track_id: TrackId,
        before: FloatArray,
        after: FloatArray,
        owned_from: datetime | None,
        guess: datetime | None,
    ) -> datetime | None:
        """From which picture on a track shows another horse; None: from its first.

        before, after: unit vectors of both horses, float32 (k, D) and (m, D). ``owned_from``: from
        when on the track was said to be the first. ``guess``: the answer where looks do not tell.
        """
        trail = self._trails.get(track_id)
        if trail is None or not len(before) or not len(after):
            return guess
        instants, vectors, weights = trail.columns(owned_from)
        if not instants or vectors.shape[1] != before.shape[1]:
            return guess
        cut = change_point(weights * (_likeness(vectors, after) - _likeness(vectors, before)))
        if cut == len(instants):
            return guess
        if cut == 0:
            return owned_from if trail.whole or owned_from is not None else guess
        return instants[cut]

    def strayed(
        self,
        track_id: TrackId,
        own: FloatArray,
        owned_from: datetime | None,
        guess: datetime | None,
        rules: Rules,
    ) -> datetime | None:
        """From which picture on a track does not look like its horse any more, nor like anybody
        known: back from ``guess`` over the pictures that are unlike it. None: from its first."""
        trail = self._trails.get(track_id)
        if trail is None or guess is None or not len(own):
            return guess
        instants, vectors, _ = trail.columns(owned_from)
        if not instants or vectors.shape[1] != own.shape[1]:
            return guess
        unlike = _likeness(vectors, own) < rules.guest_below
        first = bisect_left(instants, guess)
        while first > 0 and unlike[first - 1]:
            first -= 1
        if first == 0:
            return owned_from if trail.whole or owned_from is not None else guess
        return min(instants[first], guess) if first < len(instants) else guess

    def began(
        self,
        track_id: TrackId,
        gallery: HorseGallery,
        horse_id: HorseId,
        own: FloatArray,
        since: datetime | None,
        rules: Rules,
    ) -> datetime | None:
        """From which picture on a track that nobody owned shows the horse it was recognised as;
        ``since`` unless its first pictures clearly show somebody else who is known.

        ``own``: unit vectors float32 (k, D) of that horse.
        """
        trail = self._trails.get(track_id)
        if trail is None or not len(own):
            return since
        instants, vectors, weights = trail.columns(since)
        if not instants or vectors.shape[1] != own.shape[1]:
            return since
        others = [m.horse_id for m in gallery.rank(vectors[:1]) if m.horse_id != horse_id]
        if not others:
            return since
        like = _likeness(vectors, own)
        lean = like - _likeness(vectors, gallery.vectors(others[0]))
        cut = change_point(weights * lean)
        clear = like[0] < rules.guest_below and -lean[0] >= 2.0 * rules.swap_lead
        if not 0 < cut < len(instants) or not clear:
            return since
        return instants[cut]

    def turn(
        self,
        track_id: TrackId,
        gallery: HorseGallery,
        horse_id: HorseId,
        owned_from: datetime | None,
    ) -> Turn | None:
        """When, and into whom, a track that is said to show a horse is likeliest to have turned;
        None while its last pictures look like that horse the most."""
        trail, own = self._trails.get(track_id), gallery.vectors(horse_id)
        if trail is None or not len(own):
            return None
        last = np.stack([vector for _, vector, _ in islice(reversed(trail.looks), QUERIES)])
        ranked = gallery.rank(last) if last.shape[1] == own.shape[1] else []
        if not ranked or ranked[0].horse_id == horse_id:
            return None
        other = ranked[0].horse_id
        instants, vectors, weights = trail.columns(owned_from)
        if not instants:
            return None
        instants, vectors, weights = instants[-LATEST:], vectors[-LATEST:], weights[-LATEST:]
        like = _likeness(vectors, gallery.vectors(other))
        lean = like - _likeness(vectors, own)
        cut = change_point(weights * lean)
        if cut == len(lean):
            return None
        seconds = (instants[-1] - instants[cut]).total_seconds()
        share = weights[cut:] / weights[cut:].sum()
        return Turn(
            other,
            instants[cut],
            len(instants) - cut,
            seconds,
            float(share @ lean[cut:]),
            float(share @ like[cut:]),
        )


def change_point(lean: FloatArray) -> int:
    """Where to cut a series, float32 (n,), so that it is lowest before and highest after: the
    number 0..n of entries before the cut."""
    sums = np.concatenate([np.zeros(1), np.cumsum(lean, dtype=np.float64)])
    return int(np.argmin(sums))


def _likeness(vectors: FloatArray, known: FloatArray) -> FloatArray:
    """Best cosine of each vector (n, D) with some vectors (k, D), (n,)."""
    best: FloatArray = np.einsum("nd,kd->nk", vectors, known).max(axis=1)
    return best
