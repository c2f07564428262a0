"""Where every horse was seen last, and what it therefore cannot be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, StreamId, TrackId
from engine.identity.rules import HAND_OVER_S, HORSE_HEIGHT_M, SIMULTANEOUS_S, TOP_SPEED_MPS


@dataclass(frozen=True, slots=True)
class Seen:
    """A horse's last sighting by one camera. ``centre_px`` of its box, ``height_px`` of it; both
    None when it was learned from the store."""

    mono_s: float
    track_id: TrackId | None = None
    centre_px: tuple[float, float] | None = None
    height_px: float | None = None


def seen_in(mono_s: float, track_id: TrackId, box_xyxy_px: FloatArray) -> Seen:
    """The sighting of a box (4,)."""
    x1, y1, x2, y2 = (float(v) for v in box_xyxy_px)
    return Seen(mono_s, track_id, ((x1 + x2) / 2.0, (y1 + y2) / 2.0), y2 - y1)


Distances = Mapping[frozenset[StreamId], float]
"""Metres between the nearest points that two cameras see; 0 where they overlap."""


class Presence:
    """Last sightings of every horse on every camera. Used by one thread."""

    def __init__(self) -> None:
        self.distances_m: Distances = {}
        self._seen: dict[HorseId, dict[StreamId, Seen]] = {}

    def saw(self, horse_id: HorseId, stream_id: StreamId, seen: Seen) -> None:
        """Note a sighting; older ones than the last are ignored."""
        places = self._seen.setdefault(horse_id, {})
        before = places.get(stream_id)
        if before is None or before.mono_s <= seen.mono_s:
            places[stream_id] = seen

    def withdraw(self, horse_id: HorseId, track_id: TrackId) -> None:
        """The track was not that horse after all."""
        places = self._seen.get(horse_id, {})
        for stream_id in [s for s, seen in places.items() if seen.track_id == track_id]:
            del places[stream_id]

    def hand_over(self, absorbed: HorseId, kept: HorseId) -> None:
        """Two records are one horse."""
        for stream_id, seen in self._seen.pop(absorbed, {}).items():
            self.saw(kept, stream_id, seen)

    def recent(self, stream_id: StreamId, limit: int) -> list[HorseId]:
        """A camera's horses, the most recent first."""
        here = [
            (places[stream_id].mono_s, horse)
            for horse, places in self._seen.items()
            if stream_id in places
        ]
        here.sort(key=lambda entry: entry[0], reverse=True)
        return [horse for _, horse in here[:limit]]

    def elsewhere(
        self,
        horse_id: HorseId,
        stream_id: StreamId,
        since_mono_s: float,
        now_mono_s: float,
        unsure: Collection[StreamId] = (),
    ) -> bool:
        """True when the horse cannot be a track that this camera sees from ``since_mono_s`` to
        now: another camera that does not overlap saw it meanwhile, or too short a time ago for the
        distance. Where nobody stated a distance only being seen at once counts, and a hand-over
        of some seconds at the edge of two pictures is forgiven. ``unsure`` cameras do not count.
        """
        for other, seen in self._seen.get(horse_id, {}).items():
            if other == stream_id or other in unsure:
                continue
            distance_m = self.distances_m.get(frozenset((stream_id, other)))
            if distance_m == 0.0:
                continue
            both_s = seen.mono_s - since_mono_s
            if now_mono_s - seen.mono_s <= SIMULTANEOUS_S:
                return True
            if both_s > (HAND_OVER_S if distance_m is None else 0.0):
                return True
            if distance_m is not None and -both_s * TOP_SPEED_MPS < distance_m:
                return True
        return False

    def too_fast(
        self, horse_id: HorseId, stream_id: StreamId, track_id: TrackId, first: Seen
    ) -> bool:
        """True when the same camera saw the horse, as another track, too far away too shortly
        before ``first`` (12 m/s, pixels scaled by the height of the boxes)."""
        before = self._seen.get(horse_id, {}).get(stream_id)
        if before is None or before.centre_px is None or before.height_px is None:
            return False
        if before.track_id == track_id or first.centre_px is None or first.height_px is None:
            return False
        gap_s = first.mono_s - before.mono_s
        if gap_s < 0:
            return False
        away_px: float = (
            (before.centre_px[0] - first.centre_px[0]) ** 2
            + (before.centre_px[1] - first.centre_px[1]) ** 2
        ) ** 0.5
        metre_px = max(min(before.height_px, first.height_px), 1.0) / HORSE_HEIGHT_M
        # One body length of tolerance: boxes jump when a horse is partly hidden.
        return away_px / metre_px > TOP_SPEED_MPS * gap_s + 2.0 * HORSE_HEIGHT_M

    def keep(self, horses: Iterable[HorseId]) -> None:
        """Forget everyone else."""
        kept = set(horses)
        for horse in [h for h in self._seen if h not in kept]:
            del self._seen[horse]
