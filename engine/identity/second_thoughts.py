"""Whether a track still shows the horse it was said to show."""

from __future__ import annotations

from engine.domain.frames import FrameStamp
from engine.domain.identity import ReviewKind
from engine.identity.candidates import Candidates
from engine.identity.cases import Case
from engine.identity.crossings import Crossing
from engine.identity.decision import Outcome
from engine.identity.gallery import HorseGallery, Match
from engine.identity.presence import Seen
from engine.identity.rules import Rules
from engine.identity.teaching import SETTLED_S, Teacher
from engine.identity.verdicts import Verdicts


class SecondThoughts:
    """Checks identified tracks. Used by one thread; ``rules`` are replaced as they change."""

    def __init__(
        self, rules: Rules, candidates: Candidates, verdicts: Verdicts, teacher: Teacher
    ) -> None:
        self.rules = rules
        self._candidates = candidates
        self._verdicts = verdicts
        self._teacher = teacher

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
        lost = not case.stretch.verified and own < self.rules.guest_below
        if not lost and (not better or match is None):
            return
        case.doubts += 1
        case.check_mono_s = stamp.captured_mono_s + self.rules.retry_s
        needed = self.rules.doubts if case.stretch.verified else self.rules.doubts_after
        if case.doubts >= needed:
            case.begin_anew(stamp.captured_mono_s, stamp.captured_at)
            if better and match is not None:
                self._verdicts.settle(case, match, changed_at, stamp)
            elif lost:  # after a contact it looks like nobody known, least of all like its horse
                self._verdicts.withdraw(case, changed_at)

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

    def cross(self, crossing: Crossing, stamp: FrameStamp) -> None:
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
        self._verdicts.leave(one)
        self._verdicts.leave(other)
        self._verdicts.settle(one, Match(second, self.rules.accept), crossing.met_at, stamp)
        self._verdicts.settle(other, Match(first, self.rules.accept), crossing.met_at, stamp)
