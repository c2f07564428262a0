"""Whether a track still shows the horse it was said to show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.domain.frames import FrameStamp
from engine.domain.identity import ReviewKind
from engine.domain.ids import HorseId, StreamId
from engine.identity.candidates import Candidates
from engine.identity.cases import Case
from engine.identity.crossings import Crossing
from engine.identity.decision import Outcome
from engine.identity.gallery import HorseGallery, Match
from engine.identity.presence import Seen
from engine.identity.rules import Rules
from engine.identity.teaching import SETTLED_S, Teacher
from engine.identity.trails import Trails, Turn
from engine.identity.verdicts import Verdicts

SUSPECT_S = 10.0
"""So long after a chance to err a track's pictures are looked through."""
OPEN_BEFORE_S = 1.0
"""A track turns into another horse at most so long after the tracker's chance to err."""


class SecondThoughts:
    """Checks identified tracks. Used by one thread; ``rules`` are replaced as they change."""

    def __init__(
        self,
        rules: Rules,
        candidates: Candidates,
        verdicts: Verdicts,
        teacher: Teacher,
        trails: Trails,
    ) -> None:
        self.rules = rules
        self._candidates = candidates
        self._verdicts = verdicts
        self._teacher = teacher
        self._trails = trails
        self._suspected_mono_s: dict[StreamId, float] = {}

    def verify(self, case: Case, stamp: FrameStamp, gallery: HorseGallery) -> None:
        """Does an identified track still look like its horse? It changes hands only after several
        checks in a row; a person's decision never does."""
        recent = case.recent_vectors(case.stretch.since_mono_s)
        if case.horse_id is None or len(recent) < self.rules.crops:
            return
        own = next((m.similarity for m in gallery.rank_among(recent, [case.horse_id])), None)
        if case.locked or own is None or own >= self.rules.accept:
            case.stretch.verified = True
            case.sure_at = stamp.captured_at
        case.wavering = not case.locked and own is not None and own < self.rules.keep_from
        if not case.wavering or own is None:
            case.doubts = 0
            self._teach(case, own, stamp, gallery)
            return
        matches = gallery.rank(recent)
        changed_at = case.change_point()
        first = case.first
        if changed_at is not None:
            ago_s = (stamp.captured_at - changed_at).total_seconds()
            first = Seen(stamp.captured_mono_s - ago_s, case.track_id)
        now_s = stamp.captured_mono_s
        decision = self._candidates.judge(case, matches, (), frozenset(), now_s, first)
        match = decision.match
        better = (
            match is not None
            and decision.outcome is Outcome.KNOWN
            and match.horse_id != case.horse_id
            and match.similarity >= own + self.rules.margin
        )
        limit = self.rules.keep_from if case.stretch.jumped else self.rules.guest_below
        lost = not case.stretch.verified and own < limit
        if not lost and (not better or match is None):
            return
        case.doubts += 1
        case.check_mono_s = stamp.captured_mono_s + self.rules.retry_s
        needed = self.rules.doubts if case.stretch.verified else self.rules.doubts_after
        if case.doubts >= needed:
            case.begin_anew(stamp.captured_mono_s, stamp.captured_at)
            if better and match is not None:
                start = self._turned(case, case.horse_id, match.horse_id, changed_at, gallery)
                self._verdicts.settle(case, match, start, stamp)
            elif lost:  # after a contact it looks like nobody known, least of all like its horse
                since = self._trails.strayed(
                    case.track_id,
                    gallery.vectors(case.horse_id),
                    case.owned_from,
                    changed_at,
                    self.rules,
                )
                self._verdicts.withdraw(case, since)

    def suspect(self, cases: Sequence[Case], stamp: FrameStamp, gallery: HorseGallery) -> None:
        """Tracks that touch others, and narrow or covered ones, seldom give several good crops in a
        row; but all their pictures together may tell that the tracker took another horse for them.
        Who shows the other horse now must itself have turned, or nothing changes."""
        now_s = stamp.captured_mono_s
        if now_s - self._suspected_mono_s.get(stamp.stream_id, -1e9) < self.rules.retry_s:
            return
        self._suspected_mono_s[stamp.stream_id] = now_s
        turned: dict[HorseId, tuple[Case, Turn]] = {}
        for case in cases:
            turn = self._turn_of(case, now_s, gallery)
            if turn is None:
                continue
            rival = turned.get(turn.horse_id)
            if rival is None or rival[1].lead < turn.lead:
                turned[turn.horse_id] = case, turn
        holders = {case.horse_id: case.track_id for case in cases if case.horse_id is not None}
        while held := [
            horse
            for horse in turned
            if horse in holders
            and holders[horse] not in {case.track_id for case, _ in turned.values()}
        ]:
            for horse in held:
                del turned[horse]
        for case, _ in turned.values():
            self._verdicts.leave(case)
        for case, turn in turned.values():
            case.begin_anew(now_s, stamp.captured_at)
            self._verdicts.settle(case, Match(turn.horse_id, turn.like), turn.at, stamp)

    def _turn_of(self, case: Case, now_s: float, gallery: HorseGallery) -> Turn | None:
        """A turn of the track that is beyond doubt: the tracker had a chance, and enough pictures
        since speak for a horse that it may be."""
        chance = now_s - case.open_mono_s <= SUSPECT_S
        if case.horse_id is None or case.locked or not chance:
            return None
        turn = self._trails.turn(case.track_id, gallery, case.horse_id, case.owned_from)
        if turn is None or turn.pictures < self.rules.guest_crops:
            return None
        short = turn.seconds < self.rules.guest_age_s
        sure = turn.lead >= 2.0 * self.rules.swap_lead and turn.like >= self.rules.keep_from
        first = Seen(now_s - turn.seconds, case.track_id)
        chance = case.open_mono_s >= first.mono_s - OPEN_BEFORE_S
        if short or not sure or not chance:
            return None
        match = Match(turn.horse_id, turn.like)
        return turn if self._candidates.may_be(case, match, now_s, first) else None

    def _teach(
        self, case: Case, own: float | None, stamp: FrameStamp, gallery: HorseGallery
    ) -> None:
        """A settled track shows its horse's other sides; nothing is learned beside another horse,
        nor after a doubtful moment until the track was recognised again."""
        unsure = own is not None and own < self.rules.accept and not case.locked
        waiting = stamp.captured_mono_s - case.sent_mono_s < SETTLED_S
        stretch = case.stretch
        if unsure or waiting or not case.approved or not stretch.verified or stretch.touching:
            return
        vectors, qualities = stretch.columns()
        self._teacher.learn(
            case, gallery, vectors, qualities, stamp.captured_mono_s, stamp.captured_at
        )

    def cross(self, crossing: Crossing, stamp: FrameStamp, gallery: HorseGallery) -> None:
        """They changed places: beyond doubt it is put right, else a person is asked."""
        one, other = crossing.one, crossing.other
        first, second = one.horse_id, other.horse_id
        if first is None or second is None:
            return
        if not crossing.sure or one.locked or other.locked:
            match = Match(first, crossing.lead)
            self._verdicts.ask(
                one, ReviewKind.CROSSING, match, stamp, other.track_id, crossing.met_at
            )
            return
        since = self._turned(one, first, second, crossing.met_at, gallery)
        other_since = self._turned(other, second, first, crossing.met_at, gallery)
        self._verdicts.leave(one)
        self._verdicts.leave(other)
        self._verdicts.settle(one, Match(second, self.rules.accept), since, stamp)
        self._verdicts.settle(other, Match(first, self.rules.accept), other_since, stamp)

    def _turned(
        self,
        case: Case,
        before: HorseId,
        after: HorseId,
        guess: datetime | None,
        gallery: HorseGallery,
    ) -> datetime | None:
        """From which picture on the track shows the other horse."""
        looks = gallery.vectors(before), gallery.vectors(after)
        return self._trails.turned(case.track_id, *looks, case.owned_from, guess)
