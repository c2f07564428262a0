"""What is known about one live horse track while its identity is being decided."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.identity.presence import Seen, seen_in

RECENT = 8
"""Good crops remembered to judge how a track looks now."""
JUDGED_BY = 3
"""Crops before that a crop is compared with to notice a jump."""
LOOKS = 16
"""Different looks remembered of one stretch."""
SAME_LOOK = 0.97
"""From this cosine on two crops show the same look (as in the tracker's galleries)."""
JUMP = 0.6
"""A crop less like the last ones than this (cosine) may show another horse, or another side."""
GAP_S = 1.0
"""A track that was not seen for so long may have come back as somebody else."""
ENGINE = "engine"
"""``decided_by`` of what the engine decided."""


@dataclass(slots=True)
class Meeting:
    """Two identified tracks that overlapped. ``parted_mono_s`` None while they still do."""

    other: TrackId
    began_at: datetime
    began_mono_s: float
    parted_mono_s: float | None = None


@dataclass(slots=True)
class Stretch:
    """Good crops of a track between two moments at which the tracker may have taken another horse
    for it: a gap, or the begin or end of contact with another horse.

    ``first``: where it began. ``touching``: the crops were taken beside the other horse.
    ``verified``: they are known to show the horse that the track is said to be. ``jumped``: it
    began because the track looked like somebody else at once.
    """

    first: Seen
    since_at: datetime
    touching: bool = False
    verified: bool = False
    jumped: bool = False
    vectors: list[FloatArray] = field(default_factory=list)
    qualities: list[float] = field(default_factory=list)
    crops: int = 0

    @property
    def since_mono_s(self) -> float:
        """When it began."""
        return self.first.mono_s

    def add(self, vector: FloatArray, quality: float) -> None:
        """Take one good crop; of alike ones the best stays, of many the poorest goes."""
        self.crops += 1
        for place, known in enumerate(self.vectors):
            if float(known @ vector) >= SAME_LOOK:
                if quality > self.qualities[place]:
                    self.vectors[place], self.qualities[place] = vector, quality
                return
        if len(self.vectors) >= LOOKS:
            worst = min(range(len(self.qualities)), key=self.qualities.__getitem__)
            del self.vectors[worst], self.qualities[worst]
        self.vectors.append(vector)
        self.qualities.append(quality)

    def columns(self) -> tuple[FloatArray, FloatArray]:
        """Vectors float32 (k, D) and qualities float32 (k,), best first."""
        order = sorted(range(len(self.qualities)), key=lambda i: -self.qualities[i])
        if not order:
            return np.zeros((0, 0), np.float32), np.zeros(0, np.float32)
        vectors = np.stack([self.vectors[i] for i in order]).astype(np.float32)
        return vectors, np.array([self.qualities[i] for i in order], np.float32)


@dataclass(slots=True)
class Case:
    """One track. ``horse_id`` is what is shown; ``decided_by`` a person's name locks it.

    ``stretch``: its good crops since the last doubtful moment. ``recent``: appearance of the last
    good ones with their instants. ``nearest``: highest likeness to anybody it may be, ever.
    ``apart_s``: seconds during which it stood beside each horse. ``founded``: this track is where
    the horse was first met. ``doubts``: checks in a row that spoke for another horse.
    ``wavering``: it does not look like its horse now. ``sure_at``: when it was last recognised.
    ``jumped_at``: when its appearance last changed at once. ``since_at``: what is decided next
    holds from here on, None: from its first picture on. ``owned_from``: the same of what was
    decided last. ``open_mono_s``: when the tracker last had a chance to take another horse for it:
    touched, or missed for a picture.
    """

    track_id: TrackId
    stream_id: StreamId
    first: Seen
    first_at: datetime
    stretch: Stretch
    box_xyxy_px: FloatArray
    horse_id: HorseId | None = None
    decided_by: str = ENGINE
    similarity: float | None = None
    founded: bool = False
    approved: bool = False
    nearest: float = 0.0
    good_mono_s: float = -1e9
    check_mono_s: float = 0.0
    seen_mono_s: float = 0.0
    doubts: int = 0
    wavering: bool = False
    sure_at: datetime | None = None
    jumped_at: datetime | None = None
    since_at: datetime | None = None
    owned_from: datetime | None = None
    open_mono_s: float = -1e9
    recent: deque[tuple[float, FloatArray]] = field(default_factory=lambda: deque(maxlen=RECENT))
    apart_s: dict[HorseId, float] = field(default_factory=dict)
    asked: set[HorseId] = field(default_factory=set)
    meetings: dict[TrackId, Meeting] = field(default_factory=dict)
    sent: set[bytes] = field(default_factory=set)
    sent_mono_s: float = -1e9

    @property
    def locked(self) -> bool:
        """True when a person decided."""
        return self.decided_by != ENGINE

    @property
    def age_s(self) -> float:
        """Seconds from the first to the last sighting."""
        return self.seen_mono_s - self.first.mono_s

    def take_crop(
        self, now_s: float, at: datetime, vector: FloatArray, quality: float, interval_s: float
    ) -> None:
        """Count a good crop, unless the last one is hardly older. One that looks quite different
        makes the track due for a check; where the tracker had a chance to err, it begins a new
        stretch, so that what comes is not judged by what was."""
        if now_s - self.good_mono_s < interval_s:
            return
        self.good_mono_s = now_s
        if len(self.recent) >= JUDGED_BY:
            latest = np.mean([known for _, known in list(self.recent)[-JUDGED_BY:]], axis=0)
            if float(latest @ vector) < JUMP * float(np.linalg.norm(latest)):
                self.jumped_at = at
                self.check_mono_s = min(self.check_mono_s, now_s)
                if self.open_mono_s >= self.recent[-JUDGED_BY][0]:
                    self._turn(now_s, at)
        self.recent.append((now_s, vector))
        self.stretch.add(vector, quality)

    def change_point(self) -> datetime | None:
        """From when on a track that is another horse now has been it; None: from the beginning."""
        if not self.stretch.verified:
            return None if self.stretch.since_at <= self.first_at else self.stretch.since_at
        if self.sure_at is None:
            return None
        if self.jumped_at is not None and self.jumped_at > self.sure_at:
            return self.jumped_at
        return self.sure_at

    def begin_stretch(self, first: Seen, at: datetime, touching: bool) -> None:
        """From now on it may be somebody else, and what was proven of it before is not any more.

        Within a contact nobody saw when they changed, if they did: its middle is the best guess.
        """
        before = self.stretch
        since_at = before.since_at + (at - before.since_at) / 2 if before.touching else at
        self.stretch = Stretch(first, since_at, touching)
        self.apart_s.clear()

    def _turn(self, now_s: float, at: datetime) -> None:
        """It looks like somebody else from this picture on."""
        first = seen_in(now_s, self.track_id, self.box_xyxy_px)
        self.stretch = Stretch(first, at, self.stretch.touching, jumped=True)
        self.apart_s.clear()
        if self.horse_id is None:
            self.since_at = at

    def begin_anew(self, now_s: float, at: datetime) -> None:
        """What was collected so far may show the horse that the track was before."""
        self.stretch = Stretch(Seen(now_s, self.track_id), at, self.stretch.touching)

    def recent_vectors(self, since_mono_s: float = -1e9) -> FloatArray:
        """Appearance of the last good crops from an instant on, float32 (k, D)."""
        kept = [vector for mono_s, vector in self.recent if mono_s >= since_mono_s]
        return np.stack(kept) if kept else np.zeros((0, 0), np.float32)

    def release(self) -> None:
        """Nobody's again."""
        self.horse_id = None
        self.decided_by = ENGINE
        self.similarity = None
        self.founded = False
        self.approved = False
        self.doubts = 0
        self.wavering = False
        self.sure_at = None
