"""What is known about one live horse track while its identity is being decided."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.identity.presence import Seen

RECENT = 8
"""Good crops remembered to judge how a track looks now."""
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
class Case:
    """One track. ``horse_id`` is what is shown; ``decided_by`` a person's name locks it.

    ``good``: good crops so far. ``recent``: appearance of the last good ones with their instants.
    ``apart_s``: seconds during which it stood beside each horse. ``founded``: this track is where
    the horse was first met. ``doubts``: checks in a row that spoke for another horse.
    """

    track_id: TrackId
    stream_id: StreamId
    first: Seen
    first_at: datetime
    horse_id: HorseId | None = None
    decided_by: str = ENGINE
    similarity: float | None = None
    founded: bool = False
    approved: bool = False
    good: int = 0
    good_mono_s: float = -1e9
    check_mono_s: float = 0.0
    seen_mono_s: float = 0.0
    doubts: int = 0
    changed_at: datetime | None = None
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

    def take_crop(self, now_s: float, vector: FloatArray, interval_s: float) -> None:
        """Count a good crop, unless the last one is hardly older."""
        if now_s - self.good_mono_s < interval_s:
            return
        self.good += 1
        self.good_mono_s = now_s
        self.recent.append((now_s, vector))

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
