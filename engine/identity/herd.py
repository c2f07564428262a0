"""The herd as a whole: how many horses there can be, and guests that look like somebody known."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from engine.domain.ids import HorseId, StreamId
from engine.identity.cases import Case
from engine.identity.gallery import Match
from engine.identity.registry import Registry
from engine.identity.rules import Rules

HOUR_S = 3600.0
TWIN_EVERY_S = 10.0
"""Between two comparisons of one guest with everybody else."""


class HerdWatch:
    """Keeps the number of guests honest. Used by one thread."""

    def __init__(self) -> None:
        self._most: dict[StreamId, int] = {}
        self._founded: dict[StreamId, deque[float]] = {}
        self._apart: set[frozenset[HorseId]] = set()
        self._told: set[frozenset[HorseId]] = set()
        self._turn = 0
        self._due_mono_s = 0.0

    def count(self, stream_id: StreamId, horses: int, now_s: float) -> None:
        """So many horses stand before a camera now."""
        self._most[stream_id] = max(self._most.get(stream_id, 0), horses)
        founded = self._founded.get(stream_id)
        while founded and now_s - founded[0] > HOUR_S:
            founded.popleft()

    def apart(self, one: HorseId, other: HorseId) -> None:
        """These two were seen side by side."""
        self._apart.add(frozenset((one, other)))

    def keep(self, horses: Collection[HorseId]) -> None:
        """Forget what was noted of everyone else."""
        for pairs in (self._apart, self._told):
            pairs -= {pair for pair in pairs if not all(horse in horses for horse in pair)}

    def founded(self, stream_id: StreamId, now_s: float) -> None:
        """A camera met a new horse."""
        self._founded.setdefault(stream_id, deque(maxlen=1000)).append(now_s)

    def may_found(self, stream_id: StreamId, now_s: float, rules: Rules) -> bool:
        """False when a camera meets more new horses within an hour than can be true: the most it
        ever showed at once and a few passers-by. Then people are asked instead."""
        met = len(self._founded.get(stream_id, ()))
        return met < self._most.get(stream_id, 0) + rules.guests_spare

    def twin(
        self,
        registry: Registry,
        latest: Mapping[HorseId, Case],
        rules: Rules,
        now_s: float,
    ) -> tuple[Case, Match] | None:
        """A guest in view and another horse it may be, never seen beside it; each pair once."""
        if now_s < self._due_mono_s or registry.gallery is None:
            return None
        self._due_mono_s = now_s + TWIN_EVERY_S
        guests = [
            horse for horse in latest if (k := registry.known.get(horse)) is not None and k.guest
        ]
        if not guests:
            return None
        self._turn += 1
        guest = guests[self._turn % len(guests)]
        for match in registry.gallery.rank(registry.gallery.vectors(guest)):
            pair = frozenset((guest, match.horse_id))
            denied = (latest[guest].track_id, match.horse_id) in registry.rejected
            if match.horse_id == guest or denied or pair in self._apart or pair in self._told:
                continue
            if match.similarity < rules.accept:
                return None
            self._told.add(pair)
            return latest[guest], match
        return None
