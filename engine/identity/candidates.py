"""Who a track may be: likeness to the known horses, and what excludes each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, TrackId
from engine.identity.cases import Case
from engine.identity.decision import Decision, Exclusion, Outcome, decide
from engine.identity.gallery import HorseGallery, Match
from engine.identity.presence import Presence, Seen
from engine.identity.rules import CAMERA_HORSES, Rules


class Candidates:
    """Answers for one track at a time. ``live`` are all live tracks, by reference; ``rules`` and
    ``rejected`` (pairs that people denied) are replaced as they change."""

    def __init__(self, rules: Rules, presence: Presence, live: Mapping[TrackId, Case]) -> None:
        self.rules = rules
        self.rejected: set[tuple[TrackId, HorseId]] = set()
        self._presence = presence
        self._live = live

    def compare(
        self,
        case: Case,
        vectors: FloatArray,
        beside: Sequence[Case],
        expected: frozenset[HorseId],
        now_s: float,
        gallery: HorseGallery,
    ) -> Decision:
        """The camera's recent horses first; the whole farm unless one of them is clearly it.

        ``vectors``: unit float32 (k, D), best first. ``beside``: the tracks in the same picture.
        """
        here = self._presence.recent(case.stream_id, CAMERA_HORSES)
        narrow = gallery.rank_among(vectors, {*here, *expected})
        decision = self.judge(case, narrow, beside, expected, now_s)
        if decision.outcome is Outcome.KNOWN:
            return decision
        wide = {match.horse_id: match for match in gallery.rank(vectors)}
        wide.update((match.horse_id, match) for match in narrow)
        every = sorted(wide.values(), key=lambda match: -match.similarity)
        return self.judge(case, every, beside, expected, now_s)

    def judge(
        self,
        case: Case,
        matches: Sequence[Match],
        beside: Sequence[Case],
        expected: frozenset[HorseId],
        now_s: float,
        first: Seen | None = None,
    ) -> Decision:
        """Decide among some horses. ``first``: where the track, as what it is now, began."""
        first = first or case.stretch.first
        excluded = {
            match.horse_id: reason
            for match in matches
            if (reason := self._exclusion(case, match, beside, now_s, first)) is not None
        }
        for match in matches:
            if excluded.get(match.horse_id) not in (Exclusion.BESIDE, Exclusion.REJECTED):
                case.nearest = max(case.nearest, match.similarity)
        crops, age_s = case.stretch.crops, now_s - case.stretch.since_mono_s
        return decide(matches, excluded, expected, crops, age_s, self.rules)

    def may_be(self, case: Case, match: Match, now_s: float, first: Seen) -> bool:
        """Whether nothing but another track in the same picture speaks against a horse."""
        return self._exclusion(case, match, (), now_s, first) is None

    def _exclusion(
        self, case: Case, match: Match, beside: Sequence[Case], now_s: float, first: Seen
    ) -> Exclusion | None:
        horse = match.horse_id
        if (case.track_id, horse) in self.rejected:
            return Exclusion.REJECTED
        holder = next((c for c in beside if c.horse_id == horse and c is not case), None)
        if holder is not None:
            claimed = match.similarity >= max(
                self.rules.accept, (holder.similarity or 0.0) + self.rules.swap_lead
            )
            if holder.locked or not (holder.wavering or (claimed and not holder.founded)):
                return Exclusion.BESIDE
            return None  # the holder looks less like the horse: it has to give it up
        if case.apart_s.get(horse, 0.0) >= self.rules.apart_s:
            return Exclusion.BESIDE
        # What shows the horse elsewhere and does not look like it any more is no witness.
        unsure = {c.stream_id for c in self._live.values() if c.horse_id == horse and c.wavering}
        if self._presence.elsewhere(horse, case.stream_id, first.mono_s, now_s, unsure):
            return Exclusion.ELSEWHERE
        if self._presence.too_fast(horse, case.stream_id, case.track_id, first):
            return Exclusion.ELSEWHERE
        return None
